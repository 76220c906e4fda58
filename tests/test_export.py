"""What is exported draws what Keras draws, and says what it is."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from goldens import GENERATIVE, cgan

import kerasgan
from kerasgan import export as exports
from kerasgan import random, zoo
from kerasgan.images import to_uint8

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = [path.parent for path in sorted(ROOT.glob("zoo/*/discriminator.weights.h5"))]  # every generator of the zoo


@pytest.fixture(scope="module")
def model(tiny_entry):
    """A trained model that no test changes."""
    return zoo.load(tiny_entry)


@pytest.fixture(scope="module")
def made(model, tmp_path_factory):
    """Both exports of it, with the same names in one folder: (folder, {format: what `export` said})."""
    folder = tmp_path_factory.mktemp("made")
    said = {"litert": model.export(folder / "g.tflite"), "tf_saved_model": exports.export(model, folder / "serving")}
    return folder, said


def serve(folder, name, **inputs):
    """What a signature of a SavedModel answers."""
    return tf.saved_model.load(str(folder)).signatures[name](**inputs)["images"].numpy()


def within_one_level(images, expected):
    """Two computations of one image round differently: at most one grey level, in at most 1e-4 of the pixels."""
    difference = np.abs(images.astype(int) - expected)
    return difference.max() <= 1 and (difference > 0).mean() <= 1e-4


# --- every variant ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("golden", GENERATIVE, ids=lambda golden: golden.name)
@pytest.mark.parametrize("name", ["g.tflite", "serving"])
def test_every_variant_can_be_exported(golden, name, tmp_path):
    model = golden.build(average_momentum=0.5)
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01))
    model.fit(*golden.data(), batch_size=8, epochs=3, verbose=0)
    said = model.export(tmp_path / name)
    assert said["variant"] == golden.variant and said["max_difference"] <= 1e-5
    assert model.generate(16, seed=0).std() > 1, "all grey: no difference would prove nothing"


# --- SavedModel -------------------------------------------------------------------------------------------------------


def test_the_saved_model_generates_the_same_images(model, made):
    for seed in (0, 7, 2**31 - 1):
        expected = model.generate(64, seed=seed)
        images = serve(made[0] / "serving", "generate", n=tf.constant(64), seed=tf.constant(seed, tf.int64))
        assert images.dtype == np.uint8 and images.shape == expected.shape == (64, 28, 28, 1)
        assert expected.std() > 5, "all grey: equal images would prove nothing"
        assert within_one_level(images, expected)
    few = serve(made[0] / "serving", "generate", n=tf.constant(3), seed=tf.constant(7, tf.int64))
    assert within_one_level(few, model.generate(3, seed=7))


def test_the_saved_model_serves_latents(model, made):
    latents = model.latents_of(3, range(10))
    images = serve(made[0] / "serving", "serving_default", latents=tf.constant(latents))
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, model(latents), atol=1e-6)
    assert within_one_level(to_uint8(images), model.sample(latents))


def test_the_saved_model_needs_no_kerasgan(made):
    """A server has TensorFlow alone."""
    code = (
        "import sys, tensorflow as tf; served = tf.saved_model.load(sys.argv[1]).signatures['generate'];"
        "print(served(n=tf.constant(2), seed=tf.constant(7, tf.int64))['images'].shape);"
        "print('kerasgan' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, made[0] / "serving"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["(2, 28, 28, 1)", "False"]


@pytest.mark.parametrize("distribution", random.DISTRIBUTIONS)
@pytest.mark.parametrize("size", [1, 8, 101])
def test_latents_in_a_graph_are_those_of_random(distribution, size):
    drawn = exports.latents_of(distribution, tf.constant(2**31 - 1, tf.int64), 50, size)
    expected = random.DISTRIBUTIONS[distribution](2**31 - 1, range(50), size)
    np.testing.assert_allclose(drawn, expected, atol=2e-6)


# --- TFLite -----------------------------------------------------------------------------------------------------------


def operators(path):
    """The names of the operators that a .tflite uses; CUSTOM is any that is not built in, TensorFlow's (Flex) too."""
    from ai_edge_litert import schema_py_generated as schema

    file = schema.Model.GetRootAs(path.read_bytes(), 0)
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    return {names[file.OperatorCodes(i).BuiltinCode()] for i in range(file.OperatorCodesLength())}


