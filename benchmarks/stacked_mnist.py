"""How many of 1,000 modes does DCGAN draw? `TFDS_DATA_DIR=... python benchmarks/stacked_mnist.py FOLDER [--resume]`

Lin et al. 2018 (PacGAN, section 4.2): 128,000 random triples of training digits as the channels of one image; of 26,000
samples each channel is read by a classifier of digits, a mode counts if one sample is of it, and the reverse KL is that
of the samples' modes from the uniform distribution (perfect samples have 0.019). Theirs: DCGAN 99 modes and 3.40, with
two images packed 1,000 and 0.06; Huang et al. 2024 (R3GAN) 1,000 and 0.029 after 10 million images.

Trains by stacked_mnist.toml and counts after every epoch: the curve against images seen grows in FOLDER/modes.json, and
is drawn beside this script in the end. `--resume` goes on.
"""

import json
import pathlib
import sys

import keras
import numpy as np

import kerasgan
from kerasgan import data, metrics, training
from kerasgan.files import write_atomically, write_json
from kerasgan.metrics.features import features

HERE = pathlib.Path(__file__).resolve().parent
TRIPLES, SAMPLES = 128_000, 26_000


def triples(path):
    """The path of the training images, uint8 (128000, 28, 28, 3), written once."""
    if not path.is_file():
        digits = data.from_tfds("mnist", "train[:50000]").images[..., 0]
        chosen = np.random.default_rng(0).integers(0, len(digits), (TRIPLES, 3))
        stacked = np.stack([digits[chosen[:, i]] for i in range(3)], axis=-1)
        write_atomically(path, lambda temporary: np.savez(temporary, images=stacked))
    return path


class Count(keras.callbacks.Callback):
    """After every epoch: {"images", "modes", "reverse_kl"} of the average, added to a file."""

    def __init__(self, path, batch_size):
        super().__init__()
        self.path, self.batch_size, self.classifier = path, batch_size, kerasgan.load("lenet_mnist")

    def on_epoch_end(self, epoch, logs=None):
        """Count, and forget what was counted of steps that are done again."""
        step = int(self.model.step)
        drawn = self.model.generate(SAMPLES, seed=epoch + 1)
        read = [features(self.classifier, drawn[..., i : i + 1]).argmax(axis=1) for i in range(3)]
        modes, divergence = metrics.mode_count(read[0] * 100 + read[1] * 10 + read[2], 1000)
        curve = json.loads(self.path.read_text()) if self.path.is_file() else []
        row = {"images": step * self.batch_size, "modes": modes, "reverse_kl": round(divergence, 4)}
        write_json(self.path, [old for old in curve if old["images"] < row["images"]] + [row])
        print(json.dumps(row), flush=True)


def draw(curve, path):
    """A picture of the curve."""
    import matplotlib.pyplot as plt

    figure, left = plt.subplots(figsize=(7, 4))
    seen, modes = ([row[key] for row in curve] for key in ("images", "modes"))
    left.plot(seen, modes, "o-", color="tab:blue")
    left.set(xlabel="images seen", ylim=(min(990, *modes) - 1, 1001))
    left.set_ylabel("modes of 1,000", color="tab:blue")
    right = left.twinx()
    right.plot(seen, [row["reverse_kl"] for row in curve], "o-", color="tab:orange")
    right.set(yscale="log", ylim=(0.01, None))
    right.set_ylabel("reverse KL", color="tab:orange")
    right.axhline(0.019, color="tab:orange", linestyle=":")  # of perfect samples
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main():
    """Train, count and draw."""
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    count = Count(folder / "modes.json", batch_size=64)
    options = dict(source=triples(folder / "triples.npz"), callbacks=[count], verbose=0)
    training.train(HERE / "stacked_mnist.toml", folder / "run", resume="--resume" in sys.argv, **options)
    draw(json.loads(count.path.read_text()), HERE / "stacked_mnist.png")


if __name__ == "__main__":
    main()
