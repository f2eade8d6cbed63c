#!/usr/bin/python3
"""Writes tests/fuzz/corpus: for each target small files, right ones and ones broken in every way its reader knows. Needs
Pillow. Files that a fuzzer found are in the corpus too, under names that begin with found-; this script leaves them."""
import gzip
import io
import json
import os
import struct
import zlib

from PIL import Image

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
CUT = b"--8<--"


def put(target, name, data):
    os.makedirs(os.path.join(ROOT, target), exist_ok=True)
    data = data.encode() if isinstance(data, str) else data
    with open(os.path.join(ROOT, target, name), "wb") as file:
        file.write(data)


def pack(data):
    return gzip.compress(data, 9, mtime=0)


# ---- IDX: labels, then images ---------------------------------------------------------------------------------------

def idx(dims, data=None, magic=None):
    size = 1
    for d in dims:
        size *= d
    content = bytes(i % 7 for i in range(size)) if data is None else data
    head = 0x800 + len(dims) if magic is None else magic
    return struct.pack(f">I{len(dims)}I", head, *dims) + content


def make_idx():
    labels, images = idx([5]), idx([5, 4, 3])
    put("idx", "good", labels + CUT + images)
    put("idx", "good-gzip", pack(labels) + CUT + pack(images))
    put("idx", "mixed", labels + CUT + pack(images))
    put("idx", "empty", b"")
    put("idx", "no-images", labels + CUT)
    put("idx", "counts-differ", idx([6]) + CUT + images)
    put("idx", "wrong-magic", idx([5], magic=0x901) + CUT + images)
    put("idx", "wrong-magic-images", labels + CUT + idx([5, 4, 3], magic=0x803 ^ 0x100))
    put("idx", "floats", labels + CUT + idx([5, 4, 3], magic=0xd03))
    put("idx", "zero-dimension", labels + CUT + idx([5, 0, 3], b""))
    put("idx", "huge-dimension", labels + CUT + idx([5, 2**31, 3], b"x" * 60))
    put("idx", "overflow", labels + CUT + idx([2**31 - 1, 2**31 - 1, 2**31 - 1], b"x" * 60))
    put("idx", "overflow-to-5", labels + CUT + idx([5, 2**30, 2**30], b"x" * 5))
    put("idx", "truncated", labels + CUT + images[:-1])
    put("idx", "trailing", labels + CUT + images + b"x")
    put("idx", "short-header", labels[:6] + CUT + images)
    put("idx", "gzip-truncated", pack(labels)[:-9] + CUT + pack(images))
    put("idx", "gzip-lies", pack(labels) + CUT + pack(idx([5, 4000, 1000], b"x")))
    put("idx", "gzip-bomb", pack(idx([200000], b"\0" * 200000)) + CUT + pack(images))
    put("idx", "gzip-trailing", pack(labels + b"x") + CUT + pack(images))


# ---- gzip -----------------------------------------------------------------------------------------------------------

def make_gzip():
    text = b"".join(b"line %d of a file\n" % i for i in range(30))
    put("gzip", "plain", text)
    put("gzip", "empty", b"")
    put("gzip", "one", pack(text))
    put("gzip", "of-nothing", pack(b""))
    put("gzip", "members", pack(text[:50]) + pack(b"") + pack(text[50:]))
    put("gzip", "many-members", pack(b"") * 60 + pack(b"x"))
    put("gzip", "stored", gzip.compress(text, 0, mtime=0))
    put("gzip", "bomb", pack(b"\0" * 1000000))
    put("gzip", "magic-only", b"\x1f\x8b")
    put("gzip", "truncated", pack(text)[:-12])
    put("gzip", "no-trailer", pack(text)[:-8])
    put("gzip", "bad-checksum", pack(text)[:-8] + b"\0\1\2\3" + pack(text)[-4:])
    put("gzip", "bad-length", pack(text)[:-4] + b"\xff\xff\xff\xff")
    put("gzip", "trailing", pack(text) + b"rubbish")
    put("gzip", "trailing-zeros", pack(text) + bytes(20))
    put("gzip", "bad-method", b"\x1f\x8b\x07" + pack(text)[3:])
    put("gzip", "bad-block", pack(text)[:10] + b"\xff" + pack(text)[11:])
    with_name = io.BytesIO()
    with gzip.GzipFile("a name", "wb", 9, with_name, 0) as file:
        file.write(text)
    put("gzip", "with-name", with_name.getvalue())
    head = b"\x1f\x8b\x08\x1e" + bytes(6) + struct.pack("<H", 4) + b"extr" + b"name\0comment\0"
    put("gzip", "all-fields", head + bytes(2) + pack(text)[10:])


