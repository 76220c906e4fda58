"""A checkpoint that was written by version 0.1.0 goes on, for ever: if this fails, readers of old files were broken.

`kept/` is never written again. It was made by `written`: a conditional DCGAN with Adam, three steps of four images.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

from kerasgan import DCGAN, data
from kerasgan.checkpoints import Checkpoints

KEPT = Path(__file__).parent / "kept"


def model():
    """The model, compiled, with other weights than those that are kept."""
    keras.utils.set_random_seed(99)
    small = dict(latent_size=3, width=2, kernel_size=2, modes=2)
    made = DCGAN((16, 16, 1), classes=2, seed=5, average_momentum=0.5, **small)
    for player in (made.generator, made.discriminator):  # the paper's first weights are so small that all is grey
        player.set_weights([8 * weight for weight in player.get_weights()])
    made.compile(*(keras.optimizers.Adam(0.05) for _ in range(2)), instance_noise=0.1)
    return made


def dataset():
    """What it was trained on: four batches."""
    images = np.random.default_rng(0).integers(0, 256, (16, 16, 16, 1)).astype("uint8")
    return data.from_arrays(images, np.arange(16) % 2, batch_size=4, seed=1)


def written(folder):
    """How it was made: a checkpoint, and the images before and after one more step."""
    made = model()
    made.fit(dataset().stream(0), steps_per_epoch=3, shuffle=False, verbose=0)
    Checkpoints(folder).save(made)
    before = made.generate(4, seed=1)
    made.fit(dataset().stream(3), steps_per_epoch=1, shuffle=False, verbose=0)
    np.savez_compressed(Path(folder) / "images.npz", before=before, after=made.generate(4, seed=1))


def test_it_loads_and_goes_on():
    kept, made = np.load(KEPT / "images.npz"), model()
    assert np.abs(made.generate(4, seed=1).astype(int) - kept["before"]).max() > 1
    assert Checkpoints(KEPT).restore(made) == int(made.step.numpy()) == 3
    assert [int(o.iterations.numpy()) for o in (made.optimizer, made.discriminator_optimizer)] == [3, 3]
    assert json.loads((KEPT / "step-00000003.json").read_text())["model"]["class"] == "DCGAN"
    assert np.abs(made.generate(4, seed=1).astype(int) - kept["before"]).max() <= 1
    made.fit(
        dataset().stream(3), steps_per_epoch=1, shuffle=False, verbose=0
    )  # with the moments, the noise and the order it had
    assert np.abs(made.generate(4, seed=1).astype(int) - kept["after"]).max() <= 1
    assert np.abs(kept["after"].astype(int) - kept["before"]).max() > 1, "a step that moves nothing proves nothing"


if __name__ == "__main__":
    written(sys.argv[1])
