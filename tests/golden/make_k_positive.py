"""Values and gradients of KCL and TSC from PyTorch's autograd, in double, stored in float.

    python3 tests/golden/make_k_positive.py

The formulas are those of the headers, from Kang et al. (ICLR 2021) and Li et al. (CVPR 2022): the mean over an anchor's
positives of -log softmax over all keys; with targets, these are keys too, and the one of the anchor's class is a positive of
weight w that counts fully in the mean's divisor. All keys of a class are positives here, so that nothing is drawn at random.
"""
import torch
import torch.nn.functional as F

import golden_file

torch.manual_seed(13)
out = {}


def kcl(x, labels, y, key_labels, own, self_key, targets, class_target, tau, w):
    """The loss of each anchor that has a positive; the rest of the rows are None."""
    rows = []
    for i in range(len(x)):
        if labels[i] < 0:
            rows.append(None)
            continue
        there = torch.ones(len(y), dtype=torch.bool)
        if self_key is not None and self_key[i] >= 0:
            there[self_key[i]] = False
        positive = (key_labels == labels[i]) & there
        if own is not None and own[i] >= 0:
            positive[own[i]] = True
        similarity = y @ x[i] / tau
        log_denominator = similarity[there].exp().sum()
        if targets is not None:
            log_denominator = log_denominator + (targets @ x[i] / tau).exp().sum()
        log_denominator = log_denominator.log()
        total, count = (similarity[positive] - log_denominator).sum(), int(positive.sum())
        if targets is not None and class_target[labels[i]] >= 0:
            total = total + w * (targets[class_target[labels[i]]] @ x[i] / tau - log_denominator)
            count += 1
        rows.append(-total / count if count > 0 else None)
    return rows


n, k, t, classes, dim = 21, 30, 5, 6, 9
labels = (torch.rand(n) ** 2 * classes).long()
labels[[3, 15]] = -1
labels[7] = 5
key_labels = (torch.rand(k) ** 2 * 5).long()  # none of class 5
key_labels[[0, 11]] = -1
own = torch.full((n,), -1)
own[:18] = torch.randperm(k)[:18]
self_key = torch.full((n,), -1)
self_key[5:] = (own[5:] + 1) % k
self_key[20] = -1
class_target = torch.tensor([2, 0, 4, 1, -1, 3])
x, y, targets = torch.randn(n, dim) * torch.exp(torch.randn(n, 1)), torch.randn(k, dim), torch.randn(t, dim)
out.update({"anchors": x, "labels": labels.int(), "keys": y, "key_labels": key_labels.int(), "own_key": own.int(),
            "self": self_key.int(), "targets": targets, "class_target": class_target.int()})
for kind, tau, w, pairing in (("kcl", 0.07, 0, 1), ("kcl", 0.5, 0, 1), ("kcl", 0.2, 0, 0), ("tsc", 0.07, 0.2, 1),
                              ("tsc", 0.5, 0.2, 1), ("tsc", 0.2, 1.5, 0)):
    for normalize in (1, 0):
        a, b = x.double().requires_grad_(True), y.double().requires_grad_(True)
        unit = (lambda m: F.normalize(m, dim=1)) if normalize else (lambda m: m / 4)
        rows = kcl(unit(a), labels, unit(b), key_labels, own if pairing else None, self_key if pairing else None,
                   unit(targets.double()) if kind == "tsc" else None, class_target, tau, w)
        loss = torch.stack([r for r in rows if r is not None]).mean()
        loss.backward()
        name = f"{kind}.{tau:g}.{pairing}.{normalize}"
        scale = 1 if normalize else 4  # with respect to a quarter of the arrays, which is the input there
        out.update({name + ".loss": loss.detach().float().reshape(1),
                    name + ".rows": torch.tensor([0.0 if r is None else float(r) for r in rows]),
                    name + ".danchors": scale * a.grad.float(), name + ".dkeys": scale * b.grad.float()})

golden_file.save("k_positive", out, __file__, torch=torch.__version__)
