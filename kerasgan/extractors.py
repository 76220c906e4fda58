"""Extractors: classifiers of real images whose features measure a GAN; they never see a generated one."""

import keras
from keras import ops

from kerasgan import data, random, recipes
from kerasgan.augmentations import cutout, mirrored, shifted
from kerasgan.callbacks import BestPair
from kerasgan.images import to_float
from kerasgan.models import classifiers, networks, rules


def prepared(recipe):
    """(compiled learner, data to train on, to choose by, to report) of a recipe: mistakes are found before the work.

    Raises:
        ValueError: data without labels, or with labels that the classifier has no logits for.
    """
    settings, of = recipe["training"], recipe["data"]
    seed = settings.get("seed", 0)
    keras.utils.set_random_seed(seed)  # the initial weights
    classifier = recipes.build(recipe["model"])
    options = dict(seed=seed, image_shape=classifier.input_shape[1:])
    dataset = data.read(of["train"], batch_size=settings["batch_size"], **options)
    validation, test = (data.read(of[split], batch_size=1, **options) for split in ("validation", "test"))
    for split, part in {"training": dataset, "validation": validation, "test": test}.items():
        check_labels(split, part, classifier.output_shape[-1])
    classifiers.adapt(classifier, ops.convert_to_numpy(to_float(dataset.images[:5000])))
    learner = augmented(classifier, recipe["augment"], seed)
    optimizer = recipes.optimizer(recipe["compile"]["optimizer"], settings["epochs"] * len(dataset))
    optimizer.build(learner.trainable_variables)  # so that a checkpoint can bring its moments
    learner.compile(optimizer, cross_entropy(recipe["compile"].get("label_smoothing", 0.0)), metrics=["accuracy"])
    return learner, dataset, validation, test


class Learner(random.SavesRandomState, keras.Sequential):
    """A classifier behind the changes that its training images go through, with what a checkpoint asks of a model."""

    @property
    def classifier(self):
        """What it is all for: the last layer."""
        return self.layers[-1]

    def fit(self, x=None, *, validation_data=None, **options):
        """As `keras.Model.fit`; validation_data is a `kerasgan.data.Dataset`."""
        if validation_data is not None:
            validation_data = validation_data.images, validation_data.labels
        return super().fit(x, validation_data=validation_data, **options)

    @property
    def step(self):
        """The variable that counts the steps."""
        return self.optimizer.iterations

    @property
    def state(self):
        """Every variable that a training needs to go on: weights, random state and the optimizer's."""
        return [*self.variables, *self.optimizer.variables]

    def is_finite(self):
        """Whether every variable of `state` is finite: no NaN, no infinity."""
        return networks.all_finite(self.state)

    def get_config(self):
        """Which classifier it is: its name, the shapes of its weights. Keras numbers layers through a whole process."""
        shapes = [list(weight.shape) for weight in self.classifier.weights]
        return {"classifier": self.classifier.name, "weights": shapes}


class BestClassifier(BestPair):
    """Keep the classifier of the epoch that told most of the validation images right.

    Args:
        path: of a `.weights.h5` file.
    """

    def __init__(self, path):
        super().__init__(path, monitor="val_accuracy", mode="max")

    def networks(self, model):
        """{path: network}: the classifier alone."""
        return {self.path: model.classifier}


def check_labels(split, dataset, classes):
    """Refuse data that a classifier of so many classes cannot learn from."""
    if dataset.labels is None:
        raise ValueError(f"The {split} data have no labels, which a classifier learns from: sub-folders, or `labels`.")
    low, high = dataset.labels.min(), dataset.labels.max()
    if low < 0 or high >= classes:
        raise ValueError(f"The {split} data have labels {low} to {high}; the classifier has classes={classes}.")


def augmented(classifier, options, seed):
    """The classifier of uint8 images, behind small changes of them; black (-1) comes in from the sides.

    Without rotations shifts are of whole pixels: those between blur nearly every training image and no other.

    Args:
        options: rotation, the most degrees; shift, the most pixels; flip, whether half of the images are mirrored, left
            for right: of colour pictures, not of digits; cutout, the side of a grey square that hides a part (DeVries
            and Taylor 2017).
    """
    height, width, _ = classifier.input_shape[1:]
    degrees, pixels, hole = (options.get(name, 0) for name in ("rotation", "shift", "cutout"))
    for name, most in dict(rotation=180, shift=min(height, width), cutout=min(height, width)).items():
        rules.check_share(name, options.get(name, 0), below=most)
    rules.check_flag("flip", options.get("flip", False))
    parts = [
        keras.Input(classifier.input_shape[1:], dtype="uint8"),
        keras.layers.Rescaling(1 / 127.5, offset=-1),
    ]
    if degrees:
        fill = {"fill_mode": "constant", "fill_value": -1.0}
        parts.append(keras.layers.RandomRotation(degrees / 360, seed=seed + 1, **fill))
        parts.append(keras.layers.RandomTranslation(pixels / height, pixels / width, seed=seed + 2, **fill))
    elif pixels:
        parts.append(InTraining(lambda images, draws: shifted(images + 1, draws, pixels, pixels) - 1, seed + 2))
    if options.get("flip", False):
        parts.append(InTraining(mirrored, seed + 3))
    if hole:
        parts.append(InTraining(lambda images, draws: cutout(images, draws, hole / height, hole / width), seed + 4))
    return Learner([*parts, classifier])


class InTraining(keras.layers.Layer):
    """Does to images, in training alone, what a function (images, SeedGenerator) -> images says.

    With Keras' own layers for shifts and mirroring XLA compiles no training step, which then takes 1.5 times as long.
    """

    def __init__(self, change, seed, **kwargs):
        super().__init__(**kwargs)
        self.change, self.random = change, keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        """The images, changed."""
        return self.change(images, self.random) if training else images


def cross_entropy(smoothing=0.0):
    """The loss of integer labels against logits; of smoothed ones a share is of all classes alike.

    Raises:
        ValueError: a share outside [0, 1).
    """
    rules.check_share("label_smoothing", smoothing)
    smoothed = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)

    def loss(labels, logits):
        return smoothed(ops.one_hot(ops.reshape(labels, (-1,)), logits.shape[-1]), logits)

    return loss


def report(classifier, test, recipe):
    """The record for a card: the accuracy on every image of the test split, which nothing else reads."""
    logits = classifier.predict(to_float(test.images), batch_size=500, verbose=0)
    accuracy = float((logits.argmax(1) == test.labels).mean())
    record = {"metric": "accuracy", "value": accuracy, "data": recipe["data"]["test"], "n": len(test.images)}
    return record | {"data_fingerprint": test.fingerprint, "selected_on": recipe["data"]["validation"]}
