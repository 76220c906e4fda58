"""What every variant promises, proved on its golden: it trains, each player by its own loss, samples, and refuses."""

import inspect
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from cases import once, quick
from goldens import GENERATIVE, GOLDENS
from keras import ops

from kerasgan import gradients, random
from kerasgan.models import VARIANTS, networks
from kerasgan.models.adversarial import Adversarial
from kerasgan.models.generative import Generative
from kerasgan.models.trainable import Trainable


@pytest.fixture(params=once(GOLDENS), scope="module")
def golden(request):
    return request.param


def sgd(generator=0.1, discriminator=0.1):
    """The two optimizers, plain steps down the gradient."""
    return [keras.optimizers.SGD(rate) for rate in (float(generator), float(discriminator))]


def arrays(variables):
    return [ops.convert_to_numpy(v).copy() for v in variables]


def moved(before, variables):
    """Which of the variables are no longer what they were."""
    return [not np.array_equal(old, new) for old, new in zip(before, arrays(variables), strict=True)]


def same(some, others):
    return all(np.array_equal(x, y) for x, y in zip(some, others, strict=True))


def test_every_variant_has_a_golden():
    variants = {name for name, v in VARIANTS.items() if inspect.isclass(v) and issubclass(v, Adversarial)}
    assert {golden.variant for golden in GOLDENS} == variants
    for golden in GOLDENS:
        model = golden.build()
        assert type(model) is VARIANTS[golden.variant]
        assert isinstance(model, Trainable) and isinstance(model, Generative) == (golden in GENERATIVE)
        assert model.image_shape == (golden.image_shape if golden in GENERATIVE else (None, None, 1))


# --- training ---------------------------------------------------------------------------------------------------------


class Watch(keras.callbacks.Callback):
    """Notes the generator after every step, and how many steps the trackers remember."""

    def on_train_begin(self, logs=None):
        self.generators, self.counts = [arrays(self.model.generator.weights)], []

    def on_train_batch_end(self, batch, logs=None):
        self.generators.append(arrays(self.model.generator.weights))
        self.counts.append({int(tracker.count) for tracker in self.model.trackers if tracker.name in logs})


@pytest.mark.parametrize("momentum", [0.3, pytest.param(0.999, marks=pytest.mark.soak)])
def test_fits(golden, momentum):
    model, watch = golden.build(average_momentum=momentum), Watch()
    model.compile()
    expected, before = arrays(model.average.weights), arrays(model.trainable_variables)
    history = model.fit(*golden.data(32), batch_size=8, epochs=2, verbose=0, callbacks=[watch]).history
    assert {"discriminator_loss", "generator_loss", "real_accuracy", "fake_accuracy"} <= set(history)
    assert np.isfinite(list(history.values())).all() and {len(values) for values in history.values()} == {2}
    assert all(moved(before, model.trainable_variables))
    assert int(model.step) == model.generator_optimizer.iterations == model.discriminator_optimizer.iterations == 8
    assert watch.counts == [{1}, {2}, {3}, {4}] * 2, "the trackers start every epoch anew"
    assert same(watch.generators[0], expected), "the average starts as the generator"
    for t, generator in enumerate(watch.generators[1:], start=1):
        m = min(momentum, (1 + t) / (10 + t))
        expected = [m * mean + (1 - m) * now for mean, now in zip(expected, generator, strict=True)]
    for mean, found in zip(expected, arrays(model.average.weights), strict=True):
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, mean, rtol=1e-5, atol=1e-7)


@pytest.fixture(scope="module")
def one_step(golden):
    """A function: what one step on a batch makes of the players; weights and noise are the same whenever it starts."""
    keras.utils.set_random_seed(2)
    model = golden.build()
    first, draws = model.get_weights(), arrays(random.state_of(model))

    def step(optimizers, start=first, **rules):
        model.set_weights(start)
        for state, value in zip(random.state_of(model), draws, strict=True):
            state.assign(value)
        model.compile(*optimizers, run_eagerly=True, **rules)
        players = {name: getattr(model, name).trainable_variables for name in ("generator", "discriminator")}
        before = {name: arrays(weights) for name, weights in players.items()}
        logs = model.fit(golden.dataset(*golden.data(8), batch_size=8, shuffle=False), verbose=0).history
        after = {name: arrays(weights) for name, weights in players.items()}
        return SimpleNamespace(before=before, **after, weights=model.get_weights(), logs=logs)

    return step


def test_each_player_descends_its_own_loss_alone(one_step):
    """Both move at once: neither step depends on whether the other player moves."""
    both, g_alone, d_alone = one_step(sgd()), one_step(sgd(discriminator=0)), one_step(sgd(generator=0))
    assert not same(both.generator, both.before["generator"])
    assert not same(both.discriminator, both.before["discriminator"])
    assert same(g_alone.generator, both.generator) and same(g_alone.discriminator, both.before["discriminator"])
    assert same(d_alone.discriminator, both.discriminator) and same(d_alone.generator, both.before["generator"])


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_each_player_lowers_its_own_loss(one_step, player):
    """After its step the same round costs the player less."""
    first = one_step(sgd(**{"generator": 0, "discriminator": 0, player: 0.02}))
    again = one_step(sgd(0, 0), start=first.weights)
    assert again.logs[f"{player}_loss"] < first.logs[f"{player}_loss"]


