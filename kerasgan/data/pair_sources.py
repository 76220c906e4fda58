"""Where pairs come from: folders of pictures, arrays, streams of batches."""

import os
import pathlib
import re

import keras
import numpy as np

from kerasgan import images as pictures
from kerasgan.data.dataset import Stream, peek
from kerasgan.data.pairs import Pairs, Pictures
from kerasgan.data.sources import pictures_below


def pairs_from_folder(high, low=None, *, channels=3, **options):
    """Pairs out of the pictures in a folder and below; high and low ones are matched by their names.

    Args:
        high: the folder. low: another, of the same pictures made smaller; None makes them.
        channels: 1 or 3. options: `Pairs`'.

    Raises:
        FileNotFoundError: no such folder, or a picture without its other. ValueError: a picture that cannot be read, or
            what `Pairs` refuses.
    """
    return Pairs(**read_both(high, low, channels), **options)


def pictures_from_folder(high, low=None, *, channels=3, scale=4):
    """Pictures in a folder and below; Args and Raises as in `pairs_from_folder`."""
    return Pictures(**read_both(high, low, channels), scale=scale)


def pictures_from(source, *, channels=3, scale=4):
    """Pictures of a source: see `located`; Args and Raises as in `pairs_from_folder`."""
    high, low, part = located(source)
    return Pictures(**read_both(high, low, channels, part), scale=scale)


def pairs_from(source, *, channels=3, **options):
    """Pairs of a source: see `located`; Args and Raises as in `pairs_from_folder`."""
    high, low, part = located(source)
    return Pairs(**read_both(high, low, channels, part), **options)


def located(source):
    """(high folder, low folder or None, slice) of "HIGH", "HIGH|LOW" or "HIGH[20:]": of the first, by name, from the
    21st on. What is relative lies in `KERASGAN_DATA`, if that is set and has it.

    Raises:
        ValueError: another form.
    """
    found = re.fullmatch(r"([^\[\]|]+)(?:\|([^\[\]|]+))?(?:\[(\d*):(\d*)\])?", str(source))
    if not found:
        raise ValueError(f"Pictures are named as FOLDER, HIGH|LOW or FOLDER[first:last]; saw {str(source)!r}.")
    high, low, first, last = found.groups()
    part = slice(int(first) if first else None, int(last) if last else None)
    return placed(high), low and placed(low), part


def placed(folder):
    """The path of a folder: in `KERASGAN_DATA`, or else as it was typed."""
    there = pathlib.Path(os.environ.get("KERASGAN_DATA", ""), folder)
    return there if there.exists() or not os.path.exists(folder) else pathlib.Path(folder)


def read_both(high, low, channels, part=slice(None)):
    """{"high", "low", "names"}: the pictures of two folders, or of one; Args and Raises as in `pairs_from_folder`.

    Args:
        part: which of them, in the order of their names.
    """
    files = found_in(high, apart=low is None)
    others = files if low is None else found_in(low)
    if lonely := sorted(files.keys() ^ others.keys()):
        raise FileNotFoundError(
            f"{len(lonely)} pictures are in one of {high} and {low} alone, such as {lonely[0]}: each needs another"
            " of its name."
        )
    if not (names := sorted(files)[part]):
        raise ValueError(
            f"There is no picture in {high}{'' if part == slice(None) else f', {part.start}:{part.stop}'}."
        )
    smaller = None if low is None else [pictures.read(others[name], channels) for name in names]
    read = [pictures.read(files[name], channels) for name in names]
    return {"high": read, "low": smaller, "names": [str(files[name]) for name in names]}


def pairs_of(x, y=None, *, scale, channels, batch_size=None, seed=0, shuffle=True, value_range=None):
    """What super-resolution trains on: arrays become Pairs, the rest stays what it is after a look at its first batch.

    Args:
        x: Pairs, a stream of (low, high) batches, or an array of low pictures, to which y is that of the high ones; of
            arrays each crop is a whole picture, as long as it is square.
        scale, channels: of the model. The rest is for arrays, as in `dataset_of`.

    Returns:
        (what to train on, how many crops a batch has; None where there is no batch to look at).

    Raises:
        ValueError: pictures without the others, of another scale or number of channels, or an option of no use.
    """
    if y is None and (isinstance(x, list | tuple) or hasattr(x, "__array__") or type(x) is Pictures):
        raise ValueError("Super-resolution learns from pairs: pass low and high pictures, or kerasgan.data.Pairs.")
    if x is None:
        raise ValueError("There are no pictures: pass kerasgan.data.Pairs, or low and high pictures.")
    if y is not None:
        x = of_arrays(x, y, scale, batch_size, seed, value_range)
    elif batch_size is not None or value_range is not None:
        raise ValueError("batch_size and value_range are for arrays: these come in batches of their own.")
    pairs = x.dataset if isinstance(x, Stream) else x
    if not isinstance(pairs, Pairs):
        return looked_at(x, channels)
    if not shuffle and x is pairs:  # a Stream has its order
        raise ValueError("shuffle=False is of no use here: crops are drawn at random.")
    check_fits(pairs, scale, channels)
    return x, pairs.batch_size


