"""Images in an order that is a pure function of (seed, step).

A training stopped anywhere goes on with the images that an uninterrupted one would have seen.
"""

import hashlib
import inspect
import sys

import keras
import numpy as np

from kerasgan import images as pictures
from kerasgan import random, replicas


class Dataset(keras.utils.PyDataset):
    """Images, labels if there are any, and the order in which batches come.

        >>> dataset = from_arrays(images, batch_size=64, seed=0)
        >>> dataset.batch(1000)             # the same whenever it is asked for
        >>> model.fit(dataset, epochs=3)

    Args:
        images: (n, height, width, channels) uint8 in [0, 255] or float32 in [-1, 1].
        labels: integers (n,), or None. class_names: their names, or None.
        batch_size: at most n; the remainder of an epoch is dropped, another one each epoch.
        seed: of the order; None draws one. shuffle: False keeps the order that the images have.
        skipped: [(path, reason)] of pictures that could not be read.

    Raises:
        ValueError: fewer images than one batch, a seed outside [0, 2**31), or another number of labels than of images.
    """

    def __init__(self, images, labels=None, *, batch_size=128, seed=0, shuffle=True, class_names=None, skipped=()):
        super().__init__()
        if not len(images):
            raise ValueError("There are no images: nothing can be learnt from none.")
        if not (hasattr(batch_size, "__index__") and 1 <= batch_size <= len(images)):
            raise ValueError(
                f"A batch of {batch_size!r} from {len(images)} images: choose a batch_size from 1 to {len(images)}."
            )
        if labels is not None:
            labels = np.asarray(labels)
            if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
                raise ValueError(
                    f"Labels are {len(images)} integers, one for each image; saw {labels.dtype} {labels.shape}."
                )
        self.images, self.labels = images, labels if labels is None else labels.astype("int32")
        self.batch_size, self.seed, self.shuffle = batch_size, random.seed_of(seed), shuffle
        self.class_names = tuple(class_names) if class_names is not None else None
        self.skipped = list(skipped)
        self.cached = (None, None)  # (epoch, its order)

    @property
    def image_shape(self):
        """(height, width, channels)."""
        return self.images.shape[1:]

    @property
    def fingerprint(self):
        """A SHA-256 over shapes, types, pixels and labels: which data these are."""
        digest = hashlib.sha256()
        for array in (self.images, self.labels):
            if array is not None:
                digest.update(f"{array.shape}{array.dtype}".encode())
                digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()

    def first(self, n):
        """The first `n` images with their labels, as a Dataset of batches of one."""
        return Dataset(self.images[:n], None if self.labels is None else self.labels[:n], batch_size=1, seed=self.seed)

    def __len__(self):
        return len(self.images) // self.batch_size

    def order(self, epoch):
        """The order of the images in an epoch: a permutation that depends on (seed, epoch) alone."""
        cached, order = self.cached  # read at once: a prefetching thread may ask for another epoch meanwhile
        if cached != epoch:
            n = len(self.images)
            order = np.random.default_rng([self.seed, epoch]).permutation(n) if self.shuffle else np.arange(n)
            self.cached = (epoch, order)
        return order

    def batch(self, step):
        """The batch of a step, counted over all epochs: images, or (images, labels)."""
        epoch, i = divmod(step, len(self))
        rows = self.order(epoch)[i * self.batch_size : (i + 1) * self.batch_size]
        return self.images[rows] if self.labels is None else (self.images[rows], self.labels[rows])

    def __getitem__(self, index):
        return self.batch(index)

    def stream(self, start=0):
        """All batches from step `start` on, without end: for `fit` with steps_per_epoch."""
        return pipeline(self, start) if keras.backend.backend() == "tensorflow" else Stream(self, start)


class Stream(keras.utils.PyDataset):
    """The batches of a dataset from step `start` on, without end."""

    num_batches = None  # Keras: infinite

    def __init__(self, dataset, start):
        super().__init__()
        self.dataset, self.start = dataset, start

    def __getitem__(self, index):
        return self.dataset.batch(self.start + index)


def pipeline(dataset, start=0):
    """`Stream` as a tf.data.Dataset, one batch ahead of the training.

    TensorFlow 2.21 on Python >= 3.11 answers a Dataset made of a Python generator, which Keras makes of a PyDataset, by
    giving all freed memory back to the system: the training step then takes nearly twice the time. This is none.
    """
    import tensorflow as tf

    example = dataset.batch(start)
    arrays = keras.tree.flatten(example)

    def batch(step):
        read = tf.numpy_function(
            lambda step: keras.tree.flatten(dataset.batch(int(step))), [step], [tf.as_dtype(x.dtype) for x in arrays]
        )
        shaped = [tf.ensure_shape(x, like.shape) for x, like in zip(read, arrays, strict=True)]
        return keras.tree.pack_sequence_as(example, shaped)

    options = tf.data.Options()
    options.autotune.enabled = False  # nothing is to be tuned; and at its end `fit` would wait for the tuner to wake up
    stream = tf.data.Dataset.range(start, np.iinfo("int64").max).map(batch).prefetch(1).with_options(options)
    return replicas.distributed(stream)


