"""libhybridnet's losses on NumPy arrays through ctypes: no build step, this file alone.

    import hybridnet
    loss, dz, dprototypes = hybridnet.psc(z, prototypes, labels, temperature=0.5)

Matrices are float32; rows may be strided (a slice of columns), columns must be adjacent. Options are fields of the C structs
in hybridnet/prototypical.h, supcon.h and cross_entropy.h by their names there, all but grad_beta: gradients are new arrays.
What the library refuses raises hybridnet.Error with its sentence. The library is found in the environment variable
HYBRIDNET_LIBRARY (a path), or where the system's loader looks.
"""
import ctypes as c
import ctypes.util
import os

import numpy as np


class Error(Exception):
    """A failed call: status and the library's sentence."""

    def __init__(self, status, sentence):
        super().__init__(status, sentence)  # both, as pickle calls it again with these
        self.status = status

    def __str__(self):
        return self.args[1]


def _load():
    path = os.environ.get("HYBRIDNET_LIBRARY")
    try:  # find_library needs a compiler to look along LD_LIBRARY_PATH, the loader does not
        library = c.CDLL(path or ctypes.util.find_library("hybridnet") or "libhybridnet.so.0.9")
    except OSError as error:
        raise ImportError(f"libhybridnet was not found ({error}): set HYBRIDNET_LIBRARY to the path of libhybridnet.so") from error
    library.hn_last_error.restype = c.c_char_p
    return library


_library = _load()


# ---- the C structs: fields in their order; a struct may end early, struct_size tells the library where

class _Matrix(c.Structure):  # hn_matf and hn_cmatf
    _fields_ = [("data", c.c_void_p), ("rows", c.c_int64), ("cols", c.c_int64), ("ld", c.c_int64)]


class _Scratch(c.Structure):
    _fields_ = [("data", c.c_void_p), ("size", c.c_size_t)]


_COMMON = [("struct_size", c.c_size_t), ("reduction", c.c_int32), ("check_finite", c.c_int32),
           ("num_threads", c.c_int32), ("grad_scale", c.c_float), ("grad_beta", c.c_float)]


class PscOptions(c.Structure):
    _fields_ = _COMMON + [("temperature", c.c_float), ("normalize", c.c_int32), ("include_own", c.c_int32),
                          ("prototypes_per_class", c.c_int32), ("assign", c.c_int32), ("assignment", c.c_void_p),
                          ("one_over_m", c.c_int32)]


class ScOptions(c.Structure):
    _fields_ = _COMMON + [("temperature", c.c_float), ("normalize", c.c_int32), ("lonely_anchor", c.c_int32),
                          ("base_temperature", c.c_float), ("views", c.c_int32), ("view_order", c.c_int32),
                          ("anchors", c.c_int32)]


class CeOptions(c.Structure):
    _fields_ = _COMMON + [("label_smoothing", c.c_float), ("class_weight", c.c_void_p), ("logit_adjustment", c.c_void_p),
                          ("margin", c.c_void_p), ("logit_scale", c.c_float), ("class_smoothing", c.c_void_p),
                          ("focal_gamma", c.c_float)]


# ---- values of options: the enums of the headers

REDUCE_MEAN, REDUCE_SUM = 0, 1
ASSIGN_SOFT, ASSIGN_HARD, ASSIGN_UNIFORM, ASSIGN_GIVEN = 0, 1, 2, 3
LONELY_SKIP, LONELY_ZERO, LONELY_PML = 0, 1, 2
VIEW_MAJOR, SAMPLE_MAJOR = 0, 1
ANCHORS_ALL, ANCHORS_FIRST = 0, 1


def _check(status):
    if status < 0:
        raise Error(status, _library.hn_last_error().decode())


def _address(array, name, length):
    """Of an array of so many numbers, which whoever calls keeps alive; None stays None."""
    if array is None:
        return None
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be a float32 array, not {array!r}")
    if array.dtype != np.float32 or not array.flags.c_contiguous or array.size != length:
        raise TypeError(f"{name} must be a contiguous float32 array of {length} numbers, not {array.dtype} "
                        f"of shape {array.shape}")
    return array.ctypes.data


def _options(kind, prefix, values, length=0):
    """A struct of the kind with its defaults and these values, of which arrays have so many numbers."""
    options, types = kind(), dict(kind._fields_)
    getattr(_library, prefix + "_options_init")(c.byref(options), c.c_size_t(c.sizeof(options)))
    for name, value in values.items():
        if name not in types or name in ("struct_size", "grad_beta"):  # gradients are new arrays here
            raise TypeError(f"{prefix} has no option {name}")
        if types[name] is c.c_void_p:
            value = _address(value, name, length)
        elif isinstance(value, np.ndarray):
            raise TypeError(f"{name} must be a number, not an array")
        setattr(options, name, value)  # which takes no other kind of number
        if types[name] is c.c_int32 and getattr(options, name) != value:
            raise TypeError(f"{name} is {value}, which is no int32")
    return options


