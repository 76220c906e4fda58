"""What does a larger picture cost? `python benchmarks/upscaling.py`

The network of srresnet_x4 (speed does not ask what it has learnt): seconds for each megapixel that is made, by
`upscale` and by the same network in PyTorch, eager and compiled, on the same tiles, in turn and each in a process of
its own; the memory that 1000x1000 -> 4000x4000 takes above the interpreter's own; the latency of a `.tflite` of
128x128.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

SIDE, ROUNDS = 320, 3  # of the picture that is timed; 1.6 megapixels are made of it
TILE = 160


def picture(side):
    """Noise, which is as much work as anything."""
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), "uint8")


def timed(work):
    """Seconds for a megapixel: the second time, for the first compiles."""
    work()
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) / (16 * SIDE**2 / 1e6)


def kerasgan_seconds():
    """By `upscale`."""
    import kerasgan

    model, image = kerasgan.SRGAN.modern(), picture(SIDE)
    return timed(lambda: model.upscale(image, tile=TILE))


def torch_seconds(compiled):
    """The same network, written as one would in PyTorch, on the same tiles."""
    import torch

    from kerasgan import tiling

    network = torch_network().eval().to(memory_format=torch.channels_last)
    network = torch.compile(network) if compiled else network

    def run(part):
        with torch.inference_mode():
            low = torch.from_numpy(part.transpose(2, 0, 1)[None] / np.float32(127.5) - 1)
            high = network(low.to(memory_format=torch.channels_last))[0].permute(1, 2, 0)
            return ((high.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()

    image = picture(SIDE)
    return timed(lambda: tiling.tiled(run, image, 4, TILE, 24))


def torch_network(width=48, blocks=10, scale=4):
    """SRGAN.modern's generator."""
    import torch
    from torch import nn

    def convolution(inside, outside):
        return nn.Conv2d(inside, outside, 3, padding=1)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(convolution(width, width), nn.PReLU(width), convolution(width, width))

        def forward(self, x):
            return x + self.body(x)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Sequential(convolution(3, width), nn.PReLU(width))
            self.body = nn.Sequential(*[Block() for _ in range(blocks)], convolution(width, width))
            self.tail = nn.Sequential(convolution(width, 3 * scale**2), nn.PixelShuffle(scale))

        def forward(self, low):
            x = self.head(low)
            skip = torch.nn.functional.interpolate(low, scale_factor=scale, mode="bilinear")
            return self.tail(x + self.body(x)) + skip

    return Network()


def memory():
    """GB above what the interpreter has with everything imported and the model built."""
    import tensorflow  # noqa: F401

    import kerasgan

    model = kerasgan.SRGAN.modern()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert model.upscale(picture(1000)).shape == (4000, 4000, 3)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e9


def latency(threads):
    """Milliseconds of a `.tflite` of 128x128 -> 512x512, the median of 10."""
    from ai_edge_litert.interpreter import Interpreter

    import kerasgan

    with tempfile.TemporaryDirectory() as folder:
        kerasgan.SRGAN.modern().export(f"{folder}/u.tflite", batch_size=1, size=(128, 128))
        runner = Interpreter(f"{folder}/u.tflite", num_threads=threads).get_signature_runner()
        low, times = np.zeros((1, 128, 128, 3), "float32"), []
        for _ in range(12):
            start = time.perf_counter()
            runner(low=low)
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[2:])


CONTENDERS = {
    "upscale": kerasgan_seconds,
    "torch": lambda: torch_seconds(False),
    "torch, compiled": lambda: torch_seconds(True),
}
ONCE = {"memory": memory, "tflite, 1 thread": lambda: latency(1), "tflite, 4 threads": lambda: latency(4)}


def measured(name):
    """A number of one contender, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, name], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def main():
    """Measure in turn and tell."""
    if len(sys.argv) > 1:
        print((CONTENDERS | ONCE)[sys.argv[1]]())
        return
    times = {name: [] for name in CONTENDERS}
    for _ in range(ROUNDS):
        for name, found in times.items():
            found.append(measured(name))
    for name, found in times.items():
        ratios = [theirs / mine for mine, theirs in zip(times["upscale"], found, strict=True)]
        row = {"seconds per megapixel": round(statistics.median(found), 2)}
        print(json.dumps({"network": name} | row | {"of upscale's": round(statistics.median(ratios), 2)}))
    print(json.dumps({name: round(measured(name), 2) for name in ONCE}))


if __name__ == "__main__":
    main()
