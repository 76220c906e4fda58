"""What `evaluation` is made of: which images, which numbers."""

import numpy as np
import pytest

from kerasgan import evaluation


def test_first(tmp_path):
    images = np.arange(5, dtype="uint8")[:, None, None, None] * np.ones((5, 4, 4, 1), "uint8")
    np.savez(tmp_path / "x.npz", images=images, labels=np.arange(5))
    some = evaluation.first(str(tmp_path / "x.npz"), 3, (4, 4, 1))
    assert some.images[:, 0, 0, 0].tolist() == [0, 1, 2] == some.labels.tolist()
    np.savez(tmp_path / "y.npz", images=images)
    assert evaluation.first(tmp_path / "y.npz", 5, (4, 4, 1)).labels is None
    with pytest.raises(
        ValueError, match="y.npz has 5 images, fewer than n=6, which this protocol takes: pass a smaller n"
    ):
        evaluation.first(tmp_path / "y.npz", 6, (4, 4, 1))
    with pytest.raises(ValueError, match=r"takes images of shape \(8, 8, 1\)"):
        evaluation.first(tmp_path / "y.npz", 3, (8, 8, 1))


def test_mean_and_deviation():
    assert evaluation.mean([1, 2, 6]) == 3 and evaluation.deviation([1, 2, 6]) == pytest.approx(7**0.5)
    assert evaluation.mean([4]) == 4 and evaluation.deviation([4]) is None
    assert type(evaluation.mean([np.float64(1)])) is type(evaluation.deviation([1, 2])) is float


def test_recorded():
    one = evaluation.recorded("recall", [1.0, 3.0], 0.5, {"n": 40, "k": 3})
    assert one == {"metric": "recall", "value": 2, "spread": pytest.approx(2**0.5), "real": 0.5, "n": 40, "k": 3}
