"""The zoo finds entries, refuses what is not what its card says, and gives models that go on where training stopped."""

import json
import shutil
import warnings

import h5py
import keras
import numpy as np
import pytest

import kerasgan
from kerasgan import cards, recipes, zoo


def change_card(folder, **changes):
    """Write a card with other values; the files stay."""
    card = json.loads((folder / "card.json").read_text()) | changes
    (folder / "card.json").write_text(json.dumps(card))


def rehash(folder):
    """Let the card agree with the files again: an attacker can do as much."""
    names = json.loads((folder / "card.json").read_text())["files"]
    change_card(folder, files=cards.describe_files(folder, names))


@pytest.fixture
def tiny(tiny_zoo):
    return tiny_zoo / "tiny"


@pytest.fixture
def nothing_assigned(monkeypatch):
    """Weights that are loaded fail the test."""
    monkeypatch.setattr(keras.Model, "load_weights", lambda *_: pytest.fail("a weight was assigned"))


# --- finding ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def many(tiny_zoo):
    """Three entries more, of which only the cards are there."""
    for name, changes in {
        "dcgan_mnist": {},
        "dcgan_cifar10": {"commercial": False},
        "lenet_mnist": {"kind": "extractor", "task": "feature extraction"},
    }.items():
        (tiny_zoo / name).mkdir()
        shutil.copy(tiny_zoo / "tiny" / "card.json", tiny_zoo / name)
        change_card(tiny_zoo / name, name=name, **changes)
    shutil.rmtree(tiny_zoo / "tiny")


@pytest.mark.parametrize(
    ("pattern", "filters", "names"),
    [
        ("*", {}, "dcgan_cifar10 dcgan_mnist lenet_mnist"),
        ("dcgan*", {}, "dcgan_cifar10 dcgan_mnist"),
        ("*_mnist", {}, "dcgan_mnist lenet_mnist"),
        ("?cgan_mnist", {}, "dcgan_mnist"),
        ("gan*", {}, ""),
        ("*", {"family": "dcgan"}, "dcgan_cifar10 dcgan_mnist"),
        ("*", {"family": "dc"}, ""),
        ("*", {"kind": "extractor"}, "lenet_mnist"),
        ("*", {"task": "feature extraction"}, "lenet_mnist"),
        ("*", {"commercial": True}, "dcgan_mnist lenet_mnist"),
        ("*", {"commercial": False, "family": "dcgan"}, "dcgan_cifar10"),
    ],
)
def test_list_models(many, pattern, filters, names):
    assert zoo.list_models(pattern, **filters) == names.split()


def test_an_unknown_name_tells_the_nearest(many):
    complaint = "no model 'dcgan_minst'. Did you mean 'dcgan_mnist'.*There are: dcgan_cifar10"
    with pytest.raises(ValueError, match=complaint):
        kerasgan.load("dcgan_minst")


def test_an_unknown_name_in_an_empty_zoo(tiny_zoo):
    shutil.rmtree(tiny_zoo)
    with pytest.raises(ValueError, match="no model 'x'. There are: none."):
        zoo.find("x")


def test_a_folder_that_is_not_there_or_no_entry(tmp_path):
    with pytest.raises(ValueError, match="no entry folder"):
        zoo.load(tmp_path / "missing")
    with pytest.raises(FileNotFoundError, match="is no entry of a zoo: it has no card.json"):
        zoo.load(tmp_path)


def test_a_shipped_entry_that_is_not_here_says_how_to_get_it(tiny_zoo, tmp_path, monkeypatch):
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "index.json").write_text('{"far_away": "0"}')
    monkeypatch.setattr(zoo, "shipped", lambda: tmp_path / "shipped")
    assert zoo.index() == {"far_away": "0"} and zoo.list_models() == ["far_away", "tiny"]
    assert zoo.list_models(kind="generator") == ["tiny"]
    with pytest.raises(ValueError, match="'far_away' is not on this machine: set KERASGAN_MIRROR"):
        zoo.info("far_away")


def test_the_users_zoo_comes_first_and_is_not_pinned(tiny_zoo, monkeypatch, tmp_path):
    shutil.copytree(tiny_zoo, tmp_path / "shipped")
    cards.write_index(tmp_path / "shipped")
    monkeypatch.setattr(zoo, "shipped", lambda: tmp_path / "shipped")
    change_card(tiny_zoo / "tiny", title="mine")
    assert zoo.info("tiny")["title"] == "mine"
    monkeypatch.delenv("KERASGAN_ZOO")
    assert zoo.folders() == {"tiny": (tmp_path / "shipped" / "tiny", zoo.index()["tiny"])}
    assert zoo.info("tiny")["title"] == "Squares from noise"


def test_a_shipped_card_that_was_changed_is_refused(tiny_zoo, monkeypatch):
    cards.write_index(tiny_zoo)
    monkeypatch.delenv("KERASGAN_ZOO")
    monkeypatch.setattr(zoo, "shipped", lambda: tiny_zoo)
    zoo.load("tiny")
    change_card(tiny_zoo / "tiny", title="changed")
    with pytest.raises(ValueError, match="is not the card that was shipped"):
        zoo.load("tiny")


# --- loading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["name", "folder", "path", ".keras"])
def test_load(tiny, tmp_path, how):
    if how == ".keras":
        zoo.load("tiny").save(tmp_path / "saved.keras")
    name = {"name": "tiny", "folder": str(tiny), "path": tiny, ".keras": tmp_path / "saved.keras"}[how]
    model, golden = zoo.load(name), np.load(tiny / "golden.npz")
    assert model.compiled and model.loss.name == "relativistic"
    assert int(model.step) == 0, "schedules, and the momentum of the average, begin with whoever trains on"
    for mine, mean in zip(model.generator.get_weights(), model.average.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, mean)
    assert golden["images"].std() > 5, "the golden images are all grey: they would prove nothing"
    np.testing.assert_array_equal(model.sample(golden["latents"]), golden["images"])


