"""A model with classes is measured by class too, and by the tables of its papers."""

import json
import shutil

import keras
import numpy as np
import pytest

from kerasgan import cards, data, entries, evaluation, recipes, rendering, zoo
from kerasgan.protocols import modern

RECIPE = """
[model]
variant = "CGAN"
image_shape = [28, 28, 1]
classes = 3
latent_size = 2
units = [4, 4, 4]
discriminator_units = [4, 4, 4]
[data]
train = "FOLDER/train.npz"
validation = "FOLDER/train.npz"
test = "FOLDER/test.npz"
[training]
epochs = 1
batch_size = 8
[card]
extractor = "lenet_mnist"
paper_table = "cgan"
class_names = ["low", "middle", "high"]
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """(where the data are: bars of three heights, the entry's folder); nobody has trained it."""
    place = tmp_path_factory.mktemp("told")
    for seed, (split, n) in enumerate({"train": 160, "test": 150}.items()):
        rng = np.random.default_rng(seed)
        labels, images = rng.integers(0, 3, n), rng.integers(0, 60, (n, 28, 28, 1)).astype("uint8")
        for image, label in zip(images, labels, strict=True):
            image[: 8 * label + 2] = 220
        np.savez(place / f"{split}.npz", images=images, labels=labels)
    (place / "told.toml").write_text(RECIPE.replace("FOLDER", place.as_posix()))
    return place, made(place, place / "told", seed=0)


def made(place, folder, seed, chosen=None):
    """The entry of a training of that seed."""
    keras.utils.set_random_seed(seed)
    recipe = recipes.read(place / "told.toml")
    recipe["training"]["seed"] = seed
    model = recipes.build(recipe["model"])
    model.compile()
    return entries.of_game(
        folder, place / "told.toml", recipe, model, data.read(place / "train.npz", batch_size=8), [], chosen
    )


def test_by_class_in_the_features_of_the_extractor(told):
    place, folder = told
    found = {record["metric"]: record for record in evaluation.evaluate(folder, n=140, seeds=(4, 5))}
    assert next(iter(found)) == "frechet_distance" and list(found)[-2:] == ["label_agreement", "worst_class_coverage"]
    classifier, model, labels = zoo.load("lenet_mnist"), zoo.load(folder), np.arange(140) % 3
    agreed = [(modern.judged(classifier, model.generate(140, seed=s)).taken_for == labels).mean() for s in (4, 5)]
    assert found["label_agreement"]["value"] == pytest.approx(np.mean(agreed))
    coverage = found["worst_class_coverage"]
    assert coverage["k"] == 5 and coverage["value"] < 0.1 and coverage["real"] > 0.9, "nothing like the bars is drawn"


def test_by_the_tables_of_the_papers(told):
    _, folder = told
    records = evaluation.evaluate(folder, n=30, seeds=(4, 5), protocol="paper")
    assert [record["metric"] for record in records] == ["parzen_likelihood", "nearest_neighbour_error"]
    assert records[1]["samples"] == 150 and records[1]["real"] == 0 < records[1]["value"]
    assert records[1]["anchor"].startswith("first 150 of")
    with pytest.raises(ValueError, match="has 160 images, fewer than n=700, which this protocol takes"):
        evaluation.evaluate(folder, n=140, protocol="paper")


def test_trainings_that_differ_in_their_seed(told, tmp_path):
    """Each record says what every training came to; the card shows it in a column of its own."""
    place, folder = told
    other_seed = made(place, tmp_path / "one", seed=1, chosen={"epoch": 3, "monitor": "x", "value": 1.0})
    refused = [tmp_path / name for name in ("same", "longer", "elsewhere")]
    changes = ({}, {"training": {"seed": 1, "steps": 7}}, {"recipe_sha256": "another"})
    for other, change in zip(refused, changes, strict=True):
        shutil.copytree(folder, other)
        card = json.loads((other / "card.json").read_text())
        training = card["training"] | change.get("training", {})
        (other / "card.json").write_text(json.dumps(card | change | {"training": training}))
    alone = evaluation.evaluate(folder, n=30, seeds=(4, 5), protocol="paper")
    records = evaluation.evaluate(folder, n=30, seeds=(4, 5), protocol="paper", beside=[other_seed])
    for record, without in zip(records, alone, strict=True):
        assert record == without | {"trainings": {"0": record["value"], "1": record["trainings"]["1"]}}
        cards.check_comparable(record, without)
    found = evaluation.evaluate(other_seed, n=30, seeds=(4, 5), protocol="paper")
    assert [record["trainings"]["1"] for record in records] == [record["value"] for record in found]
    assert records[0]["trainings"]["1"] != records[0]["value"]
    head, _, first, _ = rendering.measured(records)[2:6]
    assert head.endswith("| by training seed |") and f"0: {records[0]['value']:.4g}, 1: " in first
    assert "by training seed" not in "".join(rendering.measured(alone)) and rendering.trainings(alone[0]) == ""
    assert "trainings" not in rendering.protocol(records[0])
    sentences = ("is of the training seed 0, as another", *["was not trained as told"] * 2)
    for other, sentence in zip(refused, sentences, strict=True):
        with pytest.raises(ValueError, match=sentence):
            evaluation.trained_alike(zoo.info(folder), [other])


def test_samples_of_all_classes_equally(told):
    model = zoo.load(told[1])
    given = evaluation.samples(model, 7, seed=5)
    assert isinstance(given, data.Dataset) and given.labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    np.testing.assert_array_equal(given.images, model.generate(7, seed=5))
