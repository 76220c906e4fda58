"""Every refusal, with its sentence: what was seen, what was expected, what to do."""

import inspect

import keras
import numpy as np
import pytest
from goldens import cgan, dcgan

import kerasgan
from kerasgan import losses, penalties
from kerasgan.layers import MinibatchStddev
from kerasgan.models import adversarial, networks, rules


def refused(error, sentence, function, *arguments, **options):
    """The function raises exactly this sentence."""
    with pytest.raises(error) as raised:
        function(*arguments, **options)
    assert str(raised.value) == sentence


@pytest.fixture(scope="module")
def plain():
    return dcgan()


@pytest.fixture(scope="module")
def normed():
    return dcgan(discriminator_norm=True)


# --- names ------------------------------------------------------------------------------------------------------------


def test_check_arguments():
    """A constructor's own, and its bases' as far as it hands them on; the nearest is named, or all."""
    for name in ("image_shape", "width", "pack", "average_momentum", "seed"):
        rules.check_arguments({name: None}, kerasgan.DCGAN)
    rules.check_arguments({"classes": 3}, kerasgan.models.lenet)
    refused(TypeError, "DCGAN has no argument 'widht'. Did you mean 'width'?",
            rules.check_arguments, {"widht": 3}, kerasgan.DCGAN)  # fmt: skip
    with pytest.raises(TypeError, match="DCGAN has no argument 'self'. There are: image_shape, latent_size, "):
        rules.check_arguments({"self": 3}, kerasgan.DCGAN)
    refused(TypeError, "lenet has no argument 'width'. There are: image_shape, classes.",
            rules.check_arguments, {"width": 3}, kerasgan.models.lenet)  # fmt: skip


def test_compile_knows_its_options(plain):
    refused(TypeError, "compile has no argument 'penality'. Did you mean 'penalty'?",
            plain.compile, penality=penalties.r1())  # fmt: skip
    with pytest.raises(TypeError, match="compile has no argument 'xyz'. There are: generator_optimizer, "):
        plain.compile(xyz=None)


def test_check_count():
    for value in (1, 7, np.int64(3)):
        rules.check_count("n", value)
    for value in (0, -1, 1.5, 2.0, "2", None, True):
        refused(ValueError, f"n is an integer of at least 1; saw {value!r}.", rules.check_count, "n", value)
    refused(ValueError, "blocks counts layers, at most 1000 of them; saw 1001.", rules.check_count, "blocks", 1001)


# --- constructors -----------------------------------------------------------------------------------------------------


def test_check_players(plain):
    rules.check_players(plain.generator, plain.discriminator, (16, 16, 1), None, 1)
    refused(ValueError, "The generator makes images (32, 16, 1); the discriminator takes (16, 16, 1).",
            rules.check_players, plain.generator, plain.discriminator, (32, 16, 1), None, 1)  # fmt: skip
    packed = (
        "The generator makes images (16, 16, 1), 2 packed together (16, 16, 2); the discriminator takes (16, 16, 1)."
    )
    refused(ValueError, packed, dcgan, discriminator=plain.discriminator, pack=2)
    generator, conditional = cgan().generator, cgan().discriminator
    rules.check_players(generator, conditional, (15, 18, 1), 3, 1)
    unlike = "The generator takes labels of {}; the discriminator's inputs beside the images are {}, and have to be {}."
    for discriminator, shape, classes, words in (
        (conditional, (15, 18, 1), 4, ("4 classes", "[(3,)]", "[(4,)]")),
        (conditional, (15, 18, 1), None, ("no classes", "[(3,)]", "none")),
        (plain.discriminator, (16, 16, 1), 3, ("3 classes", "none", "[(3,)]")),
    ):
        refused(ValueError, unlike.format(*words), rules.check_players, generator, discriminator, shape, classes, 1)


def test_a_generator_that_looks_across_images():
    z = keras.Input((8,))
    x = keras.layers.Dense(256, "tanh")(MinibatchStddev(name="across")(z))
    generator = keras.Model(z, keras.layers.Reshape((16, 16, 1))(x))
    refused(ValueError, "The generator has across, with which an image would depend on the others that are drawn with"
            " it: such layers are for the discriminator.", dcgan, generator=generator)  # fmt: skip


def test_check_counts():
    rules.check_counts("units", [3, 4])
    rules.check_counts("units", ())
    refused(ValueError, "units is a list of counts, one for each layer; saw 1024.", dcgan, units=1024)
    refused(ValueError, "units is an integer of at least 1; saw 0.", dcgan, units=[3, 0])


def test_check_average():
    rules.check_average(0.0, None)
    rules.check_average(None, 10_000)
    refused(ValueError, "average_half_life stands for average_momentum: give one of them.",
            dcgan, average_momentum=0.999, average_half_life=100)  # fmt: skip
    for half_life in (0, -1, float("inf"), True, "long"):
        refused(ValueError, f"average_half_life is a number of images above 0; saw {half_life!r}.",
                dcgan, average_half_life=half_life)  # fmt: skip


