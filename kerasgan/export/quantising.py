"""float16 and int8: a float32 `.tflite` made smaller by AI Edge Quantizer."""

import contextlib
import io
import pathlib
import warnings

import numpy as np

PRECISIONS = ("float32", "float16", "int8")
SATURATING = {"TANH": 4.0, "LOGISTIC": 8.0}  # beyond +- this they answer +-1 within 7e-4


@contextlib.contextmanager
def silence():
    """Nothing on stdout, which may hold JSON, of a library's progress bars and sizes."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        with warnings.catch_warnings(action="ignore"):
            yield


def float16(source, path):
    """Kernels as float16, half the bytes; biases stay float32: rounding them costs more."""
    from ai_edge_quantizer import algorithm_manager, qtyping, quantizer

    operations = qtyping.TFLOperationName
    with silence():
        half = quantizer.Quantizer(str(source))
        for operation in (operations.FULLY_CONNECTED, operations.CONV_2D, operations.CONV_2D_TRANSPOSE):
            casting = algorithm_manager.AlgorithmName.FLOAT_CASTING
            half.add_weight_only_config(".*", operation, num_bits=16, algorithm_key=casting)
        half.quantize().export_model(str(path))


def int8(source, path, calibrations):
    """Weights and activations as int8, a quarter of the bytes; inputs and outputs stay float32.

    Args:
        source: the float32 file. path: of the new one.
        calibrations: [(a file of the same network, [batch {name: array}])]: the ranges are those seen there; where two
            know the same tensor, those of the last.
    """
    from ai_edge_quantizer import algorithm_manager, qtyping, quantizer, recipe

    operations, exact = qtyping.TFLOperationName, algorithm_manager.AlgorithmName.NO_QUANTIZE

    def quantised(file):
        made = quantizer.Quantizer(str(file), recipe.static_wi8_ai8())
        for ends in (operations.INPUT, operations.OUTPUT):
            made.update_quantization_recipe(".*", ends, algorithm_key=exact)
        # Which latent is the largest: rounded to 8 bits, two of them often are.
        made.update_quantization_recipe(".*latent_mixture.*", operations.ALL_SUPPORTED, algorithm_key=exact)
        return made

    with silence():
        ranges = {}
        for file, parts in calibrations:
            ranges |= quantised(file).calibrate({"serving_default": parts})
        for name, limit in saturating(source).items():  # or -80, which is as black as -4, would cost all the levels
            if name in ranges:
                ranges[name] = {end: np.clip(value, -limit, limit) for end, value in ranges[name].items()}
        quantised(source).quantize(ranges).export_model(str(path))


def saturating(path):
    """{tensor of a `.tflite`: +- the value beyond which nothing changes}: what a tanh or a sigmoid is given."""
    from ai_edge_litert import schema_py_generated as schema

    file = schema.Model.GetRootAs(pathlib.Path(path).read_bytes(), 0)
    graph, found = file.Subgraphs(0), {}
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = file.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
        for name, limit in SATURATING.items():
            if code == getattr(schema.BuiltinOperator, name):
                found[graph.Tensors(operator.Inputs(0)).Name().decode()] = limit
    return found
