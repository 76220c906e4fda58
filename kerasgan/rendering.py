"""What a card says, in words and tables of markdown."""

import math
import statistics

RATIOS = ("frechet_distance", "precision", "recall", "density", "coverage", "worst_class_coverage", "pixel_variance")
FLATTERS = ("parzen_likelihood",)  # what rewards smooth samples beyond real ones


def zoo_table(found):
    """Lines of the table of all entries."""
    rows = []
    for card in found:
        name, size = f"[{card['name']}](zoo/{card['name']})", sum(f["bytes"] for f in card["files"].values()) / 1e6
        measured = [f"{m['metric'].replace('_', ' ')} {spread(m)}{where(m)}" for m in card.get("metrics", [])[:1]]
        anchors = [f"real data {real(m)}" for m in card.get("metrics", [])[:1] if real(m)]
        licence = card["licences"].get("weights")
        rows.append([name, card.get("title"), "; ".join(measured + anchors), f"{size:.1f} MB", licence])
    return table(["entry", "what", "measured", "size", "licence of the weights"], rows)


def where(record):
    """Which set of pictures, and how, where a card has several: ` on sr/Set5/hr, standard`."""
    return f" on {record['set'].split('|')[0]}, {record['protocol']}" if "set" in record else ""


def render(card):
    """The model card as markdown."""
    lines = [f"# {card['name']}", "", card.get("summary") or "", ""]
    if card["kind"] == "generator":
        latents = card["latents"]
        lines += [
            "![samples](samples.png)",
            "",
            *(["![each from coarse to fine](levels.png)", ""] if "levels.png" in card["files"] else []),
            "```python",
            "import kerasgan",
            "",
            f'model = kerasgan.load("{card["name"]}")',
        ]
        some = [i % len(card["class_names"]) for i in (2, 0, 1)] if card.get("class_names") else []
        what, n = (f"labels={some}", len(some)) if some else ("16", 16)
        lines += [f"images = model.generate({what}, seed=7)  # uint8 {(n, *card['images']['shape'])}", "```", ""]
    if card["kind"] == "upscaler":
        call = f'kerasgan.upscale("holiday.jpg", model="{card["name"]}")'
        lines += ["```python", "import kerasgan", "", f"picture = {call}  # {card['scale']} times larger", "```", ""]
    rows = {key: card[key] for key in ("paper", "task") if card.get(key)}
    if card["kind"] == "generator" and card.get("class_names"):
        rows["classes"] = ", ".join(f"{i}: {name}" for i, name in enumerate(card["class_names"]))
    rows["model"] = "; ".join(f"{key} {value}" for key, value in card["model"].items())
    rows |= {f"parameters, {part}": f"{count:,}" for part, count in card["parameters"].items()}
    if card["kind"] == "generator":
        rows["latents"] = f"{tuple(latents['shape'])}, {latents['distribution']}"
    shape = "any size" if None in card["images"]["shape"] else tuple(card["images"]["shape"])
    rows["images"] = f"{shape} in [-1, 1]"
    rows |= {f"licence of the {part}": text for part, text in card["licences"].items()}
    lines += table(["", ""], rows.items()) + [""]
    records = card.get("metrics", [])
    groups = [[r for r in records if is_paper(r) == paper] for paper in (False, True)]
    lines += [line for group in groups if group for line in measured(group)]
    training = card["training"]
    lines += ["## Training", "", f"`kerasgan train {card['name']}`; the recipe is `recipe.toml`.", ""]
    lines += table(["", ""], [(key.replace("_", " "), value) for key, value in training.items()]) + [""]
    lines += table(["data", ""], card["data"].items()) + [""]
    lines += table(["version", ""], card["versions"].items())
    return "\n".join(lines).rstrip() + "\n"


def measured(records):
    """Lines on the records of one protocol."""
    shared = {key: value for key, value in records[0].items() if all(r.get(key) == value for r in records)}
    alone = "of this metric alone"
    numbers = [
        [r["metric"], spread(r), real(r), verdict(r), protocol(r, without=shared), trainings(r)] for r in records
    ]
    lines = ["## Measured as in a paper" if is_paper(records[0]) else "## Measured", ""]
    head = ["metric", "this model", "real data", "verdict", alone, "by training seed"]
    kept = [i for i in range(len(head)) if i < 2 or any(row[i] for row in numbers)]
    lines += table([head[i] for i in kept], [[row[i] for i in kept] for row in numbers])
    return [*lines, "", *choice(records), f"Protocol: {protocol(shared)}.", ""]


def choice(records):
    """Lines on which of several trainings is shipped, where the distance says that it is the middle one."""
    for record in records:
        values = record.get("trainings", {}).values()
        if record["metric"] == "frechet_distance" and values and statistics.median(values) == record["value"]:
            return [f"Of {len(values)} trainings the one with the median {record['metric']} is shipped.", ""]
    return []


def table(head, rows):
    """Lines of a markdown table."""
    words = [["" if cell is None else str(cell).replace("|", "\\|") for cell in row] for row in rows]
    body = [f"| {' | '.join(row)} |" for row in words]
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *body]


def spread(record):
    """`8.02 +- 0.11 (3 sampling seeds)`."""
    text = f"{record['value']:.4g}"
    return f"{text} ± {record['spread']:.2g} ({len(record['seeds'])} sampling seeds)" if record.get("spread") else text


def trainings(record):
    """What each training came to: `0: 226.1, 1: 224.8, 2: 227.3`; of a single one nothing."""
    return ", ".join(f"{seed}: {value:.4g}" for seed, value in record.get("trainings", {}).items())


def is_paper(record):
    """Whether a record is of a paper's table, and not of the modern protocol."""
    return "table" in record


def verdict(record):
    """In words, how a number stands to the paper's, or where there is none to what real data score; of some nothing."""
    value, real_data = record["value"], record.get("real")
    if "bicubic" in record:
        theirs = (
            f"; {value - record['paper']:+.3g} against the paper's {record['paper']:.4g}" if "paper" in record else ""
        )
        return f"{value - record['bicubic']:+.3g} against bicubic's {record['bicubic']:.4g}{theirs}"
    if record["metric"] == "copying":
        return "0.5: as near to training images as test images are; less: farther off; 1: copies"
    if "paper" not in record:
        return f"{value / real_data:.3g}x real data" if measures_ratio(record["metric"]) and real_data else ""
    slack = 2 * math.hypot(record.get("spread") or 0, record.get("paper_spread") or 0)
    sign = 1 if record["better"] == "higher" else -1
    gain, beyond = sign * (value - record["paper"]), sign * (value - real_data)
    how = "as" if abs(gain) <= slack else "better than" if gain > 0 else "worse than"
    spread_of_theirs = f" ± {record['paper_spread']:.2g}" if record.get("paper_spread") else ""
    words = f"{how} the paper's {record['paper']:.4g}{spread_of_theirs}"
    flattered = record["metric"] in FLATTERS and beyond > slack
    return words + (", and better than real data: too good to mean quality" if flattered else "")


def measures_ratio(metric):
    """Whether a number says something as a multiple of what real data score; distances of a chain's levels do too."""
    return metric in RATIOS or metric.startswith("frechet_")


def real(record):
    """What real data scores under the same protocol."""
    return f"{record['real']:.4g}" if record.get("real") is not None else ""


def protocol(record, without=()):
    """The protocol in words, without what was said of all metrics at once: a number never travels without it."""
    skip = {"metric", "value", "spread", "real", "paper", "paper_spread", "better", "trainings", "bicubic", *without}
    return "; ".join(f"{key} {value}" for key, value in record.items() if key not in skip)
