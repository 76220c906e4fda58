"""What does a strategy cost, and what do two workers say to each other? `python benchmarks/workers.py`

DCGAN at 28x28x1 as dcgan_mnist is trained. `fit` under a strategy of one device beside `fit` without, in interleaved
blocks; and the sum over two processes, by loopback, of as many numbers as both players' gradients have.
"""

import json
import socket
import statistics
import subprocess
import sys
import time

import numpy as np

BATCH, STEPS, BLOCKS, SUMS = 64, 10, 15, 30


def model_of(strategy):
    """The model of dcgan_mnist, untrained."""
    import keras

    import kerasgan

    with strategy.scope():
        sizes = dict(width=32, convolutions=2, discriminator_width=48, discriminator_convolutions=1, kernel_size=4)
        model = kerasgan.DCGAN((28, 28, 1), modes=32, **sizes)
        adams = [keras.optimizers.Adam(1e-3, beta_1=0.0, beta_2=0.99) for _ in range(2)]
        model.compile(*adams, loss="relativistic", penalty=kerasgan.penalties.r1_r2(0.1))
    return model


def numbers(model):
    """How many weights both players move."""
    return sum(int(np.prod(w.shape)) for p in (model.generator, model.discriminator) for w in p.trainable_variables)


def overhead():
    """{"ratio": median, "interval": of 95% by bootstrap}: a step of `fit` under a strategy of one device / without."""
    from kerasgan import data, distribution

    images = np.random.default_rng(0).integers(0, 256, (BATCH * STEPS, 28, 28, 1), "uint8")
    dataset = data.from_arrays(images, batch_size=BATCH)
    models = [model_of(distribution.strategy(kind)) for kind in ("auto", "one")]
    times = [[], []]
    for _ in range(BLOCKS + 1):  # the first one compiles
        for model, measured in zip(models, times, strict=True):
            begin = time.perf_counter()
            model.fit(dataset, epochs=1, verbose=0)
            measured.append((time.perf_counter() - begin) / STEPS)
    ratios = np.array(times[1][1:]) / np.array(times[0][1:])
    drawn = np.random.default_rng(0).choice(ratios, (10_000, len(ratios)))
    interval = np.percentile(np.median(drawn, axis=1), [2.5, 97.5]).round(3).tolist()
    steps = [round(1000 * t, 1) for t in times[0][1:]]
    return {"ratio": round(float(np.median(ratios)), 3), "interval": interval, "step, ms": steps}


def worker(addresses, index):
    """The milliseconds of each of `SUMS` sums over both workers, of the gradients' numbers, and of one number."""
    from kerasgan import distribution

    strategy = distribution.strategy(workers=addresses, index=index)
    import tensorflow as tf

    found = {}
    for name, count in {"gradients": numbers(model_of(strategy)), "one number": 1}.items():

        @tf.function
        def both(count=count):
            def step():
                return tf.distribute.get_replica_context().all_reduce("SUM", tf.ones(count))

            return strategy.run(step)

        both()
        found[name] = {"numbers": count, "ms": []}
        for _ in range(SUMS):
            begin = time.perf_counter()
            both()
            found[name]["ms"].append(1000 * (time.perf_counter() - begin))
    return found


def talking():
    """{what: {numbers, ms}}: the median time of a sum over two workers."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        addresses = ",".join(f"127.0.0.1:{each.getsockname()[1]}" for each in (one, other))
    commands = [[sys.executable, __file__, addresses, str(i)] for i in range(2)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    found = json.loads(both[0].communicate()[0].splitlines()[-1])
    both[1].communicate()
    return {name: part | {"ms": round(statistics.median(part["ms"]), 2)} for name, part in found.items()}


def main():
    """Both questions; with arguments one of the workers."""
    if len(sys.argv) > 1:
        print(json.dumps(worker(sys.argv[1], int(sys.argv[2]))))
        return
    print(json.dumps({"fit under a strategy of one device, over fit": overhead()}))
    print(json.dumps({"a sum over two workers": talking()}))


if __name__ == "__main__":
    main()
