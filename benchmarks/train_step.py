"""How fast is a training step, beside others' with the same networks? `python benchmarks/train_step.py [SHAPE ...]`

`fit` of GAN and DCGAN against a step as keras.io's examples write it, and against PyTorch: the same algorithm at the
same precision (one pass of the generator for both players, Adam, the average), and each as it is published. Every
contender is a process of its own, compiled and warm before the first clock; they take blocks of steps in turn, so that
a noisy machine is noisy to all. Printed: images a second, the share of the matrix-product rate of this machine that the
step's products reach, and our rate over the other's: the median of the blocks and its 95% interval.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import timeit

import numpy as np

BLOCKS, SECONDS = 15, 0.6  # of each contender, and how long a block takes at least
SHAPES = {  # variant, image shape, batch
    "GAN 28x28x1": ("GAN", (28, 28, 1), 100),
    "DCGAN 28x28x1": ("DCGAN", (28, 28, 1), 64),
    "DCGAN 32x32x3": ("DCGAN", (32, 32, 3), 64),
    "DCGAN 64x64x3": ("DCGAN", (64, 64, 3), 16),
}
OURS, IN_BFLOAT16 = "kerasgan", "kerasgan, bfloat16"
RIVALS = {  # name -> whom of ours it is held against
    "kerasgan, XLA": OURS,
    "keras.io": OURS,
    "keras.io, jit_compile as by default": OURS,
    "keras.io, oneDNN": OURS,
    "torch": OURS,
    "torch, compiled": OURS,
    "torch, as published": OURS,
    "kerasgan, bfloat16": OURS,
    "torch, bfloat16": IN_BFLOAT16,
}
HALF = ("DCGAN 28x28x1",)  # the shapes that run in bfloat16, too: slow where the processor has none


def images_of(shape, batch):
    """Noise, uint8."""
    return np.random.default_rng(0).integers(0, 256, (20 * batch, *shape), "uint8")


def players_of(variant, shape):
    """The variant with its networks of today: no BatchNorm and no dropout in the discriminator."""
    import kerasgan

    return getattr(kerasgan, variant)(shape, **({"dropout": (0.0, 0.0)} if variant == "GAN" else {}))


def products(model):
    """(generator, discriminator): multiply-adds of a forward pass of one image."""

    def of(layer):
        places = 1
        if "Conv" in (name := type(layer).__name__):
            places = np.prod((layer.input if "Transpose" in name else layer.output).shape[1:3])
        return sum(int(np.prod(w.shape) * places) for w in layer.weights if len(w.shape) > 1)

    return [sum(map(of, network.layers)) for network in (model.generator, model.discriminator)]


# --- contenders: of (variant, shape, batch) a function of a number of steps, which returns their seconds --------------


def clocked(fit):
    """Of a function (steps, callbacks) that trains: the seconds of so many steps, after one more."""
    import keras

    class Clock(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.times = []

        def on_train_batch_end(self, batch, logs=None):
            self.times.append(time.perf_counter())

    def run(steps):
        clock = Clock()
        fit(steps + 1, [clock])
        return clock.times[-1] - clock.times[0]

    return run


def ours(variant, shape, batch, **options):
    """`fit`, both players at once."""
    import kerasgan
    from kerasgan.models import networks

    with networks.policy(options.pop("policy", "float32")):
        model = players_of(variant, shape)
    model.compile(*adams(), **options)
    dataset = kerasgan.data.from_arrays(images_of(shape, batch), batch_size=batch)
    return clocked(lambda steps, clock: model.fit(dataset, steps_per_epoch=steps, verbose=0, callbacks=clock))


def adams():
    """One optimizer for each player, as in Radford et al. 2015."""
    from keras.optimizers import Adam

    return [Adam(2e-4, beta_1=0.5) for _ in range(2)]


def keras_io(variant, shape, batch, **options):
    """As keras.io's examples override `train_step`: D on both kinds in one batch, then G with fresh noise."""
    import keras
    import tensorflow as tf
    from keras import ops

    class Example(keras.Model):
        def __init__(self, generator, discriminator):
            super().__init__()
            self.generator, self.discriminator = generator, discriminator
            self.seeds = keras.random.SeedGenerator(0)
            self.means = [keras.metrics.Mean(name) for name in ("d_loss", "g_loss")]

        def compile(self, g_optimizer, d_optimizer, **options):
            super().compile(**options)
            self.g_optimizer, self.d_optimizer = g_optimizer, d_optimizer
            self.error = keras.losses.BinaryCrossentropy(from_logits=True)

        def train_step(self, real):
            n, size = ops.shape(real)[0], self.generator.inputs[0].shape[-1]
            fake = self.generator(keras.random.normal((n, size), seed=self.seeds))
            labels = ops.concatenate([ops.zeros((n, 1)), ops.ones((n, 1))])
            labels += 0.05 * keras.random.uniform(ops.shape(labels), seed=self.seeds)
            with tf.GradientTape() as tape:
                d_loss = self.error(labels, self.discriminator(ops.concatenate([fake, real]), training=True))
            weights = self.discriminator.trainable_weights
            self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
            with tf.GradientTape() as tape:
                fake = self.generator(keras.random.normal((n, size), seed=self.seeds), training=True)
                g_loss = self.error(ops.ones((n, 1)), self.discriminator(fake, training=True))
            weights = self.generator.trainable_weights
            self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
            for mean, value in zip(self.means, (d_loss, g_loss), strict=True):
                mean.update_state(value)
            return {mean.name: mean.result() for mean in self.means}

    players = players_of(variant, shape)
    model = Example(players.generator, players.discriminator)
    model.compile(*adams(), **options)
    data = tf.data.Dataset.from_tensor_slices(images_of(shape, batch).astype("float32") / 127.5 - 1)
    data = data.shuffle(1024).batch(batch, drop_remainder=True).repeat().prefetch(tf.data.AUTOTUNE)
    return clocked(lambda steps, clock: model.fit(data, steps_per_epoch=steps, verbose=0, callbacks=clock))


