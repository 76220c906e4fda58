"""The smallest instance of every variant, which `test_conformance` puts through what all of them promise; and a way to
run a function in a fresh Python, for what can be set but once in a process: backend, devices, determinism.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Golden:
    """A variant at its smallest.

    Args:
        variant: its name in `kerasgan.models.VARIANTS`.
        build: a function of the constructor's options -> a model that is not compiled.
        build_noisy: the same with Dropout in both networks. build_plain: the same without BatchNorm and Dropout.
        image_shape: of its images. classes: how many, None of an unconditional variant.
    """

    variant: str
    build: Callable
    build_noisy: Callable
    build_plain: Callable
    image_shape: tuple
    classes: int | None = None
    rules: tuple = ()  # of `compile`, (name, value): what it bears, or is to be tried with too
    rate: float = 0.1  # of plain gradient descent, that it bears

    @property
    def name(self):
        """What the tests call it: of a variant with and without classes there are two."""
        return f"{self.variant}-{self.classes}" if self.classes and self.variant != "CGAN" else self.variant

    def data(self, n=32, seed=0):
        """What `fit` takes: (images,), or (images, labels)."""
        return (self.images(n, seed),) if self.classes is None else (self.images(n, seed), self.labels(n))

    def dataset(self, *arrays, batch_size, shuffle=True):
        """What `data` gives, as a dataset whose batches come in an order of its own."""
        from kerasgan import data

        return data.from_arrays(*arrays, batch_size=batch_size, shuffle=shuffle)

    def inputs(self, model, n, seed=7):
        """What the model takes to make `n` images."""
        latents, *labels = model.inputs_of(seed, range(n))
        return [latents, *labels] if labels else latents

    def drawn(self, model, n, seed=7):
        """`n` images that it makes, uint8."""
        return model.generate(n, seed=seed)

    def labels(self, n):
        """The labels of those images, None where there are no classes."""
        return None if self.classes is None else np.arange(n, dtype="int32") % self.classes

    def images(self, n=32, seed=0):
        """Pictures to train on, uint8: a bright square somewhere in each."""
        height, width, channels = self.image_shape
        images = np.full((n, height, width, channels), 20, "uint8")
        corners = np.random.default_rng(seed).integers(1, height // 2, (n, 2))
        for image, (x, y) in zip(images, corners, strict=True):
            image[y : y + height // 3, x : x + width // 3] = 230
        return images


class UpscalerGolden(Golden):
    """A variant that makes pictures larger, at its smallest; `image_shape` is of the large ones."""

    def data(self, n=32, seed=0):
        """(low pictures, high ones)."""
        high = self.images(n, seed)
        height, width, channels = self.image_shape
        return high.reshape(n, height // 2, 2, width // 2, 2, channels).mean((2, 4)).round().astype("uint8"), high

    def dataset(self, *arrays, batch_size, shuffle=True):
        """Pairs; without `shuffle` in the order of the arrays, and not turned."""
        if shuffle:
            from kerasgan import data

            low, high = arrays
            steps = len(low) // batch_size
            return data.Pairs(high, low, scale=2, crop=high.shape[1], batch_size=batch_size, steps=steps)
        import tensorflow as tf

        return tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size, drop_remainder=True)

    def inputs(self, model, n, seed=7):
        """Low pictures in [-1, 1]."""
        return self.data(n, seed)[0] / np.float32(127.5) - 1

    def drawn(self, model, n, seed=7):
        """Pictures made larger."""
        from kerasgan.images import to_uint8

        return to_uint8(model.predict(self.inputs(model, n, seed), batch_size=n, verbose=0)[:n])


def dcgan(**options):
    """Two halvings, 3,000 weights."""
    from kerasgan import DCGAN

    return DCGAN((16, 16, 1), **{"latent_size": 8, "width": 4, "kernel_size": 3, **options})


def noisy_dcgan(**options):
    """Networks of one's own, with Dropout."""
    import keras
    from keras import layers

    def generator():
        z = keras.Input((8,))
        x = layers.Dropout(0.3)(layers.BatchNormalization()(layers.Dense(64, "relu")(z)))
        images = layers.Reshape((16, 16, 1))(layers.Dense(256, "tanh")(x))
        return keras.Model(z, images, name="generator")

    def discriminator():
        images = keras.Input((16, 16, 1))
        x = layers.Dropout(0.3)(layers.Conv2D(4, 5, 4, "same", activation="leaky_relu")(images))
        return keras.Model(images, layers.Dense(1)(layers.Flatten()(x)), name="discriminator")

    return dcgan(generator=generator, discriminator=discriminator, **options)


