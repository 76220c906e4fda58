"""PSNR and SSIM by hand and by their definitions, in both protocols, and the bicubic rows of the published tables."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from kerasgan import images as pictures
from kerasgan import resampling
from kerasgan.metrics import SRGAN, STANDARD, diversity, ms_ssim, psnr
from kerasgan.metrics.fidelity import (
    Fidelity,
    Protocol,
    Similarity,
    cropped,
    daala_taps,
    fidelity,
    halved,
    levels,
    luma_601,
    luma_709,
    scales_that_fit,
    similarity,
    ssim_daala,
    ssim_wang,
    windowed,
)

rng = np.random.default_rng
C1, C2 = 2.55**2, 7.65**2


def noise(seed, *shape):
    return rng(seed).integers(0, 256, shape).astype("uint8")


def smooth(seed, n=1, side=32, channels=1):
    """Pictures with something at every scale, so that they resemble each other a little."""
    coarse = rng(seed).integers(0, 256, (n, side // 8, side // 8, channels)).astype("uint8")
    return resampling.imresize(coarse, size=(side, side))


# --- parts ------------------------------------------------------------------------------------------------------------


def test_psnr_closed_form():
    x = noise(1, 9, 7).astype("float64")
    assert psnr(x, x + 1) == pytest.approx(20 * np.log10(255))
    assert psnr(x, x + [3, -3, 3, -3, 3, -3, 3]) == pytest.approx(20 * np.log10(255 / 3))
    assert psnr(noise(1, 9, 7), noise(1, 9, 7)) == np.inf
    assert psnr(np.uint8([[0]]), np.uint8([[255]])) == 0  # and not what is left of it modulo 256


def test_luma():
    """Studio range: black 16, white 235; red, green and blue by their coefficients; grey is grey in both."""
    colours = np.uint8([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]])
    np.testing.assert_allclose(luma_601(colours)[0], [16, 235, 81.481, 144.553, 40.966], atol=1e-9)
    np.testing.assert_array_equal(luma_709(colours)[0], [16, 235, 63, 173, 32])
    grey = noise(1, 5, 5, 1)
    for luma in (luma_601, luma_709):
        np.testing.assert_allclose(luma(grey), luma(grey.repeat(3, axis=-1)), atol=1e-12)
        assert luma(grey).shape == (5, 5)


def gaussian_window():
    taps = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    return np.outer(taps, taps) / taps.sum() ** 2


def by_definition(x, y, w):
    """SSIM of one window with weights that sum to 1, and its contrast-structure part."""
    mean_x, mean_y = np.sum(w * x), np.sum(w * y)
    var_x, var_y = np.sum(w * (x - mean_x) ** 2), np.sum(w * (y - mean_y) ** 2)
    structure = (2 * np.sum(w * (x - mean_x) * (y - mean_y)) + C2) / (var_x + var_y + C2)
    return structure * (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1), structure


def test_wang_by_definition():
    """Windows of 11 x 11 that lie inside: 3 x 2 of them in 13 x 12 pixels."""
    x, y = noise(1, 13, 12).astype("float64"), noise(2, 13, 12).astype("float64")
    w = gaussian_window()
    cells = [(slice(i, i + 11), slice(j, j + 11)) for i in range(3) for j in range(2)]
    expected = [by_definition(x[cell], y[cell], w)[0] for cell in cells]
    assert ssim_wang(x, y) == pytest.approx(np.mean(expected), rel=1e-9)


def test_daala_by_definition():
    """Every pixel, the window cut off at the border and its weights made to sum to 1; pixels count by what was left."""
    x, y = noise(1, 40, 25).astype("float64"), noise(2, 40, 25).astype("float64") // 2
    taps = daala_taps(40, 25)
    reach = len(taps) // 2
    assert reach == 0  # sigma .23: the neighbours' taps round to 0
    x, y = (np.tile(plane, (8, 1)) for plane in (x, y))  # 320 rows: sigma 1.875
    taps = daala_taps(320, 25)
    reach, scores, weights = len(taps) // 2, [], []
    for i in range(320):
        for j in range(25):
            top, bottom = max(0, i - reach), min(320, i + reach + 1)
            left, right = max(0, j - reach), min(25, j + reach + 1)
            w = np.outer(taps[top - i + reach : bottom - i + reach], taps[left - j + reach : right - j + reach])
            scores.append(by_definition(x[top:bottom, left:right], y[top:bottom, left:right], w / w.sum())[0])
            weights.append(w.sum())
    assert ssim_daala(x, y) == pytest.approx(np.average(scores, weights=weights), rel=1e-9)


def test_daala_taps():
    """Whole numbers, 256 in all, as wide as the picture is high, and never wider than the picture."""
    by_hand = np.floor(256 / np.sqrt(2 * np.pi * 2.25) * np.exp(-(np.arange(1, 5) ** 2) / 4.5) + 0.5)  # sigma 1.5
    np.testing.assert_array_equal(by_hand, [55, 28, 9, 2])
    np.testing.assert_array_equal(daala_taps(256, 300), [2, 9, 28, 55, 68, 55, 28, 9, 2])
    for height in (8, 100, 512, 3000):
        taps = daala_taps(height, 1000)
        assert taps.sum() == 256 and np.all(taps == taps[::-1])
    assert len(daala_taps(2000, 4)) == 2 * 3 + 1
    assert len(daala_taps(512, 999)) > len(daala_taps(256, 999))


@pytest.mark.parametrize("ssim", [ssim_wang, ssim_daala])
def test_ssim_closed_forms(ssim):
    x = noise(1, 48, 40).astype("float64")
    assert ssim(x, x) == pytest.approx(1, abs=1e-12)
    assert ssim(x, noise(2, 48, 40)) == pytest.approx(ssim(noise(2, 48, 40), x), rel=1e-9)
    assert ssim(x, 255 - x) < 0
    a, b = np.full((48, 40), 50.0), np.full((48, 40), 80.0)
    assert ssim(a, b) == pytest.approx((2 * 50 * 80 + C1) / (50**2 + 80**2 + C1), rel=1e-9)


def test_windowed_is_zero_beyond_the_border():
    np.testing.assert_array_equal(windowed(np.ones((1, 2, 3)), [1, 2, 1])[0], [[9, 12, 9], [9, 12, 9]])


# --- fidelity ---------------------------------------------------------------------------------------------------------


def test_fidelity_is_the_mean_over_cropped_pictures():
    """Pictures of two sizes; what is in the border does not matter; grey counts as red = green = blue."""
    real = [noise(1, 30, 40, 3), noise(2, 33, 24, 1)]
    fake = [noise(3, 30, 40, 3), noise(4, 33, 24, 1)]
    for protocol in (STANDARD, SRGAN):
        assert isinstance(protocol, Protocol)
        planes = [[protocol.luma(x[4:-4, 4:-4]) for x in side] for side in (real, fake)]
        each = [(psnr(x, y), protocol.ssim(x, y)) for x, y in zip(*planes, strict=True)]
        found = fidelity(real, fake, protocol)
        assert isinstance(found, Fidelity) and found == pytest.approx(np.mean(each, axis=0), rel=1e-12)
        framed = [x.copy() for x in fake]
        for x in framed:
            x[:4], x[:, -4:] = 0, 255
        assert fidelity(real, framed, protocol) == found
        assert fidelity(real, framed, protocol, crop=0) != found
    assert fidelity(real, fake) == fidelity(real, fake, STANDARD)
    assert fidelity(real, real) == (np.inf, pytest.approx(1))


def test_the_border_is_left_out():
    real, fake = noise(1, 12, 9, 3), noise(2, 12, 9, 3)
    for whole, part in zip((real, fake), cropped(0, real, fake, 3), strict=True):
        np.testing.assert_array_equal(part, whole[3:9, 3:6])
    for whole, part in zip((real, fake), cropped(0, real, fake, 0), strict=True):
        np.testing.assert_array_equal(part, whole)


def test_fidelity_refused():
    real = noise(1, 2, 30, 30, 3)
    with pytest.raises(ValueError, match="2 real and 1 fake pictures"):
        fidelity(real, real[:1])
    with pytest.raises(ValueError, match="0 real and 0 fake"):
        fidelity([], [])
    with pytest.raises(ValueError, match=r"picture 0 of shape \(30, 30, 3\) real and \(30, 29, 3\) fake"):
        fidelity(real, real[:, :, 1:])
    with pytest.raises(ValueError, match="fake picture 0 of shape .* float64, .* round floats first"):
        fidelity(real, real / 127.5 - 1)
    with pytest.raises(ValueError, match="expected uint8 \\(height, width, 1 or 3\\)"):
        fidelity(real[..., :2], real[..., :2])
    for crop in (15, -1):
        with pytest.raises(ValueError, match=f"crop={crop} of picture 0, 30 x 30"):
            fidelity(real, real, crop=crop)
    with pytest.raises(ValueError, match="10 x 10 pixels, less than SSIM's window of 11 x 11"):
        fidelity(real, real, crop=10)


# --- MS-SSIM ----------------------------------------------------------------------------------------------------------


def test_scales_that_fit():
    sides = [(11, 99), (21, 21), (22, 22), (28, 28), (43, 50), (32, 44), (44, 44), (88, 88), (176, 176), (999, 999)]
    assert [scales_that_fit(*side) for side in sides] == [1, 1, 2, 2, 2, 2, 3, 4, 5, 5]


def test_ms_ssim_by_definition():
    """28 x 28: structure at 28, everything at 14, weights .0448 and .2856 over their sum; the mean over channels."""
    x, y = smooth(1, 3, 28, 3), smooth(2, 3, 28, 3)
    y[:] = (x.astype(int) + y) // 2
    expected = []
    for i in range(3):
        channels = []
        for c in range(3):
            planes = [side[i : i + 1, :, :, c].astype("float64") for side in (x, y)]
            fine = similarity(*planes)[1].mean()
            coarse = similarity(*(p.reshape(1, 14, 2, 14, 2).mean(axis=(2, 4)) for p in planes))[0].mean()
            channels.append(max(fine, 0) ** (0.0448 / 0.3304) * max(coarse, 0) ** (0.2856 / 0.3304))
        expected.append(np.mean(channels))
    np.testing.assert_allclose(ms_ssim(x, y), expected, rtol=1e-9)
    np.testing.assert_array_equal(levels(x / 127.5 - 1), x)
    np.testing.assert_allclose(ms_ssim(x / 127.5 - 1, y), expected, rtol=1e-9)


def test_ms_ssim_with_one_scale_and_with_five():
    x, y = smooth(1, side=16), smooth(2, side=16)
    blend = ((x.astype(int) + y) // 2).astype("uint8")
    assert ms_ssim(x, blend)[0] == pytest.approx(ssim_wang(*(p[0, ..., 0].astype("float64") for p in (x, blend))))
    x = noise(1, 1, 177, 180, 1)
    assert ms_ssim(x, x)[0] == pytest.approx(1, abs=1e-12)
    assert ms_ssim(x, 255 - x)[0] == 0  # a negative structure counts as 0
    quarter, half = (np.clip(x + rng(3).normal(size=x.shape) * s, 0, 255).astype("uint8") for s in (20, 60))
    assert 1 > ms_ssim(x, quarter)[0] > ms_ssim(x, half)[0] > 0


def test_halved_meets_the_last_odd_row_twice():
    found = halved(np.arange(15.0).reshape(1, 3, 5))
    np.testing.assert_allclose(found[0], [[3, 5, 6.5], [10.5, 12.5, 14]])


def test_diversity():
    """Copies are as alike as can be; the number of scales is told; the choice of pairs has a seed."""
    varied = smooth(1, 40, 28)
    copies = varied[:1].repeat(10, axis=0)
    assert diversity(copies, pairs=20) == pytest.approx((1, 0, 2), abs=1e-9)
    found = diversity(varied, pairs=200)
    assert isinstance(found, Similarity) and found.scales == 2 and found.mean < 0.6
    assert diversity(varied, pairs=200) == found != diversity(varied, pairs=200, seed=1)
    half = np.concatenate([varied[:20], copies.repeat(2, axis=0)])
    assert diversity(half, pairs=200).mean > found.mean + 0.1
    assert diversity(varied[:2], pairs=5) == pytest.approx((ms_ssim(varied[:1], varied[1:2])[0], 0, 2))


def test_diversity_in_parts(monkeypatch):
    """Many large pairs are not held at once."""
    images, seen = noise(1, 3, 128, 128, 1), []
    module = sys.modules["kerasgan.metrics.fidelity"]  # `kerasgan.metrics.fidelity` is the function
    monkeypatch.setattr(module, "ms_ssim", lambda x, y: seen.append(len(x)) or np.arange(len(x)))
    diversity(images, pairs=1000)
    assert sum(seen) == 1000 and max(seen) * images[0].size <= 2**22


def test_ms_ssim_refused():
    images = smooth(1, 4, 16)
    with pytest.raises(ValueError, match=r"\(4, 16, 16, 1\) and \(3, 16, 16, 1\)"):
        ms_ssim(images, images[1:])
    with pytest.raises(ValueError, match="8 x 16 pixels, less than SSIM's window"):
        diversity(images[:, :8])
    with pytest.raises(ValueError, match="1 images and pairs=1000"):
        diversity(images[:1])
    with pytest.raises(ValueError, match="pairs=0"):
        diversity(images, pairs=0)
    with pytest.raises(ValueError, match="2 \\* x - 1"):
        diversity(images / 255)


# --- the published rows -----------------------------------------------------------------------------------------------

ROWS = {  # papers.md: bicubic, (PSNR, SSIM) in the SRGAN paper's protocol and in the standard one
    "Set5": ((28.435, 0.8214), (28.432, 0.8113)),
    "Set14": ((25.982, 0.7477), (26.093, 0.7049)),
    "BSD100": ((25.942, 0.6935), (25.963, 0.6682)),
}
NEAREST = {"Set5": (26.257, 0.7550), "Set14": (24.627, 0.7089), "BSD100": (25.016, 0.6601)}


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name", ["Set5", *(pytest.param(name, marks=pytest.mark.soak) for name in ("Set14", "BSD100"))]
)
def test_published_rows(name):
    """Bicubic in both protocols, and the nearest neighbour row, to 0.02 dB and 0.002."""
    folder = Path(os.environ["TFDS_DATA_DIR"]).parent / "sr" / name
    if not folder.is_dir():
        pytest.skip(f"no {name} beside the data sets of tensorflow-datasets")
    files = sorted((folder / "hr").iterdir())
    high, low = [pictures.read(f) for f in files], [pictures.read(folder / "lr_x4" / f.name) for f in files]
    bicubic = [resampling.imresize(x, scale=4) for x in low]
    nearest = [x.repeat(4, axis=0).repeat(4, axis=1) for x in low]
    measured = (fidelity(high, bicubic, SRGAN), fidelity(high, bicubic), fidelity(high, nearest, SRGAN))
    for found, row in zip(measured, (*ROWS[name], NEAREST[name]), strict=True):
        assert found.psnr == pytest.approx(row[0], abs=0.02)
        assert found.ssim == pytest.approx(row[1], abs=0.002)
