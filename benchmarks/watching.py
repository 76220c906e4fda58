"""What does CollapseWatch take of an epoch? `python benchmarks/watching.py [RECIPE=EPOCHS ...]`

The recipe's own training on real digits, with the watch as `kerasgan train` has it and nothing else; its time on the
clock beside each epoch's. The first look compiles the generator's use as well.
"""

import json
import sys
import time

import keras

import kerasgan
from kerasgan import recipes, training
from kerasgan.callbacks import CollapseWatch


class Clock(keras.callbacks.Callback):
    """Epochs' seconds, the watch's among them: it stands before the watch, and again after it."""

    def __init__(self):
        super().__init__()
        self.begun, self.watching, self.epochs = None, None, []

    def on_epoch_begin(self, epoch, logs=None):
        """Every clock starts."""
        self.begun = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """First before the watch looks, then when it has."""
        now = time.monotonic()
        if self.watching is None:
            self.watching = now
            return
        whole, watch = now - self.begun, now - self.watching
        self.epochs.append({"seconds": round(whole, 1), "watch": round(watch, 3), "share": round(watch / whole, 4)})
        self.watching = None


def watched(name, epochs):
    """{"epochs": of each its seconds, the watch's, and their share; "said": its sentences}."""
    recipe = recipes.read(training.find_recipe(name))
    model, dataset, _ = training.prepared(recipe)
    said = []
    watch = CollapseWatch(dataset, kerasgan.load(recipe["card"]["extractor"]), say=said.append)
    clock = Clock()
    model.fit(dataset, epochs=epochs, verbose=0, callbacks=[clock, watch, clock])
    return {"epochs": clock.epochs, "said": said}


def main():
    """Measure and tell."""
    asked = sys.argv[1:] or ["gan_mnist=4", "cgan_mnist=4", "dcgan_mnist=1"]
    print(json.dumps({name: watched(name, int(epochs)) for name, epochs in (each.split("=") for each in asked)}))


if __name__ == "__main__":
    main()
