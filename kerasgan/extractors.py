"""Extractors: classifiers of real images whose features measure a GAN; they never see a generated one."""

import time

import keras
from keras import ops

from kerasgan import data, entries, recipes
from kerasgan.augmentations import drawn, shifted
from kerasgan.files import write_atomically
from kerasgan.images import to_float


def train(path, recipe, run, *, callbacks=(), verbose="auto"):
    """Train an extractor by its recipe; returns the folder of its entry.

    The weights of the epoch that was best on the validation split are kept; the test split is read once, at the
    end, for the card. Nothing is saved in between to go on from.

    Args:
        path, recipe: of the recipe; [compile] has the optimizer, [augment] what `augmented` takes.
        run: the folder of the run. callbacks: Keras callbacks to add.

    Raises:
        ValueError: data without labels, or with labels that the classifier has no logits for.
    """
    settings = recipe["training"]
    epochs, seed = settings["epochs"], settings.get("seed", 0)
    options = dict(seed=seed, image_shape=recipe["model"]["image_shape"])
    dataset = data.read(recipe["data"]["train"], batch_size=settings["batch_size"], **options)
    validation, test = (data.read(recipe["data"][split], batch_size=1, **options) for split in ("validation", "test"))
    keras.utils.set_random_seed(seed)
    classifier = recipes.build(recipe["model"])
    for split, part in {"training": dataset, "validation": validation, "test": test}.items():
        check_labels(split, part, classifier.output_shape[-1])
    learner = augmented(classifier, recipe["augment"], seed)
    steps = epochs * len(dataset)
    learner.compile(recipes.optimizer(recipe["compile"]["optimizer"], steps), cross_entropy(), metrics=["accuracy"])
    run.mkdir(parents=True, exist_ok=True)
    best = BestClassifier(classifier, validation, run / "best.weights.h5")
    learner.fit(dataset.stream(), steps_per_epoch=len(dataset), epochs=epochs, shuffle=False,
                callbacks=[best, *callbacks], verbose=verbose)  # fmt: skip
    record = {"metric": "accuracy", "value": measured(classifier, test), "data": recipe["data"]["test"]}
    record |= {"n": len(test.images), "data_fingerprint": test.fingerprint, "selected_on": recipe["data"]["validation"]}
    return entries.of_classifier(run / "entry", path, recipe, classifier, dataset, best.history, [record])


class BestClassifier(keras.callbacks.Callback):
    """Measure the classifier after every epoch, keep the best in a file, and give it back when the training ends.

    Args:
        classifier: what is measured and kept. validation: the dataset that chooses. path: of the `.weights.h5` file.
    """

    def __init__(self, classifier, validation, path):
        super().__init__()
        self.classifier, self.validation, self.path, self.history = classifier, validation, path, []

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock."""
        self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs):
        """Measure, keep and note; the logs of the callbacks that follow have the accuracy too."""
        accuracy = logs["validation_accuracy"] = measured(self.classifier, self.validation)
        if accuracy > max([e["validation_accuracy"] for e in self.history], default=-1):
            write_atomically(self.path, self.classifier.save_weights)
        seconds = round(time.monotonic() - self.started, 2)
        loss = float(logs["loss"])
        self.history.append({"epoch": epoch + 1, "seconds": seconds, "loss": loss, "validation_accuracy": accuracy})

    def on_train_end(self, logs=None):
        """Give the best back."""
        self.classifier.load_weights(self.path)


def check_labels(split, dataset, classes):
    """Refuse data that a classifier of so many classes cannot learn from."""
    if dataset.labels is None:
        raise ValueError(f"The {split} data have no labels, which a classifier learns from: sub-folders, or `labels`.")
    low, high = dataset.labels.min(), dataset.labels.max()
    if low < 0 or high >= classes:
        raise ValueError(f"The {split} data have labels {low} to {high}; the classifier has classes={classes}.")


def augmented(classifier, options, seed):
    """The classifier of uint8 images, behind small rotations and shifts; black (-1) comes in from the sides.

    Without rotations shifts are of whole pixels: those between blur nearly every training image and no other.

    Args:
        options: rotation, the most degrees; shift, the most pixels; flip, whether half of the images are mirrored, left
            for right: of colour pictures, not of digits.
    """
    height, width, _ = classifier.input_shape[1:]
    degrees, pixels = options.get("rotation", 0), options.get("shift", 0)
    parts = [
        keras.Input(classifier.input_shape[1:], dtype="uint8"),
        keras.layers.Rescaling(1 / 127.5, offset=-1),
    ]
    if degrees:
        fill = {"fill_mode": "constant", "fill_value": -1.0}
        parts.append(keras.layers.RandomRotation(degrees / 360, seed=seed + 1, **fill))
        parts.append(keras.layers.RandomTranslation(pixels / height, pixels / width, seed=seed + 2, **fill))
    elif pixels:
        parts.append(RandomShift(pixels, seed=seed + 2))
    if options.get("flip", False):
        parts.append(RandomMirror(seed=seed + 3))
    return keras.Sequential([*parts, classifier])


class RandomShift(keras.layers.Layer):
    """In training every image is shifted by up to `pixels` whole ones, each way, black (-1) coming in.

    With Keras' own layers for this and for mirroring XLA compiles no training step, which then takes 1.5 times as long.
    """

    def __init__(self, pixels, seed, **kwargs):
        super().__init__(**kwargs)
        self.pixels, self.random = pixels, keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        """The images, shifted."""
        if not training:
            return images
        return shifted(images + 1, self.random, self.pixels, self.pixels) - 1


class RandomMirror(keras.layers.Layer):
    """In training half of the images are mirrored, left for right."""

    def __init__(self, seed, **kwargs):
        super().__init__(**kwargs)
        self.random = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        """The images, some mirrored."""
        if not training:
            return images
        return ops.where(drawn(images, 0.0, 1.0, self.random) < 0.5, images, ops.flip(images, axis=2))


def cross_entropy():
    """The loss of integer labels against logits."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def measured(classifier, dataset):
    """The classifier's accuracy on every image of a dataset."""
    logits = classifier.predict(to_float(dataset.images), batch_size=500, verbose=0)
    return float((logits.argmax(1) == dataset.labels).mean())
