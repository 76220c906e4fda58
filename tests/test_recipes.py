"""A recipe is plain data: what it may say, what is made of it, and what is refused with the nearest name."""

import math
import re

import keras
import numpy as np
import pytest

from kerasgan import DCGAN, recipes

SMALL = {"variant": "DCGAN", "image_shape": [16, 16, 1], "latent_size": 2, "width": 2, "kernel_size": 2}
RECIPE = """
[model]
variant = "DCGAN"
image_shape = [16, 16, 1]
[data]
train = "x.npz"
[training]
epochs = 2
batch_size = 4
"""
EXTRACTOR = (
    RECIPE.replace("DCGAN", "lenet").replace('"x.npz"', '"a"\nvalidation = "b"\ntest = "c"')
    + '[compile]\noptimizer = { name = "adam" }\n[card]\nkind = "extractor"\n'
)


def written(tmp_path, text):
    (tmp_path / "r.toml").write_text(text, encoding="utf-8")
    return tmp_path / "r.toml"


# --- reading ----------------------------------------------------------------------------------------------------------


def test_read_gives_every_section(tmp_path):
    recipe = recipes.read(written(tmp_path, RECIPE))
    assert recipe == {
        "model": {"variant": "DCGAN", "image_shape": [16, 16, 1]}, "compile": {}, "augment": {}, "fine_tuning": {},
        "data": {"train": "x.npz"}, "training": {"epochs": 2, "batch_size": 4}, "card": {},
    }  # fmt: skip
    assert recipes.read(str(written(tmp_path, EXTRACTOR)))["card"]["kind"] == "extractor"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[model", "r.toml is no TOML: "),
        (RECIPE + "[trainning]\n", "Unknown section of r.toml 'trainning'. Did you mean 'training'?"),
        ("x = 1\n" + RECIPE, "Unknown section of r.toml 'x'.* There are: model, compile"),
        ("card = 1\n" + RECIPE, r"card is a section, \[card\], with keys below it; saw 1"),
        (RECIPE + "epoch = 3\n", r"Unknown key of \[training\] 'epoch'. Did you mean 'epochs'?"),
        (RECIPE + '[augment]\nrotate = 3\n', r"Unknown key of \[augment\] 'rotate'. Did you mean 'rotation'?"),
        (RECIPE.replace('train = "x.npz"', ""), r"r.toml lacks train in its section \[data\]"),
        (RECIPE.replace("batch_size = 4", ""), r"lacks batch_size in its section \[training\]"),
        ("", r"lacks variant in its section \[model\]"),
        (EXTRACTOR.replace('test = "c"', ""), r"lacks test in its section \[data\]"),
        (EXTRACTOR.replace("optimizer =", "optimiser ="), r"lacks optimizer in its section \[compile\]"),
        (RECIPE.replace("epochs = 2", "epochs = 0"), r"epochs in \[training\] is an integer of at least 1; saw 0"),
        (RECIPE.replace("epochs = 2", "epochs = 2.0"), r"epochs in \[training\] is an integer of at least 1; saw 2.0"),
        (RECIPE.replace("epochs = 2", "epochs = true"), "at least 1; saw True"),
        (RECIPE + "seed = -1\n", r"seed in \[training\] is an integer of at least 0; saw -1"),
        (RECIPE + 'checkpoint_steps = "x"\n', "checkpoint_steps in .* at least 1; saw 'x'"),
        (RECIPE.replace("DCGAN", "DGCAN"), "Unknown variant 'DGCAN'. Did you mean 'DCGAN'?"),
        (RECIPE.replace('"DCGAN"', '["DCGAN"]'), r"Unknown variant \['DCGAN'\]"),
        (RECIPE + "[augment]\nrotation = 3\n", r"of \[augment\] the generator reads nothing; saw rotation: leave"),
        (EXTRACTOR + '[fine_tuning]\nloss = "x"\n', r"of \[fine_tuning\] the extractor reads nothing; saw loss"),
        (EXTRACTOR.replace("[compile]", '[compile]\nloss = "x"\njit_compile = true'),
         r"of \[compile\] the extractor reads optimizer, label_smoothing; saw jit_compile, loss: leave it out"),
        (EXTRACTOR.replace("epochs = 2", 'epochs = 2\ndtype_policy = "mixed_bfloat16"\ncheckpoint_steps = 3'),
         r"of \[training\] the extractor reads epochs, batch_size, seed, checkpoint_steps; saw dtype_policy"),
        (RECIPE + 'choose = "lats"\n', "Unknown value of choose 'lats'. Did you mean 'last'. There are: best, last"),
        (RECIPE + '[card]\nkind = "genarator"\n', "Unknown kind 'genarator'. Did you mean 'generator'?"),
        (RECIPE.replace("DCGAN", "lenet"), r"lenet is no generator; say which kind it is in \[card\]"),
        (EXTRACTOR.replace("lenet", "DCGAN"), "DCGAN is no extractor"),
    ],
)  # fmt: skip
def test_what_read_refuses(tmp_path, text, sentence):
    with pytest.raises(ValueError, match=sentence):
        recipes.read(written(tmp_path, text))


