"""How long until something is there? `python benchmarks/startup.py`

`kerasgan list`, and `load` with a first image against nothing but `import keras`: each in processes of its own, in
turn, so that a noisy machine is noisy to all.
"""

import json
import statistics
import subprocess
import sys
import time

ROUNDS = 7
COMMANDS = {
    "list": [sys.executable, "-m", "kerasgan", "list"],
    "import keras": [sys.executable, "-c", "import keras"],
    "load + first image": [sys.executable, "-c", "import kerasgan; kerasgan.load('dcgan_mnist').generate(1, seed=7)"],
}


def seconds(command):
    """The wall time of a command."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def main():
    """Measure and tell."""
    for command in COMMANDS.values():
        seconds(command)  # once for the disk's cache
    times = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            times[name].append(seconds(command))
    found = {name: round(statistics.median(values), 3) for name, values in times.items()}
    ratios = [load / bare for load, bare in zip(times["load + first image"], times["import keras"], strict=True)]
    print(json.dumps({"seconds, medians": found, "load / import keras": round(statistics.median(ratios), 3)}, indent=2))


if __name__ == "__main__":
    main()