def _whole(array, name):
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, whose mask would be lost")


def _matrix(array, name):
    if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.ndim != 2:
        raise TypeError(f"{name} must be a float32 array of 2 dimensions")
    _whole(array, name)
    rows, cols = array.shape
    if (rows > 0 and cols > 1 and array.strides[1] != 4
            or rows > 1 and (array.strides[0] % 4 or array.strides[0] < 4 * cols)):
        raise TypeError(f"{name}: columns must be adjacent and rows apart; use numpy.ascontiguousarray")
    return _Matrix(array.ctypes.data, rows, cols, array.strides[0] // 4 if rows > 1 else cols)


def _labels(labels, rows, name):
    _whole(labels, name)
    given, int32 = np.asarray(labels), np.iinfo(np.int32)
    if given.size and given.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, not {given.dtype}")
    if given.size and not int32.min <= given.min() <= given.max() <= int32.max:
        raise TypeError(f"{name} are from {given.min()} to {given.max()}; they must be int32")
    labels = np.ascontiguousarray(given, dtype=np.int32)
    if labels.shape != (rows,):
        raise TypeError(f"{name} must be one label a row, {rows}, not of shape {labels.shape}")
    return labels


def _scratch(function, options, *extents):
    """Memory for one call, 64-byte aligned, and its struct; both must live as long as the call."""
    size = c.c_size_t()
    _check(function(c.byref(options), *map(c.c_int64, extents), c.byref(size)))
    memory = np.empty(size.value + 64, np.uint8)
    return memory, _Scratch(memory.ctypes.data + -memory.ctypes.data % 64, size.value)


def psc(z, prototypes, labels, **options):
    """hn_loss_psc: (loss, dz, dprototypes). z n x dim; prototypes (classes * M) x dim; labels n, < 0 ignores a row."""
    x, p = _matrix(z, "z"), _matrix(prototypes, "prototypes")
    o = _options(PscOptions, "hn_loss_psc", options, x.rows * options.get("prototypes_per_class", 1))
    labels = _labels(labels, x.rows, "labels")
    dz, dp, loss = np.empty_like(z, order="C"), np.empty_like(prototypes, order="C"), c.c_double()
    memory, scratch = _scratch(_library.hn_loss_psc_scratch, o, x.rows, p.rows // max(o.prototypes_per_class, 1), x.cols)
    _check(_library.hn_loss_psc(c.byref(o), c.byref(x), c.byref(p), c.c_void_p(labels.ctypes.data), c.byref(loss), None,
                                c.byref(_matrix(dz, "dz")), c.byref(_matrix(dp, "dprototypes")), c.byref(scratch)))
    return loss.value, dz, dp


def sc(z, labels, **options):
    """hn_loss_sc: (loss, dz). z n x dim; labels n / views, or None with views > 1 for NT-Xent."""
    o = _options(ScOptions, "hn_loss_sc", options)
    x = _matrix(z, "z")
    labels = None if labels is None else _labels(labels, x.rows // max(o.views, 1), "labels")
    dz, loss = np.empty_like(z, order="C"), c.c_double()
    memory, scratch = _scratch(_library.hn_loss_sc_scratch, o, x.rows, x.cols)
    _check(_library.hn_loss_sc(c.byref(o), c.byref(x), None if labels is None else c.c_void_p(labels.ctypes.data),
                               c.byref(loss), None, c.byref(_matrix(dz, "dz")), c.byref(scratch)))
    return loss.value, dz


def ce(logits, labels, **options):
    """hn_loss_ce: (loss, dlogits). logits n x classes."""
    x = _matrix(logits, "logits")
    o = _options(CeOptions, "hn_loss_ce", options, x.cols)
    labels = _labels(labels, x.rows, "labels")
    dlogits, loss = np.empty_like(logits, order="C"), c.c_double()
    memory, scratch = _scratch(_library.hn_loss_ce_scratch, o, x.rows, x.cols)
    _check(_library.hn_loss_ce(c.byref(o), c.byref(x), c.c_void_p(labels.ctypes.data), c.byref(loss), None,
                               c.byref(_matrix(dlogits, "dlogits")), c.byref(scratch)))
    return loss.value, dlogits
