"""What watches a training: it stops on NaN, says what goes wrong, draws samples, and keeps the best average."""

import json
import pathlib
import sys
import time

import keras
import numpy as np

from kerasgan import images, plotting, replicas
from kerasgan.files import sha256, stored, write_atomically, write_json


class StopOnNaN(keras.callbacks.Callback):
    """Stop when a loss is no longer finite, name the step, and put the last good weights back.

    A last step with a finite loss may leave weights that are not: they are looked at when the training ends. `fit` adds
    one where none is given.

    Args:
        every: steps between the copies of the weights that are kept to go back to.

    Raises:
        FloatingPointError: from `fit`, with the step, what was no longer finite, and what to try.
    """

    def __init__(self, every=200):
        super().__init__()
        self.every = every

    def on_train_begin(self, logs=None):
        """Keep the weights as they come."""
        self.seen, self.good = 0, None
        self.keep()

    def keep(self):
        """Copy all variables, if they are finite."""
        if self.model.is_finite():
            values = [keras.ops.convert_to_numpy(v).copy() for v in self.model.state]
            self.good = (int(self.model.step.numpy()), values)

    def on_train_batch_end(self, batch, logs=None):
        """Look at the losses of the step."""
        for name, value in (logs or {}).items():
            value = keras.ops.convert_to_numpy(value)
            if "loss" in name and not np.isfinite(value).all():
                raise FloatingPointError(self.undone(f"{name} became {float(np.ravel(value)[0])}"))
        self.seen += 1
        if self.seen % self.every == 0:
            self.keep()

    def on_train_end(self, logs=None):
        """Look at what the last step left."""
        if not self.model.is_finite():
            raise FloatingPointError(self.undone("weights became NaN or infinite"))

    def undone(self, what):
        """Put the last good weights back, and say what happened."""
        message = f"{what} at step {int(self.model.step.numpy())}"
        if self.good is None:
            return f"{message}, and the weights were not finite before training: load good ones first."
        step, values = self.good
        hint = ""
        if getattr(self.model, "conditional", False):
            hint = f", and look for labels that are not in 0 to {self.model.classes - 1}"
        for variable, kept in zip(self.model.state, values, strict=True):
            variable.assign(kept)
        return f"{message}; the weights are those of step {step}, the last good ones. Try a lower learning rate{hint}."


