"""The image contract, case by case, and picture files of every mode."""

import keras
import numpy as np
import pytest
from PIL import Image

from kerasgan import images

rng = np.random.default_rng


def floats(low, high, shape=(2, 4, 4, 1)):
    """Floats that reach both ends of a range."""
    return np.linspace(low, high, int(np.prod(shape)), dtype="float32").reshape(shape)


# --- levels -----------------------------------------------------------------------------------------------------------


def test_all_256_levels_survive_the_round_trip():
    levels = np.arange(256, dtype="uint8")
    values = keras.ops.convert_to_numpy(images.to_float(levels))
    assert values.dtype == np.float32 and values[0] == -1 and values[255] == 1 and (np.diff(values) > 0).all()
    np.testing.assert_allclose(values, levels / 127.5 - 1, atol=1e-7)
    np.testing.assert_array_equal(images.to_uint8(values), levels)


def test_floats_pass_as_they_are():
    for dtype in ("float16", "float32", "float64"):
        values = keras.ops.convert_to_numpy(images.to_float(np.array([-1, 0.25, 1], dtype)))
        assert values.dtype == np.float32 and values.tolist() == [-1, 0.25, 1]


def test_to_uint8_rounds_and_clips():
    values = [-1.5, -1, 1 / 127.5 - 1, 1.4 / 127.5 - 1, 1.6 / 127.5 - 1, 0, 1, 1.5]
    assert images.to_uint8(np.array(values)).tolist() == [0, 0, 1, 1, 2, 128, 255, 255]  # 127.5 is rounded to even
    assert images.to_uint8(np.zeros((2, 3, 3, 1))).shape == (2, 3, 3, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_to_uint8_refuses_what_is_no_number(value):
    with pytest.raises(ValueError, match="2 values of the images are NaN or infinite"):
        images.to_uint8(np.array([0, value, value, 1]))


# --- the contract -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "options"),
    [
        (np.zeros((2, 4, 4, 1), "uint8"), {}),
        (np.full((2, 4, 4, 3), 255, "uint8"), {"value_range": (0, 255)}),
        (np.zeros((0, 4, 4, 4), "float32"), {}),
        (floats(-1, 1), {"image_shape": (4, 4, 1)}),
        (floats(-1, 1).astype("float16"), {"image_shape": [4, 4, 1]}),
        (floats(-1.0005, 1.0005), {}),
        (floats(-1, -0.5), {}),
        (floats(0, 0), {}),  # black in neither range, and grey in ours: nothing says that it is [0, 1]
        (floats(0, 1), {"value_range": (0, 1)}),
        (floats(0, 255), {"value_range": (0, 255)}),
    ],
)
def test_what_the_contract_takes(value, options):
    images.check(value, **options)


@pytest.mark.parametrize(
    ("value", "options", "sentence"),
    [
        (np.zeros((4, 4, 1), "uint8"), {}, r"\(batch, height, width, channels\) with 1, 3 or 4 .*; saw \(4, 4, 1\)"),
        (np.zeros((2, 4, 4, 2), "uint8"), {}, r"with 1, 3 or 4 channels; saw \(2, 4, 4, 2\)"),
        (np.zeros((2, 1, 4, 4, 1), "uint8"), {}, r"saw \(2, 1, 4, 4, 1\)"),
        (np.zeros((2, 4, 5, 1), "uint8"), {"image_shape": (4, 4, 1)},
         r"takes images of shape \(4, 4, 1\); saw \(4, 5, 1\): resize them .*from_folder.*image_shape=\(4, 4, 1\)"),
        (np.zeros((2, 4, 4, 1), "uint8"), {"value_range": (0, 1)},
         r"uint8 images lie in \[0, 255\]; value_range=\(0, 1\) is for floats"),
        (np.zeros((2, 4, 4, 1), "int64"), {}, r"or floats in \[-1, 1\]; saw int64: pass images.astype\('uint8'\)"),
        (np.zeros((2, 4, 4, 1), bool), {}, "saw bool: pass images.astype"),
        (floats(np.nan, np.nan), {}, "32 values of the images are NaN or infinite"),
        (floats(0, 1), {}, r"saw values in \[0, 1\]: pass uint8, 2 \* x - 1, or value_range=\(0, 1\)"),
        (floats(0, 1.0005), {}, r"or value_range=\(0, 1\)"),
        (floats(0.2, 0.9), {}, r"saw values in \[0.2, 0.9\]: pass uint8, 2 \* x - 1, or value_range=\(0, 1\)"),
        (floats(0, 255), {}, r"lie in \[-1, 1\]; saw values in \[0, 255\]: pass uint8, or value_range=\(low, high\)"),
        (floats(-1, 1.01), {}, r"saw values in \[-1, 1.01\]"),
        (floats(-1, 1), {"value_range": (0, 1)}, r"lie in \[0, 1\]; saw values in \[-1, 1\]: it does not hold them"),
        (floats(0, 1), {"value_range": (1, 0)}, r"value_range is \(low, high\), finite, with low < high; saw \(1, 0\)"),
    ],
)  # fmt: skip
def test_what_the_contract_refuses(value, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        images.check(value, **options)
    if value.ndim != 3:  # which `in_contract` takes as one channel
        with pytest.raises(ValueError, match=sentence):
            images.in_contract(value, **options)


@pytest.mark.parametrize(
    ("low", "high", "value_range", "sentence"),
    [
        (-1, 1, None, None),
        (0, 0, None, None),
        (0, 1, None, "value_range=.0, 1"),
        (0, 1, (0, 1), None),
        (0, 2, (0, 1), "does not hold them"),
        (0, 1, (1, 1), "low < high"),
    ],
)
def test_check_values(low, high, value_range, sentence):
    if sentence is None:
        images.check_values(low, high, value_range)
    else:
        with pytest.raises(ValueError, match=sentence):
            images.check_values(low, high, value_range)


@pytest.mark.parametrize("value_range", [None, (0, 1), (0, 255), (-3, 5)])
def test_in_contract_scales_to_one_range(value_range):
    low, high = value_range or (-1, 1)
    made = images.in_contract(floats(low, high, (2, 8, 8, 1)).astype("float64"), value_range=value_range)
    assert made.dtype == np.float32 and made.min() == -1 and made.max() == 1
    np.testing.assert_allclose(made, floats(-1, 1, (2, 8, 8, 1)), atol=1e-6)


def test_in_contract_leaves_uint8_and_adds_a_channel():
    grey = rng(0).integers(0, 256, (3, 4, 4)).astype("uint8")
    made = images.in_contract(grey, (4, 4, 1))
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made[..., 0], grey)
    assert images.in_contract(floats(-1.0005, 1.0005)).max() == 1, "what bfloat16 leaves is cut off"


