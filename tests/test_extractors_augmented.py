"""What the training images of an extractor go through: small changes, in training alone, that XLA compiles."""

import keras
import numpy as np
import pytest

from kerasgan import extractors


@pytest.fixture(scope="module")
def eye():
    """A classifier whose logits are the image."""
    inputs = keras.Input((6, 8, 1))
    return keras.Model(inputs, keras.layers.Reshape((6, 8))(inputs))


def test_augmented_moves_and_turns_in_training_alone(eye):
    options = {"rotation": 10, "shift": 2}
    learner = extractors.augmented(eye, options, seed=0)
    images = np.full((32, 6, 8, 1), 255, "uint8")
    np.testing.assert_array_equal(learner.predict_on_batch(images), 1)
    seen = keras.ops.convert_to_numpy(learner(images, training=True))
    assert seen.shape == (32, 6, 8) and seen.max() == pytest.approx(1) and seen.min() == pytest.approx(-1)
    assert len({image.tobytes() for image in seen}) > 16, "each image is moved in its own way"
    again = keras.ops.convert_to_numpy(extractors.augmented(eye, options, seed=0)(images, training=True))
    np.testing.assert_array_equal(seen, again)


def test_augmented_shifts_by_at_most_the_pixels_that_it_is_told(eye):
    """White images: black comes in from the sides, at most two rows and two columns of it."""
    learner = extractors.augmented(eye, {"shift": 2}, seed=3)
    seen = keras.ops.convert_to_numpy(learner(np.full((200, 6, 8, 1), 255, "uint8"), training=True))
    rows, columns = 6 - (seen.max(2) > 0.99).sum(1), 8 - (seen.max(1) > 0.99).sum(1)
    assert rows.max() == columns.max() == 2 and len(set(rows)) > 1 and len(set(columns)) > 1


def test_augmented_shifts_by_whole_pixels_where_it_does_not_turn(eye):
    """Every level that comes out went in: nothing is interpolated. With rotations it is."""
    images = np.random.default_rng(0).choice([0, 85, 255], (64, 6, 8, 1)).astype("uint8")
    moved, turned = (
        keras.ops.convert_to_numpy(extractors.augmented(eye, options, seed=0)(images, training=True))
        for options in ({"shift": 2}, {"shift": 2, "rotation": 10})
    )
    known = np.abs(moved[..., None] - np.array([0, 85, 255]) / 127.5 + 1).min(-1)
    assert known.max() < 1e-5 and not np.allclose(moved, images[..., 0] / 127.5 - 1)
    assert np.abs(turned[..., None] - np.array([0, 85, 255]) / 127.5 + 1).min(-1).max() > 0.1


def test_augmented_mirrors_half_of_the_images_if_it_is_told_to(eye):
    """Left for right, whole, and never upside down."""
    images = np.random.default_rng(0).integers(0, 256, (64, 6, 8, 1)).astype("uint8")
    plain = images[..., 0] / 127.5 - 1
    seen = keras.ops.convert_to_numpy(extractors.augmented(eye, {"flip": True}, seed=0)(images, training=True))
    kept, mirrored = (np.abs(seen - x).max((1, 2)) < 1e-5 for x in (plain, plain[:, :, ::-1]))
    assert (kept ^ mirrored).all() and 20 <= mirrored.sum() <= 44
    assert len(extractors.augmented(eye, {"flip": False}, seed=0).layers) == 2


def test_augmented_hides_a_square_if_it_is_told_to(eye):
    """Of mid-grey, at most 2 x 2 of white images, and less where it lies over the edge."""
    learner = extractors.augmented(eye, {"cutout": 2}, seed=0)
    seen = keras.ops.convert_to_numpy(learner(np.full((200, 6, 8, 1), 255, "uint8"), training=True))
    hidden = np.abs(seen) < 1e-5
    assert ((seen > 0.99) | hidden).all() and set(hidden.sum((1, 2))) == {1, 2, 4}


def test_in_training():
    layer = extractors.InTraining(lambda images, seed: images + keras.random.uniform((), seed=seed), seed=0)
    images = np.random.default_rng(0).uniform(-1, 1, (8, 6, 8, 3)).astype("float32")
    np.testing.assert_array_equal(layer(images), images)
    assert not np.array_equal(layer(images, training=True), images)


def test_a_training_step_without_rotations_compiles(eye):
    """By Keras' own choice: every layer says that XLA can."""
    learner = extractors.augmented(eye, {"shift": 2, "flip": True}, seed=0)
    assert all(layer.supports_jit for layer in learner.layers)
    assert not all(layer.supports_jit for layer in extractors.augmented(eye, {"rotation": 2}, seed=0).layers)


def test_augmented_without_options_is_the_classifier(eye):
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 8, 1)).astype("uint8")
    seen = keras.ops.convert_to_numpy(extractors.augmented(eye, {}, seed=0)(images, training=True))
    np.testing.assert_allclose(seen, images[..., 0] / 127.5 - 1, atol=1e-6)


def test_a_training_starts_from_the_components_of_its_images(tmp_path):
    """What a classifier has to know of images before it learns, `prepared` shows it."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(60, 200, (40, 16, 16, 1)).astype("uint8"), np.arange(40) % 2
    np.savez(tmp_path / "images.npz", images=images, labels=labels)
    source = str(tmp_path / "images.npz")
    optimizer = {"name": "adam", "learning_rate": 0.01}
    recipe = {
        "model": {"variant": "convnet", "image_shape": [16, 16, 1], "classes": 2},
        "compile": {"optimizer": optimizer}, "augment": {}, "training": {"epochs": 1, "batch_size": 8},
        "data": {split: source for split in ("train", "validation", "test")},
    }  # fmt: skip
    learner, *_ = extractors.prepared(recipe)
    whitening = learner.classifier.get_layer("features").network.get_layer("whitening")
    whitened = keras.ops.convert_to_numpy(whitening(images / 127.5 - 1))
    np.testing.assert_allclose(whitened.std((0, 1, 2)), 1, atol=0.05)
