#!/usr/bin/env python3
"""annotations.py FILE [IMAGES]: annotations of the form of iNaturalist 2018's train2018.json, of so many images (437,513) in
8,142 categories, and no image: for bench_open. Paths are as long as theirs, and so is what else stands beside them."""
import json
import sys

if len(sys.argv) not in (2, 3):
    sys.exit(__doc__)
IMAGES, CLASSES = int(sys.argv[2]) if len(sys.argv) == 3 else 437513, 8142

KINDS = ["Aves", "Insecta", "Plantae", "Reptilia", "Mammalia", "Fungi"]


def lines(count, line):
    return ",\n".join(json.dumps(line(i)) for i in range(count))


def image(i):
    name = f"{i * 2654435761 % 2 ** 32:08x}{i:024x}"
    return {"id": i + 1, "width": 800, "height": 600, "license": 1 + i % 5, "rights_holder": f"Observer {i % 9973}",
            "file_name": f"train_val2018/{KINDS[i % len(KINDS)]}/{i % CLASSES}/{name}.jpg"}


with open(sys.argv[1], "w", encoding="utf-8") as out:
    out.write('{"info":{"year":2018},\n"images":[' + lines(IMAGES, image))
    out.write('],\n"annotations":[' + lines(IMAGES, lambda i: {"id": i + 1, "image_id": i + 1, "category_id": i % CLASSES}))
    out.write('],\n"categories":[' + lines(CLASSES, lambda c: {"id": c, "name": f"{c}"}) + "]}\n")