# --- picture files, read ----------------------------------------------------------------------------------------------

COLOURS = rng(1).integers(0, 256, (5, 4, 3)).astype("uint8")
ALPHA = np.where(np.arange(20).reshape(5, 4) % 2, 255, 0).astype("uint8")  # every second pixel is transparent
GREY = COLOURS[..., 0]
LUMA = np.asarray(Image.fromarray(COLOURS).convert("L"))


def on_white(colours):
    return np.where(ALPHA[..., None] == 255, colours, 255)


def palette(transparency=None):
    picture = Image.fromarray((np.arange(20, dtype="uint8") % 2).reshape(5, 4), "P")
    picture.putpalette([10, 20, 30, 200, 100, 0])
    picture.info |= {} if transparency is None else {"transparency": transparency}
    return picture


TWO_COLOURS = np.where(ALPHA[..., None] == 255, [200, 100, 0], [10, 20, 30])
SIXTEEN = (np.arange(20, dtype="uint16") * 3449).reshape(5, 4)  # up to 65,531
FILES = {
    "1.png": (lambda: Image.fromarray(ALPHA).convert("1"), None, ALPHA[..., None]),
    "L.png": (lambda: Image.fromarray(GREY), None, GREY[..., None]),
    "L to colour.png": (lambda: Image.fromarray(GREY), 3, np.repeat(GREY[..., None], 3, axis=2)),
    "LA.png": (lambda: Image.fromarray(np.dstack([GREY, ALPHA])), None, np.dstack([GREY, GREY, GREY, ALPHA])),
    "LA to grey.png": (lambda: Image.fromarray(np.dstack([GREY, ALPHA])), 1, on_white(GREY[..., None])),
    "RGB.png": (lambda: Image.fromarray(COLOURS), None, COLOURS),
    "RGB to grey.bmp": (lambda: Image.fromarray(COLOURS), 1, LUMA[..., None]),
    "RGB to four.png": (lambda: Image.fromarray(COLOURS), 4, np.dstack([COLOURS, np.full_like(ALPHA, 255)])),
    "RGBA.png": (lambda: Image.fromarray(np.dstack([COLOURS, ALPHA])), None, np.dstack([COLOURS, ALPHA])),
    "RGBA to colour.png": (lambda: Image.fromarray(np.dstack([COLOURS, ALPHA])), 3, on_white(COLOURS)),
    "P.png": (palette, None, TWO_COLOURS),
    "P transparent.png": (lambda: palette(0), None, np.dstack([TWO_COLOURS, ALPHA])),
    "P transparent to colour.png": (lambda: palette(0), 3, on_white(TWO_COLOURS)),
    "I;16.png": (lambda: Image.fromarray(SIXTEEN), None, np.round(SIXTEEN / 257)[..., None]),
    "I;16 to colour.tif": (lambda: Image.fromarray(SIXTEEN), 3, np.round(SIXTEEN / 257)[..., None].repeat(3, 2)),
    "F.tif": (lambda: Image.fromarray(floats(0, 1, (5, 4))), None, np.round(floats(0, 1, (5, 4)) * 255)[..., None]),
    "CMYK.tif": (lambda: Image.fromarray(255 - COLOURS).convert("RGB").convert("CMYK"), None, 255 - COLOURS),
    "YCbCr.tif": (lambda: Image.new("YCbCr", (4, 5), (100, 128, 128)), None, np.full((5, 4, 3), 100)),
}


