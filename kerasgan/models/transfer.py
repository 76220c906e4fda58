"""What a model of other images or classes can take over from a trained one: for fine-tuning on data of another kind.

    >>> rows = transfer(kerasgan.load("dcgan_mnist"), DCGAN((32, 32, 3), width=32, ...))
    >>> print(report(rows))
    generator: 2 tensors kept, 1 resized, 8 new ...

Layers stand for each other by how far they are from the image: that is where networks of other depths are alike.
"""

import math
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from kerasgan.models.levels import ResidualScale

KEPT, RESIZED, NEW = "kept", "resized", "new"


class Tensor(NamedTuple):
    """What became of a weight: `how` is "kept", "resized" or "new"; shapes before (None of a new one) and after."""

    network: str
    name: str
    how: str
    before: tuple | None
    after: tuple


def transfer(old, new):
    """Give the networks of `new` what those of `old` have learnt, as far as it fits; its average starts from it too.

    Kept: a tensor of the same shape and picture. Resized: over the image's channels (grey to colour: each the same;
    colour to grey: their mean), over a picture's sides (bilinear), where a dense layer has an input or output for each
    position, and over classes, if their number differs: each starts as the mean of those that were. All else is new.

    A chain's levels take over from those of their own height; how much their residuals vary is left to the new data.

    Args:
        old, new: models of one variant.

    Returns:
        [Tensor], of both networks.

    Raises:
        ValueError: two variants.
    """
    if type(old) is not type(new):
        raise ValueError(f"A {type(new).__name__} takes over from another; saw a {type(old).__name__}.")
    rows = []
    for part, source in {"generator": old.average, "discriminator": old.discriminator}.items():
        theirs = levels_of(source, old, part)
        for height, target in levels_of(getattr(new, part), new, part).items():
            other = theirs.get(height, keras.Sequential())
            before, after = axes_of(other, old, part), axes_of(target, new, part)
            for layer, partner in aligned(target, other, part):
                rows += taken_over(part, layer, partner, before, after)
    new.average.set_weights(new.generator.get_weights())
    return rows


def report(rows):
    """The rows in words: a line for each network, and below it what is not kept."""
    lines = []
    for part in dict.fromkeys(row.network for row in rows):
        mine = [row for row in rows if row.network == part]
        counts = [f"{sum(row.how == how for row in mine)} {how}" for how in (KEPT, RESIZED, NEW)]
        lines.append(f"{part}: {', '.join(counts)}")
        lines += [f"  {row.how}: {row.name} {row.before or ''} -> {row.after}" for row in mine if row.how != KEPT]
    return "\n".join(lines)


class Axes(NamedTuple):
    """What the axes of a player's weights stand for.

    Channels and positions are outputs of a generator and inputs of a discriminator: `output`. channels: of an image.
    labels: length of the label vector, behind other inputs. folded, flattened: [(height, width, channels)] that
    Reshape layers make of the units before them, and that Flatten layers give to those after. pack: images that are
    judged together.
    """

    output: bool
    channels: int
    labels: int
    folded: list
    flattened: list
    pack: int = 1


def levels_of(network, model, part):
    """{height: network} of the levels of a chain; of what is none {None: the network}."""
    if not hasattr(model, "sizes"):
        return {None: network}
    return {size: network.get_layer(f"{part}_{size}") for size in model.sizes}


def axes_of(network, model, part):
    """The Axes of a player."""
    pack = 1 if part == "generator" else model.pack
    folds, flattens = ([x for x in network.layers if isinstance(x, kind)] for kind in (layers.Reshape, layers.Flatten))
    shapes = [x.output.shape[1:] for x in folds], [x.input.shape[1:] for x in flattens]
    pictures = ([tuple(shape) for shape in each if len(shape) == 3] for each in shapes)
    return Axes(part == "generator", model.image_shape[2], (model.classes or 0) * pack, *pictures, pack)


def aligned(network, other, part):
    """[(layer, the other network's layer that stands for it, or None)], of layers with weights.

    In a generator counted from the image back; in a discriminator from the image on, and the last for the last.
    """
    mine, theirs = ([layer for layer in n.layers if layer.weights] for n in (network, other))
    if part == "generator":
        mine, theirs = mine[::-1], theirs[::-1]
    last = theirs[-1:] if len(mine) != len(theirs) else []
    partners = [*theirs[: len(theirs) - len(last)], *[None] * len(mine)][: len(mine) - len(last)] + last
    return list(zip(mine, partners, strict=True))


