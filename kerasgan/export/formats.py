"""One function of the averaged generator, and three ways to write it down."""

import pathlib

import keras
import numpy as np
import tensorflow as tf

FORMATS = {"tf_saved_model": "", "litert": ".tflite", "onnx": ".onnx"}  # names as Keras has them; a suffix for each
OPSET = 18  # the newest that tf2onnx writes


def is_upscaler(model):
    """Whether pictures go in, and not latents."""
    return hasattr(model, "scale")


def input_shapes(model, batch_size, size=None):
    """{name: shape} of what the network takes; labels are one-hot."""
    if is_upscaler(model):
        return {"low": (batch_size, *(size or (None, None)), model.image_shape[-1])}
    labels = {"labels": (batch_size, model.classes)} if model.conditional else {}
    return {"latents": (batch_size, *model.latent_shape), **labels}


def network_of(model):
    """The network that is exported: the average; of an upscaler ended in [-1, 1], as `call` ends it."""
    if not is_upscaler(model):
        return model.average
    low = keras.Input(model.average.inputs[0].shape[1:], name="low")
    return keras.Model(low, keras.ops.clip(model.average(low), -1, 1), name="upscaler")


def served(model, shapes):
    """A `tf.Module` whose `serve` takes inputs {name: shape} and returns {"images": ...}, of an upscaler {"high": ...}.

    `keras.export.ExportArchive` would store every weight twice.
    """
    needs_tensorflow()
    network, made = network_of(model), "high" if is_upscaler(model) else "images"
    module = tf.Module()
    module.weights = [weight.value for weight in network.weights]
    specs = [tf.TensorSpec(shape, tf.float32, name) for name, shape in shapes.items()]

    def serve(*inputs):
        return {made: network(list(inputs) if len(inputs) > 1 else inputs[0], training=False)}

    module.serve = tf.function(serve, specs)
    return module


def saved_model(model, path, shapes):
    """A SavedModel with two signatures: `serving_default(latents)`: float images, `generate(n, seed)`: uint8.

    `generate` gives the images of `model.generate(n, seed)`. Of a conditional model they are
    `serving_default(latents, labels)`, one-hot, and `generate(labels, seed)`, integers: `model.generate(labels=...)`.
    Of an upscaler there is `serving_default(low)` alone.
    """
    module = served(model, shapes)
    signatures = {"serving_default": module.serve}
    if not is_upscaler(model):
        signatures["generate"] = module.generate = drawing(model, module.serve)
    try:
        tf.saved_model.save(module, str(path), signatures)
    except tf.errors.OpError as error:  # a full disk, as TensorFlow says it
        raise OSError(f"The SavedModel could not be written: {error.message}") from error


def drawing(model, serve):
    """`model.generate` in a graph: of (n, seed), or of (labels, seed)."""
    size = int(np.prod(model.latent_shape))

    def drawn(n, seed, *labels):
        latents = tf.reshape(latents_of(model.latent_distribution, seed, n, size), [n, *model.latent_shape])
        images = serve(latents, *labels)["images"]
        return {"images": tf.cast(tf.clip_by_value(tf.round((images + 1) * 127.5), 0, 255), tf.uint8)}

    def of_labels(labels, seed):
        least = -1 if model.label_dropout else 0  # of no class: its one-hot label is all zeros
        said = f"labels are integers from 0 to {model.classes - 1}" + " or -1, of no class" * (least < 0)
        tf.debugging.assert_greater_equal(labels, least, said)
        tf.debugging.assert_less(labels, model.classes, said)
        return drawn(tf.shape(labels)[0], seed, tf.one_hot(labels, model.classes))

    wanted = tf.TensorSpec((None,), tf.int32, "labels") if model.conditional else tf.TensorSpec((), tf.int32, "n")
    return tf.function(of_labels if model.conditional else drawn, [wanted, tf.TensorSpec((), tf.int64, "seed")])


def latents_of(distribution, seed, n, size):
    """`random.normal` or `random.uniform` of (seed, range(n), size), in a graph: TensorFlow's own Philox."""
    draw = {"normal": tf.raw_ops.StatelessRandomNormalV2, "uniform": tf.raw_ops.StatelessRandomUniformV2}[distribution]
    key, counter = tf.bitcast(tf.reshape(seed, [1]), tf.uint64), tf.zeros([2], tf.uint64)
    rows = draw(shape=[n, 4 * -(-size // 4)], key=key, counter=counter, alg=1)[:, :size]
    return rows if distribution == "normal" else 2 * rows - 1


def litert(model, path, shapes):
    """One `.tflite` file, float32, built-in operators only; a batch size among the shapes makes all of them static."""
    module = served(model, shapes)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)
    pathlib.Path(path).write_bytes(converter.convert())


def onnx(model, path, shapes):
    """One `.onnx` file, float32."""
    import tf2onnx

    serve = served(model, shapes).serve

    def clipped(*inputs):  # the tanh of ONNX Runtime reaches 1.0000001
        return {name: tf.clip_by_value(made, -1, 1) for name, made in serve(*inputs).items()}

    specs = serve.input_signature
    tf2onnx.convert.from_function(tf.function(clipped, specs), specs, opset=OPSET, output_path=str(path))


def needs_tensorflow():
    """Refuse to export on another backend, whose tensors TensorFlow cannot trace."""
    if keras.backend.backend() != "tensorflow":
        raise NotImplementedError(
            f"Exports are written on the TensorFlow backend, and Keras runs on {keras.backend.backend()!r}:"
            " save the model (model.save), and export it in a process with KERAS_BACKEND=tensorflow."
        )
