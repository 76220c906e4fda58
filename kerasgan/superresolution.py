"""Upscalers by recipe: what they train on, what chooses, and what they score on pictures that nothing else reads."""

import keras

from kerasgan import data, recipes, zoo
from kerasgan.metrics import PSNR, SRGAN, STANDARD, detail_energy, fidelity
from kerasgan.models import networks
from kerasgan.resampling import imresize

CROP = 96  # the paper's, of high pictures
GENERATOR = ("scale", "channels", "width", "blocks", "kernel_size", "skip", "direct", "generator_norm")


def prepared(recipe, resume=False):
    """(compiled model, pairs, validation pictures or None) of a recipe: mistakes are found before the work.

    Raises:
        ValueError: pictures or options that make no sense, or an entry to start from that is of another architecture.
    """
    settings, of = recipe["training"], recipe["data"]
    seed = settings.get("seed", 0)
    keras.utils.set_random_seed(seed)  # the initial weights
    with networks.policy(settings.get("dtype_policy", "float32")):
        model = recipes.build(recipe["model"])
    recipes.compile_model(model, recipe["fine_tuning"])  # as `load` will
    about = dict(channels=model.image_shape[-1], scale=model.scale)
    crop, kind = settings.get("crop", CROP), settings.get("degradation", "bicubic")
    pairs = data.pairs_from(of["train"], crop=crop, batch_size=settings["batch_size"], seed=seed, degradation=kind,
                            steps=settings.get("steps_per_epoch"), **about)  # fmt: skip
    validation = data.pictures_from(of["validation"], **about) if "validation" in of else None
    if (start := settings.get("start")) and not resume:  # a checkpoint has it all
        go_on(model, start)
    metrics = [PSNR(crop=model.scale)] if validation else []
    recipes.compile_model(model, recipe["compile"], settings["epochs"] * len(pairs), metrics)
    return model, pairs, validation


def go_on(model, entry):
    """Give the model the generator of an entry: the first stage of training, from which the second starts.

    Raises:
        ValueError: it is of another architecture.
    """
    first = zoo.load(entry, metrics=False)
    if type(first) is not type(model):
        raise ValueError(f"{entry} makes no pictures larger: there is nothing to start from.")
    if differ := [key for key in GENERATOR if first.config[key] != model.config[key]]:
        words = ", ".join(f"{key} {first.config[key]!r} and {model.config[key]!r}" for key in differ)
        raise ValueError(
            f"{entry} has another generator than this recipe, {words}: to start from it they have to agree."
        )
    for network in (model.generator, model.average):
        network.set_weights(first.average.get_weights())


def evaluate(card, model):
    """[record] of every set of test pictures: PSNR and SSIM under both protocols, and how much of the originals' finest
    detail there is; beside each what bicubic scores.

    Args:
        card: names the sets. model: restored.
    """
    records, sets = [], card["data"]["test"]
    for source in sets if isinstance(sets, list) else [sets]:
        pictures = data.pictures_from(source, channels=model.image_shape[-1], scale=model.scale)
        bicubic = [imresize(low, size=high.shape[:2]) for low, high in zip(pictures.low, pictures.high, strict=True)]
        both, crop = ([model.upscale(low) for low in pictures.low], bicubic), model.scale
        about = {"set": source, "n": len(pictures), "data_fingerprint": pictures.fingerprint[:16]}
        about |= {"crop": crop, "dtype": "uint8"}
        for protocol in (STANDARD, SRGAN):
            scores, theirs = (fidelity(pictures.high, made, protocol, crop=crop) for made in both)
            for metric in scores._fields:
                pair = {"value": getattr(scores, metric), "bicubic": getattr(theirs, metric)}
                records.append({"metric": metric, **pair, "protocol": protocol.name, **about})
        if whole := detail_energy(pictures.high, crop):  # flat pictures have none
            value, theirs = (detail_energy(made, crop) / whole for made in both)
            protocol = "of the originals' energy above half the Nyquist frequency"
            records.append({"metric": "detail", "value": value, "bicubic": theirs, "protocol": protocol, **about})
    return records
