"""Does fine-tuning keep what was learnt, and does it help? `TFDS_DATA_DIR=... python benchmarks/fine_tuning.py`

Frechet distances in lenet_mnist's features of 10,000 samples: of dcgan_mnist to the test digits before and after an
epoch on MNIST; and, to test digits turned by 90 degrees, after 500 steps on 1,000 turned digits, from the entry and
from scratch, both by the rules that `load` compiles with.
"""

import json

import numpy as np

import kerasgan
from kerasgan import data, metrics, recipes
from kerasgan.models import classifiers

N, STEPS, BATCH = 10_000, 500, 64


def scratch():
    """The entry's model before it learnt anything, with the rules that `load` fine-tunes by."""
    card = kerasgan.info("dcgan_mnist")
    model = recipes.build(card["model"])
    recipes.compile_model(model, card["compile"])
    return model


def main():
    """Measure and tell."""
    judge = classifiers.extractor(kerasgan.load("lenet_mnist"))
    train, test = (data.from_tfds("mnist", split).images for split in ("train[:50000]", "test"))
    upright, turned = (metrics.features(judge, images) for images in (test, np.rot90(test, axes=(1, 2)).copy()))
    few = data.from_arrays(np.rot90(train[:1000], axes=(1, 2)).copy(), batch_size=BATCH)

    def distance(model, real):
        return round(metrics.frechet_distance(real, metrics.features(judge, model.generate(N, seed=11))), 3)

    found = {}
    model = kerasgan.load("dcgan_mnist")
    found["as loaded"] = distance(model, upright)
    model.fit(train, epochs=1, verbose=0)
    found["after an epoch of MNIST"] = distance(model, upright)
    found["ratio, at most 1.1"] = round(found["after an epoch of MNIST"] / found["as loaded"], 3)
    print(json.dumps(found), flush=True)
    for name, model in {
        "turned, from the entry": kerasgan.load("dcgan_mnist"),
        "turned, from scratch": scratch(),
    }.items():
        model.fit(few.stream(), steps_per_epoch=STEPS, verbose=0)
        found[name] = distance(model, turned)
    found["ratio, at most 0.5"] = round(found["turned, from the entry"] / found["turned, from scratch"], 3)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
