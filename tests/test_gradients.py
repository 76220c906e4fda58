"""Who descends which loss, slopes with respect to an input, and replicas that add up to one device."""

import functools

import goldens
import keras
import numpy as np
import pytest
from keras import ops

from kerasgan import distribution, gradients, losses
from kerasgan.gradients import agreed, fused, losses_of, of_players, once, with_slope
from kerasgan.losses import LOSSES


def sgd():
    return keras.optimizers.SGD(0.1)


# --- who descends which loss ------------------------------------------------------------------------------------------


def test_each_player_gets_the_gradient_of_its_own_loss_alone():
    """a b^2 is D's loss and a^3 b G's: D owns a and G owns b, and each loss depends on both."""
    a, b = keras.Variable(2.0), keras.Variable(3.0)
    calls = []

    def play():
        calls.append(None)
        return {"discriminator": a * b**2, "generator": a**3 * b, "penalty": a * 100, "real_accuracy": b * 100}

    values, slopes = of_players(play, {"discriminator": ([a], sgd()), "generator": ([b], sgd())})
    assert {name: float(value) for name, value in values.items()} == {
        "discriminator": 18, "generator": 24, "penalty": 200, "real_accuracy": 300,
    }  # fmt: skip
    assert {name: [float(s) for s in by_weight] for name, by_weight in slopes.items()} == {
        "discriminator": [9],  # d(a b^2)/da = b^2
        "generator": [8],  # d(a^3 b)/db = a^3
    }
    assert len(calls) == 1


def test_a_player_has_the_sum_of_its_losses():
    a, b = keras.Variable(2.0), keras.Variable(3.0)
    _, slopes = of_players(
        lambda: {"generator_16": a**2, "generator_32": 5 * a * b, "generators": 7 * a}, {"generator": ([a, b], sgd())}
    )
    assert [float(slope) for slope in slopes["generator"]] == [2 * 2 + 5 * 3, 5 * 2]


def test_losses_of():
    values = {"generator": 1, "generator_16": 2, "generators": 3, "discriminator": 4, "penalty": 5}
    assert losses_of("generator", values) == [1, 2]
    assert losses_of("discriminator", values) == [4]
    assert losses_of("critic", values) == []


def test_a_player_without_a_loss_is_absent_and_a_weight_without_a_part_is_none():
    a, b = keras.Variable(2.0), keras.Variable(3.0)
    values, slopes = of_players(
        lambda: {"generator": a**2}, {"generator": ([a, b], sgd()), "discriminator": ([b], sgd())}
    )
    assert list(slopes) == ["generator"]
    assert float(slopes["generator"][0]) == 4 and slopes["generator"][1] is None
    assert float(values["generator"]) == 4


def test_the_seed_is_the_optimizers_scale():
    """A float16 loss is scaled as its optimizer says, each player's by its own; what is reported is the true loss."""
    a, b = keras.Variable(2.0), keras.Variable(3.0)
    scaled = keras.optimizers.LossScaleOptimizer(sgd(), initial_scale=1024.0)
    scaled.build([a])
    values, slopes = of_players(
        lambda: {"discriminator": a**2, "generator": b**2}, {"discriminator": ([a], scaled), "generator": ([b], sgd())}
    )
    assert float(slopes["discriminator"][0]) == 4 * 1024 and float(slopes["generator"][0]) == 6
    assert float(values["discriminator"]) == 4


def test_alone_all_agree():
    """One device is outvoted by nobody: what is not finite stays, for the loss scale to see."""
    found = [ops.convert_to_tensor(float("nan")), None]
    assert agreed(found, keras.optimizers.LossScaleOptimizer(sgd()), 1) is found


# --- gradients with respect to an input -------------------------------------------------------------------------------


def test_with_slope():
    x = ops.convert_to_tensor(np.array([[1.0, 2.0], [3.0, -1.0]], "float32"))
    y, slope = with_slope(lambda x: ops.sum(x**3, axis=1, keepdims=True), x)
    np.testing.assert_allclose(y, [[9], [26]])
    np.testing.assert_allclose(slope, 3 * np.square(x))


