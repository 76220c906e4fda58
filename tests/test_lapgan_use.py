"""LAPGAN in use: a pyramid from noise, small images refined, and what it refuses."""

import keras
import numpy as np
import pytest
from goldens import deep_lapgan, in_child

import kerasgan
from kerasgan import LAPGAN
from kerasgan.models import levels
from kerasgan.models.chain import Chain

IMAGES = np.random.default_rng(1).integers(0, 256, (16, 16, 16, 1)).astype("uint8")


def test_generate_return_pyramid():
    model = deep_lapgan()
    assert isinstance(model, Chain)
    every = model.generate(5, seed=2, return_pyramid=True, batch_size=2)
    assert [images.shape for images in every] == [(5, 4, 4, 1), (5, 8, 8, 1), (5, 16, 16, 1)]
    np.testing.assert_array_equal(every[-1], model.generate(5, seed=2))


def test_generate_of_no_class():
    """Where labels were hidden in training; else the class of image i is i mod classes, as everywhere."""
    model = deep_lapgan(label_dropout=0.1)
    assert not model.inputs_of(0, range(4))[1].any() and model.generate(4, seed=0).shape == (4, 16, 16, 1)
    assert model.inputs_of(0, range(4), [2, 1, 0, 2])[1].argmax(1).tolist() == [2, 1, 0, 2]
    assert deep_lapgan().inputs_of(0, range(4))[1].argmax(1).tolist() == [0, 1, 2, 0]
    small = dict(units=[8], discriminator_units=[8], widths=[4], discriminator_widths=[4])
    assert LAPGAN.modern((16, 16, 1), classes=3, **small).label_dropout == 0.1


def chained(batch_size=2):
    """[(size, what `refine` makes of the chain's own small images, not rounded, and the chain itself)]."""
    model, found = deep_lapgan(), []
    for network in (model.level("generator", 0), model.average.get_layer("generator_4")):
        network.set_weights([0.1 * w for w in network.get_weights()])  # small images inside of [-1, 1]
    labels = [0, 1, 2, 0, 1]
    inputs = list(model.inputs_of(2, range(5), labels))
    for size in (4, 8):
        small = keras.Model(model.average.inputs, model.average.get_layer(f"image_{size}").output)
        images = small.predict_on_batch(inputs)
        refined = model.refine(np.clip(images, -1, 1), size, seed=2, labels=labels, batch_size=batch_size)
        found.append((np.abs(images).max(), refined, model.generate(labels=labels, seed=2)))
    return found


@pytest.mark.parametrize("backend", ["tensorflow", pytest.param("torch", marks=[pytest.mark.torch, pytest.mark.soak])])
def test_refine_goes_on_with_the_chain(backend, tmp_path):
    if backend == "torch":
        pytest.importorskip("torch", reason="torch: pip install torch")
    same_here = keras.backend.backend() == backend
    found = chained() if same_here else in_child(chained, folder=tmp_path, KERAS_BACKEND=backend)
    inside = [(refined, whole) for largest, refined, whole in found if largest <= 1]
    assert inside
    for refined, whole in inside:
        assert (np.abs(refined.astype(int) - whole) > 1).mean() < 1e-4


def test_refine_draws_from_its_seed():
    model, thumbnails = deep_lapgan(label_dropout=0.1), IMAGES[:3, :8, :8]
    first, second = (model.refine(thumbnails, seed=seed) for seed in (0, 1))
    assert first.shape == (3, 16, 16, 1)
    assert not np.array_equal(first, second) and np.array_equal(first, model.refine(thumbnails, seed=0))