class CollapseWatch(keras.callbacks.Callback):
    """Say in words, after an epoch, what goes wrong with the game: on stderr, each thing when it begins.

    The discriminator wins; it is at chance; a loss runs away; samples are all alike; a class is missing. None of them
    stops the training: most games have bad epochs. Of a Wasserstein critic its samples tell alone.

        >>> model.fit(images, epochs=20, callbacks=[CollapseWatch(images, kerasgan.load("lenet_mnist"))])
        epoch 7: samples are alike: two of them differ by 0.31 of what two real images do. ...

    Samples are drawn after the first epoch, and then where that takes less than 2% of the training's time so far; of
    several workers by none.

    Args:
        real: images of the training data, or a Dataset, whose variety is the measure; None: samples are not compared.
        classifier: a model from images in [-1, 1] to logits of classes; None: classes are not counted.
        n: samples to draw; of ten even classes 256 miss one by chance once in 10^10 times. Where there are so many
            classes that one is missed by chance, none is counted. seed: of their latents.
        say: what takes the sentences.
    """

    def __init__(self, real=None, classifier=None, n=256, seed=0, say=None):
        super().__init__()
        if real is not None:
            real = images.in_contract(getattr(real, "images", real))  # of a Dataset
            real = variety(images.to_float(real[:: max(1, len(real) // n)]))  # a folder's come class by class
        self.variety, self.classifier, self.n, self.seed = real, classifier, n, seed
        self.say = say or (lambda sentence: print(sentence, file=sys.stderr, flush=True))

    def on_train_begin(self, logs=None):
        """Start the clock; nothing was seen yet."""
        if self.variety or self.classifier:
            check_draws(self, self.model)
        self.started, self.spent, self.latest = time.monotonic(), 0.0, 0.0
        self.losses, self.ill, self.found = [], set(), []

    def on_epoch_end(self, epoch, logs=None):
        """Look at the logs, and where there is time at samples."""
        logs = {name: float(np.mean(value)) for name, value in (logs or {}).items()}
        seen = self.of_logs(logs)
        due = self.spent + self.latest <= 0.02 * (time.monotonic() - self.started)
        looks = (self.variety or self.classifier) and due and not replicas.across_workers()  # whose clocks may disagree
        if looks:
            begun = time.monotonic()
            seen |= self.of_samples(self.model.generate(self.n, seed=self.seed))
            self.latest = time.monotonic() - begun  # not the longest: the first time the network is compiled too
            self.spent += self.latest
        for what in [what for what in seen if what not in self.ill]:
            self.found.append((epoch + 1, what))
            self.say(f"epoch {epoch + 1}: {seen[what]}")
        self.ill = set(seen) if looks else set(seen) | self.ill & {"alike", "missing"}  # as they were last seen

    def of_logs(self, logs):
        """{what: sentence} of accuracies and losses."""
        seen = {}
        if getattr(getattr(self.model, "loss", None), "name", None) == "wasserstein":
            return seen  # a good critic tells nearly all pairs apart, and its scores have no unit
        shares = [logs[name] for name in ("real_accuracy", "fake_accuracy", "pair_accuracy") if name in logs]
        right = np.mean(shares) if shares else 0.75
        if right > 0.95:
            seen["wins"] = (
                f"the discriminator wins: it is right {right:.0%} of the time, and the generator learns little from it."
                " Try a gradient penalty or a larger weight of it, or a slower discriminator."
            )
        elif shares and abs(right - 0.5) < 0.02 and min(shares) > 0.3:
            seen["chance"] = (
                f"the discriminator is at chance ({right:.0%}): samples are as good as it can tell, or it learns"
                " nothing. Look at them; if they are poor, try a stronger or faster one, or a smaller penalty."
            )
        now = {name: abs(value) for name, value in logs.items() if name in ("generator_loss", "discriminator_loss")}
        for name, value in now.items():
            earlier = [epoch[name] for epoch in self.losses if name in epoch]
            usual = np.median(earlier) if earlier else value
            if value > 5 * usual + 1:
                seen[name] = (
                    f"{name} runs away: {value:.3g}, where it used to be {usual:.3g}. Try a lower learning rate."
                )
        self.losses.append(now)
        return seen

    def of_samples(self, samples):
        """{what: sentence} of images."""
        seen, samples = {}, images.to_float(samples)
        if self.variety:
            share = variety(samples) / self.variety
            if share < 0.5:
                seen["alike"] = (
                    f"samples are alike: two of them differ by {share:.2f} of what two real images do. Try pack=2,"
                    " kerasgan.layers.MinibatchStddev in the discriminator, or a gradient penalty."
                )
        if self.classifier:
            logits = keras.ops.convert_to_numpy(self.classifier(samples, training=False))
            classes = logits.shape[1]
            missing = sorted(set(range(classes)) - set(logits.argmax(axis=1).tolist()))
            if missing and classes * (1 - 1 / classes) ** self.n < 1e-3:
                seen["missing"] = f"no sample of {len(samples)} is of class {', '.join(map(str, missing))}."
        return seen


def check_draws(callback, model):
    """Refuse a model that draws no images from latents, before it is trained."""
    if model is not None and not hasattr(model, "generate"):
        raise ValueError(
            f"{type(callback).__name__} looks at samples, and {type(model).__name__} draws none: leave it out."
        )


def variety(pictures):
    """How far two images lie apart, in the root mean square: twice the variance over them, summed over pixels."""
    pictures = keras.ops.convert_to_numpy(pictures).astype("float64")
    return float(np.sqrt(2 * np.var(pictures, axis=0).sum()))


class SampleGrid(keras.callbacks.Callback):
    """Draw the same latents after every epoch: `epoch-0001.png`, `epoch-0002.png`, ...; and all in `animation.gif`.

    Args:
        folder: where the pictures go; made if it does not exist. n: images in the grid. seed: of their latents.
    """

    def __init__(self, folder, n=64, seed=0):
        super().__init__()
        self.folder, self.n, self.seed, self.last = pathlib.Path(folder), n, seed, None

    def on_train_begin(self, logs=None):
        """Refuse a model that draws nothing."""
        check_draws(self, self.model)

    def on_epoch_end(self, epoch, logs=None):
        """Write the grid, of the average."""
        self.folder.mkdir(parents=True, exist_ok=True)
        model, columns = self.model, None
        if model.conditional and model.classes <= self.n and not model.label_dropout:
            columns = model.classes  # image i is of class i mod classes: a class is a column
        grid = plotting.grid(model.generate(self.n, seed=self.seed), columns)
        self.last = self.folder / f"epoch-{epoch + 1:04d}.png"
        images.write(self.last, grid)

    def on_train_end(self, logs=None):
        """Write the animation, of all pictures up to the last: of a training that is resumed those before it too."""
        if self.last is not None:
            frames = [images.read(path) for path in sorted(self.folder.glob("epoch-*.png")) if path <= self.last]
            frames = [frame for frame in frames if frame.shape == frames[-1].shape]  # none of another model
            images.write_animation(self.folder / "animation.gif", frames)


class BestPair(keras.callbacks.Callback):
    """Keep average and discriminator of the best epoch in files; whoever ends the training gives them back.

    GANs get worse again: the last epoch is seldom the best. Choose by a split cut from the training data.

        >>> best = BestPair("best.weights.h5", monitor="val_frechet_distance")
        >>> model.fit(images, epochs=20, validation_data=validation_images, callbacks=[best])
        >>> best.give_back(model)

    The callback changes nothing in the model, for a training that goes on needs it as it is. An epoch that was cut
    short counts for nothing: the training that resumes it will end it.

    Args:
        path: of a `.weights.h5` file, for the average; beside it `.discriminator.weights.h5`, and a `.json` that says
            of which epoch they are, so that a training that is resumed remembers. Files that do not belong together
            count as none.
        monitor: what the logs call the number. mode: "min" or "max", whichever is better.

    Raises:
        ValueError: a path or a mode that is none; or, after the first epoch, no such number in the logs.
    """

    def __init__(self, path, monitor="val_frechet_distance", mode="min"):
        super().__init__()
        if not str(path).endswith(".weights.h5") or mode not in ("min", "max"):
            raise ValueError(f"path ends in .weights.h5 and mode is 'min' or 'max'; saw {str(path)!r} and {mode!r}.")
        self.path, self.monitor, self.mode, self.best = pathlib.Path(path), monitor, mode, None

    def beside(self, suffix):
        """The path of what lies beside the average: ".discriminator.weights.h5", ".json"."""
        return self.path.with_name(self.path.name.removesuffix(".weights.h5") + suffix)

    @property
    def note(self):
        """The path of the note: {monitor, value, epoch, step, sha256 of both files}."""
        return self.beside(".json")

    def networks(self, model):
        """{path: network}."""
        return {self.path: model.average, self.beside(".discriminator.weights.h5"): model.discriminator}

    def remembered(self, model):
        """The note that lies there; None if of another number or other weights, or of a training that came further."""
        paths = list(self.networks(model))
        if not all(path.is_file() for path in (self.note, *paths)):
            return None
        best = json.loads(self.note.read_text(encoding="utf-8"))
        mine = best["monitor"] == self.monitor and best["step"] <= int(model.step.numpy())
        return best if mine and best["sha256"] == [sha256(path) for path in paths] else None

    def on_train_begin(self, logs=None):
        """Remember the best of a training that goes on."""
        self.best = self.remembered(self.model)

    def on_train_batch_end(self, batch, logs=None):
        """Note how far the epoch came."""
        self.last = batch

    def on_epoch_end(self, epoch, logs=None):
        """Keep the pair if no epoch before had a better one."""
        steps = self.params["steps"]  # None: nobody knows
        if steps is not None and self.last < steps - 1:
            return
        if self.monitor not in (logs or {}):
            raise ValueError(f"The logs have no {self.monitor!r}, only {', '.join(logs or {})}: pass validation_data.")
        value, sign = float(logs[self.monitor]), 1 if self.mode == "min" else -1
        if np.isfinite(value) and (self.best is None or sign * value < sign * self.best["value"]):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for path, network in self.networks(self.model).items():
                write_atomically(path, network.save_weights, stored(network.weights))
            hashes = [sha256(path) for path in self.networks(self.model)]
            where = {"epoch": epoch + 1, "step": int(self.model.step.numpy()), "sha256": hashes}
            self.best = {"monitor": self.monitor, "value": value, **where}
            write_json(self.note, self.best)

    def give_back(self, model):
        """Load the best pair into the model, once the training is over; returns the note, None if there is none."""
        if self.model is None:  # resumed at its very end: nothing was left to train
            self.best = self.remembered(model)
        if self.best is not None:
            for path, network in self.networks(model).items():
                network.load_weights(path)
        return self.best
