"""Does `generate` cost more than the network? `python benchmarks/sampling.py` (KERAS_BACKEND=torch for the other one)

10,000 images of dcgan_mnist against the bare compiled generator on latents that are there already, in turn; what memory
grows by; and whether image i is the same for every n. On TensorFlow also the exports, and the same network as one
writes it in PyTorch, beside the bare generator. With `--save FILE` the images are kept, with `--against FILE` they are
compared with those that another backend kept.
"""

import argparse
import json
import resource
import statistics
import tempfile
import time

import keras
import numpy as np

import kerasgan

N, ROUNDS, BATCH = 10_000, 7, 250
FEW = 2_000  # of those that are only held against the bare generator


def timed(function):
    """The wall time of a call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def bare_of(model):
    """The averaged generator alone, as fast as the backend runs it, and the latents of N images."""
    latents = model.latents_of(7, range(N))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        network = tf.function(lambda z: model.average(z, training=False))
    else:
        import torch

        network = torch.inference_mode()(lambda z: model.average(keras.ops.convert_to_tensor(z), training=False))
    batches = [latents[i : i + BATCH] for i in range(0, N, BATCH)]
    return lambda: [keras.ops.convert_to_numpy(network(batch)) for batch in batches]


def rivals(model, folder):
    """{name: a function that draws FEW images}: the exports, and the network in PyTorch."""
    import tensorflow as tf
    import torch
    import torch_players
    from ai_edge_litert.interpreter import Interpreter

    latents = model.latents_of(7, range(FEW))
    batches = [latents[i : i + BATCH] for i in range(0, FEW, BATCH)]
    model.export(f"{folder}/saved")
    model.export(f"{folder}/g.tflite", batch_size=BATCH)
    serve = tf.saved_model.load(f"{folder}/saved").signatures["serving_default"]
    found = {"SavedModel": lambda: [serve(latents=tf.constant(batch)) for batch in batches]}
    for threads in (1, 4):
        runner = Interpreter(f"{folder}/g.tflite", num_threads=threads).get_signature_runner()
        found[f".tflite, {threads} threads"] = lambda runner=runner: [runner(latents=batch) for batch in batches]
    eager = torch_players.translated(model.average).eval().to(memory_format=torch.channels_last)
    for name, network in {"torch": eager, "torch, compiled": torch.compile(eager)}.items():

        @torch.inference_mode()
        def draw(network=network):
            return [network(torch.from_numpy(batch)) for batch in batches]

        found[name] = draw
    return found


def beside(model, bare):
    """Print how many images a second each rival draws, and how many the bare generator in turn with it."""
    with tempfile.TemporaryDirectory() as folder:
        for name, draw in rivals(model, folder).items():
            draw()
            pairs = [(timed(bare) * FEW / N, timed(draw)) for _ in range(3)]
            row = {"how": name, "images/s": round(FEW / statistics.median(mine for _, mine in pairs))}
            row["of the bare generator's"] = round(statistics.median(first / mine for first, mine in pairs), 2)
            print(json.dumps(row), flush=True)


def difference(images, others):
    """(largest difference in grey levels, share of pixels that differ)."""
    levels = np.abs(images.astype(int) - others)
    return int(levels.max()), float((levels > 0).mean())


def main():
    """Measure and tell."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--save")
    arguments.add_argument("--against")
    options = arguments.parse_args()
    model = kerasgan.load("dcgan_mnist")
    bare = bare_of(model)
    for warm in (bare, lambda: model.generate(N, seed=7)):
        warm()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept = [model.generate(N, seed=7) for _ in range(3)]
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    ratios = [timed(bare) / timed(lambda: model.generate(N, seed=7)) for _ in range(ROUNDS)]
    found = {
        "backend": keras.backend.backend(),
        "generate's images per second over the bare generator's, median": round(statistics.median(ratios), 3),
        "all rounds": [round(ratio, 3) for ratio in ratios],
        "three results, MiB": round(3 * kept[0].nbytes / 2**20, 1),
        "memory grew by, MiB": round(grown, 1),
        **{f"n = {n} against n = {N}": difference(model.generate(n, seed=7), kept[0][:n]) for n in (1, 7)},
    }
    if options.save:
        np.save(options.save, kept[0])
    if options.against:
        found[f"against {options.against}"] = difference(kept[0], np.load(options.against))
    print(json.dumps(found, indent=2))
    if keras.backend.backend() == "tensorflow":
        beside(model, bare)


if __name__ == "__main__":
    main()