def test_a_recipe_that_is_not_there_or_no_text(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no recipe .*none.toml"):
        recipes.read(tmp_path / "none.toml")
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="x.toml is no TOML"):
        recipes.read(tmp_path / "x.toml")


def test_a_schedule_of_its_own_steps_is_not_for_compile(tmp_path):
    """What has faded would come back with whoever loads an entry that has no [fine_tuning]."""
    rate = {"learning_rate": {"schedule": "linear", "first": 1, "last": 0, "steps": 9}}
    with pytest.raises(ValueError, match="x.toml: learning_rate in .compile. runs `over` a share of the training"):
        recipes.check_schedules(tmp_path / "x.toml", {"loss": "hinge", "generator_optimizer": rate})
    recipes.check_schedules(tmp_path / "x.toml", {"penalty": {"weight": {"schedule": "linear", "over": 1}}})
    assert recipes.CHOICES == ("best", "last")


def test_check_keys_and_check_kind(tmp_path):
    """Which keys there are at all; which of them a kind needs, and which it reads."""
    path, sections = tmp_path / "r.toml", {"model": {"variant": "x"}, "data": {"train": "x"}}
    recipe = sections | {"training": {"epochs": 1, "batch_size": 1}, "augment": {"flip": True}}
    recipes.check_keys(path, recipe)
    recipes.check_kind(path, recipe | {"augment": {}}, "generator")
    with pytest.raises(ValueError, match="the generator reads nothing; saw flip"):
        recipes.check_kind(path, recipe, "generator")
    with pytest.raises(ValueError, match=r"lacks test, validation in its section \[data\]"):
        recipes.check_kind(path, recipe, "extractor")


def test_check_table():
    recipes.check_table("thing", {"a": 1, "bee": 2}, {"a"}, {"bee"})
    recipes.check_table("thing", {"a": 1}, {"a"}, {"bee"})
    for table, sentence in {
        "a": "A thing is a table with a, bee; saw 'a'",
        (("bee", 1),): "A thing needs a; saw {'bee': 1}",
        (("a", 1), ("be", 2)): "Unknown key of a thing 'be'. Did you mean 'bee'?",
    }.items():
        with pytest.raises(ValueError, match=re.escape(sentence)):
            recipes.check_table("thing", table if isinstance(table, str) else dict(table), {"a"}, {"bee"})


# --- building ---------------------------------------------------------------------------------------------------------


def test_build():
    section = dict(SMALL)
    model = recipes.build(section)
    assert type(model) is DCGAN and model.image_shape == (16, 16, 1) and model.latent_shape == (2,)
    assert section == SMALL, "the recipe goes onto the card as it was"
    classifier = recipes.build({"variant": "lenet", "image_shape": [12, 14, 1], "classes": 3})
    assert classifier.input_shape == (None, 12, 14, 1) and classifier.output_shape == (None, 3)


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"variant": "gan"}, ValueError, "Unknown variant 'gan'. Did you mean 'GAN'. There are: GAN, CGAN, DCGAN,"),
        ({"variant": None}, ValueError, "Unknown variant None"),
        ({"widht": 3}, TypeError, "DCGAN has no argument 'widht'. Did you mean 'width'?"),
        ({"averge_momentum": 0.9}, TypeError, "no argument 'averge_momentum'. Did you mean 'average_momentum'?"),
        ({"variant": "lenet"}, TypeError, "lenet has no argument 'latent_size'"),
        ({"image_shape": [17, 16, 1]}, ValueError, r"\(17, 16, 1\) does not: resize the images to \(16, 16, 1\)"),
    ],
)  # fmt: skip
def test_what_build_refuses(changes, error, sentence):
    with pytest.raises(error, match=sentence):
        recipes.build(SMALL | changes)


