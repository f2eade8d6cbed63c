"""Values and gradients of PaCo from PyTorch's autograd, in double, stored in float.

    python3 tests/golden/make_paco.py

The formula is the paper's (Cui et al., ICCV 2021, eq. 4 and 5) with the weights of its code, written out over the centres'
logits followed by the keys: a positive weighs beta (the own centre) or alpha (a key of the class), a term of the
denominator 1 or gamma, and a row is not compared with itself.
"""
import torch
import torch.nn.functional as F

import golden_file

torch.manual_seed(12)
out = {}
n, k, classes, dim = 16, 40, 7, 10
labels = (torch.rand(n) ** 2 * 6).long()  # many of class 0, none of class 6
labels[[4, 9]] = -1
key_labels = torch.cat([labels, (torch.rand(k - n) ** 2 * 7).long()])
key_labels[30] = -5
own = torch.arange(n)
own[11] = -1
counts = torch.tensor([500.0, 230, 107, 50, 23, 11, 5])
log_prior = (counts / counts.sum()).log()
z = torch.randn(n, dim)
keys = torch.cat([z, torch.randn(k - n, dim)]) * torch.exp(0.3 * torch.randn(k, 1))
logits = 2 * torch.randn(n, classes)
out.update({"labels": labels.int(), "key_labels": key_labels.int(), "self": own.int(), "log_prior": log_prior, "z": z,
            "keys": keys, "logits": logits})

there = (key_labels >= 0)[None, :] & (torch.arange(k)[None, :] != own[:, None])
same = there & (key_labels[None, :] == labels[:, None])
for index, options in enumerate([(0.05, 0.01, 1, 1, 1, 1, 0), (0.2, 0.05, 1, 1, 1, 1, 1), (0.1, 1, 0.5, 0.3, 0.5, 1, 0),
                                 (1, 0.2, 1, 1, 2, 1, 0), (2, 0.5, 1, 2, 1, 0, 0), (4, 0.1, 0, 1, 1, 0, 1)]):
    stored = torch.tensor(options, dtype=torch.float32)  # what the library is given: temperature and weights in float
    tau, alpha, beta, gamma, logit_tau = stored[:5].double()
    normalize, summed = options[5:]
    t, x, y = (v.double().requires_grad_(True) for v in (logits, z, keys))
    u, v = (F.normalize(x, dim=1), F.normalize(y, dim=1)) if normalize else (x, y)
    exponents = torch.cat([(t + log_prior.double()) / logit_tau, u @ v.T / tau], dim=1)
    positive = torch.cat([beta * F.one_hot(labels.clamp(min=0), classes).double(), alpha * same.double()], dim=1)
    weight = torch.cat([torch.ones(n, classes, dtype=torch.float64), gamma * there.double()], dim=1)
    log_denominator = torch.logsumexp(exponents + weight.log(), dim=1, keepdim=True)
    total = positive.sum(1)  # 0 for a row without any positive: its loss is 0
    rows = -(positive * (exponents - log_denominator)).sum(1) / total.where(total > 0, torch.ones_like(total))
    rows = torch.where(labels >= 0, rows, torch.zeros_like(rows))
    loss = rows.sum() if summed else rows.sum() / (labels >= 0).sum()
    loss.backward()
    out.update({f"{index}.options": stored, f"{index}.loss": loss.detach().float().reshape(1),
                f"{index}.rows": rows.detach().float(), f"{index}.dlogits": t.grad.float(),
                f"{index}.dz": x.grad.float(), f"{index}.dkeys": y.grad.float()})

golden_file.save("paco", out, __file__, torch=torch.__version__)
