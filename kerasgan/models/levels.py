"""The networks of a LAPGAN's levels (Denton et al. 2015, sections 2.3 and 4.2), and how they are held together.

A generator and a discriminator for each level of the pyramid, named by its height: `generator_16`. Residuals have
deviation 1 in all of them; `ResidualScale` brings them to the data's.
"""

import math

import keras
from keras import layers, ops

from kerasgan import pyramid
from kerasgan.models import networks


def shapes_of(image_shape, base):
    """The (height, width, channels) of every level, coarse to fine.

    Raises:
        ValueError: the image is not base x 2^k high, k at least 1, or does not halve k times; the nearest is named.
    """
    image_shape = tuple(image_shape) if isinstance(image_shape, tuple | list) else image_shape
    whole = isinstance(image_shape, tuple) and len(image_shape) == 3
    whole = whole and all(hasattr(side, "__index__") and side > 0 for side in image_shape)
    if not whole or image_shape[2] not in (1, 3, 4):
        raise ValueError(f"image_shape is (height, width, channels) with 1, 3 or 4 channels; saw {image_shape}.")
    height, width, channels = image_shape
    count = max(1, math.floor(math.log2(max(1, height / base))))
    count += abs((base << count + 1) - height) < abs((base << count) - height)  # the nearer of two
    if height != base << count or width % (1 << count):
        breadth = base << count if width == height else max(1, round(width / (1 << count))) << count
        raise ValueError(
            f"A LAPGAN doubles images of height {base} k times, k at least 1; {image_shape} is no such size: resize to"
            f" {(base << count, breadth, channels)}, or choose another base."
        )
    return [(height >> k, width >> k, channels) for k in reversed(range(count + 1))]


def build_base_generator(image_shape, latent_size, units, classes=None):
    """Noise to the smallest image: dense layers (the authors' code has two of 1,200).

    Args:
        image_shape: (height, width, channels) of the smallest. latent_size: length of z. units: of the hidden layers.
        classes: how many, if there are any: the one-hot label stands beside z.

    Returns:
        A functional model: (batch, latent_size), with classes [that, (batch, classes)], -> (batch, *image_shape).
    """
    z, *labels = inputs = [keras.Input((latent_size,), name="latents"), *label_input(classes)]
    x = layers.Concatenate()(inputs) if labels else z
    for count in units:
        x = layers.Dense(count, "relu", kernel_initializer="he_normal")(x)
    x = layers.Dense(math.prod(image_shape), dtype="float32", name="pixels")(x)
    images = layers.Reshape(image_shape, dtype="float32")(x)
    return keras.Model(networks.together(*inputs), images, name=f"generator_{image_shape[0]}")


def build_base_discriminator(image_shape, units, dropout, labels=None, projection=False):
    """The smallest images to scores: dense layers with dropout (the authors' code has two of 600).

    Args:
        image_shape: (height, width, channels); with packing, channels times the images judged together.
        units: of the hidden layers. dropout: the share dropped of each. labels: length of the label vector, if any.
        projection: labels enter by `projected` alone, and not beside the image.
    """
    images, *its = inputs = [keras.Input(image_shape, name="images"), *label_input(labels)]
    x = layers.Flatten()(images)
    x = layers.Concatenate()([x, *its]) if its and not projection else x
    for i, count in enumerate(units):
        x = layers.LeakyReLU(0.2)(layers.Dense(count, kernel_initializer="he_normal")(x))
        x = layers.Dropout(dropout, seed=i)(x) if dropout else x
    scores = projected(x, its if projection else [])
    return keras.Model(networks.together(*inputs), scores, name=f"discriminator_{image_shape[0]}")


def build_generator(image_shape, width, kernel_size=7, convolutions=2, classes=None, projection=False):
    """A plane of noise and the doubled image to the residual that it lacks, of deviation 1: linear at its end.

    Args:
        image_shape: (height, width, channels) of the level. width: channels of the hidden convolutions.
        kernel_size: of the hidden convolutions, 7 in the authors' code. convolutions: how many hidden ones.
        classes: how many, if there are any: the one-hot label becomes a plane (section 3.1).
        projection: instead, every hidden convolution has a bias for each class.

    Returns:
        A functional model: [(batch, height, width, 1), (batch, *image_shape)], with classes a third (batch, classes),
        -> (batch, *image_shape).
    """
    height, breadth, channels = image_shape
    noise, coarse = keras.Input((height, breadth, 1), name="noise"), keras.Input(image_shape, name="coarse")
    labels = label_input(classes)
    x = layers.Concatenate()([noise, coarse, *(plane(y, image_shape) for y in labels if not projection)])
    for _ in range(convolutions):
        x = convolution(width, kernel_size)(x)
        x = layers.Add()([x, *(bias(y, width) for y in labels)]) if labels and projection else x
        x = layers.ReLU()(x)
    residual = layers.Conv2D(channels, min(5, kernel_size), padding="same", dtype="float32", name="residual")(x)
    return keras.Model([noise, coarse, *labels], residual, name=f"generator_{height}")


