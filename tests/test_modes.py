"""Every mode and dtype of a picture, as a network sees it and back: by hand, and through one that does nothing."""

import numpy as np
import pytest
from PIL import Image, features

from kerasgan import images, modes

rng = np.random.default_rng

COLOURS = rng(0).integers(0, 256, (5, 4, 3)).astype("uint8")
GREY = COLOURS[..., 0]
ALPHA = rng(1).integers(1, 256, (5, 4)).astype("uint8")


def palette(mode="RGB", transparency=None):
    picture = Image.fromarray((np.arange(20, dtype="uint8") % 3).reshape(5, 4), "P")
    picture.putpalette([10, 20, 30, 200, 100, 0, 7, 7, 7] if mode == "RGB" else [1, 2, 3, 90, 4, 5, 6, 255], mode)
    picture.info |= {} if transparency is None else {"transparency": transparency}
    return picture


def keyed(picture, colour):
    picture.info["transparency"] = colour
    return picture


PICTURES = {
    "1": (lambda: Image.fromarray(GREY).convert("1"), "L", "1"),
    "1 with a transparent colour": (lambda: keyed(Image.fromarray(GREY).convert("1"), 0), "LA", "LA"),
    "L": (lambda: Image.fromarray(GREY), "L", "L"),
    "L with a transparent level": (lambda: keyed(Image.fromarray(GREY), int(GREY[0, 0])), "LA", "LA"),
    "LA": (lambda: Image.fromarray(np.dstack([GREY, ALPHA])), "LA", "LA"),
    "La": (lambda: Image.fromarray(np.dstack([GREY, ALPHA])).convert("La"), "LA", "LA"),
    "P": (palette, "RGB", "RGB"),
    "P with a transparent entry": (lambda: palette(transparency=1), "RGBA", "RGBA"),
    "P with transparent entries": (lambda: palette(transparency=b"\xff\x80\x00"), "RGBA", "RGBA"),
    "P of RGBA": (lambda: palette("RGBA"), "RGBA", "RGBA"),
    "RGB": (lambda: Image.fromarray(COLOURS), "RGB", "RGB"),
    "RGB with a transparent colour": (lambda: keyed(Image.fromarray(COLOURS), tuple(COLOURS[0, 0])), "RGBA", "RGBA"),
    "RGBA": (lambda: Image.fromarray(np.dstack([COLOURS, ALPHA])), "RGBA", "RGBA"),
    "RGBa": (lambda: Image.fromarray(np.dstack([COLOURS, ALPHA])).convert("RGBa"), "RGBA", "RGBA"),
    "CMYK": (lambda: Image.fromarray(np.dstack([COLOURS, ALPHA]), "CMYK"), "CMYK", "CMYK"),
    "YCbCr": (lambda: Image.fromarray(COLOURS).convert("YCbCr"), "RGB", "YCbCr"),
    "HSV": (lambda: Image.fromarray(COLOURS).convert("HSV"), "RGB", "HSV"),
    "I;16": (lambda: Image.fromarray(GREY.astype("uint16") * 257 + 1), "L", "I;16"),
    "I;16B": (lambda: Image.fromarray(GREY.astype(">u2") * 256), "L", "I;16"),
    "I": (lambda: Image.fromarray(GREY.astype("int32") * 257), "L", "I"),
    "F": (lambda: Image.fromarray(np.float32(GREY) / 255), "L", "F"),
}


def there_and_back(array, form, channels):
    """Through a network that changes nothing."""
    planes, alpha = modes.to_planes(array, form, channels)
    assert planes.dtype == np.float32 and planes.ndim == 4 and planes.shape[-1] == channels
    assert -1 <= planes.min() and planes.max() <= 1 and (alpha is not None) == form.has_alpha
    return modes.from_planes(planes, alpha, form)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", PICTURES)
