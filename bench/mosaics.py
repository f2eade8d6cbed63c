#!/usr/bin/env python3
"""Makes JPEG files of 500 x 375 pixels for bench_decode: CIFAR-10's test images, twice as large, side by side.

usage: mosaics.py CIFAR-10-BATCHES-BIN OUT [COUNT]
Writes OUT/0/N.jpg and OUT/1/N.jpg, in turns, of quality 90. Needs NumPy and Pillow.
"""
import os
import sys

import numpy
from PIL import Image

source, out = sys.argv[1:3]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 200
raw = numpy.fromfile(os.path.join(source, "test_batch.bin"), dtype=numpy.uint8).reshape(-1, 3073)[:, 1:]
images = raw.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
for number in range(count):
    mosaic = Image.new("RGB", (512, 384))
    for tile in range(48):
        image = Image.fromarray(images[(48 * number + tile) % len(images)]).resize((64, 64), Image.BICUBIC)
        mosaic.paste(image, (64 * (tile % 8), 64 * (tile // 8)))
    directory = os.path.join(out, str(number % 2))
    os.makedirs(directory, exist_ok=True)
    mosaic.crop((0, 0, 500, 375)).save(os.path.join(directory, f"{number}.jpg"), quality=90)
