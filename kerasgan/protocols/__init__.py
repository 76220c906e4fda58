"""What a generator is measured by: the features of an extractor ("modern"), or a paper's own table ("paper").

A protocol is made of a card and of the real images; then it measures any images by them:

    >>> Modern(card, test, train).measure(data.from_arrays(model.generate(10_000, seed=1)))
    {"frechet_distance": 8.02, "kernel_distance": 0.31, ...}

`samples` is how many it asks for, `says` what a number must not travel without, `own` what concerns one metric alone.
What is asked of the model itself, and not of its samples, `of_model` measures.
"""

from kerasgan import names
from kerasgan.protocols.modern import Modern
from kerasgan.protocols.paper import TABLES, Paper

PROTOCOLS = {"modern": ("extractor", "extractor"), "paper": ("paper_table", "paper's table")}  # {name: (key, in words)}

__all__ = ["PROTOCOLS", "TABLES", "Modern", "Paper", "check", "of"]


def of(name, card, test, train):
    """The protocol of that name, for an entry, the real images that it is held against and those that it has seen.

    Args:
        test, train: Datasets; all of the second.

    Raises:
        ValueError: there is no such protocol, or the card does not name what it needs.
    """
    check(name, card)
    return (Modern if name == "modern" else Paper)(card, test, train)


def check(name, card):
    """Refuse an unknown protocol, and an entry whose card does not name what it needs; before any work."""
    names.check_choice("protocol", name, PROTOCOLS)
    key, what = PROTOCOLS[name]
    if not card.get(key):
        raise ValueError(f"{card['name']} names no {what} to measure it by (`{key}` in its recipe's [card]).")
    if name == "paper":
        names.check_choice("paper_table", card[key], TABLES)
