"""What lies beside an export says what it is, where it comes from, and what was measured."""

import json

import keras
import numpy as np
import pytest
from goldens import cgan

import kerasgan
from kerasgan import cards, zoo
from kerasgan import export as exports


@pytest.fixture(scope="module")
def model(tiny_entry):
    return zoo.load(tiny_entry)


@pytest.fixture(scope="module")
def made(model, tmp_path_factory):
    """All formats with the same names in one folder: (folder, {name: what `export` said})."""
    pytest.importorskip("onnxruntime", reason="pip install 'kerasgan[onnx]'")
    folder = tmp_path_factory.mktemp("made")
    return folder, {name: model.export(folder / name) for name in ("g.tflite", "serving", "g.onnx")}


@pytest.mark.parametrize(
    ("name", "format"), [("g.tflite", "litert"), ("serving", "tf_saved_model"), ("g.onnx", "onnx")]
)
def test_the_sidecar(made, tiny_entry, format, name):
    folder, said = made
    sidecar = json.loads((folder / f"{name}.json").read_text())
    assert sidecar == said[name]
    assert sidecar["path"] == str(folder / name)
    assert (sidecar["format"], sidecar["precision"]) == (format, "float32")
    assert sidecar["latents"] == {"shape": [None, 8], "distribution": "normal", "dtype": "float32"}
    assert sidecar["images"] == {
        "shape": [None, 28, 28, 1], "value_range": [-1, 1], "dtype": "float32", "layout": "NHWC",
    }  # fmt: skip
    files = [folder / name, *(folder / name).rglob("*")]
    assert sidecar["bytes"] == sum(file.stat().st_size for file in files if file.is_file()) > 10_000
    assert sidecar["variant"] == "DCGAN"
    assert kerasgan.DCGAN.from_config(sidecar["config"]).latent_shape == (8,)
    assert sidecar["latency"]["median_ms"] > 0 and sidecar["latency"]["batch"] == 1
    card = cards.read(tiny_entry)
    assert sidecar["entry"] == {
        "name": card["name"], "sha256": card["files"]["generator.weights.h5"]["sha256"], "steps_since": 0,
    }  # fmt: skip


def test_versions():
    assert exports.versions("tf_saved_model").keys() == {"kerasgan", "keras", "tensorflow"}
    found = exports.versions("onnx")
    assert found["keras"] == keras.__version__ and {"tf2onnx", "onnx", "onnxruntime"} <= found.keys()


def test_origin(tiny_entry):
    """Of an entry, and how far it was trained since; a model of one's own has none."""
    assert exports.origin(cgan()) is None
    model = zoo.load(tiny_entry, metrics=False)
    model.fit(np.zeros((16, 28, 28, 1), "uint8"), batch_size=8, verbose=0)
    assert exports.origin(model)["steps_since"] == 2
    card = {"name": "x", "files": {"generator.weights.h5": {"sha256": "ab"}}, "class_names": ["cat", "dog"]}
    assert cards.origin(card) == {"name": "x", "sha256": "ab", "class_names": ["cat", "dog"]}


def test_contract_of_classes():
    model = cgan()
    labels = {"shape": [5, 3], "encoding": "one-hot", "dtype": "float32"}
    assert exports.contract(model, 5)["labels"] == labels | {"class_names": None}
    model.entry = {"name": "x", "sha256": "ab", "class_names": ["zero", "one", "two"]}
    assert exports.contract(model, 5)["labels"] == labels | {"class_names": ["zero", "one", "two"]}


def test_what_is_compared_is_measured(model, made, tmp_path):
    """It is what the file does on those latents; a file of another model is far from this one."""
    inputs, _ = exports.fresh_inputs(model)
    difference = np.abs(
        exports.outputs(exports.opened(made[0] / "g.tflite"), inputs) - model.predict(inputs["latents"])
    )
    said = made[1]["g.tflite"]
    assert said["max_difference"] == pytest.approx(difference.max(), rel=0.2)
    assert said["p999_difference"] == pytest.approx(np.quantile(difference, 0.999), rel=0.2)
    assert said["mean_difference"] == pytest.approx(difference.mean(), rel=0.2)
    other = kerasgan.DCGAN((28, 28, 1), latent_size=8, width=4, kernel_size=4)
    for name, write in (("o.tflite", exports.litert), ("o", exports.saved_model), ("o.onnx", exports.onnx)):
        write(other, tmp_path / name, exports.input_shapes(other, None))
        assert exports.compared(model, exports.opened(tmp_path / name), inputs)["max_difference"] > 0.1


def test_latency():
    calls = []
    said = exports.latency(lambda latents: calls.append(len(latents)), {"latents": np.zeros((2, 8))})
    assert said.keys() == {"median_ms", "batch", "runs", "processor"} and said["batch"] == 2
    assert len(calls) == said["runs"] + 3 and said["processor"] == exports.processor() != ""


def test_describe_in_words(model, made):
    said = exports.describe(model, "litert", "float32", made[0] / "g.tflite")
    measured = {"max_difference", "p999_difference", "mean_difference", "latency"}
    assert said.keys() == made[1]["g.tflite"].keys() - {"path"} and measured <= said.keys()
