"""PyTorch's side of compare_pytorch_hybrid, in a process of its own: Hybrid-SC (Wang et al. 2021) as train_hybrid trains it.

usage: torch_hybrid.py CASE, a JSON object: dataset, data, imbalance, arch, batch, threads, precision, layout, loader, epochs, lr

Prints a JSON line: images a second of each epoch (views counted, both branches), the last losses, the process's peak memory.
The first epoch has alpha 1 and so no classifier branch, as in train_hybrid.
"""
import json
import sys
import time

import numpy
import torch
import torch.nn as nn
import torch.nn.functional as F

import torch_data
from processes import peak_bytes
from torch_resnet import LAYOUTS, Backbone, autocast, sgd

WIDTH, EMBEDDING, CLASSES, VIEWS, TEMPERATURE = 64, 128, 10, 2, 0.1


def supcon(z, labels):
    """SupContrast's formulation (Khosla et al. 2020) on rows of all views."""
    z = F.normalize(z, dim=1)
    logits = z @ z.T / TEMPERATURE
    logits = logits - logits.max(dim=1, keepdim=True)[0].detach()
    not_self = torch.ones_like(logits).fill_diagonal_(0)
    mask = (labels[:, None] == labels[None, :]).float() * not_self
    log_prob = logits - torch.log((torch.exp(logits) * not_self).sum(1, keepdim=True))
    return -((mask * log_prob).sum(1) / mask.sum(1)).mean()


class Hybrid:
    def __init__(self, case, channels):
        torch.manual_seed(1)
        self.precision, self.form = case["precision"], LAYOUTS[case["layout"]]
        self.backbone = Backbone(case["arch"], channels)
        self.projection = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(inplace=True), nn.Linear(WIDTH, EMBEDDING))
        self.classifier = nn.Linear(WIDTH, CLASSES)
        self.net = nn.ModuleList([self.backbone, self.projection, self.classifier]).to(memory_format=self.form).train()
        self.sgd = sgd(self.net.parameters(), case["lr"])

    def branch(self, batch, head, loss, weight):
        """Forward and backward of one branch. Each goes backward on its own, so that only one branch's activations are held."""
        x, labels = batch
        with autocast(self.precision):
            y = head(self.backbone(x.to(memory_format=self.form)))
        value = loss(y.float(), labels.repeat(len(x) // len(labels)))
        (weight * value).backward()
        return value.item(), len(x)

    def step(self, feature, classifier, alpha):
        """The losses and the number of images."""
        self.sgd.zero_grad(set_to_none=True)
        losses, images = [None, None], 0
        if alpha > 0:
            losses[0], images = self.branch(next(feature), self.projection, supcon, alpha)
        if alpha < 1:
            losses[1], n = self.branch(next(classifier), self.classifier, F.cross_entropy, 1 - alpha)
            images += n
        self.sgd.step()
        return losses, images


def main():
    case = json.loads(sys.argv[1])
    torch.set_num_threads(case["threads"])
    images, labels = torch_data.read(case["dataset"], case["data"])
    images, labels = torch_data.long_tail(images, labels, case["imbalance"], numpy.random.default_rng(0))
    feature = torch_data.loader(case, images, labels, VIEWS, balanced=False)
    classifier = torch_data.loader(case, images, labels, 1, balanced=True)
    hybrid, rates = Hybrid(case, images.shape[3]), []
    for epoch in range(case["epochs"]):
        alpha, done, start = 1 - (epoch / case["epochs"]) ** 2, 0, time.perf_counter()
        for _ in range(-(-len(labels) // case["batch"])):
            losses, n = hybrid.step(feature, classifier, alpha)
            done += n
        rates.append(done / (time.perf_counter() - start))
    print(json.dumps({"images_per_second": rates, "loss_feature": losses[0], "loss_classifier": losses[1],
                      "train_images": len(labels), "peak_bytes": peak_bytes(), "torch": torch.__version__}))


if __name__ == "__main__":
    main()