def build_discriminator(
    image_shape, width, kernel_size=5, halve_to=None, dropout=0.5, add=False, pack=1, labels=None, projection=False
):
    """A level's doubled image and a residual, real or generated, to scores.

    Args:
        image_shape: (height, width, channels) of the level. width: channels of the first convolution.
        kernel_size: 5 in the authors' code. dropout: the share dropped before the score.
        halve_to: sides are halved until the shorter is at most this, channels doubled once; None: once, channels kept,
            as in the authors' code.
        add: D sees the sum of the two alone, as in the authors' code; otherwise both, side by side in the channels.
        pack: images judged together. labels: length of the label vector, if any; it becomes a plane.
        projection: labels enter by `projected` instead.

    Returns:
        A functional model: (batch, height, width, pack * 2 * channels), with classes [that, (batch, labels)], -> logits
        (batch, 1).
    """
    height, breadth, channels = image_shape
    judged, its = keras.Input((height, breadth, pack * 2 * channels), name="judged"), label_input(labels)
    x = judged
    if add:
        parts, scale = ops.split(judged, 2 * pack, axis=-1), ResidualScale(name=f"scale_{height}")
        sums = [coarse + scale(residual) for coarse, residual in zip(parts[::2], parts[1::2], strict=True)]
        x = layers.Concatenate()(sums) if pack > 1 else sums[0]
    x = layers.Concatenate()([x, *(plane(y, image_shape) for y in its)]) if its and not projection else x
    x = layers.LeakyReLU(0.2)(convolution(width, kernel_size)(x))
    for _ in range(1 if halve_to is None else max(1, math.ceil(math.log2(min(height, breadth) / halve_to)))):
        x = layers.LeakyReLU(0.2)(convolution(width if halve_to is None else 2 * width, kernel_size, strides=2)(x))
    x = layers.Flatten()(x)
    x = layers.Dropout(dropout, seed=height)(x) if dropout else x
    scores = projected(x, its if projection else [])
    return keras.Model(networks.together(judged, *its), scores, name=f"discriminator_{height}")


def build_generators(
    image_shapes, latent_size, units, widths, kernel_size, convolutions, classes=None, projection=False
):
    """The generators of all levels, chained; `widths` are those of the levels above the smallest, coarse to fine."""
    own = [build_base_generator(image_shapes[0], latent_size, units, classes)]
    for shape, width in zip(image_shapes[1:], widths, strict=True):
        own.append(build_generator(shape, width, kernel_size, convolutions, classes, projection))
    return chain(own, image_shapes, latent_size, classes)


def build_discriminators(
    image_shapes, units, widths, kernel_size=5, halve_to=None, dropout=0.5, add=False, pack=1, classes=None,
    projection=False,
):  # fmt: skip
    """The discriminators of all levels as one; `widths` as above, of one image each: packing widens what they see."""
    (height, width, channels), labels = image_shapes[0], classes and pack * classes
    own = [build_base_discriminator((height, width, pack * channels), units, dropout, labels, projection)]
    for shape, width in zip(image_shapes[1:], widths, strict=True):
        own.append(build_discriminator(shape, width, kernel_size, halve_to, dropout, add, pack, labels, projection))
    return judges(own, image_shapes, pack, labels)


def chain(levels, image_shapes, latent_size, classes=None):
    """All generators as one: the latents of all levels, side by side, to the image (section 2.3).

    Args:
        levels: the generators, coarse to fine. image_shapes: of their images. latent_size: of the first.
        classes: how many, if there are any.

    Returns:
        A functional model: (batch, `latents_in` numbers), with classes [that, (batch, classes)], -> (batch,
        *image_shapes[-1]) in [-1, 1]: clipped at the very end. Its layers `image_<height>` have the images of a level.

    Raises:
        ValueError: levels out of order, or not one for each shape.
    """
    shapes = [level.output_shape[1:] for level in levels]
    if shapes != [tuple(shape) for shape in image_shapes]:
        raise ValueError(f"Levels come coarse to fine, one for each of {image_shapes}; saw them draw {shapes}.")
    latents, labels = keras.Input((latents_in(image_shapes, latent_size),), name="latents"), label_input(classes)
    first, *planes = noise_of(latents, image_shapes, latent_size)
    images = layers.Identity(name=f"image_{image_shapes[0][0]}", dtype="float32")(
        levels[0](networks.together(first, *labels))
    )
    for level, noise in zip(levels[1:], planes, strict=True):
        scale = ResidualScale(name=f"scale_{noise.shape[1]}")
        images = refined(level, scale, images, noise, labels)
    return keras.Model(networks.together(latents, *labels), ops.clip(images, -1, 1), name="generator")


