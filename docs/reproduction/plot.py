#!/usr/bin/env python3
"""Draws logs of train_hybrid with gnuplot: their losses and, where there are tests, the top-1 accuracy, by epoch; a log that
has single steps (--log-steps) by step, with the mean of 20 steps over them.

usage: plot.py OUT.svg LOG.jsonl...
"""
import json
import os
import subprocess
import sys

COLOURS = ["#c04030", "#2060b0", "#308040", "#806000", "#7040a0"]
SMOOTH = 20
PANELS = [("loss_feature", "loss of the feature branch"), ("loss_classifier", "loss of the classifier branch"),
          ("top1", "top-1 accuracy, %")]


def read(path):
    """Of each run in a log: name, whether by step, and points of each panel."""
    with open(path, encoding="utf-8") as lines:
        events = [json.loads(line) for line in lines]
    starts = [i for i, event in enumerate(events) if event["event"] == "start"] or [0]
    name = os.path.splitext(os.path.basename(path))[0]
    runs = [events[i:j] for i, j in zip(starts, starts[1:] + [len(events)])]
    return [points_of(f"{name}, seed {run[0].get('seed')}" if len(runs) > 1 else name, run) for run in runs]


def points_of(name, events):
    epochs = [event for event in events if event["event"] == "epoch"]
    steps = [event for event in events if event["event"] == "step"]
    one_branch = all(event["loss_feature"] is None for event in epochs + steps)  # whose loss is the only one
    points = {}
    for key, _ in PANELS:
        value = "loss" if one_branch and key == "loss_classifier" else key
        if steps and key != "top1":
            rows = [((e["epoch"] - 1) * e["steps"] + e["step"], e[value]) for e in steps]
        else:
            rows = [] if steps else [(e["epoch"], e[value]) for e in epochs]
        points[key] = [(x, y) for x, y in rows if y is not None]
    return name, bool(steps), points


def means(points):
    return [(points[i][0], sum(y for _, y in points[i - SMOOTH + 1:i + 1]) / SMOOTH) for i in range(SMOOTH - 1, len(points))]


def tic_step(last):
    """A round distance, of which some four lead to the last one: more numbers would touch."""
    power = 10 ** (len(str(int(last))) - 1)
    return min((power * k / 10 for k in (1, 2, 5, 10, 20, 50)), key=lambda step: abs(last / step - 4))


def block(name, points):
    return f"${name} << END\n" + "\n".join(f"{x} {y}" for x, y in points) + "\nEND\n"


out, runs = sys.argv[1], [run for path in sys.argv[2:] for run in read(path)]
data, panels = "", ""
shown = [(key, title) for key, title in PANELS if any(points[key] for _, _, points in runs)]
for key, title in shown:
    plots = []
    for number, (name, by_step, points) in enumerate(runs):
        if not points[key]:
            continue
        colour = COLOURS[number % len(COLOURS)]
        data += block(f"{key}{number}", points[key])
        if by_step:
            data += block(f"mean_{key}{number}", means(points[key]))
            plots.append(f"${key}{number} using 1:2 with dots lc rgb '{colour}' notitle")
            plots.append(f"$mean_{key}{number} using 1:2 with lines lw 2 lc rgb '{colour}' title '{name}'")
        else:
            plots.append(f"${key}{number} using 1:2 with lines lw 1.5 lc rgb '{colour}' title '{name}'")
    by = "step" if any(by_step for _, by_step, _ in runs) else "epoch"
    last = max(x for _, _, points in runs for x, _ in points[key])
    panels += f"set title '{title}'\nset xlabel '{by}'\nset xtics {tic_step(last):g}\nset key {'bottom' if key == 'top1' else 'top'} right\nplot {', '.join(plots)}\n"
script = f"""{data}
set terminal svg size {330 * len(shown)},330 font 'sans,12'
set output '{out}'
set multiplot layout 1,{len(shown)}
set grid
{panels}"""
subprocess.run(["gnuplot"], input=script, text=True, check=True)
