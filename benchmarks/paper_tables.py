"""Every entry that makes pictures, by its paper's table and as we measure it: `python benchmarks/paper_tables.py`

Takes what the cards say, and measures what they do not (TFDS_DATA_DIR for the data); prints the page in markdown and
draws it beside this script: a line per number, with the paper's, ours over sampling seeds, and real data's.
"""

import argparse
import pathlib
import textwrap

from kerasgan import evaluation, protocols, rendering, zoo

HERE = pathlib.Path(__file__).parent


def records_of(name):
    """The records of an entry under every protocol that its card names, from the card where it has them."""
    card = zoo.info(name)
    if card["kind"] == "upscaler":
        return card["metrics"] or evaluation.evaluate(name)
    found = []
    for protocol, (key, _) in protocols.PROTOCOLS.items():
        known = [r for r in card["metrics"] if rendering.is_paper(r) == (protocol == "paper")]
        if card.get(key):
            found += known or evaluation.evaluate(name, protocol=protocol)
    return found


def page(found):
    """The lines of the markdown page: one table an entry."""
    lines = []
    for name, records in found.items():
        head = ["metric", "paper", "ours", "real data", "verdict"]
        rows = [
            [
                r["metric"] + rendering.where(r),
                published(r),
                rendering.spread(r),
                rendering.real(r),
                rendering.verdict(r),
            ]
            for r in records
        ]
        lines += [f"### {name}", "", *rendering.table(head, rows), ""]
        if tables := {r["table"] for r in records if "table" in r}:
            lines += [f"Paper: {'; '.join(sorted(tables))}.", ""]
    return lines


def published(record):
    """What the paper has."""
    spread = f" ± {record['paper_spread']:.2g}" if record.get("paper_spread") else ""
    return f"{record['paper']:.4g}{spread}" if "paper" in record else ""


def draw(found, path):
    """One row a number, each on its own scale: paper, ours with its spread, real data."""
    import matplotlib.pyplot as plt

    rows = [(name, record) for name, records in found.items() for record in records]
    figure, axes = plt.subplots(len(rows), 1, figsize=(8, 0.55 * len(rows) + 0.6), squeeze=False)
    for axis, (name, record) in zip(axes[:, 0], rows, strict=True):
        axis.errorbar(record["value"], 0, xerr=record.get("spread") or 0, fmt="o", color="tab:blue", label="ours")
        if record.get("real") is not None:
            axis.plot(record["real"], 0, "d", color="tab:green", label="real data")
        if "paper" in record:
            axis.errorbar(
                record["paper"], 0, xerr=record.get("paper_spread") or 0, fmt="s", color="tab:red", label="paper"
            )
        if "bicubic" in record:
            axis.plot(record["bicubic"], 0, "x", color="tab:gray", label="bicubic")
        label = f"{name}: {record['metric'].replace('_', ' ')}{rendering.where(record)}"
        axis.set_yticks([0], [textwrap.shorten(label, 60, placeholder="...")])
        axis.margins(x=0.1)
        axis.tick_params(labelsize=7)
        for side in ("left", "right", "top"):
            axis.spines[side].set_visible(False)
    handles = {}
    for axis in axes[:, 0]:
        handles |= {label: handle for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), ncols=4, loc="upper center", fontsize=8)
    figure.tight_layout(rect=(0, 0, 1, 0.96))
    figure.savefig(path, dpi=110)


def main():
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="entries; all generators and upscalers by default")
    names = parser.parse_args().names or [*zoo.list_models(kind="generator"), *zoo.list_models(kind="upscaler")]
    found = {name: records_of(name) for name in names}
    print("\n".join(page(found)))
    draw(found, HERE / "paper_tables.png")


if __name__ == "__main__":
    main()
