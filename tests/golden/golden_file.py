"""Writes golden files: safetensors with the SHA-256 of the script that made them. Needs numpy alone.

Each make_*.py beside this file is run with Debian's python3-torch (or python3-numpy):  python3 tests/golden/make_losses.py
"""
import hashlib
import json
import os
import struct

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
DTYPES = {"float32": "F32", "int32": "I32", "uint8": "U8"}


def script_hash(script):
    """SHA-256 over the script's bytes: a test compares it with the one in the golden file."""
    with open(script, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def save(name, tensors, script, **metadata):
    """tensors: {name: torch tensor or numpy array of float32, int32 or uint8}, written to tests/golden/NAME.safetensors."""
    header, blobs, offset = {}, [], 0
    header["__metadata__"] = {"script": os.path.basename(script), "script_sha256": script_hash(script),
                              **{k: str(v) for k, v in metadata.items()}}
    for key, value in tensors.items():
        array = value.detach().numpy() if hasattr(value, "detach") else np.asarray(value)
        array = np.ascontiguousarray(array)
        blob = array.tobytes()
        header[key] = {"dtype": DTYPES[str(array.dtype)], "shape": list(array.shape) or [1],
                       "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = os.path.join(HERE, name + ".safetensors")
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)))
        f.write(text)
        f.writelines(blobs)
    print(f"{path}: {len(tensors)} tensors, {offset} bytes")
