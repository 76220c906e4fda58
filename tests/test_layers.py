"""Layers by hand."""

import keras
import numpy as np
import pytest

from kerasgan.layers import Maxout


def test_maxout_by_hand():
    """Two units of three pieces over two inputs: the pieces of a unit lie side by side in the kernel."""
    layer = Maxout(2, 3)
    layer.build((None, 2))
    kernel = np.array([[1, 0, -1, 0, 2, 0], [0, 1, -1, 0, 0, -2]], "float32")
    layer.linear.set_weights([kernel, np.array([0, 0, 0, 5, 0, 0], "float32")])
    out = keras.ops.convert_to_numpy(layer(np.array([[3, 4], [-3, -4], [0, 0]], "float32")))
    np.testing.assert_allclose(out, [[4, 6], [7, 8], [0, 5]])


def test_maxout_of_one_piece_is_linear_and_of_many_is_convex():
    x = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
    for pieces in (1, 5):
        layer = Maxout(3, pieces)
        middle, ends = layer((x[:10] + x[10:]) / 2), (layer(x[:10]) + layer(x[10:])) / 2
        gap = keras.ops.convert_to_numpy(ends - middle)
        assert (np.abs(gap).max() < 1e-6) if pieces == 1 else (gap.min() > -1e-6 and gap.max() > 0.01)


def test_maxout_is_saved_and_refuses(tmp_path):
    inputs = keras.Input((4,))
    model = keras.Model(
        inputs, Maxout(3, 2, kernel_initializer=keras.initializers.RandomUniform(-0.005, 0.005))(inputs)
    )
    model.save(tmp_path / "x.keras")
    again, x = keras.saving.load_model(tmp_path / "x.keras"), np.ones((2, 4), "float32")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert model.output_shape == (None, 3) and np.abs(model.get_weights()[0]).max() <= 0.005
    for units, pieces in ((0, 2), (2, 0)):
        with pytest.raises(
            ValueError, match=f"at least 1 unit of at least 1 piece; saw units={units}, pieces={pieces}"
        ):
            Maxout(units, pieces)
