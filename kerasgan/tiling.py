"""Pictures of any size through a convolutional network, tile by tile: what comes out is what the whole would give.

What a network makes of a pixel depends on the pixels within its receptive radius. A tile that reaches so much further
than what is taken from it is exact there; at the borders of the picture it ends as the picture ends, and sees the same
padding.
"""

import functools
import math
import re
import weakref

import numpy as np

LARGEST = 512  # side of a tile: larger ones would save little work, and say less often how far they are
MARGIN = 16  # pixels that the smallest tile gives, besides its overlap
PROBES = (64, 256, 1024)  # sides of the pictures that a radius is looked for in
FAINTEST = 1e-30  # of a response in float32: below, it may have vanished
ZERO, ONE = {"bias", "beta", "moving_mean"}, {"gamma", "moving_variance", "alpha"}
UNITS = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "KI": 2**10, "MI": 2**20, "GI": 2**30}
FULL = ("RESOURCE_EXHAUSTED", "allocate memory", "not enough memory")  # what XLA and torch say of it


def remembered(function):
    """The function of a network, asked once of each: what depends on the architecture alone."""
    known = weakref.WeakKeyDictionary()

    @functools.wraps(function)
    def ask(network):
        if network not in known:
            known[network] = function(network)
        return known[network]

    return ask


@remembered
def receptive_radius(network):
    """How far a network sees: the most pixels, of its input and along an axis, between cause and effect.

    Found by trying: a copy whose kernels are all positive, without biases, in which nothing cancels and no ReLU dies,
    sees a picture that is 0 but for a line of ones; wherever its output is not 0, it has seen the line.

    Args:
        network: functional, (batch, h, w, channels) of any size to (batch, h scale, w scale, ...), "same" padding.

    Raises:
        ValueError: it sees the whole picture, whatever its size (global pooling, attention), does not treat all pixels
            alike (strides), or the line's response cannot be told from nothing.
    """
    copy = positive_copy(network)
    return max(radius_along(copy, axis) for axis in (1, 2))


def positive_copy(network):
    """The same architecture with positive kernels that average, biases of 0 and normalisations that do nothing."""
    import keras

    rng = np.random.default_rng(0)  # or the channels were equal, and a normalisation over them would give 0
    copy = keras.models.clone_model(network)
    for weight in copy.weights:
        name = weight.path.split("/")[-1]
        if name in ZERO:
            weight.assign(np.zeros(weight.shape))
        elif keras.backend.is_float_dtype(weight.dtype):
            fan_in = 1 if name in ONE else max(1, math.prod(weight.shape[:-1]))
            weight.assign(rng.uniform(0.5, 1.5, weight.shape) / fan_in)
    return copy


