"""Gradient penalties on discriminators whose slope is known, and the players' gradients with D passing only once."""

import json

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasgan import gradients, losses, penalties
from kerasgan.penalties import KINDS, Penalty, at_both, at_fake, at_real, between, sloped

SHAPE = (4, 4, 1)
MAKERS = {
    "r1": penalties.r1,
    "r2": penalties.r2,
    "r1_r2": penalties.r1_r2,
    "gradient_penalty": penalties.gradient_penalty,
}


def batch(seed, n=6):
    return np.random.default_rng(seed).uniform(-1, 1, (n, *SHAPE)).astype("float32")


def tensors(*arrays):
    return [ops.convert_to_tensor(x) for x in arrays]


REAL, FAKE = batch(1), batch(2)
MIX = np.random.default_rng(3).uniform(size=(6, 1, 1, 1)).astype("float32")
STEEPNESS = np.random.default_rng(4).uniform(0.5, 2, SHAPE).astype("float32")


def linear(x):
    """<w, x> + 3: the slope is w everywhere."""
    return ops.sum(x * STEEPNESS, axis=(1, 2)) + 3


def quadratic(x):
    """sum a x^2 / 2: the slope is a x."""
    return ops.sum(STEEPNESS * ops.square(x), axis=(1, 2)) / 2


def squares(x):
    """|a x|^2 per image."""
    return np.sum((STEEPNESS * x).astype("float64") ** 2, axis=(1, 2, 3))


def judged(penalty, scores, step=0):
    """(real scores, fake scores, penalty) as arrays."""
    found = penalty(scores, *tensors(REAL, FAKE, MIX), step)
    return [ops.convert_to_numpy(x) for x in found]


# --- closed forms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.0, 0.5, 10])
def test_a_linear_discriminator(gamma):
    length = np.sum(STEEPNESS.astype("float64") ** 2)
    expected = {
        "r1": gamma / 2 * length,
        "r2": gamma / 2 * length,
        "r1_r2": gamma * length,
        "gradient_penalty": gamma * (np.sqrt(length) - 1) ** 2,
    }
    for kind, make in MAKERS.items():
        assert judged(make(gamma), linear)[2] == pytest.approx(expected[kind], rel=1e-5)


def test_a_quadratic_discriminator():
    line = MIX * REAL + (1 - MIX) * FAKE
    expected = {
        "r1": squares(REAL).mean(),
        "r2": squares(FAKE).mean(),
        "r1_r2": squares(REAL).mean() + squares(FAKE).mean(),
        "gradient_penalty": 2 * np.mean((np.sqrt(squares(line)) - 1) ** 2),
    }
    for kind, make in MAKERS.items():
        assert judged(make(2.0), quadratic)[2] == pytest.approx(expected[kind], rel=1e-5)


def test_the_kinds_one_by_one():
    """Without a weight: `between` the whole square, the others its half."""
    real, fake, mix = tensors(REAL, FAKE, MIX)
    values = {kind.__name__: kind(quadratic, real, fake, mix) for kind in (at_real, at_fake, at_both, between)}
    assert tuple(KINDS.values()) == (at_real, at_fake, at_both, between)
    np.testing.assert_allclose(values["at_real"][2], squares(REAL).mean() / 2, rtol=1e-5)
    np.testing.assert_allclose(values["at_fake"][2], squares(FAKE).mean() / 2, rtol=1e-5)
    np.testing.assert_allclose(values["at_both"][2], values["at_real"][2] + values["at_fake"][2], rtol=1e-6)
    halfway = between(quadratic, real, fake, ops.full((6, 1, 1, 1), 0.5))[2]
    np.testing.assert_allclose(halfway, np.mean((np.sqrt(squares((REAL + FAKE) / 2)) - 1) ** 2), rtol=1e-5)


def test_sloped():
    scores, slopes = sloped(quadratic, ops.convert_to_tensor(REAL))
    assert slopes.shape == (6,)
    np.testing.assert_allclose(slopes, squares(REAL), rtol=1e-5)
    np.testing.assert_array_equal(scores, quadratic(ops.convert_to_tensor(REAL)))


@pytest.mark.parametrize("kind", MAKERS)
def test_the_scores_are_those_of_the_images(kind):
    real, fake, _ = judged(MAKERS[kind](), quadratic)
    assert real.shape == fake.shape == (6, 1)
    np.testing.assert_allclose(real, quadratic(ops.convert_to_tensor(REAL)), rtol=1e-6)
    np.testing.assert_allclose(fake, quadratic(ops.convert_to_tensor(FAKE)), rtol=1e-6)


@pytest.mark.parametrize(("kind", "passes"), [("r1", 2), ("r2", 2), ("r1_r2", 2), ("gradient_penalty", 3)])
def test_d_passes_over_each_image_once(kind, passes):
    seen = []

    def counted(x):
        seen.append(x.shape)
        return quadratic(x)

    judged(MAKERS[kind](), counted)
    assert len(seen) == passes


def test_a_flat_discriminator_has_a_finite_slope():
    """|grad D| = 0: the penalty is lambda, and the root's infinite slope does not reach D's weights."""
    weight = keras.Variable(0.0)

    def play():
        return {"discriminator": between(lambda x: weight * linear(x), *tensors(REAL, FAKE, MIX))[2]}

    values, slopes = gradients.of_players(play, {"discriminator": ([weight], keras.optimizers.SGD())})
    assert float(values["discriminator"]) == pytest.approx(1, abs=1e-5)
    assert np.isfinite(float(slopes["discriminator"][0]))


