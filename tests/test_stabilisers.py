"""What steadies a game, any two together: a finite step, or a sentence that says why they make no sense."""

import itertools

import keras
import numpy as np
import pytest
from cases import once
from goldens import GOLDENS, dcgan
from keras import layers

from kerasgan import losses, penalties
from kerasgan.augmentations import DiffAugment
from kerasgan.layers import MinibatchDiscrimination, MinibatchStddev, SpectralNormalization
from kerasgan.models import networks

LAYERS = ("batch_norm", "minibatch_discrimination", "minibatch_stddev", "spectral_norm")


def judge(kinds, pack=1, classes=None):
    """A discriminator of 16x16 images with layers of those kinds, and of their classes."""
    images, labels = keras.Input((16, 16, pack)), [keras.Input((pack * classes,))] if classes else []
    convolution = layers.Conv2D(4, 5, 4, "same")
    x = (SpectralNormalization(convolution) if "spectral_norm" in kinds else convolution)(images)
    x = layers.BatchNormalization()(x) if "batch_norm" in kinds else x
    x = MinibatchStddev()(x) if "minibatch_stddev" in kinds else x
    x = layers.Flatten()(layers.LeakyReLU()(x))
    x = layers.Concatenate()([x, *labels]) if labels else x
    x = MinibatchDiscrimination(3, 2)(x) if "minibatch_discrimination" in kinds else x
    return keras.Model([images, *labels] if labels else images, layers.Dense(1)(x))


FADING = keras.optimizers.schedules.PolynomialDecay(0.5, 10, 0.0)
CHOICES = {  # the first value is the default
    **{layer: (False, True) for layer in LAYERS},
    "loss": tuple(losses.LOSSES),
    "penalty": (None, penalties.r1(), penalties.r2(), penalties.r1_r2(), penalties.gradient_penalty()),
    "augment": (None, DiffAugment()),
    "instance_noise": (None, 0.1, FADING),
    "label_smoothing": (0.0, 0.1),
    "pack": (1, 2),
    "average": ({"average_momentum": 0.9}, {"average_half_life": 100.0}),
    "alternate": (False, True),
    "discriminator_steps": (1, 2),
    "freeze_discriminator": (0, 1),
    "labels": ("none", "right", "mismatched too"),
}
OF_THE_MODEL = (*LAYERS, "pack", "average", "labels")


def makes_sense(choice):
    """What the compile options' docstrings say."""
    paired = choice["loss"] == "relativistic"
    mixed = choice["batch_norm"] and (paired or choice["penalty"] is not None)
    unheard = choice["label_smoothing"] and not losses.get(choice["loss"]).smooths
    return not mixed and not unheard


def model_of(choice):
    """The model that a choice is for."""
    classes = None if choice["labels"] == "none" else 2
    discriminator = judge([layer for layer in LAYERS if choice[layer]], choice["pack"], classes)
    return dcgan(discriminator=discriminator, pack=choice["pack"], classes=classes, **choice["average"])


def rules_of(choice):
    rules = {name: value for name, value in choice.items() if name not in OF_THE_MODEL}
    return rules | ({"mismatched": 0.2} if choice["labels"] == "mismatched too" else {})


def pairs_of(choice):
    """Every two of its values, by their places in CHOICES."""
    places = [(name, CHOICES[name].index(value)) for name, value in choice.items()]
    return set(itertools.combinations(places, 2))


def every_pair():
    """Choices with two values of their own, the rest as by default."""
    defaults = {name: values[0] for name, values in CHOICES.items()}
    for one, other in itertools.combinations(CHOICES, 2):
        for a, b in itertools.product(CHOICES[one], CHOICES[other]):
            yield defaults | {one: a, other: b}


def covering():
    """Few choices that hold every pair that makes sense, each grown from a pair that none before has."""
    left = [choice for choice in every_pair() if makes_sense(choice)]
    missing = set().union(*(pairs_of(choice) for choice in left))
    while missing:
        choice = next(choice for choice in left if pairs_of(choice) & missing)
        for name, values in CHOICES.items():  # any change that covers more, and makes sense
            options = [choice | {name: value} for value in values]
            choice = max(filter(makes_sense, options), key=lambda c: len(pairs_of(c) & missing))
        assert pairs_of(choice) & missing
        missing -= pairs_of(choice)
        yield choice


