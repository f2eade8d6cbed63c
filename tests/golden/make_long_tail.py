"""Long-tailed subsets as LDAM's imbalance_cifar.py selects them with NumPy (Cao et al. 2019).

Labels are those of test_long_tail.c: image i of 50,000 has label (i * 12347 mod 50000) mod classes, balanced and not in
order. Needs numpy alone: python3 tests/golden/make_long_tail.py
"""
import numpy as np

from golden_file import save

IMAGES = 50000


def labels(classes):
    return np.arange(IMAGES, dtype=np.int64) * 12347 % IMAGES % classes


def counts(classes, kind, imb_factor):
    img_max = IMAGES / classes
    if kind == "exp":
        return [int(img_max * (imb_factor ** (c / (classes - 1.0)))) for c in range(classes)]
    half = classes // 2
    return [int(img_max)] * half + [int(img_max * imb_factor)] * (classes - half)


def select(classes, kind, imb_factor, seed):
    np.random.seed(seed)
    target = labels(classes)
    chosen = []
    for c, n in zip(np.unique(target), counts(classes, kind, imb_factor)):
        idx = np.where(target == c)[0]
        np.random.shuffle(idx)
        chosen.append(idx[:n])
    return np.concatenate(chosen)


def checksum(index):
    h = 2166136261
    for i in index.tolist():
        h = ((h ^ i) * 16777619) & 0xFFFFFFFF
    return np.array([h], dtype=np.uint32).view(np.int32)


tensors = {}
for classes in (10, 100):
    for kind in ("exp", "step"):
        for ratio, factor in ((10, 0.1), (20, 0.05), (50, 0.02), (100, 0.01), (200, 0.005)):
            name = f"c{classes}.{kind}{ratio}"
            index = select(classes, kind, factor, 0)
            tensors[name + ".counts"] = np.array(counts(classes, kind, factor), dtype=np.int32)
            tensors[name + ".checksum"] = checksum(index)
            if kind == "exp" and ratio == 100:
                tensors[name + ".index"] = index.astype(np.int32)
    tensors[f"c{classes}.seed.checksum"] = checksum(select(classes, "exp", 0.01, 2**32 - 1))

for seed in (0, 1, 42, 2**32 - 1):
    raw = np.random.RandomState(seed)._bit_generator.random_raw(2000)
    tensors[f"raw.{seed}"] = raw.astype(np.uint32).view(np.int32)
for n in (1, 2, 3, 10, 1000):
    x = np.arange(n)
    state = np.random.RandomState(12345)
    state.shuffle(x)
    state.shuffle(x)
    tensors[f"shuffle.{n}"] = x.astype(np.int32)

save("long_tail", tensors, __file__, numpy=np.__version__)
