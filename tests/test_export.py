"""What is exported draws what Keras draws: every variant, in every format."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import quick
from goldens import GENERATIVE, cgan, lapgan

from kerasgan import export as exports
from kerasgan import random, zoo
from kerasgan.images import to_uint8

WAYS = {  # a path and options of `export`, and the largest difference to Keras
    "serving": ({}, 1e-5),
    "g.tflite": ({}, 1e-5),
    "static.tflite": ({"batch_size": 1}, 1e-5),
    "half.tflite": ({"precision": "float16"}, 5e-3),
    "small.tflite": ({"precision": "int8", "batch_size": 1}, 1.0),
    "g.onnx": ({}, 1e-5),
}


@pytest.fixture(scope="module")
def model(tiny_entry):
    """A trained model that no test changes."""
    return zoo.load(tiny_entry)


@pytest.fixture(scope="module")
def serving(model, tmp_path_factory):
    """It as a SavedModel."""
    folder = tmp_path_factory.mktemp("made") / "serving"
    exports.export(model, folder)
    return folder


def serve(folder, name, **inputs):
    """What a signature of a SavedModel answers."""
    return tf.saved_model.load(str(folder)).signatures[name](**inputs)["images"].numpy()


def within_one_level(images, expected):
    """Two computations of one image round differently: at most one grey level, in at most 1e-4 of the pixels."""
    difference = np.abs(images.astype(int) - expected)
    return difference.max() <= 1 and (difference > 0).mean() <= 1e-4


def operators(path):
    """The names of the operators that a .tflite uses; CUSTOM is any that is not built in, TensorFlow's (Flex) too."""
    from ai_edge_litert import schema_py_generated as schema

    file = schema.Model.GetRootAs(path.read_bytes(), 0)
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    return {names[file.OperatorCodes(i).BuiltinCode()] for i in range(file.OperatorCodesLength())}


# --- every variant ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=quick(GENERATIVE, "CGAN"))
def trained(request):
    """A variant at its smallest, after a few steps."""
    keras.utils.set_random_seed(7)
    model = request.param.build(average_momentum=0.5)
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01), run_eagerly=True)
    model.fit(*request.param.data(), batch_size=8, epochs=3, verbose=0)
    assert model.generate(16, seed=0).std() > 1, "all grey: no difference would prove nothing"
    return request.param, model


@pytest.mark.parametrize("name", WAYS)
def test_every_variant_can_be_exported(trained, name, tmp_path):
    (golden, model), (options, largest) = trained, WAYS[name]
    for package in ("ai_edge_quantizer", "onnxruntime"):
        pytest.importorskip(package, reason="pip install 'kerasgan[tflite,onnx]'")
    said = model.export(tmp_path / name, **options)
    assert said["variant"] == golden.variant and said["checked_on"] == "1000 latents of seed 19999"
    assert said["mean_difference"] <= said["p999_difference"] <= said["max_difference"] <= largest
    assert said["mean_difference"] <= 0.03
    inputs, _ = exports.fresh_inputs(model, count=16, seed=3)
    images = exports.outputs(exports.opened(tmp_path / name), inputs, options.get("batch_size"))
    assert images.dtype == np.float32 and images.shape == (16, *golden.image_shape) and np.abs(images).max() <= 1
    if name.endswith(".tflite"):
        assert "CUSTOM" not in operators(tmp_path / name)
    if options.get("batch_size"):  # what delegates for graphics processors refuse
        assert not operators(tmp_path / name) & {"SHAPE", "PACK", "STRIDED_SLICE"}


# --- SavedModel -------------------------------------------------------------------------------------------------------


def test_the_saved_model_generates_the_same_images(model, serving):
    for seed in (0, 7, 2**31 - 1):
        expected = model.generate(64, seed=seed)
        images = serve(serving, "generate", n=tf.constant(64), seed=tf.constant(seed, tf.int64))
        assert images.dtype == np.uint8 and images.shape == expected.shape == (64, 28, 28, 1)
        assert expected.std() > 5, "all grey: equal images would prove nothing"
        assert within_one_level(images, expected)
    few = serve(serving, "generate", n=tf.constant(3), seed=tf.constant(7, tf.int64))
    assert within_one_level(few, model.generate(3, seed=7))


def test_the_saved_model_serves_latents(model, serving):
    latents = model.latents_of(3, range(10))
    images = serve(serving, "serving_default", latents=tf.constant(latents))
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, model(latents), atol=1e-6)
    assert within_one_level(to_uint8(images), model.sample(latents))


