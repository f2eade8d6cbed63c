"""SC under the conventions of other libraries, values and gradients from PyTorch's autograd, in double, stored in float.

    python3 tests/golden/make_supcon.py

One formula with the choices that differ: which rows are anchors, how the mean counts, a factor. What SupContrast's SupConLoss,
pytorch-metric-learning's SupConLoss and lightly's NTXentLoss choose stands with the cases below.
"""
import torch
import torch.nn.functional as F

import golden_file

torch.manual_seed(13)
out = {}


def contrast(x, x_labels, y, y_labels, self_row, tau, mean, factor=1.0):
    """Anchors x against contrast y. mean: "skip" anchors without a positive, count them as "zero", or "pml"."""
    s = x @ y.T / tau
    not_self = torch.ones_like(s)
    for i, k in enumerate(self_row):
        if k >= 0:
            not_self[i, k] = 0
    same = (x_labels[:, None] == y_labels[None, :]).double()
    positive = same * not_self
    lse = torch.logsumexp(s.masked_fill(not_self == 0, -float("inf")), 1)
    pairs = positive.sum(1)
    row = lse - (positive * s).sum(1) / pairs.clamp(min=1)
    if mean == "skip":
        counted = pairs > 0
    elif mean == "zero":
        counted, row = torch.ones_like(pairs).bool(), torch.where(pairs > 0, row, 0 * row)
    else:  # no positive or no negative pair at all: 0
        has_both = pairs.sum() > 0 and ((1 - same) * not_self).sum() > 0
        counted = (pairs > 0) & (row > 0) & torch.tensor(bool(has_both))
    return factor * row[counted].sum() / max(int(counted.sum()), 1)


def put(name, loss, **gradients):
    loss.backward()
    out[name + ".loss"] = loss.detach().float().reshape(1)
    for key, tensor in gradients.items():
        out[f"{name}.{key}"] = tensor.grad.float()


# ---- views: features [images, views, dim], as SupContrast takes them; rows view-major (torch.cat of the views)

images, views, dim = 14, 3, 11
features = torch.randn(images, views, dim)
labels = torch.randint(0, 5, (images,))
labels[3] = 77  # its own views are its only positives
out.update({"features": features, "labels": labels.int()})


def supcontrast(f, labels, mode, tau, base):
    """SupConLoss(temperature=tau, contrast_mode=mode, base_temperature=base)(F.normalize(f, dim=2), labels)."""
    bsz, v = f.shape[:2]
    labels = torch.arange(bsz) if labels is None else labels
    y = torch.cat(F.normalize(f, dim=2).unbind(1))
    n = bsz if mode == "one" else bsz * v
    return contrast(y[:n], labels.repeat(v)[:n], y, labels.repeat(v), range(n), tau, "zero", tau / base)


for v in (1, 2, 3):
    for mode in ("all", "one"):
        for given in (True, False):
            if v == 1 and not given:
                continue  # no anchor has a positive
            x = features[:, :v].double().requires_grad_()
            put(f"supcontrast.{v}.{mode}.{'labels' if given else 'none'}",
                supcontrast(x, labels if given else None, mode, 0.1, 0.07), dfeatures=x)

# lightly's NTXentLoss(temperature=0.5)(out0, out1): cross-entropy of each row's other view among all other rows
x = features[:, :2].double().requires_grad_()
y = torch.cat(F.normalize(x, dim=2).unbind(1))
s = (y @ y.T / 0.5).masked_fill(torch.eye(2 * images).bool(), -float("inf"))
put("lightly", F.cross_entropy(s, torch.arange(2 * images).roll(images)), dfeatures=x)

# ---- pytorch-metric-learning's SupConLoss(temperature=0.1), without and with ref_emb

n, k = 23, 31
z, ref = torch.randn(n, dim), torch.randn(k, dim)
z_labels, ref_labels = torch.randint(0, 4, (n,)), torch.randint(0, 5, (k,))
z_labels[5], z_labels[6] = 50, 51  # alone
z[8] = z[9] = z[10]
z_labels[8] = z_labels[9] = z_labels[10] = 60  # close together: at a low temperature their loss is about log 2
out.update({"z": z, "ref": ref, "z_labels": z_labels.int(), "ref_labels": ref_labels.int()})
for tau in (0.02, 0.1):
    x = z.double().requires_grad_()
    e = F.normalize(x, dim=1)
    put(f"pml.self.{tau:g}", contrast(e, z_labels, e, z_labels, range(n), tau, "pml"), dz=x)
    for mean in ("skip", "zero", "pml"):
        x, r = z.double().requires_grad_(), ref.double().requires_grad_()
        put(f"{'pml' if mean == 'pml' else mean}.ref.{tau:g}",
            contrast(F.normalize(x, dim=1), z_labels, F.normalize(r, dim=1), ref_labels, [-1] * n, tau, mean), dz=x, dref=r)
x, r = z.double().requires_grad_(), torch.cat([ref, z]).double().requires_grad_()
put("gathered", contrast(F.normalize(x, dim=1), z_labels, F.normalize(r, dim=1), torch.cat([ref_labels, z_labels]),
                         range(k, k + n), 0.1, "skip", 0.5), dz=x, dref=r)

if __name__ == "__main__":
    golden_file.save("supcon", out, __file__, torch=torch.__version__)
