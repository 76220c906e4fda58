"""What classifiers say of generated images: scores by hand, mode counts, GAN-train and GAN-test, the linear SVM."""

import sys

import keras
import numpy as np
import pytest
from keras import layers

from kerasgan import metrics
from kerasgan.metrics import classifier_score, gan_test, gan_train, linear_svm, mode_count, pooled_activations
from kerasgan.metrics.classified import Machine, Modes, Score, activations, learned, max_pooled, predicted

rng = np.random.default_rng

# --- classifier score ------------------------------------------------------------------------------------------------


def test_score_of_perfect_and_of_poor_samples():
    sure = np.tile(np.eye(5), (20, 1))
    assert classifier_score(sure) == pytest.approx(Score(5, 0))  # zeros count as 0 log 0 = 0
    assert classifier_score(np.full((100, 5), 0.2)) == pytest.approx(Score(1, 0))  # all unclear
    assert classifier_score(sure[:1].repeat(100, axis=0)) == pytest.approx(Score(1, 0))  # collapsed
    assert classifier_score(sure[np.tile([0, 1], 50)]) == pytest.approx(Score(2, 0))  # two of five classes


def test_score_by_definition():
    """Each split alone, with a marginal of its own; the last one takes what does not divide."""
    p = rng(1).dirichlet(np.ones(4), size=23)
    parts = [p[:7], p[7:15], p[15:]]
    scores = [np.exp(np.mean(np.sum(x * (np.log(x) - np.log(x.mean(axis=0))), axis=1))) for x in parts]
    assert classifier_score(p, splits=3) == pytest.approx(Score(np.mean(scores), np.std(scores)), rel=1e-12)


def test_score_refuses_what_is_no_probability():
    p = rng(1).dirichlet(np.ones(4), size=30)
    with pytest.raises(ValueError, match="30 of 30 rows are no probabilities; row 0 .* apply a softmax to logits"):
        classifier_score(np.log(p))
    with pytest.raises(ValueError, match="1 of 30 rows .* row 3 sums to nan"):
        classifier_score(np.where(np.arange(30)[:, None] == 3, np.nan, p))
    for bad, splits in ((p[:9], 10), (p[0], 1), (p, 0)):
        with pytest.raises(ValueError, match="expected \\(n, classes\\)"):
            classifier_score(bad, splits)


# --- modes -----------------------------------------------------------------------------------------------------------


def test_modes_by_hand():
    found = mode_count(np.array([0, 0, 2, 3]), 8)
    expected = 0.5 * np.log(0.5 * 8) + 2 * 0.25 * np.log(0.25 * 8)
    assert isinstance(found, Modes) and found == pytest.approx((3, expected))
    assert mode_count(np.full(9, 7), 8) == pytest.approx((1, np.log(8)))
    assert mode_count(np.arange(8), 8) == pytest.approx((8, 0))


def test_modes_of_a_perfect_generator():
    """26,000 samples of 1,000 modes: all hit, and 0.019 nats."""
    found = mode_count(rng(1).integers(0, 1000, 26_000), 1000)
    assert found.count == 1000 and found.reverse_kl == pytest.approx(999 / 52_000, rel=0.1)


def test_modes_refused():
    with pytest.raises(ValueError, match=r"labels in \[-1, 8\], expected \[0, 7\]: 8 modes"):
        mode_count(np.array([-1, 8]), 8)
    for labels in (np.array([0.5]), np.zeros((2, 2), int), np.zeros(0, int)):
        with pytest.raises(ValueError, match="expected whole numbers"):
            mode_count(labels, 8)


# --- GAN-train and GAN-test ------------------------------------------------------------------------------------------


def squares(seed, n=60, classes=3):
    """Images (uint8) whose bright column is their label."""
    labels = rng(seed).integers(0, classes, n)
    images = rng(seed + 1).integers(0, 60, (n, 4, 3, 1)).astype("uint8")
    images[np.arange(n), :, labels] += 180
    return images, labels


def build():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4, 3, 1)), layers.Flatten(), layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.1), loss)
    return model


class Nearest:
    """A classifier that answers with the nearest image it was taught."""

    def fit(self, x, y, **options):
        self.x, self.y, self.options = x.reshape(len(x), -1), y, options

    def predict_on_batch(self, x):
        pairs = np.sum((np.asarray(x).reshape(len(x), 1, -1) - self.x) ** 2, axis=2)
        return np.eye(3)[self.y[pairs.argmin(axis=1)]]