def latents_in(image_shapes, latent_size):
    """How many numbers an image is drawn from."""
    return latent_size + sum(height * width for height, width, _ in image_shapes[1:])


def noise_of(latents, image_shapes, latent_size):
    """[the smallest level's z, a plane of noise for each of the others], of latents side by side."""
    ends = [latents_in(image_shapes[:i], latent_size) for i in range(1, len(image_shapes))]
    first, *planes = ops.split(latents, ends, axis=1)
    return [first, *(ops.reshape(x, (-1, *shape[:2], 1)) for x, shape in zip(planes, image_shapes[1:], strict=True))]


def refined(level, scale, images, noise, labels):
    """I_k = up(I_k+1) + h_k, h_k = scale * G_k(z_k, up(I_k+1)): the images of the next level (eq. 5)."""
    coarse = pyramid.up(images)
    residual = scale(level([noise, coarse, *labels]))
    return layers.Add(name=f"image_{noise.shape[1]}", dtype="float32")([coarse, residual])


def above(network, image_shapes, latent_size, level):
    """The levels above one, of a chain: [its images, latents, one-hot labels if there are classes] to images."""
    images, inputs = keras.Input(image_shapes[level]), [keras.Input(x.shape[1:]) for x in network.inputs]
    latents, *labels = inputs
    x = images
    for noise in noise_of(latents, image_shapes, latent_size)[level + 1 :]:
        own, scale = (network.get_layer(f"{name}_{noise.shape[1]}") for name in ("generator", "scale"))
        x = refined(own, scale, x, noise, labels)
    return keras.Model([images, *inputs], x)


def judges(levels, image_shapes, pack=1, labels=None):
    """All discriminators as one: images to the sum of their pyramids' scores, (batch, 1).

    The levels' logits add up as log p(I) = log p(I_K) + sum of log p(h_k | up(I_k+1)) does (appendix A).
    """
    height, breadth, channels = image_shapes[-1]
    images, its = keras.Input((height, breadth, pack * channels), name="images"), label_input(labels)
    sizes = pyramid.coarser(images, len(levels) - 1)
    scores = [levels[0](networks.together(sizes[0], *its))]
    for level, shape, below, fine in zip(levels[1:], image_shapes[1:], sizes, sizes[1:], strict=False):
        coarse, scale = pyramid.up(below), ResidualScale(inverse=True, name=f"scale_{shape[0]}")
        parts = zip(ops.split(coarse, pack, axis=-1), ops.split(scale(fine - coarse), pack, axis=-1), strict=True)
        scores.append(level(networks.together(layers.Concatenate()([x for pair in parts for x in pair]), *its)))
    return keras.Model(networks.together(images, *its), layers.Add(dtype="float32")(scores), name="discriminator")


@keras.saving.register_keras_serializable("kerasgan")
class ResidualScale(layers.Layer):
    """Residuals of deviation 1 to those of the data, or back: times, or divided by, a number that `adapt` finds.

    Args:
        inverse: divide.
    """

    def __init__(self, inverse=False, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.inverse = inverse
        self.deviation = self.add_weight(shape=(), initializer="ones", trainable=False, name="deviation")

    def call(self, residuals):
        """The scaled ones."""
        return residuals / self.deviation if self.inverse else residuals * self.deviation

    def get_config(self):
        """The argument."""
        return {**super().get_config(), "inverse": self.inverse}


def label_input(classes):
    """[the input of one-hot labels]; [] without classes."""
    return [] if classes is None else [keras.Input((classes,), name="labels")]


def plane(labels, image_shape):
    """Labels as one more channel, by a dense layer (section 3.1)."""
    height, width, _ = image_shape
    return layers.Reshape((height, width, 1))(layers.Dense(height * width, "relu")(labels))


def bias(labels, width):
    """A number for each class and channel, the same everywhere: (batch, 1, 1, width)."""
    return layers.Reshape((1, 1, width))(layers.Dense(width, use_bias=False)(labels))


def projected(x, labels=()):
    """Scores of features: w . x, with [labels] also (V y) . x (Miyato and Koyama 2018, eq. 4)."""
    scores = layers.Dense(1, dtype="float32", name="scores")(x)
    for y in labels:
        own = layers.Dense(x.shape[-1], use_bias=False, name="classes")(y)
        scores = layers.Add(dtype="float32")([scores, layers.Dot(1, dtype="float32")([own, x])])
    return scores


def convolution(filters, kernel_size, strides=1):
    """Of He et al. 2015's first weights."""
    return layers.Conv2D(filters, kernel_size, strides, "same", kernel_initializer="he_normal")
