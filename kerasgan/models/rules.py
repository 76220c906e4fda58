"""What a game refuses, each in one sentence: what was seen, what was expected, what to do."""

import inspect
import math

import keras
import numpy as np

from kerasgan import data, losses, penalties, replicas
from kerasgan.models import networks
from kerasgan.names import DEPTHS, nearest

DEEPEST = 1000  # layers of one kind


def check_arguments(arguments, function, *others):
    """Refuse arguments that a function or constructor does not know, its bases' included; name the nearest, or all.

    Args:
        others: functions that take some of them first.
    """
    names = []
    for base in function.__mro__ if inspect.isclass(function) else [*others, function]:
        code = base.__init__ if inspect.isclass(base) else base
        parameters = inspect.signature(code).parameters.values()
        names += [
            p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != "self"
        ]
        if not any(p.kind == p.VAR_KEYWORD for p in parameters):
            break
    for name in arguments:
        if name not in names:
            hint = nearest(name, names) or f" There are: {', '.join(names)}."
            raise TypeError(f"{function.__name__} has no argument {name!r}.{hint}")


def check_count(name, value):
    """Refuse what is no integer of at least 1; of layers, more than `DEEPEST`: building them would take all memory."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise ValueError(f"{name} is an integer of at least 1; saw {value!r}.")
    if name in DEPTHS and value > DEEPEST:
        raise ValueError(f"{name} counts layers, at most {DEEPEST} of them; saw {value!r}.")


def check_known(name, value, known):
    """Refuse what is none of a few numbers."""
    if type(value) is not int or value not in known:
        *some, last = map(str, known)
        raise ValueError(f"{name} is {', '.join(some)} or {last}; saw {value!r}.")


def check_counts(name, values):
    """Refuse what is no list of integers of at least 1."""
    if not isinstance(values, list | tuple):
        raise ValueError(f"{name} is a list of counts, one for each layer; saw {values!r}.")
    for value in values:
        check_count(name, value)


def check_flag(name, value):
    """Refuse what is neither True nor False: "no" would count as yes."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} is True or False; saw {value!r}.")


