"""Extractors: trained on real images, the best epoch kept, the test split read once."""

import functools
import signal

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
shift = 1
cutout = 3

[data]
train = "FOLDER/train.npz"
validation = "FOLDER/validation.npz"
test = "FOLDER/test.npz"
licence = "CC0"

[training]
epochs = 3
batch_size = 16
seed = 1
checkpoint_steps = 2

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


def right(classifier, path):
    """The share of a split's images that a classifier tells right."""
    split = data.read(path, batch_size=1)
    return np.mean(classifier.predict(split.images / 127.5 - 1, verbose=0).argmax(1) == split.labels)


def test_the_entry_is_the_best_epoch(entry, recipe):
    card, classifier = zoo.info(entry), zoo.load(entry)
    history = card["history"]
    assert [epoch["epoch"] for epoch in history] == [1, 2, 3] and history[-1]["loss"] < history[0]["loss"]
    best = max(epoch["val_accuracy"] for epoch in history)
    assert best > 0.9
    assert right(classifier, recipe.with_name("validation.npz")) == pytest.approx(best, abs=1e-6)


def test_the_card(entry, recipe):
    card, test = zoo.info(entry), data.read(recipe.with_name("test.npz"), batch_size=1)
    (record,) = card["metrics"]
    assert record["metric"] == "accuracy" and record["n"] == 25 and record["data"] == str(recipe.with_name("test.npz"))
    assert record["value"] == right(zoo.load(entry), recipe.with_name("test.npz"))
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
    with pytest.raises(FileExistsError, match="has a run at step 2"):
        training.train(recipe, tmp_path / "run")


