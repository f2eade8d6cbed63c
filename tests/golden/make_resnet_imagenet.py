"""torchvision's ResNet-18 and ResNet-50 on two images of 64x64: logits in evaluation and in training, gradients and running
statistics. Weights, images and the logits' gradient are no part of the file: both sides compute them from a hash of (seed,
name, index), in integers and doubles, so that they agree to the bit.   python3 tests/golden/make_resnet_imagenet.py"""
import numpy as np
import torch
import torch.nn.functional as F
import torchvision

import golden_file

N, SIDE, CLASSES, SAMPLES, SEEDS = 2, 64, 1000, 96, 20


def numbers(seed, name, count):
    """Of [-1, 1): FNV-1a of "SEED:NAME", then splitmix64 of its sum with the index; the upper 24 bits."""
    base = 0xcbf29ce484222325
    for byte in f"{seed}:{name}".encode():
        base = (base ^ byte) * 0x100000001b3 % 2**64
    with np.errstate(over="ignore"):
        h = np.uint64(base) + np.arange(count, dtype=np.uint64) * np.uint64(0x9e3779b97f4a7c15)
        h = (h ^ (h >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
        h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
        h ^= h >> np.uint64(31)
    return (h >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1.0


def values(seed, name, shape, last):
    """A parameter or buffer. Biases of batch norms keep the arguments of ReLUs away from zero: a channel is on or off for nearly
    all pixels, and that of a block's last batch norm is off whatever the shortcut adds."""
    u = numbers(seed, name, int(np.prod(shape)))
    if len(shape) > 1:
        v = u * np.sqrt(6.0 / np.prod(shape[1:], dtype=np.float64))
    elif name.startswith("fc."):
        v = 0.1 * u
    elif name.endswith("weight"):
        v = 1.0 + 0.25 * u
    elif name.endswith("running_mean"):
        v = 0.25 * u
    elif name.endswith("running_var"):
        v = 2.0 + u
    elif "downsample" in name:
        v = 0.25 * u
    else:
        v = np.where(u < 0, (-40.0 if last in name else -4.0) + u, 4.0 + u)
    return torch.from_numpy(v.astype(np.float32).reshape(shape))


def make(depth, seed):
    net = getattr(torchvision.models, f"resnet{depth}")(num_classes=CLASSES)
    last = "bn2.bias" if depth < 50 else "bn3.bias"
    state = {name: value if "num_batches" in name else values(seed, name, tuple(value.shape), last)
             for name, value in net.state_dict().items()}
    net.load_state_dict(state)
    return net.double()


def images(seed):
    x = 2.0 * numbers(seed, "images", N * SIDE * SIDE * 3).reshape(N, SIDE, SIDE, 3)
    return torch.from_numpy(x.astype(np.float32)).double().permute(0, 3, 1, 2)


def margins(depth, seed):
    """How near to zero an argument of a ReLU comes, and how near to each other the two largest values of a pooling window that
    has any above zero: where float32 sees the other side of these, gradients differ by far more than rounding."""
    net, nearest, gap = make(depth, seed).train(), [], []

    def pooled(module, inputs):
        windows = F.unfold(F.pad(inputs[0], (1, 1, 1, 1)), 3, stride=2).reshape(N, inputs[0].shape[1], 9, -1)
        two = windows.topk(2, dim=2).values
        gap.append((two[:, :, 0] - two[:, :, 1])[two[:, :, 0] > 0].min().item())

    def rectified(module, inputs):
        nearest.append(inputs[0].abs().min().item())

    for module in net.modules():
        if isinstance(module, torch.nn.ReLU):
            module.register_forward_pre_hook(rectified)
    net.maxpool.register_forward_pre_hook(pooled)
    with torch.no_grad():
        net(images(seed))
    return min(nearest), min(gap)


def sampled(value):
    flat = value.detach().reshape(-1)
    return flat[::max(1, flat.numel() // SAMPLES)][:SAMPLES].float()


out = {}
for depth in 18, 50:
    found = {seed: margins(depth, seed) for seed in range(1, SEEDS + 1)}
    seed = max(found, key=lambda s: min(found[s]))
    print(f"resnet{depth}, seed {seed}: ReLUs' arguments are at least {found[seed][0]:.1e} from zero, maxima {found[seed][1]:.1e} "
          "apart")
    key = f"resnet{depth}."
    net, x = make(depth, seed), images(seed)
    out[key + "seed"] = np.array([seed], np.int32)
    lines = [" ".join([name] + [str(d) for d in value.shape]) for name, value in net.state_dict().items()]
    out[key + "state_dict"] = np.frombuffer(("\n".join(lines) + "\n").encode() + b"\0", np.uint8)
    with torch.no_grad():
        out[key + "infer"] = net.eval()(x).float()
    logits = net.train()(x)
    gradient = numbers(seed, "gradient", N * CLASSES).reshape(N, CLASSES).astype(np.float32)
    logits.backward(torch.from_numpy(gradient).double())
    out[key + "logits"] = logits.float()
    for name, value in net.named_parameters():
        out[f"{key}grad.{name}"] = sampled(value.grad)
    for name, value in net.state_dict().items():
        if "running" in name:
            out[f"{key}after.{name}"] = sampled(value)
golden_file.save("resnet_imagenet", out, __file__, torch=torch.__version__, torchvision=torchvision.__version__)
