"""A conditional model from recipe to pictures: trained, stored, checked, asked for classes by number and by name."""

import numpy as np
import pytest
from command import mistake, parsed, run

from kerasgan import cards, cli, images, plotting, rendering, training, zoo

RECIPE = """
[model]
variant = "CGAN"
image_shape = [9, 9, 1]
classes = 3
latent_size = 4
units = [4, 4, 8]
discriminator_units = [4, 2, 4]
pieces = [2, 2, 2]
dropout = 0.0

[compile]
loss = "relativistic"
penalty = { kind = "r1_r2", weight = 0.1 }

[data]
train = "IMAGES"

[training]
epochs = 2
batch_size = 8

[card]
kind = "generator"
class_names = ["top", "middle", "bottom"]
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """The path of a recipe on 24 pictures with a bright third."""
    folder = tmp_path_factory.mktemp("recipe")
    pictures, labels = np.full((24, 9, 9, 1), 20, "uint8"), np.arange(24) % 3
    for picture, label in zip(pictures, labels, strict=True):
        picture[3 * label : 3 * label + 3] = 230
    np.savez(folder / "thirds.npz", images=pictures, labels=labels)
    path = folder / "thirds.toml"
    path.write_text(RECIPE.replace("IMAGES", (folder / "thirds.npz").as_posix()))
    return path


@pytest.fixture(scope="module")
def entry(recipe, tmp_path_factory):
    return training.train(recipe, tmp_path_factory.mktemp("run") / "thirds", verbose=0)


def changed(recipe, tmp_path, old, new):
    path = tmp_path / "changed.toml"
    path.write_text(recipe.read_text().replace(old, new))
    return path


def test_the_entry(entry):
    """Golden images have their labels, a column of the samples is a class, the card names the classes."""
    card = cards.read(entry)
    assert card["class_names"] == ["top", "middle", "bottom"]
    golden = np.load(entry / "golden.npz")
    assert golden["labels"].shape == (16, 3) and golden["labels"].argmax(axis=1).tolist() == [i % 3 for i in range(16)]
    assert zoo.verify(entry)["ok"]
    assert "| classes | 0: top, 1: middle, 2: bottom |" in rendering.render(card)
    assert "images = model.generate(labels=[2, 0, 1], seed=7)  # uint8 (3, 9, 9, 1)" in rendering.render(card)
    samples = plotting.grid(zoo.load(entry).generate(24, seed=0), columns=3)
    np.testing.assert_array_equal(images.read(entry / "samples.png"), samples)


def test_golden_images_of_other_classes_are_found(entry):
    golden = dict(np.load(entry / "golden.npz"))
    model = zoo.load(entry)
    assert not np.array_equal(model.sample(golden["latents"], golden["labels"][::-1]), golden["images"])


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        (["--labels", "bottom,top"], [2, 0]),
        (["--labels", "2, middle", "-n", 5], [2, 1, 2, 1, 2]),
        (["-n", 4], [0, 1, 2, 0]),
    ],
)
def test_generate(entry, tmp_path, options, labels):
    said = parsed("generate", entry, "--seed", 7, "-o", tmp_path / "drawn.npz", *options)
    assert said["images"] == len(labels)
    drawn = np.load(tmp_path / "drawn.npz")["images"]
    np.testing.assert_array_equal(drawn, zoo.load(entry).generate(labels=labels, seed=7))


def test_generate_refuses(entry, tiny_zoo, tmp_path):
    said = mistake("generate", entry, "--labels", "botom", "-o", tmp_path / "x.png")
    assert said == "--labels: 'botom' is no class and no number. Did you mean 'bottom'? Classes: top, middle, bottom."
    said = mistake("generate", entry, "--labels", "3", "-o", tmp_path / "x.png")
    assert said.startswith("The model has 3 classes, 0 to 2; saw labels 3 to 3.")
    said = mistake("generate", "tiny", "--labels", "0", "-o", tmp_path / "x.png")
    assert said == "DCGAN is unconditional: generate takes no labels."
    assert list(tmp_path.glob("x*")) == []


def test_labels_of():
    assert cli.labels_of("1,0", None, []) == [1, 0]
    assert cli.labels_of(" b ,a", 3, ["a", "b"]) == [1, 0, 1]
    assert cli.labels_of("7", None, ["3", "7"]) == [1], "a name comes before a number"
    with pytest.raises(ValueError, match="'' is no class and no number. Classes: by number."):
        cli.labels_of("", None, [])


def test_export(entry, tmp_path):
    run("export", entry, "-o", tmp_path / "g.tflite")
    assert (tmp_path / "g.tflite").is_file()


def test_before_the_training(recipe, tmp_path):
    """Classes that the data have and the model has not, and names for other classes, are told before the first step."""
    two = changed(recipe, tmp_path, "classes = 3", "classes = 2")
    with pytest.raises(
        ValueError, match="The model has 2 classes, 0 to 1; saw labels 0 to 2. Train one with classes=3"
    ):
        training.train(two, tmp_path / "run", verbose=0)
    names = changed(recipe, tmp_path, '"top", ', "")
    with pytest.raises(ValueError, match=r"\[card\] names 2 classes, and CGAN has 3"):
        training.train(names, tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


def test_check_class_names(tiny_entry):
    training.check_class_names(None, zoo.load(tiny_entry))
    with pytest.raises(ValueError, match="names 1 classes, and DCGAN has none"):
        training.check_class_names(["a"], zoo.load(tiny_entry))