def test_every_mode_comes_back(name, channels):
    """Its pixels, as Pillow shows them, bit for bit; its mode where that can hold other colours."""
    make, layout, back = PICTURES[name]
    picture = make()
    (array, form), mode = modes.of_picture(picture), modes.mode_of(picture)
    assert (form.layout, mode) == (layout, back) and array.shape == (5, 4, len(layout))
    made = modes.to_picture(there_and_back(array, form, channels), mode)
    assert made.mode == back and made.size == picture.size
    if back in modes.AGAIN:  # once around through RGB
        picture = picture.convert(layout)
    expected = np.array(picture if picture.mode.startswith("I;16") else picture.convert(back))
    if form.has_alpha:
        expected[expected[..., -1] == 0] = 0  # what cannot be seen is black
    np.testing.assert_allclose(np.asarray(made), expected, rtol=0, atol=1e-6 if back == "F" else 0)


def test_every_mode_of_pillow_is_known_or_refused():
    known = {name.split()[0] for name in PICTURES}
    for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA", "RGBX", "RGBa",
                 "La", "I;16", "I;16L", "I;16B"):  # fmt: skip
        picture = Image.new(mode, (4, 5))
        if mode == "LAB":
            with pytest.raises(ValueError, match="mode LAB has no colours that are known here: convert it to RGB"):
                modes.of_picture(picture)
        else:
            (array, form), back = modes.of_picture(picture), modes.mode_of(picture)
            assert modes.to_picture(there_and_back(array, form, 3), back).size == (4, 5)
            assert mode in known or back in known
    assert features.version("pil")


