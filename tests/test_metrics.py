"""The metrics against closed forms, reference formulas and pathologies whose verdict is known."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasgan import metrics
from kerasgan.metrics import density_coverage, frechet_distance, precision_recall
from kerasgan.metrics.coverage import squared_distances
from kerasgan.models import classifiers

rng = np.random.default_rng


def gaussian(seed, n=400, d=8):
    return rng(seed).normal(size=(n, d))


def sums(x):
    return len(x), x.sum(axis=0), x.T @ x


def with_moments(x, mean, covariance):
    """The samples moved so that their mean and covariance are exactly these."""
    x = x - x.mean(axis=0)
    white = np.linalg.solve(np.linalg.cholesky(np.cov(x.T)), x.T).T
    return white @ np.linalg.cholesky(covariance).T + mean


def digits(seed, n=64, dtype="uint8"):
    images = rng(seed).integers(0, 256, (n, 12, 12, 1)).astype("uint8")
    return images if dtype == "uint8" else images.astype("float32") / 127.5 - 1


@pytest.fixture(scope="module")
def extractor():
    """Four linear features of 12 x 12 images: small, and never dead."""
    keras.utils.set_random_seed(0)
    images = keras.Input((12, 12, 1))
    return keras.Model(images, layers.Dense(4)(layers.Flatten()(layers.AveragePooling2D(3)(images))), name="linear")


# --- Frechet distance ------------------------------------------------------------------------------------------------


def test_frechet_closed_form():
    """Commuting covariances: |m_r - m_f|^2 + sum (s_r - s_f)^2 of the standard deviations."""
    mean_real, mean_fake, s_real, s_fake = rng(0).uniform(0.5, 2, (4, 8))
    real = with_moments(gaussian(1), mean_real, np.diag(s_real**2))
    fake = with_moments(gaussian(2), mean_fake, np.diag(s_fake**2))
    expected = np.sum((mean_real - mean_fake) ** 2) + np.sum((s_real - s_fake) ** 2)
    assert frechet_distance(real, fake) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_frechet_equals_the_matrix_square_root(scale):
    linalg = pytest.importorskip("scipy.linalg")
    real = gaussian(1, d=32) @ gaussian(3, 32, 32) * scale
    fake = gaussian(2, d=32) @ gaussian(4, 32, 32) * scale + scale
    cov_real, cov_fake = np.cov(real.T), np.cov(fake.T)
    crossed = np.trace(linalg.sqrtm(cov_real @ cov_fake)).real
    shift = np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2)
    expected = shift + np.trace(cov_real) + np.trace(cov_fake) - 2 * crossed
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-6)


def test_frechet_of_a_shifted_copy_is_the_squared_shift():
    real = gaussian(1)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(real, real + 3) == pytest.approx(9 * 8, rel=1e-12)


def test_frechet_is_symmetric_and_stands_dead_features():
    real, fake = gaussian(1), 2 * gaussian(2)
    assert frechet_distance(real, fake) == pytest.approx(frechet_distance(fake, real), rel=1e-12)
    dead = np.zeros((400, 3))
    with_dead = frechet_distance(np.hstack([real, dead]), np.hstack([fake, dead]))
    assert with_dead == pytest.approx(frechet_distance(real, fake), rel=1e-9)


def test_frechet_from_moments_adds_up():
    real, fake = gaussian(1) + 5, 2 * gaussian(2)
    parts = [sums(part) for part in np.split(real, [1, 8, 200])]
    added = tuple(sum(column) for column in zip(*parts, strict=True))
    assert metrics.frechet_from_moments(added, sums(fake)) == pytest.approx(frechet_distance(real, fake), rel=1e-9)


def test_frechet_refuses_fewer_samples_than_dimensions():
    with pytest.raises(ValueError, match="more than 8 samples on each side; saw 8 real and 400 fake"):
        frechet_distance(gaussian(1, n=8), gaussian(2))
    with pytest.raises(ValueError, match="saw 400 real and 0 fake"):
        metrics.frechet_from_moments(sums(gaussian(1)), (0, np.zeros(8), np.zeros((8, 8))))
    with pytest.raises(ValueError, match="8 real and 9 fake features"):
        metrics.frechet_from_moments(sums(gaussian(1)), sums(gaussian(2, d=9)))


# --- density, coverage, precision, recall ----------------------------------------------------------------------------


def by_definition(centres, points, k):
    """Which point lies in which centre's ball, one pair at a time."""
    own = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    radii = np.sort(own, axis=1)[:, k]
    return np.linalg.norm(centres[:, None] - points[None], axis=-1) <= radii[:, None]


def test_neighbourhoods_by_definition(monkeypatch):
    monkeypatch.setattr("kerasgan.metrics.coverage.BLOCK", 7 * 150)  # several blocks, the last one smaller
    real, fake = gaussian(1, 120, 3), gaussian(2, 150, 3) * 0.7
    inside, inside_fake = by_definition(real, fake, 5), by_definition(real, fake, 3)
    assert density_coverage(real, fake) == pytest.approx((inside.sum() / (5 * 150), inside.any(axis=1).mean()))
    recall = by_definition(fake, real, 3).any(axis=0).mean()
    assert precision_recall(real, fake) == pytest.approx((inside_fake.any(axis=0).mean(), recall))


def test_distances_of_equal_samples_are_exactly_zero():
    x = gaussian(1, 300, 64) + 100
    assert np.all(np.diag(squared_distances(x, x.copy())) == 0)


