"""Can a classifier tell upscaled pictures from originals? `KERASGAN_DATA=... python benchmarks/telling_apart.py`

Crops of BSD100, which trained none of the upscalers, original and upscaled from their low pictures: a small network
learns on the first 60 pictures, the epoch that does best on the next 20 is asked about the last 20. Three seeds; 0.5 is
chance. An upscaler whose pictures are taken for originals has a low number.
"""

import json
import sys

import keras
import numpy as np
from keras import layers

import kerasgan

SET, SIDE, CROPS, EPOCHS, SEEDS = "sr/BSD100/hr|sr/BSD100/lr_x4", 48, 40, 12, (0, 1, 2)
PARTS = {"train": slice(0, 60), "validation": slice(60, 80), "test": slice(80, 100)}


def crops(real, made, rng):
    """(float crops, labels): as many of each picture and of its double, from the same places; 1 is an original."""
    images, labels = [], []
    for pair in zip(made, real, strict=True):
        height, width = pair[0].shape[:2]
        for _ in range(CROPS):
            y, x = rng.integers(0, height - SIDE), rng.integers(0, width - SIDE)
            for label, picture in enumerate(pair):
                images.append(picture[y : y + SIDE, x : x + SIDE])
                labels.append(label)
    return np.stack(images) / np.float32(127.5) - 1, np.array(labels)


def network():
    """Fine detail is what there is to see: no pooling before the third convolution."""
    images = x = keras.Input((SIDE, SIDE, 3))
    for filters, strides in ((32, 1), (32, 1), (48, 2), (64, 2), (96, 2)):
        x = layers.Conv2D(filters, 3, strides, "same", use_bias=False, kernel_initializer="he_normal")(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(images, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


def accuracy(real, made, seed):
    """How many of the last pictures' crops a network tells right."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    data = {name: crops(real[part], made[part], rng) for name, part in PARTS.items()}
    judge = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    judge.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    best = keras.callbacks.EarlyStopping("val_accuracy", patience=EPOCHS, restore_best_weights=True)
    told = dict(validation_data=data["validation"], callbacks=[best], verbose=0)
    judge.fit(*data["train"], batch_size=64, epochs=EPOCHS, **told)
    return judge.evaluate(*data["test"], verbose=0, return_dict=True)["accuracy"]


def main():
    """Measure and tell."""
    pictures = kerasgan.data.pictures_from(SET)
    for name in sys.argv[1:] or ("srresnet_x4", "srgan_x4"):
        model = kerasgan.load(name, metrics=False)
        made = [model.upscale(low) for low in pictures.low]
        found = [accuracy(pictures.high, made, seed) for seed in SEEDS]
        print(json.dumps({"entry": name, "told apart": round(float(np.mean(found)), 3), "each": found}), flush=True)


if __name__ == "__main__":
    main()
