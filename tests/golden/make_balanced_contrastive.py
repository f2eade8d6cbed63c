"""Values and gradients of BCL from PyTorch's autograd, in double, stored in float.

    python3 tests/golden/make_balanced_contrastive.py

The formula is the paper's (Zhu et al., CVPR 2022, eq. 6 and 9), written out: keys are the rows and one prototype a class; in
the denominator each class counts as the mean of its exponentials over its keys in the batch, the anchor not among them.
"""
import torch
import torch.nn.functional as F

import golden_file

torch.manual_seed(11)
out = {}


def bcl(z, labels, prototypes, tau):
    """The loss of each anchor; rows with a label < 0 are not there at all."""
    keep = labels >= 0
    x = torch.cat([z[keep], prototypes])
    y = torch.cat([labels[keep], torch.arange(len(prototypes))])
    similarity = x @ x.T / tau
    losses = []
    for i in range(int(keep.sum())):
        denominator = 0
        others = torch.arange(len(x)) != i
        for c in range(len(prototypes)):
            of_class = (y == c) & others
            denominator = denominator + similarity[i, of_class].exp().mean()
        positives = (y == y[i]) & others
        losses.append(-(similarity[i, positives] - denominator.log()).mean())
    return torch.stack(losses)


n, classes, dim = 33, 7, 11
labels = (torch.rand(n) ** 2 * 6).long()  # many of class 0, none of class 6
labels[[4, 19]] = -1
labels[8] = 5
z = torch.randn(n, dim) * torch.exp(torch.randn(n, 1))
prototypes = torch.randn(classes, dim)
out.update({"z": z, "labels": labels.int(), "prototypes": prototypes})
for normalize in (1, 0):
    for tau in (0.05, 0.1, 1.0):
        for reduction in ("mean", "sum"):
            x, p = z.double().requires_grad_(True), prototypes.double().requires_grad_(True)
            if normalize:
                rows = bcl(F.normalize(x, dim=1), labels, F.normalize(p, dim=1), tau)
            else:
                rows = bcl(x / 4, labels, p / 4, tau)
            loss = rows.mean() if reduction == "mean" else rows.sum()
            loss.backward()
            name = f"{normalize}.{tau:g}.{reduction}"
            full = torch.zeros(n, dtype=torch.float64)
            full[labels >= 0] = rows.detach()
            scale = 1 if normalize else 4  # with respect to z / 4, which is the input there
            out.update({name + ".loss": loss.detach().float().reshape(1), name + ".rows": full.float(),
                        name + ".dz": scale * x.grad.float(), name + ".dprototypes": scale * p.grad.float()})

golden_file.save("balanced_contrastive", out, __file__, torch=torch.__version__)