def taken_over(part, layer, other, before, after):
    """[Tensor] of a layer, whose weights are assigned."""
    rows = []
    alike = type(other) is type(layer) and len(other.weights) == len(layer.weights)
    theirs = other.weights if alike and not isinstance(layer, ResidualScale) else []
    for i, weight in enumerate(layer.weights):
        name, shape = f"{layer.name}/{weight.path.rsplit('/', 1)[-1]}", tuple(weight.shape)
        value = ops.convert_to_numpy(theirs[i]) if theirs else None
        found = None if value is None else resized(value, shape, before, after)
        if found is not None:
            weight.assign(found)
        how = NEW if found is None else KEPT if np.array_equal(found, value) else RESIZED
        rows.append(Tensor(part, name, how, None if value is None else value.shape, shape))
    return rows


def resized(value, shape, before, after):
    """The value in another shape, if each axis that differs stands for what can be resized; None otherwise."""
    if value.ndim != len(shape):
        return None
    if before.pack != after.pack:
        return value if value.shape == shape else None
    for axis in range(value.ndim):
        pictures = pictures_along(axis, value.ndim, before, after)
        if pictures or value.shape[axis] != shape[axis]:
            value = along(np.moveaxis(value, axis, 0), shape[axis], before, after, pictures)
            if value is None:
                return None
            value = np.moveaxis(value, 0, axis)
    return value


def pictures_along(axis, ndim, before, after):
    """[(old, new)] of the pictures that an axis of a dense layer may stand for, and that differ.

    They may have the same area: 15x18 pixels are no 30x9.
    """
    if ndim > 3:  # a convolution's
        return []
    if axis == ndim - 1:
        pairs = zip(before.folded, after.folded, strict=False)
    else:
        pairs = zip(before.flattened, after.flattened, strict=False) if axis == 0 else ()
    return [(old, new) for old, new in pairs if old != new]


def along(value, length, before, after, pictures=()):
    """The value with another length of its first axis: of channels, of positions or of neither, labels behind or not.

    Labels are kept if there are as many. Otherwise each starts as the mean of those that were, as no class in
    particular; at 0 if there were none.
    """
    for had, has in ((0, 0), (before.labels, after.labels)):
        for old, new in pictures:
            if (len(value) - had, length - has) == (math.prod(old), math.prod(new)):
                found = over_picture(value[: len(value) - had], old, new, before, after)
                return None if found is None else np.concatenate([found, over_labels(value, had, has)])
    for had, has in ((0, 0), (before.labels, after.labels)):
        body, wanted = value[: len(value) - had], length - has
        if len(body) == wanted:
            return np.concatenate([body, over_labels(value, had, has)])
        if (len(body), wanted) == (before.pack * before.channels, after.pack * after.channels):
            return np.concatenate([over_channels(body, before, after), over_labels(value, had, has)])
    return None


def over_labels(value, had, has):
    """The last `had` rows, of labels, if they are `has`; otherwise so many of their mean, or of 0."""
    labels = value[len(value) - had :]
    if had == has:
        return labels
    middle = labels.mean(axis=0, keepdims=True) if had else np.zeros_like(value[:1])
    return np.repeat(middle, has, axis=0)


def over_channels(value, before, after):
    """The first axis from 1, 3 or 4 channels to as many, so that grey stays grey and what is read sums to the same; of
    every image that is judged together.
    """
    had, count, output, found = before.channels, after.channels, before.output, []
    for image in np.split(value, before.pack):
        middle = image[:3].mean(axis=0, keepdims=True)  # a fourth channel is no colour
        if had == 1:
            found.append(np.repeat(image, count, axis=0) / (1 if output else count))
        elif count == 1:
            found.append(middle * (1 if output else 3))
        else:
            found.append(np.concatenate([image[:3], middle * output])[:count])
    return np.concatenate(found)


def over_picture(value, old, new, before, after):
    """The first axis from the positions and channels of one picture to another's; None if channels are features."""
    (height, width, channels), (rows, columns, count) = old, new
    maps = value.reshape(height, width, channels, -1)
    if channels != count:
        if (channels, count) != (before.pack * before.channels, after.pack * after.channels):
            return None
        maps = np.moveaxis(over_channels(np.moveaxis(maps, 2, 0), before, after), 0, 2)
    flat = maps.reshape(1, height, width, -1)
    grown = ops.convert_to_numpy(ops.image.resize(flat, (rows, columns), "bilinear", data_format="channels_last"))
    scale = 1 if before.output else height * width / (rows * columns)
    return (scale * grown).reshape(rows * columns * count, *value.shape[1:])