def test_a_slope_has_slopes():
    """d/dx of the slope 3 x^2 is 6 x, and d/da of the slope of a x^3 is 3 x^2."""
    x, a = ops.convert_to_tensor([1.0, 2.0, -3.0]), keras.Variable(5.0)
    first, second = with_slope(lambda x: with_slope(lambda x: x**3, x)[1], x)
    np.testing.assert_allclose(first, 3 * np.square(x))
    np.testing.assert_allclose(second, 6 * np.array(x))
    play = {"generator": ([a], sgd())}
    _, slopes = of_players(lambda: {"generator": ops.sum(with_slope(lambda x: a * x**3, x)[1])}, play)
    assert float(slopes["generator"][0]) == 3 * (1 + 4 + 9)


def test_the_value_beside_a_slope_is_differentiable():
    x, a = ops.convert_to_tensor([1.0, 2.0]), keras.Variable(5.0)
    _, slopes = of_players(
        lambda: {"generator": ops.sum(with_slope(lambda x: a * x, x)[0])}, {"generator": ([a], sgd())}
    )
    assert float(slopes["generator"][0]) == 3


# --- replicas ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scores", [[0.0, -300.0, 300.0, 1.5], [-2.0, -1.0, 0.0, 1e4]])
@pytest.mark.parametrize("loss", LOSSES)
def test_once_gives_each_player_its_own_slope(loss, scores):
    """Of w x^2 for x alone; also where a loss is flat, or so sure that float32 calls its slope 0."""
    scores, w = np.reshape(scores, (4, 1)).astype("float32"), keras.Variable([[1.0]])
    x = np.sqrt(np.abs(scores))
    start, real = keras.Variable(np.sign(scores) * x), ops.convert_to_tensor(np.float32([[0.5], [1], [-1], [2]]))
    players = {"discriminator": ([w], sgd()), "generator": ([start], sgd())}

    def play(judge):
        def judged(images):
            return ops.matmul(images * ops.abs(images), w)

        fake = judge(judged, start + 0.0)
        return {
            "discriminator": losses.get(loss).discriminator(real, fake),
            "generator": losses.get(loss).generator(real, fake),
        }

    (_, shared), (_, apart) = (
        of_players(lambda judge=judge: play(judge), players) for judge in (once, lambda f, images: f(images))
    )
    for player in players:
        np.testing.assert_allclose(shared[player][0], apart[player][0], rtol=1e-5, atol=1e-12)
    assert np.isfinite(ops.convert_to_numpy(shared["generator"][0])).all()


def test_the_backend_is_keras_own():
    assert gradients.BACKEND == keras.backend.backend()


def two_replicas():
    """Run by a child: what two replicas make of a batch of four."""
    import tensorflow as tf

    mirrored = distribution.strategy("mirrored", 2)
    batch = np.array([[1.0], [2.0], [4.0], [-8.0]], "float32")
    found = {}

    def local(strategy, values):
        return [np.asarray(x) for x in strategy.experimental_local_results(values)]

    def slopes(strategy, optimizer, loss, scale=1.0):
        """Each replica's gradient, in its half of the batch, of the mean loss(weight, x)."""
        with strategy.scope():
            weight = tf.Variable(3.0)
            optimizer.build([weight])
        count = strategy.num_replicas_in_sync
        parts = strategy.experimental_distribute_values_from_function(
            lambda c: tf.constant(np.split(batch, count)[c.replica_id_in_sync_group])
        )

        def step(x):
            play = {"generator": ([weight], optimizer)}
            return of_players(lambda: {"generator": tf.reduce_mean(loss(weight, x))}, play)[1]["generator"][0]

        return local(strategy, strategy.run(tf.function(step), (parts,)))

    one = tf.distribute.OneDeviceStrategy("CPU:0")
    smooth = lambda weight, x: (weight * x) ** 2  # noqa: E731
    found["one device"], found["two"] = (slopes(s, sgd(), smooth) for s in (one, mirrored))
    # x = -8, on the second replica alone, has an infinite gradient: log |x + 8|
    broken = lambda weight, x: weight * tf.math.log(tf.abs(x + 8))  # noqa: E731
    for name, optimizer in (("plain", sgd), ("vote", lambda: keras.optimizers.LossScaleOptimizer(sgd()))):
        found[name] = slopes(mirrored, optimizer(), broken)
    found["vote, all finite"] = slopes(mirrored, keras.optimizers.LossScaleOptimizer(sgd(), initial_scale=8.0), smooth)
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return goldens.in_child(two_replicas, folder=tmp_path_factory.mktemp("replicas"))


