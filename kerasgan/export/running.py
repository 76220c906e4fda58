"""Exports at work: what one answers, and how fast."""

import importlib.util
import pathlib
import platform
import statistics
import time

import numpy as np
import tensorflow as tf

RUNS = 20
BATCH = 100  # inputs at a time, where a batch is free


def opened(path):
    """An export as a function of named inputs to the array that it makes; a `.tflite`, an `.onnx` or a SavedModel."""
    path = pathlib.Path(path)
    if path.suffix == ".tflite":
        if importlib.util.find_spec("ai_edge_litert"):
            from ai_edge_litert.interpreter import Interpreter
        else:
            Interpreter = tf.lite.Interpreter
        runner = Interpreter(model_path=str(path)).get_signature_runner()
        (made,) = runner.get_output_details()
        return lambda **inputs: runner(**inputs)[made]
    if path.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return lambda **inputs: session.run(None, inputs)[0]
    loaded = tf.saved_model.load(str(path))

    def run(**inputs):
        (made,) = loaded.signatures["serving_default"](**{name: tf.constant(x) for name, x in inputs.items()}).values()
        return made.numpy()

    return run


def outputs(run, inputs, batch_size=None):
    """What a function of named inputs makes of {name: array}, in batches of the fixed size, or 100 at a time."""
    return np.concatenate([run(**part) for part in batches(inputs, batch_size or BATCH)])


def batches(inputs, size):
    """{name: array} in parts of that size."""
    n = len(next(iter(inputs.values())))
    return ({name: array[i : i + size] for name, array in inputs.items()} for i in range(0, n, size))


def latency(run, inputs):
    """How long one call takes: {"median_ms", "batch", "runs", "processor"}."""
    times = []
    for _ in range(RUNS + 3):
        start = time.perf_counter()
        run(**inputs)
        times.append(1000 * (time.perf_counter() - start))
    batch = len(next(iter(inputs.values())))
    return {"median_ms": round(statistics.median(times[3:]), 3), "batch": batch, "runs": RUNS, "processor": processor()}


def processor():
    """The name of this machine's processor."""
    facts = pathlib.Path("/proc/cpuinfo")  # Linux, where `platform` knows the architecture alone
    lines = facts.read_text().splitlines() if facts.is_file() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
