"""From a recipe to a trained entry of the zoo; stopped at any step, it goes on to the same bits.

So it was found on the CPU: killed in the middle of an epoch and resumed, no bit of an entry differed from one that was
never stopped, with XLA or without, and without TensorFlow's op determinism. On a GPU nobody has looked: ask for
`tensorflow.config.experimental.enable_op_determinism()` there.
"""

import pathlib

import keras

from kerasgan import data, entries, extractors, names, random, recipes, replicas, superresolution, zoo
from kerasgan.callbacks import BestPair, CollapseWatch, SampleGrid, StopOnNaN
from kerasgan.checkpoints import Checkpoints, SaveCheckpoints
from kerasgan.metrics.features import check_shape, fingerprint
from kerasgan.models import networks
from kerasgan.runs import History, check_run, held, run_folder


class Interrupted(Exception):
    """The training was told to stop, and is saved: `--resume` goes on."""


FREE = ("checkpoint_steps", "choose", "validate_every")  # of [training]: no bit of the weights depends on them


def find_recipe(name):
    """The path of a recipe: a `.toml` file, or the name of an entry of the zoo that came with the package.

    Raises:
        ValueError: there is none; the names that have one are given.
    """
    if str(name).endswith(".toml"):
        return pathlib.Path(name)
    place = zoo.shipped()
    known = {path.parent.name: path for path in place.glob("*/recipe.toml")} if place else {}
    names.check_choice("recipe", str(name), known)
    return known[name]


def train(name, output=None, *, resume=False, source=None, epochs=None, seed=None, callbacks=(), verbose="auto"):
    """Train by a recipe; returns the folder of the finished entry, which `kerasgan.load` takes.

    Args:
        name: of a recipe in the zoo, or the path of a `.toml` file.
        output: the folder of the run, `runs/<name>` by default: checkpoints, a sample grid per epoch, history, `entry`.
            Where the recipe has a validation split and an extractor, and does not choose the "last", `entry` has
            average and discriminator of the epoch whose Frechet distance to that split was the least.
        resume: go on from the newest checkpoint of that folder, with the same recipe, source, epochs and seed.
        source: other training data than the recipe's, as `kerasgan.data.read` takes them; of an upscaler as
            `kerasgan.data.pair_sources.located`.
        epochs, seed: instead of the recipe's; trainings that differ in the seed alone show what is chance.
        callbacks: Keras callbacks to add.

    Raises:
        FileExistsError: the folder has a run, without `resume`. FileNotFoundError: there is none to resume.
        ValueError, TypeError: a recipe, images or options that make no sense, or that are not those of the resumed run.
        FloatingPointError: a loss became NaN; the last good weights are saved. Interrupted: Ctrl-C or SIGTERM; saved.
    """
    path = find_recipe(name)
    if epochs is not None and epochs < 1:
        raise ValueError(f"epochs is at least 1; saw {epochs}.")
    recipe = of_source(recipes.read(path), source)
    if epochs is not None:
        recipe["training"] = recipe["training"] | {"epochs": epochs}
    if seed is not None:
        recipe["training"] = recipe["training"] | {"seed": random.seed_of(seed)}
    run = run_folder(path, output)
    check_run(run, resume)
    kinds = {"extractor": train_extractor, "upscaler": train_upscaler}
    train_kind = kinds.get(recipe["card"].get("kind"), train_game)
    return train_kind(path, recipe, run, resume=resume, callbacks=callbacks, verbose=verbose)


def train_game(path, recipe, run, **options):
    """Train a variant in the folder `run`; Args and Raises as in `train`."""
    model, dataset, validation = prepared(recipe)
    watch = CollapseWatch(dataset, zoo.load(recipe["card"]["extractor"]) if validation else None)
    with held(run) as run:
        own, best = [SampleGrid(run / "samples"), watch], None
        if validation and recipe["training"].get("choose") != "last":
            own.append(best := BestPair(run / "best.weights.h5"))
        history = trained(recipe, run, model, dataset, own, validation=validation, **options)
        chosen = best and best.give_back(model)
        return entries.of_game(run / "entry", path, recipe, model, dataset, history, chosen)


def train_upscaler(path, recipe, run, **options):
    """Train a variant that makes pictures larger in the folder `run`; Args and Raises as in `train`."""
    model, pairs, validation = superresolution.prepared(recipe, options["resume"])
    choose = recipe["training"].get("choose", "last" if model.rules["adversarial"] else "best")
    with held(run) as run:
        best = BestPair(run / "best.weights.h5", "val_psnr", "max") if validation and choose == "best" else None
        history = trained(recipe, run, model, pairs, [best] if best else [], validation=validation, **options)
        chosen = best and best.give_back(model)
        return entries.of_upscaler(run / "entry", path, recipe, model, pairs, history, chosen)


def train_extractor(path, recipe, run, **options):
    """Train a classifier in the folder `run`; Args and Raises as in `train`."""
    if replicas.replicas() > 1:
        raise ValueError("An extractor is trained on one device, and by one worker: choose the strategy one.")
    learner, dataset, validation, test = extractors.prepared(recipe)
    with held(run) as run:
        best, classifier = extractors.BestClassifier(run / "best.weights.h5"), learner.classifier
        history = trained(recipe, run, learner, dataset, [StopOnNaN(), best], validation=validation, **options)
        best.give_back(learner)
        record = extractors.report(classifier, test, recipe)
        return entries.of_classifier(run / "entry", path, recipe, classifier, dataset, history, [record])


