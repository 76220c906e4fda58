"""Images to train on: from tensorflow-datasets, folders of pictures, arrays and .npz; held in memory, decoded once.

The order of the images is a pure function of (seed, step): a training stopped anywhere goes on with the images that an
uninterrupted one would have seen.
"""

import hashlib
import pathlib
import sys
import warnings

import keras
import numpy as np

from kerasgan import images as pictures

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}


class Dataset(keras.utils.PyDataset):
    """Images, labels if there are any, and the order in which batches come.

        >>> dataset = from_arrays(images, batch_size=64, seed=0)
        >>> dataset.batch(1000)             # the same whenever it is asked for
        >>> model.fit(dataset, epochs=3)

    Args:
        images: (n, height, width, channels) uint8 in [0, 255] or float32 in [-1, 1].
        labels: integers (n,), or None. class_names: their names, or None.
        batch_size: at most n; the remainder of an epoch is dropped, another one each epoch.
        seed: of the order. shuffle: False keeps the order that the images have.
        skipped: [(path, reason)] of pictures that could not be read.

    Raises:
        ValueError: fewer images than one batch, or another number of labels than of images.
    """

    def __init__(self, images, labels=None, *, batch_size=128, seed=0, shuffle=True, class_names=None, skipped=()):
        super().__init__()
        if not 1 <= batch_size <= len(images):
            raise ValueError(
                f"A batch of {batch_size} from {len(images)} images: choose a batch_size from 1 to {len(images)}."
            )
        if labels is not None:
            labels = np.asarray(labels)
            if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
                raise ValueError(
                    f"Labels are {len(images)} integers, one for each image; saw {labels.dtype} {labels.shape}."
                )
        self.images, self.labels = images, labels if labels is None else labels.astype("int32")
        self.batch_size, self.seed, self.shuffle = batch_size, seed, shuffle
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

    return tf.data.Dataset.range(start, np.iinfo("int64").max).map(batch).prefetch(1)


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


def from_npz(path, **options):
    """A dataset from a NumPy archive with `images` (or `x_train`, `x`) and perhaps `labels` (`y_train`, `y`).

    Args:
        path: of the .npz. options: `from_arrays`'s.

    Raises:
        FileNotFoundError: no such file. ValueError: it is no archive, or has no images; the names it has are given.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path}.") from None
    except (OSError, ValueError, EOFError, AttributeError) as error:
        raise ValueError(f"{path} is no .npz archive of arrays: {error}.") from None
    images, labels = (
        next((arrays[name] for name in names if name in arrays), None)
        for names in (("images", "x_train", "x"), ("labels", "y_train", "y"))
    )
    if images is None:
        raise ValueError(f"{path} has no array `images` (or x_train, or x), only {', '.join(arrays) or 'nothing'}.")
    return from_arrays(images, labels, **options)


def from_folder(path, image_shape=None, *, fit="crop", **options):
    """A dataset of the pictures in a folder and below; sub-folders, where there are any, are the labels.

    Args:
        path: the folder. Any mode and size; what cannot be read is named in a warning and in `skipped`.
        image_shape: (height, width, channels) to resize to, antialiased; None if all pictures have one size.
        fit: "crop" the middle, "stretch", or "pad" with black, where the proportions differ.
        options: `Dataset`'s.

    Raises:
        FileNotFoundError: no such folder. ValueError: no picture can be read, or sizes differ without `image_shape`.
    """
    folder = pathlib.Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    if fit not in ("crop", "stretch", "pad"):
        raise ValueError(f"fit is 'crop', 'stretch' or 'pad'; saw {fit!r}.")
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    kept, skipped, shapes = [], [], {}
    for file in files:
        try:
            image = pictures.read(file, image_shape[2] if image_shape else None)
        except (ValueError, OSError) as error:
            skipped.append((str(file), str(error)))
            continue
        kept.append((file, resize(image, image_shape[:2], fit) if image_shape else image))
        shapes.setdefault(kept[-1][1].shape, file)
    if not kept:
        raise ValueError(f"{folder} has no picture that can be read ({len(skipped)} damaged of {len(files)} files).")
    if len(shapes) > 1:
        few = ", ".join(f"{file.name} {shape}" for shape, file in list(shapes.items())[:3])
        raise ValueError(
            f"The pictures in {folder} have {len(shapes)} shapes ({few}, ...): give an image_shape to resize to."
        )
    if skipped:
        names = ", ".join(name for name, _ in skipped[:5])
        warnings.warn(
            f"{len(skipped)} of {len(files)} pictures could not be read and are left out: {names}.", stacklevel=2
        )
    labels, class_names = labels_of([file.relative_to(folder).parts for file, _ in kept])
    array = np.stack([image for _, image in kept])
    return Dataset(array, labels, class_names=class_names, skipped=skipped, **options)


def labels_of(paths):
    """(labels, class names) from the first sub-folder of each path; (None, None) where none has one.

    Raises:
        ValueError: some pictures lie in sub-folders and some beside them.
    """
    folders = [parts[0] if len(parts) > 1 else None for parts in paths]
    if not any(folders):
        return None, None
    if None in folders:
        name = paths[folders.index(None)][-1]
        raise ValueError(
            f"Sub-folders are labels, and {name} lies in none: move it into one, or keep all in one folder."
        )
    class_names = sorted(set(folders))
    return np.array([class_names.index(name) for name in folders]), class_names


def resize(image, size, fit="crop"):
    """A uint8 image (height, width, channels) at another (height, width), antialiased.

    Args:
        fit: "crop" cuts the middle out, "pad" adds black, "stretch" changes the proportions.
    """
    from PIL import Image, ImageOps

    if image.shape[:2] == tuple(size):
        return image
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    how = {"crop": ImageOps.fit, "pad": ImageOps.pad, "stretch": Image.Image.resize}[fit]
    pixels = np.asarray(how(picture, (size[1], size[0]), Image.Resampling.BICUBIC))
    return pixels.reshape(*size, image.shape[-1])


def from_tfds(name, split="train", *, image_shape=None, data_dir=None, **options):
    """A dataset of tensorflow-datasets that is already on this machine (`TFDS_DATA_DIR`).

    Args:
        name: "mnist", "cifar10", ... split: such as "train[:50000]".
        image_shape: (height, width, channels) to resize to. data_dir: where the data lie. options: `Dataset`'s.

    Raises:
        FileNotFoundError: the data are not there; the message has the command that fetches them.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except tfds.core.registered.DatasetNotFoundError as error:
        raise ValueError(f"tensorflow-datasets has no {name!r}: {str(error).splitlines()[0]}") from None
    if not pathlib.Path(builder.data_dir).is_dir():
        raise FileNotFoundError(
            f"{name} is not in {builder.data_dir.parent}: fetch it with `tfds build {name}`, or set TFDS_DATA_DIR."
        )
    examples = tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1, shuffle_files=False))
    images, labels = examples["image"], examples.get("label")
    if image_shape and images.shape[1:] != tuple(image_shape):
        images = np.stack([resize(with_channels(image, image_shape[2]), image_shape[:2]) for image in images])
    names = builder.info.features["label"].names if labels is not None else None
    return from_arrays(images, labels, class_names=names, **options)


