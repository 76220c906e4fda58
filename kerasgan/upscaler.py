"""A network that upscales, and pictures of any kind and size: tiles within a budget of memory.

>>> Upscaler(model)("holiday.jpg").save("large.png")
"""

import functools
import os
import warnings

import numpy as np

from kerasgan import images, modes, tiling
from kerasgan.resampling import imresize

MEMORY = "1GB"  # for what is made of one tile
MEGAPIXELS = 250  # of what is made: 0.75 GB in RGB
BICUBIC, BACK = 2, 4  # how far bicubic enlarging sees, and shrinking before it, in pixels of the smaller picture
HOST = 64  # bytes for each number that is made of a tile: float64 while alpha or colours are resized


class Upscaler:
    """What `kerasgan.upscale` does with one model.

    Args:
        model: with `average`, a convolutional network from (batch, h, w, channels) in [-1, 1] to `scale` times the
            sides, `scale`, and `image_shape`: a `kerasgan.SRGAN`.
        color_fix: whether the picture, made small again, shall be the given one: what differs is added, enlarged
            (iterative back-projection, Irani and Peleg 1991, one step).
        tile: side of the tiles in pixels of the input; None: the largest that `max_memory` holds, an estimate.
        max_memory: for the work on one tile, in bytes or as in "2GB"; pictures themselves come on top.
        max_megapixels: of what is made; None: any.

    Raises:
        ValueError: a model that upscales nothing or cannot be run in tiles, or an option out of range.
    """

    def __init__(self, model, *, color_fix=False, tile=None, max_memory=MEMORY, max_megapixels=MEGAPIXELS):
        check_model(model)
        if max_megapixels is not None and not (isinstance(max_megapixels, int | float) and max_megapixels > 0):
            raise ValueError(f"max_megapixels is a number above 0, or None for any; saw {max_megapixels!r}.")
        self.network, self.scale, self.channels = model.average, model.scale, model.image_shape[-1]
        self.network.jit_compile = False  # XLA would compile anew for every size
        self.color_fix, self.max_megapixels = color_fix, max_megapixels
        self.overlap = max(BICUBIC, tiling.receptive_radius(self.network) + BACK * bool(color_fix))
        per_pixel = tiling.bytes_per_pixel(self.network) + HOST * self.scale**2 * self.channels
        self.tile = (
            tile if tile is not None else tiling.tile_within(tiling.bytes_of(max_memory), per_pixel, self.overlap)
        )
        tiling.check_tile(self.tile, self.overlap)

    def __call__(self, x, value_range=None, progress=None):
        """A picture, larger; x, value_range, progress, Returns and Raises: `kerasgan.upscale`'s."""
        from PIL import Image

        x = images.open_picture(x) if isinstance(x, str | os.PathLike) else x
        if not isinstance(x, Image.Image):
            return self.array(x, value_range, progress)
        if value_range is not None:
            raise ValueError("value_range is for arrays of floats: a picture says itself what is white.")
        return self.picture(x, progress)

    def picture(self, picture, progress=None):
        """A Pillow picture, larger: upright, of its mode (a palette's RGB), with its profile and EXIF."""
        self.check_size(1, *picture.size[::-1])
        check_still(picture)
        if images.loses_bits(picture):
            name = images.name_of(picture)
            warnings.warn(
                f"{name} has 16 bits a channel, of which Pillow reads 8, and so has what is made of it: to keep all,"
                " upscale a uint16 array.", stacklevel=3,
            )  # fmt: skip
        kept = images.metadata(picture)
        picture = images.upright(picture)
        made = modes.to_picture(self.one(*modes.of_picture(picture), progress), modes.mode_of(picture))
        made.info |= kept
        return made

    def array(self, array, value_range=None, progress=None):
        """An array, larger, of its dtype and number of dimensions: (h, w), (h, w, channels) or (n, h, w, channels)."""
        array, value_range = np.asarray(array), None if value_range is None else tuple(value_range)
        several = array[None, ..., None] if array.ndim == 2 else array[None] if array.ndim == 3 else array
        form = modes.of_array(several[0] if several.ndim == 4 and len(several) else several, value_range)
        check_values(array, value_range)
        self.check_size(*several.shape[:3])

        def told(done, pixels, before):
            progress(before * pixels + done, len(several) * pixels)

        tell = [progress and functools.partial(told, before=i) for i in range(len(several))]
        made = [self.one(image, form, each) for image, each in zip(several, tell, strict=True)]
        made = np.stack(made) if array.ndim == 4 else made[0]
        return made[..., 0] if array.ndim == 2 else made

    def one(self, array, form, progress=None):
        """An array (h, w, channels) of this form, larger."""

        def run(part):
            planes, alpha = modes.to_planes(part, form, self.channels)
            made = np.concatenate([self.network.predict_on_batch(plane[None]) for plane in planes])
            if self.color_fix:
                made = made + imresize(planes - imresize(made, planes.shape[1:3]), scale=self.scale)
            if alpha is not None:
                alpha = imresize(alpha, scale=self.scale).clip(0, 1).astype("float32")
            return modes.from_planes(made, alpha, form)

        return tiling.tiled(run, array, self.scale, self.tile, self.overlap, progress)

    def check_size(self, n, height, width):
        """Refuse what would become larger than it may, before any work."""
        megapixels = n * height * width * self.scale**2 / 1e6
        if self.max_megapixels is not None and megapixels > self.max_megapixels:
            raise ValueError(
                f"{width} x {height} pixels would become {width * self.scale} x {height * self.scale}"
                f"{f', {n} times' if n > 1 else ''}: {megapixels:.4g} megapixels, more than {self.max_megapixels}."
                " Make it smaller first, or raise max_megapixels (the command: --force)."
            )


def check_model(model):
    """Refuse a model that makes no picture larger."""
    if not hasattr(model, "average") or not hasattr(model, "scale"):
        raise ValueError(f"{type(model).__name__} makes no picture larger: take an SRGAN.")


def check_still(picture):
    """Refuse an animation, or a file of several pages; the pictures that a camera hides behind one (MPO) are no pages.

    Raises:
        ValueError: it has several frames, or is damaged.
    """
    name = images.name_of(picture)
    with images.reading(name):
        frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":
        raise ValueError(f"{name} has {frames} frames, and one can be upscaled: save them as pictures.")


def check_values(array, value_range):
    """Refuse floats outside their range, and a range of integers."""
    if array.dtype.kind != "f":
        if value_range is not None:
            raise ValueError(f"value_range is for floats; saw {array.dtype}, whose range is known.")
    elif not np.isfinite(array).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(array))} values of the picture are NaN or infinite.")
    else:
        images.check_values(float(array.min()), float(array.max()), value_range)
