"""Extractors: trained on real images, the best epoch kept, the test split read once."""

import keras
import numpy as np
import pytest

from kerasgan import cards, data, extractors, recipes, training, zoo

RECIPE = """
[model]
variant = "lenet"
image_shape = [12, 12, 1]
classes = 3

[compile]
optimizer = { name = "adam", learning_rate = { schedule = "cosine", first = 0.01, last = 1e-4 } }

[augment]
rotation = 5
shift = 1

[data]
train = "FOLDER/train.npz"
validation = "FOLDER/validation.npz"
test = "FOLDER/test.npz"
licence = "CC0"

[training]
epochs = 3
batch_size = 16
seed = 1

[card]
kind = "extractor"
title = "Bars"
class_names = ["left", "middle", "right"]
weights_licence = "Apache-2.0"
"""


def bars(n, seed):
    """A bright bar to the left, in the middle or to the right: 0, 1, 2."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    images = rng.integers(0, 60, (n, 12, 12, 1)).astype("uint8")
    for image, label in zip(images, labels, strict=True):
        image[:, 1 + 4 * label : 3 + 4 * label] = 220
    return images, labels


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """The path of a recipe and, beside it, its three splits: 48, 20 and 25 images."""
    folder = tmp_path_factory.mktemp("bars")
    for seed, (split, n) in enumerate({"train": 48, "validation": 20, "test": 25}.items()):
        images, labels = bars(n, seed)
        np.savez(folder / f"{split}.npz", images=images, labels=labels)
    (folder / "bars.toml").write_text(RECIPE.replace("FOLDER", folder.as_posix()))
    return folder / "bars.toml"


@pytest.fixture(scope="module")
def entry(recipe, tmp_path_factory):
    """The folder of the entry that `kerasgan train` makes of it."""
    return training.train(recipe, tmp_path_factory.mktemp("run") / "bars", verbose=0)


def test_the_entry_is_the_best_epoch(entry, recipe):
    card, classifier = zoo.info(entry), zoo.load(entry)
    history = card["history"]
    assert [epoch["epoch"] for epoch in history] == [1, 2, 3] and history[-1]["loss"] < history[0]["loss"]
    best = max(epoch["validation_accuracy"] for epoch in history)
    assert best > 0.9
    assert extractors.measured(classifier, data.read(recipe.with_name("validation.npz"), batch_size=1)) == best


def test_the_card(entry, recipe):
    card, test = zoo.info(entry), data.read(recipe.with_name("test.npz"), batch_size=1)
    (record,) = card["metrics"]
    assert record["metric"] == "accuracy" and record["n"] == 25 and record["data"] == str(recipe.with_name("test.npz"))
    assert record["value"] == extractors.measured(zoo.load(entry), test)
    assert record["data_fingerprint"] == test.fingerprint and record["selected_on"].endswith("validation.npz")
    assert card["kind"] == "extractor" and card["class_names"] == ["left", "middle", "right"]
    assert card["training"]["steps"] == 9 and card["images"] == {"shape": [12, 12, 1], "value_range": [-1, 1]}
    assert zoo.verify(entry)["ok"] and cards.read(entry) == card


def test_instead_of_the_recipes(recipe, tmp_path):
    images, labels = bars(32, 9)
    np.savez(tmp_path / "mine.npz", images=images, labels=labels)
    made = training.train(recipe, tmp_path / "run", source=str(tmp_path / "mine.npz"), epochs=1, verbose=0)
    assert made == tmp_path / "run" / "entry"
    card = zoo.info(made)
    assert len(card["history"]) == 1 and card["training"]["steps"] == 2 and card["data"]["training_images"] == 32
    with pytest.raises(FileExistsError, match="has a finished entry"):
        training.train(recipe, tmp_path / "run")
    for run in ("run", "new"):
        with pytest.raises(ValueError, match="An extractor keeps no checkpoints: start again"):
            training.train(recipe, tmp_path / run, resume=True)


def test_callbacks_see_every_epoch_and_what_it_was_worth(recipe, tmp_path, capsys):
    told = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: told.append((epoch, dict(logs))))
    entry = extractors.train(recipe, recipes.read(recipe), tmp_path, callbacks=[watch], verbose=2)
    assert [epoch for epoch, _ in told] == [0, 1, 2]
    for (_, logs), noted in zip(told, zoo.info(entry)["history"], strict=True):
        assert logs["validation_accuracy"] == noted["validation_accuracy"] and logs["loss"] == noted["loss"]
    assert "Epoch 3/3" in capsys.readouterr().out


def test_data_that_it_cannot_learn_from(recipe, tmp_path):
    images, labels = bars(32, 9)
    for wrong, sentence in {
        None: "The training data have no labels, which a classifier learns from: sub-folders, or `labels`",
        3: "The training data have labels 3 to 5; the classifier has classes=3",
        -1: "The training data have labels -1 to 1; the classifier has classes=3",
    }.items():
        arrays = {"images": images} | ({} if wrong is None else {"labels": labels + wrong})
        np.savez(tmp_path / "wrong.npz", **arrays)
        with pytest.raises(ValueError, match=sentence):
            training.train(recipe, tmp_path / "run", source=str(tmp_path / "wrong.npz"))
    assert not (tmp_path / "run").exists()


def test_check_labels():
    def dataset(*labels):
        return data.Dataset(np.zeros((len(labels), 2, 2, 1), "uint8"), labels, batch_size=1)

    extractors.check_labels("x", dataset(0, 1, 2), 3)
    with pytest.raises(ValueError, match="The test data have labels 0 to 3; the classifier has classes=3"):
        extractors.check_labels("test", dataset(0, 3), 3)


# --- the parts --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def eye():
    """A classifier whose logits are the image."""
    inputs = keras.Input((6, 8, 1))
    return keras.Model(inputs, keras.layers.Reshape((6, 8))(inputs))


def test_augmented_moves_and_turns_in_training_alone(eye):
    options = {"rotation": 10, "shift": 2}
    learner = extractors.augmented(eye, options, seed=0)
    images = np.full((32, 6, 8, 1), 255, "uint8")
    np.testing.assert_array_equal(learner.predict_on_batch(images), 1)
    seen = keras.ops.convert_to_numpy(learner(images, training=True))
    assert seen.shape == (32, 6, 8) and seen.max() == pytest.approx(1) and seen.min() == pytest.approx(-1)
    assert len({image.tobytes() for image in seen}) > 16, "each image is moved in its own way"
    again = keras.ops.convert_to_numpy(extractors.augmented(eye, options, seed=0)(images, training=True))
    np.testing.assert_array_equal(seen, again)


def test_augmented_shifts_by_at_most_the_pixels_that_it_is_told(eye):
    """White images: black comes in from the sides, at most two rows and two columns of it."""
    learner = extractors.augmented(eye, {"shift": 2}, seed=3)
    seen = keras.ops.convert_to_numpy(learner(np.full((200, 6, 8, 1), 255, "uint8"), training=True))
    rows, columns = 6 - (seen.max(2) > 0.99).sum(1), 8 - (seen.max(1) > 0.99).sum(1)
    assert rows.max() == columns.max() == 2 and len(set(rows)) > 1 and len(set(columns)) > 1


def test_augmented_shifts_by_whole_pixels_where_it_does_not_turn(eye):
    """Every level that comes out went in: nothing is interpolated. With rotations it is."""
    images = np.random.default_rng(0).choice([0, 85, 255], (64, 6, 8, 1)).astype("uint8")
    moved, turned = (
        keras.ops.convert_to_numpy(extractors.augmented(eye, options, seed=0)(images, training=True))
        for options in ({"shift": 2}, {"shift": 2, "rotation": 10})
    )
    known = np.abs(moved[..., None] - np.array([0, 85, 255]) / 127.5 + 1).min(-1)
    assert known.max() < 1e-5 and not np.allclose(moved, images[..., 0] / 127.5 - 1)
    assert np.abs(turned[..., None] - np.array([0, 85, 255]) / 127.5 + 1).min(-1).max() > 0.1


def test_augmented_mirrors_half_of_the_images_if_it_is_told_to(eye):
    """Left for right, whole, and never upside down."""
    images = np.random.default_rng(0).integers(0, 256, (64, 6, 8, 1)).astype("uint8")
    plain = images[..., 0] / 127.5 - 1
    seen = keras.ops.convert_to_numpy(extractors.augmented(eye, {"flip": True}, seed=0)(images, training=True))
    kept, mirrored = (np.abs(seen - x).max((1, 2)) < 1e-5 for x in (plain, plain[:, :, ::-1]))
    assert (kept ^ mirrored).all() and 20 <= mirrored.sum() <= 44
    assert len(extractors.augmented(eye, {"flip": False}, seed=0).layers) == 2


@pytest.mark.parametrize(
    "layer", [extractors.RandomShift(2, seed=0), extractors.RandomMirror(seed=0)], ids=lambda x: x.name
)
def test_what_is_seen_in_use_is_what_was_given(layer):
    images = np.random.default_rng(0).uniform(-1, 1, (8, 6, 8, 3)).astype("float32")
    np.testing.assert_array_equal(layer(images), images)
    assert not np.array_equal(layer(images, training=True), images)


def test_a_training_step_without_rotations_compiles(eye):
    """By Keras' own choice: every layer says that XLA can."""
    learner = extractors.augmented(eye, {"shift": 2, "flip": True}, seed=0)
    assert all(layer.supports_jit for layer in learner.layers)
    assert not all(layer.supports_jit for layer in extractors.augmented(eye, {"rotation": 2}, seed=0).layers)


