"""What `model.export` and `kerasgan export` do: check, write aside, compare, put into place."""

import importlib.util
import pathlib
import tempfile

from kerasgan import names
from kerasgan.export import formats, quantising, sidecar
from kerasgan.export.formats import FORMATS, is_upscaler
from kerasgan.export.running import batches
from kerasgan.files import check_writable, write_json

SUFFIXES = {".tflite", ".onnx", ".keras", ".h5", ".pb", ".pt", ".zip", ".npz", ".png"}  # that no folder has
CALIBRATED, CALIBRATION_SEED = 1000, 29999  # none of these latents is among those that an export is compared on


def export(model, filepath, format=None, precision="float32", batch_size=None, overwrite=False, size=None):
    """Write the averaged generator, and say how far it is from Keras.

        >>> model.export("generator.tflite")["max_difference"]
        2.4e-07
        >>> model.export("small.tflite", precision="int8", batch_size=1)["bytes"]
        915648
        >>> kerasgan.load("srgan_x4").export("upscaler.onnx")

    Args:
        model: a trained variant. filepath: a `.tflite` or `.onnx` file, or a folder for a SavedModel.
        format: "tf_saved_model", "litert" or "onnx"; None goes by the suffix.
        precision: of a `.tflite`, "float32", "float16" or "int8", whose ranges are those of 1,000 latents of its own.
        batch_size: fixed, which GPU delegates need; None leaves it free.
        overwrite: replace what lies there.
        size: (height, width) of the pictures that an upscaler takes; None: any.

    Returns:
        The side-car, as a dictionary.

    Raises:
        ValueError: an unknown format, or a suffix, precision, batch size or size that does not fit; what is no variant.
            ImportError: a package is missing. OSError: it cannot be written. FileExistsError: the path exists.
    """
    path = pathlib.Path(filepath)
    check_model(model)
    format = checked_format(path, format, precision, batch_size)
    check_size(model, size)
    check_installed(format, precision)
    beside = path.with_name(path.name + ".json")
    for target in (path, beside):  # `config` would otherwise replace a config.json of the user's
        check_free(target, overwrite)
    check_writable(beside)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as place:
        made = pathlib.Path(place) / path.name
        calibrated = write(model, made, format, precision, batch_size, size)
        description = sidecar.describe(model, format, precision, made, batch_size, size) | calibrated
        if path.is_dir() or (path.exists() and made.is_dir()):  # neither can be replaced in one step: put it aside
            path.rename(pathlib.Path(place) / "replaced")
        made.replace(path)
    description = {"path": str(path)} | description
    write_json(beside, description)
    return description


def write(model, path, format, precision, batch_size, size):
    """Make the file or folder; returns what its side-car has to say of how: {"calibrated_on": ...} for int8."""
    writer = {"tf_saved_model": formats.saved_model, "litert": formats.litert, "onnx": formats.onnx}[format]
    if precision == "float32":
        writer(model, path, formats.input_shapes(model, batch_size, size))
        return {}
    full = path.with_name(f"full-{path.name}")
    writer(model, full, formats.input_shapes(model, batch_size, size))
    if precision == "float16":
        quantising.float16(full, path)
        return {}
    many = 2 if is_upscaler(model) else CALIBRATED // 10
    inputs, words = sidecar.fresh_inputs(model, 10 * many, size, seed=CALIBRATION_SEED)
    parts = list(batches(inputs, many))
    if batch_size is None:
        quantising.int8(full, path, [(full, parts)])
    else:  # ranges found a few latents at a time are too narrow
        wide = path.with_name(f"wide-{path.name}")
        writer(model, wide, formats.input_shapes(model, many, size))
        own, _ = sidecar.fresh_inputs(model, batch_size, size, seed=CALIBRATION_SEED)
        quantising.int8(full, path, [(full, list(batches(own, batch_size))[:100]), (wide, parts)])
    return {"calibrated_on": words}


def check_model(model):
    """Refuse what has no average of a generator.

    Raises:
        ValueError: it is no variant, or its constructor never built it.
    """
    if not hasattr(model, "average"):
        raise ValueError(
            f"{type(model).__name__} {getattr(model, 'name', '')!r} is no model of kerasgan, or was never built:"
            " what `kerasgan.load`, `DCGAN(...)` and other constructors return can be exported."
        )


def checked_format(path, format, precision="float32", batch_size=None):
    """The format, or the one that the path's suffix names; refuses what does not go together."""
    by_suffix = {suffix: name for name, suffix in FORMATS.items() if suffix}
    format = format or by_suffix.get(path.suffix, "tf_saved_model")
    names.check_choice("format", format, FORMATS)
    if FORMATS[format] and path.suffix != FORMATS[format]:
        raise ValueError(f"An export to {format} is one file that ends in {FORMATS[format]}; saw {path}.")
    if not FORMATS[format] and path.suffix.lower() in SUFFIXES:
        raise ValueError(
            f"A SavedModel is a folder, litert a file that ends in .tflite, onnx one in .onnx; {path} is none of them."
        )
    names.check_choice("precision", precision, quantising.PRECISIONS)
    if precision != "float32" and format != "litert":
        raise ValueError(f"{precision} is for a .tflite; {format} is written in float32.")
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


def check_installed(format, precision="float32"):
    """Refuse what needs packages that are missing, with the line that installs them."""
    if format == "onnx":
        what, extra, needed = format, "onnx", ("tf2onnx", "onnx", "onnxruntime")
    else:  # TensorFlow itself writes and runs SavedModels and float32
        what, extra, needed = precision, "tflite", () if precision == "float32" else ("ai_edge_quantizer",)
    if missing := [package for package in needed if importlib.util.find_spec(package) is None]:
        raise ImportError(f"{what} needs {', '.join(missing)}: pip install 'kerasgan[{extra}]'.")


def check_free(path, overwrite):
    """Refuse to write over what lies there, or over a folder that is no SavedModel."""
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists: choose another path, or replace it (overwrite=True; the command: --force)."
        )
    if path.is_dir() and any(path.iterdir()) and not (path / "saved_model.pb").is_file():
        raise FileExistsError(f"{path} is a folder with other things than a SavedModel: it is not overwritten.")
