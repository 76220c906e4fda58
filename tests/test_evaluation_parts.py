"""What `evaluation` is made of: which images, which numbers."""

import numpy as np
import pytest

from kerasgan import data, evaluation


def test_first():
    images = np.arange(5, dtype="uint8")[:, None, None, None] * np.ones((5, 4, 4, 1), "uint8")
    some = evaluation.first(data.Dataset(images, np.arange(5), batch_size=1), 3, "x.npz")
    assert some.images[:, 0, 0, 0].tolist() == [0, 1, 2] == some.labels.tolist()
    plain = data.Dataset(images, batch_size=1)
    assert evaluation.first(plain, 5, "y.npz").labels is None
    with pytest.raises(
        ValueError, match="y.npz has 5 images, fewer than n=6, which this protocol takes: pass a smaller n"
    ):
        evaluation.first(plain, 6, "y.npz")


def test_mean_and_deviation():
    assert evaluation.mean([1, 2, 6]) == 3 and evaluation.deviation([1, 2, 6]) == pytest.approx(7**0.5)
    assert evaluation.mean([4]) == 4 and evaluation.deviation([4]) is None
    assert type(evaluation.mean([np.float64(1)])) is type(evaluation.deviation([1, 2])) is float


def test_recorded():
    one = evaluation.recorded("recall", [1.0, 3.0], 0.5, {"n": 40, "k": 3})
    assert one == {"metric": "recall", "value": 2, "spread": pytest.approx(2**0.5), "real": 0.5, "n": 40, "k": 3}