def test_the_saved_model_needs_no_kerasgan(serving):
    """A server has TensorFlow alone."""
    code = (
        "import sys, tensorflow as tf; served = tf.saved_model.load(sys.argv[1]).signatures['generate'];"
        "print(served(n=tf.constant(2), seed=tf.constant(7, tf.int64))['images'].shape);"
        "print('kerasgan' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, serving], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["(2, 28, 28, 1)", "False"]


@pytest.mark.parametrize("distribution", random.DISTRIBUTIONS)
@pytest.mark.parametrize("size", [1, 8, 101])
def test_latents_in_a_graph_are_those_of_random(distribution, size):
    drawn = exports.latents_of(distribution, tf.constant(2**31 - 1, tf.int64), 50, size)
    expected = random.DISTRIBUTIONS[distribution](2**31 - 1, range(50), size)
    np.testing.assert_allclose(drawn, expected, atol=2e-6)


def test_drawing_of_labels(tmp_path):
    """Of a conditional model `generate` takes labels, as integers."""
    model = cgan()
    model.export(tmp_path / "serving")
    labels = np.array([2, 2, 0, 1], "int32")
    images = serve(tmp_path / "serving", "generate", labels=tf.constant(labels), seed=tf.constant(7, tf.int64))
    assert within_one_level(images, model.generate(labels=labels, seed=7))
    other = exports.formats.drawing(model, exports.served(model, exports.input_shapes(model, None)).serve)
    np.testing.assert_array_equal(other(tf.constant(labels), tf.constant(7, tf.int64))["images"], images)
    for wrong in ([0, 3], [-1, 0]):  # which would be no class at all
        with pytest.raises(tf.errors.InvalidArgumentError, match="labels are integers from 0 to 2"):
            serve(tmp_path / "serving", "generate", labels=tf.constant(wrong), seed=tf.constant(7, tf.int64))


def test_drawing_of_no_class(tmp_path):
    """Where labels were hidden in training, -1 is of no class, as `generate(n)`."""
    model = lapgan(label_dropout=0.1)
    model.export(tmp_path / "serving")
    assert exports.contract(model)["labels"]["no_class"] == "all zeros"

    def drawn(labels):
        return serve(tmp_path / "serving", "generate", labels=tf.constant(labels), seed=tf.constant(7, tf.int64))

    assert within_one_level(drawn([-1] * 4), model.generate(4, seed=7))
    np.testing.assert_array_equal(drawn([-1, 2])[1], drawn([0, 2])[1])
    with pytest.raises(tf.errors.InvalidArgumentError, match="labels are integers from 0 to 2 or -1, of no class"):
        drawn([-2, 0])


# --- batches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["g.tflite", "g.onnx", "serving"])
def test_a_free_batch_and_a_fixed_one(name, tmp_path):
    pytest.importorskip("onnxruntime", reason="pip install 'kerasgan[onnx]'")
    model = cgan()
    for batch_size in (None, 4):
        said = model.export(tmp_path / name, batch_size=batch_size, overwrite=True)
        assert said["latents"]["shape"] == [batch_size, 8] and said["labels"]["shape"] == [batch_size, 3]
        run, inputs = exports.opened(tmp_path / name), exports.fresh_inputs(model, batch_size, count=7, seed=5)[0]
        images = exports.outputs(run, inputs, batch_size)
        np.testing.assert_allclose(images, model(list(inputs.values())), atol=1e-5)
        turned = exports.outputs(run, inputs | {"labels": inputs["labels"][:, ::-1].copy()}, batch_size)
        assert np.abs(turned - images).max() > 1e-3, "labels say nothing"
    with pytest.raises(Exception, match="(?i)shape|dim|expected|incompatible|mismatch"):  # the shape is in the file
        run(**{key: array[:3] for key, array in inputs.items()})


def test_batches():
    inputs = {"latents": np.arange(6), "labels": np.arange(6) % 2}
    parts = [{name: list(array) for name, array in part.items()} for part in exports.batches(inputs, 4)]
    assert parts == [{"latents": [0, 1, 2, 3], "labels": [0, 1, 0, 1]}, {"latents": [4, 5], "labels": [0, 1]}]
    np.testing.assert_array_equal(
        exports.outputs(lambda latents, labels: latents + labels, inputs, 2), [0, 2, 2, 4, 4, 6]
    )


def test_input_shapes(model):
    assert exports.input_shapes(model, 4) == {"latents": (4, 8)}
    assert exports.input_shapes(cgan(), None) == {"latents": (None, 8), "labels": (None, 3)}


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
    inputs = {"latents": model.latents_of(5, range(8))}
    images = exports.outputs(exports.opened(tmp_path / "g.tflite"), inputs)
    assert np.abs(images - model.generator(inputs["latents"], training=False)).max() > 1e-3, "the two are one"
    np.testing.assert_allclose(images, model.average(inputs["latents"]), atol=1e-5)
    model.fit(np.zeros((32, 28, 28, 1), "uint8"), batch_size=8, verbose=0)
    assert model.export(tmp_path / "g.tflite", overwrite=True)["max_difference"] <= 1e-5
    assert np.abs(images - exports.outputs(exports.opened(tmp_path / "g.tflite"), inputs)).max() > 1e-3


def test_a_model_of_mixed_precision(tmp_path):
    """Its average is float32, and so is what is exported."""
    model = cgan(dtype="mixed_bfloat16")
    assert model.export(tmp_path / "g.tflite")["max_difference"] <= 1e-5
    assert exports.opened(tmp_path / "g.tflite")(**exports.fresh_inputs(model)[0]).dtype == np.float32