@pytest.mark.parametrize("entry", [None, *SHIPPED], ids=lambda entry: entry.name if entry else "tiny")
def test_litert_is_as_exact_as_it_must_be(entry, tiny_entry, tmp_path):
    pytest.importorskip("ai_edge_litert", reason="pip install 'kerasgan[tflite]'")
    model, path = zoo.load(entry or tiny_entry), tmp_path / "g.tflite"
    model.export(path)
    latents = model.latents_of(20171, range(1000))
    images, expected = exports.run_litert(path, (latents,), None), model.predict_on_batch(latents)
    assert images.dtype == np.float32 and expected.std() > 0.05
    assert np.abs(images - expected).max() <= 1e-5
    assert "TRANSPOSE_CONV" in operators(path) and "CUSTOM" not in operators(path)


@pytest.mark.parametrize("n", [1, 7, 64])
def test_a_free_batch(model, made, n):
    latents = model.latents_of(5, range(n))
    images = exports.run_litert(made[0] / "g.tflite", (latents,), None)
    np.testing.assert_allclose(images, model(latents), atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_a_fixed_batch(model, tmp_path, batch_size):
    said = model.export(tmp_path / "g.tflite", batch_size=batch_size)
    assert said["latents"]["shape"] == [batch_size, 8] and said["images"]["shape"] == [batch_size, 28, 28, 1]
    latents = model.latents_of(5, range(2 * batch_size))
    images = exports.run_litert(tmp_path / "g.tflite", (latents,), batch_size)
    np.testing.assert_allclose(images, model(latents), atol=1e-5)
    with pytest.raises((ValueError, RuntimeError)):  # the shape is in the file
        exports.run_litert(tmp_path / "g.tflite", (latents[: batch_size + 1],), None)


def test_a_saved_model_of_a_fixed_batch(model, tmp_path):
    said = model.export(tmp_path / "serving", batch_size=4)
    assert said["max_difference"] <= 1e-6 and said["checked_on"] == "100 latents of seed 19999"
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        exports.run_saved_model(tmp_path / "serving", (model.latents_of(5, range(3)),), None)


def test_batches():
    latents, labels = np.arange(6), np.arange(6) % 2
    named = {"latents": latents, "labels": labels}
    for size, starts in ((2, (0, 2, 4)), (None, (0,))):
        for inputs in ((latents,), (latents, labels)):
            parts = exports.batches(inputs, size, list(named)[: len(inputs)])
            expected = [{k: named[k][i : i + (size or 6)] for k in list(named)[: len(inputs)]} for i in starts]
            assert [{k: list(v) for k, v in p.items()} for p in parts] == [
                {k: list(v) for k, v in p.items()} for p in expected
            ]


def test_input_shapes(model):
    assert exports.input_shapes(model, 4) == {"latents": (4, 8)}
    assert exports.input_shapes(cgan(), None) == {"latents": (None, 8), "labels": (None, 3)}


@pytest.mark.parametrize("batch_size", [None, 5])
def test_a_conditional_model(batch_size, tmp_path):
    """Labels are one-hot beside the latents; `generate` of a SavedModel takes them as integers."""
    model = cgan(average_momentum=0.5)
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01))
    model.fit(*GENERATIVE[-1].data(), batch_size=8, epochs=3, verbose=0)
    for name in ("g.tflite", "serving"):
        said = model.export(tmp_path / name, batch_size=batch_size)
        assert said["labels"] == {"shape": [batch_size, 3], "encoding": "one-hot", "dtype": "float32"}
        inputs = model.inputs_of(5, range(10), np.full(10, 2))
        run = exports.run_litert if name == "g.tflite" else exports.run_saved_model
        np.testing.assert_allclose(run(tmp_path / name, inputs, batch_size), model(list(inputs)), atol=1e-5)
        assert (
            np.abs(run(tmp_path / name, model.inputs_of(5, range(10)), batch_size) - model(list(inputs))).max() > 1e-3
        )
    labels = np.array([2, 2, 0, 1], "int32")
    images = serve(tmp_path / "serving", "generate", labels=tf.constant(labels), seed=tf.constant(7, tf.int64))
    assert within_one_level(images, model.generate(labels=labels, seed=7))


