"""Does memory stay flat? `python benchmarks/memory.py`

Resident memory in MiB while the streaming metrics take 100,000 images in batches of 500, and over 50 evaluations of
1,000 images each by `model.evaluate`; what comes first is left out, for it compiles.
"""

import json
import pathlib

import numpy as np

import kerasgan
from kerasgan import metrics
from kerasgan.models import classifiers


def resident():
    """Resident memory of this process, in MiB (Linux)."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def streamed(total=100_000, batch=500):
    """[MiB] after each tenth of the images."""
    judge = classifiers.extractor(kerasgan.load("lenet_mnist"))
    kinds = (metrics.FrechetDistance, metrics.KernelDistance, metrics.Coverage)
    measures, random, found = [kind(judge) for kind in kinds], np.random.default_rng(0), []
    for step in range(1, total // batch + 1):
        real, fake = (random.integers(0, 256, (batch, 28, 28, 1), "uint8") for _ in range(2))
        for measure in measures:
            measure.update_state(real, fake)
        if step % (total // batch // 10) == 0:
            found.append(round(resident()))
    return found


def evaluated(times=50, n=1000):
    """[MiB] after every fifth evaluation."""
    model, found = kerasgan.load("dcgan_mnist"), []
    real = np.random.default_rng(0).integers(0, 256, (n, 28, 28, 1), "uint8")
    for time in range(1, times + 1):
        model.evaluate(real, verbose=0)
        if time % 5 == 0:
            found.append(round(resident()))
    return found


def main():
    """Measure and tell."""
    print(json.dumps({"streamed": streamed(), "evaluated": evaluated()}))


if __name__ == "__main__":
    main()
