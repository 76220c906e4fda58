"""What the numbers of a picture mean: any mode or dtype as colours in [-1, 1] and alpha in [0, 1], and back.

>>> array, form = of_picture(logo)                        # uint8 (h, w, 4)
>>> planes, alpha = to_planes(array, form, channels=3)    # (1, h, w, 3) in [-1, 1], premultiplied; (h, w, 1)
>>> to_picture(from_planes(planes, alpha, form), mode_of(logo))
"""

from typing import NamedTuple

import numpy as np

LAYOUTS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # of an array by its channels; pictures also have CMYK
# What Pillow is asked to make of a mode, without transparency and with it.
AS = {mode: ("L", "LA") for mode in ("1", "L", "LA", "La")}
AS |= {mode: ("RGB", "RGBA") for mode in ("P", "PA", "RGB", "RGBX", "RGBA", "RGBa", "YCbCr", "HSV")}
AS |= {"CMYK": ("CMYK", "CMYK")}
AGAIN = ("1", "YCbCr", "HSV")  # modes that hold any colours made for them; a palette has only those it has
LUMA = np.array([0.299, 0.587, 0.114], "float32")  # ITU-R BT.601, as Pillow has it
SEEN = 0.5 / 255  # alpha below which there is no colour to be seen, nor to be divided by it


class Form(NamedTuple):
    """What the channels of an array are ("L", "LA", "RGB", "RGBA", "CMYK"), and which numbers are black and white."""

    layout: str
    dtype: np.dtype
    low: float
    high: float

    @property
    def has_alpha(self):
        """Whether the last channel is how opaque a pixel is."""
        return self.layout in ("LA", "RGBA")

    @property
    def colours(self):
        """How many channels are not alpha."""
        return len(self.layout) - self.has_alpha


def of_array(array, value_range=None):
    """The form of an array (height, width, 1 to 4 channels): grey, grey and alpha, RGB, RGBA.

    Args:
        array: uint8 in [0, 255], uint16 in [0, 65535], or floats in value_range, [-1, 1] by default.

    Raises:
        ValueError: another shape or dtype.
    """
    if array.ndim != 3 or array.shape[2] not in LAYOUTS or 0 in array.shape:
        raise ValueError(
            "A picture is (height, width) or (height, width, channels) with 1 to 4 channels, several are (n, height,"
            f" width, channels); saw {array.shape}."
        )
    if array.dtype in (np.uint8, np.uint16):
        low, high = 0, np.iinfo(array.dtype).max
    elif array.dtype.kind == "f":
        low, high = value_range or (-1, 1)
    else:
        raise ValueError(f"Pictures are uint8, uint16, or floats in [-1, 1]; saw {array.dtype}: convert them first.")
    return Form(LAYOUTS[array.shape[2]], array.dtype, low, high)


def mode_of(picture):
    """The mode that a Pillow picture has when it comes back: its own, or for a palette, which cannot hold new colours,
    and for a transparent colour "RGB", "RGBA" or "LA".

    Raises:
        ValueError: a mode that says no colours (LAB).
    """
    if picture.mode in ("I", "F"):
        return picture.mode
    if picture.mode.startswith("I;16"):
        return "I;16"
    if picture.mode not in AS:
        raise ValueError(f"A picture of mode {picture.mode} has no colours that are known here: convert it to RGB.")
    transparent = picture.has_transparency_data
    return picture.mode if picture.mode in AGAIN and not transparent else AS[picture.mode][transparent]


def of_picture(picture):
    """A Pillow picture as (array (height, width, channels), its form).

    Raises:
        ValueError: a mode that says no colours (LAB), or numbers outside 16 bits ("I") or [0, 1] ("F").
    """
    mode = mode_of(picture)
    if mode in ("I", "I;16", "F"):
        return of_deep(picture)
    layout = AS[picture.mode][picture.has_transparency_data]
    array = np.asarray(picture.convert(layout))
    array = array.reshape(*array.shape[:2], -1)
    return array, Form(layout, array.dtype, 0, 255)


def of_deep(picture):
    """`of_picture` for grey pictures of more than 8 bits: "I;16" and its byte orders, "I", "F"."""
    array = np.asarray(picture)[..., None]
    low, high = float(array.min()), float(array.max())
    if picture.mode == "F":
        if not 0 <= low <= high <= 1:
            raise ValueError(f"A picture of floats lies in [0, 1]; saw values in [{low:.4g}, {high:.4g}].")
        return array, Form("L", array.dtype, 0, 1)
    if low < 0 or high > 65535:
        raise ValueError(f"A grey picture has up to 16 bits, [0, 65535]; saw values in [{low:.0f}, {high:.0f}].")
    array = array.astype("uint16")
    return array, Form("L", array.dtype, 0, 65535)


def to_picture(array, mode):
    """The Pillow picture of an array and the `mode_of` the one before; "1" is black below the middle."""
    from PIL import Image

    array = array[..., 0] if array.shape[2] == 1 else array
    if mode == "CMYK":
        return Image.frombuffer("CMYK", array.shape[1::-1], np.ascontiguousarray(array), "raw", "CMYK", 0, 1)
    if mode == "I":
        return Image.fromarray(array.astype("int32"))
    picture = Image.fromarray(array)
    return picture if picture.mode == mode else picture.convert(mode, dither=Image.Dither.NONE)


def to_planes(array, form, channels):
    """What a network is shown of an array (h, w, ...): pictures of its channels, and alpha apart.

    Colours are premultiplied, or what lies hidden under transparent pixels would shine at their edges. Three channels
    see grey as a colour; one sees each colour by itself. The inks of CMYK are light again: C, M and Y as a colour, K as
    grey.

    Args:
        array: of this form. channels: that the network takes, 1 or 3.

    Returns:
        float32 (n, h, w, channels) in [-1, 1], and alpha, float32 (h, w, 1) in [0, 1], or None.
    """
    signed = (array.astype("float32") - form.low) / np.float32((form.high - form.low) / 2) - 1
    alpha = None
    if form.has_alpha:
        alpha = (signed[..., -1:] + 1) / 2
        signed = (signed[..., :-1] + 1) * alpha - 1
    if form.layout == "CMYK":
        signed = -signed
    parts = [signed[..., i : i + channels] for i in range(0, form.colours, channels)]
    return np.stack([part if part.shape[2] == channels else part.repeat(channels, 2) for part in parts]), alpha


def from_planes(planes, alpha, form):
    """The array of what a network made of `to_planes`, clipped; rounded where its dtype is of integers.

    Args:
        planes: floats (n, h, w, channels). alpha: (h, w, 1) in [0, 1] at the new size, or None.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    if not np.isfinite(planes).all():
        raise ValueError("The network gives values that are NaN or infinite.")
    channels = planes.shape[-1]
    alone = form.colours % channels  # the number of colours that were repeated: 1 or none
    parts = [*planes[:-1], planes[-1] @ LUMA[:, None]] if alone else list(planes)
    signed = np.concatenate(parts, axis=2, dtype="float32")
    if form.layout == "CMYK":
        signed = -signed
    if form.has_alpha:
        colours = np.where(alpha < SEEN, -1, (signed + 1) / np.maximum(alpha, SEEN) - 1)
        signed = np.concatenate([colours, 2 * alpha - 1], axis=2)
    values = (np.clip(signed, -1, 1) + 1) * np.float32((form.high - form.low) / 2) + form.low
    return (np.rint(values) if form.dtype.kind == "u" else values).astype(form.dtype)
