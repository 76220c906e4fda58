"""Images to train on: from tensorflow-datasets, folders of pictures, arrays and .npz; held in memory, decoded once."""

from kerasgan.data.dataset import Dataset, Stream, dataset_of, from_arrays, peek, pipeline, some
from kerasgan.data.pairs import Pairs, pairs_from_folder
from kerasgan.data.sources import from_folder, from_npz, from_tfds, labels_of, read, resize, with_channels

__all__ = [
    "Dataset",
    "Pairs",
    "Stream",
    "dataset_of",
    "from_arrays",
    "from_folder",
    "from_npz",
    "from_tfds",
    "labels_of",
    "pairs_from_folder",
    "peek",
    "pipeline",
    "read",
    "resize",
    "some",
    "with_channels",
]