def test_gan_train_and_gan_test():
    """Fakes that lack a class do not teach it, and are recognised; wrong labels do neither."""
    train, test, (images, labels) = squares(1), squares(11), squares(21)
    two = images[labels < 2], labels[labels < 2]
    wrong = images, (labels + 1) % 3
    assert gan_train(test, (images, labels), Nearest) == gan_test(train, (images / 127.5 - 1, labels), Nearest) == 1
    assert gan_train(test, two, Nearest) == np.mean(test[1] < 2) < 1
    assert gan_test(train, two, Nearest) == 1
    assert gan_train(test, wrong, Nearest) == gan_test(train, wrong, Nearest) == 0


def test_arguments_of_fit():
    """They reach the classifier, which is quiet unless told otherwise; images come as float32 in [-1, 1]."""
    part, kept = squares(1), Nearest()
    assert learned(part, part, lambda: kept, {"epochs": 3}) == 1
    assert kept.options == {"verbose": 0, "epochs": 3}
    np.testing.assert_allclose(kept.x, part[0].reshape(60, -1) / 127.5 - 1, atol=1e-6)
    assert gan_test(part, part, lambda: kept, verbose=2) == 1 and kept.options == {"verbose": 2}


def test_gan_train_with_keras():
    """A fresh classifier for each call, of more images than are looked at together."""
    train, test = squares(1), squares(11, 300)
    taught = gan_train(test, train, build, epochs=15, batch_size=60)
    assert taught == gan_train(test, train, build, epochs=15, batch_size=60) > 0.95
    assert gan_train(test, train, build, epochs=0) < 0.8
    model = build()
    assert predicted(model, test[0]).shape == (300, 3)


def test_gan_train_refused():
    images, labels = squares(1)
    for broken in ((images, labels[1:]), (images, labels * 1.0), (images[:0], labels[:0])):
        with pytest.raises(ValueError, match="give a whole number for each"):
            gan_train((images, labels), broken, build)
    with pytest.raises(ValueError, match=r"\(4, 3, 1\) and \(4, 2, 1\)"):
        gan_test((images, labels), (images[:, :, :2], labels), build)
    with pytest.raises(ValueError, match="2 \\* x - 1"):
        gan_test((images, labels), (images / 255, labels), build)


# --- linear SVM ------------------------------------------------------------------------------------------------------


def described(seed, n=60, d=5, noise=0.3):
    """Features of three classes around corners of their own."""
    labels = rng(seed).integers(0, 3, n)
    return np.eye(d)[labels] * 2 + noise * rng(seed + 1).normal(size=(n, d)), labels


def test_svm_separates_what_can_be():
    pytest.importorskip("sklearn")
    found = linear_svm(described(1), described(11), described(21), grid=(1.0, 0.01))
    assert isinstance(found, Machine) and found.accuracy == 1
    assert list(found.validation) == [0.01, 1.0]
    features, labels = described(21, 600)
    chance = linear_svm(described(1), described(11), (features, rng(5).permutation(labels)), grid=(1.0,))
    assert chance.accuracy == pytest.approx(1 / 3, abs=0.08)


def test_svm_chooses_c_by_validation_alone(monkeypatch):
    """Two features, a small one that tells the classes and a large noisy one: weak machines do not use the former."""
    pytest.importorskip("sklearn")

    def part(seed, n=400):
        labels = rng(seed).integers(0, 2, n)
        return np.stack([0.01 * (2 * labels - 1), rng(seed + 1).normal(size=n)], axis=1), labels

    with pytest.warns(UserWarning, match="C=10000 was best and is an end of the grid: offer more"):
        found = linear_svm(part(1), part(11), part(21), grid=(1e-4, 1e4))
    assert found.c == 1e4 and found.accuracy > 0.95 and found.validation[1e-4] < 0.7
    other_way = part(11)[0], 1 - part(11)[1]
    with pytest.warns(UserWarning, match="C=0.0001 was best"):
        assert linear_svm(part(1), other_way, part(21), grid=(1e-4, 1e4)).c == 1e-4
    monkeypatch.setattr("kerasgan.metrics.classified.warnings.warn", lambda text, **_: pytest.fail(text))  # of no tie
    assert linear_svm(described(1), described(11), described(21), grid=(2.0, 1.0)).c == 1.0  # a tie: the smaller


