"""Images as Pillow and torchvision change them: resizing, colours, operations of RandAugment and AutoAugment, policies.

Needs numpy, Pillow 9 and torchvision (Debian's python3-pil and python3-torchvision): python3 tests/golden/make_augment.py
"""
import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import autoaugment
from torchvision.transforms import functional as F

from golden_file import save

OPS = ["Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast", "Sharpness",
       "Posterize", "Solarize", "AutoContrast", "Equalize", "Invert"]

tensors = {}


def smooth(height, width, channels, seed):
    """Waves, an edge and noise: every level occurs, and hardly a pixel equals its neighbours."""
    rng = np.random.RandomState(seed)
    y, x = np.mgrid[0:height, 0:width]
    image = np.zeros((height, width, channels))
    for c in range(channels):
        image[..., c] = 128 + 100 * np.sin(x * (0.11 + 0.05 * c) + c) * np.cos(y * (0.17 - 0.03 * c)) + 30 * (x > y)
    return np.clip(image + rng.normal(0, 12, image.shape), 0, 255).astype(np.uint8)


def put(name, image):
    array = np.asarray(image)
    tensors[name] = np.ascontiguousarray(array).reshape(-1)


def pil(array):
    return Image.fromarray(array if array.shape[2] != 1 else array[..., 0])


# ---- resizing: name in HEIGHTxWIDTHxCHANNELS, the box (left, upper, right, lower) in quarters of a pixel, the result's size

source = {c: smooth(61, 83, c, c) for c in (1, 3, 4)}
for c, array in source.items():
    put(f"source.{c}", array)
cases = []
for c, box, size in (
    (3, (0, 0, 83, 61), (32, 32)),
    (3, (0, 0, 83, 61), (83, 20)),
    (3, (0, 0, 83, 61), (20, 61)),
    (3, (0, 0, 83, 61), (150, 140)),
    (3, (0, 0, 83, 61), (1, 1)),
    (3, (0, 0, 83, 61), (5, 3)),
    (3, (0, 0, 83, 61), (83, 61)),
    (3, (10, 7, 74, 55), (32, 24)),
    (3, (10, 7, 74, 55), (64, 48)),
    (3, (10, 7, 74, 55), (64, 30)),
    (3, (10.25, 7.5, 74.75, 55.25), (32, 24)),
    (3, (0.5, 0.5, 2.25, 2.25), (16, 16)),
    (3, (80, 58, 83, 61), (7, 9)),
    (1, (3, 5, 80, 60), (30, 30)),
    (4, (3, 5, 80, 60), (30, 30)),
):
    image = pil(source[c])
    if c == 4:  # four channels of one kind, no alpha
        image = Image.merge("CMYK", image.split())
    name = f"resize.{len(cases)}"
    put(name, image.resize(size, Image.BILINEAR, box=box))
    cases.append([c, *(int(4 * b) for b in box), *size])
tensors["resize.cases"] = np.array(cases, dtype=np.int32)

# Resize(256)-like and CenterCrop, as for evaluation: shorter side, height and width of the crop.
for i, (shorter, size) in enumerate(((40, (32, 32)), (61, (61, 61)), (100, (64, 90)))):
    out = F.center_crop(F.resize(pil(source[3]), shorter), size)
    put(f"centre.{i}", out)
tall = Image.fromarray(np.ascontiguousarray(source[3].transpose(1, 0, 2)))
put("centre.tall", F.center_crop(F.resize(tall, 40), (32, 32)))

# ---- colours

small = smooth(21, 26, 3, 7)
small[0, :8] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255], [255, 0, 255], [9, 9, 9], [0, 0, 0]]
put("small", small)
gray = smooth(21, 26, 1, 8)
put("gray", gray)
factors = np.array([0.0, 0.25, 0.6, 0.999, 1.0, 1.1, 1.4, 1.9, 3.0], dtype=np.float32)
tensors["factors"] = factors
for i, f in enumerate(factors.tolist()):
    put(f"brightness.{i}", F.adjust_brightness(pil(small), f))
    put(f"contrast.{i}", F.adjust_contrast(pil(small), f))
    put(f"saturation.{i}", F.adjust_saturation(pil(small), f))
    put(f"sharpness.{i}", F.adjust_sharpness(pil(small), f))
    put(f"gray.brightness.{i}", F.adjust_brightness(pil(gray), f))
    put(f"gray.contrast.{i}", F.adjust_contrast(pil(gray), f))
    put(f"gray.sharpness.{i}", F.adjust_sharpness(pil(gray), f))
turns = np.array([-0.5, -0.21, -0.1, 0.0, 0.003, 0.1, 0.37, 0.5], dtype=np.float32)
tensors["turns"] = turns
cube = np.stack(np.meshgrid(*3 * [np.arange(0, 256, 15)], indexing="ij"), -1).reshape(-1, 18, 3).astype(np.uint8)
put("cube", cube)
for i, t in enumerate(turns.tolist()):
    put(f"hue.{i}", F.adjust_hue(pil(cube), t))
put("grayscale", F.rgb_to_grayscale(pil(small), 3))

# torchvision blurs tensors with weights in 32-bit floats: a level of difference is rounding.
blurs = ((3, 0.1), (3, 0.8), (5, 2.0), (23, 1.3))
tensors["blurs"] = np.array(blurs, dtype=np.float32)
for i, (kernel, sigma) in enumerate(blurs):
    out = F.gaussian_blur(torch.from_numpy(small).permute(2, 0, 1), [kernel, kernel], [sigma, sigma])
    put(f"blur.{i}", out.permute(1, 2, 0))

# ---- operations and policies


def magnitudes(policy, bins, height, width):
    """[op][level], 0 where the policy does not have the operation."""
    space = policy._augmentation_space(bins, (height, width))
    table = np.zeros((len(OPS), bins), dtype=np.float32)
    for i, op in enumerate(OPS):
        if op in space and space[op][0].ndim > 0:
            table[i] = space[op][0].numpy()
    return table


rand, auto = autoaugment.RandAugment(), autoaugment.AutoAugment(autoaugment.AutoAugmentPolicy.CIFAR10)
for height, width in ((32, 32), (21, 26), (224, 200)):
    tensors[f"magnitudes.rand.{height}x{width}"] = magnitudes(rand, 31, height, width)
    tensors[f"magnitudes.auto.{height}x{width}"] = magnitudes(auto, 10, height, width)
signed = rand._augmentation_space(31, (32, 32))
tensors["signed"] = np.array([op in signed and signed[op][1] for op in OPS]).astype(np.int32)
policy = np.array([[[OPS.index(op), p, level or 0] for op, p, level in pair] for pair in auto.policies], dtype=np.float32)
tensors["autoaugment"] = policy

for i, op in enumerate(OPS):
    table = magnitudes(rand, 31, 21, 26)[i]
    for level in (0, 9, 20, 30):
        for sign in (1, -1):
            if level == 0 and sign < 0 or sign < 0 and not tensors["signed"][i]:
                continue
            m = float(table[level]) * sign
            name = f"op.{i}.{level}.{'minus' if sign < 0 else 'plus'}"
            put(name, autoaugment._apply_op(pil(small), op, m, F.InterpolationMode.NEAREST, [128, 128, 128]))
            put("gray." + name, autoaugment._apply_op(pil(gray), op, m, F.InterpolationMode.NEAREST, [128]))

save("augment", tensors, __file__, pillow=PIL.__version__, torchvision=torchvision.__version__)