@pytest.mark.parametrize("name", FILES)
def test_read(tmp_path, name):
    make, channels, expected = FILES[name]
    make().save(tmp_path / name)
    seen = images.read(tmp_path / name, channels)
    assert seen.dtype == np.uint8
    np.testing.assert_array_equal(seen, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_read_applies_exif_orientation(tmp_path, orientation):
    """The tag says what was done to the picture; a viewer undoes it (EXIF 2.3, tag 0x0112)."""
    upright = COLOURS
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.swapaxes(0, 1), 6: np.rot90(upright), 7: np.rot90(upright, 2).swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "x.png", exif=exif)
    np.testing.assert_array_equal(images.read(tmp_path / "x.png"), upright)


def test_eight_bits_leaves_eight_bits():
    np.testing.assert_array_equal(np.asarray(images.eight_bits(Image.fromarray(COLOURS))), COLOURS)
    assert np.asarray(images.eight_bits(Image.new("I", (1, 1), 70_000))).item() == 255


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".webp", ".tif", ".bmp"])
def test_a_truncated_file(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    Image.fromarray(rng(0).integers(0, 256, (32, 32, 3)).astype("uint8")).save(path)
    images.read(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(ValueError, match=rf"x{suffix} is no picture that can be read: .+"):
        images.read(path)


def test_what_is_no_picture(tmp_path):
    for content in (b"", b"no picture", b"\x89PNG\r\n\x1a\n"):
        (tmp_path / "x.png").write_bytes(content)
        with pytest.raises(ValueError, match="x.png is no picture that can be read"):
            images.read(tmp_path / "x.png")
    with pytest.raises(FileNotFoundError, match="none.png"):
        images.read(tmp_path / "none.png")
    with pytest.raises(IsADirectoryError):
        images.read(tmp_path)
    with pytest.raises(ValueError, match="channels is 1, 3 or 4; saw 2"):
        images.read(tmp_path / "x.png", channels=2)


# --- picture files, written -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_write(tmp_path, channels):
    image = rng(0).integers(0, 256, (6, 5, channels)).astype("uint8")
    images.write(tmp_path / "x.png", image)
    np.testing.assert_array_equal(images.read(tmp_path / "x.png", channels), image)
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


@pytest.mark.parametrize(
    ("name", "image", "error", "sentence"),
    [
        ("x.jpg", np.zeros((4, 4, 4), "uint8"), OSError, "RGBA"),  # found by Pillow, while it writes
        ("none/x.png", np.zeros((4, 4, 3), "uint8"), FileNotFoundError, "there is no folder .*none. Make it first"),
        ("x.xyz", np.zeros((4, 4, 3), "uint8"), ValueError, "no picture format is named '.xyz'; try .png"),
        ("x", np.zeros((4, 4, 3), "uint8"), ValueError, "no picture format is named ''; try .png"),
        ("x.png", np.zeros((4, 4), "uint8"), ValueError, r"uint8 \(height, width, 1, 3 or 4\); saw uint8 \(4, 4\)"),
        ("x.png", np.zeros((4, 4, 2), "uint8"), ValueError, r"saw uint8 \(4, 4, 2\)"),
        ("x.png", np.zeros((4, 4, 3)), ValueError, r"saw float64 \(4, 4, 3\)"),
    ],
)
def test_write_is_whole_or_not_at_all(tmp_path, name, image, error, sentence):
    (tmp_path / "x.jpg").write_text("old")
    with pytest.raises(error, match=sentence):
        images.write(tmp_path / name, image)
    assert [path.name for path in tmp_path.iterdir()] == ["x.jpg"] and (tmp_path / "x.jpg").read_text() == "old"


@pytest.mark.parametrize("channels", [1, 3])
def test_write_animation(tmp_path, channels):
    """As many frames as pictures, the last shown longest, over and over; of few colours nothing is lost."""
    frames = [np.full((6, 5, channels), 60 * i, "uint8") for i in range(3)]
    images.write_animation(tmp_path / "x.gif", frames, seconds=0.1)
    with Image.open(tmp_path / "x.gif") as animation:
        shown = []
        for i in range(animation.n_frames):
            animation.seek(i)
            shown.append((int(np.asarray(animation.convert("L")).mean()), animation.info["duration"]))
        assert shown == [(0, 100), (60, 100), (120, 500)] and animation.info["loop"] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["x.gif"]
    for path, wrong in (("x.png", frames), ("y.gif", []), ("y.gif", [frames[0], frames[0][:3]])):
        with pytest.raises(ValueError, match="An animation is a .gif of pictures of one shape; saw"):
            images.write_animation(tmp_path / path, wrong)


def test_check_format():
    for name in ("x.png", "x.JPG", "x.webp", "x.tif"):
        images.check_format(name)
    with pytest.raises(ValueError, match="x.txt: no picture format is named '.txt'"):
        images.check_format("x.txt")