# --- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ({"schedule": "linear", "first": 1.0, "last": 0.0}, {0: 1, 25: 0.75, 100: 0, 1000: 0}),
        ({"schedule": "linear", "first": 0, "last": 2, "over": 0.5}, {0: 0, 25: 1, 50: 2, 100: 2}),
        ({"schedule": "cosine", "first": 1.0, "last": 0.1}, {0: 1, 50: 0.55, 100: 0.1, 1000: 0.1}),
        ({"schedule": "cosine", "first": 2, "last": 0, "over": 0.5}, {25: 1, 10: 1 + math.cos(math.pi / 5), 50: 0}),
        ({"schedule": "cosine", "first": 2, "last": 0.2, "warmup": 0.2}, {0: 0, 10: 1, 20: 2, 60: 1.1, 100: 0.2}),
        ({"schedule": "cosine", "first": 2, "last": 1, "warmup": 0.99, "steps": 2}, {0: 0, 1: 2, 2: 1}),
        ({"schedule": "linear", "first": 3, "last": 1, "over": 0}, {1: 1}),
        ({"schedule": "linear", "first": 4, "last": 2, "steps": 10}, {0: 4, 5: 3, 10: 2, 100: 2}),
    ],
)
def test_scheduled(section, values):
    schedule = recipes.scheduled(section, 100)
    for step, value in values.items():
        assert float(schedule(step)) == pytest.approx(value, abs=1e-6)


def test_what_is_no_schedule_stays_as_it_is():
    for value in (0.5, 3, "x", None, [1]):
        assert recipes.scheduled(value, 100) == recipes.scheduled(value) == value


def test_without_steps_a_schedule_is_at_its_end():
    """A rate that ended at 0 would never move a weight again; a penalty or noise that has faded stays away."""
    falling, fading = ({"schedule": "linear", "first": 4, "last": last} for last in (2, 0))
    assert recipes.scheduled(falling) == recipes.scheduled(falling, rest=False) == 2.0
    assert recipes.scheduled(fading) == 0.0 and recipes.scheduled(fading, rest=False) == 4.0
    assert float(recipes.optimizer({"learning_rate": falling}).learning_rate) == 2
    assert float(recipes.optimizer({"learning_rate": fading}).learning_rate) == 4
    assert recipes.penalty({"kind": "r1", "weight": fading}).weight == 0
    with pytest.raises(ValueError, match="A schedule needs last"):
        recipes.scheduled({"schedule": "linear", "first": 1})
    own = {"schedule": "linear", "first": 4, "last": 2, "steps": 10}  # it need not know how long the training is
    assert float(recipes.scheduled(own)(5)) == float(recipes.scheduled(own, 1000)(5)) == 3


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"schedule": "cosin", "first": 1, "last": 0}, "Unknown schedule 'cosin'. Did you mean 'cosine'?"),
        ({"schedule": "linear", "first": 1}, "A schedule needs last"),
        ({"first": 1, "last": 0}, "A schedule needs schedule"),
        ({"schedule": "linear", "first": 1, "last": 0, "ever": 1}, "key of a schedule 'ever'. Did you mean 'over'?"),
        ({"schedule": "linear", "first": -1, "last": 0}, "The 'first' of a schedule is a number of at least 0; saw -1"),
        ({"schedule": "linear", "first": 1, "last": "0"}, "The 'last' of a schedule is a number .*; saw '0'"),
        ({"schedule": "linear", "first": 1, "last": True}, "The 'last' of .* saw True"),
        ({"schedule": "linear", "first": 1, "last": math.nan}, "The 'last' of .* saw nan"),
        ({"schedule": "linear", "first": math.inf, "last": 1}, "The 'first' of .* saw inf"),
        ({"schedule": "linear", "first": 1, "last": 0, "over": -1}, "The 'over' of .* saw -1"),
        ({"schedule": "linear", "first": 1, "last": 0, "steps": "9"}, "The 'steps' of .* saw '9'"),
        ({"schedule": "linear", "first": 1, "last": 0, "steps": 9, "over": 1}, "for its own `steps`, not both"),
        ({"schedule": "cosine", "first": 0, "last": 1}, "A cosine schedule starts above 0"),
        ({"schedule": "linear", "first": 1, "last": 0, "warmup": 0.1}, "Only a cosine schedule has a warmup"),
        ({"schedule": "cosine", "first": 1, "last": 0, "warmup": 1.0}, "warmup of a schedule lies in .0, 1.; saw 1.0"),
    ],
)  # fmt: skip
def test_what_is_refused_of_a_schedule(section, sentence):
    with pytest.raises(ValueError, match=sentence):
        recipes.scheduled(section, 100)