def pytorch(variant, shape, batch, compiled=False, published=False, half=False):
    """The same networks in PyTorch, channels last, fused Adam, gradients set to None."""
    import torch
    import torch._functorch.config
    import torch_players
    from torch.nn.functional import softplus

    torch.manual_seed(0)
    torch._functorch.config.donated_buffer = False  # or a graph that two players go back through cannot be compiled
    model, last = players_of(variant, shape), {"memory_format": torch.channels_last}
    generator, discriminator = (torch_players.translated(x).to(**last) for x in (model.generator, model.discriminator))
    average = torch_players.translated(model.generator)
    means, weights = list(average.parameters()), list(generator.parameters())
    adam = [torch.optim.Adam(p.parameters(), 2e-4, (0.5, 0.999), fused=True) for p in (generator, discriminator)]
    images, size = torch.from_numpy(images_of(shape, batch)), model.latent_shape[0]
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=half)

    def at_once(real):
        with autocast:
            fake = generator(torch.randn(batch, size))
            on_real, on_fake = discriminator(real), discriminator(fake)
            d_loss = softplus(-on_real.float()).mean() + softplus(on_fake.float()).mean()
            g_loss = softplus(-on_fake.float()).mean()
        for loss, player in ((g_loss, generator), (d_loss, discriminator)):
            weights = list(player.parameters())
            slopes = torch.autograd.grad(loss, weights, retain_graph=player is generator)
            for weight, slope in zip(weights, slopes, strict=True):
                weight.grad = slope

    def in_turn(real):  # as in PyTorch's DCGAN example
        adam[1].zero_grad(set_to_none=True)
        softplus(-discriminator(real)).mean().backward()
        fake = generator(torch.randn(batch, size))
        softplus(discriminator(fake.detach())).mean().backward()
        adam[1].step()
        adam[0].zero_grad(set_to_none=True)
        softplus(-discriminator(fake)).mean().backward()
        adam[0].step()

    play = torch.compile(at_once) if compiled else at_once

    def step():
        chosen = images[torch.randint(len(images), (batch,))].permute(0, 3, 1, 2)
        real = (chosen.float() / 127.5 - 1).contiguous(**last)
        if published:
            return in_turn(real)
        for optimizer in adam:
            optimizer.zero_grad(set_to_none=True)
        play(real)
        for optimizer in adam:
            optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(means, weights, 0.001)

    def run(steps):
        started = time.perf_counter()
        for _ in range(steps):
            step()
        return time.perf_counter() - started

    return run


