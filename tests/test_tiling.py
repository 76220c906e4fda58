"""Tiles give what the whole gives: how far a network sees, where tiles lie, what is done when the memory is full."""

import keras
import numpy as np
import pytest
from keras import layers
from upscalers import network

from kerasgan import tiling
from kerasgan.layers import PixelShuffle

rng = np.random.default_rng

# --- how far a network sees -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "depth", "kernel_size", "radius"),
    [(2, 0, 1, 0), (2, 0, 3, 1), (2, 3, 3, 4), (4, 2, 5, 6), (3, 15, 5, 32)],
)
def test_the_radius_of_convolutions(scale, depth, kernel_size, radius):
    """Half a kernel each, wherever the weights are negative and the ReLUs dead; 32 needs a larger probe."""
    assert tiling.receptive_radius(network(scale, 1, depth, kernel_size, width=2)) == radius


def test_the_radius_is_the_longest_way_along_either_axis():
    """Through branches, normalisations, dilations, convolutions that are not square, and layers at twice the size."""
    low = keras.Input((None, None, 1))
    x = layers.Conv2D(4, (1, 9), padding="same")(low)
    x = layers.PReLU(shared_axes=[1, 2])(layers.BatchNormalization()(x))
    y = layers.LayerNormalization()(layers.Conv2D(4, 3, padding="same", dilation_rate=3, activation="relu")(x))
    x = PixelShuffle(2)(layers.Add()([x, y]))  # 4 + 3 so far
    x = layers.Conv2D(1, 5, padding="same")(x)  # two more, of half the size
    assert tiling.receptive_radius(keras.Model(low, x)) == 4 + 3 + 1
    assert tiling.radius_along(tiling.positive_copy(keras.Model(low, x)), axis=1) == 3 + 1


def test_the_radius_cannot_be_smaller():
    """A changed pixel changes outputs as far away as the radius, of a network whose weights are positive."""
    copy = tiling.positive_copy(network(2, 1, 3))
    image = np.zeros((1, 21, 21, 1), "float32")
    image[0, 10, 10] = 1
    changed = np.flatnonzero(keras.ops.convert_to_numpy(copy(image))[0, ..., 0].any(axis=1))
    assert (changed.min() // 2, changed.max() // 2) == (10 - 4, 10 + 4)


def test_is_blind_beyond():
    copy = tiling.positive_copy(network(2, 1, 3))
    assert [tiling.is_blind_beyond(copy, axis, radius) for axis in (1, 2) for radius in (3, 4)] == [False, True] * 2


def test_responses():
    """Of rows, or of columns where the axis is 2."""
    images = np.zeros((2, 4, 3, 1), "float32")
    images[1, 2] = -7
    for axis in (1, 2):
        assert tiling.responses(lambda x, training: np.kron(x, np.ones((1, 2, 2, 1))), images, axis).tolist() == [
            [0, 0, 0, 0],
            [0, 0, 7, 0],
        ]


def test_weights_stay_as_they_are_and_the_radius_is_remembered(monkeypatch):
    model = network(2)
    before = model.get_weights()
    assert tiling.receptive_radius(model) == 4
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    monkeypatch.setattr(tiling, "positive_copy", None)
    assert tiling.receptive_radius(model) == 4


def attention(x):
    return layers.Multiply()([x, layers.GlobalAveragePooling2D(keepdims=True)(x)])


def strides(x):
    return layers.Conv2DTranspose(4, 3, 2, padding="same")(layers.Conv2D(4, 3, 2, padding="same")(x))


def shifted(x):
    return layers.Rescaling(1.0, offset=0.5)(x)


def deep(x):
    for _ in range(70):
        x = layers.Conv2D(4, 3, padding="same")(x)
    return x


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (attention, "sees all of a picture, 1024 pixels too"),
        (layers.GroupNormalization(1), "sees all of a picture, 1024 pixels too"),
        (strides, "does not treat all pixels alike, or nothing as nothing"),
        (shifted, "does not treat all pixels alike"),
        (deep, "is too deep: how far it sees vanishes in float32"),
    ],
)
def test_what_gets_no_tiles(layer, sentence):
    low = keras.Input((None, None, 3))
    model = keras.Model(low, layer(layers.Conv2D(4, 3, padding="same")(low)), name="mine")
    with pytest.raises(ValueError, match=f"mine {sentence}"):
        tiling.receptive_radius(model)


