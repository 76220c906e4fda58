"""Images to train on: from tensorflow-datasets, folders of pictures, arrays and .npz; held in memory, decoded once."""

from kerasgan.data.dataset import Dataset, Stream, dataset_of, from_arrays, peek, pipeline, remainder, some
from kerasgan.data.pair_sources import (
    measured_of,
    pairs_from,
    pairs_from_folder,
    pairs_of,
    pictures_from,
    pictures_from_folder,
)
from kerasgan.data.pairs import SCALES, Pairs, Pictures
from kerasgan.data.sources import from_folder, from_npz, from_tfds, labels_of, read, resize, with_channels

__all__ = [
    "Dataset",
    "Pairs",
    "Pictures",
    "SCALES",
    "Stream",
    "dataset_of",
    "from_arrays",
    "from_folder",
    "from_npz",
    "from_tfds",
    "labels_of",
    "measured_of",
    "pairs_from",
    "pairs_from_folder",
    "pairs_of",
    "peek",
    "pictures_from",
    "pictures_from_folder",
    "pipeline",
    "read",
    "remainder",
    "resize",
    "some",
    "with_channels",
]
