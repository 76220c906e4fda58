"""What a card's files hold, found out before anything is read or built: no links, no filters, no more than there is."""

import h5py
import numpy as np
import pytest

from kerasgan import cards


def test_manifest(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["layers/dense/vars/0"] = np.zeros((2, 3), "float32")
        file["step"] = np.int32(7)
    assert cards.manifest(tmp_path / "w.h5") == {"layers/dense/vars/0": (2, 3), "step": ()}


@pytest.mark.parametrize(
    ("put", "complaint"),
    [
        (lambda file: file.update({"x": h5py.SoftLink("/a")}), "holds a link at x"),
        (lambda file: file.update({"x": h5py.ExternalLink("other.h5", "/a")}), "holds a link at x"),
        (lambda file: file.update({"x": "text"}), "holds object at x, where weights hold numbers"),
        (lambda file: file.create_dataset("x", data=np.zeros(9), compression="gzip"), "holds no plain array at x"),
        (lambda file: file.create_dataset("x", (9,), external=[("raw", 0, 36)]), "holds no plain array at x"),
    ],
    ids=["soft link", "external link", "text", "filter", "external data"],
)
def test_manifest_refuses_what_is_no_plain_array(tmp_path, put, complaint):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        put(file)
    with pytest.raises(ValueError, match=complaint):
        cards.manifest(tmp_path / "w.h5")


def test_plain_shape(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        assert cards.plain_shape("w.h5", "x", file.create_dataset("x", data=np.ones((2, 3), "float16"))) == (2, 3)
        with pytest.raises(ValueError, match="w.h5 holds complex64 at y"):
            cards.plain_shape("w.h5", "y", file.create_dataset("y", (2,), "complex64"))
        with pytest.raises(ValueError, match="w.h5 does not hold all of z, 4000000000000 bytes"):  # 4 TB to be read
            cards.plain_shape("w.h5", "z", file.create_dataset("z", (10**6, 10**6), "float32", chunks=(64, 64)))


def test_manifest_of_no_hdf5(tmp_path):
    (tmp_path / "w.h5").write_bytes(b"no HDF5")
    with pytest.raises(ValueError, match="is no HDF5 file"):
        cards.manifest(tmp_path / "w.h5")


def test_arrays(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, a=np.arange(3), b=np.ones(2))
    found = cards.arrays(path)
    assert found["a"].tolist() == [0, 1, 2] and found.keys() == {"a", "b"}
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match="x.npz is no .npz file, or a damaged one: BadZipFile"):
        cards.arrays(path)
    np.savez_compressed(path, a=np.zeros(10**6))
    with pytest.raises(ValueError, match="x.npz is no .npz file, or a damaged one: ValueError: its arrays are compr"):
        cards.arrays(path)
    np.savez(path, a=np.array([{}], object))
    with pytest.raises(ValueError, match="x.npz is no .npz file, or a damaged one: ValueError: Object arrays"):
        cards.arrays(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("width", 65),
        ("convolutions", 4),
        ("units", [8, 9, 65]),
        ("image_shape", [10**6, 2, 1]),
        ("depth", [1] * 5),
        ("width", float("nan")),
        ("units", [[8]]),
        ("units", {}),
    ],
)
def test_a_model_far_larger_than_its_weights_is_not_built(name, value):
    manifests = {"generator": {"a": (64, 64), "b": (64,)}, "discriminator": {"c": (3, 3)}}
    card = {"name": "x", "model": {"variant": "DCGAN", "seed": 2**30, "average_half_life": 1e6, "width": 64}}
    card["model"] |= {"convolutions": 3, "image_shape": [4000, 3000, 1], "norm": True, "units": [8, 9, 10]}
    cards.check_modest(card, manifests)
    with pytest.raises(ValueError, match=f"The card of x says {name} = .*3 arrays"):
        cards.check_modest({"name": "x", "model": card["model"] | {name: value}}, manifests)
    perceptrons = {"name": "x", "model": {"variant": "GAN", "image_shape": [8, 8, 1]}}
    cards.check_modest(perceptrons, manifests)
    with pytest.raises(ValueError, match="image_shape"):
        cards.check_modest({"name": "x", "model": {"variant": "GAN", "image_shape": [8, 8, 3]}}, manifests)
