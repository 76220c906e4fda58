"""What the levels of a LAPGAN do, each for itself: in the features that its images are measured in."""

import numpy as np
from keras import ops

from kerasgan import pyramid
from kerasgan.images import to_float, to_uint8
from kerasgan.metrics import frechet_distance
from kerasgan.models import levels

FIXED, DRAWS = 100, 32  # coarse images, and residuals that are drawn for each


def chained(model, judge, test, train, seed):
    """{metric: value} of a model with levels, coarse to fine.

    `frechet_from_8`: from real images of height 8 on, instead of from noise: what the levels above add to the distance
    of real images. Those are training images, as the anchor's are. `frechet_at_16`: of the chain's own images of height
    16 against real ones of that size, both doubled until they have the extractor's. `noise_used_16`: the deviation of
    a level's residuals over its noise, for one real coarse image, in that of real residuals; 0 where noise is ignored.

    Args:
        model: a LAPGAN. judge: a function, images to features (n, d). test, train: Datasets of as many images; labels
            are needed where the model has classes. seed: of the samples.
    """
    labels = train.labels if model.conditional else None
    count, found = len(model.sizes) - 1, {}
    real, small = judge(test.images), gaussian(train.images, count)
    for size, images in zip(model.sizes[:-1], small, strict=False):
        drawn = model.refine(images, seed=seed, labels=labels)
        found[f"frechet_from_{size}"] = frechet_distance(real, judge(drawn))
    own = model.generate(len(test.images), seed=seed, labels=labels, return_pyramid=True)
    sizes = gaussian(test.images, count)
    for i in range(1, count):
        pair = (sizes[i], to_float(own[i]))
        distance = frechet_distance(*(judge(doubled(images, count - i)) for images in pair))
        found[f"frechet_at_{model.sizes[i]}"] = distance
    for level in range(1, count + 1):
        found[f"noise_used_{model.sizes[level]}"] = noise_used(model, level, small[level - 1][:FIXED], labels, seed)
    return found


def anchors(sizes, judge, test, train):
    """{metric: value} of real training images in the place of the model's."""
    count, found = len(sizes) - 1, {}
    whole = frechet_distance(judge(test.images), judge(train.images))
    found |= {f"frechet_from_{size}": whole for size in sizes[:-1]}
    for i in range(1, count):
        pair = (doubled(gaussian(dataset.images, count)[i], count - i) for dataset in (test, train))
        found[f"frechet_at_{sizes[i]}"] = frechet_distance(*map(judge, pair))
    return found


def noise_used(model, level, below, labels, seed):
    """The deviation over the noise, pixel by pixel, of the residuals of unit scale that a level draws."""
    found = residuals(model, level, below, labels, seed, DRAWS)
    return float(np.sqrt(found.var(axis=1, ddof=1, dtype="float64").mean()))


def residuals(model, level, below, labels, seed, draws, first=0):
    """What a level draws for each coarse image, of unit scale: (n, draws, height, width, channels).

    Args:
        below: float images (n, height, width, channels) of the size below the level's. labels: one for each, or None:
            of no class. first: the number of the first latents among those of the seed.
    """
    network, n = model.average.get_layer(f"generator_{model.sizes[level]}"), len(below)
    coarse = np.repeat(ops.convert_to_numpy(pyramid.up(ops.convert_to_tensor(below))), draws, axis=0)
    latents = ops.convert_to_tensor(model.latents_of(seed, range(first, first + n * draws)))
    shapes = levels.shapes_of(model.image_shape, model.sizes[0])
    noise = ops.convert_to_numpy(levels.noise_of(latents, shapes, model.config["latent_size"])[level])
    onehot = []
    if model.conditional:
        known = np.zeros((n, model.classes), "float32") if labels is None else np.eye(model.classes)[labels[:n]]
        onehot = [np.repeat(known, draws, axis=0)]
    drawn = network.predict([noise, coarse, *onehot], batch_size=256, verbose=0)
    return drawn.reshape(n, draws, *drawn.shape[1:])


def gaussian(images, count):
    """Real images in every size, the smallest first: floats, not rounded."""
    return [ops.convert_to_numpy(x) for x in pyramid.coarser(ops.convert_to_tensor(to_float(images)), count)]


def doubled(images, count):
    """Images `count` times doubled, uint8: as an extractor takes those of its own size."""
    images = ops.convert_to_tensor(images)
    for _ in range(count):
        images = pyramid.up(images)
    return to_uint8(ops.convert_to_numpy(images))