def test_the_models_own_arguments():
    for momentum in (-0.1, 1, 1.5):
        refused(ValueError, f"average_momentum lies in [0, 1); saw {momentum}.", dcgan, average_momentum=momentum)
    with pytest.raises(ValueError, match="Unknown latent_distribution 'nomal'. Did you mean 'normal'"):
        dcgan(latent_distribution="nomal")
    for name in ("pack", "width", "discriminator_width", "latent_size", "kernel_size", "convolutions"):
        for value in (0, -1, 1.5):
            refused(ValueError, f"{name} is an integer of at least 1; saw {value!r}.", dcgan, **{name: value})
    with pytest.raises(ValueError, match="A seed is an integer in"):
        dcgan(seed=-1)
    with pytest.raises(TypeError, match="The generator is a built Keras model, or a function without arguments"):
        dcgan(generator="dcgan")


# --- compile ----------------------------------------------------------------------------------------------------------

BATCH_NORM = (
    "The discriminator has BatchNormalization, which mixes the images of a batch, and {} judges them one by one:"
    " build it without (discriminator_norm=False), or choose another loss."
)
FLOAT16 = "A gradient penalty overflows in float16: use the policy 'mixed_bfloat16', or no penalty."
ONE_OBJECT = "Each player needs an optimizer of its own: the two given are one object."


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"penalty": 1.0}, "penalty is None or one of kerasgan.penalties, such as r1_r2(1.0); saw 1.0."),
        ({"augment": "flip"}, "augment is None or a differentiable function (images, seed) -> images; saw 'flip'."),
        *(
            (
                {"instance_noise": noise},
                f"instance_noise is None, a deviation >= 0 or a schedule of it over steps; saw {noise!r}.",
            )
            for noise in (-0.1, "0.1")
        ),
        ({"label_smoothing": -0.1}, "label_smoothing lies in [0, 0.5); saw -0.1."),
        ({"label_smoothing": 0.5}, "label_smoothing lies in [0, 0.5); saw 0.5."),
        *(
            (
                {"label_smoothing": 0.1, "loss": loss},
                f"The loss {loss!r} has no labels to smooth: leave label_smoothing at 0.",
            )
            for loss in ("hinge", "wasserstein", "relativistic")
        ),
        *(
            ({name: value}, f"{name} is an integer of at least 1; saw {value!r}.")
            for name in ("discriminator_steps", "steps_per_execution")
            for value in (0, -1, 1.5, "2")
        ),
    ],
    ids=str,
)
def test_compile_refuses(plain, options, sentence):
    refused(ValueError, sentence, plain.compile, **options)


def test_compile_refuses_one_optimizer_for_both(plain):
    adam = keras.optimizers.Adam()
    refused(ValueError, ONE_OBJECT, plain.compile, adam, adam)
    plain.compile("adam", "adam")
    assert plain.generator_optimizer is not plain.discriminator_optimizer


def test_batch_norm_in_d_with_what_judges_images_one_by_one(normed):
    for kind in penalties.KINDS:
        what = {"penalty": penalties.Penalty(kind, 1.0)}
        refused(ValueError, BATCH_NORM.format("a gradient penalty"), normed.compile, **what)
    refused(ValueError, BATCH_NORM.format("the loss 'relativistic'"), normed.compile, loss="relativistic")
    for name in set(losses.LOSSES) - {"relativistic"}:
        normed.compile(loss=name)


def test_a_penalty_in_float16():
    with networks.policy("mixed_float16"):
        half = dcgan()
    refused(ValueError, FLOAT16, half.compile, penalty=penalties.r1())
    half.compile()
    with networks.policy("mixed_bfloat16"):
        dcgan().compile(penalty=penalties.r1())


def test_what_fails_under_replicas(plain, monkeypatch):
    monkeypatch.setattr("kerasgan.replicas.replicas", lambda: 2)
    for name, value, default in (("steps_per_execution", 4, 1), ("jit_compile", True, False)):
        sentence = f"{name}={value} fails in Keras under several replicas: leave it at {default}."
        refused(ValueError, sentence, plain.compile, **{name: value})
    plain.compile()


def test_a_refused_compile_changes_nothing(plain):
    plain.compile(loss="hinge")
    optimizer, before = plain.generator_optimizer, plain.get_compile_config()
    mistakes = {"loss": "xyz"}, {"discriminator_steps": 0}, {"label_smoothing": 0.1, "loss": "wasserstein"}
    for options in (*mistakes, {"generator_optimizer": "adm"}):
        with pytest.raises(ValueError):
            plain.compile(**options)
    assert plain.get_compile_config() == before and plain.generator_optimizer is optimizer
    assert plain.loss.name == "hinge"


