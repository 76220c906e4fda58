"""Every entry that is shipped under zoo/: whole, as its card says, within its size, and rendered as it stands."""

import json
from pathlib import Path

import pytest

from kerasgan import cards, recipes, rendering, zoo
from kerasgan.files import sha256

ROOT = Path(__file__).resolve().parents[1]
ENTRIES = sorted(path.parent for path in ROOT.glob("zoo/*/card.json"))
LARGEST_FILE, LARGEST_ZOO = 15e6, 60e6
MEGABYTES = {  # the budget of an entry: generator and discriminator
    "gan_mnist": 6, "cgan_mnist": 6, "cdcgan_mnist": 8, "dcgan_mnist": 6, "gan_cifar10": 8, "dcgan_cifar10": 10,
    "lapgan_cifar10": 8, "srresnet_x4": 4, "srgan_x4": 8, "lenet_mnist": 2, "convnet_cifar10": 7,
}  # fmt: skip


def every_entry(test):
    return pytest.mark.parametrize("folder", ENTRIES, ids=lambda folder: folder.name)(test)


@every_entry
def test_files_are_as_the_card_says(folder):
    card = cards.read(folder)
    assert card["name"] == folder.name
    for name in card["files"]:
        cards.checked_file(folder, card, name)
    assert card["kind"] != "generator" or "samples.png" in card["files"]
    assert {path.name for path in folder.iterdir()} == {*card["files"], "card.json", "README.md", "recipe.toml"}


@every_entry
def test_the_recipe_is_the_one_that_it_was_trained_by(folder):
    card, recipe = cards.read(folder), recipes.read(folder / "recipe.toml")
    assert card["recipe_sha256"] == sha256(folder / "recipe.toml")
    assert card["model"] == recipe["model"]


@every_entry
def test_parameters_are_counted_right(folder):
    """Of what was shipped: a discriminator that rested was not."""
    card = cards.read(folder)
    parts = zoo.weights_of(zoo.restore(folder, card))
    shipped = {part: network for part, network in parts.items() if f"{part}.weights.h5" in card["files"]}
    assert {part: network.count_params() for part, network in shipped.items()} == card["parameters"]
    assert shipped and (shipped.keys() == parts.keys() or card["kind"] == "upscaler")


@every_entry
def test_within_its_budget(folder):
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert max(sizes.values()) <= LARGEST_FILE
    weights = sum(size for name, size in sizes.items() if name.endswith(".weights.h5"))
    assert weights <= MEGABYTES[folder.name] * 1e6, "give it a line in MEGABYTES, or make it smaller"


@every_entry
def test_the_model_card_is_rendered_from_the_card(folder):
    card = cards.read(folder)
    assert (folder / "README.md").read_text("utf-8") == rendering.render(card), "make zoo"
    assert card["metrics"], "an entry without a measured number: kerasgan evaluate --write"


@every_entry
def test_a_generator_draws_as_well_as_its_kind_must(folder):
    """At most 15 times the distance of real images from real ones; of digits, every class in fair shares."""
    card = cards.read(folder)
    numbers = {record["metric"]: record for record in card["metrics"]}
    if card["kind"] == "generator":
        distance = numbers["frechet_distance"]
        assert distance["value"] / distance["real"] <= 15
    if card["kind"] == "generator" and card.get("class_names"):
        agreement = numbers["label_agreement"]
        assert agreement["value"] >= 0.98 * agreement["real"], "labels that it does not draw"
    if folder.name == "dcgan_mnist":
        assert numbers["smallest_class"]["value"] >= 0.07 and numbers["largest_class"]["value"] <= 0.13


ASKED = [  # (entry, metric, the least and the most, of what: the value, or as a multiple of real images')
    ("gan_mnist", "parzen_likelihood", 225, 245, "value"),  # more is smoothing
    ("gan_mnist", "coverage", 0.5, 2, "real"),
    ("gan_mnist", "pixel_variance", 0.9, 1.1, "real"),
    ("gan_mnist", "copying", 0, 0.5, "value"),
    ("cgan_mnist", "parzen_likelihood", 200, 245, "value"),
    ("cgan_mnist", "nearest_neighbour_error", 0, 0.0628, "value"),  # DCGAN's Table 3, perceptrons
    ("cgan_mnist", "label_agreement", 0.98, 1, "value"),
    ("cgan_mnist", "worst_class_coverage", 0.5, 2, "real"),
    ("cdcgan_mnist", "label_agreement", 0.98, 1, "value"),
    ("cdcgan_mnist", "worst_class_coverage", 0.6, 2, "real"),
]


@pytest.mark.parametrize(("name", "metric", "least", "most", "of"), ASKED)
def test_an_entry_has_the_figures_that_it_was_trained_for(name, metric, least, most, of):
    """A class's coverage is the worst one's, over the worst one's of real images."""
    (record,) = [record for record in cards.read(ROOT / "zoo" / name)["metrics"] if record["metric"] == metric]
    assert least <= record["value"] / (record["real"] if of == "real" else 1) <= most


@pytest.mark.parametrize("name", ["gan_mnist", "cgan_mnist"])
def test_of_three_trainings_the_middle_one_is_shipped(name):
    card = cards.read(ROOT / "zoo" / name)
    assert all(set(record["trainings"]) == {"0", "1", "2"} for record in card["metrics"])
    assert "Of 3 trainings the one with the median frechet_distance is shipped." in rendering.render(card)


@every_entry
def test_it_is_found_and_gives_its_golden_images(folder, monkeypatch):
    monkeypatch.delenv("KERASGAN_ZOO", raising=False)
    assert zoo.find(folder.name)[0] == folder
    report = zoo.verify(folder.name)
    assert report["ok"], report


def test_the_index_pins_every_card():
    path = ROOT / "zoo" / cards.INDEX
    pins = json.loads(path.read_text("utf-8")) if path.exists() else {}
    assert pins == {folder.name: sha256(folder / cards.CARD) for folder in ENTRIES}, "make zoo"


def test_the_table_in_the_readme_is_made_from_the_cards():
    rows = rendering.zoo_table([cards.read(folder) for folder in ENTRIES])
    table = (ROOT / "README.md").read_text("utf-8").split(cards.TABLE[0])[1].split(cards.TABLE[1])[0]
    assert table.split("\n") == ["", *rows, ""] or not (ENTRIES or table.strip()), "make zoo"


def test_the_whole_zoo_is_small():
    assert sum(path.stat().st_size for folder in ENTRIES for path in folder.iterdir()) <= LARGEST_ZOO


@pytest.mark.parametrize("path", sorted(ROOT.glob("zoo/*/recipe.toml")), ids=lambda path: path.parent.name)
def test_recipes_are_sound(path):
    recipe = recipes.read(path)
    model = recipes.build(recipe["model"])
    if recipe["card"]["kind"] == "generator":
        for section in ("compile", "fine_tuning"):
            recipes.compile_model(model, recipe[section], steps=10)
    for key in ("title", "summary", "weights_licence", "commercial"):
        assert key in recipe["card"], f"the card of {path.parent.name} would lack {key}"
