"""Trains a linear embedding by PSC in NumPy, after checking the gradients against central differences.

    HYBRIDNET_LIBRARY=build/release/lib/libhybridnet.so python3 examples/python_ctypes/train.py
"""
import pickle
import sys

import numpy as np

import hybridnet

rng = np.random.default_rng(1)


def check_gradients():
    """Largest difference between a gradient and central differences, relative to the largest gradient."""
    wide = rng.normal(size=(12, 20)).astype(np.float32)
    z, prototypes = wide[:, 3:11], rng.normal(size=(5, 8)).astype(np.float32)  # a slice: rows 20 floats apart
    labels = np.arange(12) % 5
    labels[7] = -1  # ignored
    worst = 0.0
    for name, call, array, gradient in (
            ("psc, z", lambda: hybridnet.psc(z, prototypes, labels)[0], z, hybridnet.psc(z, prototypes, labels)[1]),
            ("psc, prototypes", lambda: hybridnet.psc(z, prototypes, labels)[0], prototypes,
             hybridnet.psc(z, prototypes, labels)[2]),
            ("sc", lambda: hybridnet.sc(z, labels)[0], z, hybridnet.sc(z, labels)[1]),
            ("sc, two views without labels", lambda: hybridnet.sc(z, None, views=2)[0], z, hybridnet.sc(z, None, views=2)[1]),
            ("ce", lambda: hybridnet.ce(z, labels, label_smoothing=0.1)[0], z,
             hybridnet.ce(z, labels, label_smoothing=0.1)[1])):
        numeric = np.empty_like(gradient, dtype=np.float64)
        for i in np.ndindex(array.shape):
            at, step = array[i], np.float32(2e-2)
            above = (array.__setitem__(i, at + step), call())[1]
            below = (array.__setitem__(i, at - step), call())[1]
            far_above = (array.__setitem__(i, at + 2 * step), call())[1]
            far_below = (array.__setitem__(i, at - 2 * step), call())[1]
            array[i] = at
            numeric[i] = (8 * (above - below) - (far_above - far_below)) / (12 * float(step))
        off = np.abs(gradient - numeric).max() / np.abs(numeric).max()
        print(f"gradient of {name}: {off:.1e}")
        worst = max(worst, off)
    return worst


def check_errors():
    """What the library refuses becomes an exception with its sentence."""
    z = np.zeros((2, 3), np.float32)
    masked = np.ma.masked_equal(z, 0.0)
    for call in (lambda: hybridnet.sc(z, [0, 0], temperature=-1.0), lambda: hybridnet.ce(z, [0, 3])):
        try:
            call()
            return False
        except hybridnet.Error as error:
            print("refused:", error)
            again = pickle.loads(pickle.dumps(error))  # as a pool of processes hands it on
            if (str(again), again.status) != (str(error), error.status):
                return False
    arrays = ("margin", "class_weight", "logit_adjustment", "class_smoothing")
    for call in (lambda: hybridnet.sc(z, [0, 0], grad_beta=1.0),
                 lambda: hybridnet.ce(z, [0, 1], class_weight=np.ones(2, np.float32)),
                 *[lambda name=name, value=value: hybridnet.ce(z, [0, 1], **{name: value})
                   for name in arrays for value in (1, [0.5, 0.5, 0.5], np.ones(3))],
                 lambda: hybridnet.psc(z, z, [0, 1], assign=hybridnet.ASSIGN_GIVEN, assignment=1),
                 lambda: hybridnet.ce(z, [0, 1], label_smoothing=np.zeros(1, np.float32)),
                 lambda: hybridnet.sc(z, [0, 0], views=2 ** 32 + 1),
                 lambda: hybridnet.ce(z, [0.9, 0.1]), lambda: hybridnet.ce(z, [True, False]),
                 lambda: hybridnet.ce(masked, [0, 1]), lambda: hybridnet.ce(z, np.ma.masked_equal([0, 1], 0)),
                 lambda: hybridnet.ce(z, [0, 2 ** 32 + 1]), lambda: hybridnet.ce(z, np.array([0, 2 ** 63], np.uint64))):
        try:
            call()
            return False
        except TypeError as error:
            print("refused:", error)
    return True


def check_options():
    """Arrays among the options arrive: a margin on the labels, weights of the prototypes."""
    z = rng.normal(size=(4, 3)).astype(np.float32)
    labels = [0, 1, 2, 0]
    margin = np.array([0.5, 0.25, 0.0], np.float32)
    moved = z.copy()
    moved[np.arange(4), labels] -= margin[labels]
    same = abs(hybridnet.ce(z, labels, margin=margin, logit_scale=2.0)[0] - hybridnet.ce(2 * moved, labels)[0]) < 1e-6
    prototypes = rng.normal(size=(6, 3)).astype(np.float32)
    halves = np.full((4, 2), 0.5, np.float32)
    given = hybridnet.psc(z, prototypes, labels, prototypes_per_class=2, assign=hybridnet.ASSIGN_GIVEN, assignment=halves)
    uniform = hybridnet.psc(z, prototypes, labels, prototypes_per_class=2, assign=hybridnet.ASSIGN_UNIFORM)
    none = hybridnet.ce(z, labels, margin=None)[0] == hybridnet.ce(z, np.array(labels, np.uint8))[0]
    first = hybridnet.sc(z, [0, 1], views=2, anchors=hybridnet.ANCHORS_FIRST)[0]
    everything = hybridnet.sc(z, [0, 1], views=2, anchors=hybridnet.ANCHORS_ALL)[0]
    return same and none and first != everything and abs(given[0] - uniform[0]) < 1e-6


def check_no_rows():
    """A batch of no rows: loss 0, gradients 0."""
    z, prototypes = np.zeros((0, 3), np.float32), np.eye(3, dtype=np.float32)
    loss, dz, dprototypes = hybridnet.psc(z, prototypes, [])
    return (loss == 0 and dz.shape == (0, 3) and not dprototypes.any()
            and hybridnet.sc(prototypes[:0], [])[0] == 0 and hybridnet.ce(z, [])[0] == 0)


def train():
    """A long tail of five classes, 160 samples of the first and 10 of the last; returns the balanced test accuracy."""
    classes, width, dim = 5, 16, 8
    centre = 1.5 * rng.normal(size=(classes, width))
    labels = np.repeat(np.arange(classes), [160 >> k for k in range(classes)])
    x = (centre[labels] + rng.normal(size=(len(labels), width))).astype(np.float32)
    weight = (0.25 * rng.normal(size=(width, dim))).astype(np.float32)
    prototypes = rng.normal(size=(classes, dim)).astype(np.float32)
    for step in range(101):
        loss, dz, dprototypes = hybridnet.psc(x @ weight, prototypes, labels, temperature=0.5)
        weight -= x.T @ dz
        prototypes -= dprototypes
        if step % 20 == 0:
            print(f"step {step:3d}  loss {loss:8.4f}")
    test = np.arange(500) % classes
    z = (centre[test] + rng.normal(size=(500, width))) @ weight
    return 100 * np.mean((z @ (prototypes / np.linalg.norm(prototypes, axis=1, keepdims=True)).T).argmax(1) == test)


off, refused, taken, reached = check_gradients(), check_errors(), check_options() and check_no_rows(), train()
print(f"test accuracy {reached:.1f} %")
sys.exit(0 if off < 1e-3 and refused and taken and reached > 80 else 1)
