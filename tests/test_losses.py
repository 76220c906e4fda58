"""Every loss against the probabilities its paper writes, by hand at single scores, and where logarithms break."""

import math

import numpy as np
import pytest
from keras import ops

from kerasgan import losses
from kerasgan.gradients import with_slope

NAMES = list(losses.LOSSES)
SMOOTHED = [name for name in NAMES if losses.get(name).smooths]


def column(*scores):
    return ops.convert_to_tensor(np.array(scores, "float32")[:, None])


def random_scores(seed, n=32):
    return np.random.default_rng(seed).normal(scale=2, size=(n, 1)).astype("float32")


def value(function, real, fake, **options):
    result = function(real, fake, **options)
    assert result.shape == ()
    return float(result)


def slopes(function, real, fake):
    """What a player's loss answers to each real score and to each fake score."""
    by_real = with_slope(lambda real: function(real, fake), real)[1]
    by_fake = with_slope(lambda fake: function(real, fake), fake)[1]
    return [0 if slope is None else ops.convert_to_numpy(slope) for slope in (by_real, by_fake)]


# --- closed forms, with D(x) = sigmoid(score) -------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype("float64")))


def mean(x):
    return float(np.mean(x))


def goodfellow(real, fake):
    return -mean(np.log(sigmoid(real))) - mean(np.log(1 - sigmoid(fake)))


PAPERS = {  # name: (what D loses, what G loses)
    "nonsaturating": (goodfellow, lambda r, f: -mean(np.log(sigmoid(f)))),
    "minimax": (goodfellow, lambda r, f: mean(np.log(1 - sigmoid(f)))),
    "least_squares": (lambda r, f: mean((r - 1) ** 2) / 2 + mean(f**2) / 2, lambda r, f: mean((f - 1) ** 2) / 2),
    "hinge": (lambda r, f: mean(np.maximum(0, 1 - r)) + mean(np.maximum(0, 1 + f)), lambda r, f: -mean(f)),
    "wasserstein": (lambda r, f: mean(f) - mean(r), lambda r, f: -mean(f)),
    "relativistic": (lambda r, f: -mean(np.log(sigmoid(r - f))), lambda r, f: -mean(np.log(sigmoid(f - r)))),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_papers_formula(name):
    real, fake, loss = random_scores(1), random_scores(2), losses.get(name)
    discriminator, generator = PAPERS[name]
    assert value(loss.discriminator, real, fake) == pytest.approx(discriminator(real, fake), rel=1e-5)
    assert value(loss.generator, real, fake) == pytest.approx(generator(real, fake), rel=1e-5)


LN2, LN3 = math.log(2), math.log(3)  # sigmoid(ln 3) = 3/4


@pytest.mark.parametrize(
    ("name", "discriminator", "generator"),
    [
        ("nonsaturating", 2 * math.log(4 / 3), math.log(4)),
        ("minimax", 2 * math.log(4 / 3), -math.log(4 / 3)),
        ("least_squares", (LN3 - 1) ** 2 / 2 + LN3**2 / 2, (LN3 + 1) ** 2 / 2),
        ("hinge", 0, LN3),
        ("wasserstein", -2 * LN3, LN3),
        ("relativistic", math.log(1 + 1 / 9), math.log(1 + 9)),
    ],
)
def test_by_hand_at_odds_of_three_to_one(name, discriminator, generator):
    real, fake, loss = column(LN3), column(-LN3), losses.get(name)
    assert value(loss.discriminator, real, fake) == pytest.approx(discriminator, abs=1e-6)
    assert value(loss.generator, real, fake) == pytest.approx(generator, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "discriminator", "generator"),
    [
        ("nonsaturating", 2 * LN2, LN2),  # -log 4 is the value of the game of Goodfellow et al., theorem 1
        ("minimax", 2 * LN2, -LN2),
        ("least_squares", 0.5, 0.5),
        ("hinge", 2, 0),
        ("wasserstein", 0, 0),
        ("relativistic", LN2, LN2),
    ],
)
def test_a_discriminator_that_cannot_tell(name, discriminator, generator):
    zeros, loss = column(0, 0), losses.get(name)
    assert value(loss.discriminator, zeros, zeros) == pytest.approx(discriminator, abs=1e-6)
    assert value(loss.generator, zeros, zeros) == pytest.approx(generator, abs=1e-6)


def test_minimax_is_one_game():
    """What D wins at the fakes G loses: their sum is -E log D(x), whatever the fakes."""
    real, loss = random_scores(1), losses.minimax
    sums = [value(loss.discriminator, real, fake) + value(loss.generator, real, fake)
            for fake in (random_scores(2), random_scores(3))]  # fmt: skip
    assert sums == pytest.approx([-mean(np.log(sigmoid(real)))] * 2, rel=1e-5)


def test_relativistic_looks_at_differences_alone():
    real, fake, loss = random_scores(1), random_scores(2), losses.relativistic
    assert value(loss.discriminator, real + 5, fake + 5) == pytest.approx(value(loss.discriminator, real, fake))
    assert value(loss.generator, real, fake) == pytest.approx(value(loss.discriminator, fake, real))


