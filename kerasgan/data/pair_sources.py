"""Where pairs come from: folders of pictures, arrays, streams of batches."""

import os
import pathlib
import re

import keras
import numpy as np

from kerasgan import images as pictures
from kerasgan.data.dataset import Stream, dataset_of
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
    21st on. What is relative lies in `KERASGAN_DATA`, if that is set.

    Raises:
        ValueError: another form.
    """
    found = re.fullmatch(r"([^\[\]|]+)(?:\|([^\[\]|]+))?(?:\[(\d*):(\d*)\])?", str(source))
    if not found:
        raise ValueError(f"Pictures are named as FOLDER, HIGH|LOW or FOLDER[first:last]; saw {str(source)!r}.")
    place, (high, low, first, last) = pathlib.Path(os.environ.get("KERASGAN_DATA", "")), found.groups()
    part = slice(int(first) if first else None, int(last) if last else None)
    return place / high, low and place / low, part


def read_both(high, low, channels, part=slice(None)):
    """{"high", "low", "names"}: the pictures of two folders, or of one; Args and Raises as in `pairs_from_folder`.

    Args:
        part: which of them, in the order of their names.
    """
    files, others = found_in(high), found_in(high if low is None else low)
    if lonely := sorted(files.keys() ^ others.keys()):
        raise FileNotFoundError(
            f"{len(lonely)} pictures are in one of {high} and {low} alone, such as {lonely[0]}: each needs another"
            " of its name."
        )
    names = sorted(files)[part]
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
    pairs = x.dataset if isinstance(x, Stream) else x
    if y is not None:
        if value_range is not None:
            raise ValueError("value_range is of no use here: pairs are learnt from uint8 pictures.")
        crop = min(np.shape(y)[1:3], default=0) // scale * scale
        batch_size = batch_size or min(16, len(y))
        x = pairs = Pairs(
            y, x, scale=scale, crop=crop, batch_size=batch_size, steps=-(-len(y) // batch_size), seed=seed
        )
    elif not isinstance(pairs, Pairs):
        return dataset_of(x, batch_size=batch_size, shuffle=shuffle, value_range=value_range)
    elif batch_size is not None or value_range is not None:
        raise ValueError("batch_size and value_range are for arrays: these Pairs have theirs.")
    if not shuffle:
        raise ValueError("shuffle=False is of no use here: crops are drawn at random.")
    if (pairs.scale, pairs.channels) != (scale, channels):
        raise ValueError(
            f"The model makes pictures of {channels} channels {scale} times larger; these pairs are of scale"
            f" {pairs.scale} and have {pairs.channels} channels."
        )
    return x, pairs.batch_size


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


def found_in(folder):
    """{path below the folder, without suffix: path} of its pictures."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in pictures_below(folder)}
