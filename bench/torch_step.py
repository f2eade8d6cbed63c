"""PyTorch's side of compare_pytorch_step, in a process of its own.

usage: torch_step.py serve|memory CASE, a JSON object: arch, side, batch, threads, precision, mode (train or infer), layout

serve prints PyTorch's version once it is warm, then answers each line, a number of steps, with the seconds of the best of so many. memory runs a
few steps and prints by how many bytes the process grew.
"""
import json
import sys
import time

import torch
import torch.nn.functional as F

from processes import peak_bytes
from torch_resnet import LAYOUTS, autocast, classes, classifier, sgd


class Training:
    """Forward, cross-entropy in f32, backward, SGD."""

    def __init__(self, case, layout):
        torch.manual_seed(0)
        self.precision = case["precision"]
        self.net = classifier(case["arch"]).to(memory_format=LAYOUTS[layout]).train()
        self.sgd = sgd(self.net.parameters())
        self.x = torch.randn(case["batch"], 3, case["side"], case["side"]).to(memory_format=LAYOUTS[layout])
        self.labels = torch.arange(case["batch"]) % classes(case["arch"])

    def step(self):
        self.sgd.zero_grad(set_to_none=True)
        with autocast(self.precision):
            logits = self.net(self.x)
        F.cross_entropy(logits.float(), self.labels).backward()
        self.sgd.step()


class Inference:
    """The forward pass of an evaluation. Layout "frozen": channels last, batch norms folded into the convolutions, which only
    a network that trains no more can have."""

    def __init__(self, case, layout):
        torch.manual_seed(0)
        form = LAYOUTS["channels_last" if layout == "frozen" else layout]
        self.precision = case["precision"]
        self.net = classifier(case["arch"]).to(memory_format=form).eval()
        self.x = torch.randn(case["batch"], 3, case["side"], case["side"]).to(memory_format=form)
        if layout == "frozen":
            with torch.no_grad(), autocast(self.precision, cache_enabled=False):
                self.net = torch.jit.freeze(torch.jit.trace(self.net, self.x, check_trace=False))

    def step(self):
        with torch.no_grad(), autocast(self.precision):
            self.net(self.x)


def best(work, steps):
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        work.step()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def serve(case, kind):
    work = kind(case, case["layout"])
    best(work, 2)
    print(torch.__version__, flush=True)  # only now: whoever reads it measures something else next
    for line in sys.stdin:
        print(best(work, int(line)), flush=True)


def memory(case, kind):
    best(kind(case | {"arch": 8, "side": 32, "batch": 1}, case["layout"]), 1)  # what the first step loads is not counted
    before = peak_bytes()
    best(kind(case, case["layout"]), 3)
    print(json.dumps({"peak_bytes": peak_bytes() - before}))


def main():
    case = json.loads(sys.argv[2])
    torch.set_num_threads(case["threads"])
    {"serve": serve, "memory": memory}[sys.argv[1]](case, {"train": Training, "infer": Inference}[case["mode"]])


if __name__ == "__main__":
    main()