def plain_dcgan(**options):
    """Every image for itself: a batch in two halves is the batch."""
    return dcgan(generator_norm=False, **options)


def conditional_dcgan(**options):
    """Labels at every layer, latents that choose, a dense layer before and after the convolutions, and one beside."""
    import keras

    model = dcgan(**{"classes": 3, "units": (16,), "modes": 4, "discriminator_perceptron": (6,), **options})
    for player, factor in ((model.generator, 3), (model.average, 3), (model.discriminator, 5)):  # as in `gan`
        for layer in player.layers:
            if isinstance(getattr(layer, "kernel_initializer", None), keras.initializers.RandomNormal):  # not He's
                layer.kernel.assign(factor * layer.kernel)
    return model


def noisy_conditional_dcgan(**options):
    """Networks of one's own, with Dropout."""
    import keras
    from keras import layers

    def generator():
        z, y = keras.Input((8,)), keras.Input((3,))
        x = layers.Dropout(0.3, seed=3)(layers.Dense(16, "relu")(layers.Concatenate()([z, y])))
        return keras.Model([z, y], layers.Reshape((16, 16, 1))(layers.Dense(256, "tanh")(x)), name="generator")

    def discriminator():
        images, y = keras.Input((16, 16, 1)), keras.Input((3,))
        x = layers.Dropout(0.3, seed=4)(layers.Conv2D(4, 5, 4, "same", activation="leaky_relu")(images))
        x = layers.Concatenate()([layers.Flatten()(x), y])
        return keras.Model([images, y], layers.Dense(1)(x), name="discriminator")

    return dcgan(generator=generator, discriminator=discriminator, **options)


def plain_conditional_dcgan(**options):
    """Every image for itself: a batch in two halves is the batch."""
    return conditional_dcgan(generator_norm=False, **options)


def gan(**options):
    """Two small perceptrons that forget nothing; sides that no convolution would halve."""
    from kerasgan import GAN

    small = {"latent_size": 8, "units": (16,), "discriminator_units": (6, 4), "pieces": 2, "dropout": (0.0, 0.0)}
    model = GAN((15, 18, 1), **{**small, **options})
    # The authors' first weights, at most 0.005, are for 240 units of 784 pixels: so few units would say nothing.
    model.discriminator.set_weights([50 * weight for weight in model.discriminator.get_weights()])
    return model


def noisy_gan(**options):
    """Dropout in the discriminator, as in the paper, and in a generator of one's own."""
    import keras
    from keras import layers

    def generator():
        z = keras.Input((8,))
        x = layers.Dropout(0.3, seed=3)(layers.Dense(16, "relu")(z))
        return keras.Model(z, layers.Reshape((15, 18, 1))(layers.Dense(270, "tanh")(x)), name="generator")

    return gan(generator=generator, dropout=(0.2, 0.5), **options)


def cgan(**options):
    """Three classes, small perceptrons without dropout."""
    from kerasgan import CGAN

    layers = {"units": (16, 4, 16), "discriminator_units": (6, 3, 4), "pieces": (2, 2, 2), "dropout": 0.0}
    model = CGAN((15, 18, 1), **{"classes": 3, "latent_size": 8, **layers, **options})
    for player, factor in ((model.discriminator, 50), (model.generator, 8), (model.average, 8)):  # as in `gan`
        player.set_weights([factor * weight for weight in player.get_weights()])
    return model


