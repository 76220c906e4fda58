"""Parzen windows against the definition, closed forms, and the published script's value for real digits."""

import numpy as np
import pytest

from kerasgan import data
from kerasgan.metrics import parzen
from kerasgan.metrics.parzen import Likelihood, log_densities, multiscale_likelihood, parzen_likelihood, split

rng = np.random.default_rng


def gaussian(seed, n=40, d=6):
    return rng(seed).normal(size=(n, d))


def digits(seed, n=12):
    return rng(seed).integers(0, 256, (n, 8, 8, 1)).astype("uint8")


def normal(x, mean, sigma):
    """log N(x; mean, sigma^2), summed over all dimensions but the first."""
    density = -0.5 * ((x - mean) / sigma) ** 2 - np.log(sigma * np.sqrt(2 * np.pi))
    return density.reshape(len(x), -1).sum(axis=1)


def by_definition(points, samples, sigma):
    return np.array([np.log(np.mean(np.exp(normal(samples, x, sigma)))) for x in points])


# --- one window -------------------------------------------------------------------------------------------------------


def test_by_definition():
    """The sigma that the validation set likes best, then the mean, its standard error and the deviation."""
    real, fake, validation = gaussian(1), gaussian(2, 30), gaussian(3, 20)
    sigmas = [0.3, 0.6, 1.2]
    tried = [by_definition(validation, fake, sigma).mean() for sigma in sigmas]
    sigma = sigmas[int(np.argmax(tried))]
    expected = by_definition(real, fake, sigma)
    found = parzen_likelihood(real, fake, validation, sigmas)
    wanted = Likelihood(expected.mean(), expected.std() / np.sqrt(40), expected.std(), sigma)
    assert found == pytest.approx(wanted, rel=1e-12)


def test_a_single_sample_is_a_normal_distribution():
    real, fake = gaussian(1), gaussian(2, 1)
    np.testing.assert_allclose(log_densities(real, fake, [0.7])[0], normal(real, fake, 0.7), rtol=1e-12)


def test_a_density_integrates_to_one():
    x = np.linspace(-9, 9, 4001)[:, None]
    for row in log_densities(x, gaussian(1, 50, 1), [0.1, 1.0]):
        assert np.trapezoid(np.exp(row), x[:, 0]) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("rows", [1, 7, 500])
def test_blocks_change_nothing(rows, monkeypatch):
    real, fake, validation = gaussian(1, 50), gaussian(2, 31), gaussian(3, 23)
    expected = parzen_likelihood(real, fake, validation)
    monkeypatch.setattr(parzen, "BLOCK", rows * 31)
    assert parzen_likelihood(real, fake, validation) == pytest.approx(expected, rel=1e-9)


def test_far_from_the_origin_and_far_from_the_samples():
    """Distances come from products, and exp(-|x|^2) of distant points is 0 in float64: neither may be seen."""
    real, fake, validation = gaussian(1), gaussian(2), gaussian(3)
    near = parzen_likelihood(real, fake, validation)
    moved = parzen_likelihood(real + 1e4, fake + 1e4, validation + 1e4)
    assert moved == pytest.approx(near, rel=1e-6)
    np.testing.assert_allclose(log_densities(real + 100, fake[:1], [0.1])[0], normal(real + 100, fake[:1], 0.1))


def test_units_are_part_of_the_number():
    """Twice the values at twice the sigma: d log 2 nats less."""
    real, fake, validation = gaussian(1), gaussian(2), gaussian(3)
    one, two = (parzen_likelihood(s * real, s * fake, s * validation, s * parzen.SIGMAS) for s in (1, 2))
    assert two.mean == pytest.approx(one.mean - 6 * np.log(2), rel=1e-12)
    assert two.sigma == 2 * one.sigma


def test_images_are_pixels_between_0_and_1():
    images = digits(1), digits(2), digits(3)
    expected = parzen_likelihood(*(x.reshape(12, -1) / 255 for x in images))
    assert parzen_likelihood(*images) == pytest.approx(expected, rel=1e-12)
    assert parzen_likelihood(images[0], images[1] / 127.5 - 1, images[2]) == pytest.approx(expected, rel=1e-5)
    assert parzen_likelihood(*(x[..., 0] for x in images)) == pytest.approx(expected, rel=1e-12)  # one channel


