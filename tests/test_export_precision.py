"""float32, float16 and int8 of the generators of the zoo, on latents that neither trained nor calibrated anything."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_export import operators

from kerasgan import export as exports
from kerasgan import metrics, zoo
from kerasgan.models import classifiers

pytest.importorskip("ai_edge_quantizer", reason="pip install 'kerasgan[tflite]'")
pytest.importorskip("onnxruntime", reason="pip install 'kerasgan[onnx]'")

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = [path.parent for path in sorted(ROOT.glob("zoo/*/generator.weights.h5"))]
OTHERS = [pytest.param(folder, marks=pytest.mark.soak) for folder in SHIPPED if folder.name != "dcgan_mnist"]
SEED = 20171  # of latents that nothing else looks at


@pytest.fixture(scope="module", params=[ROOT / "zoo" / "dcgan_mnist", *OTHERS], ids=lambda folder: folder.name)
def model(request):
    return zoo.load(request.param, metrics=False)


@pytest.mark.parametrize(
    ("name", "options", "mean", "largest"),
    [
        ("serving", {}, 1e-6, 1e-5),
        ("g.tflite", {}, 1e-6, 1e-5),
        ("g.onnx", {}, 1e-6, 1e-5),
        ("g.tflite", {"precision": "float16"}, 1e-4, 1e-2),
        ("g.tflite", {"precision": "int8", "batch_size": 1}, 1e-2, 2),
    ],
)
def test_the_zoo_is_as_exact_as_it_must_be(model, tmp_path, name, options, mean, largest):
    """The figures are for latents; of an upscaler, compared on made-up blocks, int8 is held to twice the mean."""
    said = model.export(tmp_path / name, **options)
    mean *= 2 if exports.is_upscaler(model) and options.get("precision") == "int8" else 1
    assert said["max_difference"] <= largest and said["mean_difference"] <= mean
    inputs, _ = exports.fresh_inputs(model, options.get("batch_size"), count=100, seed=SEED)
    images = exports.outputs(exports.opened(tmp_path / name), inputs, options.get("batch_size"))
    assert np.abs(images).max() <= 1 and images.std() > 0.05
    each = {"float16": 2, "int8": 1}.get(options.get("precision"), 4)  # bytes of a weight; graphs take some too
    assert said["bytes"] <= each * model.average.count_params() + 300_000


def test_calibrated_on_other_latents_than_checked(tiny_entry, tmp_path):
    model = zoo.load(tiny_entry, metrics=False)
    said = model.export(tmp_path / "g.tflite", precision="int8", batch_size=300)  # in whole batches: 1,200
    assert said["checked_on"] == "1200 latents of seed 19999" and said["mean_difference"] <= 0.02
    said = model.export(tmp_path / "g.tflite", precision="int8", overwrite=True)
    assert said["calibrated_on"] == "1000 latents of seed 29999" and said["checked_on"] == "1000 latents of seed 19999"
    seeds = exports.exporting.CALIBRATION_SEED, exports.SEED, SEED
    drawn = [{tuple(row) for row in exports.fresh_inputs(model, seed=seed)[0]["latents"]} for seed in seeds]
    assert len(set.union(*drawn)) == 3000


def test_float16_and_int8_of_a_file(tiny_entry, tmp_path, capsys):
    """They say nothing on stdout, and take what is float32 alone."""
    model = zoo.load(tiny_entry, metrics=False)
    full, half, small = (tmp_path / f"{name}.tflite" for name in ("full", "half", "small"))
    exports.litert(model, full, exports.input_shapes(model, None))
    exports.float16(full, half)
    inputs, _ = exports.fresh_inputs(model, count=50, seed=1)
    exports.int8(full, small, [(full, list(exports.batches(inputs, 10)))])
    assert capsys.readouterr().out == ""
    with exports.quantising.silence():
        print("a library says so")
    assert capsys.readouterr().out == ""
    assert "DEQUANTIZE" in operators(half) and "QUANTIZE" in operators(small)
    assert full.stat().st_size > max(half.stat().st_size, small.stat().st_size)


def test_saturating_tensors_keep_their_levels(tiny_entry, tmp_path):
    """What the tanh at the end is given, were it as large as 100, is cut at 4: of 255 levels 3 would be left."""
    model = zoo.load(tiny_entry, metrics=False)
    weights = model.average.get_weights()
    model.average.set_weights([*weights[:-2], 30 * weights[-2], 30 * weights[-1]])
    exports.litert(model, tmp_path / "g.tflite", exports.input_shapes(model, None))
    assert list(exports.saturating(tmp_path / "g.tflite").values()) == [4.0]
    said = model.export(tmp_path / "small.tflite", precision="int8")
    assert said["mean_difference"] <= 0.05


@pytest.mark.soak
@pytest.mark.real_data
def test_int8_digits_are_as_good(tmp_path):
    """Frechet distance to the test digits, 10,000 samples each: at most 1.2 times the float's."""
    from kerasgan import data

    model = zoo.load("dcgan_mnist", metrics=False)
    extractor = classifiers.extractor(zoo.load("lenet_mnist", metrics=False))
    real = metrics.features(extractor, data.from_tfds("mnist", "test").images)
    inputs, _ = exports.fresh_inputs(model, count=10_000, seed=SEED)
    drawn = {"float32": model.predict(inputs["latents"], batch_size=100, verbose=0)}
    model.export(tmp_path / "g.tflite", precision="int8")
    drawn["int8"] = exports.outputs(exports.opened(tmp_path / "g.tflite"), inputs)
    distances = {name: metrics.frechet_distance(real, metrics.features(extractor, x)) for name, x in drawn.items()}
    assert distances["int8"] <= 1.2 * distances["float32"]


@pytest.mark.soak
def test_twenty_conversions_leave_memory_flat(tmp_path):
    """After the first few, which load and compile, 20 exports of 0.8 million weights add less than one is large."""
    code = """
import gc, pathlib, sys, kerasgan
model = kerasgan.load("dcgan_mnist", metrics=False)
for _ in range(25):
    model.export(sys.argv[1], overwrite=True)
    gc.collect()
    print(int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20)
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "g.tflite"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    resident = [float(line) for line in done.stdout.split()]
    assert resident[-1] - resident[4] <= 40, resident