def test_penalty():
    penalty = recipes.penalty({"kind": "r1_r2", "weight": 0.25}, 100)
    assert (penalty.kind, penalty.weight) == ("r1_r2", 0.25)
    assert recipes.penalty({"kind": "r1"}, 100).weight == 1
    falling = recipes.penalty({"kind": "r2", "weight": {"schedule": "linear", "first": 1, "last": 0}}, 100)
    assert float(falling.weight(50)) == 0.5


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ("r1", "A penalty is a table with kind, weight; saw 'r1'"),
        ({"weight": 1}, "A penalty needs kind"),
        ({"kind": "r1", "wieght": 1}, "Unknown key of a penalty 'wieght'. Did you mean 'weight'?"),
        ({"kind": "r1r2"}, "Unknown penalty 'r1r2'. Did you mean 'r1_r2'?"),
        ({"kind": "r1", "weight": -1}, "The weight of r1 is a number >= 0 or a schedule over steps; saw -1"),
    ],
)
def test_what_is_refused_of_a_penalty(section, sentence):
    with pytest.raises(ValueError, match=sentence):
        recipes.penalty(section, 100)


def test_optimizer():
    adam = recipes.optimizer({"learning_rate": 5e-4, "beta_1": 0.0}, 100)
    assert type(adam) is keras.optimizers.Adam and adam.beta_1 == 0 and float(adam.learning_rate) == np.float32(5e-4)
    for name in recipes.OPTIMIZERS:
        assert type(recipes.optimizer({"name": name}, 100)) is recipes.OPTIMIZERS[name]
    sgd = recipes.optimizer({"name": "sgd", "learning_rate": {"schedule": "linear", "first": 1, "last": 0}}, 4)
    weight = keras.Variable(np.zeros(1, "float32"))
    for expected in (-1, -1.75, -2.25, -2.5, -2.5):  # rates 1, 3/4, 2/4, 1/4, 0
        sgd.apply([keras.ops.ones(1)], [weight])
        assert float(weight[0]) == expected


@pytest.mark.parametrize(
    ("section", "error", "sentence"),
    [
        ("adam", ValueError, "An optimizer is a table such as .*; saw 'adam'"),
        ({"name": "adamm"}, ValueError, "Unknown optimizer 'adamm'. Did you mean 'adam'?"),
        ({"name": ["adam"]}, ValueError, r"Unknown optimizer \['adam'\]"),
        ({"name": "adam", "learning_rat": 1}, TypeError, "no argument 'learning_rat'. Did you mean 'learning_rate'?"),
        ({"learning_rate": {"schedule": "steps", "first": 1, "last": 0}}, ValueError, "Unknown schedule 'steps'"),
    ],
)
def test_what_is_refused_of_an_optimizer(section, error, sentence):
    with pytest.raises(error, match=sentence):
        recipes.optimizer(section, 100)


def test_compile_model():
    model = recipes.build(SMALL)
    falling = {"schedule": "linear", "first": 1.0, "last": 0.0}
    recipes.compile_model(
        model,
        {
            "loss": "relativistic", "penalty": {"kind": "r1", "weight": falling}, "instance_noise": falling,
            "generator_optimizer": {"name": "sgd", "learning_rate": falling}, "discriminator_steps": 2,
        },
        steps=10,
    )  # fmt: skip
    assert model.loss.name == "relativistic" and model.rules["discriminator_steps"] == 2
    rates = (model.rules["penalty"].weight, model.rules["instance_noise"])
    assert [float(rate(5)) for rate in rates] == [0.5, 0.5]
    assert type(model.generator_optimizer) is keras.optimizers.SGD and float(model.optimizer.learning_rate) == 1
    assert type(model.discriminator_optimizer) is keras.optimizers.Adam, "the paper's, if nothing is said"


@pytest.mark.parametrize(
    ("section", "error", "sentence"),
    [
        ({"loss": "relativstic"}, ValueError, "relativstic.*Did you mean 'relativistic'?"),
        ({"lss": "hinge"}, TypeError, "compile has no argument 'lss'. Did you mean 'loss'?"),
        ({"optimizer": {"name": "adam"}}, TypeError, "compile has no argument 'optimizer'"),
        ({"discriminator_steps": 0}, ValueError, "discriminator_steps is an integer of at least 1; saw 0"),
        ({"loss": "hinge", "label_smoothing": 0.1}, ValueError, "The loss 'hinge' has no labels to smooth"),
    ],
)
def test_what_compile_model_refuses(section, error, sentence):
    with pytest.raises(error, match=sentence):
        recipes.compile_model(recipes.build(SMALL), section, steps=10)
