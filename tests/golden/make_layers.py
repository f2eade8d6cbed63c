"""Layers in PyTorch: outputs and gradients, channels last.   python3 tests/golden/make_layers.py"""
import torch
import torch.nn as nn
import torch.nn.functional as F

import golden_file

torch.manual_seed(0)
out = {}


def last(x):
    """N x C x H x W -> N x H x W x C; other shapes as they are."""
    return x.permute(0, 2, 3, 1).contiguous() if x.dim() == 4 else x


def record(name, module, x, forward=None):
    """Input, output, gradients for an output gradient of normal numbers, parameters; all in double inside."""
    module.double()
    x = x.double().requires_grad_()
    y = (forward or module)(x)
    dy = torch.randn_like(y)
    y.backward(dy)
    for key, value in {"x": x, "y": y, "dy": dy, "dx": x.grad}.items():
        out[f"{name}.{key}"] = last(value.detach()).float()
    for key, value in module.named_parameters():
        out[f"{name}.param.{key}"] = value.detach().float()
        out[f"{name}.grad.{key}"] = value.grad.float()
    for key, value in module.named_buffers():
        if "running" in key:
            out[f"{name}.param.{key}"] = value.float()


def unit(cin, cout, k, stride, pad):
    return nn.Sequential(nn.Conv2d(cin, cout, k, stride, pad, bias=False), nn.BatchNorm2d(cout))


class Residual(nn.Module):
    def __init__(self, cin, cout, stride, projection):
        super().__init__()
        self.conv1, self.bn1 = unit(cin, cout, 3, stride, 1)
        self.conv2, self.bn2 = unit(cout, cout, 3, 1, 1)
        self.stride, self.pad = stride, (cout - cin) // 2
        self.downsample = unit(cin, cout, 1, stride, 0) if projection else None

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.downsample is not None:
            return F.relu(y + self.downsample(x))
        return F.relu(y + F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.pad, self.pad)))


record("linear", nn.Linear(13, 7), torch.randn(5, 13))
record("conv2d", nn.Conv2d(3, 8, 5, 2, 2), torch.randn(2, 3, 11, 9))
record("batchnorm", nn.BatchNorm2d(6), torch.randn(3, 6, 5, 4) * 2 + 1)
record("relu", nn.ReLU(), torch.randn(3, 6, 5, 4))
record("max_pool", nn.MaxPool2d(3, 2, 1), torch.randn(2, 4, 9, 8))
record("avg_pool", nn.Identity(), torch.randn(2, 4, 9, 8), lambda x: x.mean((2, 3)))
record("l2norm", nn.Identity(), torch.randn(6, 10), lambda x: F.normalize(x, dim=1))
record("identity", Residual(8, 8, 1, False), torch.randn(2, 8, 7, 6))
record("option_a", Residual(6, 12, 2, False), torch.randn(2, 6, 7, 6))
record("projection", Residual(6, 10, 2, True), torch.randn(2, 6, 7, 6))
record("head", nn.Sequential(nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 9)), torch.randn(6, 16))
record("head_bn", nn.Sequential(nn.Linear(16, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 9)), torch.randn(6, 16),
       None)


class CosineLinear(nn.Module):
    """LDAM's NormedLinear, its weight transposed, with a scale."""

    def __init__(self, inputs, outputs, scale):
        super().__init__()
        self.weight, self.scale = nn.Parameter(torch.randn(outputs, inputs)), scale

    def forward(self, x):
        return self.scale * F.normalize(x, dim=1) @ F.normalize(self.weight, dim=1).T


record("cosine_linear", CosineLinear(13, 7, 3.5), torch.randn(5, 13))
golden_file.save("layers", out, __file__, torch=torch.__version__)