# --- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "options", "sentence"),
    [
        ((30, 30, 3), {}, r"height 8 k times, k at least 1; \(30, 30, 3\) is no such size: resize to \(32, 32, 3\)"),
        ((8, 8, 3), {}, r"resize to \(16, 16, 3\)"),
        ((23, 23, 3), {}, r"resize to \(16, 16, 3\)"),
        ((25, 25, 3), {}, r"resize to \(32, 32, 3\)"),
        ((46, 46, 3), {}, r"resize to \(32, 32, 3\)"),
        ((50, 50, 3), {}, r"resize to \(64, 64, 3\)"),
        (32, {}, r"image_shape is \(height, width, channels\) with 1, 3 or 4"),
        ((32, 30, 3), {}, r"resize to \(32, 32, 3\)"),
        ((32, 32), {}, r"image_shape is \(height, width, channels\) with 1, 3 or 4"),
        ((32.0, 32, 3), {}, r"image_shape is \(height, width, channels\) with 1, 3 or 4"),
        ((32, 32, 2), {}, r"image_shape is \(height, width, channels\) with 1, 3 or 4"),
        ((32, 32, 3), {"label_dropout": 0.1}, "label_dropout hides labels, and there are no classes"),
        ((32, 32, 3), {"classes": 3, "label_dropout": 1.0}, "label_dropout lies in"),
        ((32, 32, 3), {"widths": [4]}, "widths has one for each level above the smallest, 2; saw"),
        ((32, 32, 3), {"base": 0}, "base is an integer of at least 1"),
        ((32, 32, 3), {"dropout": 1.0}, r"dropout lies in \[0, 1\)"),
        ((32, 32, 3), {"add": "yes"}, "add is True or False"),
    ],
)
def test_sizes_that_make_no_pyramid(shape, options, sentence):
    for make in (LAPGAN, LAPGAN.modern) if options.keys() <= {"base"} else (LAPGAN,):
        with pytest.raises(ValueError, match=sentence):
            make(shape, **options)


def test_rules_that_make_no_sense():
    model = deep_lapgan()
    for rule, sentence in (
        ({"train_levels": [16, 32]}, r"train_levels is a list of some of \[4, 8, 16\], coarse to fine; saw \[16, 32\]"),
        ({"train_levels": []}, "train_levels is a list"),
        ({"train_levels": [16, 4]}, r"coarse to fine; saw \[16, 4\]"),
        ({"train_levels": [8, 8]}, r"coarse to fine; saw \[8, 8\]"),
        ({"train_levels": [[8]]}, r"train_levels is a list of some of \[4, 8, 16\], coarse to fine"),
        ({"generator_optimizer": keras.optimizers.Adam(global_clipnorm=1.0)}, "global_clipnorm is of all gradients"),
        ({"augment": kerasgan.augmentations.DiffAugment()}, 'residuals, which have no "color"'),
        ({"coarse_noise": -1}, r"coarse_noise is a deviation in \[0, 10\)"),
    ):
        with pytest.raises(ValueError, match=sentence):
            model.compile(**rule)
    model.compile(augment=kerasgan.augmentations.DiffAugment("translation", "cutout"))
    with pytest.raises(TypeError, match="no argument 'train_level'. Did you mean 'train_levels'"):
        model.compile(train_level=[8])
    with pytest.raises(TypeError, match="no argument 'penality'. Did you mean 'penalty'"):
        model.compile(penality=None)


def test_levels_out_of_order():
    shapes = levels.shapes_of((16, 16, 1), 4)
    own = [deep_lapgan(classes=None).level("generator", i) for i in range(3)]
    for some in (own[::-1], own[:2]):
        with pytest.raises(ValueError, match="Levels come coarse to fine, one for each of"):
            levels.chain(some, shapes, 4)


def test_refine_refuses():
    model = deep_lapgan()
    with pytest.raises(ValueError, match=r"saw \(8, 8, 1\), of \(n, height, width, channels\), with"):
        model.refine(IMAGES[0, :8, :8])
    with pytest.raises(ValueError, match="refine takes images, at least one; saw none"):
        model.refine(IMAGES[:0, :8, :8])
    for images, level in ((IMAGES, None), (IMAGES[:, :8, :4], None), (IMAGES[:, :8, :8], 4)):
        with pytest.raises(ValueError, match=r"refine takes images of \(4, 4, 1\) or \(8, 8, 1\); saw"):
            model.refine(images, level)
    with pytest.raises(ValueError, match="always draws of a class: refine needs labels, one for each of 16"):
        model.refine(IMAGES[:, :8, :8])
    with pytest.raises(ValueError, match="labels are a list of n = 16"):
        model.refine(IMAGES[:, :8, :8], labels=[1, 2])
