"""An export that cannot be made, or would replace what it must not, is refused and leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasgan
from kerasgan import export as exports
from kerasgan import zoo

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def model(tiny_entry):
    return zoo.load(tiny_entry)


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("g.tflite", {"format": "tflite"}, "Unknown format 'tflite'. Did you mean 'litert'"),
        ("g", {"format": "saved_model"}, "Did you mean 'tf_saved_model'"),
        ("g", {"format": "xyz"}, "Unknown format 'xyz'. There are: tf_saved_model, litert, onnx"),
        ("g.bin", {"format": "litert"}, "ends in .tflite; saw .*g.bin"),
        ("g.tflite", {"format": "tf_saved_model"}, "A SavedModel is a folder"),
        ("g.onnx", {"format": "litert"}, "ends in .tflite; saw .*g.onnx"),
        ("g.tflite", {"format": "onnx"}, "ends in .onnx; saw .*g.tflite"),
        ("g.TFLITE", {}, "g.TFLITE is none of them"),
        ("g.keras", {}, "g.keras is none of them"),
        ("g.tflit", {}, "g.tflit is none of them"),
        ("g.json", {}, "g.json is none of them"),
        (".tflite", {}, ".tflite is none of them"),
        ("g.tflite", {"batch_size": 2**40}, r"makes tensors of .* values; formats count up to 2,147,483,647"),
        ("g.tflite", {"precision": "int9"}, "Unknown precision 'int9'. Did you mean 'int8'"),
        ("g", {"precision": "int8"}, "int8 is for a .tflite; tf_saved_model is written in float32"),
        ("g.onnx", {"precision": "float16"}, "float16 is for a .tflite; onnx is written in float32"),
        ("g.tflite", {"batch_size": 0}, "batch_size is None or an integer of at least 1; saw 0"),
        ("g.tflite", {"batch_size": 1.5}, "saw 1.5"),
        ("g.tflite", {"batch_size": True}, "saw True"),
        ("missing/g.tflite", {}, "there is no folder .*missing"),
        ("missing/g", {}, "there is no folder .*missing"),
    ],
)
def test_refused(model, tmp_path, name, options, complaint):
    with pytest.raises((ValueError, FileNotFoundError), match=complaint):
        model.export(tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "format"),
    [("g.tflite", "litert"), ("g.onnx", "onnx"), ("g", "tf_saved_model"), ("g.v2", "tf_saved_model")],
)
def test_checked_format_goes_by_the_suffix(name, format):
    assert (
        exports.checked_format(Path(name), None) == exports.checked_format(Path(name), format, "float32", 4) == format
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unwritable for root")
def test_a_folder_that_is_not_writable(model, tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(PermissionError, match="is not writable"):
        model.export(tmp_path / "g.tflite")


@pytest.mark.parametrize("name", ["g.tflite", "serving"])
def test_what_exists_stays_unless_it_may_be_replaced(model, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(FileExistsError, match=r"exists: .* replace it \(overwrite=True; the command: --force\)"):
        model.export(tmp_path / name)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]
    for _ in range(2):
        assert model.export(tmp_path / name, overwrite=True)["max_difference"] <= 1e-5
    assert {path.name for path in tmp_path.iterdir()} == {name, f"{name}.json"}


def test_what_is_not_installed(model, tmp_path, monkeypatch):
    """The line that installs it."""
    for package in ("tf2onnx", "ai_edge_quantizer", "ai_edge_litert"):
        monkeypatch.setitem(sys.modules, package, None)
    find = exports.exporting.importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: sys.modules.get(name, 1) and find(name))
    with pytest.raises(ImportError, match=r"^onnx needs tf2onnx: pip install 'kerasgan\[onnx\]'\.$"):
        model.export(tmp_path / "g.onnx")
    for precision in ("float16", "int8"):
        line = rf"{precision} needs ai_edge_quantizer, ai_edge_litert: pip install 'kerasgan\[tflite\]'"
        with pytest.raises(ImportError, match=line):
            model.export(tmp_path / "g.tflite", precision=precision)
    assert exports.check_installed("litert") is None and exports.check_installed("tf_saved_model") is None
    assert not list(tmp_path.iterdir())


def test_what_was_never_built(tmp_path):
    unbuilt = keras.Sequential([keras.layers.Dense(4)], name="mine")
    with pytest.raises(ValueError, match="Sequential 'mine' is no generator of kerasgan, or was never built"):
        exports.export(unbuilt, tmp_path / "g.tflite")
    with pytest.raises(TypeError, match="is a built Keras model, or a function .*built=False"):
        kerasgan.DCGAN((28, 28, 1), generator=unbuilt)
    assert exports.check_model(kerasgan.DCGAN((16, 16, 1), latent_size=2, width=2)) is None


def test_a_file_where_the_sidecar_would_lie(model, tmp_path):
    (tmp_path / "config.json").write_text("mine")
    with pytest.raises(FileExistsError, match="config.json exists"):
        model.export(tmp_path / "config")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("value", ["mine", '{"name": "package", "format": "x"}', "[]"])
def test_a_json_that_is_no_sidecar_is_never_replaced(model, tmp_path, value):
    (tmp_path / "package.json").write_text(value)
    with pytest.raises(FileExistsError, match="package.json is no side-car of an export, and is never replaced"):
        model.export(tmp_path / "package", overwrite=True)
    assert not exports.exporting.is_sidecar(tmp_path / "package.json")
    assert [path.read_text() for path in tmp_path.iterdir()] == [value]


@pytest.mark.parametrize("path", [".", "", "/"])
def test_a_path_without_a_name(model, path):
    with pytest.raises(ValueError, match="An export needs a name, such as generator.tflite"):
        model.export(path)


def test_a_link_to_nothing(model, tmp_path):
    (tmp_path / "g").symlink_to(tmp_path / "gone")
    with pytest.raises(FileExistsError, match="g is a link to nothing"):
        model.export(tmp_path / "g", overwrite=True)


def test_weights_that_are_lost(tmp_path):
    """A training that ran away: the quantiser would crash, and a side-car would hold what is no JSON."""
    model = kerasgan.DCGAN((16, 16, 1), latent_size=2, width=2)
    model.average.set_weights([w * (np.nan if i == 1 else 1) for i, w in enumerate(model.average.get_weights())])
    with pytest.raises(ValueError, match="1 tensors of the generator hold NaN or infinity, .* first: go back to"):
        model.export(tmp_path / "g.tflite", precision="int8")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["g.tflite", "replaced"])
def test_a_failure_at_the_last_step_leaves_what_was_there(model, tmp_path, monkeypatch, name):
    """The file and its side-car, or the folder, are those of before, and nothing else is there."""
    model.export(tmp_path / name)

    def there():
        return {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    before, replace = there(), Path.replace

    def stopped(self, target):
        raise KeyboardInterrupt if Path(target) == tmp_path / name else AssertionError

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        model.export(tmp_path / name, overwrite=True, batch_size=3)
    assert there() == before
    monkeypatch.setattr(Path, "replace", replace)
    model.export(tmp_path / name, overwrite=True, batch_size=3)
    assert there().keys() == before.keys() and there() != before


def test_a_folder_with_other_things_is_never_replaced(model, tmp_path):
    exports.check_free(tmp_path / "free", overwrite=False)
    exports.check_free(tmp_path, overwrite=True)  # an empty folder
    (tmp_path / "holiday.jpg").write_text("mine")
    with pytest.raises(FileExistsError, match="other things than a SavedModel"):
        exports.check_free(tmp_path, overwrite=True)
    with pytest.raises(FileExistsError, match="other things than a SavedModel"):
        model.export(tmp_path, overwrite=True)
    assert (tmp_path / "holiday.jpg").read_text() == "mine"


class Unusual(keras.layers.Layer):
    """An operation without a built-in of TFLite: erf is written and cannot run, erfinv is not."""

    def __init__(self, operation, **kwargs):
        super().__init__(**kwargs)
        self.operation = operation

    def call(self, x):
        return getattr(keras.ops, self.operation)(x)

    def get_config(self):
        return {**super().get_config(), "operation": self.operation}


@pytest.mark.parametrize(("operation", "name"), [("erf", "g.tflite"), ("erfinv", "g.tflite"), ("erfinv", "g.onnx")])
def test_a_failure_leaves_nothing_behind(tmp_path, operation, name):
    for package in ("ai_edge_litert", "onnxruntime"):
        pytest.importorskip(package, reason="pip install 'kerasgan[tflite,onnx]'")
    latents = keras.Input((8,))
    x = keras.layers.Dense(28 * 28, activation="tanh")(Unusual(operation)(latents))
    network = keras.Model(latents, keras.layers.Reshape((28, 28, 1))(x))
    model = kerasgan.DCGAN((28, 28, 1), generator=network, width=4, latent_distribution="uniform")
    with pytest.raises(Exception, match="(?i)erf"):
        model.export(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.soak
@pytest.mark.torch
def test_another_backend_is_refused(tmp_path):
    code = """