# ---- CIFAR: see fuzz_cifar.c ----------------------------------------------------------------------------------------

def make_cifar():
    for kind, name in enumerate(["test10", "train10", "test100", "coarse100"]):
        head = bytes([kind])
        parts = [b"\0\0" + bytes([1, 2, 3, 9]), b"\0\0" + bytes([0, 5]), b"\0\0\4\4", b"\0\0\7\7", b"\0\0\1\1"]
        parts = parts if kind == 1 else parts[:1]
        put("cifar", name, head + CUT.join(parts))
        put("cifar", name + "-label", head + CUT.join([b"\0\0\1\x64\xff\xff"] + parts[1:]))
        put("cifar", name + "-trailing", head + CUT.join(parts[:-1] + [b"\0\1" + parts[-1][2:]]))
        put("cifar", name + "-another-record", head + CUT.join(parts[:-1] + [b"\x0c\x01" + parts[-1][2:]]))
        put("cifar", name + "-empty", head + CUT.join(parts[:-1] + [b""]))
    put("cifar", "gzip", b"\0\0\0\x1f\x8b")
    put("cifar", "nothing", b"")


# ---- images ---------------------------------------------------------------------------------------------------------

def picture(mode, height, width):
    image = Image.new("RGB", (width, height))
    image.putdata([((x * 31) % 256, (y * 47) % 256, (x * y * 5) % 256) for y in range(height) for x in range(width)])
    return image.convert(mode)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def frame(jpeg):
    """Where the frame's header begins."""
    at = 2
    while jpeg[at + 1] not in (0xc0, 0xc1, 0xc2):
        at += 2 + struct.unpack(">H", jpeg[at + 2:at + 4])[0]
    return at


def with_size(jpeg, height, width):
    at = frame(jpeg)
    return jpeg[:at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9:]


def segment(marker, body):
    return bytes([0xff, marker]) + struct.pack(">H", len(body) + 2) + body