# --- where tiles lie --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 5, 6, 7, 8, 10, 11, 12, 23, 100])
@pytest.mark.parametrize(("tile", "overlap"), [(6, 0), (6, 1), (6, 2), (7, 3), (50, 24)])
def test_spans_cover_everything_once_and_exactly(length, tile, overlap):
    """Each tile lies inside, has the one length, and reaches `overlap` beyond what is taken, or ends at the border."""
    for begin in (0, length // 2, length - 1):
        expected = begin
        for start, first, end in tiling.spans(length, tile, overlap, begin):
            stop = start + min(tile, length)
            assert first == expected < end and 0 <= start and stop <= length
            assert start == 0 or first - start >= overlap
            assert stop == length or stop - end >= overlap
            expected = end
        assert expected == length


def test_spans_by_hand():
    assert list(tiling.spans(10, 6, 1)) == [(0, 0, 5), (4, 5, 10)]
    assert list(tiling.spans(4, 6, 1)) == [(0, 0, 4)]
    assert list(tiling.spans(10, 6, 1, begin=7)) == [(4, 7, 10)]


def test_within():
    assert tiling.within(slice(12, 20), 10) == slice(2, 10)


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 40), (5, 3), (17, 16), (16, 17), (23, 31), (33, 64), (40, 9), (57, 57), (101, 18)]
)
def test_tiles_and_the_whole(size):
    """With the radius as overlap within 1e-5; with half of it they differ, where there are several tiles."""
    model = network(2, 3, depth=3)
    image = rng(1).uniform(-1, 1, (*size, 3)).astype("float32")

    def run(part):
        return model.predict_on_batch(part[None])[0]

    whole, radius = run(image), tiling.receptive_radius(model)
    assert np.abs(tiling.tiled(run, image, 2, 16, radius) - whole).max() <= 1e-5
    seams = np.abs(tiling.tiled(run, image, 2, 16, radius // 2) - whole).max()
    assert (seams > 1e-3) == (max(size) > 16)


def test_all_tiles_have_one_shape_and_progress_is_told():
    shapes, told = [], []

    def run(part):
        shapes.append(part.shape)
        return part

    image = rng(0).integers(0, 256, (30, 45, 2)).astype("uint8")
    made = tiling.tiled(run, image, 1, 12, 2, progress=lambda *done: told.append(done))
    np.testing.assert_array_equal(made, image)
    assert made.dtype == np.uint8 and set(shapes) == {(12, 12, 2)}
    assert [total for _, total in told] == [30 * 45] * len(shapes)
    done = [pixels for pixels, _ in told]
    assert done == sorted(set(done)) and done[-1] == 30 * 45


def test_a_tile_is_more_than_overlap():
    with pytest.raises(ValueError, match="a side of more than 8 pixels, twice the overlap; saw 8"):
        tiling.tiled(None, np.zeros((30, 30, 1)), 2, 8, 4)
    for tile in (-1, 9.5, True, "9", None):
        with pytest.raises(ValueError, match=f"saw {tile!r}"):
            tiling.check_tile(tile, 0)
    tiling.check_tile(9, 4)


# --- memory -----------------------------------------------------------------------------------------------------------


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (MemoryError(), True),
        (np._core._exceptions._ArrayMemoryError((9,), np.dtype("uint8")), True),
        (ResourceExhaustedError("OOM when allocating tensor"), True),
        (type("Other", (ResourceExhaustedError,), {})(), True),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"), True),
        (RuntimeError("shapes do not match"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_exhausted(error, full):
    assert tiling.exhausted(error) is full


def test_tensorflow_says_it_so():
    tf = pytest.importorskip("tensorflow")
    assert tiling.exhausted(tf.errors.ResourceExhaustedError(None, None, "OOM"))


@pytest.mark.parametrize("patience", [0, 1, 3, 5])
def test_full_memory_halves_the_tile_and_goes_on(patience):
    """After so many large tiles there is room for small ones alone: rows that are done stay, the image is the same."""
    image = rng(0).integers(0, 256, (130, 90, 1)).astype("uint8")
    seen = []

    def run(part):
        seen.append(part.shape[0])
        if len(part) > 32 and len(seen) > patience:
            raise ResourceExhaustedError("OOM")
        return part.repeat(2, 0).repeat(2, 1)

    made = tiling.tiled(run, image, 2, 64, 4)
    np.testing.assert_array_equal(made, image.repeat(2, 0).repeat(2, 1))
    assert seen[: patience + 1] == [64] * (patience + 1) and set(seen[patience + 1 :]) == {32}
    rows = patience // 2  # of two large tiles each, 60, 56 and 14 pixels high
    assert len(seen) - patience - 1 == 4 * len(list(tiling.spans(130, 32, 4, (0, 60, 116, 130)[rows])))


def test_memory_that_holds_nothing():
    def run(part):
        raise MemoryError

    with pytest.raises(MemoryError, match="holds no tile of 24 x 24 pixels, the smallest there is: free some of it"):
        tiling.tiled(run, np.zeros((99, 99, 1)), 2, 80, 4)
    assert tiling.halved(80, 4) == 40 and tiling.halved(40, 4) == 24 == tiling.smallest(4)


def test_what_is_no_full_memory_is_raised():
    with pytest.raises(ZeroDivisionError):
        tiling.tiled(lambda part: 1 / 0, np.zeros((9, 9, 1)), 2, 9, 1)


def test_bytes_per_pixel_counts_the_four_largest_outputs():
    """At scale 2: eight channels at the picture's size, 12 of the sub-pixels twice, and the input's 3."""
    expected = 12 + 12 + 8 + 8 if keras.backend.backend() == "tensorflow" else 3 + 8 + 8 + 12 + 12
    assert tiling.bytes_per_pixel(network(2, 3, depth=2)) == 4 * expected


@pytest.mark.parametrize(
    ("amount", "number"),
    [(7, 7), ("7", 7), ("2GB", 2e9), ("512 mb", 512e6), ("1.5GiB", 1.5 * 2**30), ("0.5 k", 500), (2e9, 2_000_000_000)],
)
def test_bytes_of(amount, number):
    assert tiling.bytes_of(amount) == number


@pytest.mark.parametrize("amount", ["", "GB", "-1", "2 TB", "1.2.3GB", "two", None, float("nan"), "2GB or so"])
def test_bytes_of_nothing(amount):
    with pytest.raises(ValueError, match="is bytes, or a text such as 2GB or 512MB; saw"):
        tiling.bytes_of(amount)


def test_tile_within():
    assert tiling.tile_within(100 * 50**2, 100, 4) == 50
    assert tiling.tile_within(1e12, 100, 4) == tiling.LARGEST
    assert tiling.tile_within(1e12, 100, 400) == 816
    with pytest.raises(
        ValueError, match="max_memory is 0.0575 MB; the smallest tile, 24 x 24 pixels, takes about 0.05"
    ):
        tiling.tile_within(100 * 24**2 - 100, 100, 4)


def test_remembered():
    """As long as the network lives."""
    asked = []

    @tiling.remembered
    def ask(network):
        asked.append(None)
        return len(asked)

    first = network(2)
    assert [ask(first), ask(network(2)), ask(first)] == [1, 2, 1]