# --- the side-car -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "name"), [("litert", "g.tflite"), ("tf_saved_model", "serving")])
def test_the_sidecar(model, made, format, name):
    folder, said = made
    sidecar = json.loads((folder / f"{name}.json").read_text())
    assert sidecar == said[format]
    assert sidecar["path"] == str(folder / name) and sidecar["format"] == format
    assert sidecar["latents"] == {"shape": [None, 8], "distribution": "normal", "dtype": "float32"}
    assert sidecar["images"] == {
        "shape": [None, 28, 28, 1], "value_range": [-1, 1], "dtype": "float32", "layout": "NHWC",
    }  # fmt: skip
    files = [folder / name, *(folder / name).rglob("*")]
    assert sidecar["bytes"] == sum(file.stat().st_size for file in files if file.is_file()) > 10_000
    assert sidecar["versions"]["keras"] == keras.__version__
    assert sidecar["variant"] == "DCGAN"
    assert kerasgan.DCGAN.from_config(sidecar["config"]).latent_shape == (8,)


def test_the_parity_figure_is_measured(model, made, tmp_path):
    """It is what the file does on those latents; a file of another model is far from this one."""
    path, run = made[0] / "g.tflite", exports.run_litert
    latents = model.latents_of(exports.SEED, range(100))
    largest = np.abs(run(path, (latents,), None) - model.predict_on_batch(latents)).max()
    assert made[1]["litert"]["max_difference"] == largest <= 1e-5
    assert exports.describe(model, "litert", path, run, None)["checked_on"] == "100 latents of seed 19999"
    other = kerasgan.DCGAN((28, 28, 1), latent_size=8, width=4, kernel_size=4)
    exports.litert(other, tmp_path / "other.tflite", exports.input_shapes(other, None))
    assert exports.describe(model, "litert", tmp_path / "other.tflite", run, None)["max_difference"] > 0.1
    exports.saved_model(other, tmp_path / "other", exports.input_shapes(other, None))
    said = exports.describe(model, "tf_saved_model", tmp_path / "other", exports.run_saved_model, None)
    assert said["max_difference"] > 0.1


# --- which model ------------------------------------------------------------------------------------------------------


def test_after_fit_it_is_the_averaged_generator(tiny_entry, tmp_path):
    """An export changes nothing of the model, which trains on; the next one is of the average as it is then."""
    model = zoo.load(tiny_entry)
    model.fit(np.zeros((32, 28, 28, 1), "uint8"), batch_size=8, verbose=0)
    before = [keras.ops.convert_to_numpy(variable).copy() for variable in model.state]
    for path in (tmp_path / "g.tflite", tmp_path / "serving"):
        assert model.export(path)["max_difference"] <= 1e-5
    for variable, value in zip(model.state, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    latents = model.latents_of(5, range(8))
    images = exports.run_litert(tmp_path / "g.tflite", (latents,), None)
    assert np.abs(images - model.generator(latents, training=False)).max() > 1e-3, "the two are one: nothing is proved"
    np.testing.assert_allclose(images, model.average(latents), atol=1e-5)
    model.fit(np.zeros((32, 28, 28, 1), "uint8"), batch_size=8, verbose=0)
    assert model.export(tmp_path / "g.tflite", overwrite=True)["max_difference"] <= 1e-5
    assert np.abs(images - exports.run_litert(tmp_path / "g.tflite", (latents,), None)).max() > 1e-3
