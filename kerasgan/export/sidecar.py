"""The side-car of an export: its contract, where it comes from, and what was measured."""

import contextlib
import importlib.metadata
import json

import keras
import numpy as np
import tensorflow as tf

from kerasgan import __version__
from kerasgan.export.formats import input_shapes, is_upscaler
from kerasgan.export.running import latency, opened, outputs

CHECKED = 1000  # latents that an export is compared on
SEED = 19999  # of them; they trained and calibrated nothing
SIZE = (24, 40)  # of the pictures that an upscaler is compared on, where its export takes any
PACKAGES = {"litert": ("ai-edge-litert", "ai-edge-quantizer"), "onnx": ("tf2onnx", "onnx", "onnxruntime")}


def describe(model, format, precision, path, batch_size=None, size=None):
    """The side-car: the contract of the exported generator, its measured distance from Keras, its size and speed."""
    inputs, checked_on = fresh_inputs(model, batch_size, size)
    run = opened(path)
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return {
        "format": format,
        "precision": precision,
        **contract(model, batch_size, size),
        "bytes": sum(file.stat().st_size for file in files),
        **compared(model, run, inputs, batch_size),
        "checked_on": checked_on,
        "latency": latency(run, {name: array[: batch_size or 1] for name, array in inputs.items()}),
        "variant": type(model).__name__,
        "entry": origin(model),
        "config": json.loads(json.dumps(model.get_config(), default=str)),
        "versions": versions(format),
    }


def contract(model, batch_size=None, size=None):
    """What goes in and what comes out: names, shapes, ranges, the latents' distribution, the classes."""
    picture = {"value_range": [-1, 1], "dtype": "float32", "layout": "NHWC"}
    shapes = input_shapes(model, batch_size, size)
    parts = {name: {"shape": list(shape), "dtype": "float32"} for name, shape in shapes.items()}
    if is_upscaler(model):
        sides = [side and side * model.scale for side in parts["low"]["shape"][1:3]]
        parts["low"] |= picture
        return parts | {"high": {"shape": [batch_size, *sides, model.image_shape[-1]], **picture}}
    parts["latents"]["distribution"] = model.latent_distribution
    if model.conditional:
        parts["labels"] |= {"encoding": "one-hot", "class_names": (model.entry or {}).get("class_names")}
        parts["labels"] |= {"no_class": "all zeros"} if model.label_dropout else {}
    return parts | {"images": {"shape": [batch_size, *model.image_shape], **picture}}


def fresh_inputs(model, batch_size=None, size=None, count=CHECKED, seed=SEED):
    """({name: array} of at least `count` latents, and their labels, in whole batches; in words which).

    Of an upscaler a batch of pictures of that size, two where it is free.
    """
    if is_upscaler(model):
        n, (height, width), channels = batch_size or 2, size or SIZE, model.image_shape[-1]
        small = np.random.default_rng(seed).uniform(-1, 1, (n, -(-height // 4), -(-width // 4), channels))
        low = small.repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width].astype("float32")  # it has edges
        return {"low": low}, f"{n} picture{'s' * (n > 1)} of blocks, {height}x{width}, of seed {seed}"
    n = -(-count // (batch_size or 1)) * (batch_size or 1)
    arrays = model.inputs_of(seed, range(n))  # the labels are i mod classes
    return dict(zip(input_shapes(model, batch_size), arrays, strict=True)), f"{n} latents of seed {seed}"


def compared(model, run, inputs, batch_size=None):
    """How far an export's images are from Keras': {"max_difference", "p999_difference", "mean_difference"}."""

    def keras_(**part):
        arrays = list(part.values())
        return model.predict_on_batch(arrays if len(arrays) > 1 else arrays[0])[: len(arrays[0])]

    difference = np.abs(outputs(run, inputs, batch_size) - outputs(keras_, inputs))
    return {
        "max_difference": float(difference.max()),
        "p999_difference": float(np.quantile(difference, 0.999)),
        "mean_difference": float(difference.mean()),
    }


def origin(model):
    """The entry of the zoo that a model was loaded from: its name, its weights' hash, and the steps trained since."""
    if not model.entry:
        return None
    return {**{key: model.entry[key] for key in ("name", "sha256")}, "steps_since": int(model.step)}


def versions(format):
    """Of everything that had a part in it."""
    found = {"kerasgan": __version__, "keras": keras.__version__, "tensorflow": tf.__version__}
    for package in PACKAGES.get(format, ()):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # a .tflite is written without them
            found[package] = importlib.metadata.version(package)
    return found
