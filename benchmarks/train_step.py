"""What does a training step cost? `python benchmarks/train_step.py`

DCGAN at 28x28x1 as dcgan_mnist is trained, batch 64: as `fit` does it, with XLA, and with the two habits that it left
behind: a Python generator as the source of the data, and penalties that pass D over the images once more.
"""

import json
import statistics
import subprocess
import sys
import time

import keras
import numpy as np
from keras import ops

import kerasgan
from kerasgan.data import Stream

BATCH, STEPS, ROUNDS = 64, 30, 3


@keras.saving.register_keras_serializable("benchmarks")
class Twice(kerasgan.penalties.Penalty):
    """R1 + R2 with passes of their own, beside those that the loss takes."""

    def __call__(self, scores, real, fake, mix, step):
        """The scores, once more, and the penalty."""
        *_, penalty = super().__call__(scores, real, ops.stop_gradient(fake), mix, step)
        return scores(real), scores(fake), penalty


class Clock(keras.callbacks.Callback):
    """The time of each step."""

    def __init__(self):
        super().__init__()
        self.times = []

    def on_train_batch_end(self, batch, logs=None):
        """Look at the clock."""
        self.times.append(time.perf_counter())


def milliseconds(name):
    """The median time of a step of one contender, in this process."""
    penalty, source, jit_compile = CONTENDERS[name]
    model = kerasgan.DCGAN((28, 28, 1), width=64, discriminator_width=48, kernel_size=4)
    adams = [keras.optimizers.Adam(1e-3, beta_1=0.0, beta_2=0.99) for _ in range(2)]
    model.compile(*adams, loss="relativistic", penalty=penalty("r1_r2", 0.3), jit_compile=jit_compile)
    images = np.random.default_rng(0).integers(0, 256, (BATCH * STEPS, 28, 28, 1), "uint8")
    dataset, clock = kerasgan.data.from_arrays(images, batch_size=BATCH), Clock()
    model.fit(source(dataset), steps_per_epoch=STEPS, shuffle=False, verbose=0, callbacks=[clock])
    return 1000 * statistics.median(np.diff(clock.times[1:]))  # the first step compiles


CONTENDERS = {
    "as fit does it": (kerasgan.penalties.Penalty, kerasgan.data.Dataset.stream, False),
    "with XLA": (kerasgan.penalties.Penalty, kerasgan.data.Dataset.stream, True),
    "D passes twice": (Twice, kerasgan.data.Dataset.stream, False),
    "D passes twice, a Python generator": (Twice, lambda dataset: Stream(dataset, 0), False),
}


def main():
    """Measure in turn, each time in a process of its own: what a Python generator does to memory stays done."""
    if len(sys.argv) > 1:
        print(milliseconds(sys.argv[1]))
        return
    times = {name: [] for name in CONTENDERS}
    for _ in range(ROUNDS):
        for name, measured in times.items():
            done = subprocess.run([sys.executable, __file__, name], check=True, capture_output=True, text=True)
            measured.append(float(done.stdout.split()[-1]))
    first = times["as fit does it"]
    for name, measured in times.items():
        ratios = [mine / theirs for mine, theirs in zip(measured, first, strict=True)]
        row = {"milliseconds": round(statistics.median(measured)), "of the first": round(statistics.median(ratios), 2)}
        print(json.dumps({"step": name} | row))


if __name__ == "__main__":
    main()
