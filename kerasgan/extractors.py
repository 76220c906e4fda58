"""Extractors: classifiers of real images whose features measure a GAN; they never see a generated one."""

import pathlib
import time

import keras

from kerasgan import cards, data, entries, recipes
from kerasgan.files import write_atomically
from kerasgan.images import to_float


def train(path, recipe, run, *, source=None, epochs=None):
    """Train an extractor by its recipe; returns the folder of its entry.

    The weights of the epoch that was best on the validation split are kept; the test split is read once, at the
    end, for the card.

    Args:
        path, recipe: of the recipe; [compile] has the optimizer, [augment] rotation (degrees) and shift (pixels).
        run: the folder of the run. source, epochs: instead of the recipe's.

    Raises:
        ValueError: data without labels, or with labels that the classifier has no logits for.
    """
    settings = recipe["training"]
    epochs, seed = epochs or settings["epochs"], settings.get("seed", 0)
    options = dict(seed=seed, image_shape=recipe["model"]["image_shape"])
    dataset = data.read(source or recipe["data"]["train"], batch_size=settings["batch_size"], **options)
    validation, test = (data.read(recipe["data"][split], batch_size=1, **options) for split in ("validation", "test"))
    keras.utils.set_random_seed(seed)
    classifier = recipes.build(recipe["model"])
    for split, part in {"training": dataset, "validation": validation, "test": test}.items():
        check_labels(split, part, classifier.output_shape[-1])
    learner = augmented(classifier, recipe["augment"], seed)
    steps = epochs * len(dataset)
    learner.compile(recipes.optimizer(recipe["compile"]["optimizer"], steps), cross_entropy(), metrics=["accuracy"])
    run.mkdir(parents=True, exist_ok=True)
    kept, history = pathlib.Path(run) / "best.weights.h5", []
    for epoch in range(epochs):
        started = time.monotonic()
        stream = dataset.stream(epoch * len(dataset))
        logs = learner.fit(stream, steps_per_epoch=len(dataset), shuffle=False, verbose=0).history
        accuracy = measured(classifier, validation)
        if accuracy > max([e["validation_accuracy"] for e in history], default=-1):
            write_atomically(kept, classifier.save_weights)
        seconds = round(time.monotonic() - started, 2)
        loss = logs["loss"][0]
        history.append({"epoch": epoch + 1, "seconds": seconds, "loss": loss, "validation_accuracy": accuracy})
    classifier.load_weights(kept)
    entry = entries.of_classifier(pathlib.Path(run) / "entry", path, recipe, classifier, dataset, history)
    record = {"metric": "accuracy", "value": measured(classifier, test), "data": recipe["data"]["test"]}
    record |= {"n": len(test.images), "data_fingerprint": test.fingerprint, "selected_on": recipe["data"]["validation"]}
    cards.write(entry, cards.read(entry) | {"metrics": [record]})
    return entry


def check_labels(split, dataset, classes):
    """Refuse data that a classifier of so many classes cannot learn from."""
    if dataset.labels is None:
        raise ValueError(f"The {split} data have no labels, which a classifier learns from: sub-folders, or `labels`.")
    low, high = dataset.labels.min(), dataset.labels.max()
    if low < 0 or high >= classes:
        raise ValueError(f"The {split} data have labels {low} to {high}; the classifier has classes={classes}.")


def augmented(classifier, options, seed):
    """The classifier of uint8 images, behind small rotations and shifts; black (-1) comes in from the sides."""
    height, width, _ = classifier.input_shape[1:]
    fill = {"fill_mode": "constant", "fill_value": -1.0}
    degrees, pixels = options.get("rotation", 0), options.get("shift", 0)
    rotate = keras.layers.RandomRotation(degrees / 360, seed=seed + 1, **fill)
    shift = keras.layers.RandomTranslation(pixels / height, pixels / width, seed=seed + 2, **fill)
    scale = keras.layers.Rescaling(1 / 127.5, offset=-1)
    return keras.Sequential([keras.Input(classifier.input_shape[1:], dtype="uint8"), scale, rotate, shift, classifier])


def cross_entropy():
    """The loss of integer labels against logits."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def measured(classifier, dataset):
    """The classifier's accuracy on every image of a dataset."""
    logits = classifier.predict(to_float(dataset.images), batch_size=500, verbose=0)
    return float((logits.argmax(1) == dataset.labels).mean())