def test_a_loaded_model_goes_on_training(tiny):
    model = zoo.load(tiny)
    model.fit(np.zeros((16, 28, 28, 1), "uint8"), batch_size=8, verbose=0)
    assert int(model.step) == 2 and np.isfinite(model.average.get_weights()[0]).all()


def test_without_fine_tuning_it_goes_on_with_the_rules_as_they_ended(tiny, tiny_recipe):
    """The recipe's rate falls to 0: it is the first again, or nothing would be learnt."""
    change_card(tiny, compile=recipes.read(tiny_recipe)["compile"])
    model = zoo.load(tiny)
    assert float(model.generator_optimizer.learning_rate) == pytest.approx(0.02)
    assert model.rules["penalty"].weight == pytest.approx(0.1)
    before = model.generator.get_weights()
    model.fit(np.zeros((32, 28, 28, 1), "uint8"), batch_size=8, verbose=0)
    assert np.abs(model.generator.get_weights()[0] - before[0]).max() > 0.01


def test_a_keras_file_that_is_missing_or_damaged(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file"):
        zoo.load_keras(str(tmp_path / "missing.keras"))
    (tmp_path / "damaged.keras").write_bytes(b"no zip")
    with pytest.raises(ValueError, match="damaged"):
        zoo.load(tmp_path / "damaged.keras")


PARTS = ["generator.weights.h5", "discriminator.weights.h5"]


@pytest.mark.parametrize("part", PARTS)
def test_one_byte_changed(tiny, nothing_assigned, part):
    content = bytearray((tiny / part).read_bytes())
    content[len(content) // 2] ^= 1
    (tiny / part).write_bytes(content)
    with pytest.raises(ValueError, match=f"{part} is damaged: its SHA-256"):
        zoo.load("tiny")


@pytest.mark.parametrize("part", PARTS)
def test_cut_short(tiny, nothing_assigned, part):
    (tiny / part).write_bytes((tiny / part).read_bytes()[:-1])
    with pytest.raises(ValueError, match="bytes, its card says .* cut short"):
        zoo.load("tiny")


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_file(tiny, nothing_assigned, part):
    (tiny / part).unlink()
    with pytest.raises(FileNotFoundError, match=f"{part} is missing: the entry tiny is not whole"):
        zoo.load("tiny")


def test_weights_of_another_architecture(tiny, nothing_assigned):
    network = kerasgan.DCGAN((28, 28, 1), latent_size=9, width=4, kernel_size=4).average
    zoo.check_shapes("a file", {w.path: tuple(w.shape) for w in network.weights}, network)
    network.save_weights(tiny / PARTS[0])
    rehash(tiny)
    with pytest.raises(ValueError, match=r"differ in \[\(9, 392\)\]: it is of another architecture"):
        zoo.load("tiny")


def test_weights_of_the_same_shapes_under_other_names(tiny, nothing_assigned):
    with h5py.File(tiny / PARTS[0], "a") as file:
        file.move("layers/dense", "layers/another")
    rehash(tiny)
    with pytest.raises(ValueError, match="of another architecture than its card describes"):
        zoo.load("tiny")


def test_a_card_that_describes_another_model_of_the_same_shapes(tiny, nothing_assigned):
    change_card(tiny, model=zoo.info("tiny")["model"] | {"latent_distribution": "uniform"})
    with pytest.raises(ValueError, match="of another architecture than its card describes"):
        zoo.load("tiny")


def test_a_card_builds_only_what_is_on_the_list(tiny, nothing_assigned):
    change_card(tiny, model={"variant": "os.system"})
    with pytest.raises(ValueError, match="Unknown variant 'os.system'"):
        zoo.restore(tiny, zoo.info("tiny"))


# --- licences, and golden images --------------------------------------------------------------------------------------


def test_a_restrictive_licence_is_told_once(tiny):
    zoo.tell_licence.cache_clear()
    change_card(tiny, commercial=False, licences={"weights": "CC BY-NC 4.0", "data": "research only"})
    notice = "tiny: weights CC BY-NC 4.0; trained on data under research only"
    with pytest.warns(zoo.LicenceNotice, match=notice) as told:
        zoo.load("tiny")
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        zoo.load("tiny")


def test_a_free_licence_is_not_told(tiny):
    with warnings.catch_warnings():
        warnings.simplefilter("error", zoo.LicenceNotice)
        zoo.load("tiny")


def test_verify(tiny):
    expected = {"name": "tiny", "images": 16, "pixels": 16 * 28 * 28, "max_difference": 0, "differing": 0, "ok": True}
    assert zoo.verify("tiny") == expected


@pytest.mark.parametrize(("pixels", "levels", "ok"), [(1, 1, True), (2, 1, False), (1, 2, False)])
def test_verify_allows_one_level_in_one_of_ten_thousand_pixels(tiny, pixels, levels, ok):
    golden = dict(np.load(tiny / "golden.npz"))
    image = golden["images"].reshape(-1)  # 12,544 pixels: one is 8e-5 of them, two are 1.6e-4
    image[:pixels] = np.where(image[:pixels] > 100, image[:pixels] - levels, image[:pixels] + levels)
    np.savez(tiny / "golden.npz", **golden)
    rehash(tiny)
    report = zoo.verify(tiny)
    assert report["ok"] is ok and report["max_difference"] == levels and report["differing"] == pixels
