"""What the comparisons with PyTorch share: how each side's processes are started, and how much memory they took."""
import json
import os
import resource
import shlex
import statistics
import subprocess
import sys

# A step of PyTorch's allocates and frees blocks of many MiB. By default glibc maps and unmaps each of them, and the kernel
# clears every page again; so the rate depends on malloc, and PyTorch is also run with a malloc that keeps its pages, huge
# ones where it can.
TUNED_MALLOC = {"MALLOC_TRIM_THRESHOLD_": "17179869184", "MALLOC_MMAP_THRESHOLD_": "17179869184",
                "MALLOC_TOP_PAD_": "268435456", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
# What steers threads, BLAS, malloc and the choice of kernels is set here alone, not inherited.
STEERING = ("OMP_", "GOMP_", "OPENBLAS_", "BLIS_", "MKL_", "DNNL_", "ONEDNN_", "ATEN_", "MALLOC_", "GLIBC_TUNABLES")


def environment(threads, wait, changes):
    """wait: active, passive or None, what OpenMP does by itself. Threads that spin between parallel regions are the faster way
    on cores of one's own, and a disaster on cores that something else wants too."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(STEERING)}
    waiting = {"OMP_WAIT_POLICY": wait} if wait else {}
    return kept | {"OMP_NUM_THREADS": str(threads)} | waiting | changes


def ours_environment(threads, wait=None):
    """The library does the threading; BLAS is to stay on the thread that calls it."""
    return environment(threads, wait, {"OPENBLAS_NUM_THREADS": "1", "BLIS_NUM_THREADS": "1"})


def torch_environment(threads, malloc="system", kernels="default", wait=None):
    """malloc: system, tuned or the path of a library to preload; kernels: default or what ATEN_CPU_CAPABILITY takes."""
    changes = {"OPENBLAS_NUM_THREADS": str(threads), "PYTHONDONTWRITEBYTECODE": "1"}
    if malloc == "tuned":
        changes |= TUNED_MALLOC
    elif malloc != "system":
        changes["LD_PRELOAD"] = malloc
    if kernels != "default":
        changes["ATEN_CPU_CAPABILITY"] = kernels
    return environment(threads, wait, changes)


def torch_python(explicit=None):
    """A Python that has PyTorch: the one that runs this, else the system's. Ends with 77 where there is none."""
    for python in [explicit] if explicit else [sys.executable, "/usr/bin/python3"]:
        if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0:
            return python
    print("skipped: no PyTorch; on Debian: apt-get install python3-torch")
    sys.exit(77)


def run_json(command, env):
    """The last line that a program prints, as JSON; None, after its words on standard error, where it fails."""
    command = [str(part) for part in command]
    out = subprocess.run(command, capture_output=True, text=True, env=env)
    if out.returncode != 0:
        print(f"{shlex.join(command)}\n  ended with {out.returncode}: {out.stderr.strip()[-2000:]}", file=sys.stderr)
        return None
    return json.loads(out.stdout.splitlines()[-1])


def peak_bytes():
    """The most this process has had in memory. Not getrusage's figure where the kernel tells VmHWM: exec hands that one on
    from the process before."""
    try:
        with open("/proc/self/status", encoding="utf-8") as status:
            return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def has_avx512():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as cpu:
            return "avx512f" in cpu.read().split()
    except OSError:
        return False


def numbers(text):
    return [int(part) for part in text.split(",")]


def names(text):
    return text.split(",")


def by_round(ours, theirs):
    """Ratio of two rates, round by round, and its median; rounds in which theirs failed are left out."""
    ratios = [round(a / b, 2) for a, b in zip(ours, theirs) if b > 0]
    return ratios, round(statistics.median(ratios), 2) if ratios else None


def table_row(*cells):
    return "| " + " | ".join("-" if cell is None else str(cell) for cell in cells) + " |"
