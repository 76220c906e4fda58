"""The pieces that the metrics are made of, each by hand or by its definition."""

import keras
import numpy as np
import pytest

from kerasgan.metrics.coverage import balls, in_manifold
from kerasgan.metrics.features import check_shape, clouds
from kerasgan.metrics.frechet import centred_moments, gaussian_distance, moments_of_sums
from kerasgan.metrics.kernel import cubic, mean_off_diagonal, unbiased_mmd

LINE = np.array([[0.0], [1.0], [3.0], [7.0]])


def test_moments_of_samples_and_of_their_sums_are_one():
    x = np.random.default_rng(0).normal(3, 2, (50, 4))
    n, mean, covariance = centred_moments(x)
    assert n == 50
    np.testing.assert_allclose(mean, x.mean(axis=0))
    np.testing.assert_allclose(covariance, np.cov(x.T))
    for seen, expected in zip(moments_of_sums(50, x.sum(axis=0), x.T @ x), (n, mean, covariance), strict=True):
        np.testing.assert_allclose(seen, expected, rtol=1e-9)


def test_gaussian_distance_in_one_dimension():
    """(m_r - m_f)^2 + (s_r - s_f)^2."""
    real, fake = (9, np.array([1.0]), np.array([[4.0]])), (9, np.array([3.0]), np.array([[25.0]]))
    assert gaussian_distance(real, fake) == pytest.approx((1 - 3) ** 2 + (2 - 5) ** 2)
    assert gaussian_distance(real, real) == pytest.approx(0, abs=1e-12)


def test_balls_on_a_line():
    """To the nearest neighbour: radii 1, 1, 2, 4 around 0, 1, 3, 7; closed, so that 5 lies in the last one's too."""
    (inside,) = balls(LINE, np.array([[-1.0], [2.0], [5.0], [20.0]]), k=1)
    expected = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0]]
    np.testing.assert_array_equal(inside, np.array(expected, bool))
    assert in_manifold(LINE, np.array([[-1.0], [2.0], [5.0], [20.0]]), k=1) == 0.75


@pytest.mark.parametrize("k", [0, 4])
def test_balls_need_more_samples_than_neighbours(k):
    with pytest.raises(ValueError, match=f"Saw k={k} with 4 samples"):
        next(balls(LINE, LINE, k))


def test_unbiased_mmd_by_hand():
    """Gretton et al. 2012, eq. 3: the mean over i != j on each side, over all pairs across."""
    real, fake = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0]])

    def k(x, y):
        return (x * y + 1) ** 3

    within = np.mean([k(0, 1), k(0, 2), k(1, 2)]) + k(1, 3)
    across = np.mean([k(x, y) for x in (0, 1, 2) for y in (1, 3)])
    assert unbiased_mmd(real, fake) == pytest.approx(within - 2 * across)
    assert mean_off_diagonal(cubic(real, real)) == pytest.approx(np.mean([k(0, 1), k(0, 2), k(1, 2)]))


def test_check_shape():
    images = keras.Input((None, 8, 1))
    vectors = keras.Model(images, keras.layers.GlobalAveragePooling2D()(images), name="mean")
    check_shape(vectors, (5, 6, 8, 1))
    for shape in ((5, 6, 9, 1), (6, 8, 1), (5, 6, 8, 3)):
        with pytest.raises(ValueError, match="the extractor 'mean' takes"):
            check_shape(vectors, shape)
    with pytest.raises(ValueError, match=r"expected \(batch, d\)"):
        check_shape(keras.Model(images, keras.layers.ReLU()(images)), (5, 6, 8, 1))


def test_clouds_are_float64_and_fit_each_other():
    real, fake = clouds(np.zeros((3, 2), "float32"), np.ones((4, 2), "int32"))
    assert real.dtype == fake.dtype == "float64" and real.shape == (3, 2) and fake.shape == (4, 2)
    for bad, complaint in [
        (np.zeros((3, 3)), "Saw 2 real and 3 fake features a sample"),
        (np.zeros((1, 2)), r"fake features of shape \(1, 2\), expected \(n, d\) with n >= 2"),
        (np.array([[0, 1], [np.nan, 0], [0, np.inf]]), "2 of 3 fake samples hold NaN or infinity"),
    ]:
        with pytest.raises(ValueError, match=complaint):
            clouds(real, bad)
