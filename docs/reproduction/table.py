#!/usr/bin/env python3
"""Prints a table of logs that train_hybrid wrote: one line a run, its mean and standard deviation where it had several seeds.

usage: table.py LOG.jsonl...
"""
import json
import math
import os
import statistics
import sys

SCORES = [("top1", "top-1"), ("many", "many"), ("medium", "medium"), ("few", "few"), ("macro_f1", "macro-F1"),
          ("g_mean", "G-mean"), ("worst_recall", "worst recall"), ("ece", "ECE")]


def cell(values):
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    mean = f"{statistics.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} +- {statistics.stdev(values):.2f}"


print("| run | parameters | " + " | ".join(title for _, title in SCORES) + " | seeds | minutes a run | images/s |")
print("|-----|" + "---:|" * (len(SCORES) + 4))
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as lines:
        events = [json.loads(line) for line in lines]
    results = [event for event in events if event["event"] == "result"]
    rates = [event["images_per_second"] for event in events if event["event"] == "epoch" and event["images_per_second"]]
    name = os.path.splitext(os.path.basename(path))[0]
    if not results:
        print(f"| {name} | not ended |" + " |" * (len(SCORES) + 3))
        continue
    minutes = statistics.mean(result["seconds"] for result in results) / 60
    print(f"| {name} | {results[0]['parameters']} | " + " | ".join(cell([result[key] for result in results]) for key, _ in SCORES)
          + f" | {len(results)} | {minutes:.1f} | {statistics.median(rates) if rates else math.nan:.0f} |")
