"""A safetensors file that the library did not write: every dtype, edge values, an empty tensor.

    python3 tests/golden/make_safetensors.py
"""
import numpy as np

import golden_file

lowest, highest = np.iinfo(np.int32).min, np.iinfo(np.int32).max
golden_file.save("safetensors", {
    "layer1.0.conv1.weight": (0.25 * np.arange(54) - 3).astype(np.float32).reshape(2, 3, 3, 3),
    "labels": np.array([lowest, -1, 0, 1, highest], np.int32),
    "pixels": np.arange(256)[::-1].astype(np.uint8).reshape(16, 16),
    "scalar": np.float32(0.1),
    "edges": np.array([-0.0, np.inf, -np.inf, np.nan, 2.0**-149, np.finfo(np.float32).max], np.float32),
    "empty": np.zeros((0, 4), np.float32),
}, __file__, numpy=np.__version__)