def test_the_pairs_that_make_no_sense_are_refused():
    """Those alone: all others take their step below."""
    wrong = [choice for choice in every_pair() if not makes_sense(choice)]
    assert len(wrong) == 5 + 3, "relativistic and four penalties with BatchNorm; three losses without labels"
    for choice in wrong:
        with pytest.raises(ValueError, match="BatchNormalization, which mixes|has no labels to smooth"):
            model_of(choice).compile(**rules_of(choice))


COVERING = list(covering())


def test_the_covering_is_small_and_whole():
    found = set().union(*(pairs_of(choice) for choice in COVERING))
    assert found >= set().union(*(pairs_of(choice) for choice in every_pair() if makes_sense(choice)))
    assert len(COVERING) <= 60 and all(map(makes_sense, COVERING))


@pytest.mark.parametrize(  # the first of them cover the most pairs
    "choice",
    [pytest.param(choice, id=str(i), marks=[pytest.mark.soak] * (i >= 10)) for i, choice in enumerate(COVERING)],
)
def test_every_allowed_pair_takes_a_finite_step(choice):
    model = model_of(choice)
    model.compile(*(keras.optimizers.SGD(0.01) for _ in range(2)), run_eagerly=True, **rules_of(choice))
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1)).astype("uint8")
    before = [keras.ops.convert_to_numpy(v).copy() for v in model.trainable_variables]
    labels = [np.arange(8) % 2] if model.classes else []
    history = model.fit(images, *labels, batch_size=8, verbose=0).history
    assert np.isfinite(list(history.values())).all() and model.is_finite()
    moved = [not np.array_equal(old, new) for old, new in zip(before, model.trainable_variables, strict=True)]
    resting = len(model.discriminator.trainable_variables) - len(model.thawed(choice["freeze_discriminator"]))
    assert len(moved) - 2 <= sum(moved) + resting <= len(moved), "but for biases that BatchNorm takes away"


@pytest.mark.parametrize("policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.soak)])
@pytest.mark.parametrize("layer", LAYERS[1:])
def test_in_half_precision_every_layer_of_the_discriminator_moves(layer, policy):
    """All images alike, where a deviation in float16 would have no slope."""
    with networks.policy(policy):
        model = dcgan(discriminator=judge([layer]))
    model.compile(*(keras.optimizers.SGD(0.1) for _ in range(2)), run_eagerly=True)
    before = [keras.ops.convert_to_numpy(v).copy() for v in model.discriminator.trainable_variables]
    model.fit(np.full((16, 16, 16, 1), 130, "uint8"), batch_size=8, epochs=3, verbose=0)
    after = map(keras.ops.convert_to_numpy, model.discriminator.trainable_variables)
    assert model.is_finite() and all(not np.array_equal(old, new) for old, new in zip(before, after, strict=True))


def test_instance_noise_has_the_deviation_of_its_step():
    """By a D whose score is one pixel: 0.4 at first, half of it half way, and where the schedule ends at 0 none."""
    model = dcgan(discriminator=keras.Sequential(
        [keras.Input((16, 16, 1)), keras.layers.Flatten(), keras.layers.Dense(1, use_bias=False)]
    ))  # fmt: skip
    model.discriminator.set_weights([np.eye(256, 1, dtype="float32")])
    model.compile(instance_noise=keras.optimizers.schedules.PolynomialDecay(0.4, 10))
    for step, deviation in ((0, 0.4), (5, 0.2), (10, 1e-4), (20, 1e-4)):  # Keras' schedule ends at 1e-4
        model.step.assign(step)
        found = keras.ops.convert_to_numpy(model.scores(np.full((5000, 16, 16, 1), 0.5, "float32")))
        assert found.std() == pytest.approx(deviation, rel=0.05)
        assert found.mean() == pytest.approx(0.5, abs=5 * deviation / 5000**0.5)
    model.compile(instance_noise=keras.optimizers.schedules.PolynomialDecay(0.4, 10, end_learning_rate=0.0))
    assert set(keras.ops.convert_to_numpy(model.scores(np.full((5, 16, 16, 1), 0.5, "float32"))).ravel()) == {0.5}


def test_spectral_normalisation_follows_the_steps():
    """Trained, sigma is the largest singular value of the kernel as it now stands."""
    model = dcgan(discriminator=judge(["spectral_norm"]))
    model.compile(*(keras.optimizers.SGD(0.05) for _ in range(2)))
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1)).astype("uint8")
    model.fit(images, batch_size=8, epochs=300, verbose=0)
    (layer,) = [x for x in model.discriminator.layers if isinstance(x, SpectralNormalization)]
    matrix = keras.ops.convert_to_numpy(layer.matrix())
    sigma = np.linalg.svd(matrix, compute_uv=False)[0]
    assert float(layer.singular(matrix)[0]) == pytest.approx(sigma, rel=0.01)