CONTENDERS = {
    OURS: ours,
    "kerasgan, XLA": lambda *a: ours(*a, jit_compile=True),
    "keras.io": lambda *a: keras_io(*a, jit_compile=False),
    "keras.io, jit_compile as by default": keras_io,
    "keras.io, oneDNN": lambda *a: keras_io(*a, jit_compile=False),
    "torch": pytorch,
    "torch, compiled": lambda *a: pytorch(*a, compiled=True),
    "torch, as published": lambda *a: pytorch(*a, published=True),
    IN_BFLOAT16: lambda *a: ours(*a, policy="mixed_bfloat16"),
    "torch, bfloat16": lambda *a: pytorch(*a, half=True),
}


# --- in turn ----------------------------------------------------------------------------------------------------------


def child(name, shape):
    """Get ready; then answer every number of steps with the seconds that they took."""
    os.environ |= {"TF_ENABLE_ONEDNN_OPTS": "1"} if "oneDNN" in name else {}  # the others are as they come
    run = CONTENDERS[name](*SHAPES[shape])
    run(2)
    print("ready", flush=True)
    for line in sys.stdin:
        print(run(int(line)), flush=True)


class Contender:
    """A child that waits for its turn."""

    def __init__(self, name, shape):
        line = [sys.executable, __file__, "--child", name, shape]
        plain = {name: x for name, x in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}  # which kerasgan has set
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=plain)
        if "ready" not in self.process.stdout.readline():
            raise RuntimeError(f"{name} on {shape} did not start: what it said stands above.")
        self.steps = max(1, round(SECONDS / self.seconds(2)))

    def seconds(self, steps=None):
        """Of a step, the mean of so many."""
        steps = steps or self.steps
        print(steps, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline()) / steps


def interval(ratios):
    """(median, low, high): the 95% interval of the median, by order statistics."""
    ratios, n = sorted(ratios), len(ratios)
    k = max(int(n / 2 - 0.98 * n**0.5), 0)  # 15 blocks: the 4th and the 12th, 96.5%
    return [round(x, 3) for x in (statistics.median(ratios), ratios[k], ratios[n - 1 - k])]


def rate():
    """Multiply-adds a second of a product of matrices of 2048, the best of 5."""
    a = np.random.default_rng(0).normal(size=(2048, 2048)).astype("float32")
    return 2048**3 / min(timeit.repeat(lambda: a @ a, number=1, repeat=5))


def main():
    """Measure in turn and tell."""
    if sys.argv[1:2] == ["--child"]:
        return child(*sys.argv[2:])
    for shape in sys.argv[1:] or SHAPES:
        names = [OURS, *(name for name in RIVALS if "bfloat16" not in name or shape in HALF)]
        variant, image_shape, batch = SHAPES[shape]
        generator, discriminator = products(players_of(variant, image_shape))
        contenders, peak = {name: Contender(name, shape) for name in names}, rate()
        times = {name: [] for name in names}
        for _ in range(BLOCKS):
            for name, contender in contenders.items():
                times[name].append(contender.seconds())
        for name, found in times.items():
            second = statistics.median(found)
            row = {"shape": shape, "step": name, "images/s": round(batch / second, 1)}
            at_once = "keras.io" not in name and "published" not in name  # whose products were counted
            work = batch * (3 * generator + (7 - ("kerasgan" in name)) * discriminator)  # ours shares D's way back
            row["of the matrix rate"] = round(work / second / peak, 2) if at_once else ""
            rival = times.get(RIVALS.get(name))
            row["ours over it"] = interval([x / o for x, o in zip(found, rival, strict=True)]) if rival else ""
            print(json.dumps(row), flush=True)
        for contender in contenders.values():
            contender.process.kill()


if __name__ == "__main__":
    main()