def check_share(name, value, below=1):
    """Refuse what is no number in [0, below)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < below:
        raise ValueError(f"{name} lies in [0, {below}); saw {value!r}.")


def checked_metrics(metrics):
    """The metrics as a list; refuses what cannot measure (real, fake) images."""
    for metric in metrics if isinstance(metrics, list | tuple) else (metrics,):
        if not isinstance(metric, keras.metrics.Metric) or metrics is metric:
            raise ValueError(
                f"metrics is a list of metrics of real and generated images, as in [kerasgan.metrics.FrechetDistance("
                f"extractor)]; saw {metrics!r:.80}."
            )
    return list(metrics)


def check_compiled(model):
    """Refuse to train what has no rules."""
    if not model.compiled:
        raise ValueError(
            f"This {type(model).__name__} has no rules to play by: compile() it first, or make it with .modern(...)."
        )


def check_measures(model):
    """Refuse to measure without metrics."""
    if not model.measures:
        raise ValueError(
            "Nothing to measure with: compile(metrics=[...]) first: a FrechetDistance, or for super-resolution a PSNR."
        )


def check_average(momentum, half_life):
    """Refuse an average that is told both how fast to follow, or nothing sensible."""
    if momentum is not None and half_life is not None:
        raise ValueError("average_half_life stands for average_momentum: give one of them.")
    if momentum is not None:
        check_share("average_momentum", momentum)
    if half_life is not None and not (
        isinstance(half_life, int | float) and not isinstance(half_life, bool) and 0 < half_life < math.inf
    ):
        raise ValueError(f"average_half_life is a number of images above 0; saw {half_life!r}.")


def check_players(generator, discriminator, image_shape, classes, pack):
    """Refuse a discriminator that does not take what the generator makes, and a generator that looks across images."""
    if across := networks.looks_across(generator):
        raise ValueError(
            f"The generator has {', '.join(across)}, with which an image would depend on the others that are drawn with"
            " it: such layers are for the discriminator."
        )
    for name, network in {"generator": generator, "discriminator": discriminator}.items():
        if moved := networks.writes_kernels(network):
            raise ValueError(
                f"The {name} has {', '.join(moved)}, of keras.layers, which writes into its kernel when called, so that"
                " the passes of a step see different weights: use kerasgan.layers.SpectralNormalization."
            )
    taken, made = tuple(discriminator.inputs[0].shape[1:]), (*image_shape[:2], image_shape[2] * pack)
    packed = f", {pack} packed together" if pack > 1 else ""
    fits = len(taken) == 3 and all(side in (None, its) or its is None for side, its in zip(taken, made, strict=True))
    if not fits:
        of_them = f"{packed} {made}" if packed else ""
        raise ValueError(f"The generator makes images {tuple(image_shape)}{of_them}; the discriminator takes {taken}.")
    taken = [tuple(labels.shape[1:]) for labels in discriminator.inputs[1:]]
    made = [(pack * classes,)] if classes else []
    if taken != made:
        raise ValueError(
            f"The generator takes labels of {classes or 'no'} classes{packed}; the discriminator's inputs beside the"
            f" images are {taken or 'none'}, and have to be {made or 'none'}."
        )


def check_asked(name, asked, made):
    """Refuse a shape that was asked for and is not that of the generator that was given."""
    if asked not in (None, made):
        raise ValueError(f"{name} asks for {asked}, and the generator that was given has {made}: leave {name} out.")


def check(model, optimizers, rules):
    """Refuse combinations of compile options that make no sense."""
    penalty, loss = rules["penalty"], losses.get(rules["loss"])
    first, second = optimizers
    if first is second and not isinstance(first, str):
        raise ValueError("Each player needs an optimizer of its own: the two given are one object.")
    if penalty is not None and not isinstance(penalty, penalties.Penalty):
        raise ValueError(f"penalty is None or one of kerasgan.penalties, such as r1_r2(1.0); saw {penalty!r}.")
    if penalty is not None and networks.is_half(model.discriminator):
        raise ValueError("A gradient penalty overflows in float16: use the policy 'mixed_bfloat16', or no penalty.")
    mixes = networks.has_batch_normalization(model.discriminator)
    if mixes and (penalty is not None or loss.paired):
        what = "a gradient penalty" if penalty is not None else f"the loss {loss.name!r}"
        raise ValueError(
            f"The discriminator has BatchNormalization, which mixes the images of a batch, and {what} judges them"
            " one by one: build it without (discriminator_norm=False), or choose another loss."
        )
    frozen = rules["freeze_discriminator"]
    if isinstance(frozen, bool) or not hasattr(frozen, "__index__") or frozen < 0:
        raise ValueError(f"freeze_discriminator is a number of layers, 0 or more; saw {frozen!r}.")
    if not model.thawed(frozen):
        raise ValueError(f"freeze_discriminator={frozen} leaves the discriminator nothing to learn with: freeze fewer.")
    smoothing = rules["label_smoothing"]
    check_share("label_smoothing", smoothing, below=0.5)
    if smoothing and not loss.smooths:
        raise ValueError(f"The loss {loss.name!r} has no labels to smooth: leave label_smoothing at 0.")
    check_share("mismatched", rules["mismatched"])
    if rules["mismatched"] and not (model.mismatches and (model.classes or 0) > 1):
        raise ValueError("Mismatched labels are for a CGAN or DCGAN of two classes or more: leave mismatched at 0.")
    augment, noise = rules["augment"], rules["instance_noise"]
    if augment is not None and not callable(augment):
        raise ValueError(f"augment is None or a differentiable function (images, seed) -> images; saw {augment!r}.")
    if noise is not None and not callable(noise) and not (isinstance(noise, int | float) and 0 <= noise < math.inf):
        raise ValueError(f"instance_noise is None, a deviation >= 0 or a schedule of it over steps; saw {noise!r}.")
    for name in ("alternate", "run_eagerly", *(["jit_compile"] if rules["jit_compile"] != "auto" else [])):
        check_flag(name, rules[name])
    for name in ("discriminator_steps", "steps_per_execution"):
        check_count(name, rules[name])
    if replicas.replicas() > 1:
        for name, plain in (("steps_per_execution", 1), ("jit_compile", False)):
            if rules[name] != plain:
                raise ValueError(f"{name}={rules[name]} fails in Keras under several replicas: leave it at {plain}.")


def check_batch(model, batch_size):
    """Refuse a batch that the rules do not divide; None is one that nobody has seen."""
    if batch_size is None:
        return
    parts = {
        "discriminator_steps": model.rules["discriminator_steps"],
        "pack": model.pack,
        "replicas": replicas.replicas(),
    }
    product = 1
    for name, count in parts.items():
        product *= count
        if batch_size % product:
            raise ValueError(
                f"A batch of {batch_size} images does not divide by {name}={count}"
                f"{'' if product == count else f' (together with the others: {product})'}:"
                f" choose a batch_size that is a multiple of {product}."
            )


def check_remainder(model, x):
    """Refuse batches whose last one may be smaller, where a batch has to divide."""
    parts = model.rules["discriminator_steps"] * model.pack
    if parts > 1 and (advice := data.remainder(x, parts)):
        raise ValueError(
            f"Batches have to divide by {parts} (discriminator_steps and pack), and the last one of this"
            f" {type(x).__name__} {advice}."
        )


def check_no_game(options):
    """Refuse rules of a game where the generator is trained alone."""
    plain = dict(alternate=False, discriminator_steps=1, freeze_discriminator=0, label_smoothing=0.0, penalty=None,
                 augment=None, instance_noise=None, loss="nonsaturating")  # fmt: skip
    for name, value in options.items():
        if name in plain and value != plain[name]:
            raise ValueError(f"{name} is for a game, and adversarial=0 trains the generator alone: leave it out.")


def check_pair(low, high, scale):
    """Refuse shapes of batches that are not low pictures and the same, `scale` times larger."""
    made = (low[0], *[side and side * scale for side in low[1:3]], low[3]) if len(low) == 4 else ()
    known = high is not None and len(high) == len(made)
    if not known or any(None not in sides and len(set(sides)) > 1 for sides in zip(made, high, strict=True)):
        raise ValueError(
            f"Super-resolution learns from (low, high) batches, high ones {scale} times larger: (n, h, w, c) and (n,"
            f" {scale} h, {scale} w, c). Saw low pictures {tuple(low)} and high ones {high and tuple(high)}:"
            " kerasgan.data.Pairs makes such."
        )


def check_labels(model, y):
    """Refuse labels where there are no classes, and classes that the model has not."""
    if y is None:
        return
    if not model.conditional:
        raise ValueError(f"{type(model).__name__} is unconditional: it has no use for labels; pass images alone.")
    y = np.asarray(y)
    if y.dtype.kind not in "iu" or y.ndim != 1:
        raise ValueError(f"Labels are integers in [0, {model.classes}), one for each image; saw {y.dtype} {y.shape}.")
    if y.size and not 0 <= y.min() <= y.max() < model.classes:
        more = f"Train one with classes={y.max() + 1}, or relabel" if y.min() >= 0 else "Relabel: classes count from 0"
        raise ValueError(f"The model has {model.classes} classes, 0 to {model.classes - 1}; saw labels {y.min()} to"
                         f" {y.max()}. {more}.")  # fmt: skip


def unlabelled(model):
    """What to say of images without labels."""
    return (
        f"{type(model).__name__} learns images with their classes, and these have no labels. Pass them as well: an"
        " array beside the images, (images, labels) batches, sub-folders for from_folder, `labels` in an .npz."
    )


def check_given(model, method, options):
    """Refuse what `fit` and `evaluate` would have to ignore."""
    useless = [name for name in ("sample_weight", "class_weight") if options.get(name) is not None]
    useless += ["validation_split"] if options.get("validation_split") else []  # Keras' default is 0.0
    for name in useless:
        advice = "; pass validation_data for a split" if name == "validation_split" else ": leave it out"
        raise ValueError(f"{type(model).__name__}.{method} has no use for {name}{advice}.")


def check_reported(values, reports):
    """Refuse what `play` returned and no log would show."""
    for name in values:
        if name not in reports:
            raise ValueError(
                f"`play` returned {name!r}, which `reports` does not name (losses as 'generator_loss')."
                f"{nearest(name, reports)} There are: {', '.join(reports)}."
            )


def checked_labels(model, n, labels, batch_size):
    """The labels as an array, None if none were given; refuses those that are not `n` of the model's classes."""
    for name, value in (("n", n), ("batch_size", batch_size)):
        if name == "batch_size" or labels is None or n is not None:
            check_count(f"generate: {name}", value)
    if labels is None:
        return None
    if not model.conditional:
        raise ValueError(f"{type(model).__name__} is unconditional: generate takes no labels.")
    labels = np.asarray(labels)
    if labels.ndim != 1 or not len(labels) or n not in (None, len(labels)):
        wanted = "at least one" if n is None else f"n = {n}"
        raise ValueError(f"generate: labels are a list of {wanted}, the class of each image; saw shape {labels.shape}.")
    check_labels(model, labels)
    return labels
