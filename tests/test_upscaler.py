"""One model and pictures of any kind: tiles and the whole alike in every mode, what is kept, what is refused."""

import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image
from upscalers import upscaler

from kerasgan import images
from kerasgan import upscaler as module
from kerasgan.resampling import imresize
from kerasgan.upscaler import Upscaler

rng = np.random.default_rng
SIZES = [(1, 1), (1, 40), (5, 3), (17, 23), (23, 17), (24, 24), (25, 47), (33, 64), (40, 9), (57, 31)]


@pytest.fixture(scope="module")
def model():
    return upscaler(scale=2, depth=3)


@pytest.fixture(scope="module")
def grey_model():
    return upscaler(scale=3, channels=1, depth=2)


def noise(*shape, dtype="uint8"):
    return rng(0).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


# --- arrays -----------------------------------------------------------------------------------------------------------


def test_bytes_are_the_network_s_picture_rounded(model):
    image = noise(9, 7, 3)
    made = model.average.predict_on_batch(image[None] / np.float32(127.5) - 1)
    np.testing.assert_array_equal(Upscaler(model)(image), images.to_uint8(made[0]))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (9, 7, 2), (9, 7, 3), (9, 7, 4), (2, 9, 7, 3), (3, 1, 2, 1)])
def test_an_array_gives_an_array_of_its_dtype(model, grey_model, dtype, shape):
    image = noise(*shape, dtype=dtype) if "int" in dtype else rng(0).uniform(-1, 1, shape).astype(dtype)
    for each in (model, grey_model):
        made = Upscaler(each)(image)
        first = 1 if len(shape) == 4 else 0
        expected = [n * each.scale if first <= i < first + 2 else n for i, n in enumerate(shape)]
        assert made.dtype == dtype and made.shape == tuple(expected)
    if len(shape) == 4:
        np.testing.assert_array_equal(made[1], Upscaler(each)(image[1]))


def test_value_range(model):
    image = rng(0).uniform(-1, 1, (9, 7, 3)).astype("float32")
    made = Upscaler(model)(image)
    np.testing.assert_allclose(Upscaler(model)((image + 1) / 2, value_range=(0, 1)), (made + 1) / 2, atol=1e-6)
    assert -1 <= made.min() and made.max() <= 1