def noisy_cgan(**options):
    """Dropout in both players, as in the paper; the class as an inner product."""
    return cgan(dropout=0.5, projection=True, **options)


def lapgan(**options):
    """8x8 and 16x16, each by a few weights, without dropout."""
    from kerasgan import LAPGAN

    small = {"base": 8, "latent_size": 8, "units": [16], "discriminator_units": [8], "kernel_size": 3, "dropout": 0.0}
    widths = {"widths": [4], "discriminator_widths": [4], "discriminator_kernel_size": 3}
    model = LAPGAN((16, 16, 1), **{"classes": 3, **small, **widths, **options})
    model.adapt(np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1)).astype("uint8"))  # once, whatever comes
    return model


def deep_lapgan(**options):
    """4x4, 8x8 and 16x16."""
    return lapgan(**{"base": 4, "widths": [4, 4], "discriminator_widths": [4, 4], **options})


def noisy_lapgan(**options):
    """Dropout in every discriminator, as in the authors' code; the class by inner products and biases."""
    return lapgan(**{"dropout": 0.3, "projection": True, **options})


def srgan(**options):
    """Twice as large, one block, 500 weights, and a discriminator of any size."""
    from kerasgan import SRGAN

    small = {"channels": 1, "width": 4, "blocks": 1, "kernel_size": 3, "discriminator_width": 2}
    return SRGAN(2, **{**small, **options})


def noisy_srgan(**options):
    """Networks of one's own, with Dropout."""
    import keras
    from keras import layers

    from kerasgan.layers import PixelShuffle

    def generator():
        low = keras.Input((None, None, 1))
        x = layers.Dropout(0.3, seed=3)(layers.Conv2D(4, 3, padding="same", activation="relu")(low))
        return keras.Model(low, PixelShuffle(2)(layers.Conv2D(4, 3, padding="same")(x)), name="generator")

    def discriminator():
        images = keras.Input((None, None, 1))
        x = layers.Dropout(0.3, seed=4)(layers.Conv2D(4, 5, 4, "same", activation="leaky_relu")(images))
        return keras.Model(images, layers.Dense(1)(layers.GlobalAveragePooling2D()(x)), name="discriminator")

    return srgan(generator=generator, discriminator=discriminator, **options)


WRONG_TOO = (("mismatched", 0.25),)  # real images under wrong labels
GENERATIVE = [
    Golden("DCGAN", dcgan, noisy_dcgan, plain_dcgan, (16, 16, 1)),
    Golden("GAN", gan, noisy_gan, gan, (15, 18, 1)),
    Golden("DCGAN", conditional_dcgan, noisy_conditional_dcgan, plain_conditional_dcgan, (16, 16, 1), 3, WRONG_TOO),
    Golden("LAPGAN", lapgan, noisy_lapgan, lapgan, (16, 16, 1), classes=3),
    Golden("CGAN", cgan, noisy_cgan, cgan, (15, 18, 1), classes=3, rules=WRONG_TOO),
]
GOLDENS = [
    *GENERATIVE,
    UpscalerGolden("SRGAN", srgan, noisy_srgan, srgan, (16, 16, 1), rules=(("content", "l1"),), rate=0.01),
]


CHILD = """
import importlib, pickle, sys
answer, module, name, arguments = pickle.load(sys.stdin.buffer)
result = getattr(importlib.import_module(module), name)(*arguments)
with open(answer, "wb") as file:
    pickle.dump(result, file)
"""


def in_child(function, *arguments, folder, **environment):
    """What a function of a test file returns in a fresh Python.

    Args:
        function: at the top of its module. arguments: and its result: what can be pickled.
        folder: an empty place for its answer. environment: variables, such as KERAS_BACKEND.
    """
    answer = Path(folder) / "answer.pickle"
    order = pickle.dumps((str(answer), function.__module__, function.__name__, arguments))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}  # networks this small lose by sharing work
    done = subprocess.run([sys.executable, "-c", CHILD], input=order, capture_output=True, cwd=FOLDER, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    return pickle.loads(answer.read_bytes())
