"""Where images come from: .npz archives, folders of pictures, tensorflow-datasets."""

import os
import pathlib
import warnings
import zipfile
import zlib

import numpy as np

from kerasgan import images as pictures
from kerasgan.data.dataset import Dataset, from_arrays

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}


def from_npz(path, **options):
    """A dataset from a NumPy archive with `images` (or `x_train`, `x`) and perhaps `labels` (`y_train`, `y`).

    Args:
        path: of the .npz. options: `from_arrays`'s.

    Raises:
        FileNotFoundError: no such file. ValueError: it is no archive, or has no images; the names it has are given.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            has = archive.files
            images, labels = (
                next((archive[name] for name in names if name in has), None)
                for names in (("images", "x_train", "x"), ("labels", "y_train", "y"))
            )
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path}.") from None
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:  # TypeError: an .npy
        raise ValueError(f"{path} is no .npz archive of arrays: {error}.") from None
    if images is None:
        raise ValueError(f"{path} has no array `images` (or x_train, or x), only {', '.join(has) or 'nothing'}.")
    return from_arrays(images, labels, **options)


def from_folder(path, image_shape=None, *, fit="crop", **options):
    """A dataset of the pictures in a folder and below; sub-folders, where there are any, are the labels.

    Args:
        path: the folder. Any mode and size; what cannot be read is named in a warning and in `skipped`.
        image_shape: (height, width, channels) to resize to, antialiased; None if all pictures have one size.
        fit: "crop" the middle, "stretch", or "pad" with black, where the proportions differ.
        options: `Dataset`'s.

    Raises:
        FileNotFoundError: no such folder; NotADirectoryError: it is a file. PermissionError: it, or one below, may not
            be looked into.
        ValueError: no picture can be read, or sizes differ without `image_shape`.
    """
    folder = pathlib.Path(path)
    if folder.is_file():
        raise NotADirectoryError(f"{folder} is a file, and neither a folder of pictures nor an .npz.")
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    check_image_shape(image_shape)
    if fit not in ("crop", "stretch", "pad"):
        raise ValueError(f"fit is 'crop', 'stretch' or 'pad'; saw {fit!r}.")
    files = pictures_below(folder)
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
        raise ValueError(f"{folder} has no picture that can be read ({len(skipped)} damaged of {len(files)} pictures).")
    if len(shapes) > 1:
        few = [f"{file.name} {shape}" for shape, file in shapes.items()]
        few = ", ".join(few[:3] + ["..."] * (len(few) > 3))
        raise ValueError(f"{folder} has pictures of {len(shapes)} shapes ({few}): give an image_shape to resize to.")
    if skipped:
        names = ", ".join(name for name, _ in skipped[:5])
        warnings.warn(
            f"{len(skipped)} of {len(files)} pictures could not be read and are left out: {names}.", stacklevel=2
        )
    labels, class_names = labels_of([file.relative_to(folder).parts for file, _ in kept])
    array = np.stack([image for _, image in kept])
    return Dataset(array, labels, class_names=class_names, skipped=skipped, **options)


def check_image_shape(image_shape):
    """Refuse an image_shape that pictures cannot be resized to; None is fine."""
    if image_shape is None:
        return
    shape = tuple(image_shape)
    if len(shape) != 3 or shape[2] not in (1, 3, 4) or not all(isinstance(s, int) and s > 0 for s in shape):
        raise ValueError(f"image_shape is (height, width, channels) with 1, 3 or 4 channels; saw {shape}.")


def pictures_below(folder):
    """The picture files in a folder and below, sorted.

    Raises:
        PermissionError: a folder may not be looked into: its pictures would be missing in silence.
    """

    def refuse(error):
        raise error

    found = [pathlib.Path(place) / name for place, _, names in os.walk(folder, onerror=refuse) for name in names]
    return sorted(file for file in found if file.suffix.lower() in SUFFIXES)


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
        ValueError: no such data set or split, none of images, or of several sizes without `image_shape`.
    """
    import tensorflow_datasets as tfds

    check_image_shape(image_shape)
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except tfds.core.registered.DatasetNotFoundError as error:
        raise ValueError(f"tensorflow-datasets has no {name!r}: {str(error).splitlines()[0]}") from None
    place = pathlib.Path(builder.data_dir)
    if not place.is_dir():
        raise FileNotFoundError(
            f"{name} is not in {place.parent}: fetch it with `tfds build {name}`, or set TFDS_DATA_DIR."
        )
    features = builder.info.features
    if "image" not in features:
        raise ValueError(f"{name} has no images, only {', '.join(features)}.")
    ragged = None in features["image"].shape
    if ragged and image_shape is None:
        raise ValueError(f"The images of {name} have several sizes: give an image_shape to resize to.")
    examples = tfds.as_numpy(builder.as_dataset(split=split, batch_size=None if ragged else -1, shuffle_files=False))
    if ragged:
        examples = list(examples)
        examples = {key: [example[key] for example in examples] for key in examples[0]}
    images, labels = examples["image"], examples.get("label")
    if image_shape and (ragged or images.shape[1:] != tuple(image_shape)):
        images = np.stack([resize(with_channels(image, image_shape[2]), image_shape[:2]) for image in images])
    class_names = getattr(features["label"], "names", None) if labels is not None else None
    return from_arrays(images, labels, class_names=class_names, **options)


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
    if not source:
        raise ValueError("The data have no name: pass tfds:NAME:SPLIT, an .npz, or a folder of pictures.")
    if source.startswith("tfds:"):
        _, name, *split = source.split(":", 2)
        return from_tfds(name, split[0] if split else "train", image_shape=image_shape, **options)
    if source.endswith(".npz"):
        return from_npz(source, image_shape=image_shape, **options)
    return from_folder(source, image_shape, **options)
