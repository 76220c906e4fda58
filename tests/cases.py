"""Which goldens a test takes: some at once, and the others in `make soak`, where every variant has its turn."""

import pytest


def quick(some, *names):
    """Goldens as parameters of a test: those of these names, and the others in `make soak`."""
    return [pytest.param(g, id=g.name, marks=() if g.name in names else pytest.mark.soak) for g in some]


def once(some):
    """The first golden of each variant; where there is a second one, with classes or without, in `make soak`."""
    firsts = {golden.variant: golden.name for golden in reversed(some)}
    return quick(some, *firsts.values())


def asked(request, *tests):
    """[(golden, parameters)] of the cases of these tests that will run: what is prepared in minutes is no more."""
    cases = [item.callspec.params for item in request.session.items if item.originalname in tests]
    return [(case["golden"], case) for case in cases]