@pytest.mark.parametrize("options", [{}, {"penalty": penalties.r1_r2()}])
def test_all_passes_of_a_step_see_the_same_spectrally_normalised_weights(monkeypatch, options):
    """Real and fake images, and those whose slope a penalty takes, in the discriminator and in the generator's turn."""
    seen, singular = [], SpectralNormalization.singular

    def noted(self, matrix):
        found = singular(self, matrix)
        seen.append(float(found[0]))
        return found

    model = dcgan(discriminator=judge(["spectral_norm"]))
    model.compile(*(keras.optimizers.SGD(0.5) for _ in range(2)), run_eagerly=True, **options)
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1)).astype("uint8")
    monkeypatch.setattr(SpectralNormalization, "singular", noted)
    steps = []
    for _ in range(2):
        seen.clear()
        model.train_on_batch(images)
        *passes, iterated = seen  # the last by the iteration, of the kernel that has moved
        assert len(passes) >= 2 and set(passes) == {passes[0]}
        steps.append(passes[0])
    assert steps[0] != steps[1] and iterated != passes[0]


@pytest.mark.parametrize("golden", once(GOLDENS))
def test_frozen_layers_rest_and_the_others_step_as_ever(golden):
    keras.utils.set_random_seed(1)
    start, after = golden.build().get_weights(), {}
    for frozen in (0, 1):
        model = golden.build()
        model.set_weights(start)
        model.compile(*(keras.optimizers.SGD(0.1) for _ in range(2)), freeze_discriminator=frozen, run_eagerly=True)
        model.fit(*golden.data(8), batch_size=8, verbose=0)
        after[frozen] = [keras.ops.convert_to_numpy(v).copy() for v in model.trainable_variables]
    levels = range(len(getattr(model, "sizes", ())))  # each of a chain's has a first layer
    judges = [model.level("discriminator", i) for i in levels] or [model.discriminator]
    firsts = [next(layer for layer in network.layers if layer.trainable_variables) for network in judges]
    resting = {id(variable) for first in firsts for variable in first.trainable_variables}
    model.set_weights(start)
    for variable, free, held in zip(model.trainable_variables, after[0], after[1], strict=True):
        np.testing.assert_array_equal(held, variable if id(variable) in resting else free)
    assert len(model.thawed(1)) == len(model.discriminator.trainable_variables) - len(resting)


def test_a_discriminator_frozen_whole_is_refused():
    model = dcgan()
    for frozen in (-1, 1.5, True):
        with pytest.raises(ValueError, match=f"freeze_discriminator is a number of layers, 0 or more; saw {frozen}"):
            model.compile(freeze_discriminator=frozen)
    model.compile(freeze_discriminator=2)
    with pytest.raises(ValueError, match="freeze_discriminator=3 leaves the discriminator nothing to learn with"):
        model.compile(freeze_discriminator=3)


def test_half_life_counts_images():
    """After as many images as the half-life, half of the average is new, in batches of 4 or of 16."""
    images = np.zeros((64, 16, 16, 1), "uint8")
    for batch_size in (4, 16):
        model = dcgan(average_half_life=64.0)
        model.compile(*(keras.optimizers.SGD(0.0) for _ in range(2)))
        model.step.assign(10_000)  # far from the first steps, in which the average follows faster
        kernel, average = model.generator.trainable_variables[0], model.average.weights[0]
        average.assign(kernel + 1.0)
        model.fit(images, batch_size=batch_size, verbose=0)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(average - kernel), 0.5, rtol=1e-4)
