"""What can be learned from a GAN? `TFDS_DATA_DIR=... python benchmarks/learned.py [ENTRY ...]`

A linear SVM on the discriminator's features (Radford et al. 2015, section 5.1), beside the same discriminator before
any training and raw pixels: what the game has taught it. Where an entry draws classes, GAN-train and GAN-test (Shmelkov
et al. 2018) with a fresh network of its extractor's kind: does a classifier of samples know real images, and one of
real images samples? Beside them real training images in the samples' place. Entries are names or folders.
"""

import json
import sys
import warnings

import keras
import numpy as np
from keras import ops

from kerasgan import data, metrics, recipes, zoo
from kerasgan.images import to_float
from kerasgan.models import classifiers

TAUGHT, HELD_OUT, SEED = 10_000, 5_000, 0
FEATURES = 2048  # of an image at most; the authors' 28,672 take hours
GRID = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # of C; wide, for the best is to lie inside
STEPS, BATCH = 1000, 128


def parts(card):
    """The training, validation and test images of an entry, as many as are used of each."""
    read = (
        data.read(card["data"][k], image_shape=card["images"]["shape"], batch_size=1)
        for k in ("train", "validation", "test")
    )
    return [found.first(n) for found, n in zip(read, (TAUGHT, HELD_OUT, TAUGHT), strict=True)]


def machine(describe, three):
    """Test accuracy of the SVM, and the validation accuracy of each C; all features in the deviation of all of them,
    or an untrained network, whose are small, would want another grid than a trained one."""
    features = [describe(part.images) for part in three]
    scale = np.sqrt(np.mean(np.square(features[0], dtype="float64")))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Liblinear failed to converge")  # of a large C; validation judges it
        pairs = ((x / scale, part.labels) for x, part in zip(features, three, strict=True))
        found = metrics.linear_svm(*pairs, grid=GRID)
    return {"accuracy": found.accuracy, "C": found.c, "validation": found.validation}


def of_discriminator(model, card, three):
    """What its features tell, trained and not, and their difference in standard errors of two independent shares."""
    keras.utils.set_random_seed(SEED)
    untrained = recipes.build(card["model"]).discriminator

    def features_of(network):
        return lambda images: metrics.pooled_activations(network, images, limit=FEATURES)

    found = {
        "trained": machine(features_of(model.discriminator), three),
        "untrained": machine(features_of(untrained), three),
        "pixels": machine(lambda images: images.reshape(len(images), -1) / 127.5 - 1, three),
    }
    p, q = (found[name]["accuracy"] for name in ("trained", "untrained"))
    error = np.sqrt((p * (1 - p) + q * (1 - q)) / len(three[2].images))
    return found | {"standard errors above untrained": round(float((p - q) / error), 1)}


def of_samples(model, card, three):
    """GAN-train and GAN-test, and what real images in the samples' place give."""

    def fresh(images):
        def build():
            keras.utils.set_random_seed(SEED)
            classifier = recipes.build(zoo.info(card["extractor"])["model"])
            classifiers.adapt(classifier, ops.convert_to_numpy(to_float(images[:5000])))
            adam = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, STEPS))
            classifier.compile(adam, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            return classifier

        return build

    asked = np.arange(TAUGHT, dtype="int32") % model.classes
    drawn = (model.generate(labels=asked, seed=SEED), asked)
    real, held_out = ((part.images, part.labels) for part in (three[0], three[2]))
    fit = {"epochs": -(-STEPS * BATCH // TAUGHT), "batch_size": BATCH}
    return {
        "GAN-train": metrics.gan_train(held_out, drawn, fresh(drawn[0]), **fit),
        "GAN-test": metrics.gan_test(real, drawn, fresh(real[0]), **fit),
        "real": metrics.gan_test(real, held_out, fresh(real[0]), **fit),
    }


def main():
    """Measure and tell."""
    for name in sys.argv[1:] or ("dcgan_mnist", "cgan_mnist", "cdcgan_mnist"):
        card, model = zoo.info(name), zoo.load(name, metrics=False)
        three = parts(card)
        measure = of_samples if model.conditional else of_discriminator
        print(json.dumps({"entry": card["name"], **measure(model, card, three)}), flush=True)


if __name__ == "__main__":
    main()