def radius_along(network, axis):
    """The radius of a network of positive kernels, along rows (1) or columns (2)."""
    for side in PROBES:
        lines = np.zeros((3, side, 8, network.inputs[0].shape[-1]), "float32")
        lines[0, side // 2] = lines[1, side // 2 + 1] = 1  # the third stays empty
        line, neighbour, nothing = responses(network, lines, axis)
        seen = np.flatnonzero(line)
        if nothing.any() or not len(seen) or np.any((line[:-1] > 0) != (neighbour[1:] > 0)):
            raise ValueError(
                f"{network.name} does not treat all pixels alike, or nothing as nothing: it cannot be run in tiles."
            )
        if line[seen].min() < FAINTEST:
            raise ValueError(f"{network.name} is too deep: how far it sees vanishes in float32, so it gets no tiles.")
        radius = int(max(side // 2 - seen[0], seen[-1] - side // 2))
        if 0 < seen[0] and seen[-1] < side - 1 and is_blind_beyond(network, axis, radius):
            return radius
    raise ValueError(f"{network.name} sees all of a picture, {side} pixels too: it cannot be run in tiles.")


def responses(network, images, axis):
    """The largest magnitude that each row makes, (batch, rows); of axis 2 the network is shown columns."""
    from keras import ops

    shown = images if axis == 1 else images.swapaxes(1, 2)
    made = np.abs(ops.convert_to_numpy(network(shown, training=False)))
    made = made if axis == 1 else made.swapaxes(1, 2)
    return made.reshape(len(images), images.shape[1], -1).max(axis=2)  # a pixel is the most of its sub-pixels


def is_blind_beyond(network, axis, radius):
    """Whether the first row stays the same when all beyond the radius is brighter.

    A gate that averages the whole picture multiplies what is there, and in a picture of one line there is nothing else.
    """
    image = np.random.default_rng(1).uniform(0.5, 1, (2 * radius + 8, 8, network.inputs[0].shape[-1]))
    images = np.stack([image, image]).astype("float32")
    images[1, radius + 1 :] *= 3
    same, other = responses(network, images, axis)[:, 0]
    return bool(abs(same - other) <= 1e-5 * same)


@remembered
def bytes_per_pixel(network):
    """What a network needs at most, for each pixel of its input: an estimate from the sizes of what its layers make.

    TensorFlow forgets what is not needed any more: the four largest count, what goes into a layer, what comes out, and
    as much for its own work. torch, called by Keras, forgets nothing: all count.
    """
    import keras

    side = 16
    sized = keras.models.clone_model(network, input_tensors=keras.Input((side, side, network.inputs[0].shape[-1])))
    outputs = keras.tree.flatten([operation.output for operation in sized.operations])
    sizes = sorted(math.prod(output.shape[1:]) for output in outputs)
    return 4 * sum(sizes[-4:] if keras.backend.backend() == "tensorflow" else sizes) / side**2


def bytes_of(amount):
    """The bytes that "2GB", "512 MB", "1.5GiB" or a number mean.

    Raises:
        ValueError: no such amount.
    """
    number = re.fullmatch(r"\s*([\d.]*\d)\s*([KMG]I?|)B?\s*", str(amount), re.IGNORECASE)
    try:
        return round(float(number[1]) * UNITS[number[2].upper()])
    except (TypeError, ValueError):
        raise ValueError(f"An amount of memory is bytes, or a text such as 2GB or 512MB; saw {amount!r}.") from None


def tile_within(memory, per_pixel, overlap):
    """The side of the largest square tile that fits into so many bytes; at most `LARGEST`, or what the overlap needs.

    Raises:
        ValueError: not even the smallest fits.
    """
    side, least = math.isqrt(int(memory / per_pixel)), smallest(overlap)
    if side < least:
        raise ValueError(
            f"max_memory is {memory / 1e6:.3g} MB; the smallest tile, {least} x {least} pixels, takes about"
            f" {least**2 * per_pixel / 1e6:.3g} MB."
        )
    return min(side, max(LARGEST, least))


def spans(length, tile, overlap, begin=0):
    """(start of a tile, first pixel taken from it, end of what is taken) along an axis, one after the other.

        >>> list(spans(10, 6, 1))  # the last tile is moved inward
        [(0, 0, 5), (4, 5, 10)]

    Args:
        length: of the axis. tile: length of every tile; the whole axis if that is shorter. overlap: of a tile with what
            is taken from its neighbour, each side; less than half the tile. begin: the first pixel to take.
    """
    tile = min(tile, length)
    while begin < length:
        start = max(0, min(begin - overlap, length - tile))
        end = length if start + tile == length else start + tile - overlap
        yield start, begin, end
        begin = end


def tiled(run, image, scale, tile, overlap, progress=None):
    """What `run` makes of an image, made tile by tile: exact where `run` sees no further than the overlap.

    All tiles have one shape, for which a network is compiled once. Where the memory does not hold one, its sides are
    halved and the work goes on from the last whole row of tiles.

    Args:
        run: a function of a part of the image (h, w, channels), giving (h scale, w scale, channels) of its dtype; of
            such is the result.
        image: array (height, width, channels). scale: an integer.
        tile, overlap: in pixels of the image; tile > 2 overlap.
        progress: called with (pixels done, pixels of the image) after every tile.

    Raises:
        ValueError: a tile that is all overlap. MemoryError: the memory holds not even the smallest tile.
    """
    check_tile(tile, overlap)
    height, width, channels = image.shape
    output = np.empty((height * scale, width * scale, channels), image.dtype)

    def fill(row):
        """Fill the rows from this one on, as far as one tile reaches; returns the first that is not."""
        top, row, row_end = next(spans(height, tile, overlap, row))
        for left, column, column_end in spans(width, tile, overlap):
            made = run(image[top : top + tile, left : left + tile])
            rows, columns = slice(row * scale, row_end * scale), slice(column * scale, column_end * scale)
            output[rows, columns] = made[within(rows, top * scale), within(columns, left * scale)]
            if progress:
                progress(row * width + (row_end - row) * column_end, height * width)
        return row_end

    tile, row = min(tile, max(height, width)), 0
    while row < height:
        try:
            row = fill(row)
            continue
        except Exception as error:
            if not exhausted(error):
                raise
        tile = halved(tile, overlap)  # not in `except`: while the error is there, so is all that it refers to
    return output


def check_tile(tile, overlap):
    """Refuse a tile that is all overlap."""
    if isinstance(tile, bool) or not hasattr(tile, "__index__") or tile <= 2 * overlap:
        raise ValueError(f"A tile has a side of more than {2 * overlap} pixels, twice the overlap; saw {tile!r}.")


def within(part, start):
    """The same part, counted from `start`."""
    return slice(part.start - start, part.stop - start)


def exhausted(error):
    """Whether an error of NumPy, TensorFlow or torch says that the memory is full."""
    names = {kind.__name__ for kind in type(error).__mro__}
    told = any(words in str(error) for words in FULL)
    return told or bool(names & {"MemoryError", "ResourceExhaustedError", "OutOfMemoryError"})


def smallest(overlap):
    """The side of the smallest tile that is worth its overlap."""
    return 2 * overlap + MARGIN


def halved(tile, overlap):
    """Half the tile, or the smallest.

    Raises:
        MemoryError: it is the smallest already.
    """
    if tile <= smallest(overlap):
        raise MemoryError(
            f"The memory holds no tile of {tile} x {tile} pixels, the smallest there is: free some of it."
        )
    return max(tile // 2, smallest(overlap))