class Stop(keras.callbacks.Callback):
    """Ctrl-C at a step."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step.numpy()) == self.step:
            signal.raise_signal(signal.SIGINT)


def test_it_goes_on_to_the_same_bits(entry, recipe, tmp_path):
    """Stopped in mid-epoch and, resumed, once more: what draws, drops out and descends goes on where it was."""
    for resume, step in ((False, 2), (True, 7)):
        with pytest.raises(training.Interrupted, match=f"Stopped at step {step} of 9"):
            training.train(recipe, tmp_path, resume=resume, callbacks=[Stop(step)], verbose=0)
    again = training.train(recipe, tmp_path, resume=True, verbose=0)
    cards_of = [zoo.info(folder) for folder in (entry, again)]
    for keys in (("fingerprint",), ("metrics",), ("training", "steps")):
        first, second = (functools.reduce(dict.__getitem__, keys, card) for card in cards_of)
        assert first == second
    first, second = ([epoch["val_accuracy"] for epoch in card["history"]] for card in cards_of)
    assert first == second
    pairs = zip(zoo.load(entry).get_weights(), zoo.load(again).get_weights(), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)


def test_another_training_does_not_go_on_from_there(recipe, tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no checkpoint"):
        training.train(recipe, tmp_path / "run", resume=True)
    with pytest.raises(training.Interrupted):
        training.train(recipe, tmp_path / "run", callbacks=[Stop(1)], verbose=0)
    (tmp_path / "other.toml").write_text(recipe.read_text().replace("cutout = 3", "cutout = 2"))
    with pytest.raises(ValueError, match=r"is of another training: \[augment\] cutout was 3, now 2"):
        training.train(tmp_path / "other.toml", tmp_path / "run", resume=True)


def test_a_recipe_without_image_shape_goes_by_the_classifiers_own(recipe, tmp_path):
    text = recipe.read_text().replace("image_shape = [12, 12, 1]", "")
    (tmp_path / "plain.toml").write_text(text)
    with pytest.raises(ValueError, match=r"28, 28, 1"):
        training.train(tmp_path / "plain.toml", tmp_path / "run")
    for wrong, sentence in (({"flip": "no"}, "flip is True or False"), ({"cutout": 99}, r"cutout lies in \[0, 12\)")):
        with pytest.raises(ValueError, match=sentence):
            extractors.augmented(recipes.build({"variant": "lenet", "image_shape": (12, 12, 1)}), wrong, seed=0)


def test_it_stops_on_nan(recipe, tmp_path):
    (tmp_path / "wild.toml").write_text(recipe.read_text().replace("first = 0.01", "first = 1e30"))
    with pytest.raises(FloatingPointError, match="became nan at step|became NaN or infinite at step"):
        training.train(tmp_path / "wild.toml", tmp_path / "run", verbose=0)


def test_callbacks_see_every_epoch_and_what_it_was_worth(recipe, tmp_path, capsys):
    told = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: told.append((epoch, dict(logs))))
    entry = training.train(recipe, tmp_path / "run", callbacks=[watch], verbose=2)
    assert [epoch for epoch, _ in told] == [0, 1, 2]
    for (_, logs), noted in zip(told, zoo.info(entry)["history"], strict=True):
        assert logs["val_accuracy"] == noted["val_accuracy"] and logs["loss"] == noted["loss"]
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


def test_best_classifier(tmp_path):
    """The first of two that are equally good, one file and its note."""
    inputs = keras.Input((2, 1, 1))
    classifier = keras.Model(inputs, keras.layers.Dense(2, name="logits")(keras.layers.Flatten()(inputs)))
    learner = extractors.augmented(classifier, {}, seed=0)
    learner.compile("sgd", "mse")
    best = extractors.BestClassifier(tmp_path / "best.weights.h5")
    best.set_model(learner)
    best.set_params({"steps": 1})
    best.on_train_begin()
    for epoch, accuracy in enumerate([0.25, 0.75, 0.25, 0.75]):
        classifier.get_layer("logits").bias.assign([epoch, 0])
        best.on_train_batch_end(0)
        best.on_epoch_end(epoch, {"val_accuracy": accuracy})
    assert best.give_back(learner)["epoch"] == 2
    np.testing.assert_array_equal(classifier.get_layer("logits").bias, [1, 0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.json", "best.weights.h5"]


def test_learner():
    """Its state is all that a checkpoint has to bring: weights, optimizer and every stream of draws."""
    eye = keras.Sequential([keras.Input((6, 8, 1)), keras.layers.Reshape((6, 8))])
    learner = extractors.augmented(eye, {"shift": 2, "flip": True, "cutout": 2}, seed=0)
    learner.compile(keras.optimizers.SGD(momentum=0.9), "mse")
    learner.optimizer.build(learner.trainable_variables)
    assert learner.step is learner.optimizer.iterations and learner.is_finite()
    streams = [variable for variable in learner.state if "seed" in variable.path]
    assert len(streams) == 3 and any(variable is learner.step for variable in learner.state)
    assert isinstance(learner, extractors.Learner) and learner.classifier is eye
    assert learner.get_config() == {"classifier": eye.name, "weights": []}
    learner.optimizer.learning_rate.assign(float("nan"))
    assert not learner.is_finite()


def test_cross_entropy():
    """-log softmax at the label: log 4 for four equal logits, 0 for a certain one that is right."""
    loss = extractors.cross_entropy()
    assert float(loss(np.array([2]), np.zeros((1, 4)))) == pytest.approx(np.log(4), rel=1e-6)
    assert float(loss(np.array([0, 1]), np.array([[50.0, 0], [0, 50.0]]))) == pytest.approx(0, abs=1e-6)
    smoothed, four = extractors.cross_entropy(0.4), np.log([[4.0, 1, 1, 2]])  # probabilities 1/2, 1/8, 1/8, 1/4
    expected = 0.6 * np.log(2) + 0.1 * np.log([2, 8, 8, 4]).sum()
    assert float(smoothed(np.array([[0]]), four)) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match="label_smoothing lies in"):
        extractors.cross_entropy(1.0)


def test_report_counts_every_image():
    """1,003 images, three batches with a rest: the class is the brighter half."""
    inputs = keras.Input((2, 1, 1))
    classifier = keras.Model(inputs, keras.layers.Flatten()(inputs))
    images = np.random.default_rng(0).integers(0, 256, (1003, 2, 1, 1)).astype("uint8")
    images[:, 1][images[:, 0] == images[:, 1]] ^= 1
    labels = (images[:, 1] > images[:, 0]).reshape(-1).astype(int)
    labels[-3:] ^= 1
    test = data.Dataset(images, labels, batch_size=1)
    record = extractors.report(classifier, test, {"data": {"test": "bright.npz", "validation": "x.npz"}})
    assert record["value"] == 1000 / 1003 and record["n"] == 1003 and record["data"] == "bright.npz"


def test_prepared_is_what_train_extractor_trains(recipe, tmp_path):
    read = recipes.read(recipe)
    learner, dataset, validation, test = extractors.prepared(read)
    assert [len(split.images) for split in (dataset, validation, test)] == [48, 20, 25]
    assert learner.compiled and learner.optimizer.built and int(learner.step.numpy()) == 0
    entry = training.train_extractor(recipe, read, tmp_path / "run", verbose=0)
    assert zoo.info(entry)["training"]["steps"] == 9
