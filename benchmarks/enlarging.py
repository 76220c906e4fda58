"""What does a conditional model add to few real digits? `TFDS_DATA_DIR=... python benchmarks/enlarging.py [ENTRY ...]`

A classifier (`lenet`, about 600 steps of 128) learns from 10, 100 and 1,000 real digits a class, alone and enlarged to
2,000 a class; accuracy on the 10,000 test digits, mean and deviation of three seeds (of the digits chosen, the samples
and the classifier). The entries learnt from 50,000 digits, so with few real ones this tells what they remember of the
rest, not that data can be had from nothing.
"""

import json
import sys

import keras
import numpy as np

import kerasgan
from kerasgan import data, metrics
from kerasgan.models import lenet

REAL, PER_CLASS, SEEDS, STEPS = (10, 100, 1000), 2000, (0, 1, 2), 600


def chosen(dataset, per_class, seed):
    """So many images of each class, at random, and their labels."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.permutation(np.flatnonzero(dataset.labels == c))[:per_class] for c in range(10)])
    return dataset.images[rows], dataset.labels[rows]


def accuracy(images, labels, test, seed):
    """Of a classifier that learnt from these images, on the test digits."""

    def build():
        keras.utils.set_random_seed(seed)
        classifier = lenet()
        adam = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, STEPS))
        classifier.compile(adam, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return classifier

    epochs = -(-STEPS * 128 // len(images))
    return metrics.gan_train((test.images, test.labels), (images, labels), build, epochs=epochs, batch_size=128)


def main():
    """Measure and tell."""
    train, test = (data.from_tfds("mnist", split) for split in ("train[:50000]", "test"))
    models = {name: kerasgan.load(name, metrics=False) for name in sys.argv[1:] or ("cgan_mnist", "cdcgan_mnist")}
    for count in REAL:
        found = {"real alone": [], **{name: [] for name in models}}
        for seed in SEEDS:
            images, labels = chosen(train, count, seed)
            found["real alone"].append(accuracy(images, labels, test, seed))
            for name, model in models.items():
                more = kerasgan.enlarge(images, labels, model, PER_CLASS - count, seed=seed)
                found[name].append(accuracy(*more, test, seed))
        row = {name: [round(float(np.mean(v)), 4), round(float(np.std(v, ddof=1)), 4)] for name, v in found.items()}
        print(json.dumps({"real digits a class": count, **row}), flush=True)


if __name__ == "__main__":
    main()
