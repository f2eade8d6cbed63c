"""Values of modified Bessel functions from mpmath, to 40 digits, stored as sums of three floats.

    python3 tests/golden/make_bessel.py        (needs python3-mpmath)

value = log(I_nu(x) / x^nu), ratio = I_{nu+1}(x) / (x I_nu(x)), rows: nu, columns: x (both exact in float).
"""
import mpmath
import numpy as np

import golden_file

mpmath.mp.dps = 40
orders = [0, 0.5, 1, 2, 3.5, 7, 15, 20.5, 31, 34.5, 35, 41.5, 42, 51, 63, 66.5, 67, 94, 127, 151, 255, 289, 511.5, 744, 1023,
          1024]
places = [float(np.float32(10.0 ** (e / 2))) for e in range(-16, 13)]


def parts(numbers):
    """Three arrays of float whose exact sum is the number to 72 bits."""
    result = []
    rest = list(numbers)
    for _ in range(3):
        part = [np.float32(float(v)) for v in rest]
        rest = [v - mpmath.mpf(float(p)) for v, p in zip(rest, part)]
        result.append(np.array(part, dtype=np.float32))
    return result


values, ratios = [], []
for nu in orders:
    for x in places:
        here, above = (mpmath.besseli(mpmath.mpf(order), mpmath.mpf(x), maxterms=10**6) for order in (nu, nu + 1))
        values.append(mpmath.log(here) - mpmath.mpf(nu) * mpmath.log(mpmath.mpf(x)))
        ratios.append(above / here / mpmath.mpf(x))

out = {"nu": np.array(orders, dtype=np.float32), "x": np.array(places, dtype=np.float32)}
for name, numbers in (("value", values), ("ratio", ratios)):
    for index, part in enumerate(parts(numbers)):
        out[f"{name}.{index}"] = part
golden_file.save("bessel", out, __file__, mpmath=mpmath.__version__)
