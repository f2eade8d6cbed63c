"""Ten SGD steps of a small hybrid network (ResNet-8, real images) in PyTorch: what hn_hybrid_step must follow.

    python3 tests/golden/make_training.py [directory of Fashion-MNIST's IDX files]
"""
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import golden_file
import torch_resnet

DATA = sys.argv[1] if len(sys.argv) > 1 else "/usr/share/datasets/fashion-mnist"
STEPS, IMAGES, LR, TAU = 10, 16, 0.01, {"sc": 0.5, "psc": 1.0}


def supcon(z, labels, tau):
    z = F.normalize(z, dim=1)
    s = z @ z.T / tau
    own = torch.eye(len(z), dtype=torch.bool)
    positive = (labels[:, None] == labels[None, :]) & ~own
    log_p = s - torch.logsumexp(s.masked_fill(own, -np.inf), 1, keepdim=True)
    return -((log_p * positive).sum(1) / positive.sum(1)).mean()


def psc(z, prototypes, labels, tau):
    s = F.normalize(z, dim=1) @ F.normalize(prototypes, dim=1).T / tau
    own = F.one_hot(labels, len(prototypes)).bool()
    return (torch.logsumexp(s.masked_fill(own, -np.inf), 1) - s[own]).mean()


torch.manual_seed(0)
# Every second row and column: a quarter of the work, and 14, 7, 4 pixels by the stages.
pixels = torch_resnet.images_of(DATA, "train-images-idx3-ubyte.gz", 2 * IMAGES * 784, 16).reshape(2 * IMAGES, 28, 28, 1)
pixels = pixels[:, ::2, ::2].copy()
labels = torch_resnet.images_of(DATA, "train-labels-idx1-ubyte.gz", 2 * IMAGES, 8).astype(np.int32)
images = torch.from_numpy(pixels.astype(np.float32) / 255 - 0.5).permute(0, 3, 1, 2)
first, second = images[:IMAGES], images[IMAGES:]
views = torch.cat([first, first.flip(3)])
feature_labels = torch.from_numpy(labels[:IMAGES]).long().repeat(2)
classifier_labels = torch.from_numpy(labels[IMAGES:]).long()

out = {"pixels": pixels, "labels": labels}
for method in ("sc", "psc"):
    torch.manual_seed(1)
    parts = nn.ModuleDict({"backbone": torch_resnet.ResNet(1, 1), "fc": nn.Linear(64, 10),
                           "projection": nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32))})
    prototypes = nn.Parameter(F.normalize(torch.randn(10, 32), dim=1))
    for name, value in parts.state_dict().items():
        if "num_batches" not in name:
            out[f"{method}.start.{name.replace('backbone.', '')}"] = value.clone()
    if method == "psc":
        out["psc.start.prototypes"] = prototypes.detach().clone()
    trained = list(parts.parameters()) + ([prototypes] if method == "psc" else [])
    sgd = torch.optim.SGD(trained, LR, momentum=0.9, weight_decay=1e-4)
    losses = []
    for step in range(STEPS):
        alpha = 1 - (step / STEPS) ** 2
        z = parts["projection"](parts["backbone"](views))
        feature = supcon(z, feature_labels, TAU["sc"]) if method == "sc" else psc(z, prototypes, feature_labels, TAU["psc"])
        classifier = F.cross_entropy(parts["fc"](parts["backbone"](second)), classifier_labels)
        loss = alpha * feature + (1 - alpha) * classifier
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append([loss.item(), feature.item(), classifier.item()])
        print(method, step, losses[-1])
    out[f"{method}.losses"] = np.array(losses, np.float32)
golden_file.save("training", out, __file__, torch=torch.__version__)
