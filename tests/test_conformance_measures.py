"""What every variant measures, and what it refuses, proved on its golden."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import quick
from goldens import GENERATIVE
from keras import ops

from kerasgan import data


@pytest.fixture(params=quick(GENERATIVE, "GAN", "CGAN"), scope="module")
def golden(request):
    return request.param


def arrays(variables):
    return [ops.convert_to_numpy(v).copy() for v in variables]


# --- measuring --------------------------------------------------------------------------------------------------------


class Brightness(keras.metrics.Mean):
    """The mean brightness of the real images, or of the fake ones."""

    def update_state(self, real, fake):
        return super().update_state(ops.mean({"real": real, "fake": fake}[self.name], axis=(1, 2, 3)))


def test_evaluate(golden):
    """Every image counts, real ones as they are, fake ones anew but the same each time; nothing is learnt."""
    model, images, labels = golden.build(), golden.images(22), golden.labels(22)
    metrics = [Brightness("real"), Brightness("fake")]
    model.compile(metrics=metrics, run_eagerly=True)
    model.fit(images, labels, batch_size=8, verbose=0)
    before, found = arrays(model.weights), []
    for x in (images, images, images / 127.5 - 1, data.from_arrays(images, labels, batch_size=8)):
        y = None if isinstance(x, data.Dataset) else labels
        found.append(model.evaluate(x, y, batch_size=8, verbose=0, return_dict=True))
        assert [int(metric.count) for metric in metrics] == [22, 22]
    assert found[0] == found[1] and found[0]["real"] == pytest.approx(np.mean(images / 127.5 - 1), abs=1e-5)
    assert abs(found[0]["real"] - found[0]["fake"]) > 1e-3
    for values in found[2:]:
        assert values == pytest.approx(found[0], abs=1e-6)
    for old, new in zip(before, arrays(model.weights), strict=True):
        np.testing.assert_array_equal(old, new)


def test_validation_data(golden):
    """Measured after every epoch, from nothing each time."""
    model, images, labels = golden.build(), golden.images(16), golden.labels(16)
    metric = Brightness("real")
    model.compile(metrics=[metric], run_eagerly=True)
    given = images if labels is None else (images, labels)
    history = model.fit(images, labels, batch_size=8, epochs=2, validation_data=given, verbose=0).history
    assert history["val_real"] == [pytest.approx(np.mean(images / 127.5 - 1), abs=1e-5)] * 2 and "real" not in history
    assert int(metric.count) == 16, "every epoch starts from nothing"


@pytest.mark.parametrize(
    "how",
    [
        "2D",
        "dataset",
        "tf.data",
        *(pytest.param(how, marks=pytest.mark.soak) for how in ("range", "pair", "generator")),
    ],
)
def test_validation_data_of_every_kind(golden, how):
    """As `evaluate` takes them: greyscale without its axis, another range; of a Dataset all, with labels or without."""
    model, images, labels = golden.build(), golden.images(12), golden.labels(12)
    grey, metric = images[..., 0], Brightness("real")
    model.compile(metrics=[metric], run_eagerly=True)
    if how == "2D" and golden.image_shape[-1] != 1:
        pytest.skip("these images have colours")
    parts = list(zip(*(np.split(array, 3) for array in golden.data(12)), strict=True))
    x, given, options = {
        "2D": lambda: (images, (grey, labels), {}),
        "range": lambda: (images / 255.0, (images / 255.0, labels), {"value_range": (0, 1)}),
        "dataset": lambda: (images, data.from_arrays(images, np.zeros(12, "int64"), batch_size=8), {}),
        "pair": lambda: (images, (images, labels), {}),
        "tf.data": lambda: (images, data.from_arrays(images, labels, batch_size=4).stream(), {"validation_steps": 3}),
        "generator": lambda: (images, (part for part in parts), {"validation_steps": 3}),
    }[how]()
    history = model.fit(x, labels, batch_size=4, validation_data=given, verbose=0, **options).history
    assert history["val_real"] == [pytest.approx(np.mean(images / 127.5 - 1), abs=1e-5)] and int(metric.count) == 12


def test_validation_data_is_looked_at_before_the_first_step(golden):
    model, images, labels = golden.build(), golden.images(8), golden.labels(8)
    model.compile()
    with pytest.raises(ValueError, match=r"Nothing to measure with: compile\(metrics=\[...\]\) first"):
        model.fit(images, labels, validation_data=(images, labels), verbose=0)
    model.compile(metrics=[Brightness("real")])
    mistakes = {
        r"value_range=\(0, 1\)": (images / 255.0, labels),
        "no use for sample_weight": (images, labels, np.ones(8)),
        "these have no labels" if model.conditional else "no use for labels": images,
    }
    if not model.conditional:
        mistakes["no use for labels"] = (images, np.zeros(8))
    for complaint, given in mistakes.items():
        with pytest.raises(ValueError, match=complaint):
            model.fit(images, labels, validation_data=given, verbose=0)
    assert int(model.step) == 0


def test_nothing_to_measure_with(golden):
    model = golden.build()
    model.compile()
    with pytest.raises(ValueError, match=r"Nothing to measure with: compile\(metrics=\[...\]\) first"):
        model.evaluate(golden.images(8))


# --- refusing ---------------------------------------------------------------------------------------------------------


def test_labels_for_a_model_without_classes(golden):
    model = golden.build()
    model.compile(metrics=[Brightness("real")])
    if model.conditional:
        pytest.skip("this variant has classes")
    with pytest.raises(ValueError, match="is unconditional: generate takes no labels"):
        model.generate(3, labels=[0, 1, 2])
    with pytest.raises(ValueError, match="is unconditional: it has no use for labels; pass images alone"):
        model.fit(golden.images(8), np.zeros(8, "int32"))
    with pytest.raises(ValueError, match="is unconditional: it has no use for labels; pass images alone"):
        model.evaluate(golden.images(8), np.zeros(8, "int32"))


def test_labels_that_are_not_the_classes(golden):
    """Missing, out of range, of another number or type: told before the first step; in a later batch, at its step."""
    model, (images, *labels) = golden.build(), golden.data(8)
    if not model.conditional:
        pytest.skip("this variant has no classes")
    model.compile(metrics=[Brightness("real")])
    (labels,) = labels
    beyond = np.where(np.arange(8) == 5, golden.classes, labels)
    mistakes = {
        "these have no labels. Pass them as well": None,
        f"has {golden.classes} classes, 0 to {golden.classes - 1}; saw labels 0 to {golden.classes}": beyond,
        "saw labels -1 to .* Relabel: classes count from 0": labels - 1,
        "Labels are 8 integers, one for each image; saw .* \\(7,\\)": labels[:7],
        "Labels are integers in .* saw float64": labels / 1.0,
    }
    for complaint, given in mistakes.items():
        for look in (model.fit, model.evaluate):
            with pytest.raises(ValueError, match=complaint):
                look(images, given, verbose=0)
    with pytest.raises(ValueError, match="these have no labels"):
        model.fit(data.from_arrays(images, batch_size=8), verbose=0)
    with pytest.raises(ValueError, match="these have no labels"):
        model.fit(data.from_arrays(images, batch_size=8).stream(), steps_per_epoch=1, verbose=0)
    streams = {
        f"saw labels 0 to {golden.classes}": beyond,
        r"saw int32 \(8, 1\)": labels[:, None].astype("int32"),
        "saw float64": labels / 1.0,
        r"one label for each image; saw 8 images and labels \(7,\)": labels[:7],
    }
    for complaint, given in streams.items():
        stream = tf.data.Dataset.from_tensors((images, given))
        for look in (model.fit, model.evaluate):
            with pytest.raises(ValueError, match=complaint):
                look(stream, verbose=0)
    with pytest.raises(ValueError, match="these have no labels"):
        model.fit(tf.data.Dataset.from_tensor_slices(images).batch(8), verbose=0)
    assert int(model.step) == 0
    later = tf.data.Dataset.from_tensor_slices((images, np.sort(beyond))).batch(4)  # nobody looks at its second batch
    with pytest.raises(
        FloatingPointError, match=f"became nan at .* look for labels that are not in 0 to {beyond.max() - 1}"
    ):
        model.fit(later, verbose=0)
    model.compile(metrics=[Brightness("fake")])
    assert np.isnan(model.evaluate(later, verbose=0))
    for given, complaint in {
        (): "a list of at least one",
        (0, 1): "a list of n = 3",
        (golden.classes,) * 3: "saw labels",
    }.items():
        with pytest.raises(ValueError, match=complaint):
            model.generate(3 if given else None, labels=list(given))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda x: x / 255.0, r"lie in \[-1, 1\]; saw values in \[0.07843, 0.902\]: pass uint8.*value_range=\(0, 1\)"),
        (lambda x: x.astype("float32"), r"saw values in \[20, 230\]: pass uint8, or value_range"),
        (lambda x: x.astype("int32"), "uint8, or floats in .*; saw int32: pass images.astype"),
        (lambda x: np.where(x > 100, np.nan, 0.5), "are NaN or infinite"),
        (lambda x: x[:, :-1], "The model takes images of shape .*: resize them"),
        (lambda x: x[0, 0], "Images have shape"),
        (lambda x: np.concatenate([x, x], axis=-1), "1, 3 or 4 channels"),
    ],
    ids=["[0, 1]", "[0, 255]", "int32", "NaN", "shape", "2D", "channels"],
)
def test_images_that_break_the_contract(golden, change, complaint):
    model, before = golden.build(), None
    model.compile(metrics=[Brightness("real")])
    before = arrays(model.weights)
    for look in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=complaint):
            look(change(golden.images(8)), golden.labels(8), verbose=0)
    for old, new in zip(before, arrays(model.weights), strict=True):
        np.testing.assert_array_equal(old, new)


def test_another_range_is_told(golden):
    """Floats in [0, 1] with value_range=(0, 1), and the uint8 images they were made of, train alike."""
    images, start, after = golden.images(8), None, []
    for x, options in ((images, {}), (images / 255.0, {"value_range": (0, 1)})):
        model = golden.build()
        start = start or model.get_weights()
        model.set_weights(start)
        model.compile(*[keras.optimizers.SGD(0.1) for _ in range(2)], run_eagerly=True)
        model.fit(x, golden.labels(8), batch_size=8, verbose=0, **options)
        after.append(arrays(model.weights))
    for mine, other in zip(*after, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-6)


def test_an_unknown_option_tells_the_nearest(golden):
    with pytest.raises(TypeError, match="no argument 'discriminator_step'. Did you mean 'discriminator_steps'?"):
        golden.build().compile(discriminator_step=2)


def test_a_loss_that_becomes_nan(golden):
    """The training stops, names loss and step, and everything is as it was when `fit` began."""
    model, images = golden.build(), golden.data(32)
    model.compile(instance_noise=lambda step: ops.where(step < 3, 0.0, np.nan), run_eagerly=True)
    model.fit(*images, batch_size=16, verbose=0)
    before = arrays(model.state)
    complaint = "discriminator_loss became nan at step 4; the weights are those of step 2, the last good ones"
    with pytest.raises(FloatingPointError, match=complaint):
        model.fit(*images, batch_size=16, epochs=2, verbose=0)
    for old, new in zip(before, arrays(model.state), strict=True):
        np.testing.assert_array_equal(old, new)


def test_is_finite(golden):
    """One NaN or infinity anywhere in what a training needs to go on, an optimizer's moment too, and it is not."""
    model = golden.build()
    model.compile()
    assert model.is_finite()
    floats = [variable for variable in model.state if keras.backend.is_float_dtype(variable.dtype)]
    for variable, wrong in zip([floats[0], floats[-1]], (np.nan, np.inf), strict=True):
        good = arrays([variable])[0]
        bad = good.copy()
        bad.flat[-1] = wrong
        variable.assign(bad)
        assert not model.is_finite()
        variable.assign(good)
    assert model.is_finite()