def tiny_gray(height, width, scans=1, progressive=True):
    """A JPEG with one code of one bit in each table: blocks cost a bit each."""
    marker = 0xc2 if progressive else 0xc0
    table = bytes([1] + [0] * 15) + b"\0"
    head = b"\xff\xd8" + segment(0xdb, b"\0" + b"\1" * 64)
    head += segment(marker, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")
    head += segment(0xc4, b"\0" + table) + segment(0xc4, b"\x10" + table)
    blocks = ((height + 7) // 8) * ((width + 7) // 8)
    scan = segment(0xda, b"\1\1\0\0\0\0" if progressive else b"\1\1\0\0\x3f\0")
    bits = blocks * (1 if progressive else 2)
    return head + (scan + bytes((bits + 7) // 8)) * scans + b"\xff\xd9"


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, depth, colour, raw, *between, interlace=0):
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(between) + chunk(b"IDAT", zlib.compress(raw, 9)) +
            chunk(b"IEND", b""))


def make_jpegs():
    rgb = picture("RGB", 8, 8)
    plain = saved(rgb, "JPEG", quality=60)
    put("image", "jpeg", plain)
    put("image", "jpeg-17x9", saved(picture("RGB", 17, 9), "JPEG", quality=30, subsampling=2))
    put("image", "jpeg-444", saved(picture("RGB", 9, 17), "JPEG", subsampling=0))
    put("image", "jpeg-422", saved(picture("RGB", 9, 17), "JPEG", subsampling=1))
    put("image", "jpeg-gray", saved(picture("L", 8, 8), "JPEG", optimize=True))
    put("image", "jpeg-cmyk", saved(picture("CMYK", 8, 8), "JPEG"))
    progressive = saved(picture("RGB", 16, 16), "JPEG", progressive=True, quality=50)
    put("image", "jpeg-progressive", progressive)
    put("image", "jpeg-progressive-cmyk", saved(picture("CMYK", 9, 9), "JPEG", progressive=True))
    put("image", "jpeg-progressive-truncated", progressive[:-40])
    exif = Image.Exif()
    exif[0x112] = 6
    put("image", "jpeg-exif", saved(rgb, "JPEG", exif=exif))
    put("image", "jpeg-comment", plain[:2] + segment(0xfe, b"comment") + plain[2:])
    put("image", "jpeg-truncated", plain[:-20])
    put("image", "jpeg-header-only", plain[:frame(plain) + 19])
    put("image", "jpeg-start-only", b"\xff\xd8\xff\xe0")
    put("image", "jpeg-no-end", plain[:-2])
    put("image", "jpeg-rubbish", plain[:20] + b"abc" + plain[20:])
    put("image", "jpeg-65500x65500", with_size(plain, 65500, 65500))
    put("image", "jpeg-65500x4000", with_size(plain, 4000, 65500))
    put("image", "jpeg-progressive-65500x4000", with_size(progressive, 4000, 65500))
    put("image", "jpeg-0x8", with_size(plain, 0, 8))
    put("image", "jpeg-1x1", saved(picture("RGB", 1, 1), "JPEG"))
    put("image", "jpeg-12-bits", plain[:frame(plain) + 4] + b"\x0c" + plain[frame(plain) + 5:])
    put("image", "jpeg-lossless", plain[:frame(plain) + 1] + b"\xc3" + plain[frame(plain) + 2:])
    put("image", "jpeg-arithmetic", plain[:frame(plain) + 1] + b"\xc9" + plain[frame(plain) + 2:])
    put("image", "jpeg-one-bit-a-block", tiny_gray(500, 500))
    put("image", "jpeg-two-bits-a-block", tiny_gray(256, 256, progressive=False))
    put("image", "jpeg-65500-wide", tiny_gray(8, 65500))
    put("image", "jpeg-many-scans", tiny_gray(8, 8, scans=250))
    restarts = plain[:frame(plain)] + segment(0xdd, b"\0\1") + plain[frame(plain):]
    put("image", "jpeg-restarts-missing", restarts)


def make_pngs():
    rgb = picture("RGB", 8, 8)
    put("image", "png", saved(rgb, "PNG"))
    for mode in ["1", "L", "P", "LA", "RGBA", "I;16"]:
        image = picture("L" if mode in ("LA", "I;16") else "RGB" if mode == "P" else "L" if mode == "1" else mode, 9, 7)
        image = image.convert("I").point(lambda v: v * 257).convert("I;16") if mode == "I;16" else image.convert(mode)
        put("image", "png-" + mode.replace(";", "").lower(), saved(image, "PNG"))
    put("image", "png-palette-transparent", saved(picture("P", 8, 8), "PNG", transparency=b"\0\x80\xff"))
    for depth in [1, 2, 4, 8, 16]:
        row = b"\0" + bytes(range(1, 1 + (9 * depth + 7) // 8))
        put("image", f"png-gray-{depth}", png(9, 6, depth, 0, row * 6))
        put("image", f"png-gray-{depth}-transparent", png(9, 6, depth, 0, row * 6, chunk(b"tRNS", b"\0\1")))
    palette = chunk(b"PLTE", bytes(range(12)))
    for depth in [1, 2, 4, 8]:
        row = b"\0" + b"\x1b" * ((9 * depth + 7) // 8)
        put("image", f"png-palette-{depth}", png(9, 6, depth, 3, row * 6, palette, chunk(b"tRNS", b"\x80")))
    put("image", "png-palette-missing", png(9, 6, 8, 3, bytes(60)))
    put("image", "png-rgb-16", png(3, 2, 16, 2, (b"\0" + bytes(range(18))) * 2))
    put("image", "png-rgba-16", png(3, 2, 16, 6, (b"\0" + bytes(range(24))) * 2))
    put("image", "png-interlaced", png(5, 5, 8, 2, b"".join(b"\0" + bytes(3 * w) for w in
                                                            [1, 1, 2, 3, 3, 3, 2, 2, 2, 5, 5]), interlace=1))
    put("image", "png-filters", png(4, 5, 8, 2, b"".join(bytes([f]) + bytes(range(12)) for f in range(5))))
    put("image", "png-bad-filter", png(4, 1, 8, 2, b"\x09" + bytes(12)))
    good = saved(rgb, "PNG")
    put("image", "png-bad-crc", good[:30] + b"\0" + good[31:])
    put("image", "png-truncated", good[:-20])
    put("image", "png-no-data", good[:33] + chunk(b"IEND", b""))
    put("image", "png-short-data", png(8, 8, 8, 2, bytes(60)))
    put("image", "png-long-data", png(2, 2, 8, 2, bytes(600)))
    put("image", "png-65500x4000", png(65500, 4000, 8, 2, bytes(100)))
    put("image", "png-huge", png(2**31 - 1, 2**31 - 1, 8, 2, bytes(100)))
    put("image", "png-1-bit-blank", png(1200, 1000, 1, 0, bytes(1000 * 151)))
    put("image", "png-1-wide", png(1, 60000, 1, 0, bytes(120000)))
    put("image", "png-text-bomb", png(2, 2, 8, 2, bytes(14), chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(3000000)))))
    put("image", "png-profile-bomb", png(2, 2, 8, 2, bytes(14), chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(3000000)))))
    put("image", "png-chunk-length", good[:33] + b"\xff\xff\xff\xffIDAT")
    put("image", "gif", b"GIF89a" + bytes(20))
    put("image", "gzip", pack(good))
    put("image", "empty", b"")
    put("image", "short", b"\xff\xd8")


# ---- lists of files ---------------------------------------------------------------------------------------------------

def make_lists():
    put("image_list", "good", "a/b.jpg 0\na/c.jpg 3\nd.png 1\n")
    put("image_list", "blanks", " a b.jpg \t 0 \r\n\r\n\n c.jpg\t1")
    put("image_list", "mark", b"\xef\xbb\xbfa.jpg 0\n")
    put("image_list", "gzip", pack(b"a.jpg 0\nb.jpg 1\n"))
    put("image_list", "empty", "")
    put("image_list", "blank", "\n \n\t\r\n")
    put("image_list", "no-label", "a.jpg 0\nb.jpg\n")
    put("image_list", "no-path", "a.jpg 0\n 7\n")
    put("image_list", "negative", "a.jpg -1\n")
    put("image_list", "word", "a.jpg one\n")
    put("image_list", "largest", "a.jpg 16777215\n")
    put("image_list", "too-large", "a.jpg 16777216\n")
    put("image_list", "overflow", "a.jpg 99999999999999999999999999\n")
    put("image_list", "twice", "a.jpg 0\nb.jpg 1\na.jpg 1\n")
    put("image_list", "zero-byte", b"a.jpg 0\nb\0.jpg 1\n")
    put("image_list", "escapes", b"a.jpg 0\nb.jpg \x1b[2J\x1b]0;title\x07\n")
    put("image_list", "long-line", pack(b"a.jpg 0\n" + b"x" * 17000 + b" 0\n"))
    put("image_list", "longest-line", pack(b"x" * 16381 + b" 0\nb.jpg 1\n"))
    put("image_list", "many", "".join(f"{i:x} {i % 7}\n" for i in range(1200)))
    put("image_list", "gzip-many", pack("".join(f"{i:x} 0\n" for i in range(20000)).encode())[:7000])

    put("image_folder", "good", "a/1.jpg\na/2.PNG\nb/1.jpeg\nb/c/d/2.png\nnotes.txt\n")
    put("image_folder", "empty", "")
    put("image_folder", "no-class", "a.jpg\n")
    put("image_folder", "class-without-image", "a/1.jpg\nb/notes.txt\n")
    put("image_folder", "class-without-image-allowed", "a/1.jpg\nb/notes.txt\n ")
    put("image_folder", "prefixes", "a/1.jpg\na-b/1.jpg\na.b/1.jpg\nab/1.jpg\nab/1/1.jpg\nab/1.b/1.jpg\n")
    put("image_folder", "deep", "/".join("x" * 40) + "/a.jpg\n")
    put("image_folder", "deepest", "/".join("x" * 32) + "/a.jpg\n")
    put("image_folder", "names", b"\x1b[2J/\xff.jpg\na\tb/.jpg\n.hidden/a.jpg\n")
    put("image_folder", "image-directories", "a/b.jpg/c.jpg\na/d.png/e\n")


def make_inaturalist():
    good = {"info": {"year": 2018, "deep": [[[{"a": [1, 2, {"b": "]}\"\\"}]}]]]},
            "images": [{"id": 3, "file_name": "a/b.jpg"}, {"id": 1, "file_name": "c.jpg", "width": 800}],
            "annotations": [{"image_id": 1, "category_id": 7}, {"image_id": 3, "category_id": -2}],
            "categories": [{"id": 7, "name": "seven"}, {"id": -2, "name": "minus \u00e9"}]}

    def changed(name, **members):
        put("inaturalist", name, json.dumps({**good, **members}))

    put("inaturalist", "good", json.dumps(good))
    put("inaturalist", "good-indented", json.dumps(good, indent=4).replace("\n", "\r\n"))
    put("inaturalist", "good-gzip", pack(json.dumps(good).encode()))
    put("inaturalist", "reversed", json.dumps(dict(reversed(list(good.items())))))
    for key in ["images", "annotations", "categories"]:
        put("inaturalist", f"no-{key}", json.dumps({k: v for k, v in good.items() if k != key}))
        changed(f"empty-{key}", **{key: []})
        changed(f"object-{key}", **{key: {}})
        changed(f"numbers-{key}", **{key: [1, 2]})
        changed(f"without-{key}", **{key: [{}]})
        put("inaturalist", f"two-{key}", json.dumps(good)[:-1] + f', "{key}": []}}')
        changed(f"twice-{key}", **{key: good[key] + good[key][:1]})
    changed("unnamed", categories=[{"id": 7, "name": "seven"}, {"id": -2}])
    changed("name-no-text", categories=[{"id": 7, "name": 7}, {"id": -2, "name": None}])
    changed("path-no-text", images=[{"id": 3, "file_name": ["a"]}])
    changed("path-empty", images=[{"id": 3, "file_name": ""}])
    changed("unknown-category", annotations=[{"image_id": 1, "category_id": 8}, {"image_id": 3, "category_id": 7}])
    changed("unknown-image", annotations=[{"image_id": 2, "category_id": 7}, {"image_id": 3, "category_id": 7}])
    changed("real-id", images=[{"id": 1.0, "file_name": "a"}])
    text = json.dumps(good)
    put("inaturalist", "large-ids", text.replace("7", "9223372036854775807").replace("-2", "-9223372036854775808"))
    put("inaturalist", "id-overflow", text.replace("7", "9223372036854775808"))
    put("inaturalist", "truncated", text[:-9])
    put("inaturalist", "truncated-in-string", text[:text.index("seven") + 2])
    put("inaturalist", "truncated-in-escape", '{"images\\')
    put("inaturalist", "trailing", text + " x")
    put("inaturalist", "array", "[" + text + "]")
    put("inaturalist", "empty", "")
    put("inaturalist", "no-colon", '{"images" [1]}')
    put("inaturalist", "no-comma", '{"images": [{} {}]}')
    put("inaturalist", "no-value", '{"images": [,]}')
    put("inaturalist", "escapes", '{"images": [{"id": "\x1b[2J"}]}')
    put("inaturalist", "not-utf-8", b'{"images": [{"id": 1, "file_name": "\xff\xfe"}]}')
    put("inaturalist", "zero-in-path", '{"images": [{"id": 1, "file_name": "a\\u0000b"}]}')
    put("inaturalist", "deep", '{"images": ' + "[" * 3000)
    put("inaturalist", "deep-element", '{"images": [' + "[" * 250 + "]" * 250 + "]}")
    put("inaturalist", "deep-object", '{"info": ' + '{"a":' * 300 + "1" + "}" * 300 + "}")
    put("inaturalist", "many-objects", '{"images": [{"id": 1, "file_name": "a", "x": [' + ",".join(["{}"] * 2000) + "]}]}")
    put("inaturalist", "long-element", pack(b'{"images": ["' + b"x" * 1100000 + b'"]}'))


# ---- safetensors ------------------------------------------------------------------------------------------------------

def tensors(header, data=b"", length=None):
    text = header.encode() if isinstance(header, str) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def make_safetensors():
    two = {"a": entry("F32", [2, 3], 0, 24), "b.c": entry("U8", [5], 24, 29)}

    def one(name, dtype, shape, begin, end, data):
        put("safetensors", name, tensors({"a": entry(dtype, shape, begin, end)}, data))

    put("safetensors", "good", tensors({"__metadata__": {"format": "pt", "": "x"}, **two}, bytes(range(29))))
    put("safetensors", "reordered", tensors({"b.c": two["b.c"], "a": two["a"]}, bytes(29)))
    put("safetensors", "padded", tensors(json.dumps(two) + "   ", bytes(29)))
    put("safetensors", "dtypes", tensors({"a": entry("BF16", [2], 0, 4), "b": entry("I32", [1, 1], 4, 8)}, bytes(8)))
    put("safetensors", "counter", tensors({"a.num_batches_tracked": entry("I64", [], 0, 8),
                                           "b": entry("F32", [], 8, 12)}, bytes(12)))
    put("safetensors", "none", tensors("{}"))
    put("safetensors", "control-name", tensors({"a\nb\x1b[2J": entry("F64", [1], 0, 8)}, bytes(8)))
    one("no-elements", "F32", [0, 3], 0, 0, b"")
    one("unknown-dtype", "F64", [1], 0, 8, bytes(8))
    one("many-dimensions", "U8", [1] * 9, 0, 1, b"x")
    one("shape-overflow", "F32", [2**62, 2**62, 4], 0, 16, bytes(16))
    one("shape-wraps-to-0", "F32", [2**32, 2**32], 0, 0, b"")
    one("shape-negative", "F32", [-1, -4], 0, 16, bytes(16))
    one("shape-real", "F32", [1.5], 0, 4, bytes(4))
    one("offset-negative", "F32", [1], -4, 0, bytes(4))
    one("offset-2-63", "F32", [1], 0, 2**63, bytes(4))
    one("offset-max", "F32", [1], 2**63 - 5, 2**63 - 1, bytes(4))
    one("offsets-swapped", "F32", [1], 4, 0, bytes(4))
    one("offset-beyond", "F32", [2], 0, 8, bytes(4))
    one("hole", "F32", [1], 4, 8, bytes(8))
    one("rest", "F32", [1], 0, 4, bytes(8))
    one("truncated", "F32", [4], 0, 16, bytes(15))
    put("safetensors", "overlap", tensors({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)}, bytes(12)))
    put("safetensors", "same", tensors({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 0, 8)}, bytes(8)))
    put("safetensors", "duplicate", tensors('{"a": %s, "a": %s}' % (json.dumps(two["a"]), json.dumps(two["a"])), bytes(24)))
    for name, header in [("array", "[]"), ("number-entry", '{"a": 1}'), ("no-dtype", '{"a": {"shape": []}}'),
                         ("no-shape", '{"a": {"dtype": "U8", "data_offsets": [0, 0]}}'), ("metadata-number", '{"__metadata__": {"a": 1}}'),
                         ("metadata-array", '{"__metadata__": []}'), ("not-json", "{'a'"), ("not-utf-8", b'{"\xff": 1}'.decode("latin-1")),
                         ("deep", '{"a": ' + "[" * 2500), ("zero-in-name", '{"a\\u0000b": {}}'),
                         ("objects", '{"a": [' + ",".join(["{}"] * 2000) + "]}")]:
        put("safetensors", "header-" + name, tensors(header))
    put("safetensors", "length-beyond", tensors("{}", length=3))
    put("safetensors", "length-max", tensors("{}", length=2**64 - 1))
    put("safetensors", "length-2-63", tensors("{}", length=2**63))
    put("safetensors", "length-0", bytes(8))
    put("safetensors", "short", b"1234567")
    put("safetensors", "empty", b"")
    put("safetensors", "gzip", pack(tensors("{}")))
    many = {f"{i:x}": entry("U8", [1], i, i + 1) for i in range(100)}
    put("safetensors", "many", tensors(json.dumps(many, separators=(",", ":")), bytes(100)))

    features = {"features": entry("F32", [3, 2], 0, 24), "labels": entry("I32", [3], 24, 36)}
    numbers = struct.pack("<6f", *range(6))
    put("features", "good", tensors(features, numbers + struct.pack("<3i", 0, 1, 5)))
    put("features", "not-finite", tensors(features, struct.pack("<6f", *[0.0] * 5, float("nan")) + bytes(12)))
    put("features", "negative-label", tensors(features, numbers + struct.pack("<3i", 0, -1, 5)))
    put("features", "large-label", tensors(features, numbers + struct.pack("<3i", 0, 2**31 - 1, 5)))
    put("features", "no-labels", tensors({"features": features["features"]}, numbers))
    put("features", "counts-differ", tensors({**features, "labels": entry("I32", [2], 24, 32)}, numbers + bytes(8)))
    put("features", "no-rows", tensors({"features": entry("F32", [0, 2], 0, 0), "labels": entry("I32", [0], 0, 0)}))
    put("features", "flat", tensors({**features, "features": entry("F32", [6], 0, 24)}, numbers + bytes(12)))
    put("features", "integers", tensors({**features, "features": entry("I32", [3, 2], 0, 24)}, numbers + bytes(12)))
    put("features", "empty", b"")


