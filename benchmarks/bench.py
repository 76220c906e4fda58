"""Measure, and write what came out into README.md: `make bench`, or `python benchmarks/bench.py [SCRIPT ...]`

Runs each script alone, one after the other, and puts its JSON as a table between its two marks in benchmarks/README.md
(`<!-- NAME -->` and `<!-- /NAME -->`), with the day, the machine and the versions that it ran on. What stands outside
of marks is written by hand.
"""

import itertools
import json
import os
import pathlib
import platform
import subprocess
import sys
import time
from importlib import metadata

from kerasgan import files

HERE = pathlib.Path(__file__).parent
README = HERE / "README.md"
SCRIPTS = ("startup", "sampling", "train_step", "exports", "memory", "upscaling")
PACKAGES = ("tensorflow", "keras", "torch", "numpy", "ai-edge-litert")


def run(name):
    """What a script prints: [JSON value, ...]."""
    done = subprocess.run([sys.executable, str(HERE / f"{name}.py")], stdout=subprocess.PIPE, text=True, check=True)
    found, text, decoder = [], done.stdout.strip(), json.JSONDecoder()
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].strip()
    return found


def tables(values):
    """The lines of markdown tables: of dictionaries with the same keys in a row one, of one alone a line an entry."""
    lines = []
    for _, some in itertools.groupby(values, key=list):
        first, *others = some = list(some)
        head, rows = (list(first), [value.values() for value in some]) if others else (["", ""], first.items())
        for row in (head, ["---"] * len(head), *rows):
            lines.append(f"| {' | '.join(map(cell, row))} |")
        lines.append("")
    return lines


def cell(value):
    """A value in a few characters; of [median, low, high] the interval."""
    if isinstance(value, dict):
        return "; ".join(f"{key}: {cell(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(cell, value))
    return str(value)


def machine():
    """In a line: the day, the processor, and the versions."""
    from kerasgan import export  # which imports TensorFlow: not beside what is measured

    versions = [f"{name} {version}" for name in PACKAGES if (version := version_of(name))]
    python = f"Python {platform.python_version()}"
    said = [time.strftime("%Y-%m-%d"), export.processor(), f"{os.cpu_count()} logical cores", python, *versions]
    return f"{', '.join(said)}."


def version_of(name):
    """The version of a package; None: it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def draw(rows, path):
    """Our rate over each other's, with its interval; a line at 1. From the rows of `train_step.py`."""
    import matplotlib.pyplot as plt

    rows = [row for row in rows if row["ours over it"]][::-1]
    middle, low, high = zip(*(row["ours over it"] for row in rows), strict=True)
    figure, axes = plt.subplots(figsize=(8, 0.28 * len(rows) + 1))
    errors = [[m - e for m, e in zip(middle, low, strict=True)], [e - m for m, e in zip(middle, high, strict=True)]]
    axes.errorbar(middle, range(len(rows)), xerr=errors, fmt="o", capsize=3)
    axes.axvline(1, color="grey", linewidth=1)
    axes.set_xscale("log")  # XLA's steps are many times slower here; what is near 1 is what is asked about
    ticks = [0.5, 0.75, 1, 1.25, 1.5, 2, 4, 8]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(rows)), [f"{row['shape']}: {row['step']}" for row in rows], fontsize=7)
    axes.set_xlabel("our images per second over the other's, median and 95% interval")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    """Measure, write, draw; a script that fails leaves its old table."""
    for name in sys.argv[1:] or SCRIPTS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        values = run(name)
        files.put_between(README, (f"<!-- {name} -->", f"<!-- /{name} -->"), ["", machine(), "", *tables(values)])
        if name == "train_step":
            draw(values, HERE / "train_step.png")


if __name__ == "__main__":
    main()