def test_sigma_is_chosen_on_the_first_thousand():
    real, fake = gaussian(1, d=1), gaussian(2, 200, 1)
    near, far = gaussian(3, 1000, 1), gaussian(4, 1000, 1) + 50
    first = parzen_likelihood(real, fake, np.vstack([near, far]))
    assert first == parzen_likelihood(real, fake, near)
    assert parzen_likelihood(real, fake, np.vstack([far, near])).sigma == 1  # the widest, for what is far


def test_the_grid_of_the_published_script():
    np.testing.assert_allclose(parzen.SIGMAS[[0, 1, 2, -1]], [0.1, 0.129155, 0.16681, 1], rtol=1e-5)
    assert len(parzen.SIGMAS) == 10


def test_what_is_told_of_log_densities():
    assert parzen.likelihood(np.array([1.0, 1, 5, 5]), 0.3) == Likelihood(3, 1, 2, 0.3)


def test_pathologies():
    """Copies of a sample add nothing; a collapsed cloud is far less likely than a spread one."""
    real, fake, validation = gaussian(1, 300, 2), gaussian(2, 300, 2), gaussian(3, 300, 2)
    spread = parzen_likelihood(real, fake, validation)
    assert parzen_likelihood(real, np.repeat(fake, 3, axis=0), validation) == pytest.approx(spread, rel=1e-9)
    assert parzen_likelihood(real, 0 * fake + 2, validation).mean < spread.mean - 1
    assert parzen_likelihood(real, fake, validation) != parzen_likelihood(fake, real, validation)


def test_refused():
    x = gaussian(1)
    with pytest.raises(ValueError, match=r"'fake': \(40, 5\).*images of one size, or vectors of one length"):
        parzen_likelihood(x, x[:, 1:], x)
    with pytest.raises(ValueError, match=r"\(12, 8, 8, 1\).*\(12, 8, 7, 1\)"):
        parzen_likelihood(digits(1), digits(1)[:, :, :7], digits(1))
    with pytest.raises(ValueError, match=r"'validation': \(0, 6\).*at least one"):
        parzen_likelihood(x, x, x[:0])
    with pytest.raises(ValueError, match=r"saw values in \[0, .*2 \* x - 1"):
        parzen_likelihood(digits(1), digits(2) / 255, digits(3))
    with pytest.raises(ValueError, match="2 of 40 fake vectors hold NaN"):
        parzen_likelihood(x, np.where(np.arange(40)[:, None] < 2, np.nan, x), x)
    for sigmas in ([], [0.1, 0], [np.inf]):
        for refusing in (parzen.checked_sigmas, lambda sigmas: parzen_likelihood(x, x, x, sigmas)):
            with pytest.raises(ValueError, match="expected numbers above 0"):
                refusing(sigmas)


@pytest.mark.soak
@pytest.mark.real_data
def test_ten_thousand_real_digits():
    """papers.md: 242.6 +- 2.1 at sigma .167 for one choice of 10,000 training images."""
    train, test = (data.from_tfds("mnist", split, batch_size=1).images for split in ("train", "test"))
    found = parzen_likelihood(test, train[:10_000], train[50_000:])
    assert found.mean == pytest.approx(242.6, abs=2.1)
    assert found.error == pytest.approx(2.1, abs=0.05)
    assert found.sigma == parzen.SIGMAS[2]


# --- a window a scale -------------------------------------------------------------------------------------------------


def pictures(seed, n=5, side=8, channels=2):
    return rng(seed).normal(size=(n, side, side, channels))


def enlarged(low):
    """u(l): each pixel four times."""
    return low.repeat(2, axis=-3).repeat(2, axis=-2)