def from_arrays(images, labels=None, *, batch_size=128, seed=0, shuffle=True, value_range=None, class_names=None,
                image_shape=None):  # fmt: skip
    """A dataset of arrays.

    Args:
        images: (n, height, width[, channels]) uint8, or floats in [-1, 1], or in `value_range` = (low, high).
        image_shape: what they must have, or None. The rest is `Dataset`'s.

    Raises:
        ValueError: images that break the contract.
    """
    images = pictures.in_contract(images, image_shape, value_range)
    return Dataset(images, labels, batch_size=batch_size, seed=seed, shuffle=shuffle, class_names=class_names)


def dataset_of(x, y=None, *, batch_size=None, seed=0, shuffle=True, value_range=None, image_shape=None,
               check_labels=lambda labels: None):  # fmt: skip
    """What `fit` trains on: arrays become a dataset, the rest stays what it is after a look at its first batch.

    Args:
        x: an array, a Dataset, a tf.data.Dataset, a PyDataset, a Python generator, ... y: labels of an array.
        batch_size: of an array; 128 by default, or all if there are fewer. shuffle: an array or not.
        image_shape: what the model takes. check_labels: is given the labels, of a stream those of its first batch;
            None where there are none.

    Returns:
        (what to train on, how many images a batch has; None where there is no batch to look at).

    Raises:
        ValueError: images that break the contract, another number of labels, or an option for arrays with what is none.
    """
    if x is None:
        raise ValueError("There are no images: pass an array, a kerasgan.data Dataset, or another stream of batches.")
    if isinstance(x, list | tuple) or hasattr(x, "__array__"):
        x = np.asarray(x)
        batch_size = batch_size or max(1, min(128, len(x)))
        x = from_arrays(x, y, batch_size=batch_size, seed=seed, shuffle=shuffle, value_range=value_range,
                        image_shape=image_shape)  # fmt: skip
        check_labels(x.labels)
        return x, batch_size
    if value_range is not None:
        raise ValueError("value_range is for arrays: scale a tf.data.Dataset with map(lambda x: 2 * x - 1).")
    if batch_size is not None:
        raise ValueError("batch_size is for arrays: these data come in batches already.")
    if isinstance(x, Dataset | Stream):
        dataset = x if isinstance(x, Dataset) else x.dataset
        if dataset is x and x.shuffle and not shuffle:
            raise ValueError("shuffle=False is for arrays: this Dataset shuffles; make it with shuffle=False.")
        pictures.check(dataset.images[:1], image_shape)
        check_labels(dataset.labels)
        return x, dataset.batch_size
    batch, x = peek(x)
    if batch is None:
        return x, None
    first, labels = first_of(batch), keras.utils.unpack_x_y_sample_weight(batch)[1]
    pictures.check(first, image_shape)
    labels = None if labels is None else keras.ops.convert_to_numpy(labels)
    if labels is not None and labels.ndim == 1 and len(labels) != len(first):
        raise ValueError(f"A batch has one label for each image; saw {len(first)} images and labels {labels.shape}.")
    check_labels(labels)
    return x, len(first)


def some(x, n):
    """About `n` images of what `fit` trains on, from all over it where that can be; at least a batch.

    Raises:
        ValueError: a generator or another stream, which gives each batch once.
    """
    dataset = x.dataset if isinstance(x, Stream) else x
    if isinstance(dataset, Dataset):
        return dataset.images[:: -(-len(dataset.images) // n)]
    batch, _ = (None, x) if inspect.isgenerator(x) else peek(x)
    if batch is None:
        raise ValueError("The scale of such data cannot be found without using it up: call adapt(images) before fit.")
    first = first_of(batch)
    if isinstance(x, keras.utils.PyDataset) or not hasattr(x, "take"):
        return first
    batches = [keras.tree.flatten(batch)[0] for batch in x.take(-(-n // len(first))).as_numpy_iterator()]
    return np.concatenate(batches)[:n]


def peek(x):
    """(The first batch, or None if there is none to see; `x`, none of whose batches are used up)."""
    tf = sys.modules.get("tensorflow")
    if isinstance(x, keras.utils.PyDataset):
        batch = x[0]
    elif tf is not None and isinstance(x, tf.data.Dataset):
        batch = next(iter(x.take(1).as_numpy_iterator()), None)
        if batch is None:
            raise ValueError("There are no images: the tf.data.Dataset is empty.")
    elif inspect.isgenerator(x):  # it gives each batch once
        batch = next(x, None)
        x = x if batch is None else put_back(batch, x)
    elif hasattr(x, "__iter__") and hasattr(x, "__len__"):  # a torch DataLoader
        batch = next(iter(x), None)
    else:
        return None, x
    return batch, x


def remainder(x, parts):
    """What to say of the last batch of `x` if it may not divide by `parts`; "" if it does, or nobody can know."""
    spec = keras.tree.flatten(getattr(x, "element_spec", None))
    if spec and getattr(spec[0], "shape", (0,))[0] is None:
        return "may be smaller: make it with batch(n, drop_remainder=True)"
    last = 0
    if isinstance(x, keras.utils.PyDataset) and not isinstance(x, Stream) and x.num_batches:
        last = len(first_of(x[x.num_batches - 1]))
    elif getattr(x, "drop_last", None) is False and x.batch_size:  # a torch DataLoader
        last = len(x.dataset) % x.batch_size
    return f"has {last} images: leave it out" if last % parts else ""


def first_of(batch):
    """The images of a batch, or of (images, labels): an array."""
    return keras.ops.convert_to_numpy(batch[0] if isinstance(batch, list | tuple) else batch)


def put_back(first, rest):
    """A generator of the first batch and the rest; Keras takes a generator, and no itertools.chain."""
    yield first
    yield from rest
