"""Data of PyTorch's side of compare_pytorch_hybrid: CIFAR-10's and Fashion-MNIST's files, the long tail, the two branches'
orders of images, and the augmentation of train_hybrid twice: torchvision's transforms, image by image, and on whole batches."""
import gzip
import os

import numpy
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

KNOWN = {"cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010), 4), "fashion-mnist": ((0.2860,), (0.3530,), 2)}
GRAY, PREFETCH = 0.2, 2


def read(dataset, directory):
    """Training images, N x H x W x C bytes, and labels."""
    if dataset == "cifar10":
        files = [os.path.join(directory, f"data_batch_{i}.bin") for i in range(1, 6)]
        records = numpy.concatenate([numpy.fromfile(name, numpy.uint8).reshape(-1, 3073) for name in files])
        images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return numpy.ascontiguousarray(images), records[:, 0].astype(numpy.int64)
    contents = []
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        path = os.path.join(directory, name)
        with open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz") as file:
            contents.append(file.read())
    return (numpy.frombuffer(contents[0], numpy.uint8, offset=16).reshape(-1, 28, 28, 1).copy(),
            numpy.frombuffer(contents[1], numpy.uint8, offset=8).astype(numpy.int64))


def long_tail(images, labels, ratio, random):
    """n_c = int(n_max ratio^(-c / (C - 1)))"""
    classes = int(labels.max()) + 1
    most = len(labels) // classes
    kept = [random.permutation(numpy.flatnonzero(labels == c))[:int(most * (1 / ratio) ** (c / (classes - 1)))]
            for c in range(classes)]
    kept = numpy.concatenate(kept)
    return images[kept], labels[kept]


class Order:
    """Batches of indices, epoch after epoch without an end, so that no epoch waits for the workers to start."""

    def __init__(self, labels, batch, balanced, seed):
        self.labels, self.batch, self.balanced, self.seed = labels, batch, balanced, seed

    def epoch(self, random):
        n = len(self.labels)
        if not self.balanced:
            return random.permutation(n)
        members = [numpy.flatnonzero(self.labels == c) for c in range(int(self.labels.max()) + 1)]
        cycles = -(-n // len(members))
        draws = [numpy.concatenate([random.permutation(m) for _ in range(-(-cycles // len(m)))])[:cycles] for m in members]
        return random.permuted(numpy.stack(draws, 1), axis=1).reshape(-1)[:n]

    def __iter__(self):
        random = numpy.random.default_rng(self.seed)
        while True:
            order = self.epoch(random)
            for start in range(0, len(order), self.batch):
                yield order[start:start + self.batch].tolist()


class Images(Dataset):
    """One image: its views by torchvision's transforms, and its label."""

    def __init__(self, dataset, images, labels, views):
        from PIL import Image
        from torchvision import transforms as t
        mean, std, padding = KNOWN[dataset]
        colour = [t.RandomGrayscale(GRAY)] if len(mean) == 3 else []
        self.transform = t.Compose([t.RandomCrop(images.shape[1], padding), t.RandomHorizontalFlip(), *colour,
                                    t.ToTensor(), t.Normalize(mean, std)])
        self.images = [Image.fromarray(image.squeeze()) for image in images]
        self.labels, self.views = labels, views

    def __getitem__(self, index):
        image = self.images[index]
        return [self.transform(image) for _ in range(self.views)], int(self.labels[index])

    def __len__(self):
        return len(self.images)


class Batches(Dataset):
    """One batch: the views of all its images at once, view after view, channels last; and the labels."""

    def __init__(self, dataset, images, labels, views):
        mean, std, self.padding = KNOWN[dataset]
        self.mean, self.std = 255 * torch.tensor(mean), 255 * torch.tensor(std)
        self.side, self.views = images.shape[1], views
        self.images = F.pad(torch.from_numpy(images), (0, 0) + 4 * (self.padding,))
        self.labels = torch.from_numpy(labels)

    def view(self, index):
        n, ramp = len(index), torch.arange(self.side)
        top, left = torch.randint(0, 2 * self.padding + 1, (2, n, 1))
        columns = left + torch.where(torch.rand(n, 1) < 0.5, ramp.flip(0), ramp)
        x = self.images[index[:, None, None], (top + ramp)[:, :, None], columns[:, None, :]]
        if x.shape[3] == 3:
            gray = torch.nonzero(torch.rand(n) < GRAY).squeeze(1)
            x[gray] = (x[gray].float() @ torch.tensor([0.299, 0.587, 0.114])).byte()[..., None]
        return (x.float() - self.mean) / self.std

    def __getitem__(self, indices):
        index = torch.tensor(indices)
        views = torch.cat([self.view(index) for _ in range(self.views)])
        return views.permute(0, 3, 1, 2), self.labels[index]

    def __len__(self):
        return len(self.labels)


def loader(case, images, labels, views, balanced):
    """An iterator of batches. kind: pil (a worker, image by image), batched (a worker, batch by batch) or inline (no worker)."""
    order = Order(labels, case["batch"], balanced, seed=views)
    if case["loader"] == "pil":
        batches = DataLoader(Images(case["dataset"], images, labels, views), batch_sampler=order, num_workers=1,
                             prefetch_factor=PREFETCH)
        return ((torch.cat(x), y) for x, y in batches)
    workers = {"num_workers": 1, "prefetch_factor": PREFETCH} if case["loader"] == "batched" else {}
    return iter(DataLoader(Batches(case["dataset"], images, labels, views), sampler=order, batch_size=None, **workers))
