"""How much fine detail pictures have: waves by hand."""

import numpy as np
import pytest

from kerasgan import metrics


def test_detail_energy_of_waves():
    """A^2 / 2 of a wave beyond a quarter of a cycle a pixel, nothing of one before; in any direction, on any ground."""
    y, x = np.mgrid[:96, :120]
    studio = (65.481 + 128.553 + 24.966) / 255  # luma of grey
    for frequency, expected in (
        ((0.4, 0.0), 200),
        ((0.0, 0.4), 200),
        ((0.3, 0.3), 200),
        ((0.1, 0.1), 0),
        ((0.2, 0), 0),
    ):
        wave = 20 * np.sin(2 * np.pi * (frequency[0] * y + frequency[1] * x)) + 0.5 * x + 90
        picture = np.round(wave).astype("uint8")[..., None]
        assert metrics.detail_energy([picture]) == pytest.approx(expected * studio**2, rel=0.02, abs=0.3)
    flat = np.full((40, 40, 3), 77, "uint8")
    assert metrics.detail_energy([flat]) == pytest.approx(0, abs=1e-9)
    assert metrics.detail_energy([flat, picture]) == pytest.approx(metrics.detail_energy([picture]) / 2)
    with pytest.raises(ValueError, match="There are no pictures"):
        metrics.detail_energy([])
    with pytest.raises(ValueError, match="expected uint8"):
        metrics.detail_energy([flat / 255])
