"""Recipes: what a training is, as plain data; read from `recipe.toml`, and part of every card.

    [model]            variant and the arguments of its constructor
    [compile]          the rules of the game; numbers may be schedules: {schedule = "cosine", first = 1.0, last = 0.1}
    [augment]          of an extractor: rotation in degrees; shift, cutout in pixels; flip = true for left-right
    [fine_tuning]      the rules that `load` compiles the finished entry with; else those of [compile], as they ended
    [data]             train, validation, test: what `kerasgan.data.read` takes, of an upscaler `data.located`;
                       licence, and a note for the card: what is particular about these data
    [training]         epochs, batch_size, seed, dtype_policy; choose: average and discriminator of the epoch that
                       validation finds "best" become the entry, or the "last"; then it may `validate_every` so many;
                       of an upscaler, where "best" is by PSNR and the default by pixels alone, also crop,
                       steps_per_epoch, degradation, and the entry to start from
    [card]             what the model card says that no program can know

Nothing here runs code from a file: names are looked up in tables, arguments are numbers, strings and lists.
"""

import inspect
import pathlib
import tomllib

import keras

from kerasgan import augmentations, contents, losses, names, penalties, replicas, stages
from kerasgan.models import VARIANTS, rules
from kerasgan.models.generative import Generative
from kerasgan.random import SEEDS

OPTIMIZERS = {name.lower(): getattr(keras.optimizers, name) for name in ("Adam", "AdamW", "RMSprop", "SGD")}
CONTENTS = {
    "vgg19": contents.VGG19,
    "discriminator": contents.DiscriminatorFeatures,
    "second_stage": stages.SecondStage,
}
PLAYED = ("epochs", "batch_size", "seed", "dtype_policy", "checkpoint_steps", "choose", "validate_every")
CROPPED = ("crop", "steps_per_epoch", "degradation", "start")
SECTIONS = {
    "model": {"variant"},
    "compile": set(),
    "augment": {"rotation", "shift", "flip", "cutout"},
    "fine_tuning": set(),
    "data": {"train", "validation", "test", "licence", "note"},
    "training": {*PLAYED, *CROPPED},
    "card": {
        "kind", "title", "task", "paper", "summary", "weights_licence", "commercial", "class_names", "extractor",
        "paper_table",
    },
}  # fmt: skip
FREE = {"model", "compile", "fine_tuning"}  # whoever is built from these checks their other keys
CHOICES = ("best", "last")  # the first if [training] says nothing
KINDS = ("generator", "upscaler", "extractor")  # the first if [card] says nothing
NEEDED = {"model": {"variant"}, "data": {"train"}, "training": {"epochs", "batch_size"}}
NEEDED_BY_EXTRACTORS = {"compile": {"optimizer"}, "data": {"train", "validation", "test"}}
READ_BY = {  # the keys of a section that this kind reads, where it reads not all
    "generator": {"augment": (), "training": PLAYED},
    "upscaler": {"augment": (), "card": sorted(SECTIONS["card"] - {"class_names", "extractor"})},
    "extractor": {
        "compile": ("optimizer", "label_smoothing"),
        "fine_tuning": (),
        "training": ("epochs", "batch_size", "seed", "checkpoint_steps"),
    },
}
COUNTS = dict.fromkeys(("epochs", "batch_size", "checkpoint_steps", "validate_every", "crop", "steps_per_epoch"), 1)
COUNTS |= {"seed": 0}  # the least that each may be, of [training]


def read(path):
    """The recipe in a TOML file, as a dictionary with every section.

    Raises:
        FileNotFoundError: no such file. ValueError: it is no TOML, has an unknown section or key, or lacks one.
    """
    path = pathlib.Path(path)
    try:
        recipe = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no recipe {path}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}.") from None
    check_keys(path, recipe)
    kind = recipe.get("card", {}).get("kind", KINDS[0])
    check_kind(path, recipe, kind)
    for key, least in COUNTS.items():
        value = recipe["training"].get(key, least)
        if type(value) is not int or value < least:
            raise ValueError(f"{path}: {key} in [training] is an integer of at least {least}; saw {value!r}.")
    if recipe["training"].get("seed", 0) >= SEEDS:
        raise ValueError(f"{path}: seed in [training] lies in [0, 2**31); saw {recipe['training']['seed']}.")
    check_card(path, recipe.get("card", {}))
    check_texts(path, recipe)
    names.check_choice("value of choose", recipe["training"].get("choose", CHOICES[0]), CHOICES)
    if recipe["training"].get("validate_every", 1) > 1 and recipe["training"].get("choose") != "last":
        raise ValueError(f'{path}: validate_every is for choose = "last": the best epoch may be any.')
    check_schedules(path, recipe.get("compile", {}))
    variant = recipe["model"]["variant"]
    names.check_choice("variant", variant, VARIANTS)
    if kind_of(VARIANTS[variant]) != kind:
        raise ValueError(f"{path}: {variant} is no {kind}; say which kind it is in [card]: {' or '.join(KINDS)}.")
    return {section: recipe.get(section, {}) for section in SECTIONS}