import sys, kerasgan
model = kerasgan.DCGAN((16, 16, 1), latent_size=2, width=2)
for name in ("g.tflite", "g.onnx", "serving"):
    try:
        model.export(name)
    except NotImplementedError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("on 'torch': save the model (model.save), and export it in a process with") == 3
    assert not list(tmp_path.iterdir())
    assert exports.needs_tensorflow() is None  # on this one it is fine


@pytest.mark.parametrize("mine", ["thesis.txt", "data/thesis.txt"])
def test_what_lies_beside_a_saved_model_is_not_replaced_with_it(model, tmp_path, mine):
    model.export(tmp_path / "s")
    assert exports.exporting.is_sidecar(tmp_path / "s.json") and not exports.exporting.others_in(tmp_path / "s")
    own = tmp_path / "s" / mine
    own.parent.mkdir(exist_ok=True)
    own.write_text("mine")
    with pytest.raises(FileExistsError, match=f"other things than a SavedModel, such as {mine.split('/')[0]}"):
        model.export(tmp_path / "s", overwrite=True)
    assert own.read_text() == "mine"


def test_a_full_disk_while_a_saved_model_is_written(model, tmp_path, monkeypatch):
    """TensorFlow's own error is no OSError, and would reach the command line as a traceback."""

    def full(*args):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(OSError, match="The SavedModel could not be written: No space left on device"):
        model.export(tmp_path / "s")
    assert not list(tmp_path.iterdir())
