"""Recipes: what a training is, as plain data; read from `recipe.toml`, and part of every card.

    [model]            variant and the arguments of its constructor
    [compile]          the rules of the game; numbers may be schedules: {schedule = "cosine", first = 1.0, last = 0.1}
    [fine_tuning]      the rules that `load` compiles the finished entry with
    [data]             train, validation, test: what `kerasgan.data.read` takes; licence
    [training]         epochs, batch_size, seed, dtype_policy
    [card]             what the model card says that no program can know

Nothing here runs code from a file: names are looked up in tables, arguments are numbers, strings and lists.
"""

import pathlib
import tomllib

import keras

from kerasgan import losses, penalties
from kerasgan.models import VARIANTS, rules

OPTIMIZERS = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD, "rmsprop": keras.optimizers.RMSprop}
SECTIONS = {
    "model": {"variant"},
    "compile": set(),
    "fine_tuning": set(),
    "data": {"train", "validation", "test", "licence"},
    "training": {"epochs", "batch_size", "seed", "dtype_policy", "checkpoint_steps"},
    "card": {
        "kind",
        "title",
        "task",
        "paper",
        "summary",
        "weights_licence",
        "commercial",
        "class_names",
        "hours",
        "metrics",
    },
}
FREE = {"model", "compile", "fine_tuning", "card"}  # whoever is built from these checks their other keys


def read(path):
    """The recipe in a TOML file, as a dictionary with every section.

    Raises:
        FileNotFoundError: no such file. ValueError: it is no TOML, or has an unknown section or key.
    """
    path = pathlib.Path(path)
    try:
        recipe = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no recipe {path}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}.") from None
    for section, content in recipe.items():
        rules.check_choice(f"section of {path.name}", section, SECTIONS)
        for key in set(content) - SECTIONS[section] if section not in FREE else ():
            rules.check_choice(f"key of [{section}]", key, SECTIONS[section])
    for section in ("model", "data", "training"):
        if section not in recipe:
            raise ValueError(f"{path} has no section [{section}].")
    return {section: recipe.get(section, {}) for section in SECTIONS}


def build(model):
    """The network that a `[model]` section describes: a variant's model, or an extractor's classifier.

    Raises:
        ValueError: an unknown variant, or arguments that it refuses. TypeError: unknown arguments.
    """
    arguments = dict(model)
    variant = arguments.pop("variant", None)
    rules.check_choice("variant", variant, VARIANTS)
    rules.check_arguments(arguments, VARIANTS[variant])
    lists = {name: tuple(value) if isinstance(value, list) else value for name, value in arguments.items()}
    return VARIANTS[variant](**lists)


def compile_model(model, section, steps):
    """Compile a model by the rules of a `[compile]` section; schedules run over `steps` steps.

    Raises:
        ValueError, TypeError: unknown or refused rules; the nearest name is given.
    """
    options = {}
    for name, value in section.items():
        if name.endswith("_optimizer"):
            value = optimizer(value, steps)
        elif name == "penalty" and value is not None:
            rules.check_choice("penalty", value.get("kind"), penalties.KINDS)
            value = penalties.Penalty(value["kind"], scheduled(value.get("weight", 1.0), steps))
        elif name == "instance_noise":
            value = scheduled(value, steps)
        elif name == "loss":
            losses.get(value)
        options[name] = value
    model.compile(**options)


def optimizer(section, steps):
    """The optimizer that `{name = "adam", learning_rate = 5e-4, beta_1 = 0.0}` describes."""
    arguments = dict(section)
    name = arguments.pop("name", "adam")
    rules.check_choice("optimizer", name, OPTIMIZERS)
    rules.check_arguments(arguments, OPTIMIZERS[name])
    return OPTIMIZERS[name](**{key: scheduled(value, steps) for key, value in arguments.items()})


def scheduled(value, steps):
    """A number as it is, or the schedule that `{schedule = "cosine", first = a, last = b}` describes.

    "cosine" and "linear" run over `over` x steps (the whole training by default), then stay at `last`.
    """
    if not isinstance(value, dict):
        return value
    first, last, kind = value["first"], value["last"], value["schedule"]
    rules.check_choice("schedule", kind, ("cosine", "linear"))
    over = max(1, round(steps * value.get("over", 1.0)))
    if kind == "cosine":
        return keras.optimizers.schedules.CosineDecay(first, over, alpha=last / first)
    return keras.optimizers.schedules.PolynomialDecay(first, over, end_learning_rate=last)
