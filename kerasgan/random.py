"""Noise that can be had again: latents that depend on (seed, i) alone, and a model's own random state.

Latents come from Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), counter-based and
keyed by the seed, with the layout of TensorFlow's stateless generators. So image i is the same for any batch size, on
any backend, and in an exported SavedModel. (NumPy's own Philox is the 4x64 variant: other numbers.)
"""

import operator
import secrets

import numpy as np

SEEDS = 2**31  # torch takes no larger seed


def seed_of(seed=None):
    """A valid seed: the one given, or one drawn from the operating system.

    Args:
        seed: an integer in [0, 2**31), or None.

    Raises:
        ValueError: the seed is out of range. TypeError: it is no integer.
    """
    if seed is None:
        return secrets.randbelow(SEEDS)
    if not hasattr(seed, "__index__"):
        raise TypeError(f"A seed is an integer in [0, 2**31); saw {seed!r}.")
    seed = operator.index(seed)
    if not 0 <= seed < SEEDS:
        raise ValueError(f"A seed is an integer in [0, 2**31); saw {seed}.")
    return seed


def stream(seed, i):
    """A seed for the i-th of a model's streams: those of neighbouring seeds have nothing in common."""
    return int(np.random.SeedSequence([seed, i]).generate_state(1)[0] % SEEDS)


def philox(seed, counters):
    """Four uint32 for each 64-bit counter: Philox4x32-10.

    Args:
        seed: the 64-bit key. counters: uint64 array of any shape.

    Returns:
        uint32 array, shape `(*counters.shape, 4)`.
    """
    low = np.uint64(0xFFFFFFFF)
    zero = np.zeros_like(counters)
    a, b, c, d = counters & low, counters >> np.uint64(32), zero, zero
    key_a, key_b = seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF
    for _ in range(10):
        left, right = np.uint64(0xD2511F53) * a, np.uint64(0xCD9E8D57) * c
        a, b, c, d = (
            (right >> np.uint64(32)) ^ b ^ np.uint64(key_a),
            right & low,
            (left >> np.uint64(32)) ^ d ^ np.uint64(key_b),
            left & low,
        )
        key_a, key_b = (key_a + 0x9E3779B9) & 0xFFFFFFFF, (key_b + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([a, b, c, d], axis=-1).astype("uint32")


def fractions(seed, indices, size):
    """Uniform numbers in [0, 1), float64 `(len(indices), size)`, size rounded up to 4."""
    blocks = -(-size // 4)
    counters = np.asarray(indices, "uint64")[:, None] * np.uint64(blocks) + np.arange(blocks, dtype="uint64")
    bits = philox(seed, counters).reshape(len(counters), 4 * blocks)
    return (bits & np.uint32(0x7FFFFF)) / 2**23  # the mantissa of a float32, as TensorFlow does


def uniform(seed, indices, size):
    """Uniform latents in [-1, 1), float32 `(len(indices), size)`; row i depends on (seed, indices[i]) alone."""
    return (2 * fractions(seed, indices, size)[:, :size] - 1).astype("float32")


def normal(seed, indices, size):
    """Standard normal latents, float32 `(len(indices), size)`; row i depends on (seed, indices[i]) alone.

    Box and Muller (1958): (sqrt(-2 log u) sin(2 pi v), sqrt(-2 log u) cos(2 pi v)).
    """
    u, v = np.split(fractions(seed, indices, size).reshape(len(indices), -1, 2), 2, axis=-1)
    radius, angle = np.sqrt(-2 * np.log(np.maximum(u, 1e-7))), 2 * np.pi * v
    pairs = np.concatenate([radius * np.sin(angle), radius * np.cos(angle)], axis=-1)
    return pairs.reshape(len(indices), -1)[:, :size].astype("float32")


DISTRIBUTIONS = {"normal": normal, "uniform": uniform}


def interpolate(first, last, steps):
    """A walk between two latents along the great circle, which keeps their length typical (White 2016).

    Args:
        first, last: arrays of one shape. steps: the number of points, both ends among them.

    Returns:
        float32 array `(steps, *first.shape)`.
    """
    a, b = np.asarray(first, "float64"), np.asarray(last, "float64")
    cosine = np.vdot(a, b) / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12)
    angle = np.arccos(np.clip(cosine, -1, 1))
    t = np.linspace(0, 1, steps).reshape(-1, *[1] * a.ndim)
    if np.sin(angle) < 1e-6:  # parallel: the circle is a line
        return ((1 - t) * a + t * b).astype("float32")
    return ((np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)).astype("float32")


def state_of(model):
    """The model's random state, which Keras does not save: seed generators, those of its Dropout layers too."""
    weights = {id(weight) for weight in model.weights}
    return [v for v in model.variables if id(v) not in weights]  # Keras keeps metrics out of `variables`


class SavesRandomState:
    """Before `keras.Model` among a model's bases: seed generators, Dropout's too, are stored beside its weights."""

    def save_own_variables(self, store):
        """Keras saves no seed generator: each becomes a `random_<i>`."""
        super().save_own_variables(store)
        for i, state in enumerate(state_of(self)):
            store[f"random_{i}"] = state

    def load_own_variables(self, store):
        """The counterpart of `save_own_variables`."""
        weights = {name: store[name] for name in store.keys()}
        for i, state in enumerate(state_of(self)):
            state.assign(weights.pop(f"random_{i}"))
        super().load_own_variables(weights)