def test_best_classifier(tmp_path):
    """The bias decides the class; the second epoch has it right."""
    inputs = keras.Input((2, 1, 1))
    logits = keras.layers.Dense(2, kernel_initializer="zeros")(keras.layers.Flatten()(inputs))
    classifier = keras.Model(inputs, logits)
    validation = data.Dataset(np.zeros((4, 2, 1, 1), "uint8"), np.array([1, 1, 1, 0]), batch_size=1)
    best = extractors.BestClassifier(classifier, validation, tmp_path / "best.weights.h5")
    for epoch, bias in enumerate([(1, 0), (0, 1), (2, 0), (0, 3)]):
        classifier.layers[-1].bias.assign(bias)
        best.on_epoch_begin(epoch)
        best.on_epoch_end(epoch, logs := {"loss": 0.5})
        assert logs["validation_accuracy"] == best.history[-1]["validation_accuracy"]
    assert [epoch["validation_accuracy"] for epoch in best.history] == [0.25, 0.75, 0.25, 0.75]
    best.on_train_end()
    np.testing.assert_array_equal(classifier.layers[-1].bias, [0, 1])  # the first of two that are equally good


def test_augmented_without_options_is_the_classifier(eye):
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 8, 1)).astype("uint8")
    seen = keras.ops.convert_to_numpy(extractors.augmented(eye, {}, seed=0)(images, training=True))
    np.testing.assert_allclose(seen, images[..., 0] / 127.5 - 1, atol=1e-6)


def test_cross_entropy():
    """-log softmax at the label: log 4 for four equal logits, 0 for a certain one that is right."""
    loss = extractors.cross_entropy()
    assert float(loss(np.array([2]), np.zeros((1, 4)))) == pytest.approx(np.log(4), rel=1e-6)
    assert float(loss(np.array([0, 1]), np.array([[50.0, 0], [0, 50.0]]))) == pytest.approx(0, abs=1e-6)


def test_measured_counts_every_image():
    """1,003 images, three batches with a rest: the class is the brighter half."""
    inputs = keras.Input((2, 1, 1))
    classifier = keras.Model(inputs, keras.layers.Flatten()(inputs))
    images = np.random.default_rng(0).integers(0, 256, (1003, 2, 1, 1)).astype("uint8")
    images[:, 1][images[:, 0] == images[:, 1]] ^= 1
    labels = (images[:, 1] > images[:, 0]).reshape(-1).astype(int)
    labels[-3:] ^= 1
    assert extractors.measured(classifier, data.Dataset(images, labels, batch_size=1)) == 1000 / 1003
