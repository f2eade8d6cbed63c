"""Small JPEG and PNG files of many kinds, and their pixels as Pillow decodes them: Image.open(...).convert("RGB").

Tensors: NAME.file, the file's bytes, and NAME.pixels, [height, width, 3]. JPEGs are written by Pillow, which with
Debian's packages means libjpeg-turbo; PNGs by the few lines below, since Pillow does not write all kinds. One pixel rule
is not this Pillow's: of 16-bit gray the upper byte is taken, as Pillow itself does of 16-bit colour, while
convert("RGB") cuts it off at 255 (Pillow before 10.3).
Needs Debian's python3-pil and python3-numpy: /usr/bin/python3 tests/golden/make_image.py
"""
import io
import struct
import zlib

import numpy as np
import PIL
from PIL import Image, features

from golden_file import save

tensors = {}


def picture(height, width, channels, seed):
    """Waves with some noise: something for the DCT to do."""
    rng = np.random.RandomState(seed)
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    waves = 128 + 70 * np.sin(0.31 * x + 0.7 * c) + 50 * np.cos(0.23 * y * (1 + 0.3 * c))
    return np.clip(waves + rng.normal(0, 12, waves.shape), 0, 255).astype(np.uint8)


def add(name, blob, pixels=None):
    if pixels is None:
        pixels = np.asarray(Image.open(io.BytesIO(blob)).convert("RGB"))
    tensors[name + ".file"] = np.frombuffer(blob, np.uint8)
    tensors[name + ".pixels"] = pixels


def jpeg(name, image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    add(name, out.getvalue())


rgb = Image.fromarray(picture(37, 53, 3, 1))
jpeg("jpeg_420", rgb, quality=75, subsampling="4:2:0")
jpeg("jpeg_422", rgb, quality=90, subsampling="4:2:2")
jpeg("jpeg_444", rgb, quality=95, subsampling="4:4:4")
jpeg("jpeg_q10", rgb, quality=10)
jpeg("jpeg_progressive", rgb, quality=80, progressive=True)
jpeg("jpeg_optimized", rgb, quality=60, optimize=True)
jpeg("jpeg_gray", Image.fromarray(picture(20, 31, 1, 2)[:, :, 0]), quality=85)
jpeg("jpeg_cmyk", Image.fromarray(picture(19, 26, 4, 3), "CMYK"), quality=85)
jpeg("jpeg_one_pixel", Image.fromarray(picture(1, 1, 3, 4)))
jpeg("jpeg_one_row", Image.fromarray(picture(1, 40, 3, 5)))
jpeg("jpeg_profile", rgb, quality=40, icc_profile=bytes(range(256)) * 4, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")


def ycck(blob):
    """The CMYK file's Adobe marker says that there was a transform: then its channels are Y, Cb, Cr and K."""
    at = blob.index(b"Adobe")
    return blob[:at + 11] + b"\x02" + blob[at + 12:]


add("jpeg_ycck", ycck(tensors["jpeg_cmyk.file"].tobytes()))


def rgb_jpeg(blob):
    """The same with three channels: an Adobe marker without a transform means that they are R, G and B."""
    return blob[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00" + blob[2:]


out = io.BytesIO()
rgb.save(out, "JPEG", quality=80, subsampling="4:4:4")
plain = out.getvalue()
app0 = 2 + 2 + struct.unpack(">H", plain[4:6])[0]
add("jpeg_rgb", rgb_jpeg(plain[:2] + plain[app0:]))

GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def rows(samples, depth):
    """Rows of samples [height, width, channels] packed, each after the byte of filter 0, or 1 in every second row."""
    packed = b""
    for y, row in enumerate(samples):
        flat = row.reshape(-1)
        if depth == 16:
            data = flat.astype(">u2").tobytes()
        elif depth == 8:
            data = flat.astype(np.uint8).tobytes()
        else:
            bits = (flat[:, None] >> np.arange(depth - 1, -1, -1)) & 1
            data = np.packbits(bits.astype(np.uint8).reshape(-1)).tobytes()
        step = max(1, samples.shape[2] * depth // 8)
        if y % 2 and data:
            data = bytes((b - (data[i - step] if i >= step else 0)) & 255 for i, b in enumerate(data))
        packed += bytes([y % 2]) + data
    return packed


def png(colour, depth, samples, interlaced, extra=b""):
    height, width = samples.shape[:2]
    if interlaced:
        parts = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7]
        data = b"".join(rows(p, depth) for p in parts if p.size)
    else:
        data = rows(samples, depth)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"gAMA", struct.pack(">I", 45455)) + extra +
            chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"tEXt", b"Comment\0small") + chunk(b"IEND", b""))


KINDS = [("gray", GRAY, (1, 2, 4, 8, 16)), ("rgb", RGB, (8, 16)), ("palette", PALETTE, (1, 2, 4, 8)),
         ("gray_alpha", GRAY_ALPHA, (8, 16)), ("rgba", RGBA, (8, 16))]
rng = np.random.RandomState(6)
for kind, colour, depths in KINDS:
    for depth in depths:
        for interlaced in (False, True):
            samples = rng.randint(0, 1 << depth, (11, 13, CHANNELS[colour]))
            extra = b""
            if colour == PALETTE:
                extra = chunk(b"PLTE", rng.randint(0, 256, 3 << depth).astype(np.uint8).tobytes())
                if interlaced: # a transparent colour is a colour
                    extra += chunk(b"tRNS", bytes([0, 128]))
            if colour == GRAY and interlaced:
                extra = chunk(b"tRNS", struct.pack(">H", 1))
            if colour == RGB and interlaced:
                extra = chunk(b"tRNS", struct.pack(">HHH", *[int(v) for v in samples[0, 0]]))
            pixels = None
            if colour == GRAY and depth == 16:
                pixels = np.repeat((samples >> 8).astype(np.uint8), 3, axis=2)
            add(f"png_{kind}{depth}{'_interlaced' if interlaced else ''}", png(colour, depth, samples, interlaced, extra),
                pixels)
add("png_one_pixel", png(RGB, 8, rng.randint(0, 256, (1, 1, 3)), True))

save("image", tensors, __file__, pillow=PIL.__version__, libjpeg_turbo=features.version("libjpeg_turbo"))