# --- the players' gradients: one pass of D is as good as separate ones ------------------------------------------------


@pytest.fixture(scope="module")
def players():
    """Two smooth networks: with kinks, the second derivative that a penalty needs would be zero."""
    keras.utils.set_random_seed(0)
    z, images = keras.Input((5,)), keras.Input(SHAPE)
    generator = keras.Model(z, layers.Reshape(SHAPE)(layers.Dense(16, "tanh")(z)))
    hidden = layers.Flatten()(layers.Conv2D(4, 3, activation="tanh")(images))
    return generator, keras.Model(images, layers.Dense(1)(layers.Dense(6, "softplus")(hidden)))


def slopes_of(play, generator, discriminator):
    weights = {"generator": generator.trainable_variables, "discriminator": discriminator.trainable_variables}
    _, slopes = gradients.of_players(play, {name: (w, keras.optimizers.SGD()) for name, w in weights.items()})
    return {name: [ops.convert_to_numpy(slope) for slope in by_weight] for name, by_weight in slopes.items()}


def plainly(kind, scores, real, fake, mix):
    """The penalty of weight 1 by tapes of its own, on images that stand still."""
    import tensorflow as tf

    def mean_slope(x, of_square):
        x = tf.stop_gradient(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = scores(x)
        return tf.reduce_mean(of_square(tf.reduce_sum(tape.gradient(y, x) ** 2, axis=(1, 2, 3))))

    if kind == "gradient_penalty":
        return mean_slope(mix * real + (1 - mix) * fake, lambda square: (tf.sqrt(square) - 1) ** 2)
    points = {"r1": [real], "r2": [fake], "r1_r2": [real, fake]}[kind]
    return sum(mean_slope(x, lambda square: square / 2) for x in points)


@pytest.mark.parametrize("loss", ["relativistic", "wasserstein", "nonsaturating"])
@pytest.mark.parametrize("kind", MAKERS)
def test_the_players_gradients_are_those_of_separate_passes(players, kind, loss):
    generator, discriminator = players
    loss, gamma = losses.get(loss), 0.7
    latents = np.random.default_rng(5).normal(size=(6, 5)).astype("float32")
    real, mix = tensors(REAL, MIX)

    def play():
        fake = generator(latents)
        real_scores, fake_scores, penalty = MAKERS[kind](gamma)(discriminator, real, fake, mix, 0)
        return {
            "discriminator": loss.discriminator(real_scores, fake_scores) + penalty,
            "generator": loss.generator(real_scores, fake_scores),
        }

    def play_plainly():
        fake = generator(latents)
        return {
            "discriminator": loss.discriminator(discriminator(real), discriminator(fake))
            + gamma * plainly(kind, discriminator, real, fake, mix),
            "generator": loss.generator(discriminator(real), discriminator(fake)),
        }

    found, expected = slopes_of(play, *players), slopes_of(play_plainly, *players)
    for name in ("generator", "discriminator"):
        assert max(np.abs(slope).max() for slope in expected[name]) > 1e-2, "nothing to compare"
        for mine, plain in zip(found[name], expected[name], strict=True):
            np.testing.assert_allclose(mine, plain, rtol=1e-5, atol=1e-5)


# --- weights, schedules, configurations -------------------------------------------------------------------------------


def test_a_scheduled_weight():
    schedule = keras.optimizers.schedules.PolynomialDecay(4.0, 10, end_learning_rate=1.0)
    constant = judged(penalties.r1(1.0), quadratic)[2]
    for step, weight in ((0, 4), (5, 2.5), (10, 1), (99, 1)):
        scheduled = judged(penalties.r1(schedule), quadratic, ops.convert_to_tensor(step, "int32"))[2]
        assert scheduled == pytest.approx(weight * constant, rel=1e-5)


def test_the_papers_weights():
    """gamma = 1 unless told; lambda = 10 (Gulrajani et al. 2017, algorithm 1)."""
    assert {kind: make().weight for kind, make in MAKERS.items()} == dict(r1=1, r2=1, r1_r2=1, gradient_penalty=10)
    assert [make().kind for make in MAKERS.values()] == list(KINDS)


@pytest.mark.parametrize(
    "weight", [0.5, 3, keras.optimizers.schedules.CosineDecay(1.0, 10, alpha=0.1)], ids=["half", "three", "cosine"]
)
@pytest.mark.parametrize("kind", MAKERS)
def test_a_configuration_makes_it_again(kind, weight):
    penalty = Penalty(kind, weight)
    through_json = json.loads(json.dumps(keras.saving.serialize_keras_object(penalty)))
    for again in (Penalty.from_config(penalty.get_config()), keras.saving.deserialize_keras_object(through_json)):
        assert isinstance(again, Penalty) and again.kind == kind
        step = ops.convert_to_tensor(7, "int32")
        assert judged(again, quadratic, step)[2] == judged(penalty, quadratic, step)[2] > 0


def test_refused():
    with pytest.raises(ValueError, match="Unknown penalty 'r3'. There are: r1, r2, r1_r2, gradient_penalty."):
        Penalty("r3", 1.0)
    for weight in (-1, float("nan"), float("inf"), "1", None, lambda step: 1.0):
        with pytest.raises(ValueError, match="The weight of r1 is a number >= 0 or a schedule over steps; saw"):
            penalties.r1(weight)
