"""The averaged generator for other places: SavedModel and TFLite, each checked against Keras on fresh inputs.

Beside every export lies a side-car (`<name>.json`): what goes in, what comes out, from what it was made, and the
largest difference that was measured.
"""

import importlib.util
import json
import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf

from kerasgan import __version__, names
from kerasgan.files import check_writable, write_json

FORMATS = ("tf_saved_model", "litert")
FILES = {".tflite", ".onnx", ".keras", ".h5", ".pb", ".pt", ".zip", ".npz", ".png"}  # suffixes that no folder has
CHECKED = 100  # latents that an export is compared on, none of which trained or calibrated anything
SEED = 19999
SIZE = (24, 40)  # of the pictures that an upscaler is compared on, where its export takes any


def export(model, filepath, format=None, batch_size=None, overwrite=False, size=None):
    """Write the averaged generator, and say how far it is from Keras.

        >>> model.export("generator.tflite")["max_difference"]
        2.4e-07
        >>> kerasgan.load("srgan_x4").export("upscaler.tflite", batch_size=1, size=(128, 128))

    Args:
        model: a trained variant. filepath: a `.tflite` file, or a folder for a SavedModel.
        format: "litert" or "tf_saved_model"; None goes by the suffix.
        batch_size: of a `.tflite` of fixed batch, which GPU delegates need; None leaves it free.
        overwrite: replace what lies there.
        size: (height, width) of the pictures that an upscaler takes; None: any.

    Returns:
        The side-car, as a dictionary.

    Raises:
        ValueError: an unknown format, or a suffix, batch size or size that does not fit. OSError: it cannot be
            written. FileExistsError: the path exists.
    """
    path = pathlib.Path(filepath)
    format = checked_format(path, format, batch_size)
    check_size(model, size)
    sidecar = path.with_name(path.name + ".json")
    for target in (path, sidecar):  # `config` would otherwise replace a config.json of the user's
        check_free(target, overwrite)
    check_writable(sidecar)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as place:
        made = pathlib.Path(place) / path.name
        write, run = (litert, run_litert) if format == "litert" else (saved_model, run_saved_model)
        write(model, made, input_shapes(model, batch_size, size))
        description = describe(model, format, made, run, batch_size, size)
        if path.is_dir() or (path.exists() and made.is_dir()):  # neither can be replaced in one step: put it aside
            path.rename(pathlib.Path(place) / "replaced")
        made.replace(path)
    description = {"path": str(path)} | description
    write_json(sidecar, description)
    return description


def checked_format(path, format, batch_size):
    """The format, or the one that the path's suffix names; refuses what does not go together."""
    format = format or ("litert" if path.suffix == ".tflite" else "tf_saved_model")
    names.check_choice("format", format, FORMATS)
    if format == "litert" and path.suffix != ".tflite":
        raise ValueError(f"A litert export is one file that ends in .tflite; saw {path}.")
    if format == "tf_saved_model" and path.suffix.lower() in FILES:
        raise ValueError(f"A SavedModel is a folder, and litert a file that ends in .tflite; {path} is neither.")
    if batch_size is not None and (type(batch_size) is not int or batch_size < 1):
        raise ValueError(f"batch_size is None or an integer of at least 1; saw {batch_size!r}.")
    return format


def check_size(model, size):
    """Refuse a size of what has one, and what is none."""
    if size is None:
        return
    if not is_upscaler(model):
        raise ValueError(f"size is for models that make pictures larger; {type(model).__name__} draws one size.")
    if not isinstance(size, list | tuple) or len(size) != 2 or not all(type(s) is int and s > 0 for s in size):
        raise ValueError(f"size is (height, width), two integers of at least 1; saw {size!r}.")


def is_upscaler(model):
    """Whether pictures go in, and not latents."""
    return hasattr(model, "scale")


def check_free(path, overwrite):
    """Refuse to write over what lies there, or over a folder that is no SavedModel."""
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists: choose another path, or replace it (overwrite=True, --overwrite).")
    if path.is_dir() and any(path.iterdir()) and not (path / "saved_model.pb").is_file():
        raise FileExistsError(f"{path} is a folder with other things than a SavedModel: it is not overwritten.")