def of_arrays(low, high, scale, batch_size=None, seed=0, value_range=None):
    """Pairs of arrays of low and high pictures (n, h, w, c); a crop is as long as a picture's shorter side."""
    low, high = np.asarray(low), np.asarray(high)
    if value_range is not None or high.dtype != np.uint8:
        raise ValueError(
            f"Pairs are learnt from uint8 pictures; saw {high.dtype}, value_range={value_range}: round them."
        )
    if low.ndim != 4 or high.ndim != 4 or min(high.shape) < 1:
        raise ValueError(f"Pairs are arrays (n, height, width, channels); saw low {low.shape} and high {high.shape}.")
    batch_size = batch_size or min(16, len(high))
    crop = max(min(high.shape[1:3]) // scale, 1) * scale
    return Pairs(high, low, scale=scale, crop=crop, batch_size=batch_size, steps=-(-len(high) // batch_size), seed=seed)


def looked_at(x, channels):
    """(a stream of (low, high) batches, how many one has), after a look at the first: both halves, not used up."""
    batch, x = peek(x)
    if batch is None:
        return x, None
    if not isinstance(batch, list | tuple) or len(batch) != 2:
        raise ValueError("Super-resolution learns from (low, high) batches, and those of this stream are none.")
    for half in map(keras.ops.convert_to_numpy, batch):
        pictures.check(half)
        if half.shape[-1] != channels:
            raise ValueError(f"The model makes pictures of {channels} channels; this stream's have {half.shape[-1]}.")
    return x, len(batch[0])


def check_fits(pairs, scale, channels):
    """Refuse Pairs or Pictures of another scale or number of channels than the model's."""
    if (pairs.scale, pairs.channels) != (scale, channels):
        raise ValueError(
            f"The model makes pictures of {channels} channels {scale} times larger; these pairs are of scale"
            f" {pairs.scale} and have {pairs.channels} channels."
        )


def measured_of(x, *, scale, channels, value_range=None):
    """(what `evaluate` goes through, None, None): Pairs, Pictures, or another stream of (low, high) batches.

    Raises:
        ValueError: pictures without the others, or what `pairs_of` refuses.
    """
    if x is None or isinstance(x, list | tuple) or hasattr(x, "__array__"):
        raise ValueError(
            "Super-resolution is measured by pairs: pass low and high pictures, or kerasgan.data.Pictures."
        )
    if value_range is not None:
        raise ValueError("value_range is for arrays: scale a tf.data.Dataset with map.")
    if isinstance(x, Pictures):
        check_fits(x, scale, channels)
        return one_by_one(x), None, None
    return looked_at(x, channels)[0], None, None


def one_by_one(x):
    """What `evaluate` goes through: Pictures as a tf.data.Dataset of pictures of any size, the rest as it is.

    Keras takes the shapes of a PyDataset's first batches for those of all.
    """
    if type(x) is not Pictures or keras.backend.backend() != "tensorflow":
        return x
    import tensorflow as tf

    def picture(i):
        both = tf.numpy_function(lambda i: x[int(i)], [i], [tf.uint8, tf.uint8])
        return tuple(tf.ensure_shape(image, (1, None, None, x.channels)) for image in both)

    return tf.data.Dataset.range(len(x)).map(picture)


def found_in(folder, apart=False):
    """{path below the folder, without suffix: path} of its pictures; `apart`: with it.

    Raises:
        FileNotFoundError: no such folder. ValueError: two pictures of one name.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        where = "" if folder.is_absolute() else " What is relative lies in KERASGAN_DATA, if that is set."
        raise FileNotFoundError(f"There is no folder {folder}.{where}")
    found = {}
    for path in pictures_below(folder):
        name = path.relative_to(folder).with_suffix(path.suffix if apart else "").as_posix()
        if name in found:
            raise ValueError(f"{found[name]} and {path} have one name: which belongs to its other? Take one out.")
        found[name] = path
    return found
