"""A checkpoint is everything that a training needs to go on, whole or not there."""

import json
import os
import signal

import keras
import numpy as np
import pytest

from kerasgan import DCGAN
from kerasgan.checkpoints import Checkpoints, SaveCheckpoints, described, flat, plain
from kerasgan.files import stored


def tiny(**options):
    """A small game in eager steps, with noise on."""
    model = DCGAN((16, 16, 1), **{"latent_size": 2, "width": 2, "kernel_size": 2, **options})
    optimizers = [keras.optimizers.Adam(0.01) for _ in range(2)]
    model.compile(*optimizers, instance_noise=0.1, run_eagerly=True)
    return model


def pictures(n=24):
    return np.random.default_rng(0).integers(0, 256, (n, 16, 16, 1)).astype("uint8")


def values(model):
    return [keras.ops.convert_to_numpy(variable).copy() for variable in model.state]


def differ(one, other):
    return [i for i, (a, b) in enumerate(zip(one, other, strict=True)) if not np.array_equal(a, b)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a training of six steps with a checkpoint at 2, 4 and 6, two of which are kept."""
    keras.utils.set_random_seed(1)
    folder = tmp_path_factory.mktemp("trained") / "checkpoints"
    model = tiny()
    model.fit(pictures(), batch_size=4, verbose=0, callbacks=[SaveCheckpoints(Checkpoints(folder), every=2)])
    model.folder = folder
    return model


@pytest.fixture
def checkpoints(trained, tmp_path):
    """A copy of them."""
    for path in trained.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return Checkpoints(tmp_path)


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_restore_brings_everything_back(trained, checkpoints):
    """Both players, the average, both optimizers' moments, the random state, the step: every variable."""
    model = tiny()
    assert differ(values(model), values(trained))
    assert checkpoints.restore(model) == 6 == int(model.step)
    assert differ(values(model), values(trained)) == []
    owners = (model.generator, model.discriminator, model.average, model.optimizer, model.discriminator_optimizer)
    everything = [variable for owner in owners for variable in owner.variables] + [model.random.state, model.step]
    assert {id(variable) for variable in everything} <= {id(variable) for variable in model.state}
    assert int(model.optimizer.iterations) == int(model.discriminator_optimizer.iterations) == 6


def test_only_the_newest_are_kept(checkpoints):
    assert checkpoints.steps() == [4, 6]
    names = sorted(path.name for path in checkpoints.folder.iterdir())
    assert names == [path.name for step in (4, 6) for path in sorted(checkpoints.paths(step))]
    assert names[0] == "step-00000004.json" and names[1] == "step-00000004.weights.h5"


def test_save_keeps_as_many_as_it_is_told_to(trained, tmp_path):
    checkpoints = Checkpoints(tmp_path / "new" / "folder", keep=3)
    model = tiny()
    for step in range(1, 6):
        model.step.assign(step)
        assert checkpoints.save(model) == step
    assert checkpoints.steps() == [3, 4, 5] and len(list(checkpoints.folder.iterdir())) == 6
    assert checkpoints.save(model) == 5 and checkpoints.steps() == [3, 4, 5]


def test_there_is_none(tmp_path):
    model = tiny()
    before = values(model)
    assert Checkpoints(tmp_path / "none").restore(model) is None
    assert Checkpoints(tmp_path).restore(model) is None and Checkpoints(tmp_path).steps() == []
    assert differ(values(model), before) == []


@pytest.mark.parametrize("how", ["flipped", "cut", "gone", "description cut", "description of nothing"])
def test_a_damaged_newest_one_is_passed_over(checkpoints, how):
    weights, description = checkpoints.paths(6)
    if how == "flipped":
        damage(weights)
    elif how == "cut":
        weights.write_bytes(weights.read_bytes()[:-1])
    elif how == "gone":
        weights.unlink()
    elif how == "description cut":
        description.write_text(description.read_text()[:-10])
    else:
        description.write_text("[]")
    model = tiny()
    sentence = "Damaged, passed over: step-00000006.weights.h5. Going on from step 4."
    with pytest.warns(UserWarning, match=sentence) as told:
        assert checkpoints.restore(model) == 4
    assert told[0].filename == __file__ and int(model.step) == 4


def test_cut_anywhere_it_is_passed_over(checkpoints):
    """At every tenth of its bytes, and of its description's."""
    model, whole = tiny(), {path: path.read_bytes() for path in checkpoints.paths(6)}
    for path, content in whole.items():
        for tenth in range(10):
            path.write_bytes(content[: len(content) * tenth // 10])
            with pytest.warns(
                UserWarning, match="Damaged, passed over: step-00000006.weights.h5. Going on from step 4."
            ):
                assert checkpoints.restore(model) == 4
        path.write_bytes(content)
    assert checkpoints.restore(model) == 6


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs POSIX")
def test_a_full_disk(checkpoints):
    """What this process may write is too little: one sentence, and all that was there stays."""
    resource, model = pytest.importorskip("resource"), tiny()
    checkpoints.restore(model)
    before = {path: path.read_bytes() for path in checkpoints.folder.iterdir()}
    size = checkpoints.paths(6)[0].stat().st_size
    for limit in (100, size // 2, size - 1):
        model.step.assign_add(1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            with pytest.raises(OSError, match="No room in .* for a file of 0.*MB .File too large.: free some"):
                checkpoints.save(model)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert {path: path.read_bytes() for path in checkpoints.folder.iterdir()} == before
    assert stored(model.state) >= size
    assert checkpoints.save(model) == 9


def test_all_damaged(checkpoints):
    for step in checkpoints.steps():
        damage(checkpoints.paths(step)[0])
    model = tiny()
    before = values(model)
    sentence = "Every checkpoint in .* is damaged: step-00000006.weights.h5, step-00000004.weights.h5. Start anew"
    with pytest.raises(OSError, match=sentence):
        checkpoints.restore(model)
    assert differ(values(model), before) == []


def test_another_model(checkpoints):
    model = tiny(latent_size=3)
    before = values(model)
    with pytest.raises(ValueError, match="a checkpoint of another model: .*'latent_size': 2.*, not .*'latent_size': 3"):
        checkpoints.restore(model)
    assert differ(values(model), before) == []


def test_another_training(trained, tmp_path):
    """What differs is named; who says nothing, an older checkpoint too, agrees."""
    about = {"training": {"epochs": 3, "seed": 1}, "data": {"train": "x"}}
    Checkpoints(tmp_path, about=about).save(trained)
    for same in (about, None):
        assert Checkpoints(tmp_path, about=same).restore(tiny()) == 6
    other = {"training": {"epochs": 5, "batch_size": 2, "seed": 1}, "data": {"train": "x"}}
    model = tiny()
    before = values(model)
    differing = r"\[training\] batch_size was None, now 2; \[training\] epochs was 3, now 5"
    with pytest.raises(ValueError, match=f"06.json is of another training: {differing}. Go on with the same recipe, "):
        Checkpoints(tmp_path, about=other).restore(model)
    assert differ(values(model), before) == []
    Checkpoints(tmp_path).save(trained)
    assert Checkpoints(tmp_path, about=about).restore(model) == 6


def test_plain_and_flat():
    assert plain({"a": (1, 2), "b": None}) == {"a": [1, 2], "b": None}
    assert flat({"a": {"x": 1}, "b": {"x": 2, "y": [3]}}) == {"[a] x": 1, "[b] x": 2, "[b] y": [3]}


def test_weights_that_are_not_finite_are_not_saved(checkpoints, trained):
    model = tiny()
    checkpoints.restore(model)
    moment = model.discriminator_optimizer.variables[2]
    moment.assign(moment * np.nan)
    model.step.assign(9)
    with pytest.raises(FloatingPointError, match="no longer finite at step 9, and were not saved. Try a lower learnin"):
        checkpoints.save(model)
    assert checkpoints.steps() == [4, 6] and checkpoints.restore(tiny()) == 6


def test_a_half_written_one_is_none(checkpoints):
    """The description comes last when one is written, and goes first when one is removed."""
    weights, description = checkpoints.paths(6)
    description.unlink()
    assert weights.exists() and checkpoints.steps() == [4]
    (checkpoints.folder / ".step-00000008-abc.json").write_text("{")  # what a killed process leaves of a file
    assert checkpoints.steps() == [4] and checkpoints.restore(tiny()) == 4


def test_described():
    assert described(tiny()) == described(tiny()) == json.loads(json.dumps(described(tiny())))
    assert described(tiny())["class"] == "DCGAN"
    others = [described(tiny(**options)) for options in ({"latent_size": 3}, {"width": 3}, {"average_momentum": 0.5})]
    assert len({json.dumps(other) for other in [*others, described(tiny())]}) == 4
    assert described(tiny(name="another")) == described(tiny())


# --- when they are saved ----------------------------------------------------------------------------------------------


class Say(keras.callbacks.Callback):
    """Send signals to this process at a step."""

    def __init__(self, step, *signals):
        super().__init__()
        self.step, self.signals = step, signals

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) == self.step:
            for number in self.signals:
                os.kill(os.getpid(), number)


def test_every_so_many_steps_and_at_the_end_of_an_epoch(tmp_path):
    saver = SaveCheckpoints(Checkpoints(tmp_path, keep=100), every=4)
    tiny().fit(pictures(), batch_size=4, epochs=2, verbose=0, callbacks=[saver])
    assert saver.checkpoints.steps() == [4, 6, 8, 12] and saver.interrupted is None


def test_the_last_step_of_an_epoch_is_saved_after_what_validation_found(tmp_path):
    """Or who is killed in between would go on with the next epoch, and this one would never have been measured."""
    saver = SaveCheckpoints(Checkpoints(tmp_path, keep=100), every=3)
    there = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append((int(saver.model.step), saver.checkpoints.steps()[-1]))
    )
    seen = []
    tiny().fit(pictures(), batch_size=4, epochs=2, verbose=0, callbacks=[there, saver])
    assert seen == [(6, 3), (12, 9)] and saver.checkpoints.steps() == [3, 6, 9, 12]


def test_every_so_many_steps_where_a_call_takes_several(tmp_path):
    """Calls of 3 steps that pass by the multiples of 4: saved after 6 for the 4th, after 9 for the 8th."""
    model = tiny()
    model.compile(steps_per_execution=3)
    saver = SaveCheckpoints(Checkpoints(tmp_path, keep=100), every=4)
    model.fit(pictures(36), batch_size=3, verbose=0, callbacks=[saver])
    assert saver.checkpoints.steps() == [6, 9, 12] and saver.whole_periods() == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_ends_the_training(tmp_path, number):
    before = signal.getsignal(number)
    saver, model = SaveCheckpoints(Checkpoints(tmp_path)), tiny()
    model.fit(pictures(), batch_size=4, epochs=3, verbose=0, callbacks=[Say(2, number), saver])
    assert saver.interrupted == number and saver.checkpoints.steps() == [2] and int(model.step) == 2
    assert signal.getsignal(number) is before
    again = tiny()
    assert Checkpoints(tmp_path).restore(again) == 2 and differ(values(again), values(model)) == []


def test_a_second_signal_ends_it_at_once(tmp_path):
    saver, model = SaveCheckpoints(Checkpoints(tmp_path)), tiny()
    with pytest.raises(KeyboardInterrupt):
        model.fit(pictures(), batch_size=4, verbose=0, callbacks=[Say(2, signal.SIGINT, signal.SIGINT), saver])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_signals_are_given_back(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    saver = SaveCheckpoints(Checkpoints(tmp_path))
    saver.set_model(tiny())
    saver.on_train_begin()
    assert signal.getsignal(signal.SIGTERM) == saver.interrupt != before[1]
    saver.restore_handlers()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
