"""Where do more replicas stop paying? `python benchmarks/scaling.py`: a plan on paper, from what two cores measured.

A step takes as long as the slowest replica's share of it, and then all sum their gradients, in a ring (Patarasuk and
Yuan 2009): each sends 2 (n - 1) / n times the bytes of the gradients, in 2 (n - 1) messages. A replica takes as long as
one of the steps that were measured (`workers.py`), at random, so that there are stragglers. The networks' speeds are
assumed, and so are devices faster than these cores: nobody measured them here. Sampling needs no network: n replicas
draw n times as much.
"""

import json
import sys

import numpy as np
from workers import BATCH, model_of, numbers, overhead, talking

REPLICAS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
NETWORKS = {"1 Gb/s, 50 us": (0.125e9, 50e-6), "25 Gb/s, 20 us": (3.1e9, 20e-6), "300 GB/s, 3 us": (300e9, 3e-6)}
FASTER = (1, 100)  # than these two cores
DRAWS = 400


def step_time(n, times, share, bytes_, bandwidth, latency, rng):
    """Seconds of a step on n replicas, (the slowest one's work, the sum over all).

    Args:
        times: measured seconds of a step of the whole batch. share: of that batch for each replica.
    """
    work = share * rng.choice(times, (DRAWS, n)).max(axis=1).mean()
    talk = 2 * (n - 1) / n * bytes_ / bandwidth + 2 * (n - 1) * latency if n > 1 else 0.0
    return work, talk


def plan(times, bytes_, network, faster, grows):
    """{n: how much of n times the images per second of one replica}; `grows`: the batch, with the replicas."""
    rng, found = np.random.default_rng(0), {}
    bandwidth, latency = NETWORKS[network]
    times = np.asarray(times) / faster
    for n in REPLICAS:
        if not grows and BATCH % n:
            break  # a replica has an image at least
        took = sum(step_time(n, times, 1.0 if grows else 1 / n, bytes_, bandwidth, latency, rng))
        images = n if grows else 1
        found[n] = round(images * times.mean() / took / n, 3) if n > 1 else 1.0
    return found


def main():
    """Measure, and plan."""
    from kerasgan import distribution

    bytes_ = 4 * numbers(model_of(distribution.strategy()))
    times = np.array(overhead()["step, ms"]) / 1000
    spread = round(float(times.std() / times.mean()), 3)
    measured = {"batch": BATCH, "step, s": round(float(times.mean()), 3), "spread of a step": spread}
    print(json.dumps(measured | {"bytes summed a step": bytes_, "sent by each of many": 2 * bytes_}))
    both = talking()["gradients"]["ms"] / 1000
    print(json.dumps({"two workers by loopback": {"measured sum, s": both, "bytes/s": round(bytes_ / both)}}))
    for grows in (False, True):
        for faster in FASTER:
            for network in NETWORKS:
                shares = plan(times, bytes_, network, faster, grows)
                pays = max((n for n, share in shares.items() if share >= 0.5), default=1)
                row = {"batch": "64 a replica" if grows else "64 in all", "device": f"{faster}x these cores"}
                print(json.dumps(row | {"network": network, "efficiency": shares, "pays up to": pays}))


if __name__ == "__main__":
    sys.exit(main())
