#!/usr/bin/env python3
"""control.py DATA LOG [--epochs N] [--depth N] [--seed S] [--threads N]: the recipe cifar10-lt-100/ce in plain PyTorch.

Trains the same setting with another program on the same files, to tell whether a figure of train_hybrid's comes from the
library or from the data. Written after Cao et al.'s code, it shares nothing with the library, and differs from the recipe in two
things: the warm-up rises once an epoch, and the classifier's bias begins as PyTorch's, not at 0. ResNet-32, or of another
depth (bench/torch_resnet.py), with option-A shortcuts and He normal weights, batches of 128, SGD with momentum 0.9 and decay
2e-4, rate 0.1, a hundredth at 80 % and 90 % of the epochs, warm-up over a fortieth of them, crop with 4 pixels of zeros, flip.
DATA: cifar-10-batches-bin. LOG: JSON Lines of its own, start, epoch, result, which table.py and plot.py do not read.
"""
import argparse
import json
import pathlib
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
from torch_resnet import classifier  # noqa: E402

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


def read(directory, names):
    records = np.concatenate([np.fromfile(directory / name, np.uint8).reshape(-1, 3073) for name in names])
    return torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).copy()), records[:, 0].astype(np.int64)


def long_tail(labels, ratio=100, classes=10):
    """The images that remain, class after class: Cao et al.'s choice with their seed."""
    np.random.seed(0)
    largest = len(labels) / classes
    kept = []
    for c in range(classes):
        index = np.where(labels == c)[0]
        np.random.shuffle(index)
        kept.append(index[:int(largest * (1 / ratio) ** (c / (classes - 1)))])
    return np.concatenate(kept)


def he_normal(network):
    """The initial weights of Cao et al.'s code."""
    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_normal_(module.weight)
    return network


def normalised(pixels):
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    return ((pixels.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


def augmented(pixels, generator):
    padded = F.pad(pixels, (4, 4, 4, 4))
    at = torch.randint(0, 9, (len(pixels), 2), generator=generator)
    flip = torch.rand(len(pixels), generator=generator) < 0.5
    crops = [padded[i, :, y:y + 32, x:x + 32] for i, (y, x) in enumerate(at.tolist())]
    return torch.stack([c.flip(2) if f else c for c, f in zip(crops, flip.tolist())])


def rate(epoch, epochs):
    warmup = epochs / 40
    if epoch < warmup:
        return 0.1 * min(1.0, (epoch + 1) / warmup)
    return 0.1 * 0.01 ** ((epoch >= 0.8 * epochs) + (epoch >= 0.9 * epochs))


def top1(network, pixels, labels):
    network.eval()
    with torch.no_grad():
        right = sum((network(normalised(p)).argmax(1) == l).sum().item()
                    for p, l in zip(pixels.split(500), labels.split(500)))
    network.train()
    return 100 * right / len(labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("log")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--depth", type=int, default=32, help="of the network: 8, 14, 20, 32, ...")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    o = parser.parse_args()
    if o.threads:
        torch.set_num_threads(o.threads)
    torch.manual_seed(o.seed)
    generator = torch.Generator().manual_seed(o.seed)
    pixels, labels = read(o.data, [f"data_batch_{i}.bin" for i in range(1, 6)])
    kept = long_tail(labels)
    pixels, labels = pixels[kept], torch.from_numpy(labels[kept])
    test, test_labels = read(o.data, ["test_batch.bin"])
    test_labels = torch.from_numpy(test_labels)
    network = he_normal(classifier(o.depth)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9, weight_decay=2e-4)
    started = time.time()
    with open(o.log, "w") as log:
        def tell(**event):
            print(json.dumps(event), file=log, flush=True)
            print(event, flush=True)
        tell(event="start", program="control.py", torch=torch.__version__, depth=o.depth, epochs=o.epochs,
             seed=o.seed, train_images=len(labels), class_counts=torch.bincount(labels).tolist())
        for epoch in range(o.epochs):
            for group in optimizer.param_groups:
                group["lr"] = rate(epoch, o.epochs)
            losses = []
            for index in torch.randperm(len(labels), generator=generator).split(128):
                loss = F.cross_entropy(network(normalised(augmented(pixels[index], generator))), labels[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            tested = (epoch + 1) % 10 == 0 or epoch + 1 == o.epochs
            tell(event="epoch", epoch=epoch + 1, lr=rate(epoch, o.epochs), loss=sum(losses) / len(losses),
                 top1=top1(network, test, test_labels) if tested else None, seconds=time.time() - started)
        tell(event="result", top1=top1(network, test, test_labels), seconds=time.time() - started)


if __name__ == "__main__":
    main()
