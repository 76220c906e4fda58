"""`list` and `info`: what there is in the zoo."""

import click

from kerasgan.cli.group import as_json, main, show


@main.command("list")
@click.argument("pattern", default="*")
@click.option("--family", help="The first part of the name, such as dcgan.")
@click.option("--kind", help="generator, upscaler or extractor.")
@as_json
def list_(pattern, family, kind, as_json):
    """List the models whose name fits PATTERN (*, ?)."""
    from kerasgan import zoo

    here, absent = zoo.folders(), {"title": "not on this machine: fetched from KERASGAN_MIRROR"}
    names = zoo.list_models(pattern, family=family, kind=kind)
    found = {name: zoo.info(name) if name in here else absent for name in names}
    rows = [{"name": name, "kind": card.get("kind"), "title": card.get("title")} for name, card in found.items()]
    if rows or as_json:
        lines = [f"{row['name']:16} {row['kind'] or '':10} {row['title'] or ''}" for row in rows]
        show(rows, as_json, lambda _: "\n".join(lines))
    else:
        click.echo("There is no such model.", err=True)


@main.command()
@click.argument("name")
@as_json
def info(name, as_json):
    """Show the card of a model."""
    from kerasgan import rendering, zoo

    show(zoo.info(name), as_json, rendering.render)
