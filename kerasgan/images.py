"""The image contract: uint8 in [0, 255] or floats in [-1, 1], NHWC; and picture files, in and out.

>>> to_uint8(np.array([-1.0, 0.0, 1.0]))
array([  0, 128, 255], dtype=uint8)
"""

import contextlib
import io
import pathlib

import keras
import numpy as np
from keras import ops

from kerasgan.files import check_writable, write_atomically

TOLERANCE = 1e-3  # beyond [-1, 1]: what bfloat16 and resizing leave
# EXIF (TIFF) tags of how pixels are stored: sizes, bits, compression, strips, tiles, palette, profile and the like.
STORAGE = {254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 274, 277, 278, 279, 284, 317, 318, 319, 320, 321, 322, 323}
STORAGE |= {324, 325, 330, 332, 333, 334, 336, 338, 339, 340, 341, 347, 512, 513, 514, 529, 530, 531, 532, 700, 34675}
STORAGE |= {0xA002, 0xA003}
DETAILS = 0x8769  # the tag of the Exif IFD
SIDES = {"JPEG": 65500, "WEBP": 16383, "GIF": 65535}  # the longest that a format holds


def to_float(images):
    """Images as a network takes them: uint8 becomes float32 in [-1, 1], x / 127.5 - 1; floats stay as they are.

    Backend tensors of any shape; for use inside a train step, where `check` can look at no value.
    """
    if keras.backend.standardize_dtype(images.dtype) == "uint8":
        return ops.cast(images, "float32") / 127.5 - 1
    return ops.cast(images, "float32")


def to_uint8(images):
    """Float images in [-1, 1] as uint8: (x + 1) * 127.5, rounded half to even and clipped; NumPy, any shape.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    images = np.asarray(images, "float32")
    levels = np.round((images + 1) * np.float32(127.5))
    if not np.isfinite(levels).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(levels))} values of the images are NaN or infinite.")
    return np.clip(levels, 0, 255).astype("uint8")


def check(images, image_shape=None, value_range=None):
    """Look at a batch of images on the host, and refuse what breaks the contract.

    Args:
        images: NumPy array (batch, height, width, channels), uint8 or float.
        image_shape: (height, width, channels) that is expected, or None.
        value_range: (low, high) that the caller says float images have; [-1, 1] if None.

    Raises:
        ValueError: shape, dtype or values are not as expected; the message says what to pass.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] not in (1, 3, 4):
        raise ValueError(
            f"Images have shape (batch, height, width, channels) with 1, 3 or 4 channels; saw {images.shape}."
        )
    if image_shape is not None and images.shape[1:] != tuple(image_shape):
        raise ValueError(
            f"The model takes images of shape {tuple(image_shape)}; saw {images.shape[1:]}:"
            f" resize them (kerasgan.data.from_folder and from_tfds do, with image_shape={tuple(image_shape)})."
        )
    if images.dtype == np.uint8:
        if value_range not in (None, (0, 255)):
            raise ValueError(f"uint8 images lie in [0, 255]; value_range={value_range} is for floats.")
        return
    if images.dtype.kind != "f":
        raise ValueError(f"Images are uint8, or floats in [-1, 1]; saw {images.dtype}: pass images.astype('uint8')"
                         " if they lie in [0, 255].")  # fmt: skip
    if not np.isfinite(images).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(images))} values of the images are NaN or infinite.")
    if images.size:
        check_values(float(images.min()), float(images.max()), value_range)


def check_values(low, high, value_range):
    """Refuse floats outside their range, and floats that look like [0, 1]."""
    saw = f"saw values in [{low:.4g}, {high:.4g}]"
    if value_range is None and low >= 0 and 0 < high <= 1 + TOLERANCE:
        raise ValueError(f"Float images lie in [-1, 1]; {saw}: pass uint8, 2 * x - 1, or value_range=(0, 1).")
    first, last = value_range or (-1, 1)
    if not -np.inf < first < last < np.inf:
        raise ValueError(f"value_range is (low, high), finite, with low < high; saw {value_range}.")
    slack = TOLERANCE * (last - first) / 2
    if low < first - slack or high > last + slack:
        advice = "pass uint8, or value_range=(low, high)" if value_range is None else "it does not hold them"
        raise ValueError(f"Float images lie in [{first}, {last}]; {saw}: {advice}.")


