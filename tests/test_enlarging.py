"""A data set enlarged by a conditional model."""

import pathlib

import numpy as np
import pytest
from goldens import GENERATIVE, cgan, gan

import kerasgan
from kerasgan.enlarging import enlarge
from kerasgan.images import to_float

GOLDEN = GENERATIVE[-1]


@pytest.fixture(scope="module")
def model():
    return cgan()


def test_real_first_then_class_by_class(model):
    images, labels = GOLDEN.images(5), np.array([2, 0, 2, 0, 0], "int64")
    more, theirs = enlarge(images, labels, model, per_class=3, seed=4)
    assert kerasgan.enlarge is enlarge and more.dtype == np.uint8 and theirs.dtype == np.int64
    np.testing.assert_array_equal(more[:5], images)
    assert theirs.tolist() == [2, 0, 2, 0, 0] + [0, 0, 0, 2, 2, 2], "of the classes that the labels name"
    np.testing.assert_array_equal(more[5:], model.generate(labels=[0, 0, 0, 2, 2, 2], seed=4))
    floats = np.asarray(to_float(images))
    again, _ = enlarge(floats, labels, model, per_class=3, seed=4)
    assert again.dtype == np.float32
    np.testing.assert_array_equal(again, np.concatenate([floats, np.asarray(to_float(more[5:]))]))


@pytest.mark.parametrize(
    ("images", "labels", "per_class", "sentence"),
    [
        (GOLDEN.images(3), [0, 1], 2, "Labels are one for each of 3 images; saw shape .2,."),
        (GOLDEN.images(3), [0, 1, 3], 2, "The model has 3 classes, 0 to 2; saw labels 0 to 3"),
        (GOLDEN.images(3), [0.0, 1.0, 2.0], 2, "Labels are integers"),
        (GOLDEN.images(3), [0, 1, 2], 0, "per_class is an integer of at least 1; saw 0"),
        (GOLDEN.images(3)[:, :8], [0, 1, 2], 2, "The model takes images of shape"),
    ],
)
def test_what_is_refused(model, images, labels, per_class, sentence):
    with pytest.raises(ValueError, match=sentence):
        enlarge(images, labels, model, per_class)


def test_a_model_without_classes_is_refused():
    with pytest.raises(ValueError, match="GAN draws no images of a class: take a conditional model, as CGAN"):
        enlarge(GOLDEN.images(3), [0, 1, 2], gan(), 2)
    with pytest.raises(ValueError, match="DCGAN draws no images of a class"):
        enlarge(np.zeros((3, 28, 28, 1), "uint8"), [0, 1, 2], pathlib.Path("zoo", "dcgan_mnist"), 2)
