"""Upscalers by recipe: what they train on, what chooses, and what they score on pictures that nothing else reads."""

import keras

from kerasgan import data, names, recipes, zoo
from kerasgan.metrics import PSNR, SRGAN, STANDARD, detail_energy, fidelity
from kerasgan.models import networks
from kerasgan.resampling import imresize

CROP = 96  # the paper's, of high pictures
PAPER = {  # Ledig et al. 2017, Table 2, whose protocol is `fidelity`'s SRGAN: set: (PSNR, SSIM), of scale 4
    "srresnet": {"Set5": (32.05, 0.9019), "Set14": (28.49, 0.8184), "BSD100": (27.58, 0.7620)},
    "srgan": {"Set5": (29.40, 0.8472), "Set14": (26.02, 0.7397), "BSD100": (25.16, 0.6688)},
}
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
        model = recipes.build({"seed": seed} | recipe["model"])  # its noise
    recipes.compile_model(model, recipe["fine_tuning"] or recipe["compile"])  # as `load` will
    about = dict(channels=model.image_shape[-1], scale=model.scale)
    crop, kind = settings.get("crop", CROP), settings.get("degradation", "bicubic")
    pairs = data.pairs_from(of["train"], crop=crop, batch_size=settings["batch_size"], seed=seed, degradation=kind,
                            steps=settings.get("steps_per_epoch"), **about)  # fmt: skip
    validation = data.pictures_from(of["validation"], **about) if "validation" in of else None
    content = recipe["compile"].get("content")
    beside = isinstance(content, dict) and content.get("kind") == "second_stage"
    start = first_stage(model, settings["start"]) if "start" in settings and (beside or not resume) else None
    if start and not resume:  # a checkpoint has them
        for network in (model.generator, model.average):
            network.set_weights(start.get_weights())
    metrics = [PSNR(crop=model.scale)] if validation else []
    recipes.compile_model(model, recipe["compile"], settings["epochs"] * len(pairs), metrics, start)
    return model, pairs, validation


def first_stage(model, entry):
    """The generator of an entry, of which this model is the second stage; it computes as the model's does.

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
    generator = keras.models.clone_model(model.generator)
    generator.set_weights(first.average.get_weights())
    return generator


def evaluate(card, model):
    """[record] of every set of test pictures: PSNR and SSIM under both protocols, and how much of the originals' finest
    detail there is; beside each what bicubic scores, and the figure of the paper's table that the card names.

    Args:
        card: names the sets. model: restored.

    Raises:
        ValueError: the card names no table of these.
    """
    if card.get("paper_table"):
        names.check_choice("paper_table", card["paper_table"], PAPER)
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
                pair |= published(card, source, metric) if protocol is SRGAN else {}
                records.append({"metric": metric, **pair, "protocol": protocol.name, **about})
        if whole := detail_energy(pictures.high, crop):  # flat pictures have none
            value, theirs = (detail_energy(made, crop) / whole for made in both)
            protocol = "of the originals' energy above half the Nyquist frequency"
            records.append({"metric": "detail", "value": value, "bicubic": theirs, "protocol": protocol, **about})
    return records


def published(card, source, metric):
    """{"paper", "better", "table"}: what the table that the card names has of a set; {} where it has nothing.

    Args:
        source: the set, as in "sr/Set5/hr|sr/Set5/lr_x4". metric: "psnr" or "ssim".
    """
    figures = PAPER.get(card.get("paper_table"), {}) if card["scale"] == 4 else {}
    for part in source.split("|")[0].split("/"):
        if part in figures:
            table = f"Ledig et al. 2017, Table 2: {card['paper_table']}, {part}"
            return {"paper": figures[part][("psnr", "ssim").index(metric)], "better": "higher", "table": table}
    return {}