def test_split_is_a_rotation():
    x, y = pictures(1), pictures(2)
    (low, high), (other_low, other_high) = split(x), split(y)
    assert low.shape == (5, 4, 4, 2) and high.shape == (5, 4, 4, 3, 2)
    np.testing.assert_allclose(low, x.reshape(5, 4, 2, 4, 2, 2).mean(axis=(2, 4)), atol=1e-12)
    assert np.sum(x * y) == pytest.approx(np.sum(4 * low * other_low) + np.sum(high * other_high), rel=1e-9)
    np.testing.assert_allclose(split(enlarged(low))[1], 0, atol=1e-12)  # h is what the means leave


def test_one_sample_a_scale_is_the_normal_distribution_of_the_whole():
    """Then the product over scales is exact: N(x; s, sigma^2) of the image s that the samples are the pyramid of."""
    real, sample = pictures(1), pictures(2, 1)
    middle = split(sample)[0]
    coarse = split(middle)[0]
    fine_residual, middle_residual = sample - enlarged(middle), middle - enlarged(coarse)
    levels = [lambda low: fine_residual, lambda low: middle_residual]
    found = multiscale_likelihood(real, coarse, levels, pictures(3), [0.8])
    expected = normal(real, sample, 0.8)
    assert found[:3] == pytest.approx((expected.mean(), expected.std() / np.sqrt(5), expected.std()), rel=1e-9)
    assert found.sigma == (0.8, 0.8, 0.8)


def test_no_levels_are_one_window():
    real, fake, validation = pictures(1), pictures(2), pictures(3)
    found = multiscale_likelihood(real, fake, [], validation)
    flat = parzen_likelihood(*(x.reshape(5, -1) for x in (real, fake, validation)))
    assert found[:3] == pytest.approx(flat[:3], rel=1e-12) and found.sigma == (flat.sigma,)


def test_samples_are_conditional_on_the_image_itself():
    """A level that knows the residual of each low pass meets every image; each scale chooses its own sigma."""
    real, validation = pictures(1), pictures(3)
    known = {low.tobytes(): x for images in (real, validation) for low, x in zip(split(images)[0], images, strict=True)}
    coarse = np.concatenate([split(x)[0] for x in (real, validation)]) + 10

    def oracle(low):
        return known[low.tobytes()][None]

    found = multiscale_likelihood(real, coarse, [oracle], validation, [0.1, 1.0])
    assert found.sigma == (0.1, 1.0)
    residuals = -96 * np.log(0.1 * np.sqrt(2 * np.pi))  # every h is met: only the normalisation is left
    window = log_densities(*(2 * x.reshape(len(x), -1) for x in (split(real)[0], coarse)), [1.0])
    assert found.mean == pytest.approx(residuals + window.mean(), rel=1e-9)


def test_the_means_of_residuals_are_dropped():
    real, validation, coarse, drawn = pictures(1), pictures(3), pictures(4, 6, 4), pictures(5, 7)
    one = multiscale_likelihood(real, coarse, [lambda low: drawn], validation)
    two = multiscale_likelihood(real, coarse, [lambda low: drawn + enlarged(low)], validation)
    assert two[:3] == pytest.approx(one[:3], rel=1e-9) and two.sigma == one.sigma


def test_refused_pyramids():
    real, coarse = pictures(1), pictures(4, 6, 4)

    def draw(low):
        return pictures(5, 3)

    with pytest.raises(ValueError, match=r"Saw 7 x 8 pixels, which 2 x 2 does not divide"):
        multiscale_likelihood(real[:, 1:], coarse, [draw], real)
    with pytest.raises(ValueError, match=r"gave samples of shape \(4, 4, 2\) for \(4, 4, 2\), expected \(8, 8, 2\)"):
        multiscale_likelihood(real, coarse, [lambda low: low[None]], real)
    with pytest.raises(ValueError, match=r"coarse samples of shape \(4, 4, 1\), but \(4, 4, 2\) is left"):
        multiscale_likelihood(real, coarse[..., :1], [draw], real)
    for broken in (real * np.nan, real[0], real[:0]):
        with pytest.raises(ValueError, match="validation of shape .* finite images"):
            multiscale_likelihood(real, coarse, [draw], broken)
    with pytest.raises(ValueError, match="a level's samples of shape"):
        multiscale_likelihood(real, coarse, [lambda low: low], real)
