"""Pictures made larger by a model of the zoo: one, or files and folders of them."""

import functools
import os
import pathlib
from types import SimpleNamespace
from typing import NamedTuple

import keras

from kerasgan import files, images, modes, plotting, zoo
from kerasgan.data.sources import SUFFIXES, pictures_below
from kerasgan.upscaler import Upscaler, check_model

MISTAKES = (ValueError, OSError, MemoryError)  # of a picture or its file: the others go on


def upscale(x, model="srgan_x4", strength=1.0, *, base="srresnet_x4", value_range=None, progress=None, **options):
    """A picture, larger, with detail; of any size and mode, in tiles that leave no seams.

        >>> kerasgan.upscale("holiday.jpg").save("large.jpg")
        >>> kerasgan.upscale(np.zeros((20, 30, 3), "uint8")).shape
        (80, 120, 3)

    Args:
        x: the path of a picture; a Pillow picture; or an array (height, width), (height, width, channels) or (n,
            height, width, channels), of grey, grey and alpha, RGB or RGBA: uint8, uint16, or floats in [-1, 1].
        model: a `kerasgan.SRGAN`, or the name or path of one.
        strength: in [0, 1]: how much of `model` there is, and how little of `base`. Less invents less detail.
        base: what strength 0 is: a model, name or path of the same architecture, trained by pixels alone.
        value_range: (low, high) of float arrays in another range.
        progress: called with (pixels done, pixels of x) after every tile.
        options: color_fix=True, tile=, max_memory="1GB" and max_megapixels=250, as `kerasgan.upscaler.Upscaler` has
            them.

    Returns:
        Of an array one of its dtype and range. Of a picture or path a Pillow picture of the same mode (a palette's
        RGB), turned as its EXIF orientation says, with its colour profile and the rest of its EXIF. Alpha is enlarged
        by bicubic interpolation, CMYK as light, each 16-bit grey level counts.

    Raises:
        ValueError: no picture, a damaged one, or one that would become larger than max_megapixels; no such model; base
            and model differ in architecture. OSError: the file cannot be read. MemoryError: not even a small tile fits.
    """
    x = images.open_picture(x) if isinstance(x, str | os.PathLike) else x  # a model takes longer to load
    return Upscaler(chosen(model, strength, base), **options)(x, value_range, progress)


def chosen(model, strength, base):
    """The model, or what lies between it and its base.

    Raises:
        ValueError: a strength outside [0, 1], or models that differ.
    """
    if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 <= strength <= 1:
        raise ValueError(f"strength lies in [0, 1], from {base} to the model itself; saw {strength!r}.")
    model = loaded(model)
    return model if strength == 1 else between(loaded(base), model, strength)


def loaded(model):
    """The model of a name or path.

    Raises:
        ValueError: there is none, or it makes no picture larger.
    """
    model = zoo.load(model, metrics=False) if isinstance(model, str | os.PathLike) else model
    check_model(model)
    return model


def between(base, model, strength):
    """A model whose weights are (1 - strength) those of the base + strength those of the model.

    Networks of which one was trained on from the other may be mixed so (Wang et al. 2018, ESRGAN, section 3.4).

    Raises:
        ValueError: they differ in architecture.
    """
    first, last = (parts(each) for each in (base, model))
    if first != last:
        pairs = zip(first, last, strict=False)
        differ = next((f"{a} and {b}" for a, b in pairs if a != b), f"{len(first)} and {len(last)} layers")
        raise ValueError(f"A strength below 1 mixes two models of one architecture; these differ: {differ}.")
    network = keras.models.clone_model(model.average)
    pairs = zip(base.average.get_weights(), model.average.get_weights(), strict=True)
    network.set_weights([(1 - strength) * a + strength * b for a, b in pairs])
    return SimpleNamespace(average=network, scale=model.scale, image_shape=model.image_shape)


def parts(model):
    """What an architecture is made of, to be compared: the scale, and each layer's kind and shapes."""
    layers = model.average.layers
    return [f"scale {model.scale}"] + [f"{type(x).__name__} {[tuple(w.shape) for w in x.weights]}" for x in layers]


# --- files and folders ------------------------------------------------------------------------------------------------


class Result(NamedTuple):
    """What became of one file: status "written", "skipped" or "failed"; detail: its new size, or why."""

    source: str
    output: str
    status: str
    detail: str