@pytest.mark.parametrize("color_fix", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", SIZES)
def test_tiles_and_the_whole(model, size, channels, color_fix):
    """Floats within 1e-5; of bytes at most one level, in one of 10,000."""
    tiles, whole = Upscaler(model, tile=24, color_fix=color_fix), Upscaler(model, tile=100, color_fix=color_fix)
    assert tiles.overlap == whole.overlap == (8 if color_fix else 4) and tiles.tile == 24
    image = noise(*size, channels)
    difference = np.abs(tiles(image).astype(int) - whole(image))
    assert difference.max() <= 1 and (difference > 0).sum() <= max(1, 1e-4 * difference.size)
    colours = image[..., : channels - (channels in (2, 4))] / np.float32(127.5) - 1
    assert np.abs(tiles(colours, (-1, 1)) - whole(colours, (-1, 1))).max() <= 1e-5


@pytest.mark.parametrize("color_fix", [False, True])
def test_half_the_overlap_makes_seams(model, color_fix):
    tiles, whole = Upscaler(model, tile=24, color_fix=color_fix), Upscaler(model, tile=100, color_fix=color_fix)
    tiles.overlap //= 2
    image = noise(33, 64, 3)
    difference = np.abs(tiles(image / 127.5 - 1) - whole(image / 127.5 - 1))
    assert difference.max() > 1e-3
    assert (tiles(image) != whole(image)).mean() > 1e-3


def test_alpha_is_bicubic(model):
    image = noise(20, 30, 4)
    made = Upscaler(model, tile=11)(image)
    expected = np.rint(imresize(image[..., 3:] / 255, scale=2).clip(0, 1) * 255)
    assert np.abs(made[..., 3:] - expected).max() <= 1
    opaque = np.dstack([image[..., :3], np.full((20, 30), 255, "uint8")])
    np.testing.assert_array_equal(Upscaler(model)(opaque)[..., :3], Upscaler(model)(image[..., :3]))


def test_color_fix_brings_the_colours_back():
    """Of a network that gives nearest neighbours, 0.3 darker: made small again the picture is nearly the given one."""
    low = keras.Input((None, None, 3))
    convolution = keras.layers.Conv2D(3, 1)
    network = keras.Model(low, convolution(keras.layers.UpSampling2D(2)(low)))
    convolution.set_weights([np.eye(3)[None, None], np.full(3, -0.3)])
    dark = SimpleNamespace(average=network, scale=2, image_shape=(None, None, 3))
    image = np.kron(rng(0).uniform(-0.5, 0.5, (6, 8, 3)), np.ones((4, 4, 1)))
    without, fixed = (imresize(Upscaler(dark, color_fix=fix)(image), scale=1 / 2) - image for fix in (False, True))
    assert np.abs(without).mean() > 0.25 and np.abs(fixed).mean() < 0.05


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "options", "sentence"),
    [
        (np.zeros((4, 5, 5), "uint8"), {}, "1 to 4 channels"),
        (np.zeros((0, 5, 3), "uint8"), {}, r"saw \(0, 5, 3\)"),
        (np.zeros((0, 4, 5, 3), "uint8"), {}, r"saw \(0, 4, 5, 3\)"),
        (np.zeros(5, "uint8"), {}, r"saw \(5,\)"),
        ([[1, 2], [3, 4]], {}, "saw int64: convert them first"),
        (None, {}, r"saw \(\)"),
        (np.linspace(0, 1, 27).reshape(3, 3, 3), {}, r"saw values in \[0, 1\]: pass uint8, 2 \* x - 1, or value_range"),
        (np.full((3, 3, 3), 7.0), {}, r"saw values in \[7, 7\]"),
        (np.full((3, 3, 3), np.nan), {}, "27 values of the picture are NaN or infinite"),
        (np.zeros((3, 3, 3), "uint16"), {"value_range": (0, 1)}, "value_range is for floats; saw uint16"),
        (Image.new("L", (3, 3)), {"value_range": (0, 1)}, "value_range is for arrays of floats"),
        (Image.new("LAB", (3, 3)), {}, "mode LAB has no colours that are known here"),
    ],
)
def test_what_is_no_picture(model, x, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Upscaler(model)(x, **options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tile": 8}, "a side of more than 8 pixels, twice the overlap; saw 8"),
        ({"tile": 24.0}, "saw 24.0"),
        ({"max_memory": "2 of them"}, "saw '2 of them'"),
        ({"max_memory": 1000}, "max_memory is 0.001 MB; the smallest tile, 24 x 24 pixels, takes about"),
    ],
)
def test_options_out_of_range(model, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Upscaler(model, **options)


def test_a_model_that_upscales_nothing(model):
    with pytest.raises(ValueError, match="Functional makes no picture larger: take an SRGAN"):
        module.check_model(model.average)
    with pytest.raises(ValueError, match="Functional makes no picture larger"):
        Upscaler(model.average)


def test_what_becomes_too_large_is_refused_before_the_work(model):
    """As a picture before its pixels are read."""
    image = noise(60, 50, 3)
    for wrong in ("many", 0, -1):
        with pytest.raises(ValueError, match="max_megapixels is a number above 0, or None for any; saw"):
            Upscaler(model, max_megapixels=wrong)
    small = Upscaler(model, max_megapixels=0.0119)
    with pytest.raises(ValueError, match="50 x 60 pixels would become 100 x 120: 0.012 megapixels, more than 0.0119"):
        small(image)
    with pytest.raises(ValueError, match="would become 100 x 120, 3 times: 0.036 megapixels"):
        small.check_size(3, 60, 50)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    with Image.open(io.BytesIO(file.getvalue()[:-200])) as picture, pytest.raises(ValueError, match="raise max_meg"):
        small(picture)
    assert Upscaler(model, max_megapixels=None)(image).shape == Upscaler(model, max_megapixels=0.012)(image).shape


def test_check_values():
    module.check_values(np.array([-1.0, 1]), None)
    module.check_values(np.array([0.0, 1]), (0, 1))
    module.check_values(np.array([0, 99], "uint16"), None)


# --- memory and progress ----------------------------------------------------------------------------------------------


def test_full_memory_halves_the_tile(model):
    """Of a network that has no room for large ones: the picture is the same."""

    class Full:
        def predict_on_batch(self, x):
            if x.shape[1] > 40:
                raise MemoryError
            return model.average.predict_on_batch(x)

    image, upscale = noise(90, 70, 3), Upscaler(model, tile=70)
    expected = upscale(image)
    upscale.network = Full()
    np.testing.assert_allclose(upscale(image).astype(int), expected, atol=1)


def test_memory_chooses_the_tile(model):
    sides = [Upscaler(model, max_memory=memory).tile for memory in (2e6, "4MB", "1GB")]
    assert 24 < sides[0] < sides[1] < sides[2] == 512


def test_progress(model):
    told = []
    Upscaler(model, tile=24)(noise(2, 30, 30, 3), progress=lambda *done: told.append(done))
    assert [done for done, _ in told] == sorted(done for done, _ in told) and {total for _, total in told} == {1800}
    assert told[-1] == (1800, 1800) and len(told) == 8


def test_memory_stays_within_the_budget():
    """In a process of its own: a budget of 60 MB, and what is made besides; the whole at once would take far more."""
    code = """
import resource, sys
import numpy as np
from upscalers import upscaler
from kerasgan.upscaler import Upscaler
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
upscale = Upscaler(upscaler(4, width=32, depth=2), max_memory="60MB")
upscale(np.zeros((30, 30, 3), "uint8"))
before = peak()
made = upscale(np.zeros((500, 700, 3), "uint8"))
print(upscale.tile, made.nbytes, peak() - before)
"""
    here = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=True)
    tile, size, above = map(int, done.stdout.split())
    assert tile < 200 and above - size < 90e6, done.stdout
