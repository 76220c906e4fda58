"""Names that are looked up: what is none of them is refused with the nearest."""

import difflib

DEPTHS = ("convolutions", "discriminator_convolutions", "blocks")  # arguments of models that count layers


def nearest(name, names, n=1):
    """` Did you mean 'x'?`, or nothing; of several near ones up to `n`. Capitals make no name another."""
    known = {str(other).lower(): other for other in names}
    near = difflib.get_close_matches(str(name).lower(), known, n=n, cutoff=0.6 if n == 1 else 0.4)
    return f" Did you mean {' or '.join(repr(known[other]) for other in near)}?" if near else ""


def check_choice(what, value, choices):
    """Refuse a value that is not among the choices.

    Raises:
        ValueError: it is not; the nearest is named, and all.
    """
    if value not in list(choices):  # a list from a recipe has no hash
        raise ValueError(f"Unknown {what} {value!r}.{nearest(value, choices)} There are: {', '.join(choices)}.")