def kind_of(variant):
    """What a variant makes: one of `KINDS`."""
    if not inspect.isclass(variant):
        return "extractor"
    return "generator" if issubclass(variant, Generative) else "upscaler"


def check_keys(path, recipe):
    """Refuse sections and keys that no recipe has."""
    for section, content in recipe.items():
        names.check_choice(f"section of {path.name}", section, SECTIONS)
        if not isinstance(content, dict):
            raise ValueError(f"{path}: {section} is a section, [{section}], with keys below it; saw {content!r}.")
        for key in content if section not in FREE else ():
            names.check_choice(f"key of [{section}]", key, sorted(SECTIONS[section]))


def check_texts(path, recipe):
    """Refuse sources of data, and an entry to start from, that are no texts; of test sets there may be a list."""
    named = {f"{key} in [data]": value for key, value in recipe["data"].items()}
    named |= {f"{key} in [training]": recipe["training"][key] for key in ("start",) if key in recipe["training"]}
    for name, value in named.items():
        texts = value if isinstance(value, list) and name.startswith("test") and value else [value]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError(f"{path}: {name} is text; saw {value!r}.")


def check_card(path, card):
    """Refuse what a model card cannot show: its entries are text, `commercial` true or false, `class_names` a list."""
    for key, value in card.items():
        kind = {"commercial": bool, "class_names": list}.get(key, str)
        texts = value if key == "class_names" and isinstance(value, list) else []
        if not isinstance(value, kind) or not all(isinstance(text, str) for text in texts):
            wanted = {bool: "true or false", list: "a list of texts", str: "text"}[kind]
            raise ValueError(f"{path}: {key} in [card] is {wanted}; saw {value!r}.")


def check_schedules(path, rules):
    """Refuse a schedule of [compile] with its own `steps`: it would begin anew with whoever loads the entry."""
    for key, value in rules.items():
        if isinstance(value, dict):
            if "schedule" in value and "steps" in value:
                raise ValueError(
                    f"{path}: {key} in [compile] runs `over` a share of the training; `steps` is for others."
                )
            check_schedules(path, value)


def check_kind(path, recipe, kind):
    """Refuse a recipe that lacks what its kind needs, or says what its kind would not read."""
    names.check_choice("kind", kind, KINDS)
    for section, keys in (NEEDED | (NEEDED_BY_EXTRACTORS if kind == "extractor" else {})).items():
        if missing := sorted(keys - recipe.get(section, {}).keys()):
            raise ValueError(f"{path} lacks {', '.join(missing)} in its section [{section}].")
    for section, keys in READ_BY[kind].items():
        if unread := sorted(recipe.get(section, {}).keys() - set(keys)):
            reads = ", ".join(keys) or "nothing"
            raise ValueError(f"{path}: of [{section}] the {kind} reads {reads}; saw {', '.join(unread)}: leave it out.")


def build(model):
    """The network that a `[model]` section describes: a variant's model, or an extractor's classifier.

    Raises:
        ValueError: an unknown variant, or arguments that it refuses. TypeError: unknown arguments.
    """
    arguments = dict(model)
    variant = arguments.pop("variant", None)
    names.check_choice("variant", variant, VARIANTS)
    rules.check_arguments(arguments, VARIANTS[variant])
    lists = {name: tuple(value) if isinstance(value, list) else value for name, value in arguments.items()}
    return VARIANTS[variant](**lists)


def compile_model(model, section, steps=None, metrics=(), first=None):
    """Compile a model by the rules of a `[compile]` section; schedules run over `steps` steps, or are at their end.

    `metrics` are `compile`'s: what the model is measured with is no rule of its game. `first` is the generator that a
    second stage starts from.

    Raises:
        ValueError, TypeError: unknown or refused rules; the nearest name is given.
    """
    options = {}
    if replicas.replicas() > 1 and "jit_compile" in section:
        section = section | {"jit_compile": False}  # a matter of speed alone, which Keras has not for several replicas
    for name, value in section.items():
        if name.endswith("_optimizer"):
            value = optimizer(value, steps)
        elif name == "penalty":
            value = penalty(value, steps)
        elif name == "augment":
            value = augmentation(value)
        elif name == "content":
            value = content(value, first)
        elif name == "instance_noise":
            value = scheduled(value, steps)
        elif name == "loss":
            losses.get(value)
        options[name] = value
    model.compile(**options, metrics=metrics)


def penalty(section, steps=None):
    """The penalty that `{kind = "r1_r2", weight = 0.1}` describes; weight is 1 by default."""
    check_table("penalty", section, {"kind"}, {"weight"})
    names.check_choice("penalty", section["kind"], penalties.KINDS)
    return penalties.Penalty(section["kind"], scheduled(section.get("weight", 1.0), steps))


