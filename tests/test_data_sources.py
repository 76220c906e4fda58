"""Where images come from: archives, folders, tensorflow-datasets; whatever is wrong with them is said."""

import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.data import sources

rng = np.random.default_rng


def save(path, picture=None):
    """Write a picture, and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (picture or Image.new("L", (4, 6), 100)).save(path)


# --- .npz -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("images", "labels"), ("x_train", "y_train"), ("x", "y"), ("images", None)])
def test_from_npz(tmp_path, names):
    images_, labels = rng(0).integers(0, 256, (5, 4, 4, 3)).astype("uint8"), np.arange(5)
    arrays = {names[0]: images_, "others": np.array(["x"])} | ({names[1]: labels} if names[1] else {})
    np.savez(tmp_path / "a.npz", **arrays)
    dataset = data.from_npz(tmp_path / "a.npz", batch_size=2, shuffle=False)
    np.testing.assert_array_equal(dataset.images, images_)
    assert dataset.labels is None if names[1] is None else dataset.labels.tolist() == labels.tolist()


def test_an_archive_that_is_none(tmp_path):
    good = tmp_path / "good.npz"
    np.savez(good, images=rng(0).integers(0, 256, (64, 8, 8, 1)).astype("uint8"))
    whole = good.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    np.save(tmp_path / "array.npy", np.zeros(3))
    contents = {
        "text": b"no archive", "empty": b"", "cut": whole[: len(whole) // 2], "flipped": bytes(flipped),
        "npy": (tmp_path / "array.npy").read_bytes(),
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / f"{name}.npz").write_bytes(content)
        with pytest.raises(ValueError, match=f"{name}.npz is no .npz archive of arrays: "):
            data.from_npz(tmp_path / f"{name}.npz", batch_size=1)
    with pytest.raises(FileNotFoundError, match="There is no file .*missing.npz"):
        data.from_npz(tmp_path / "missing.npz")


def test_an_archive_without_images(tmp_path):
    np.savez(tmp_path / "a.npz", pictures=np.zeros(3), labels=np.zeros(3))
    with pytest.raises(ValueError, match=r"no array `images` \(or x_train, or x\), only pictures, labels"):
        data.from_npz(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz")
    with pytest.raises(ValueError, match="only nothing"):
        data.from_npz(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", images=np.array([{}, {}], object))
    with pytest.raises(ValueError, match="is no .npz archive of arrays: Object arrays cannot be loaded"):
        data.from_npz(tmp_path / "c.npz")


# --- folders ----------------------------------------------------------------------------------------------------------


def test_from_folder(tmp_path):
    for i in (2, 0, 1):
        save(tmp_path / f"{i}.png", Image.new("L", (4, 6), 50 * i))
    (tmp_path / "notes.txt").write_text("no picture")
    dataset = data.from_folder(tmp_path, batch_size=3, shuffle=False)
    assert dataset.images.shape == (3, 6, 4, 1) and dataset.images[:, 0, 0, 0].tolist() == [0, 50, 100]
    assert dataset.labels is None and dataset.class_names is None and dataset.skipped == []


def test_sub_folders_are_labels(tmp_path):
    for name in ("dogs/b.png", "cats/deep/a.PNG", "cats/c.jpg", "ants/x.bmp"):
        save(tmp_path / name)
    assert [path.suffix for path in sources.pictures_below(tmp_path)] == [".bmp", ".jpg", ".PNG", ".png"]
    dataset = data.from_folder(str(tmp_path), batch_size=1)
    assert dataset.class_names == ("ants", "cats", "dogs") and dataset.labels.tolist() == [0, 1, 1, 2]


def test_labels_of():
    assert data.labels_of([("a.png",), ("b.png",)]) == (None, None)
    labels, class_names = data.labels_of([("z", "a.png"), ("a", "z", "b.png"), ("z", "c.png")])
    assert labels.tolist() == [1, 0, 1] and class_names == ["a", "z"]
    with pytest.raises(ValueError, match="Sub-folders are labels, and b.png lies in none: move it into one, or keep"):
        data.labels_of([("z", "a.png"), ("b.png",)])


def test_a_mixed_layout(tmp_path):
    save(tmp_path / "cats/a.png")
    save(tmp_path / "b.png")
    with pytest.raises(ValueError, match="Sub-folders are labels, and b.png lies in none"):
        data.from_folder(tmp_path, batch_size=1)


def test_mixed_modes_and_sizes(tmp_path):
    made = {"L": 120, "1": 1, "LA": (120, 0), "P": 3, "RGB": (9, 8, 7), "RGBA": (9, 8, 7, 255), "CMYK": (0, 0, 0, 255)}
    for i, (mode, colour) in enumerate(made.items()):
        save(tmp_path / (f"{i}.tif" if mode == "CMYK" else f"{i}.png"), Image.new(mode, (4 + i, 9 - i), colour))
    with pytest.raises(ValueError, match=r"has pictures of 7 shapes \(0.png \(9, 4, 1\), .*, ...\): give an image_"):
        data.from_folder(tmp_path, batch_size=1)
    for channels in (1, 3, 4):
        dataset = data.from_folder(tmp_path, (8, 6, channels), batch_size=7)
        assert dataset.images.shape == (7, 8, 6, channels) and dataset.images.dtype == np.uint8
    assert data.from_folder(tmp_path, (8, 6, 3), batch_size=7).images[4, 3, 3].tolist() == [9, 8, 7]


def test_broken_files_are_named_and_counted(tmp_path):
    for i in range(3):
        save(tmp_path / f"{i}.png")
    (tmp_path / "1.png").write_bytes(b"no picture")
    (tmp_path / "3.png").write_bytes((tmp_path / "0.png").read_bytes()[:-30])
    sentence = "2 of 4 pictures could not be read and are left out: .*1.png, .*3.png"
    with pytest.warns(UserWarning, match=sentence) as told:
        dataset = data.from_folder(tmp_path, batch_size=1)
    assert told[0].filename == __file__
    assert len(dataset.images) == 2
    assert [(Path(path).name, "is no picture that can be read" in reason) for path, reason in dataset.skipped] == [
        ("1.png", True), ("3.png", True),
    ]  # fmt: skip


def test_a_folder_of_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"has no picture that can be read \(0 damaged of 0 pictures\)"):
        data.from_folder(tmp_path)
    (tmp_path / "a.png").write_bytes(b"no picture")
    with warnings.catch_warnings(), pytest.raises(ValueError, match=r"\(1 damaged of 1 pictures\)"):
        warnings.simplefilter("error")
        data.from_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no folder .*none"):
        data.from_folder(tmp_path / "none")
    with pytest.raises(NotADirectoryError, match="a.png is a file, and neither a folder of pictures nor an .npz"):
        data.from_folder(tmp_path / "a.png")


def test_a_folder_that_may_not_be_looked_into():
    """An unreadable class would be missing in silence."""
    with tempfile.TemporaryDirectory() as place:  # not in tmp_path, where nobody but the owner may walk
        os.chmod(place, 0o755)
        (Path(place) / "secret").mkdir()
        Image.new("L", (4, 4)).save(Path(place) / "secret" / "a.png")
        os.chmod(Path(place) / "secret", 0)
        root = os.geteuid() == 0
        if root:  # whom no mode stops
            os.seteuid(65534)
        try:
            for path in (place, Path(place) / "secret"):
                with pytest.raises(PermissionError, match="secret"):
                    data.from_folder(path, batch_size=1)
        finally:
            if root:
                os.seteuid(0)
            os.chmod(Path(place) / "secret", 0o700)


def test_options_that_make_no_sense(tmp_path):
    save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="fit is 'crop', 'stretch' or 'pad'; saw 'squash'"):
        data.from_folder(tmp_path, (4, 4, 1), fit="squash")
    sources.check_image_shape(None)
    for shape in ((4, 4), (4, 4, 2), (0, 4, 1), (4.5, 4, 1)):
        for function in (lambda shape: data.from_folder(tmp_path, shape), sources.check_image_shape):
            with pytest.raises(ValueError, match="image_shape is .* with 1, 3 or 4 channels; saw"):
                function(shape)
    with pytest.raises(ValueError, match="A batch of 128 from 1 images"):
        data.from_folder(tmp_path)


# --- size and channels ------------------------------------------------------------------------------------------------


def test_resize():
    image = rng(0).integers(0, 256, (6, 4, 3)).astype("uint8")
    assert data.resize(image, (6, 4)) is image
    for size in ((3, 2), (12, 8), (5, 9)):
        for channels in (1, 3):
            for fit in ("crop", "stretch", "pad"):
                assert data.resize(image[..., :channels], size, fit).shape == (*size, channels)
    bars = np.zeros((4, 8, 1), "uint8")
    bars[:, 2:6] = 200
    assert data.resize(bars, (4, 4), "crop").min() == 200, "the middle alone"
    padded = data.resize(bars, (8, 8), "pad")
    assert padded[[0, 1, 6, 7]].max() == 0
    np.testing.assert_array_equal(padded[2:6], bars)


def test_resize_is_antialiased():
    """A fine checkerboard becomes grey, not a moire of black and white."""
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype("uint8")[..., None]
    small = data.resize(board, (8, 8))[1:-1, 1:-1]  # Pillow's window is cut at the border
    assert abs(small.astype(int) - 127).max() <= 2


def test_with_channels():
    grey, colour = np.full((2, 2, 1), 100, "uint8"), np.full((2, 2, 3), (10, 200, 30), "uint8")
    assert data.with_channels(grey, 1) is grey
    assert data.with_channels(grey, 3)[0, 0].tolist() == [100, 100, 100]
    assert data.with_channels(grey, 4)[0, 0].tolist() == [100, 100, 100, 255]
    assert data.with_channels(colour, 1)[0, 0].tolist() == [round(0.299 * 10 + 0.587 * 200 + 0.114 * 30)]


# --- tensorflow-datasets ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tfds_folder(tmp_path_factory):
    """Three small data sets in the layout of tensorflow-datasets: images of one size, of several sizes, and none."""
    tf, tfds = pytest.importorskip("tensorflow"), pytest.importorskip("tensorflow_datasets")
    place, features = tmp_path_factory.mktemp("tfds"), tfds.features
    image = tf.TensorSpec((None, 4, 3), "uint8")

    def store(name, shape, images_):
        def examples():
            yield from ({"image": image, "label": i % 2} for i, image in enumerate(images_))

        signature = {"image": image, "label": tf.TensorSpec((), "int64")}
        tfds.dataset_builders.store_as_tfds_dataset(
            name, "1.0.0", data_dir=place, disable_shuffling=True,
            features=features.FeaturesDict({"image": features.Image(shape=shape),
                                            "label": features.ClassLabel(names=["even", "odd"])}),
            split_datasets={"train": tf.data.Dataset.from_generator(examples, output_signature=signature)},
        )  # fmt: skip

    store("even_sizes", (6, 4, 3), [np.full((6, 4, 3), 10 * i, "uint8") for i in range(5)])
    store("odd_sizes", (None, 4, 3), [np.full((6 + i, 4, 3), 10 * i, "uint8") for i in range(5)])
    tfds.dataset_builders.store_as_tfds_dataset(
        "words", "1.0.0", data_dir=place, features=features.FeaturesDict({"text": features.Text()}),
        split_datasets={"train": tf.data.Dataset.from_tensor_slices({"text": ["a", "b"]})},
    )  # fmt: skip
    return place


@pytest.mark.parametrize("name", ["even_sizes", "odd_sizes"])
def test_from_tfds(tfds_folder, name):
    dataset = data.from_tfds(name, "train[1:]", data_dir=tfds_folder, image_shape=(6, 4, 3), batch_size=2)
    assert dataset.images.shape == (4, 6, 4, 3) and dataset.images[:, 2, 2, 0].tolist() == [10, 20, 30, 40]
    assert dataset.labels.tolist() == [1, 0, 1, 0] and dataset.class_names == ("even", "odd")
    small = data.from_tfds(name, data_dir=tfds_folder, image_shape=(3, 2, 1), batch_size=2, shuffle=False)
    assert small.images.shape == (5, 3, 2, 1) and small.batch(0)[1].tolist() == [0, 1]


def test_from_tfds_as_stored(tfds_folder):
    assert data.from_tfds("even_sizes", data_dir=tfds_folder, batch_size=1).image_shape == (6, 4, 3)
    with pytest.raises(ValueError, match="odd_sizes have several sizes: give an image_shape"):
        data.from_tfds("odd_sizes", data_dir=tfds_folder, batch_size=1)


def test_what_from_tfds_refuses(tfds_folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="mnist is not in .*: fetch it with `tfds build mnist`, or set TFDS"):
        data.from_tfds("mnist", data_dir=tmp_path)
    with pytest.raises(ValueError, match="tensorflow-datasets has no 'mnits'"):
        data.from_tfds("mnits", data_dir=tmp_path)
    with pytest.raises(ValueError, match="Unknown split 'trian'. Should be one of .'train'"):
        data.from_tfds("even_sizes", "trian", data_dir=tfds_folder)
    with pytest.raises(ValueError, match="words has no images, only text"):
        data.from_tfds("words", data_dir=tfds_folder)
    with pytest.raises(ValueError, match=r"with 1, 3 or 4 channels; saw \(6, 4, 2\)"):
        data.from_tfds("even_sizes", data_dir=tfds_folder, image_shape=(6, 4, 2))


@pytest.mark.real_data
def test_mnist():
    dataset = data.read("tfds:mnist:test[:200]", batch_size=100, image_shape=(28, 28, 1))
    assert dataset.images.shape == (200, 28, 28, 1) and dataset.images.dtype == np.uint8
    assert dataset.class_names == tuple("0123456789") and len(set(dataset.labels.tolist())) == 10
    again = data.read("tfds:mnist:test[:200]", batch_size=100)
    assert again.fingerprint == dataset.fingerprint
    assert data.read("tfds:mnist:test[200:400]", batch_size=100).fingerprint != dataset.fingerprint


# --- a description ----------------------------------------------------------------------------------------------------


def test_read(tmp_path, tfds_folder):
    save(tmp_path / "a/1.png")
    save(tmp_path / "a/2.png")
    np.savez(tmp_path / "x.npz", images=np.zeros((3, 8, 8, 1), "uint8"))
    assert data.read(tmp_path / "x.npz", batch_size=3).image_shape == (8, 8, 1)
    assert data.read(str(tmp_path), image_shape=(8, 8, 3), batch_size=2).class_names == ("a",)
    assert len(data.read("tfds:odd_sizes", image_shape=(6, 4, 1), data_dir=tfds_folder, batch_size=1).images) == 5
    part = data.read("tfds:odd_sizes:train[:40%]", image_shape=(6, 4, 1), data_dir=tfds_folder, batch_size=1)
    assert len(part.images) == 2
    with pytest.raises(ValueError, match=r"takes images of shape \(4, 4, 1\); saw \(8, 8, 1\)"):
        data.read(tmp_path / "x.npz", image_shape=(4, 4, 1))
    with pytest.raises(FileNotFoundError, match="There is no folder nowhere"):
        data.read("nowhere")