# ---- what programs read -----------------------------------------------------------------------------------------------

def make_recipes():
    put("recipe", "good", "# a recipe\ndataset = synthetic\narch = resnet8\nepochs = 10 # few\nmilestones = 5,8\n")
    put("recipe", "crlf", "dataset = synthetic\r\n\r\n  lr=0.1\t\r\n")
    put("recipe", "all-kinds", "dataset = image-list\ndata = a b#c\ntrain-list = x\ntest-list = y\nwarmup = auto\n"
        "milestones =\nseeds = 1,2,3\nimbalance = 1e2\npsc-include-own = yes\neval-only = no\nlr = 0x1p-3\n")
    put("recipe", "text", "data = /tmp/x y\nsave = \xe9\nlog = a = b\n")
    put("recipe", "empty", "")
    put("recipe", "comments", "#\n #x\n\t# y")
    for name, line in [("no-equals", "dataset synthetic"), ("unknown", "colour = red"), ("no-key", "= 3"), ("no-value", "data ="),
                       ("not-of-recipes", "recipe = other"), ("help", "help = yes"), ("heading", "Data = 3"), ("choice", "arch = resnet9"),
                       ("choice-part", "arch = resnet8|resnet14"), ("integer-word", "epochs = ten"), ("integer-real", "epochs = 1.5"),
                       ("integer-small", "epochs = 0"), ("integer-large", "epochs = 100001"), ("integer-huge", "seed = 99999999999999999999"),
                       ("real-word", "lr = fast"), ("real-nan", "lr = nan"), ("real-inf", "lr = inf"), ("real-huge", "lr = 1e999"),
                       ("real-auto", "lr = auto"), ("real-rest", "lr = 0.1x"), ("list-falls", "milestones = 8,5"), ("list-comma", "milestones = 5,"),
                       ("list-long", "milestones = " + ",".join(map(str, range(17)))), ("list-word", "milestones = 5,x"),
                       ("switch", "eval-only = maybe"), ("eval-alone", "eval-only = yes"), ("warmup-long", "warmup = 1000"),
                       ("seeds-real", "seeds = 1.5"), ("tau", "second-stage = tau"), ("zero", "data = a\0b"),
                       ("escapes", "arch = \x1b[2J\x1b]0;title\x07"), ("escapes-key", "\x1b[2J = 1"), ("comment-value", "data = # nothing")]:
        put("recipe", "bad-" + name, f"batch = 8\n{line}\nepochs = 3\n".encode("latin-1"))
    put("recipe", "long-line", "data = " + "x" * 5000 + "\n")


