"""The averaged generator for other places: SavedModel, TFLite and ONNX, each checked against Keras on fresh inputs.

Beside every export lies a side-car (`<name>.json`): what goes in, what comes out, from what it was made, how far it is
from Keras, how large and how fast.
"""

from kerasgan.export.exporting import check_free, check_installed, check_model, check_size, checked_format, export
from kerasgan.export.formats import (
    FORMATS,
    input_shapes,
    is_upscaler,
    latents_of,
    litert,
    needs_tensorflow,
    network_of,
    onnx,
    saved_model,
    served,
)
from kerasgan.export.quantising import PRECISIONS, float16, int8, saturating
from kerasgan.export.running import batches, latency, opened, outputs, processor
from kerasgan.export.sidecar import CHECKED, SEED, compared, contract, describe, fresh_inputs, origin, versions

__all__ = [
    "CHECKED",
    "FORMATS",
    "PRECISIONS",
    "SEED",
    "batches",
    "check_free",
    "check_installed",
    "check_model",
    "check_size",
    "checked_format",
    "compared",
    "contract",
    "describe",
    "export",
    "float16",
    "fresh_inputs",
    "input_shapes",
    "int8",
    "is_upscaler",
    "latency",
    "latents_of",
    "litert",
    "needs_tensorflow",
    "network_of",
    "onnx",
    "opened",
    "origin",
    "outputs",
    "processor",
    "saturating",
    "saved_model",
    "served",
    "versions",
]
