"""`generate`, `upscale` and `demo`: what pictures are made with."""

import pathlib
import sys

import click

from kerasgan.cli.group import as_json, generator, main, show, tidy
from kerasgan.names import nearest


@main.command()
@click.argument("name")
@click.option("-n", type=click.IntRange(1), help="How many images.  [default: 64, or one for each label]")
@click.option("--labels", help="Of a conditional model: classes by name or number, as in 3,1,4; repeated up to N.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Image i depends on (seed, i) alone; drawn if absent.")
@click.option("-o", "--output", help="A picture (grid) or .npz; with --each a folder.  [default: samples.png, samples]")
@click.option("--each", is_flag=True, help="One picture per image, in the folder OUTPUT.")
@as_json
@tidy
def generate(name, n, labels, seed, output, each, as_json):
    """Draw images with the model NAME (an entry, a folder, a .keras file)."""
    from kerasgan import files, images, plotting, zoo

    path = pathlib.Path(output or ("samples" if each else "samples.png"))
    files.check_writable(path / "0.png" if each and path.exists() else path)
    if each and path.is_dir() and any(path.iterdir()):
        raise FileExistsError(f"{path} is not empty: choose another --output, or old images would be among the new.")
    if not each and path.suffix != ".npz":
        images.check_format(path)
    model = generator(zoo.load(name, metrics=False), name)
    if labels is not None:
        labels = labels_of(labels, n, [] if name.endswith(".keras") else zoo.info(name).get("class_names", []))
    drawn = model.generate(len(labels) if labels else n or 64, seed=seed, labels=labels)
    if each:
        path.mkdir(exist_ok=True)
        width = len(str(len(drawn) - 1))
        for i, image in enumerate(drawn):
            images.write(path / f"{i:0{width}}.png", image)
    elif path.suffix == ".npz":
        import numpy as np

        files.write_atomically(path, lambda temporary: np.savez_compressed(temporary, images=drawn))
    else:
        images.write(path, plotting.grid(drawn))
    value = {"model": name, "images": len(drawn), "seed": model.last_seed, "output": str(path)}
    show(value, as_json, lambda v: f"{v['images']} images of {v['model']}, seed {v['seed']}: {v['output']}")


def labels_of(text, n, class_names):
    """The labels that `cat,3` means, repeated until there are `n`.

    Raises:
        ValueError: a word that is neither the name of a class nor a number.
    """
    wanted = []
    for word in (word.strip() for word in text.split(",")):
        if word not in class_names and not word.isdecimal():
            raise ValueError(f"--labels: {word!r} is no class and no number.{nearest(word, class_names)}"
                             f" Classes: {', '.join(class_names) or 'by number'}.")  # fmt: skip
        wanted.append(class_names.index(word) if word in class_names else int(word))
    return [wanted[i % len(wanted)] for i in range(n or len(wanted))]


@main.command()
@click.argument("sources", metavar="IN...", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--output", required=True, help="A folder; of one picture also a file.")
@click.option("--model", default="srgan_x4", show_default=True, help="An entry, a folder or a .keras file.")
@click.option("--strength", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="0 is BASE, 1 MODEL.")
@click.option("--base", default="srresnet_x4", show_default=True, help="The same network, trained by pixels alone.")
@click.option("--color-fix", is_flag=True, help="Made small again the colours shall be those of IN.")
@click.option("--max-memory", default="1GB", show_default=True, help="For the work on one tile.")
@click.option("--compare", is_flag=True, help="Beside each write a picture of it and a bicubic one.")
@click.option("--overwrite", is_flag=True, help="Make outputs that exist again; they are skipped otherwise.")
@click.option("--force", is_flag=True, help="Make pictures of more than 250 megapixels too.")
@as_json
@tidy
def upscale(sources, output, model, strength, base, force, as_json, **options):
    """Make pictures larger, with detail: files, and folders with all that is below.

    Pictures keep their mode, transparency, colour profile and EXIF. One that fails does not stop the others; the exit
    code is 1 then.
    """
    from kerasgan import upscaling
    from kerasgan.progress import Tiles

    options |= {"max_megapixels": None} if force else {}
    rows, bar = [], Tiles()
    try:
        for result in upscaling.upscale_files(sources, output, model, strength, base=base, progress=bar, **options):
            bar.stop()
            rows.append(result._asdict())
            if result.status == "failed":
                click.echo(f"kerasgan: {result.detail}", err=True)
            elif not as_json:
                click.echo("{output}: {status}, {detail}".format(**rows[-1]))
    finally:
        bar.stop()
    if as_json:
        show(rows, True, None)
    failed = sum(row["status"] == "failed" for row in rows)
    if failed and len(rows) > 1:
        click.echo(f"kerasgan: {failed} of {len(rows)} pictures failed.", err=True)
    sys.exit(1 if failed else 0)


@main.command()
@click.option("-o", "--output", default="kerasgan-demo", show_default=True, help="The folder to write into.")
@tidy
def demo(output):
    """Draw digits, walk between them, fine-tune on other digits, export: everything once, offline."""
    from kerasgan.demo import run

    run(output, click.echo)
