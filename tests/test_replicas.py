"""Replicas of a model: each knows which it is, draws for itself, has its part of a batch, and saves what all found.

Two replicas, in a child: devices are set once a process. Workers: `test_conformance_distribute`, `test_workers`.
"""

import os
import subprocess
import sys

import goldens
import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasgan import data, distribution, replicas
from kerasgan.replicas import (
    across_workers,
    applied,
    fold_replicas,
    in_scope,
    mean_over_replicas,
    replica,
    share,
    total,
    workers,
)


def test_cores_are_those_that_the_process_is_held_to():
    """Of a process that is held to one core, one, however many there are."""
    held = "import os; hasattr(os, 'sched_setaffinity') and os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    code = f"{held}; from kerasgan import replicas; print(replicas.cores())"
    told = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert told == (1 if hasattr(os, "sched_setaffinity") else os.cpu_count())
    assert 1 <= replicas.cores() <= os.cpu_count()


def test_without_a_strategy():
    assert replica() == (0, 1) and replicas.replicas() == 1 and workers() == 1
    assert across_workers() is False and replicas.is_chief() is True and total(3) == 3
    assert replicas.agreed(7)
    mean_over_replicas([keras.Variable(1.0)])  # nothing to agree on
    dense = layers.Dense(2)
    np.testing.assert_array_equal(applied(dense, np.ones((3, 4), "float32")), dense(np.ones((3, 4), "float32")))


def test_share_is_a_part_of_what_all_draw(monkeypatch):
    """The second of three replicas, of two images each: places 2 and 3 of six."""
    assert share(lambda n: list(range(n)), 2) == [0, 1]
    monkeypatch.setattr(replicas, "replica", lambda: (1, 3))
    assert share(lambda n: list(range(n)), 2) == [2, 3]


def test_alone_a_layer_draws_as_keras_has_it():
    plain, folded = (layers.Dropout(0.5, seed=4) for _ in range(2))
    fold_replicas([folded, layers.Dense(1)])
    assert type(folded.seed_generator) is replicas.ReplicaSeeds
    ones = np.ones((3, 40), "float32")
    for _ in range(2):
        assert np.array_equal(*(ops.convert_to_numpy(layer(ones, training=True)) for layer in (plain, folded)))


def two_replicas():
    """Run by a child: what replicas see, draw, are given and agree on."""
    import tensorflow as tf

    strategy, found = distribution.strategy("mirrored", 2), {}

    def local(values):
        return [np.asarray(x) for x in strategy.experimental_local_results(values)]

    with strategy.scope():
        found["outside"] = replica(), replicas.replicas(), workers(), across_workers(), replicas.is_chief(), total(3)
        plain, folded = layers.Dropout(0.5, seed=4), layers.Dropout(0.5, seed=4)
        fold_replicas([folded])
        norm, other = layers.BatchNormalization(), layers.Dense(3)
        norm.build((None, 3)), other.build((None, 3))
        seed = keras.random.SeedGenerator(1)
        images = np.arange(12 * 8 * 8).reshape(12, 8, 8, 1).astype("uint8")
        dataset = data.from_arrays(images, np.arange(12), batch_size=6, seed=2)
        steps = iter(dataset.stream(3))
        try:
            found["refused"] = next(iter(data.from_arrays(images, batch_size=5).stream()))
        except ValueError as error:
            found["refused"] = str(error)
        given = [[local(part) for part in next(steps)] for _ in range(3)]

    class Model:
        distribute_strategy = strategy
        count = in_scope(lambda model, factor: factor * replicas.replicas())

    found["a model's method"] = replicas.replicas(), Model().count(10)
    found["inside"] = [tuple(pair) for pair in local(strategy.run(lambda: tf.stack(replica())))]
    ones = np.ones((3, 40), "float32")
    found["masks"], found["Keras' masks"] = (
        [local(strategy.run(tf.function(lambda layer=layer: layer(ones, training=True)))) for _ in range(2)]
        for layer in (folded, plain)
    )
    found["noise"] = local(strategy.run(lambda: share(lambda n: keras.random.normal((n, 2), seed=seed), 3)))
    found["given"] = given, [dataset.batch(3 + i) for i in range(3)]

    network = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Conv2D(2, 6), layers.Flatten()])
    two = np.ones((2, 8, 8, 1), "float32")

    def uneven():
        return applied(network, tf.constant(two)[: 2 * (1 - tf.convert_to_tensor(replica()[0]))])

    found["uneven"] = local(strategy.run(tf.function(uneven))), network.predict_on_batch(two)

    def learn():
        norm(tf.random.normal((8, 3), seed=replica()[0]) + 10.0 * tf.cast(replica()[0], "float32"), training=True)

    strategy.run(learn)
    kept = [norm.moving_mean, norm.moving_variance]
    before = [local(v.value) for v in kept]
    with strategy.scope():
        mean_over_replicas([*kept, other.kernel])
    found["statistics"] = before, [local(v.value) for v in kept]
    with tf.distribute.MultiWorkerMirroredStrategy().scope():
        found["a worker alone"] = across_workers()
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return goldens.in_child(two_replicas, folder=tmp_path_factory.mktemp("replicas"))


def test_which_replica_am_i(found):
    assert found["outside"] == ((0, 1), 2, 1, False, True, 3)
    assert sorted(found["inside"]) == [(0, 2), (1, 2)]
    assert found["a worker alone"] is False
    assert found["a model's method"] == (1, 20), "whoever calls it, from wherever"


def test_noise_and_dropout_differ(found):
    """Keras alone draws the same masks on every replica; one state serves all, and moves on."""
    assert not np.array_equal(*found["noise"])
    (first, second), (again, _) = found["masks"]
    assert not np.array_equal(first, second) and not np.array_equal(first, again)
    (plain, same), _ = found["Keras' masks"]
    assert np.array_equal(plain, same), "else there is nothing to mend"
    assert np.array_equal(first, plain), "the first replica's are Keras' own"


def test_a_batch_comes_in_parts_nothing_lost_nothing_twice(found):
    for (images, labels), (all_images, all_labels) in zip(*found["given"], strict=True):
        assert [len(part) for part in images] == [3, 3]
        np.testing.assert_array_equal(np.concatenate(images), all_images)
        np.testing.assert_array_equal(np.concatenate(labels), all_labels)


def test_a_batch_that_does_not_divide(found):
    said = "A batch of 5 images does not divide by 2 replicas: choose another batch_size, other devices, or"
    assert found["refused"].startswith(said)


def test_a_replica_without_an_image(found):
    """Its answer is empty, whatever oneDNN makes of an empty batch; the other's is the network's."""
    (made, nothing), expected = found["uneven"]
    assert nothing.shape == (0, 2)
    np.testing.assert_allclose(made, expected, rtol=1e-5)


def test_statistics_are_the_mean_of_all(found):
    for before, after in zip(*found["statistics"], strict=True):
        assert not np.allclose(*before)
        np.testing.assert_array_equal(*after)
        np.testing.assert_allclose(after[0], np.mean(before, axis=0), rtol=1e-6)