def upscale_files(
    sources, output, model="srgan_x4", strength=1.0, *, base="srresnet_x4", overwrite=False, compare=False,
    progress=None, **options,
):  # fmt: skip
    """Files and folders of pictures, larger; one that fails does not stop the others.

    Args:
        sources: paths of pictures and of folders, which are looked through.
        output: a folder, made where there is none, in which folders keep their structure; of one picture also a file.
        model, strength, base, options: as `upscale` has them.
        overwrite: whether outputs that exist are made again; they are skipped otherwise.
        compare: whether beside `photo.jpg` comes `photo.jpg.compare.png`: a bicubic enlargement, the picture, and what
            differs most (`kerasgan.plotting.comparison`); beside an output that existed too, if it has none yet.
        progress: called with ("2/9 name", pixels done, pixels of the picture) after every tile.

    Returns:
        An iterator of a `Result` for each picture, made as it goes on.

    Raises:
        ValueError: two sources would become one output or a source its own, there is no picture, or as `upscale`.
        OSError: the output cannot be written into.
    """
    plan = planned(sources, output, compare)
    waiting = overwrite or any(not target.exists() for _, target in plan)
    upscaler = Upscaler(chosen(model, strength, base), **options) if waiting else None

    def results():
        for i, (source, target) in enumerate(plan, 1):
            told = progress and functools.partial(progress, f"{i}/{len(plan)} {source.name}")
            try:
                if target.exists() and not overwrite:
                    if compare and not beside(target).exists():
                        compare_files(source, target)
                    yield Result(str(source), str(target), "skipped", "it exists")
                    continue
                width, height = upscale_file(source, target, upscaler, compare, told)
                yield Result(str(source), str(target), "written", f"{width} x {height}")
            except MISTAKES as error:
                said = str(error) or type(error).__name__
                named = said if source.name in said else f"{source}: {said}"
                yield Result(str(source), str(target), "failed", named)

    return results()


def upscale_file(source, target, upscaler, compare=False, progress=None):
    """Write one picture, larger, and perhaps a comparison beside it; returns its (width, height)."""
    if not source.exists():
        raise FileNotFoundError(f"There is no file {source}.")
    with images.open_picture(source) as picture:
        images.check_format(target, modes.mode_of(picture), [side * upscaler.scale for side in picture.size])
        target.parent.mkdir(parents=True, exist_ok=True)
        files.check_writable(target)
        made = upscaler.picture(picture, progress)
        if compare:
            write_comparison(picture, made, target)
    images.write_picture(target, made)
    return made.size


def compare_files(source, target):
    """Write the comparison of a picture and of the larger one that was made of it before."""
    with images.open_picture(source) as low, images.open_picture(target) as high:
        write_comparison(low, images.upright(high), target)


def write_comparison(low, high, target):
    """Write, beside the output, what a bicubic enlargement of a Pillow picture would be, the larger one, and both
    where they differ most."""
    from PIL import Image

    low, high = (images.on_white(images.eight_bits(x)).convert("RGB") for x in (images.upright(low), high))
    bicubic = low.resize(high.size, Image.Resampling.BICUBIC)
    images.write(beside(target), plotting.comparison(bicubic, high))


def beside(target):
    """Where the comparison of an output lies: `photo.jpg` has `photo.jpg.compare.png`."""
    return target.with_name(f"{target.name}.compare.png")


def planned(sources, output, compare=False):
    """[(picture, where it goes)]; checks all that can be known before any work. Args and Raises: `upscale_files`'."""
    sources = [sources] if isinstance(sources, str | os.PathLike) else sources
    sources, output = [pathlib.Path(source) for source in sources], pathlib.Path(output)
    if len(sources) == 1 and not sources[0].is_dir() and output.suffix and not output.is_dir():
        images.check_format(output)
        files.check_writable(output)
        plan = [(sources[0], output)]
    else:
        check_folder(output)
        plan = []
        for source in sources:
            if source.is_dir():
                found = [path for path in pictures_below(source) if not is_ours(path, source, output)]
                plan += [(path, output / path.relative_to(source)) for path in found]
            else:
                plan.append((source, output / source.name))
    if not plan:
        raise ValueError(f"There is no picture in {', '.join(map(str, sources))}.")
    check_apart(plan, compare)
    return plan


def is_ours(path, source, output):
    """Whether a picture below a source is hidden, or lies in an output folder that is below it too."""
    inside = output.resolve() != source.resolve() and output.resolve() in path.resolve().parents
    return inside or path.name.startswith(".")


def check_folder(output):
    """Refuse an output that is, or is named as, a file, or that cannot be written into."""
    there = next(path for path in (output, *output.parents) if path.exists())
    if not there.is_dir() or (output.suffix.lower() in SUFFIXES and not output.is_dir()):
        raise NotADirectoryError(f"Several pictures need a folder to go into; saw {output}.")
    if not os.access(there, os.W_OK):
        raise PermissionError(f"Cannot write into {output}: the folder {there} is not writable.")


def check_apart(plan, compare=False):
    """Refuse two pictures that would become one file, a comparison that would be one, and a picture of itself."""
    seen = {beside(target): f"the comparison of {source}" for source, target in plan} if compare else {}
    for source, target in plan:
        if source.resolve() == target.resolve():
            raise ValueError(f"{source} would be written over itself: choose another output.")
        if target in seen:
            raise ValueError(f"{seen[target]} and {source} would both become {target}: do them apart.")
        seen[target] = source
