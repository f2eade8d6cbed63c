"""PyTorch's side of the comparisons: the CIFAR residual networks with option-A shortcuts, as bench_step builds them, and
torchvision's for ImageNet."""
import torch
import torch.nn as nn
import torch.nn.functional as F

LAYOUTS = {"channels_last": torch.channels_last, "default": torch.contiguous_format}


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.pad = stride, (outputs - inputs) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride != 1 or self.pad:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(y + x)


class Backbone(nn.Module):
    def __init__(self, depth, channels=3):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        blocks, inputs = [], 16
        for outputs, first in ((16, 1), (32, 2), (64, 2)):
            for i in range((depth - 2) // 6):
                blocks.append(Block(inputs, outputs, first if i == 0 else 1))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x):
        return self.blocks(F.relu(self.bn1(self.conv1(x)))).mean((2, 3))


def classes(arch):
    return 10 if isinstance(arch, int) else 1000


def classifier(arch):
    """A CIFAR network by its depth, one of torchvision's by its name."""
    if isinstance(arch, int):
        return nn.Sequential(Backbone(arch), nn.Linear(64, classes(arch)))
    import torchvision  # Debian: python3-torchvision
    return getattr(torchvision.models, arch)(num_classes=classes(arch))


def autocast(precision, **options):
    """Convolutions and matrix products in bf16, weights and what autocast holds to be delicate in f32."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16", **options)


def sgd(parameters, rate=0.1):
    return torch.optim.SGD(parameters, rate, momentum=0.9, weight_decay=1e-4)
