"""Weights after steps of torch.optim.SGD with given gradients.   python3 tests/golden/make_optimizer.py"""
import torch

import golden_file

STEPS, N = 5, 37
CASES = {"plain": dict(lr=0.1), "momentum": dict(lr=0.1, momentum=0.9),
         "decay": dict(lr=0.05, momentum=0.9, weight_decay=1e-2),
         "nesterov": dict(lr=0.05, momentum=0.8, weight_decay=5e-3, nesterov=True)}

torch.manual_seed(0)
start, grads = torch.randn(N), torch.randn(STEPS, N)
out = {"start": start.clone(), "grads": grads}
for name, options in CASES.items():
    weight = torch.nn.Parameter(start.clone())
    sgd = torch.optim.SGD([weight], **options)
    for step in range(STEPS):
        weight.grad = grads[step].clone()
        sgd.step()
    out[name] = weight.detach().clone()
golden_file.save("optimizer", out, __file__, torch=torch.__version__)
