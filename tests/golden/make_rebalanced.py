"""Values and gradients of the rebalanced cross-entropies from PyTorch's autograd, in double, stored in float.

    python3 tests/golden/make_rebalanced.py

Each as its paper states it, the arrays from the class counts of CIFAR-10-LT at imbalance 100: focal (Lin et al. 2017), class-
balanced weights (Cui et al. 2019), balanced softmax (Ren et al. 2020), logit adjustment (Menon et al. 2021), LDAM with deferred
weights (Cao et al. 2019), label-aware smoothing (Zhong et al. 2021), and all of it at once.
"""
import numpy as np
import torch
import torch.nn.functional as F

import golden_file

torch.manual_seed(11)
counts = np.array([5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50])
n, c = 41, len(counts)
# Cosines, as LDAM's logits are: the others do not mind.
logits = (2 * torch.rand(n, c) - 1).float()
labels = torch.randint(0, c, (n,))
labels[[2, 40]] = -1
kept = labels >= 0

effective = (1 - 0.9999) / (1 - 0.9999 ** counts)
effective *= c / effective.sum()
margin = counts ** -0.25 * (0.5 / (counts ** -0.25).max())
prior = counts / counts.sum()
t = (counts - counts.min()) / (counts.max() - counts.min())
concave, linear, convex = 0.1 + 0.3 * np.sin(t * np.pi / 2), 0.1 + 0.3 * t, 0.4 + 0.3 * np.sin(1.5 * np.pi + t * np.pi / 2)
arrays = {"effective": effective, "margin": margin, "prior": np.log(prior), "prior_half": 0.5 * np.log(prior),
          "concave": concave, "linear": linear, "convex": convex, "inverse": (1 / counts) * c / (1 / counts).sum()}
arrays = {k: torch.tensor(v).float() for k, v in arrays.items()}


def loss(x, weight=None, adjustment=None, margin=None, scale=1.0, smoothing=None, gamma=0.0, reduction="mean"):
    x, y = x[kept], labels[kept]
    onehot = F.one_hot(y, c).double()
    if margin is not None:
        x = x - onehot * margin
    x = scale * x
    if adjustment is not None:
        x = x + adjustment
    logp = F.log_softmax(x, 1)
    q = onehot
    if smoothing is not None:
        eps = smoothing[y][:, None]
        q = (1 - eps) * onehot + eps / c
    w = torch.ones(c).double() if weight is None else weight
    row = -(w * q * logp).sum(1)
    p = (logp * onehot).sum(1).exp()
    row = (1 - p) ** gamma * row
    return row.sum() / (w[y].sum() if reduction == "mean" else 1)


a = {k: v.double() for k, v in arrays.items()}
cases = {
    "focal": dict(gamma=2.0),
    "focal_one": dict(gamma=1.0),
    "class_balanced": dict(weight=a["effective"]),
    "class_balanced_focal": dict(weight=a["effective"], gamma=2.0),
    "balanced_softmax": dict(adjustment=a["prior"]),
    "logit_adjustment_half": dict(adjustment=a["prior_half"]),
    "ldam": dict(margin=a["margin"], scale=30.0),
    "ldam_drw": dict(margin=a["margin"], scale=30.0, weight=a["effective"]),
    "label_aware": dict(smoothing=a["concave"]),
    "all": dict(weight=a["effective"], adjustment=a["prior"], margin=a["margin"], scale=4.0, smoothing=a["convex"], gamma=0.5),
}
out = {"logits": logits, "labels": labels.int(), "counts": torch.tensor(counts).int()}
out.update({"array." + k: v for k, v in arrays.items()})
for name, case in cases.items():
    for reduction in ("mean", "sum"):
        x = logits.double().requires_grad_()
        value = loss(x, reduction=reduction, **case)
        value.backward()
        out[f"{name}.{reduction}.loss"] = value.detach().float().reshape(1)
        out[f"{name}.{reduction}.dlogits"] = x.grad.float()

# Where PyTorch has the loss itself, it must be the same.
x = logits.double()[kept]
same = F.cross_entropy(30 * (x - F.one_hot(labels[kept], c) * a["margin"]), labels[kept], a["effective"])
assert abs(same.item() - loss(logits.double(), **cases["ldam_drw"]).item()) < 1e-12

golden_file.save("rebalanced", out, __file__, torch=torch.__version__)
