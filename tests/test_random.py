"""Philox against the known answers of its authors and against TensorFlow's; rows that depend on (seed, i) alone."""

import keras
import numpy as np
import pytest
from keras import layers

from kerasgan import random

MASK = 0xFFFFFFFF


def philox_4x32_10(counter, key):
    """The block cipher of Salmon et al. 2011, section 3.3, in Python's own integers: four words for a whole counter."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        left, right = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = right >> 32 ^ c1 ^ k0, right & MASK, left >> 32 ^ c3 ^ k1, left & MASK
        k0, k1 = k0 + 0x9E3779B9 & MASK, k1 + 0xBB67AE85 & MASK
    return [c0, c1, c2, c3]


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_the_authors_known_answers(counter, key, answer):
    """`kat_vectors` of Random123; they need all 128 bits of the counter, of which `philox` counts in the lower 64."""
    counter, key, answer = ([int(word, 16) for word in words.split()] for words in (counter, key, answer))
    assert philox_4x32_10(counter, key) == answer
    if not any(counter):
        assert random.philox(0, np.zeros(1, "uint64"))[0].tolist() == answer


def test_philox_is_that_cipher_on_whole_arrays():
    rng = np.random.default_rng(0)
    counters = rng.integers(0, 2**64, (5, 3), dtype="uint64")
    counters[0, 0], counters[0, 1] = 2**64 - 1, 2**32
    for seed in (0, 7, 2**31 - 1, 2**64 - 1, 0xA4093822299F31D0):
        words = random.philox(seed, counters)
        assert words.dtype == "uint32" and words.shape == (5, 3, 4)
        for place in np.ndindex(counters.shape):
            count = int(counters[place])
            expected = philox_4x32_10([count & MASK, count >> 32, 0, 0], [seed & MASK, seed >> 32])
            assert words[place].tolist() == expected


@pytest.mark.parametrize(("n", "size"), [(1, 4), (7, 8), (100, 100)])
@pytest.mark.parametrize("seed", [0, 7, 2**31 - 1])
def test_the_latents_are_tensorflows(seed, n, size):
    tf = pytest.importorskip("tensorflow")

    def stateless(operation):
        key, counter = np.array([seed], "uint64"), np.zeros(2, "uint64")
        return operation(shape=(n, size), key=key, counter=counter, alg=1).numpy()  # 1: Philox

    uniform = stateless(tf.raw_ops.StatelessRandomUniformV2)
    np.testing.assert_array_equal(random.fractions(seed, range(n), size), uniform)
    np.testing.assert_array_equal(random.uniform(seed, range(n), size), 2 * uniform - 1)
    normal = stateless(tf.raw_ops.StatelessRandomNormalV2)
    np.testing.assert_allclose(random.normal(seed, range(n), size), normal, atol=2e-6)


@pytest.mark.parametrize("draw", random.DISTRIBUTIONS.values(), ids=random.DISTRIBUTIONS)
@pytest.mark.parametrize("size", [1, 3, 4, 10, 100])
def test_row_i_depends_on_seed_and_i_alone(draw, size):
    every = draw(7, range(100), size)
    assert every.dtype == "float32" and every.shape == (100, size)
    assert len({row.tobytes() for row in every}) == 100
    np.testing.assert_array_equal(draw(7, [41], size), every[41:42])
    np.testing.assert_array_equal(draw(7, np.arange(90, 13, -7), size), every[90:13:-7])
    assert not np.array_equal(draw(8, range(100), size), every)
    far = draw(7, [2**40, 2**40 + 1], size)  # more than 32 bits of counter
    assert np.isfinite(far).all() and not np.array_equal(far[0], far[1])


def test_moments_of_normal_latents():
    x = random.normal(3, range(4000), 100).astype("float64")
    n = x.size
    assert abs(x.mean()) < 4 / np.sqrt(n) and abs(x.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs((x**3).mean()) < 4 * np.sqrt(15 / n) and abs((x**4).mean() - 3) < 4 * np.sqrt(96 / n)
    correlations = np.corrcoef(x.T) - np.eye(100)
    assert np.abs(correlations).max() < 6 / np.sqrt(4000)
    assert np.corrcoef(x[:-1].ravel(), x[1:].ravel())[0, 1] == pytest.approx(0, abs=4 / np.sqrt(n))


def test_moments_of_uniform_latents():
    x = random.uniform(3, range(4000), 100).astype("float64")
    assert x.min() >= -1 and x.max() < 1 and x.max() > 0.999 and x.min() < -0.999
    assert abs(x.mean()) < 4 / np.sqrt(3 * x.size) and x.var() == pytest.approx(1 / 3, rel=0.01)


# --- a walk between latents -------------------------------------------------------------------------------------------


def test_interpolate_keeps_to_the_great_circle():
    rng = np.random.default_rng(0)
    a, b = (5 * v / np.linalg.norm(v) for v in rng.normal(size=(2, 4, 6)))
    walk = random.interpolate(a, b, 9)
    assert walk.shape == (9, 4, 6) and walk.dtype == "float32"
    np.testing.assert_allclose(walk[[0, -1]], [a, b], atol=1e-6)
    flat = walk.reshape(9, -1)
    np.testing.assert_allclose(np.linalg.norm(flat, axis=1), 5, rtol=1e-6)
    turns = np.arccos(np.sum(flat[1:] * flat[:-1], axis=1) / 25)
    np.testing.assert_allclose(turns, np.arccos(np.vdot(a, b) / 25) / 8, rtol=1e-3)


def test_interpolate_by_hand():
    """A quarter of a circle, in thirds."""
    half, root = 0.5, np.sqrt(3) / 2
    walk = random.interpolate([1, 0], [0, 1], 4)
    np.testing.assert_allclose(walk, [[1, 0], [root, half], [half, root], [0, 1]], atol=1e-7)
    np.testing.assert_array_equal(random.interpolate([1, 0], [0, 1], 1), [[1, 0]])


def test_interpolate_between_parallel_vectors_is_a_line():
    np.testing.assert_allclose(random.interpolate([1, 2], [3, 6], 3), [[1, 2], [2, 4], [3, 6]], rtol=1e-6)
    np.testing.assert_allclose(random.interpolate([1, 2], [1, 2], 3), [[1, 2]] * 3, rtol=1e-6)
    np.testing.assert_allclose(random.interpolate([1, 2], [-1, -2], 3), [[1, 2], [0, 0], [-1, -2]], atol=1e-6)
    assert np.isfinite(random.interpolate([0, 0], [1, 2], 5)).all()


# --- seeds and states -------------------------------------------------------------------------------------------------


def test_seed_of():
    assert random.seed_of(0) == 0 and random.seed_of(np.int64(7)) == 7 and random.seed_of(2**31 - 1) == 2**31 - 1
    drawn = {random.seed_of() for _ in range(8)}
    assert len(drawn) > 1 and all(0 <= seed < random.SEEDS for seed in drawn)
    for seed in (-1, 2**31, 2**40):
        with pytest.raises(ValueError, match=rf"an integer in \[0, 2\*\*31\); saw {seed}"):
            random.seed_of(seed)
    for seed in (1.0, "7", [7]):
        with pytest.raises(TypeError):
            random.seed_of(seed)


def test_state_of_finds_what_keras_does_not_save():
    """The seed generators, those of Dropout layers too; neither weights nor metrics."""
    dropout = layers.Dropout(0.5)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.BatchNormalization(), dropout])
    model.own, model.mine = keras.random.SeedGenerator(1), keras.metrics.Mean("mine")
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((4, 4)), np.ones((4, 3)), verbose=0)
    states = random.state_of(model)
    assert {id(state) for state in states} == {id(dropout.seed_generator.state), id(model.own.state)}
    assert random.state_of(keras.Sequential([keras.Input((4,)), layers.Dense(3)])) == []


def test_streams_of_neighbouring_seeds_have_nothing_in_common():
    seeds = [random.stream(seed, i) for seed in (0, 1, 2**31 - 1) for i in range(4)]
    assert len(set(seeds)) == 12 and all(0 <= seed < 2**31 for seed in seeds) and seeds[0] == random.stream(0, 0)


def test_saves_random_state(tmp_path):
    """A Dropout that goes on drawing where it was; without the mixin Keras would begin anew."""

    class Mine(random.SavesRandomState, keras.Sequential):
        pass

    def drawn(model):
        return np.array(model(np.ones((1, 64)), training=True))

    first, second = (Mine([keras.Input((64,)), layers.Dropout(0.5, seed=3)]) for _ in range(2))
    drawn(first)
    first.save_weights(tmp_path / "x.weights.h5")
    second.load_weights(tmp_path / "x.weights.h5")
    np.testing.assert_array_equal(drawn(second), drawn(first))
