"""Everything once, offline: draw, walk, fine-tune, export. `make demo` and `kerasgan demo` run it."""

import pathlib
import time

import numpy as np

NAME = "dcgan_mnist"


def run(output, say=print):
    """Load `dcgan_mnist`, draw 64 digits and a walk between latents, fine-tune on scikit-learn's digits, export.

    Args:
        output: the folder to write into; made if it does not exist. say: what tells a line.
    """
    from kerasgan import data, images, plotting, random, zoo

    started = time.monotonic()
    digits = scans()
    folder = pathlib.Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    model = zoo.load(NAME)
    say(f"Loaded {NAME}: {model.average.count_params():,} parameters draw the digits. Writing into {folder}/")

    images.write(folder / "digits.png", plotting.grid(model.generate(64, seed=7)))
    say("  digits.png          64 digits; image i depends on (seed, i) alone")

    ends = model.latents_of(11, range(8))
    strips = [random.interpolate(a, b, 12) for a, b in zip(ends[:-1], ends[1:], strict=True)]
    images.write(folder / "interpolation.png", plotting.grid(model.sample(np.concatenate(strips)), columns=12))
    say("  interpolation.png   walks between latents: a digit bends, then is another (its first latents choose one)")

    steps = 40
    dataset = data.from_arrays(small_digits(digits, model.image_shape), batch_size=64)
    model.fit(dataset, steps_per_epoch=steps, verbose=0)
    images.write(folder / "fine-tuned.png", plotting.grid(model.generate(64, seed=7)))
    say(f"  fine-tuned.png      the same latents after {steps} steps on scikit-learn's 8x8 digits, resized")

    sidecar = model.export(folder / "generator.tflite", overwrite=True)
    say(f"  generator.tflite    {sidecar['bytes'] / 1e6:.1f} MB; at most {sidecar['max_difference']:.0e} from Keras")
    say(f"Done in {time.monotonic() - started:.0f} s. Next: the README, or `kerasgan --help`.")


def scans():
    """The 1,797 digits that scikit-learn brings: uint8 (1797, 8, 8, 1)."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ImportError("The demo fine-tunes on scikit-learn's digits: pip install 'kerasgan[metrics]'.") from None
    return (load_digits().images * (255 / 16)).astype("uint8")[..., None]


def small_digits(digits, image_shape):
    """Digits as uint8 images of another size, with the margin that MNIST's have: they fill 20 of 28 pixels."""
    from kerasgan.data import resize

    inner = tuple(side * 5 // 7 for side in image_shape[:2])
    margins = [(side - small) for side, small in zip(image_shape[:2], inner, strict=True)]
    edges = [(margin // 2, margin - margin // 2) for margin in margins]
    return np.stack([np.pad(resize(digit, inner), [*edges, (0, 0)]) for digit in digits])
