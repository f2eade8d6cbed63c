"""checkpoint_forge.py CHECKPOINT TARGET KEY=VALUE...: a copy with other metadata and the checksum that belongs to it, as
docs/checkpoints.md says. OPTION:KEY=VALUE changes a line of the options."""
import json
import re
import struct
import sys

POLYNOMIAL = 0xC96C5795D7870F42  # CRC-64 of xz
TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
    TABLE.append(byte)


def checksum(pieces):
    crc = 0xFFFFFFFFFFFFFFFF
    for piece in pieces:
        for byte in piece:
            crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return f"{crc ^ 0xFFFFFFFFFFFFFFFF:016x}"


def summed(header, data):
    for key, value in header["__metadata__"].items():
        if key != "hybridnet.checksum":
            yield f"{key}\0{value}\0".encode()
    for name, tensor in header.items():
        if name != "__metadata__":
            yield "\0".join([name, tensor["dtype"], *map(str, tensor["shape"]), ""]).encode()
            yield data[slice(*tensor["data_offsets"])]


with open(sys.argv[1], "rb") as file:
    size, = struct.unpack("<Q", file.read(8))
    header, data = json.loads(file.read(size)), file.read()
metadata = header["__metadata__"]
if checksum(summed(header, data)) != metadata["hybridnet.checksum"]:
    sys.exit("checkpoint_forge: the checksum is not what docs/checkpoints.md says")
for change in sys.argv[3:]:
    key, value = change.split("=", 1)
    if key.startswith("OPTION:"):
        key = key[len("OPTION:"):]
        metadata["options"] = re.sub(f"(?m)^{key} = .*$", f"{key} = {value}", metadata["options"])
    else:
        metadata[key] = value
metadata["hybridnet.checksum"] = checksum(summed(header, data))
text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
with open(sys.argv[2], "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