def test_alternate_answers_the_new_discriminator(one_step):
    """D moves as it does at once; G's step is another one, against the D that has moved."""
    at_once, in_turn = one_step(sgd()), one_step(sgd(), alternate=True)
    against_the_old = one_step(sgd(discriminator=0), alternate=True)
    assert same(in_turn.discriminator, at_once.discriminator)
    assert not same(in_turn.generator, in_turn.before["generator"])
    assert not same(in_turn.generator, at_once.generator), "its noise is fresh"
    assert not same(in_turn.generator, against_the_old.generator), "it sees D's step"
    assert np.isfinite(list(in_turn.logs.values())).all()


def test_discriminator_steps(golden):
    """Of a batch a b a b, D first learns from the a's alone, then both from the b's; one pass over the images."""
    every = golden.data(8)
    halves = [[array[i::2] for array in every] for i in range(2)]
    twice, by_hand = golden.build(), golden.build()
    by_hand.set_weights(twice.get_weights())
    twice.compile(*sgd(), discriminator_steps=2, run_eagerly=True)
    twice.fit(golden.dataset(*every, batch_size=8, shuffle=False), verbose=0)
    by_hand.compile(*sgd(generator=0), run_eagerly=True)
    by_hand.fit(golden.dataset(*halves[0], batch_size=4, shuffle=False), verbose=0)
    by_hand.generator_optimizer.learning_rate = 0.1
    by_hand.fit(golden.dataset(*halves[1], batch_size=4, shuffle=False), verbose=0)
    for player in ("generator", "discriminator"):
        assert same(arrays(getattr(twice, player).weights), arrays(getattr(by_hand, player).weights))
    assert (
        int(twice.step) == twice.generator_optimizer.iterations == 1 and twice.discriminator_optimizer.iterations == 2
    )


@pytest.mark.parametrize("loss", ["nonsaturating", pytest.param("relativistic", marks=pytest.mark.soak)])
@pytest.mark.parametrize("eagerly", [True, pytest.param(False, marks=pytest.mark.soak)])
def test_one_backward_pass_for_both_players_is_two(golden, loss, eagerly, monkeypatch):
    """The same gradients to 1e-5 of each tensor's largest."""
    found, calls = [], []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        model = golden.build(seed=5)
        if found:
            monkeypatch.setattr(gradients, "once", lambda scores, images: calls.append(0) or scores(images))
        model.compile(*sgd(1e4, 1e4), loss=loss, run_eagerly=eagerly)  # beside such steps weights are nothing
        before = arrays(model.trainable_variables)
        model.fit(*golden.data(8), batch_size=8, verbose=0)
        found.append([new - old for new, old in zip(arrays(model.trainable_variables), before, strict=True)])
    assert calls, "the golden's discriminator judges each image alone, and is known to"
    for shared, apart in zip(*found, strict=True):
        np.testing.assert_allclose(shared, apart, rtol=0, atol=1e-5 * np.abs(apart).max() + 1e-9)


def test_pack(golden):
    model = golden.build(pack=2)
    model.compile(run_eagerly=True)
    labels = [np.eye(golden.classes, dtype="float32")[np.zeros(6, "int32")]] if golden.classes else []
    assert model.scores(np.zeros((6, *golden.image_shape), "float32"), *labels).shape == (3, 1)
    before = arrays(model.trainable_variables)
    assert np.isfinite(model.fit(*golden.data(8), verbose=0).history["generator_loss"]).all()
    assert all(moved(before, model.trainable_variables))


@pytest.mark.parametrize("golden", quick(GOLDENS, "GAN", "DCGAN"))
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(golden, policy):
    """Weights and average are float32; float16 alone needs a loss scale, and what is logged is the unscaled loss."""
    with networks.policy(policy):
        model = golden.build(average_momentum=0.5)
    plain = golden.build()
    plain.set_weights(model.get_weights())
    for game in (model, plain):
        game.compile(*[keras.optimizers.Adam(0.01) for _ in range(2)], run_eagerly=True)
    optimizers = (model.generator_optimizer, model.discriminator_optimizer)
    scaled = [isinstance(optimizer, keras.optimizers.LossScaleOptimizer) for optimizer in optimizers]
    assert scaled == [policy == "mixed_float16"] * 2
    first, in_float32 = (game.fit(*golden.data(8), batch_size=8, verbose=0).history for game in (model, plain))
    for name in ("generator_loss", "discriminator_loss"):
        assert first[name] == pytest.approx(in_float32[name], rel=0.02)
    learnt = [v for v in model.average.weights if v.name != "deviation"]  # which is the data's
    before, average = arrays(model.trainable_variables), arrays(learnt)
    history = model.fit(*golden.data(8), batch_size=8, epochs=3, verbose=0).history
    assert np.isfinite(list(history.values())).all() and all(moved(before, model.trainable_variables))
    assert {v.dtype for v in model.weights if v is not model.step} == {"float32"}
    assert {layer.compute_dtype for layer in networks.layers_of(model.average)} == {"float32"}
    assert all(moved(average, learnt))
    inputs = golden.inputs(model, 5)
    plain.set_weights(model.get_weights())
    np.testing.assert_array_equal(model(inputs), plain(inputs))  # the average computes in float32
    assert not np.array_equal(model.generator(inputs), plain(inputs))


@pytest.mark.parametrize("golden", quick(GOLDENS, "GAN"))
def test_several_steps_per_execution(golden):
    """A compiled block of steps is those steps, one after the other."""
    single, block = golden.build(), golden.build()
    block.set_weights(single.get_weights())
    for model, options in ((single, {"run_eagerly": True}), (block, {"steps_per_execution": 2})):
        model.compile(*sgd(), **options)
        model.fit(*golden.data(32), batch_size=8, verbose=0)
    assert int(block.step) == 4
    for mine, other in zip(arrays(block.weights), arrays(single.weights), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-6)
