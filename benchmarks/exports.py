"""What does each export cost, and what does it lose? `python benchmarks/exports.py` (or `... NAME`)

For every format and precision of an entry: bytes, how far its images are from Keras' on 1,000 fresh latents, how long a
batch of 1 takes on one thread, and the Frechet distance of 10,000 samples to the test digits in the features on the
card, beside Keras' own. Then memory after each of 20 conversions in a row. Needs MNIST: TFDS_DATA_DIR.
"""

import gc
import json
import pathlib
import sys
import tempfile

import kerasgan
from kerasgan import data, export, metrics
from kerasgan.models import classifiers

WAYS = {
    "SavedModel": ("serving", {}),
    "ONNX": ("g.onnx", {}),
    ".tflite": ("g.tflite", {}),
    ".tflite, batch of 1": ("g.tflite", {"batch_size": 1}),
    ".tflite, float16": ("g.tflite", {"precision": "float16"}),
    ".tflite, int8": ("g.tflite", {"precision": "int8"}),
    ".tflite, int8, batch of 1": ("g.tflite", {"precision": "int8", "batch_size": 1}),
}
SAMPLES, SEED = 10_000, 31  # of a seed that neither calibrates nor checks an export


def exported(model, score):
    """A row for Keras, and one for each way as it is measured; `score` makes a distance of images."""
    inputs, _ = export.fresh_inputs(model, count=SAMPLES, seed=SEED)
    arrays = list(inputs.values())
    own = model.predict(arrays if len(arrays) > 1 else arrays[0], batch_size=100, verbose=0)
    blank = dict.fromkeys(("MB", "max", "99.9th percentile", "mean"), "")
    yield {"export": "Keras", **blank, "Frechet distance": figure(score(own), 4), "ms": ""}
    with tempfile.TemporaryDirectory() as folder:
        for way, (file, options) in WAYS.items():
            path = pathlib.Path(folder) / file
            said = model.export(path, overwrite=True, **options)
            images = export.outputs(export.opened(path), inputs, options.get("batch_size"))
            differences = [figure(said[f"{which}_difference"]) for which in ("max", "p999", "mean")]
            numbers = [figure(said["bytes"] / 1e6, 3), *differences, figure(score(images), 4)]
            keys = [*blank, "Frechet distance", "ms"]
            yield {"export": way, **dict(zip(keys, [*numbers, figure(said["latency"]["median_ms"])], strict=True))}


def figure(value, digits=2):
    """So many digits of it."""
    return float(f"{value:.{digits}g}")


def resident():
    """Resident memory of this process, in MiB (Linux)."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def converted(model, times=20):
    """[MiB] before, and after each conversion to .tflite, with its comparison."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(times + 1):
            gc.collect()
            found.append(round(resident()))
            model.export(f"{folder}/g.tflite", overwrite=True)
    return found


def main(name="dcgan_mnist"):
    """Measure and tell."""
    model = kerasgan.load(name, metrics=False)
    judge = classifiers.extractor(kerasgan.load(kerasgan.info(name)["extractor"], metrics=False))
    real = metrics.features(judge, data.from_tfds("mnist", "test").images)
    for row in exported(model, lambda images: metrics.frechet_distance(real, metrics.features(judge, images))):
        print(json.dumps(row), flush=True)
    print(json.dumps({"MiB before, and after each of 20 conversions": converted(model)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