@pytest.mark.parametrize(("dtype", "top"), [("uint8", 255), ("uint16", 65535)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_every_level_comes_back(dtype, top, channels, width):
    array = np.arange(256, dtype=dtype).repeat(width).reshape(16, 16, width) * np.array(top // 255, dtype)
    array[..., -1] |= np.array(top - top // 2, dtype)  # with alpha, none of them half transparent or more
    form = modes.of_array(array)
    assert form == (modes.LAYOUTS[width], np.dtype(dtype), 0, top)
    np.testing.assert_array_equal(there_and_back(array, form, channels), array)


@pytest.mark.parametrize("value_range", [None, (0, 1), (-3, 5), (0, 255)])
def test_floats_come_back_in_their_range(value_range):
    low, high = value_range or (-1, 1)
    for dtype in ("float16", "float32", "float64"):
        array = rng(0).uniform(low, high, (6, 5, 3)).astype(dtype).clip(low, high)
        made = there_and_back(array, modes.of_array(array, value_range), 3)
        assert made.dtype == dtype
        np.testing.assert_allclose(made, array, rtol=0, atol=(2e-3 if dtype == "float16" else 1e-6) * (high - low))


def test_bytes_are_seen_as_the_contract_has_them():
    """And made of it as `to_uint8` makes them."""
    planes, alpha = modes.to_planes(COLOURS, modes.of_array(COLOURS), 3)
    np.testing.assert_array_equal(planes[0], images.in_contract(COLOURS[None])[0] / np.float32(127.5) - 1)
    assert alpha is None
    made = rng(0).uniform(-1.2, 1.2, (1, 20, 20, 3)).astype("float32")
    np.testing.assert_array_equal(modes.from_planes(made, None, modes.of_array(COLOURS)), images.to_uint8(made[0]))


def test_what_three_channels_see_of_grey_and_one_of_colours():
    planes, _ = modes.to_planes(GREY[..., None], modes.of_array(GREY[..., None]), 3)
    assert planes.shape == (1, 5, 4, 3) and (planes == planes[..., :1]).all()
    planes, _ = modes.to_planes(COLOURS, modes.of_array(COLOURS), 1)
    assert planes.shape == (3, 5, 4, 1)
    np.testing.assert_array_equal(
        modes.to_planes(COLOURS, modes.of_array(COLOURS), 3)[0][0], planes[..., 0].T.swapaxes(0, 1)
    )


def test_grey_is_the_luma_of_what_comes_back():
    """Of pure red, green and blue: 76, 150 and 29, as Pillow has them."""
    made = 2 * np.eye(3, dtype="float32").reshape(1, 1, 3, 3) - 1
    form = modes.Form("L", np.dtype("uint8"), 0, 255)
    assert modes.from_planes(made, None, form).ravel().tolist() == [76, 150, 29]
    assert np.asarray(Image.fromarray(255 * np.eye(3, dtype="uint8")[None]).convert("L")).tolist() == [[76, 150, 29]]


def test_colours_are_premultiplied():
    """Half opaque white is grey; what is hidden is black, whatever it is."""
    array = np.array([[[255, 255, 255, 255], [255, 0, 0, 128], [0, 255, 0, 0]]], "uint8")
    planes, alpha = modes.to_planes(array, modes.of_array(array), 3)
    np.testing.assert_allclose(planes[0, 0], [[1, 1, 1], [128 / 127.5 - 1, -1, -1], [-1, -1, -1]], atol=1e-6)
    np.testing.assert_allclose(alpha[0, :, 0], [1, 128 / 255, 0], atol=1e-7)
    made = modes.from_planes(planes, alpha, modes.of_array(array))
    assert made.tolist() == [[[255, 255, 255, 255], [255, 0, 0, 128], [0, 0, 0, 0]]]


def test_no_halo():
    """Green that is hidden beside opaque white: at an alpha between, the colour is still white."""
    array = np.array([[[255, 255, 255, 255], [0, 255, 0, 0]]], "uint8")
    form = modes.of_array(array)
    planes, alpha = modes.to_planes(array, form, 3)
    between = modes.from_planes(planes.mean(axis=2, keepdims=True), alpha.mean(axis=1, keepdims=True), form)
    assert between.tolist() == [[[255, 255, 255, 128]]]


def test_what_can_hardly_be_seen_is_not_blown_up():
    form = modes.Form("LA", np.dtype("float32"), -1, 1)
    alpha = np.array([0, 1e-9, modes.SEEN / 2, modes.SEEN * 2], "float32").reshape(1, 4, 1)
    made = modes.from_planes(np.full((1, 1, 4, 1), 1e-3 - 1, "float32"), alpha, form)
    assert made[0, :3, 0].tolist() == [-1, -1, -1] and -1 < made[0, 3, 0] < 1


def test_inks_are_light():
    """No ink is white for the network, and what comes back is ink again."""
    picture = Image.new("CMYK", (2, 1), (0, 0, 0, 0))
    picture.putpixel((1, 0), (255, 0, 51, 204))
    array, form = modes.of_picture(picture)
    planes, _ = modes.to_planes(array, form, 3)
    np.testing.assert_allclose(planes[:, 0, 0], 1)
    np.testing.assert_allclose(planes[:, 0, 1], [[-1, 1, 0.6], [-0.6, -0.6, -0.6]], atol=1e-6)
    assert modes.from_planes(planes, None, form).tolist() == array.tolist()


def test_one_bit_is_black_below_the_middle():
    assert np.asarray(modes.to_picture(np.array([[[0], [127], [128], [255]]], "uint8"), "1")).tolist() == [
        [False, False, True, True]
    ]


@pytest.mark.parametrize(
    ("shape", "dtype", "sentence"),
    [
        ((4, 5, 5), "uint8", r"with 1 to 4 channels, .*; saw \(4, 5, 5\)"),
        ((4, 5), "uint8", r"saw \(4, 5\)"),
        ((0, 5, 3), "uint8", r"saw \(0, 5, 3\)"),
        ((4, 5, 3), "int64", r"are uint8, uint16, or floats in \[-1, 1\]; saw int64: convert them first"),
        ((4, 5, 3), bool, "saw bool"),
        ((4, 5, 3), complex, "saw complex128"),
        ((4, 5, 3), object, "saw object"),
    ],
)
def test_arrays_that_are_no_pictures(shape, dtype, sentence):
    with pytest.raises(ValueError, match=sentence):
        modes.of_array(np.zeros(shape, dtype))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.array([[0, 65536]], "int32"), r"up to 16 bits, \[0, 65535\]; saw values in \[0, 65536\]"),
        (np.array([[-1, 5]], "int32"), r"saw values in \[-1, 5\]"),
        (np.array([[0, 255]], "float32"), r"floats lies in \[0, 1\]; saw values in \[0, 255\]"),
        (np.array([[0, np.nan]], "float32"), r"saw values in \[nan, nan\]"),
    ],
)
def test_deep_pictures_out_of_range(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        modes.of_deep(Image.fromarray(values))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_network_that_gives_no_numbers(value):
    with pytest.raises(ValueError, match="gives values that are NaN or infinite"):
        modes.from_planes(np.full((1, 2, 2, 3), value, "float32"), None, modes.Form("RGB", np.dtype("uint8"), 0, 255))