def test_check_takes_what_compile_knows(plain):
    """Every rule that `check` reads is an option of `compile`, with a default that it lets pass."""
    parameters = inspect.signature(adversarial.Adversarial.compile).parameters
    defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
    plain.compile()
    rules.check(plain, (None, "adam"), defaults)


# --- fit and generate -------------------------------------------------------------------------------------------------


def test_check_batch(monkeypatch):
    model = dcgan(pack=2)
    model.compile(discriminator_steps=3)
    rules.check_batch(model, 12)
    sentence = "A batch of {} images does not divide by {}: choose a batch_size that is a multiple of {}."
    refused(ValueError, sentence.format(8, "discriminator_steps=3", 3), rules.check_batch, model, 8)
    refused(ValueError, sentence.format(9, "pack=2 (together with the others: 6)", 6), rules.check_batch, model, 9)
    monkeypatch.setattr("kerasgan.replicas.replicas", lambda: 2)
    together = "replicas=2 (together with the others: 12)"
    refused(ValueError, sentence.format(18, together, 12), rules.check_batch, model, 18)
    with pytest.raises(ValueError, match="A batch of 10 images does not divide by discriminator_steps=3"):
        model.fit(np.zeros((30, 16, 16, 1), "uint8"), batch_size=10)


def test_check_batch_of_every_source():
    """A tf.data batch or a generator's is looked at too: its parts would be empty, and their mean NaN."""
    tf, images = pytest.importorskip("tensorflow"), np.zeros((2, 16, 16, 1), "uint8")
    model = dcgan()
    model.compile(discriminator_steps=3)
    rules.check_batch(model, None)  # nobody has seen it
    for source in (tf.data.Dataset.from_tensors(images), (batch for batch in [images])):
        with pytest.raises(ValueError, match="A batch of 2 images does not divide by discriminator_steps=3"):
            model.fit(source, verbose=0)
    assert int(model.step) == 0


def test_check_measures(plain):
    with pytest.raises(ValueError, match="Nothing to measure with: .* or for super-resolution a PSNR"):
        rules.check_measures(plain)
    plain.compile(metrics=[keras.metrics.Mean()])
    rules.check_measures(plain)


def test_check_given(plain):
    images = np.zeros((8, 16, 16, 1), "uint8")
    plain.compile(metrics=[keras.metrics.Mean()])
    rules.check_given(plain, "fit", {"class_weight": None, "validation_split": 0.0, "epochs": 3})
    for method, function in (("fit", plain.fit), ("evaluate", plain.evaluate)):
        refused(ValueError, "DCGAN is unconditional: it has no use for labels; pass images alone.",
                function, images, np.zeros(8))  # fmt: skip
        sentence = f"DCGAN.{method} has no use for sample_weight: leave it out."
        refused(ValueError, sentence, function, images, sample_weight=np.ones(8))
    refused(ValueError, "DCGAN.fit has no use for class_weight: leave it out.", plain.fit, images, class_weight={0: 1})
    sentence = "DCGAN.fit has no use for validation_split; pass validation_data for a split."
    refused(ValueError, sentence, plain.fit, images, validation_split=0.1)


def test_check_reported(plain):
    rules.check_reported({"generator": 1.0}, ["discriminator", "generator"])
    sentence = (
        "`play` returned 'generater', which `reports` does not name (losses as 'generator_loss')."
        " Did you mean 'generator'? There are: discriminator, generator."
    )
    refused(ValueError, sentence, rules.check_reported, {"generater": 1.0}, ["discriminator", "generator"])
    with pytest.raises(ValueError, match="`play` returned 'generator_16', which `reports` does not name"):
        plain.report({"generator": 1.0, "generator_16": 2.0})


def test_checked_labels(plain):
    assert rules.checked_labels(plain, np.int64(3), None, 1) is None
    assert rules.checked_labels(cgan(), None, [2, 0], 1).tolist() == [2, 0]
    refused(ValueError, "DCGAN is unconditional: generate takes no labels.", plain.generate, 3, labels=[1, 2, 3])
    for n in (0, -1, 2.0, "3", None, True):
        refused(ValueError, f"generate: n is an integer of at least 1; saw {n!r}.", plain.generate, n)
    for size in (0, 1.5):
        sentence = f"generate: batch_size is an integer of at least 1; saw {size!r}."
        refused(ValueError, sentence, plain.generate, 3, batch_size=size)


def test_check_labelled(plain):
    cgan().check_labelled(np.array([0, 1, 2, 0]))
    for labels in (None, np.array([7])):
        plain.check_labelled(labels)
    refused(ValueError, rules.unlabelled(cgan()), cgan().check_labelled, None)
    for labels, seen in (([0, 1, 2, 3], "saw labels 0 to 3"), ([[0], [1]], r"saw int64 \(2, 1\)"), ([0.5], "float64")):
        with pytest.raises(ValueError, match=seen):
            cgan().check_labelled(np.array(labels))