def test_two_halves_of_one_set():
    real, fake = np.split(gaussian(1, 4000, 16), 2)
    density, coverage = density_coverage(real, fake)
    assert density == pytest.approx(1, abs=0.05) and coverage == pytest.approx(1 - 2**-5, abs=0.015)
    precision, recall = precision_recall(real, fake)
    assert precision == pytest.approx(recall, abs=0.03)


def test_a_collapsed_cloud_is_precise_and_covers_nothing():
    real = gaussian(1, 1000)
    collapsed = real[:1] + 1e-3 * gaussian(2, 1000)
    precision, recall = precision_recall(real, collapsed)
    assert precision > 0.99 and recall < 0.01
    assert density_coverage(real, collapsed)[1] < 0.05


def test_a_cloud_far_away_scores_nothing():
    real = gaussian(1, 500)
    assert precision_recall(real, real + 100) == (0, 0)
    assert density_coverage(real, real + 100) == (0, 0)


def test_duplicates_cover_themselves():
    """Balls are closed: copies of a sample have radius 0 and still hold each other."""
    real = np.repeat(gaussian(1, 50), 10, axis=0)
    assert precision_recall(real, real) == (1, 1)
    assert density_coverage(real, real)[1] == 1


def test_real_comes_first():
    real, narrow = gaussian(1, 1000), 0.3 * gaussian(2, 1000)
    precision, recall = precision_recall(real, narrow)
    assert precision > 0.95 and recall < 0.5
    assert precision_recall(narrow, real) == (recall, precision)
    assert density_coverage(real, narrow)[0] > 1 > density_coverage(narrow, real)[0]


# --- kernel distance -------------------------------------------------------------------------------------------------


def test_kernel_distance_by_definition():
    real, fake = gaussian(1, 20, 3), gaussian(2, 20, 3) + 1

    def k(x, y):
        return (x @ y / 3 + 1) ** 3

    within = [k(x[i], x[j]) for x in (real, fake) for i in range(20) for j in range(20) if i != j]
    expected = sum(within) / (20 * 19) - 2 * np.mean([k(x, y) for x in real for y in fake])
    estimates = metrics.kernel_distances(real, fake, subsets=3, subset_size=20)  # the whole set, in three orders
    np.testing.assert_allclose(estimates, expected, rtol=1e-12)


def test_kernel_distance_is_unbiased_and_seeded():
    real, fake = np.split(gaussian(1, 4000), 2)
    estimates = metrics.kernel_distances(real, fake, subset_size=200)
    assert abs(estimates.mean()) < estimates.std()  # a biased one would be above 0 by several deviations
    assert metrics.kernel_distance(real, fake, subset_size=200) == estimates.mean()
    assert metrics.kernel_distance(real, fake, subset_size=200, seed=1) != estimates.mean()
    assert metrics.kernel_distance(real, fake + 1, subset_size=200) > 10 * estimates.std()


# --- features, and what every metric refuses -------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 500])
def test_features_do_not_depend_on_the_batch_size(extractor, batch_size):
    expected = ops.convert_to_numpy(extractor(digits(1, dtype="float")))
    for dtype in ("uint8", "float"):
        found = metrics.features(extractor, digits(1, dtype=dtype), batch_size)
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_features_refuse_other_images(extractor):
    for images in (digits(1)[:, :-1], digits(1)[..., 0], np.repeat(digits(1), 3, axis=-1)):
        with pytest.raises(ValueError) as error:
            metrics.features(extractor, images)
        assert str(images.shape) in str(error.value) and "(None, 12, 12, 1)" in str(error.value)
    with pytest.raises(ValueError, match="0 images"):
        metrics.features(extractor, digits(1)[:0])
    for images in (digits(1, dtype="float") * np.nan, digits(1).astype("float32") / 255):
        with pytest.raises(ValueError):
            metrics.features(extractor, images)


def test_fingerprint_tells_weights_apart(extractor):
    other = keras.models.clone_model(extractor)
    assert metrics.fingerprint(other) != metrics.fingerprint(extractor)
    other.set_weights(extractor.get_weights())
    assert metrics.fingerprint(other) == metrics.fingerprint(extractor)


@pytest.mark.parametrize("metric", [frechet_distance, density_coverage, precision_recall, metrics.kernel_distances])
def test_refused_features(metric):
    x, broken = gaussian(1), gaussian(2)
    broken[3, 0], broken[5, 1] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"real features of shape \(1, 8\).*n >= 2"):
        metric(x[:1], x)
    with pytest.raises(ValueError, match=r"fake features of shape \(400,\)"):
        metric(x, x[:, 0])
    with pytest.raises(ValueError, match="2 of 400 fake samples hold NaN"):
        metric(x, broken)
    with pytest.raises(ValueError, match="8 real and 7 fake features"):
        metric(x, x[:, 1:])


def test_refused_options():
    x = gaussian(1, 100)
    for k in (0, 100):
        with pytest.raises(ValueError, match=f"k={k} with 100 samples"):
            density_coverage(x, x, k=k)
    with pytest.raises(ValueError, match="subset_size=1000 with 100 real"):
        metrics.kernel_distance(x, x)
    with pytest.raises(ValueError, match="subsets=0"):
        metrics.kernel_distance(x, x, subsets=0, subset_size=50)


def test_lenet_measures_images():
    """From images to a number, as a zoo entry will: 128 features of 200 images."""
    classifier = classifiers.lenet(image_shape=(12, 12, 1))
    extract = classifiers.extractor(classifier)
    real, fake = (metrics.features(extract, digits(seed, n=200)) for seed in (1, 2))
    assert frechet_distance(real, real) < frechet_distance(real, fake)