def describe(model, format, path, run, batch_size, size=None):
    """The side-car: the contract of the exported generator, and its measured distance from Keras."""
    inputs, checked_on = fresh_inputs(model, batch_size, size)
    expected = model.predict_on_batch(list(inputs) if len(inputs) > 1 else inputs[0])
    difference = np.abs(run(path, inputs, batch_size) - expected)
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    picture = {"value_range": [-1, 1], "dtype": "float32", "layout": "NHWC"}
    contract = {name: {"shape": list(shape), "dtype": "float32"} for name, shape in
                input_shapes(model, batch_size, size).items()}  # fmt: skip
    if is_upscaler(model):
        contract["low"] |= picture
        made, sides = "high", [side and side * model.scale for side in contract["low"]["shape"][1:3]]
        shape = [batch_size, *sides, model.image_shape[-1]]
    else:
        contract["latents"]["distribution"] = model.latent_distribution
        if model.conditional:
            contract["labels"]["encoding"] = "one-hot"
        made, shape = "images", [batch_size, *model.image_shape]
    return {
        "format": format,
        **contract,
        made: {"shape": shape, **picture},
        "bytes": sum(file.stat().st_size for file in files),
        "max_difference": float(difference.max()),
        "checked_on": checked_on,
        "variant": type(model).__name__,
        "config": json.loads(json.dumps(model.get_config(), default=str)),
        "versions": {"kerasgan": __version__, "keras": keras.__version__, "tensorflow": tf.__version__},
    }


