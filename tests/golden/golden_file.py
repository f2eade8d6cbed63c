"""Writes golden files: safetensors with the SHA-256 of the scripts that made them. Needs numpy alone.

Each make_*.py beside this file is run with Debian's python3-torch (or python3-numpy):  python3 tests/golden/make_losses.py
"""
import hashlib
import json
import os
import struct

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
DTYPES = {"float32": "F32", "int32": "I32", "uint8": "U8"}


def sources(script):
    """"NAME.py:SHA-256" of the script and of the modules beside it that it imports; a test compares them with the files."""
    with open(script, encoding="utf-8") as f:
        text = f.read()
    names = [os.path.basename(script)]
    names += sorted(n for n in os.listdir(HERE) if n.endswith(".py") and f"import {n[:-3]}" in text and n not in names)
    hashes = [hashlib.sha256(open(os.path.join(HERE, n), "rb").read()).hexdigest() for n in names]
    return " ".join(f"{n}:{h}" for n, h in zip(names, hashes))


def save(name, tensors, script, **metadata):
    """tensors: {name: torch tensor or numpy array of float32, int32 or uint8}, written to tests/golden/NAME.safetensors."""
    header, blobs, offset = {}, [], 0
    header["__metadata__"] = {"sources": sources(script), **{k: str(v) for k, v in metadata.items()}}
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
