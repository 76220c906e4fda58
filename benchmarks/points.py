"""Does the game reach every mode? `python benchmarks/points.py [ring] [grid]`: points in the plane, ten seeds at once.

The data of Lin et al. 2018 (PacGAN, section 4.1): eight Gaussians on a circle of radius 1 with deviation 0.01, and 25
on the grid {-4, -2, 0, 2, 4}^2 with deviation 0.05. 2,500 samples a seed; a mode counts if a sample is within three
deviations of it, and samples that are within three of any are of high quality. Between modes is nothing: a mixture of
latents (`kerasgan.layers.LatentMixture`) chooses, so that no network has to draw a line from one to the next: of many
more places than there are modes, for every place has the same share, and with few of them no mode gets its own. A plane
is a picture of 1x2 pixels; place i mod 10 of a batch belongs to seed i mod 10, which has networks of its own and every
tenth of the points, so that one `fit` trains ten games that know nothing of each other.
"""

import json
import pathlib
import sys

import keras
import numpy as np
from keras import layers, ops

import kerasgan

HERE = pathlib.Path(__file__).resolve().parent
SEEDS, SAMPLES, BATCH, STEPS, MIXED = 10, 2500, 256, 5000, 1024
RING = [(np.cos(angle), np.sin(angle)) for angle in 2 * np.pi * np.arange(8) / 8]
GRID = [(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)]
PLANES = {"ring": (np.array(RING), 0.01, 1.25), "grid": (np.array(GRID, float), 0.05, 4.8)}  # modes, deviation, edge


@keras.saving.register_keras_serializable("points")
class PerSeed(layers.Layer):
    """A dense layer for each seed: (places, inputs) -> (places, units), place i by that of seed i mod SEEDS."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape):
        """A kernel for each seed (He et al. 2015), and a bias."""
        first = keras.initializers.RandomUniform(-(limit := (6 / shape[-1]) ** 0.5), limit)
        self.kernel = self.add_weight(shape=(SEEDS, shape[-1], self.units), initializer=first, name="kernel")
        self.bias = self.add_weight(shape=(SEEDS, self.units), initializer="zeros", name="bias")

    def call(self, x):
        """The products."""
        x = ops.reshape(x, (-1, SEEDS, x.shape[-1]))
        return ops.reshape(ops.einsum("bsi,sio->bso", x, self.kernel) + self.bias, (-1, self.units))

    def get_config(self):
        """The argument."""
        return {**super().get_config(), "units": self.units}


def perceptron(x, outputs, units=(128, 128, 128)):
    """Hidden layers, and a linear one."""
    for count in units:
        x = layers.LeakyReLU(0.2)(PerSeed(count)(x))
    return PerSeed(outputs)(x)


def game():
    """Ten GANs of points in one model."""
    latents, points = keras.Input((MIXED + 2,)), keras.Input((1, 2, 1))
    mixed = kerasgan.layers.LatentMixture(MIXED)(latents)
    made = layers.Reshape((1, 2, 1))(layers.Activation("tanh")(perceptron(mixed, 2)))
    generator = keras.Model(latents, made)
    discriminator = keras.Model(points, perceptron(layers.Reshape((2,))(points), 1))
    model = kerasgan.GAN(generator=generator, discriminator=discriminator, latent_distribution="normal")
    falling = keras.optimizers.schedules.CosineDecay(2e-3, STEPS, alpha=0.02)
    adams = [keras.optimizers.Adam(falling, beta_1=0.0, beta_2=0.99) for _ in range(2)]
    # A slope as steep as these modes, 1 / deviation, is one that a penalty must not mind at the end.
    weight = keras.optimizers.schedules.ExponentialDecay(0.1, STEPS, 1e-4)
    model.compile(*adams, loss="relativistic", penalty=kerasgan.penalties.r1_r2(weight))
    return model


def found(points, modes, deviation):
    """(modes with a sample, share of high quality) of points (n, 2)."""
    distances = np.linalg.norm(points[:, None] - modes[None], axis=-1)
    near = distances < 3 * deviation
    return int(near.any(axis=0).sum()), float(near.any(axis=1).mean())


def measured(name):
    """What ten seeds come to on a plane, and the points of the first."""
    modes, deviation, edge = PLANES[name]
    rng = np.random.default_rng(0)
    n = BATCH * SEEDS * 100
    real = modes[rng.integers(0, len(modes), n)] + deviation * rng.normal(size=(n, 2))
    images = (real / edge).reshape(n, 1, 2, 1).astype("float32")
    model = game()
    dataset = kerasgan.data.Dataset(images, batch_size=BATCH * SEEDS, shuffle=True)
    model.fit(dataset.stream(), steps_per_epoch=STEPS, verbose=0)
    drawn = np.asarray(model(model.latents_of(1, range(SAMPLES * SEEDS)))).reshape(SAMPLES, SEEDS, 2) * edge
    each = [found(drawn[:, seed], modes, deviation) for seed in range(SEEDS)]
    row = {"modes": [m for m, _ in each], "of": len(modes), "mean modes": float(np.mean([m for m, _ in each]))}
    quality = [q for _, q in each]
    return row | {"high quality": round(float(np.mean(quality)), 4), "least": round(min(quality), 4)}, drawn


def draw(clouds, path):
    """A picture: every plane's ten seeds."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2 * len(clouds), SEEDS // 2, figsize=(10, 4 * len(clouds)), squeeze=False)
    for i, (name, points) in enumerate(clouds.items()):
        for seed in range(SEEDS):
            plot = axes[2 * i + seed // (SEEDS // 2)][seed % (SEEDS // 2)]
            plot.scatter(*PLANES[name][0].T, s=60, facecolors="none", edgecolors="lightgrey")
            plot.scatter(*points[:, seed].T, s=1)
            plot.set(xticks=[], yticks=[], aspect="equal", title=f"{name}, seed {seed}")
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main():
    """Measure, tell and draw."""
    rows, clouds = {}, {}
    for name in sys.argv[1:] or PLANES:
        rows[name], clouds[name] = measured(name)
        print(json.dumps({name: rows[name]}), flush=True)
    draw(clouds, HERE / "points.png")


if __name__ == "__main__":
    main()