def content(section, first=None):
    """The content loss that "l1" or `{kind = "vgg19", weight = 0.006}` describes; "second_stage" is beside `first`."""
    if not isinstance(section, dict):
        return contents.get(section)
    arguments = dict(section)
    kind = arguments.pop("kind", None)
    names.check_choice("kind of content", kind, CONTENTS)
    rules.check_arguments(arguments, CONTENTS[kind])
    given = [first] if kind == "second_stage" else []
    return CONTENTS[kind](*given, **arguments)


def augmentation(policy):
    """The DiffAugment that `["translation", "cutout"]` describes."""
    if not isinstance(policy, list) or not policy:
        raise ValueError(f"augment is a list of {', '.join(augmentations.POLICIES)}; saw {policy!r}.")
    return augmentations.DiffAugment(*policy)


def optimizer(section, steps=None):
    """The optimizer that `{name = "adam", learning_rate = 5e-4, beta_1 = 0.0}` describes."""
    if not isinstance(section, dict):
        raise ValueError(f'An optimizer is a table such as {{ name = "adam", learning_rate = 2e-4 }}; saw {section!r}.')
    arguments = dict(section)
    name = arguments.pop("name", "adam")
    names.check_choice("optimizer", name, OPTIMIZERS)
    rules.check_arguments(arguments, OPTIMIZERS[name])
    for key, value in arguments.items():
        check_setting(name, key, value)
    return OPTIMIZERS[name](**{key: scheduled(value, steps, rest=False) for key, value in arguments.items()})


def check_setting(optimizer_name, key, value):
    """Refuse what no optimizer has use for: no number or one out of range, or a schedule but of the learning rate."""
    if isinstance(value, dict) and key == "learning_rate":
        return
    below = 1 if key.startswith("beta") or key in ("momentum", "rho", "ema_momentum") else float("inf")
    number = isinstance(value, int | float) and 0 <= value < below
    if not number or key == "learning_rate" and (value == 0 or isinstance(value, bool)):
        wanted = "a number above 0, or a schedule" if key == "learning_rate" else f"true, false or in [0, {below})"
        raise ValueError(f"{key} of {optimizer_name} is {wanted}; saw {value!r}.")


def scheduled(value, steps=None, rest=True):
    """A number as it is, or the schedule that `{schedule = "cosine", first = a, last = b}` describes.

    "cosine" and "linear" run over `over` x steps (the whole training by default), or over the schedule's own `steps`,
    then stay at `last`; the first `warmup` of that, a share in [0, 1) of a "cosine", rises to `first` from 0. With
    neither, for whoever trains on from the end, it is the constant `last`: a penalty or noise that has faded stays
    away. Not so a learning rate (`rest=False`), with which nothing would ever be learnt: where it ends at 0 it is
    `first`.
    """
    if not isinstance(value, dict):
        return value
    check_table("schedule", value, {"schedule", "first", "last"}, {"over", "steps", "warmup"})
    names.check_choice("schedule", value["schedule"], ("cosine", "linear"))
    first, last, share, kind = value["first"], value["last"], value.get("over", 1.0), value["schedule"]
    if {"over", "steps"} <= value.keys():
        raise ValueError(f"A schedule runs `over` a share of the training or for its own `steps`, not both: {value}.")
    steps = value.get("steps", steps)
    if (warmup := value.get("warmup", 0.0)) and kind != "cosine":
        raise ValueError("Only a cosine schedule has a warmup.")
    rules.check_share("warmup of a schedule", warmup)
    for key, number in {"first": first, "last": last, "over": share, "steps": steps or 0}.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < float("inf"):
            raise ValueError(f"The {key!r} of a schedule is a number of at least 0; saw {number!r}.")
    if kind == "cosine" and not first:
        raise ValueError("A cosine schedule starts above 0: its first value is what the rest is a share of.")
    first, last = float(first), float(last)  # Keras would compute in integers
    if steps is None:
        return last if last > 0 or rest else first
    over = max(1, round(steps * share))
    if kind == "cosine":
        rise = min(round(over * warmup), over - 1)
        rising = dict(warmup_target=first, warmup_steps=rise) if rise else {}
        return keras.optimizers.schedules.CosineDecay(0.0 if rise else first, over - rise, last / first, **rising)
    return keras.optimizers.schedules.PolynomialDecay(first, over, end_learning_rate=last)


def check_table(what, table, needed, optional):
    """Refuse what is no table, lacks a key or has an unknown one."""
    if not isinstance(table, dict):
        raise ValueError(f"A {what} is a table with {', '.join(sorted(needed | optional))}; saw {table!r}.")
    for key in table:
        names.check_choice(f"key of a {what}", key, sorted(needed | optional))
    if missing := sorted(needed - table.keys()):
        raise ValueError(f"A {what} needs {', '.join(missing)}; saw {table!r}.")