def make_logs():
    start = {"event": "start", "library": "0.1.0", "dataset": "cifar10", "method": "hybrid-sc", "arch": "resnet32", "imbalance": 100,
             "seed": 1, "epochs": 3, "class_counts": [50, 30, 5], "parameters": 464000}
    epochs = [{"event": "epoch", "epoch": i, "alpha": 1 - i / 3, "loss": 2.0 / (i + 1), "loss_feature": 3.0, "loss_classifier": None,
               "top1": 0.3 + i / 10, "many": 0.5, "medium": None, "few": 0.1, "per_class": [0.5, 0.3, 0.1]} for i in range(3)]
    result = {"event": "result", "top1": 0.5, "many": 0.6, "medium": 0.5, "few": 0.2, "macro_f1": 0.4, "ece": 0.1,
              "per_class": [0.6, 0.5, 0.2], "confusion": [[6, 3, 1], [2, 5, 3], [4, 4, 2]], "seconds": 12.5}

    def lines(*events):
        return "".join(json.dumps(e) + "\n" for e in events)

    put("log", "good", lines(start, *epochs, result))
    put("log", "running", lines(start, *epochs[:2]) + '{"event": "epoch", "ep')
    seeds = {"event": "seeds", "seeds": [1, 2], "top1_mean": 0.5, "top1_deviation": 0.01}
    put("log", "seeds", lines(start, epochs[0], result, {**start, "seed": 2}, result, seeds))
    put("log", "no-start", lines(*epochs, result))
    put("log", "other-events", lines(start, {"event": "profile", "x": []}, result))
    put("log", "blank-lines", "\n \r\n" + lines(start, result) + "\n\n")
    put("log", "empty", "")
    put("log", "not-json", "hello\n")
    put("log", "no-event", '{"a": 1}\n')
    put("log", "event-number", '{"event": 1}\n')
    put("log", "array", "[1]\n")
    put("log", "deep", '{"event": ' + "[" * 2500 + "\n")
    put("log", "markup", lines({**start, "method": "<script>alert(1)</script>", "library": "\"'&<b>"}, result))
    put("log", "control", lines({**start, "method": "\x1b[2J\u0085\ufffe\ud800".encode("utf-16", "surrogatepass").decode("utf-16", "replace")}))
    put("log", "control-event", '{"event": "start", "seed": "\x1b[2J"}\n')
    put("log", "huge-numbers", lines({**start, "seed": 1e100, "epochs": 1e308, "class_counts": [1e300, 1e-300, 0]},
                                     {**epochs[0], "epoch": 1e100, "loss": -1e100}, {**epochs[1], "epoch": -1e100, "loss": 1e100},
                                     {**result, "top1": 1e99, "per_class": [1e90, -1e90, 1e-90]}))
    put("log", "tiny-numbers", lines(start, {**epochs[0], "loss": 5e-324, "epoch": 0.1}, {**epochs[1], "loss": 1e-323, "epoch": 0.1}, result))
    put("log", "large-epochs", lines(start, {**epochs[0], "epoch": 2**53}, {**epochs[1], "epoch": 2**53 + 2}, result))
    put("log", "wrong-types", lines({**start, "epochs": "three"}))
    put("log", "list-of-text", lines({**start, "class_counts": ["a"]}))
    put("log", "ragged-confusion", lines(start, {**result, "confusion": [[1, 2], [3]]}))
    put("log", "negative-confusion", lines(start, {**result, "confusion": [[-1]]}))
    put("log", "empty-lists", lines({**start, "class_counts": []}, {**result, "per_class": [], "confusion": []}))
    put("log", "lists-differ", lines({**start, "class_counts": [1, 2]}, result))
    put("log", "large-counts", lines(start, {**result, "confusion": [[2**63 - 1, 2**63 - 1], [0, 0]]}))
    put("log", "duplicate-keys", '{"event": "start", "event": "result", "top1": 0.5, "top1": null}\n')


for make in [make_idx, make_gzip, make_cifar, make_jpegs, make_pngs, make_lists, make_inaturalist, make_safetensors, make_recipes, make_logs]:
    make()
