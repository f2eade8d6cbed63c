#!/usr/bin/env python3
"""Prints a table of logs that train_hybrid wrote: a line a run, its mean and standard deviation where it had several seeds.

usage: table.py LOG.jsonl...
       table.py --check PAGE.md   whether the page links every log beside it, and the lines of its tables that begin with such
                                  a link have the log's first four scores, with several seeds all of this program's line
"""
import glob
import json
import os
import re
import statistics
import sys

SCORES = [("top1", "top-1"), ("many", "many"), ("medium", "medium"), ("macro_f1", "macro-F1"), ("g_mean", "G-mean"),
          ("worst_recall", "worst recall"), ("ece", "ECE")]


def cell(values):
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    mean = f"{statistics.mean(values):.2f}"
    return mean if len(values) == 1 or not any(values) else f"{mean} +- {statistics.stdev(values):.2f}"


def line(path):
    """The cells of a log's line, and of how many runs they are."""
    with open(path, encoding="utf-8") as lines:
        events = [json.loads(text) for text in lines]
    results = [event for event in events if event["event"] == "result"]
    name = os.path.splitext(os.path.basename(path))[0]
    head = f"[`{name}`](reproduction/{name}.jsonl)"
    if not results:
        return [head, "not ended"] + [""] * len(SCORES), 0
    minutes = statistics.mean(result["seconds"] for result in results) / 60
    return [head] + [cell([result.get(key) for result in results]) for key, _ in SCORES] + [f"{minutes:.1f}"], len(results)


def breaches(page):
    """What the page says otherwise than the logs beside it."""
    with open(page, encoding="utf-8") as lines:
        text = lines.read()
    found = []
    for path in sorted(glob.glob(os.path.join(os.path.dirname(page) or ".", "reproduction", "*.jsonl"))):
        link = f"(reproduction/{os.path.basename(path)})"
        if link not in text:
            found.append(f"{page}: {path} is linked nowhere")
        cells, runs = line(path)
        for row in re.findall(rf"^\| \[`[^`]*`\]{re.escape(link)} \| (.*) \|$", text, re.MULTILINE):
            shown = row.split(" | ")
            compared = slice(0, None if runs > 1 else 4)
            if shown[compared] != cells[1:][compared]:
                found.append(f"{page}: {path} has\n  {' | '.join(cells[1:])}\nand not\n  {row}")
    return found


if len(sys.argv) == 3 and sys.argv[1] == "--check":
    wrong = breaches(sys.argv[2])
    print("\n".join(wrong) or f"{sys.argv[2]}: as the logs have it")
    sys.exit(1 if wrong else 0)
if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
    sys.exit(__doc__.strip())
print("| run | " + " | ".join(title for _, title in SCORES) + " | minutes a run |")
print("|-----|" + "---:|" * (len(SCORES) + 1))
for log in sys.argv[1:]:
    print("| " + " | ".join(line(log)[0]) + " |")