def test_svm_refused(monkeypatch):
    pytest.importorskip("sklearn")
    good = described(1)
    with pytest.raises(ValueError, match="5 train and 4 test features"):
        linear_svm(good, good, (good[0][:, 1:], good[1]))
    with pytest.raises(ValueError, match=r"validation features \(60, 5\) and labels \(59,\)"):
        linear_svm(good, (good[0], good[1][1:]), good)
    with pytest.raises(ValueError, match="1 of 60 train samples hold NaN"):
        linear_svm((np.where(np.arange(60)[:, None] == 3, np.inf, good[0]), good[1]), good, good)
    for grid, labels in (((), good[1]), ((0, 1), good[1]), ((1,), 0 * good[1])):
        with pytest.raises(ValueError, match="expected C above 0 and at least 2 classes"):
            linear_svm((good[0], labels), good, good, grid)
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    with pytest.raises(ImportError, match=r"pip install 'kerasgan\[metrics\]'"):
        linear_svm(good, good, good)


# --- the discriminator's activations ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def discriminator():
    """Convolutions with everything that may follow one: normalisation, nonlinearity, dropout, pooling."""
    keras.utils.set_random_seed(0)
    images = keras.Input((16, 12, 1))
    x = layers.LeakyReLU(0.2, name="first")(layers.Conv2D(6, 3, padding="same")(images))
    x = layers.MaxPooling2D()(x)
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, strides=2, padding="same")(x))
    x = layers.Dropout(0.5, seed=0, name="second")(layers.LeakyReLU(0.2)(x))
    x = layers.Conv2D(3, 3, activation="relu", name="third")(x)
    return keras.Model(images, layers.Dense(1)(layers.Flatten()(x)), name="judge")


def pictures(seed, n=9):
    return rng(seed).integers(0, 256, (n, 16, 12, 1)).astype("uint8")


def test_activations_are_those_after_the_nonlinearity(discriminator):
    expected = [discriminator.get_layer(name).output for name in ("first", "second", "third")]
    assert [a is b for a, b in zip(activations(discriminator), expected, strict=True)] == [True] * 3


def test_pooling_by_hand():
    maps = np.arange(2 * 5 * 4 * 2, dtype="float32").reshape(2, 5, 4, 2)
    found = max_pooled(maps, 2)
    by_hand = [[maps[:, a:b, c:d].max(axis=(1, 2)) for c, d in ((0, 2), (2, 4))] for a, b in ((0, 2), (2, 5))]
    np.testing.assert_array_equal(found, np.moveaxis(np.array(by_hand), 2, 0))
    np.testing.assert_array_equal(max_pooled(maps, 1)[:, 0, 0], maps.max(axis=(1, 2)))
    assert max_pooled(maps, 6).shape == (2, 5, 4, 2)


def test_pooled_activations_side_by_side(discriminator):
    model = keras.Model(discriminator.inputs, activations(discriminator))
    maps = model.predict(pictures(1) / 127.5 - 1, verbose=0)
    expected = np.hstack([max_pooled(m, 2).reshape(9, -1) for m in maps])
    found = pooled_activations(discriminator, pictures(1), limit=13 * 4)
    assert found.shape == (9, 13 * 2 * 2 - 3 * 2) and found.dtype == np.float32  # the third map is 2 x 1
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("limit", "width"), [(13, 13), (52, 46), (116, 46), (117, 96), (208, 150), (7168, 150)])
def test_the_finest_pooling_within_the_limit(discriminator, limit, width):
    """Maps of 16 x 12, 4 x 3 and 2 x 1 with 6, 4 and 3 channels."""
    assert pooled_activations(discriminator, pictures(1), limit).shape == (9, width)


@pytest.mark.parametrize("batch_size", [1, 7, 500])
def test_batches_change_nothing(discriminator, batch_size):
    expected = pooled_activations(discriminator, pictures(1))
    for images in (pictures(1), pictures(1) / 127.5 - 1):
        found = pooled_activations(discriminator, images, batch_size=batch_size)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_pooled_activations_refused(discriminator):
    with pytest.raises(ValueError, match=r"\(16, 12, 1\)"):
        pooled_activations(discriminator, pictures(1)[:, :12])
    with pytest.raises(ValueError, match="judge has 13 channels, more than limit=12"):
        pooled_activations(discriminator, pictures(1), limit=12)
    plain = keras.Sequential([keras.Input((16, 12, 1)), layers.Flatten(), layers.Dense(1, name="only")], name="plain")
    with pytest.raises(ValueError, match="plain has no Conv2D among its layers"):
        pooled_activations(plain, pictures(1))
    images, labels = keras.Input((16, 12, 1)), keras.Input((16, 12, 1))
    two = keras.Model([images, labels], layers.Conv2D(1, 1)(images + labels), name="two")
    with pytest.raises(ValueError, match="two takes 2 inputs, expected images alone"):
        metrics.pooled_activations(two, pictures(1))