def fresh_inputs(model, batch_size, size=None):
    """(what an export is compared on: a tuple of arrays, in words); in whole batches."""
    if is_upscaler(model):
        count, sides = batch_size or 2, size or SIZE
        rng = np.random.default_rng(SEED)
        small = rng.uniform(-1, 1, (count, -(-sides[0] // 4), -(-sides[1] // 4), model.image_shape[-1]))
        low = small.repeat(4, axis=1).repeat(4, axis=2)[:, : sides[0], : sides[1]].astype("float32")  # it has edges
        return (low,), f"{count} pictures of blocks, {sides[0]}x{sides[1]}, of seed {SEED}"
    count = CHECKED if batch_size is None else -(-CHECKED // batch_size) * batch_size
    inputs = model.inputs_of(SEED, range(count), np.arange(count) % model.classes if model.conditional else None)
    return inputs, f"{count} latents of seed {SEED}"


def network_of(model):
    """The network that is exported: the average; of an upscaler ended in [-1, 1], as `call` ends it."""
    if not is_upscaler(model):
        return model.average
    low = keras.Input(model.average.inputs[0].shape[1:], name="low")
    return keras.Model(low, keras.ops.clip(model.average(low), -1, 1), name="upscaler")


def litert(model, path, shapes):
    """One `.tflite` file, float32, built-in operators only, of inputs {name: shape}."""
    needs_tensorflow()
    # A batch size in keras.Input would be lost; in the signature it makes the file's shapes static.
    signature = [keras.InputSpec(shape=shape, dtype="float32", name=name) for name, shape in shapes.items()]
    taken = [signature] if len(signature) > 1 else signature  # a list of inputs is one argument
    network_of(model).export(str(path), format="litert", input_signature=taken, verbose=False)


def input_shapes(model, batch_size, size=None):
    """{name: shape} of what the network takes; labels are one-hot."""
    if is_upscaler(model):
        return {"low": (batch_size, *(size or (None, None)), model.image_shape[-1])}
    labels = {"labels": (batch_size, model.classes)} if model.conditional else {}
    return {"latents": (batch_size, *model.latent_shape), **labels}


def run_litert(path, inputs, batch_size):
    """What a `.tflite` file makes of (latents,), (latents, labels) or (low,).

    It runs in ai_edge_litert if that is installed, else in TensorFlow's interpreter.
    """
    if importlib.util.find_spec("ai_edge_litert"):
        from ai_edge_litert.interpreter import Interpreter
    else:
        Interpreter = tf.lite.Interpreter
    runner = Interpreter(model_path=str(path)).get_signature_runner()
    (images,) = runner.get_output_details()
    names = [name for name in ("latents", "labels", "low") if name in runner.get_input_details()]
    return np.concatenate([runner(**part)[images] for part in batches(inputs, batch_size, names)])


def batches(inputs, batch_size, names):
    """{name: array} in batches of the fixed size, or all at once."""
    named = dict(zip(names, inputs, strict=True))
    n = len(inputs[0])
    size = batch_size or n
    return [{name: array[i : i + size] for name, array in named.items()} for i in range(0, n, size)]


def saved_model(model, path, shapes):
    """A SavedModel with two signatures: `serving_default(latents)`: float images, `generate(n, seed)`: uint8.

    `generate` gives the images of `model.generate(n, seed)`. Of a conditional model they are
    `serving_default(latents, labels)`, one-hot, and `generate(labels, seed)`, integers: `model.generate(labels=...)`.
    Of an upscaler there is `serving_default(low)` alone.
    """
    needs_tensorflow()
    module = tf.Module()  # `keras.export.ExportArchive` stores every weight twice
    module.weights = [weight.value for weight in model.average.weights]
    specs = [tf.TensorSpec(shape, tf.float32, name) for name, shape in shapes.items()]
    if is_upscaler(model):
        network = network_of(model)
        module.serve = tf.function(lambda low: {"high": network(low, training=False)}, specs)
        tf.saved_model.save(module, str(path), {"serving_default": module.serve})
        return
    size = int(np.prod(model.latent_shape))

    def serve(latents, labels=None):
        return {"images": model.average([latents, labels] if model.conditional else latents, training=False)}

    def generate(n, seed):
        return drawn(n, seed)

    def generate_labels(labels, seed):
        return drawn(tf.shape(labels)[0], seed, tf.one_hot(labels, model.classes))

    def drawn(n, seed, *labels):
        latents = tf.reshape(latents_of(model.latent_distribution, seed, n, size), [n, *model.latent_shape])
        images = serve(latents, *labels)["images"]
        return {"images": tf.cast(tf.clip_by_value(tf.round((images + 1) * 127.5), 0, 255), tf.uint8)}

    module.serve = tf.function(serve, specs)
    wanted = tf.TensorSpec((None,), tf.int32, "labels") if model.conditional else tf.TensorSpec((), tf.int32, "n")
    draw = generate_labels if model.conditional else generate
    module.generate = tf.function(draw, [wanted, tf.TensorSpec((), tf.int64, "seed")])
    tf.saved_model.save(module, str(path), {"serving_default": module.serve, "generate": module.generate})


def latents_of(distribution, seed, n, size):
    """`random.normal` or `random.uniform` of (seed, range(n), size), in a graph: TensorFlow's own Philox."""
    draw = {"normal": tf.raw_ops.StatelessRandomNormalV2, "uniform": tf.raw_ops.StatelessRandomUniformV2}[distribution]
    key, counter = tf.bitcast(tf.reshape(seed, [1]), tf.uint64), tf.zeros([2], tf.uint64)
    rows = draw(shape=[n, 4 * -(-size // 4)], key=key, counter=counter, alg=1)[:, :size]
    return rows if distribution == "normal" else 2 * rows - 1


def run_saved_model(path, inputs, batch_size):
    """What a SavedModel makes of (latents,), (latents, labels) or (low,)."""
    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]
    names = [name for name in ("latents", "labels", "low") if name in serve.structured_input_signature[1]]
    (images,) = serve.structured_outputs
    parts = batches(inputs, batch_size, names)
    return np.concatenate([serve(**{n: tf.constant(a) for n, a in part.items()})[images].numpy() for part in parts])


def needs_tensorflow():
    """Refuse to export on another backend, whose tensors TensorFlow cannot trace."""
    if keras.backend.backend() != "tensorflow":
        raise NotImplementedError(
            f"Exports are written on the TensorFlow backend, and Keras runs on {keras.backend.backend()!r}:"
            " save the model (model.save), and export it in a process with KERAS_BACKEND=tensorflow."
        )