def in_contract(images, image_shape=None, value_range=None):
    """Checked images, (batch, height, width) taken as one channel: uint8 as they are, floats as float32 in [-1, 1].

    Args and Raises: as `check`.
    """
    images = np.asarray(images)
    images = images[..., None] if images.ndim == 3 else images
    value_range = tuple(value_range) if value_range is not None else None
    check(images, image_shape, value_range)
    if images.dtype == np.uint8:
        return images
    low, high = value_range or (-1, 1)
    return np.clip((images.astype("float32") - low) * np.float32(2 / (high - low)) - 1, -1, 1)


@contextlib.contextmanager
def reading(name):
    """Whatever Pillow raises inside over a damaged picture is a ValueError that names it."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, PermissionError, MemoryError):
        raise
    except Exception as error:  # of damaged files Pillow raises SyntaxError, TypeError, struct.error, ...
        raise ValueError(f"{name} is no picture that can be read: {str(error).rstrip('.')}.") from None


def open_picture(path):
    """A picture file as a Pillow picture whose size and mode are known, and whose pixels are not read yet.

    Raises:
        ValueError: it is no picture. FileNotFoundError: no such file.
    """
    from PIL import Image

    with reading(path):
        return Image.open(path)


def loses_bits(picture):
    """Whether a Pillow picture whose pixels are not read yet has colours of 16 bits a channel, of which 8 will be read.

    Grey ones keep theirs.
    """
    return not picture.mode.startswith("I") and any(";16" in str(part[3]) for part in getattr(picture, "tile", ()))


def upright(picture):
    """A Pillow picture with its pixels read, turned as its EXIF orientation says, which it then has no more.

    Raises:
        ValueError: it is damaged.
    """
    from PIL import ImageOps

    with reading(name_of(picture)):
        return ImageOps.exif_transpose(picture)


def read(path, channels=None):
    """A picture file as uint8 (height, width, channels), the way a viewer shows it.

    EXIF orientation is applied; palettes, CMYK, 1-bit and 16-bit pictures are converted; transparency becomes a fourth
    channel, or white where 1 or 3 channels are asked for.

    Args:
        path: any format that Pillow reads. channels: 1, 3 or 4; None is 1 for grey pictures, 4 for transparent, else 3.

    Raises:
        ValueError: it is no picture, or a damaged one. FileNotFoundError: no such file.
    """
    if channels not in (None, 1, 3, 4):
        raise ValueError(f"channels is 1, 3 or 4; saw {channels}.")
    with open_picture(path) as opened:
        picture = eight_bits(upright(opened))
    if channels is None:
        channels = 4 if picture.has_transparency_data else 1 if picture.mode in ("1", "L") else 3
    if channels != 4:
        picture = on_white(picture)
    pixels = np.asarray(picture.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels]))
    return pixels.reshape(*pixels.shape[:2], channels)


def write_animation(path, frames, seconds=0.25):
    """Write pictures one after the other to a .gif that starts over, whole or not at all; the last stays longest.

    Args:
        path: ends in .gif. frames: uint8 (height, width, 1, 3 or 4), all of one shape. seconds: of each.

    Raises:
        ValueError: another suffix, no frames, or frames that differ in shape. OSError: the folder cannot be written.
    """
    from PIL import Image

    frames = [np.asarray(frame) for frame in frames]
    if not str(path).endswith(".gif") or len({frame.shape for frame in frames}) != 1:
        shapes = sorted({frame.shape for frame in frames})
        raise ValueError(f"An animation is a .gif of pictures of one shape; saw {path} and shapes {shapes}.")
    check_writable(path)
    first, *rest = (Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame) for frame in frames)
    durations = [round(1000 * seconds)] * len(rest) + [round(5000 * seconds)]
    options = dict(format="GIF", save_all=True, append_images=rest, duration=durations, loop=0)
    write_atomically(path, lambda temporary: first.save(temporary, **options))


def eight_bits(picture):
    """A Pillow picture with 8 bits per channel: 16-bit and float modes, which Pillow would clip, are scaled."""
    from PIL import Image

    if picture.mode.startswith("I"):
        return Image.fromarray((np.asarray(picture).astype("float64") / 257).round().clip(0, 255).astype("uint8"))
    if picture.mode == "F":
        return Image.fromarray((np.asarray(picture) * 255).round().clip(0, 255).astype("uint8"))
    picture.load()
    return picture


def on_white(picture):
    """A Pillow picture without transparency: what lies behind it is white."""
    from PIL import Image

    if not picture.has_transparency_data:
        return picture
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)


def check_format(path, mode=None, size=(1, 1)):
    """Refuse a picture's path whose suffix names no format that can be written, or none for that mode and size."""
    from PIL import Image

    suffix = pathlib.Path(path).suffix.lower()
    format = Image.registered_extensions().get(suffix)
    if format not in Image.SAVE:
        raise ValueError(f"{path}: no picture format is named {suffix!r}; try .png, .jpg or .webp.")
    if max(size) > SIDES.get(format, max(size)):
        raise ValueError(f"{path}: {format} holds sides of up to {SIDES[format]} pixels, not {size}; try .png or .tif.")
    try:
        if mode:
            Image.new(mode, (1, 1)).save(io.BytesIO(), format)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"{path}: {format} holds no pictures of mode {mode}; try .png or .tif.") from None


