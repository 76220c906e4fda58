"""What `model.export` and `kerasgan export` do: check, write aside, compare, put into place."""

import difflib
import importlib.util
import json
import math
import pathlib
import tempfile

import keras
import numpy as np

from kerasgan import names
from kerasgan.export import formats, quantising, sidecar
from kerasgan.export.formats import FORMATS, is_upscaler
from kerasgan.export.running import batches
from kerasgan.files import check_writable, write_json

SUFFIXES = {".tflite", ".onnx", ".json", ".keras", ".h5", ".pb", ".pt", ".zip", ".npz", ".png"}  # that no folder has
SAVED_MODEL = {"saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra"}  # what lies in one
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
            ImportError: a package is missing. OSError: it cannot be written. FileExistsError: the path exists, or holds
            what no export has made. Where it fails, what lay there lies there still.
    """
    path = pathlib.Path(filepath)
    check_model(model)
    format = checked_format(path, format, precision, batch_size)
    check_size(model, size)
    check_batch(model, batch_size, size)
    check_installed(format, precision)
    beside = path.with_name(path.name + ".json")
    check_free(path, overwrite)
    check_free(beside, overwrite)  # `config` would otherwise replace a config.json of the user's
    check_writable(beside)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        place = pathlib.Path(folder)
        (place / "new").mkdir()
        made = place / "new" / path.name  # no name of the user's is one of ours
        calibrated = write(model, made, format, precision, batch_size, size)
        measured = sidecar.describe(model, format, precision, made, batch_size, size)
        write_json(place / "side-car", description := {"path": str(path)} | measured | calibrated)
        put(made, path, place / "old")
        (place / "side-car").replace(beside)
    return description


def put(made, path, aside):
    """Move what was made into place; where a folder is in the game, which cannot be replaced in one step, by way of
    `aside`, from where it comes back if that fails."""
    if not path.is_dir() and not (path.exists() and made.is_dir()):
        made.replace(path)
        return
    path.rename(aside)
    try:
        made.replace(path)
    except BaseException:  # a stop between the two steps, too
        aside.rename(path)
        raise


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
    """Refuse what has no average of a generator, or one that draws nothing.

    Raises:
        ValueError: it is no variant, or its constructor never built it; or its weights are NaN or infinite.
    """
    if not hasattr(model, "average"):
        raise ValueError(
            f"{type(model).__name__} {getattr(model, 'name', '')!r} is no generator of kerasgan, or was never built:"
            " what `DCGAN(...)` and other variants make and `kerasgan.load` returns of them can be exported."
        )
    lost = [
        weight.path for weight in model.average.weights if not np.isfinite(keras.ops.convert_to_numpy(weight)).all()
    ]
    if lost:
        raise ValueError(
            f"{len(lost)} tensors of the generator hold NaN or infinity, {lost[0]} first: go back to a checkpoint from"
            " before the training ran away."
        )


def checked_format(path, format, precision="float32", batch_size=None):
    """The format, or the one that the path's suffix names; refuses what does not go together."""
    if not path.name:
        raise ValueError(f"An export needs a name, such as generator.tflite; saw {str(path)!r}.")
    by_suffix = {suffix: name for name, suffix in FORMATS.items() if suffix}
    format = format or by_suffix.get(path.suffix, "tf_saved_model")
    names.check_choice("format", format, FORMATS)
    if FORMATS[format] and path.suffix != FORMATS[format]:
        raise ValueError(f"An export to {format} is one file that ends in {FORMATS[format]}; saw {path}.")
    suffix = path.suffix.lower() or path.name.lower()  # ".tflite" is a name without a suffix
    if not FORMATS[format] and difflib.get_close_matches(suffix, SUFFIXES, cutoff=0.8):  # ".tflit", too
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


def check_batch(model, batch_size, size=None):
    """Refuse a fixed batch of more values than an int32 counts, which no format can say."""
    shapes = formats.input_shapes(model, batch_size, size).values()
    most = max(math.prod(side or 1 for side in shape) for shape in (*shapes, (batch_size, *model.image_shape)))
    if most >= 2**31:
        raise ValueError(
            f"batch_size={batch_size} makes tensors of {most:,} values; formats count up to {2**31 - 1:,}."
        )


def check_installed(format, precision="float32"):
    """Refuse what needs packages that are missing, with the line that installs them."""
    if format == "onnx":
        what, extra, needed = format, "onnx", ("tf2onnx", "onnx", "onnxruntime")
    else:  # TensorFlow itself writes and runs SavedModels and float32
        what, extra, needed = (
            precision,
            "tflite",
            () if precision == "float32" else ("ai_edge_quantizer", "ai_edge_litert"),
        )
    if missing := [package for package in needed if importlib.util.find_spec(package) is None]:
        raise ImportError(f"{what} needs {', '.join(missing)}: pip install 'kerasgan[{extra}]'.")


def check_free(path, overwrite):
    """Refuse to write over what lies there, and ever over what no export has made.

    Raises:
        FileExistsError: something is there that may not be replaced, or is a link to nothing, a folder with other
            things than a SavedModel, or a .json that is no side-car.
    """
    if path.is_symlink() and not path.exists():
        raise FileExistsError(f"{path} is a link to nothing: choose another path, or remove it.")
    if path.is_dir() and (others := others_in(path)):
        raise FileExistsError(
            f"{path} is a folder with other things than a SavedModel, such as {others[0]}: it is never replaced;"
            " choose another path."
        )
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists: choose another path, or replace it (overwrite=True; the command: --force)."
        )
    if path.is_file() and path.suffix == ".json" and not is_sidecar(path):
        raise FileExistsError(f"{path} is no side-car of an export, and is never replaced: choose another path.")


def others_in(folder):
    """The names in a folder that a SavedModel has not; without a SavedModel all."""
    found = {path.name for path in folder.iterdir()}
    return sorted(found - SAVED_MODEL if "saved_model.pb" in found else found)


def is_sidecar(path):
    """Whether a .json was written beside an export."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(value, dict) and {"format", "precision", "checked_on"} <= value.keys()