def test_hinge_lets_what_is_beyond_its_margin_rest():
    by_real, by_fake = slopes(losses.hinge.discriminator, column(0.5, 1.5), column(-0.5, -1.5))
    assert by_real[:, 0] == pytest.approx([-0.5, 0]) and by_fake[:, 0] == pytest.approx([0.5, 0])


# --- which way the players are sent -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_d_lifts_real_scores_and_g_lifts_fake_ones(name):
    loss = losses.get(name)
    real, fake = column(-0.5, 0.0, 0.5), column(-0.3, 0.1, 0.6)  # inside every margin
    by_real, by_fake = slopes(loss.discriminator, real, fake)
    assert np.all(by_real < 0), "D loses by a higher real score"
    assert name == "least_squares" or np.all(by_fake > 0), "D gains by a higher fake score"
    if name == "least_squares":  # its fake scores go to 0
        assert np.array_equal(np.sign(by_fake), np.sign(fake))
    by_real, by_fake = slopes(loss.generator, real, fake)
    assert np.all(by_fake < 0), "G loses by a higher fake score"
    assert np.all(by_real > 0) if loss.paired else np.all(by_real == 0)


def test_nonsaturating_pulls_where_minimax_does_not():
    """Goodfellow et al. 2014, section 3: fakes that D is sure of teach the minimax G nothing."""
    real, fake = column(0), column(-20)
    assert slopes(losses.nonsaturating.generator, real, fake)[1] == pytest.approx(-1)
    assert slopes(losses.minimax.generator, real, fake)[1] == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("real", [-1e4, 1e4])
@pytest.mark.parametrize("fake", [-1e4, 1e4])
def test_stable_far_out(name, real, fake):
    """softplus(x) is x or 0 there, by the dot: no infinity, no NaN, neither in the loss nor in its gradient."""

    def softplus(x):
        return max(x, 0.0)

    cross = softplus(-real) + softplus(fake)
    expected = {
        "nonsaturating": (cross, softplus(-fake)),
        "minimax": (cross, -softplus(fake)),
        "least_squares": ((real - 1) ** 2 / 2 + fake**2 / 2, (fake - 1) ** 2 / 2),
        "hinge": (softplus(1 - real) + softplus(1 + fake), -fake),
        "wasserstein": (fake - real, -fake),
        "relativistic": (softplus(fake - real), softplus(real - fake)),
    }[name]
    for function, known in zip((losses.get(name).discriminator, losses.get(name).generator), expected, strict=True):
        # Equal scores are no extreme of a difference: log 2 there.
        known = LN2 if name == "relativistic" and real == fake else known
        assert value(function, column(real), column(fake)) == pytest.approx(known, rel=1e-6)
        for slope in slopes(function, column(real), column(fake)):
            assert np.all(np.isfinite(slope))


# --- label smoothing --------------------------------------------------------------------------------------------------


def test_which_losses_have_labels():
    assert SMOOTHED == ["nonsaturating", "minimax", "least_squares"]
    assert [name for name in NAMES if losses.get(name).paired] == ["relativistic"]
    boundaries = {name: losses.get(name).boundary for name in NAMES}
    assert boundaries == {
        "nonsaturating": 0, "minimax": 0, "least_squares": 0.5, "hinge": 0, "wasserstein": None, "relativistic": None,
    }  # fmt: skip


@pytest.mark.parametrize("name", SMOOTHED)
def test_smoothing_moves_the_target_of_real_images_alone(name):
    smoothing, loss, fake = 0.1, losses.get(name), column(-1.0, 0.0, 2.0)
    best = math.log(0.9 / 0.1) if name != "least_squares" else 0.9  # D(x) = 1 - s

    def smoothed(real, fake):
        return loss.discriminator(real, fake, smoothing=smoothing)

    at_best, by_fake = slopes(smoothed, column(best), fake)
    assert at_best == pytest.approx(0, abs=1e-6)
    assert slopes(smoothed, column(best - 0.1), fake)[0] < 0 < slopes(smoothed, column(best + 0.1), fake)[0]
    np.testing.assert_array_equal(by_fake, slopes(loss.discriminator, column(best), fake)[1])


def test_cross_entropy_smoothed_by_hand():
    """(1 - s) (-log 3/4) + s (-log 1/4) at real, -log 1/2 at fake."""
    found = value(losses.cross_entropy, column(LN3), column(0), smoothing=0.2)
    assert found == pytest.approx(0.8 * math.log(4 / 3) + 0.2 * math.log(4) + LN2, abs=1e-6)
    assert value(losses.cross_entropy, column(LN3), column(0)) == pytest.approx(math.log(4 / 3) + LN2, abs=1e-6)


# --- names ------------------------------------------------------------------------------------------------------------


def test_get():
    for name in NAMES:
        assert isinstance(losses.get(name), losses.Loss) and losses.get(name).name == name
        assert losses.get(name) is getattr(losses, name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("relativstic", "Did you mean 'relativistic'?"), ("hinged", "Did you mean 'hinge'?"), ("xyz", ""), (None, "")],
)
def test_an_unknown_loss_tells_the_nearest(name, hint):
    with pytest.raises(ValueError) as error:
        losses.get(name)
    hint = f" {hint}" if hint else ""
    assert str(error.value) == f"Unknown loss {name!r}.{hint} There are: {', '.join(NAMES)}."