def write(path, image):
    """Write uint8 (height, width, channels) with 1, 3 or 4 channels to a picture file, whole or not at all.

    Raises:
        OSError: the folder does not exist or cannot be written. ValueError: an unknown suffix, or no uint8 picture.
    """
    from PIL import Image

    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] not in (1, 3, 4):
        raise ValueError(f"A picture is uint8 (height, width, 1, 3 or 4); saw {image.dtype} {image.shape}.")
    check_format(path)
    check_writable(path)
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    write_atomically(path, picture.save)


def metadata(picture):
    """What a Pillow picture, as opened, says of itself besides its pixels: {"icc_profile", "dpi", "exif"}, what it has.

    Of EXIF without orientation, size and how pixels are stored: of what is made of it something else will hold.

    Raises:
        ValueError: its EXIF is damaged.
    """
    from PIL import Image

    kept = {name: picture.info[name] for name in ("icc_profile", "dpi") if picture.info.get(name)}
    exif = Image.Exif()  # a copy: the picture still has to be turned
    with reading(name_of(picture)):
        exif.load(picture.getexif().tobytes())
        details = exif.get_ifd(DETAILS)
        for tags in (exif, details):
            for tag in STORAGE & set(tags):
                del tags[tag]
        return kept | ({"exif": exif.tobytes()} if exif or details else {})


def name_of(picture):
    """The file of a Pillow picture, for what is said of it."""
    return getattr(picture, "filename", "") or "This picture"


def write_picture(path, picture):
    """Write a Pillow picture to a file, with its profile, resolution and EXIF where the format has them.

    JPEG and WebP with a quality of 95: whoever made a picture larger wants to see it.

    Raises:
        OSError: the folder does not exist or cannot be written. ValueError: a format unknown, or not for its mode.
    """
    check_format(path, picture.mode, picture.size)
    check_writable(path)
    kept = {name: picture.info[name] for name in ("icc_profile", "dpi", "exif") if name in picture.info}
    write_atomically(path, lambda temporary: picture.save(temporary, quality=95, **kept))
