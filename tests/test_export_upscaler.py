"""What an upscaler exports: pictures of one size or of any, as Keras makes them larger."""

import json

import numpy as np
import pytest
from goldens import dcgan, srgan
from test_export import operators

from kerasgan import SRGAN
from kerasgan import export as exports


@pytest.fixture(scope="module")
def model():
    """Colour, BatchNorm-free, one convolution for all sub-pixels; weights that say something."""
    model = SRGAN.modern(3, width=6, blocks=2, discriminator_width=2)
    rng = np.random.default_rng(0)
    model.average.set_weights([w + 0.1 * rng.normal(size=w.shape) for w in model.average.get_weights()])
    return model


def low(*shape):
    """Pictures in [-1, 1]."""
    return np.random.default_rng(1).uniform(-1, 1, shape).astype("float32")


def test_any_size(model, tmp_path):
    """All formats, on sizes that nobody named; and the contract beside them."""
    pytest.importorskip("onnxruntime", reason="pip install 'kerasgan[onnx]'")
    for name in ("u.tflite", "serving", "u.onnx"):
        said = exports.export(model, tmp_path / name)
        assert said["max_difference"] <= 1e-5 and said["checked_on"] == "2 pictures of blocks, 24x40, of seed 19999"
        assert said["low"]["shape"] == [None, None, None, 3] and said["high"]["shape"] == [None, None, None, 3]
        assert said["variant"] == "SRGAN" and json.loads((tmp_path / f"{name}.json").read_text())["low"] == said["low"]
        run = exports.opened(tmp_path / name)
        for size in ((1, 1), (7, 30)):
            given = low(3, *size, 3)
            made, expected = run(low=given), model.predict_on_batch(given)
            assert made.shape == (3, 3 * size[0], 3 * size[1], 3)
            np.testing.assert_allclose(made, expected, atol=1e-5)
            assert np.abs(made).max() <= 1


def test_one_size_is_static(model, tmp_path):
    """No operator asks for a shape: delegates for graphics processors refuse those."""
    path = tmp_path / "u.tflite"
    said = model.export(path, batch_size=1, size=(20, 28))
    assert said["low"]["shape"] == [1, 20, 28, 3] and said["high"]["shape"] == [1, 60, 84, 3]
    used = operators(path)
    assert "DEPTH_TO_SPACE" in used and not used & {"SHAPE", "PACK", "STRIDED_SLICE"}
    given = low(2, 20, 28, 3)
    made = exports.outputs(exports.opened(path), {"low": given}, 1)
    np.testing.assert_allclose(made, model.predict_on_batch(given), atol=1e-5)


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_smaller(model, tmp_path, precision):
    pytest.importorskip("ai_edge_quantizer", reason="pip install 'kerasgan[tflite]'")
    said = model.export(tmp_path / "u.tflite", precision=precision, batch_size=1, size=(20, 28))
    assert said["mean_difference"] <= {"float16": 1e-3, "int8": 5e-2}[precision]
    assert said.get("calibrated_on") == {"int8": "20 pictures of blocks, 20x28, of seed 29999"}.get(precision)


def test_network_of_ends_in_range(model):
    network = exports.network_of(model)
    made = network(low(1, 5, 6, 3))
    np.testing.assert_array_equal(made, model(low(1, 5, 6, 3)))
    assert exports.network_of(dcgan()).name == "average" and not exports.is_upscaler(dcgan())


def test_refused_sizes(tmp_path):
    with pytest.raises(ValueError, match="size is for models that make pictures larger; DCGAN draws one size"):
        dcgan().export(tmp_path / "g.tflite", size=(8, 8))
    for size in (8, (8,), (0, 8), (8.0, 8)):
        with pytest.raises(ValueError, match="size is .height, width., two integers of at least 1; saw"):
            exports.check_size(srgan(), size)
    inputs, words = exports.fresh_inputs(srgan(), None, (9, 7))
    assert inputs["low"].shape == (2, 9, 7, 1) and words.startswith("2 pictures")
    assert not list(tmp_path.iterdir())
