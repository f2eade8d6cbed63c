"""Cuts a data set's files, so that an epoch of a comparison is as long as one wants to wait: the first images of each class, in
the same format, for training; a hundred of them stand in for the test set.

usage: image_files.py cifar10|fashion-mnist SOURCE IMAGES TARGET
"""
import gzip
import os
import struct
import sys

CIFAR_RECORD, CIFAR_FILES = 3073, 5
IDX_HEADS = (16, 8)


def open_any(path):
    return open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz")


def write(directory, name, *parts):
    with open(os.path.join(directory, name), "wb") as file:
        for part in parts:
            file.write(part)


def first_of_each(labels, images):
    """Indices of the first images / 10 of each of 10 classes."""
    left = {c: images // 10 for c in range(10)}
    kept = []
    for index, label in enumerate(labels):
        if left[label] > 0:
            left[label] -= 1
            kept.append(index)
    return kept


def cut_cifar10(source, images, target):
    data = b""
    for i in range(1, CIFAR_FILES + 1):
        with open(os.path.join(source, f"data_batch_{i}.bin"), "rb") as file:
            data += file.read()
    kept = first_of_each(data[::CIFAR_RECORD], images)
    records = [data[i * CIFAR_RECORD:(i + 1) * CIFAR_RECORD] for i in kept]
    for i in range(CIFAR_FILES):
        write(target, f"data_batch_{i + 1}.bin", *records[i::CIFAR_FILES])
    write(target, "test_batch.bin", *records[:100])


def cut_fashion_mnist(source, images, target):
    with open_any(os.path.join(source, "train-images-idx3-ubyte")) as file:
        pixels = file.read()[IDX_HEADS[0]:]
    with open_any(os.path.join(source, "train-labels-idx1-ubyte")) as file:
        labels = file.read()[IDX_HEADS[1]:]
    kept = first_of_each(labels, images)
    for name, part in (("train", kept), ("t10k", kept[:100])):
        rows = [pixels[i * 784:(i + 1) * 784] for i in part]
        write(target, name + "-images-idx3-ubyte", struct.pack(">4i", 0x803, len(part), 28, 28), *rows)
        write(target, name + "-labels-idx1-ubyte", struct.pack(">2i", 0x801, len(part)), bytes(labels[i] for i in part))


if __name__ == "__main__":
    cut = {"cifar10": cut_cifar10, "fashion-mnist": cut_fashion_mnist}[sys.argv[1]]
    cut(sys.argv[2], int(sys.argv[3]), sys.argv[4])
