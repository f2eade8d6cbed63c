"""Values and gradients of the losses from PyTorch's autograd, in double, stored in float.

    python3 tests/golden/make_losses.py

Cross-entropy is torch's own; SC follows SupContrast's losses.py (Khosla et al., HobbitLong/SupContrast, with its 2023 mend of
anchors without a positive); PSC and MPSC are the paper's formulas written out.
"""
import numpy as np
import torch
import torch.nn.functional as F

import golden_file

torch.manual_seed(7)
out = {}


def leaf(x):
    return x.double().clone().requires_grad_(True)


def put(name, loss, **gradients):
    loss.backward()
    out[name + ".loss"] = loss.detach().float().reshape(1)
    for key, tensor in gradients.items():
        out[f"{name}.{key}"] = tensor.grad.float()


# ---- cross-entropy: 37 rows, 11 classes, some rows ignored

n, c = 37, 11
logits = (3 * torch.randn(n, c)).float()
labels = torch.randint(0, c, (n,))
labels[[3, 20, 36]] = -100  # torch's ignore_index; any negative label here
weight = torch.rand(c) + 0.2
weight[4] = 0
adjustment = torch.log(torch.rand(c) + 0.01)
out.update({"ce.logits": logits, "ce.labels": labels.int(), "ce.weight": weight, "ce.adjustment": adjustment})
for name, smoothing, w, a in (("plain", 0.0, None, None), ("smooth", 0.1, None, None), ("weight", 0.0, weight, None),
                              ("adjust", 0.0, None, adjustment), ("all", 0.25, weight, adjustment)):
    for reduction in ("mean", "sum"):
        x = leaf(logits)
        y = x if a is None else x + a.double()
        put(f"ce.{name}.{reduction}", F.cross_entropy(y, labels, None if w is None else w.double(), reduction=reduction,
                                                      label_smoothing=smoothing), dlogits=x)

# ---- SC: classes 0 to 5 and two rows alone in theirs, one row ignored


def supcon(z, labels, tau, lonely):
    """SupContrast's SupConLoss on one view of every row, its base_temperature set to the temperature."""
    mask = torch.eq(labels[:, None], labels[None, :]).double()
    logits = z @ z.T / tau
    logits = logits - logits.max(dim=1, keepdim=True)[0].detach()
    logits_mask = 1 - torch.eye(len(z)).double()
    mask = mask * logits_mask
    exp_logits = torch.exp(logits) * logits_mask
    log_prob = logits - torch.log(exp_logits.sum(1, keepdim=True))
    pairs = mask.sum(1)
    mean = (mask * log_prob).sum(1) / torch.where(pairs < 1e-6, torch.ones_like(pairs), pairs)
    return -mean.mean() if lonely == "zero" else -mean[pairs > 0].mean()


n, dim = 45, 19
z = torch.randn(n, dim) * torch.exp(torch.randn(n, 1))
labels = torch.randint(0, 6, (n,))
labels[10], labels[30], labels[17] = 70, 900, -1
kept = labels >= 0
out.update({"sc.z": z, "sc.labels": labels.int()})
for tau in (0.02, 0.1, 1.0, 10.0):
    for lonely in ("skip", "zero"):
        x = leaf(z)
        put(f"sc.{lonely}.{tau:g}", supcon(F.normalize(x, dim=1)[kept], labels[kept], tau, lonely), dz=x)
x = leaf(z / 4)
out["sc.raw.z"] = z / 4
put("sc.raw", supcon(x[kept], labels[kept], 0.5, "skip"), dz=x)

# ---- PSC and MPSC: 29 rows, 7 classes, M prototypes a class, two rows ignored


def psc(z, p, labels, tau, m, include, assign):
    s = z @ p.T / tau
    own = F.one_hot(labels, len(p) // m).bool().repeat_interleave(m, 1)
    denominator = torch.logsumexp(s if include else s.masked_fill(own, -np.inf), 1)
    mine = s[own].reshape(len(z), m)
    if assign == "soft":
        w = torch.softmax(mine, 1)
    elif assign == "hard":
        w = F.one_hot(mine.argmax(1), m).double()
    else:
        w = torch.full_like(mine, 1 / m)
    return (denominator - (w.detach() * mine).sum(1)).mean()


n, c, dim = 29, 7, 13
z = torch.randn(n, dim) * torch.exp(torch.randn(n, 1))
labels = torch.randint(0, c, (n,))
labels[[5, 28]] = -1
kept = labels >= 0
out.update({"psc.z": z, "psc.labels": labels.int()})
for m in (1, 3):
    prototypes = torch.randn(c * m, dim) * torch.exp(torch.randn(c * m, 1))
    out[f"psc.prototypes{m}"] = prototypes
    for assign in ("soft", "hard", "uniform") if m > 1 else ("soft",):
        for include in (0, 1):
            for tau in (0.05, 0.1, 1.0):
                x, p = leaf(z), leaf(prototypes)
                put(f"psc.{m}.{assign}.{include}.{tau:g}",
                    psc(F.normalize(x, dim=1)[kept], F.normalize(p, dim=1), labels[kept], tau, m, include, assign),
                    dz=x, dprototypes=p)

# the caller's own weights, which need not sum to 1, and the factor 1 / M
weights = (torch.rand(n, 3) * (torch.rand(n, 3) > 0.3)).float()
out["psc.given"] = weights
for include in (0, 1):
    x, p = leaf(z), leaf(out["psc.prototypes3"])
    s = F.normalize(x, dim=1)[kept] @ F.normalize(p, dim=1).T / 0.1
    own = F.one_hot(labels[kept], c).bool().repeat_interleave(3, 1)
    lse = torch.logsumexp(s if include else s.masked_fill(own, -np.inf), 1)
    put(f"psc.given.{include}", (weights[kept].double() * (lse[:, None] - s[own].reshape(-1, 3))).sum(1).mean() / 3,
        dz=x, dprototypes=p)

golden_file.save("losses", out, __file__, torch=torch.__version__)