def with_channels(image, channels):
    """A uint8 image with another number of channels: grey repeated, colour weighed as luma (ITU-R BT.601)."""
    from PIL import Image

    if image.shape[-1] == channels:
        return image
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    return np.asarray(picture.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])).reshape(*image.shape[:2], channels)


def read(source, *, image_shape=None, **options):
    """A dataset from its description: "tfds:mnist:train[:50000]", the path of an .npz, or of a folder of pictures."""
    source = str(source)
    if source.startswith("tfds:"):
        _, name, *split = source.split(":", 2)
        return from_tfds(name, split[0] if split else "train", image_shape=image_shape, **options)
    if source.endswith(".npz"):
        return from_npz(source, image_shape=image_shape, **options)
    return from_folder(source, image_shape, **options)


def dataset_of(x, y=None, *, batch_size=None, seed=0, value_range=None, image_shape=None):
    """What `fit` trains on: arrays become a dataset, the rest stays what it is after a look at its first batch.

    Args:
        x: an array, a Dataset, a tf.data.Dataset, a PyDataset, ... y: labels of an array.
        batch_size: of an array; 128 by default, or all if there are fewer. image_shape: what the model takes.

    Raises:
        ValueError: images that break the contract.
    """
    if isinstance(x, Dataset | Stream):
        shape = (x if isinstance(x, Dataset) else x.dataset).image_shape
        if image_shape is not None and shape != tuple(image_shape):
            pictures.check((x if isinstance(x, Dataset) else x.dataset).images[:1], image_shape)
        return x
    if isinstance(x, list | tuple) or hasattr(x, "__array__"):
        x = np.asarray(x)
        return from_arrays(x, y, batch_size=batch_size or max(1, min(128, len(x))), seed=seed, value_range=value_range,
                           image_shape=image_shape)  # fmt: skip
    if value_range is not None:
        raise ValueError("value_range is for arrays: scale a tf.data.Dataset with map(lambda x: 2 * x - 1).")
    first = peek(x)
    if first is not None:
        pictures.check(first, image_shape)
    return x


def peek(x):
    """The images of the first batch, where they can be had without using them up; else None (a generator)."""
    tf = sys.modules.get("tensorflow")
    if isinstance(x, keras.utils.PyDataset):
        batch = x[0]
    elif tf is not None and isinstance(x, tf.data.Dataset):
        batch = next(iter(x.take(1).as_numpy_iterator()), None)
    elif hasattr(x, "__iter__") and hasattr(x, "__len__"):  # a torch DataLoader
        batch = next(iter(x), None)
    else:
        return None
    batch = batch[0] if isinstance(batch, list | tuple) else batch
    return None if batch is None else keras.ops.convert_to_numpy(batch)