def test_two_replicas_are_one_device(found):
    """The optimizers sum over replicas: the shares add up to the gradient of the whole batch's mean, 2 w mean(x^2)."""
    assert found["one device"] == [pytest.approx(2 * 3 * 85 / 4)]
    assert found["two"] == [pytest.approx(3 * 5 / 2), pytest.approx(3 * 80 / 2)]
    assert sum(found["two"]) == pytest.approx(found["one device"][0])


def test_a_loss_scale_falls_on_all_replicas_or_on_none(found):
    assert np.isfinite(found["plain"]).tolist() == [True, False], "else the vote has nothing to decide"
    assert np.isinf(found["vote"]).all()
    assert found["vote, all finite"] == [pytest.approx(8 * x) for x in found["two"]]


def move(optimizer, weights, slope):
    optimizer.apply([slope * ops.ones((3, 1)), slope], weights)


ADAMS = [
    keras.optimizers.Adam,
    lambda **options: keras.optimizers.Adam(beta_1=0.0, beta_2=0.99, clipnorm=0.1, **options),
    lambda **options: keras.optimizers.AdamW(use_ema=True, ema_momentum=0.5, weight_decay=0.1, **options),
    lambda **options: keras.optimizers.Adam(gradient_accumulation_steps=2, **options),
    lambda **options: keras.optimizers.Adam(amsgrad=True, **options),
]


@pytest.mark.parametrize("new", ADAMS, ids=["plain", "clipped", "decayed, averaged", "accumulated", "amsgrad"])
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "graph"])
def test_adam_moves_a_weight_by_one_kernel_as_keras_does(new, compiled):
    """The same weights and the same state after five steps, by `adam_step`, whose kernel is in the graph."""
    import tensorflow as tf

    rng, found = np.random.default_rng(0), []
    starts, slopes = [rng.normal(size=(3, 4)), rng.normal(size=4)], rng.normal(size=(5, 4)).astype("float32")
    for adam in (fused(new(learning_rate=1e-2)), new(learning_rate=1e-2)):
        weights = [keras.Variable(start.astype("float32")) for start in starts]
        adam.build(weights)
        step = tf.function(functools.partial(move, adam, weights))
        for slope in slopes:
            (step if compiled else step.python_function)(tf.constant(slope))
        found.append([variable.numpy() for variable in (*weights, *adam.variables)])
        definitions = step.get_concrete_function(tf.constant(slope)).graph.as_graph_def()
        bodies = [definitions.node, *(function.node_def for function in definitions.library.function)]
        assert [node.op for body in bodies for node in body].count("ResourceApplyAdam") == (
            len(weights) if len(found) == 1 and not adam.amsgrad else 0
        )
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_an_optimizer_of_the_users_own_and_others_are_left_alone():
    class Own(keras.optimizers.Adam):
        pass

    for optimizer in (Own(), sgd(), keras.optimizers.Adam(amsgrad=True)):
        assert fused(optimizer) is optimizer and "update_step" not in vars(optimizer)


def test_accelerator():
    """The GPU's name on a card; nothing where Keras computes on the CPU."""
    import tensorflow as tf

    assert (gradients.accelerator() is None) == (not tf.config.list_physical_devices("GPU"))
