"""What an entry is made of: every file on its card, and a card that says how it came about."""

import json
import platform
import shutil
from datetime import date
from pathlib import Path

import keras
import numpy as np
import pytest

import kerasgan
from kerasgan import cards, data, entries, files, gradients, images, recipes, replicas, zoo
from kerasgan.models import lenet

RECIPE = """
[model]
variant = "DCGAN"
image_shape = [16, 16, 1]
latent_size = 2
width = 2
kernel_size = 2
latent_distribution = "uniform"
[compile]
loss = "hinge"
[data]
train = "x"
licence = "CC0"
[training]
epochs = 4
batch_size = 5
seed = 11
[card]
title = "Noise"
weights_licence = "MIT"
commercial = true
extractor = "lenet_mnist"
"""
HISTORY = [{"epoch": 1, "step": 4, "seconds": 61.0}, {"epoch": 2, "step": 8, "seconds": 23.0}]


def dataset(n=22, shape=(16, 16, 1)):
    return data.from_arrays(np.random.default_rng(0).integers(0, 256, (n, *shape)).astype("uint8"), np.arange(n) % 3,
                            batch_size=5, class_names=["a", "b", "c"])  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(folder, recipe's path, recipe, model) of the entry of a game that nobody has trained."""
    place = tmp_path_factory.mktemp("made")
    (place / "noise.toml").write_text(RECIPE)
    recipe = recipes.read(place / "noise.toml")
    model = recipes.build(recipe["model"])
    recipes.compile_model(model, recipe["compile"])
    model.step.assign(8)
    model.average.set_weights([weight + 0.01 for weight in model.average.get_weights()])
    folder = entries.of_game(place / "new" / "noise", place / "noise.toml", recipe, model, dataset(), HISTORY)
    return folder, place / "noise.toml", recipe, model


def test_name_of(tmp_path):
    assert entries.name_of(Path("somewhere/else/noise.toml")) == "noise"
    assert entries.name_of(tmp_path / "dcgan_x" / "recipe.toml") == "dcgan_x"


def test_name_of_a_recipe_in_the_folder_that_one_is_in(tmp_path, monkeypatch):
    (tmp_path / "dcgan_x").mkdir()
    monkeypatch.chdir(tmp_path / "dcgan_x")
    assert entries.name_of(Path("recipe.toml")) == "dcgan_x"


def test_of_game_writes_a_whole_entry(made):
    folder, path, _, model = made
    expected = {"README.md", "card.json", "discriminator.weights.h5", "generator.weights.h5", "golden.npz",
                "recipe.toml", "samples.png"}  # fmt: skip
    assert {file.name for file in folder.iterdir()} == expected
    assert (folder / "recipe.toml").read_bytes() == path.read_bytes()
    card = zoo.info(folder)
    assert card["files"].keys() == expected - {"README.md", "card.json", "recipe.toml"}
    assert card["files"] == cards.describe_files(folder, card["files"])
    assert images.read(folder / "samples.png").shape == (8 * 18 + 2, 8 * 18 + 2, 1)


def test_an_entry_is_the_average(made):
    folder, _, _, model = made
    loaded = zoo.load(folder)
    for network, original in ((loaded.average, model.average), (loaded.generator, model.average),
                              (loaded.discriminator, model.discriminator)):  # fmt: skip
        for mine, weight in zip(network.get_weights(), original.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, weight)
    assert int(loaded.step) == 0 and loaded.loss.name == "hinge" and zoo.verify(folder)["ok"]
    golden = np.load(folder / "golden.npz")
    assert len(golden["images"]) == entries.GOLDEN
    np.testing.assert_array_equal(golden["latents"], model.latents_of(entries.GOLDEN_SEED, range(entries.GOLDEN)))


def test_the_card_of_a_game(made):
    folder, path, recipe, model = made
    card = json.loads((folder / "card.json").read_text())
    assert card["latents"] == {"shape": [2], "distribution": "uniform"} and card["compile"] == {"loss": "hinge"}
    assert card["images"] == {"shape": [16, 16, 1], "value_range": [-1, 1]} and card["model"] == recipe["model"]
    assert card["training"] == entries.run_of(recipe, dataset(), HISTORY, 8) and card["history"] == HISTORY
    networks = {"generator": model.average, "discriminator": model.discriminator}
    assert card["parameters"] == {name: network.count_params() for name, network in networks.items()}
    manifests = {name: cards.manifest(folder / f"{name}.weights.h5") for name in networks}
    assert card["fingerprint"] == cards.fingerprint(recipe["model"], manifests)
    about = entries.describe(path, recipe, dataset())
    assert {key: card[key] for key in about} == about


def test_fine_tuning_is_what_the_entry_is_compiled_with(made, tmp_path):
    _, path, recipe, model = made
    gentle = recipe | {"fine_tuning": {"loss": "nonsaturating"}}
    folder = entries.of_game(tmp_path / "gentle", path, gentle, model, dataset(), HISTORY)
    assert zoo.info(folder)["compile"] == {"loss": "nonsaturating"} and zoo.load(folder).loss.name == "nonsaturating"


def test_of_classifier(tmp_path):
    (tmp_path / "sure.toml").write_text("# comments stay")
    recipe = {"model": {"variant": "lenet", "image_shape": [12, 12, 1], "classes": 3}, "data": {"train": "x"},
              "training": {}, "card": {"kind": "extractor"}}  # fmt: skip
    classifier, seen = lenet((12, 12, 1), 3), dataset(20, (12, 12, 1))
    folder = entries.of_classifier(tmp_path / "sure", tmp_path / "sure.toml", recipe, classifier, seen, HISTORY)
    card, loaded = zoo.info(folder), zoo.load(folder)
    assert card["kind"] == "extractor" and card["class_names"] == ["a", "b", "c"]
    assert card["training"]["steps"] == 2 * 4 and card["images"]["shape"] == [12, 12, 1]
    assert card["files"].keys() == {"classifier.weights.h5", "golden.npz"} and zoo.verify(folder)["ok"]
    golden = np.load(folder / "golden.npz")
    np.testing.assert_array_equal(golden["images"], entries.blocks(seen.image_shape))  # no image of the data
    assert golden["images"].shape == seen.images[:16].shape and len(np.unique(golden["images"])) > 100
    np.testing.assert_allclose(golden["logits"], loaded.predict_on_batch(golden["images"] / 127.5 - 1), atol=1e-5)
    own = recipe | {"card": {"kind": "extractor", "class_names": ["x", "y", "z"]}}
    folder = entries.of_classifier(tmp_path / "own", tmp_path / "sure.toml", own, classifier, seen, HISTORY,
                                   [{"metric": "accuracy", "value": 0.5}])  # fmt: skip
    assert zoo.info(folder)["class_names"] == ["x", "y", "z"] and zoo.info(folder)["metrics"][0]["value"] == 0.5


def test_without_a_card_there_is_no_entry(made, tmp_path):
    """What stops while it writes leaves no card, so nothing to load: in a new folder, or in that of an older entry."""
    old, path, recipe, model = made
    shutil.copytree(old, tmp_path / "old")
    for folder in (tmp_path / "new", tmp_path / "old"):
        card = entries.describe(path, recipe, dataset())
        with pytest.raises(ValueError, match="no picture format"):
            entries.write(folder, path, card, model, {"latents": np.zeros(2)}, {"x.doc": np.zeros((4, 4, 1), "uint8")})
        assert (folder / "generator.weights.h5").exists()
        with pytest.raises(FileNotFoundError, match="is no entry of a zoo: it has no card.json"):
            zoo.load(folder)


def test_run_of(made):
    run = entries.run_of(made[2], dataset(), HISTORY, 8)
    machine = run.pop("machine")
    assert run == {"steps": 8, "epochs": 2, "images_seen": 40, "batch_size": 5, "seed": 11, "dtype_policy": "float32",
                   "minutes": 1.4}  # fmt: skip
    cores, processor, *gpu = machine.split(", ")
    assert processor == platform.machine() and cores == (f"{n} cores" if (n := replicas.cores()) > 1 else "1 core")
    assert gpu == [name for name in [gradients.accelerator()] if name]


def test_describe(made):
    _, path, recipe, _ = made
    about = entries.describe(path, recipe, dataset())
    assert about["name"] == "noise" and about["kind"] == "generator" and about["title"] == "Noise"
    assert about["commercial"] is True and about["extractor"] == "lenet_mnist" and about["paper"] is None
    assert about["licences"] == {"code": "Apache-2.0", "weights": "MIT", "data": "CC0"} and about["metrics"] == []
    assert about["data"] == {"train": "x", "licence": "CC0", "training_images": 22,
                             "fingerprint": dataset().fingerprint}  # fmt: skip
    assert about["recipe_sha256"] == files.sha256(path) and about["date"] == date.today().isoformat()
    silent = entries.describe(path, recipe | {"card": {}, "data": {"train": "x"}}, dataset())
    assert silent["licences"] == {"code": "Apache-2.0", "weights": "not stated", "data": "not stated"}


def test_versions():
    versions, backend = entries.versions(), keras.backend.backend()
    assert versions["kerasgan"] == kerasgan.__version__ and versions["keras"] == keras.__version__
    assert versions["python"] == platform.python_version() and versions["backend"] == backend
    assert {"numpy", "h5py", backend} <= versions.keys() and versions["numpy"] == np.__version__