def trained(recipe, run, model, dataset, own, *, validation, resume=False, callbacks=(), verbose="auto"):
    """The history of the prepared model, which is trained; Args and Raises as in `train`.

    Args:
        own: callbacks that come before history and checkpoint, so that both know what an epoch was worth.
    """
    settings, about = recipe["training"], about_run(recipe, model, dataset, validation)
    checkpoints = Checkpoints(run / "checkpoints", about=about)
    start = checkpoints.restore(model) if resume else 0
    if not replicas.agreed(start):
        raise OSError(f"The workers are not at one step, and this one is at {start}: give all one folder (--output).")
    if start >= len(dataset) and not (run / "history.json").is_file():
        raise FileNotFoundError(f"{run} lacks its history.json, of which the card tells: put it back, or start anew.")
    saver = SaveCheckpoints(checkpoints, settings.get("checkpoint_steps", 200))
    history = History(run / "history.json", since=start)
    every = [*own, history, saver, *callbacks]  # history before the saver: no checkpoint may be ahead of it
    try:
        play(model, dataset, settings["epochs"], start, every, verbose, validation, settings.get("validate_every", 1))
    except FloatingPointError:
        if model.is_finite():  # StopOnNaN has put the last good weights back
            checkpoints.save(model)
        raise
    finally:
        saver.restore_handlers()  # Keras tells no callback of an error
    if saver.told():
        steps, where = settings["epochs"] * len(dataset), f" in {run}" if replicas.is_chief() else " by the chief"
        raise Interrupted(f"Stopped at step {int(model.step.numpy())} of {steps}, saved{where}. Go on with --resume.")
    return history.epochs


def prepared(recipe):
    """The compiled model, training and validation images of a game's recipe: its mistakes are found before the work."""
    settings = recipe["training"]
    seed = settings.get("seed", 0)
    keras.utils.set_random_seed(seed)  # the initial weights
    with networks.policy(settings.get("dtype_policy", "float32")):
        model = recipes.build({"seed": seed} | recipe["model"])  # its noise
    recipes.compile_model(model, recipe["fine_tuning"])  # as `load` will
    dataset = data.read(
        recipe["data"]["train"], batch_size=settings["batch_size"], seed=seed, image_shape=model.image_shape
    )
    model.check_labelled(dataset.labels)
    check_class_names(recipe["card"].get("class_names"), model)
    validation, metrics = selection(recipe, model)
    recipes.compile_model(model, recipe["compile"], settings["epochs"] * len(dataset), metrics)
    return model, dataset, validation


def check_class_names(class_names, model):
    """Refuse names that are not one for each class of the model."""
    if class_names is not None and len(class_names) != (model.classes or 0):
        raise ValueError(
            f"[card] names {len(class_names)} classes, and {type(model).__name__} has {model.classes or 'none'}."
        )


def selection(recipe, model):
    """(validation images, metrics) that choose the average; (None, []) where the recipe lacks a split or an extractor.

    Raises:
        ValueError: no such extractor or images, or the one cannot measure the other.
    """
    split, name = recipe["data"].get("validation"), recipe["card"].get("extractor")
    if not (split and name):
        return None, []
    validation, metrics = data.read(split, batch_size=1, image_shape=model.image_shape), zoo.metrics_in(name)
    for metric in metrics:
        check_shape(metric.extractor, (None, *model.image_shape))
        if len(validation.images) <= (least := metric.extractor.output_shape[-1]):
            raise ValueError(
                f"{split} has {len(validation.images)} images; to choose by the Frechet distance in {least} features of"
                f" {name} it needs more than {least}. Choose a larger split, or leave out validation or extractor."
            )
    return validation, metrics


def about_run(recipe, model, dataset, validation=None):
    """What a training must agree on with the checkpoint that it goes on from: rules, settings, pictures, selection."""
    settings = {key: value for key, value in recipe["training"].items() if key not in FREE}
    pictures = {"train": recipe["data"]["train"], "fingerprint": dataset.fingerprint[:16]}
    if validation:
        pictures |= {"validation": recipe["data"]["validation"], "validation_fingerprint": validation.fingerprint[:16]}
        by = [m.extractor for m in getattr(model, "measures", ()) if hasattr(m, "extractor")]
        pictures |= {"extractor": [fingerprint(extractor)[:16] for extractor in by]}
    return {"compile": recipe["compile"], "augment": recipe["augment"], "training": settings, "data": pictures}


def of_source(recipe, source):
    """The recipe on other training data: what it says of its own data, licences too, is not said of these."""
    if source is None:
        return recipe
    card = {key: value for key, value in recipe["card"].items() if key not in ("weights_licence", "commercial")}
    kept = ("validation", "test") if card.get("kind") == "extractor" else ()  # which selects by them
    splits = {key: recipe["data"][key] for key in kept}
    return recipe | {"card": card, "data": {"train": str(source), **splits}}


def play(model, dataset, epochs, start, callbacks, verbose, validation=None, every=1):
    """Fit from step `start` to the end of the last epoch: a half-done epoch is finished first.

    Args:
        validation: images to measure after every so many epochs: `every`. The rest as in `train`.
    """
    size = dataset.batch_size  # which fits into memory
    measured = dict(validation_data=validation, validation_batch_size=size, validation_freq=every)
    epoch, done = divmod(start, len(dataset))
    while epoch < epochs and not model.stop_training:
        until = epoch + 1 if done else epochs
        model.fit(dataset.stream(start), steps_per_epoch=len(dataset) - done, initial_epoch=epoch, epochs=until,
                  shuffle=False, callbacks=callbacks, verbose=verbose, **measured)  # fmt: skip
        epoch, start, done = until, until * len(dataset), 0
