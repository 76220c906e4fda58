"""What would pass for something else, or fail after the work alone: refused with a sentence, and nothing is changed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from goldens import cgan, dcgan, lapgan, srgan

from kerasgan import data, evaluation, metrics, penalties, random, recipes, runs, training, zoo
from kerasgan.models import rules


@pytest.fixture(scope="module")
def model():
    model = dcgan()
    model.compile()
    return model


# --- compile ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"alternate": "no"}, "alternate is True or False; saw 'no'"),
        ({"jit_compile": "yes please"}, "jit_compile is True or False; saw 'yes please'"),
        ({"run_eagerly": 1}, "run_eagerly is True or False; saw 1"),
        ({"penalty": penalties.r1}, r"penalty is None or one of kerasgan.penalties, such as r1_r2\(1.0\)"),
        ({"label_smoothing": "0.1"}, r"label_smoothing lies in \[0, 0.5\); saw '0.1'"),
        ({"label_smoothing": None}, r"label_smoothing lies in \[0, 0.5\); saw None"),
        ({"mismatched": 1.0}, r"mismatched lies in \[0, 1\); saw 1.0"),
        (
            {"mismatched": 0.5},
            "Mismatched labels are for a CGAN or DCGAN of two classes or more",
        ),
        ({"instance_noise": float("inf")}, "instance_noise is None, a deviation >= 0"),
        ({"metrics": "fid"}, r"metrics is a list of metrics of real and generated images.*; saw 'fid'"),
        ({"metrics": ["mse"]}, r"metrics is a list .*; saw \['mse'\]"),
        ({"metrics": 5}, "metrics is a list .*; saw 5"),
    ],
)
def test_compile(model, options, complaint):
    """And the rules stay as they were."""
    before = dict(model.rules), model.loss, model.optimizer
    with pytest.raises(ValueError, match=complaint):
        model.compile(loss="hinge" if "label_smoothing" not in options else "nonsaturating", **options)
    assert (dict(model.rules), model.loss, model.optimizer) == before


@pytest.mark.parametrize("build", [lapgan, srgan])
def test_mismatched_labels_are_for_few(build):
    """Even with classes a LAPGAN has none: it may hide labels, and a hidden one has no wrong one."""
    with pytest.raises(ValueError, match="Mismatched labels are for a CGAN or DCGAN of two classes"):
        build(**({"classes": 3} if build is lapgan else {})).compile(mismatched=0.5)


def test_checked_metrics():
    measure = metrics.FrechetDistance(keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()]))
    assert rules.checked_metrics((measure,)) == [measure] and rules.checked_metrics([]) == []
    with pytest.raises(ValueError, match="metrics is a list"):
        rules.checked_metrics(measure)


def test_check_flag_and_check_share():
    rules.check_flag("x", True)
    rules.check_share("x", 0)
    for value in (0, None, "yes"):
        with pytest.raises(ValueError, match=f"x is True or False; saw {value!r}"):
            rules.check_flag("x", value)
    for value in (-0.1, 1, True, "half", None, float("nan")):
        with pytest.raises(ValueError, match=r"x lies in \[0, 1\); saw"):
            rules.check_share("x", value)


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda: dcgan(generator_norm="no"), "generator_norm is True or False; saw 'no'"),
        (lambda: dcgan(average_momentum="half"), r"average_momentum lies in \[0, 1\); saw 'half'"),
        (lambda: cgan(projection=1), "projection is True or False; saw 1"),
    ],
)
def test_constructors(build, complaint):
    with pytest.raises(ValueError, match=complaint):
        build()


# --- fit --------------------------------------------------------------------------------------------------------------


def test_what_has_no_rules():
    with pytest.raises(ValueError, match=r"This DCGAN has no rules to play by: compile\(\) it first"):
        dcgan().fit(np.zeros((8, 16, 16, 1), "uint8"))
    with pytest.raises(ValueError, match="no rules to play by"):
        rules.check_compiled(cgan())


@pytest.mark.parametrize("name", ["epochs", "batch_size", "steps_per_epoch"])
@pytest.mark.parametrize("value", [0, -1, "32", True])
def test_counts_of_fit(model, name, value):
    with pytest.raises(ValueError, match=f"fit: {name} is an integer of at least 1; saw {value!r}"):
        model.fit(np.zeros((8, 16, 16, 1), "uint8"), **{name: value})


def test_a_batch_size_in_words():
    with pytest.raises(ValueError, match="A batch of '32' from 64 images: choose a batch_size from 1 to 64"):
        data.from_arrays(np.zeros((64, 16, 16, 1), "uint8"), batch_size="32")


def test_a_range_without_an_end():
    with pytest.raises(ValueError, match=r"value_range is \(low, high\), finite, with low < high; saw \(0, inf\)"):
        data.from_arrays(np.zeros((4, 16, 16, 1)), batch_size=2, value_range=(0, float("inf")))


@pytest.mark.parametrize("seed", ["7", 7.0, [1]])
def test_a_seed_of_another_type(seed):
    with pytest.raises(TypeError, match=r"A seed is an integer in \[0, 2\*\*31\); saw"):
        random.seed_of(seed)


# --- recipes and runs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"learning_rate": -0.02}, "learning_rate of adam is a number above 0, or a schedule; saw -0.02"),
        ({"learning_rate": 0}, "learning_rate of adam is a number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate of adam is a number above 0"),
        ({"learning_rate": "fast"}, "learning_rate of adam is a number above 0"),
        ({"beta_1": 2.0}, r"beta_1 of adam is true, false or in \[0, 1\); saw 2.0"),
        ({"beta_1": {"schedule": "linear"}}, "beta_1 of adam is true, false or in"),
        ({"clipnorm": -1.0}, r"clipnorm of adam is true, false or in \[0, inf\); saw -1.0"),
        ({"weight_decay": "x"}, "weight_decay of adam is true"),
    ],
)
def test_settings_of_an_optimizer(settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        recipes.optimizer({"name": "adam", **settings})


def test_check_setting():
    for key, value in {"learning_rate": 1e-3, "beta_1": 0, "amsgrad": True, "clipnorm": 1}.items():
        recipes.check_setting("adam", key, value)


@pytest.mark.parametrize(
    ("card", "complaint"),
    [
        ({"summary": 5}, r"summary in \[card\] is text; saw 5"),
        ({"extractor": ["x"]}, r"extractor in \[card\] is text; saw \['x'\]"),
        ({"commercial": "yes"}, r"commercial in \[card\] is true or false; saw 'yes'"),
        ({"class_names": [1, 2]}, r"class_names in \[card\] is a list of texts; saw \[1, 2\]"),
    ],
)
def test_check_card(card, complaint):
    with pytest.raises(ValueError, match=complaint):
        recipes.check_card("recipe.toml", card)
    recipes.check_card("recipe.toml", {"summary": "s", "commercial": False, "class_names": ["a"]})


def test_a_recipes_seed(tiny_recipe, tmp_path):
    path = tmp_path / "big.toml"
    path.write_text(tiny_recipe.read_text().replace("epochs = 6", f"epochs = 6\nseed = {2**31}"))
    with pytest.raises(ValueError, match=r"seed in \[training\] lies in \[0, 2\*\*31\)"):
        recipes.read(path)


def test_data_without_a_name(tiny_entry, tiny_recipe, tmp_path):
    """A shell's empty variable is not the current folder, nor the card's own split."""
    for ask in (lambda: training.train(tiny_recipe, tmp_path / "run", source=""),
                lambda: evaluation.evaluate(tiny_entry, source="", protocol="modern")):  # fmt: skip
        with pytest.raises(ValueError, match="The data have no name|names no extractor"):
            ask()
    with pytest.raises(ValueError, match="The data have no name: pass tfds:NAME:SPLIT"):
        data.read("")
    (tmp_path / "a.png").write_text("")
    with pytest.raises(NotADirectoryError, match="a.png is a file, and neither a folder of pictures nor an .npz"):
        data.read(tmp_path / "a.png")


def test_a_run_without_its_history(tiny_recipe, tmp_path):
    run = tmp_path / "run"
    training.train(tiny_recipe, run, epochs=1, verbose=0)
    (run / "history.json").unlink()
    with pytest.raises(FileNotFoundError, match="lacks its history.json, of which the card tells"):
        training.train(tiny_recipe, run, epochs=1, resume=True, verbose=0)


@pytest.mark.parametrize("size", [0, 10, 1000])
def test_a_model_file_that_was_cut_short(model, tmp_path, size):
    path = tmp_path / "cut.keras"
    model.save(path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match="cut.keras is damaged, or no .keras file"):
        zoo.load(path)


def test_two_trainings_in_one_folder(tiny_recipe, tmp_path):
    """The second is refused while the first is at work, and the first is none the worse for it."""
    refusals = []

    class Second(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if not refusals:
                with pytest.raises(FileExistsError, match="Another training is at work in .*: choose another --output"):
                    training.train(tiny_recipe, tmp_path / "run", epochs=1, verbose=0)
                refusals.append(batch)

    entry = training.train(tiny_recipe, tmp_path / "run", epochs=1, verbose=0, callbacks=[Second()])
    assert refusals == [0] and zoo.verify(entry)["ok"]
    with runs.alone(tmp_path / "run"), pytest.raises(FileExistsError, match="Another training"):
        with runs.alone(tmp_path / "run"):
            pass


def test_an_entry_that_names_itself_as_its_extractor(tiny_zoo):
    """It comes without a metric, and says why."""
    card = zoo.cards.read(tiny_zoo / "tiny")
    zoo.cards.write(tiny_zoo / "tiny", card | {"extractor": "tiny"})
    with pytest.warns(UserWarning, match="tiny comes without a metric"):
        zoo.load("tiny")


def test_batches_that_may_not_divide():
    images = tf.data.Dataset.from_tensor_slices(np.zeros((10, 16, 16, 1), "uint8"))
    model = dcgan(pack=2)
    model.compile()
    with pytest.raises(ValueError, match=r"have to divide by 2 .* batch\(n, drop_remainder=True\)"):
        model.fit(images.batch(4), verbose=0)
    for whole in (images.batch(4, drop_remainder=True), data.from_arrays(np.zeros((4, 16, 16, 1)), batch_size=4)):
        rules.check_remainder(model, whole)
    with pytest.raises(ValueError, match="have to divide by 2 .*, and the last one of this InTwos has 1 images: leave"):
        model.fit(InTwos(7), verbose=0)
    with pytest.raises(ValueError, match="the last one of this Loader has 3 images: leave it out"):
        rules.check_remainder(model, Loader(11, drop_last=False))
    for whole in (InTwos(8), Loader(11, drop_last=True), Loader(10, drop_last=False)):
        rules.check_remainder(model, whole)
    model = dcgan()
    model.compile()
    rules.check_remainder(model, images.batch(4))
    assert data.remainder(InTwos(7), 1) == data.remainder(np.zeros(3), 2) == ""


class InTwos(keras.utils.PyDataset):
    """So many images in batches of two; the last one, if their number is odd, of one."""

    def __init__(self, n):
        super().__init__()
        self.n = n

    def __len__(self):
        return -(-self.n // 2)

    def __getitem__(self, index):
        return np.zeros((min(2, self.n - 2 * index), 16, 16, 1), "uint8")


class Loader:
    """What is known of a torch DataLoader."""

    def __init__(self, n, drop_last):
        self.dataset, self.batch_size, self.drop_last = range(n), 4, drop_last
