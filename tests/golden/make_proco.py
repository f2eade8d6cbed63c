"""Values and gradients of ProCo from PyTorch's autograd, in double, stored in float.

    python3 tests/golden/make_proco.py         (needs python3-mpmath)

The formula is the paper's (Du et al., TPAMI 2024, prop. 1), written out: the logit of a class is the logarithm of the ratio of
the von Mises-Fisher normalisers, log C(kappa) - log C(|kappa m + z / tau|) with C(k) = k^nu / I_nu(k), plus the log prior.
Bessel functions and their derivatives come from mpmath.
"""
import mpmath
import torch
import torch.nn.functional as F

import golden_file

mpmath.mp.dps = 30
torch.manual_seed(13)
out = {}


class LogBessel(torch.autograd.Function):
    """log I_nu(x), elementwise."""

    @staticmethod
    def forward(context, x, nu):
        values, slopes = [], []
        for v in x.detach().flatten().tolist():
            here = mpmath.besseli(nu, v, maxterms=10**6)
            values.append(float(mpmath.log(here)))
            slopes.append(float(mpmath.besseli(nu, v, derivative=1, maxterms=10**6) / here))
        context.save_for_backward(torch.tensor(slopes, dtype=torch.float64).reshape(x.shape))
        return torch.tensor(values, dtype=torch.float64).reshape(x.shape)

    @staticmethod
    def backward(context, gradient):
        return gradient * context.saved_tensors[0], None


def log_normaliser(k, nu):
    return nu * k.log() - LogBessel.apply(k, nu)


n, classes = 14, 6
labels = (torch.rand(n) ** 2 * 6).long()
labels[[3, 8]] = -1
counts = torch.tensor([300.0, 120, 47, 19, 7, 3])
log_prior = (counts / counts.sum()).log()
lengths = torch.tensor([0.95, 0.6, 0.05, 0.8, 0.99999, 0.3])  # the fifth is clipped
out.update({"labels": labels.int(), "log_prior": log_prior})
for dim in (2, 9, 64):
    z = torch.randn(n, dim) * torch.exp(torch.randn(n, 1))
    mean = F.normalize(torch.randn(classes, dim), dim=1) * lengths[:, None]
    out.update({f"{dim}.z": z, f"{dim}.mean": mean})
    r = mean.double()
    length = r.norm(dim=1)
    kappa = (dim * length / (1 - length**2)).clamp(max=1e5)
    for tau in (0.05, 0.1, 1.0):
        for normalize, summed in ((1, 0), (0, 1)):
            x = z.double().requires_grad_(True)
            u = F.normalize(x, dim=1) if normalize else x
            nu = dim / 2 - 1
            tau_here = torch.tensor(tau, dtype=torch.float32).double()
            centre = kappa[:, None] * r / length[:, None]
            k = (centre[None, :, :] + u[:, None, :] / tau_here).norm(dim=2)
            logits = log_normaliser(kappa, nu)[None, :] - log_normaliser(k, nu) + log_prior.double()
            rows = F.cross_entropy(logits, labels.clamp(min=0), reduction="none")
            rows = torch.where(labels >= 0, rows, torch.zeros_like(rows))
            loss = rows.sum() if summed else rows.sum() / (labels >= 0).sum()
            loss.backward()
            name = f"{dim}.{tau:g}.{normalize}"
            out.update({name + ".loss": loss.detach().float().reshape(1), name + ".rows": rows.detach().float(),
                        name + ".dz": x.grad.float()})

golden_file.save("proco", out, __file__, torch=torch.__version__)
