"""LAPGAN's networks: the authors', smaller ones, with the class in every layer; how they are held."""

import keras
import numpy as np
import pytest
from goldens import deep_lapgan
from keras import ops

from kerasgan import LAPGAN, pyramid
from kerasgan.models import levels, networks

IMAGES = np.random.default_rng(1).integers(0, 256, (16, 16, 16, 1)).astype("uint8")
LABELS = np.arange(16) % 3


def operations(network):
    """Multiply-adds of an image: weights of each dense layer, weights times positions of each convolution."""
    total = 0
    for layer in networks.layers_of(network):
        if isinstance(layer, keras.layers.Dense | keras.layers.Conv2D):
            places = np.prod(layer.output.shape[1:3]) if isinstance(layer, keras.layers.Conv2D) else 1
            total += int(np.prod(layer.kernel.shape) * places)
    return total


def test_the_authors_networks():
    """Base: 100-1200-1200-192 and 192-600-600-1; 16x16: 7x7, 7x7, 5x5 with 64 channels, D 5x5, 5x5 halving."""
    model = LAPGAN.paper((32, 32, 3))
    kernels = {layer.name: [tuple(w.shape) for w in layer.weights if len(w.shape) > 1] for layer in
               [*model.generator.layers, *model.discriminator.layers]}  # fmt: skip
    assert kernels["generator_8"] == [(100, 1200), (1200, 1200), (1200, 192)]
    assert kernels["discriminator_8"] == [(192, 600), (600, 600), (600, 1)]
    assert kernels["generator_16"] == [(7, 7, 4, 64), (7, 7, 64, 64), (5, 5, 64, 3)]
    assert kernels["discriminator_16"] == [(5, 5, 3, 64), (5, 5, 64, 64), (8 * 8 * 64, 1)], "D sees the sum alone"
    assert model.sizes == [8, 16, 32] and model.latent_shape == (100 + 16 * 16 + 32 * 32,)
    assert model.latent_distribution == "uniform" and model.optimizer.get_config()["momentum"] == 0.5
    assert round(operations(model.generator) / 1e6) == 281


def test_the_papers_preset_trains():
    model = LAPGAN.paper((16, 16, 1), units=[8], discriminator_units=[8], widths=[4], discriminator_widths=[4])
    assert np.isfinite(list(model.fit(IMAGES, batch_size=8, verbose=0).history.values())).all()


def test_the_modern_networks_are_for_two_cores():
    model = LAPGAN.modern((32, 32, 3), classes=10)
    assert round(operations(model.generator) / 1e6) == 41
    per_level = [operations(model.level("generator", i)) / 1e6 for i in (1, 2)]
    assert per_level == pytest.approx([19.9, 20.9], abs=0.1), "every level costs as much"
    assert 4 * (model.generator.count_params() + model.discriminator.count_params()) < 8e6
    judged = model.level("discriminator", 2).inputs[0].shape
    assert judged == (None, 32, 32, 6), "D sees coarse image and residual, side by side"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_any_number_of_levels_of_any_channels_and_sides(count):
    model = lapgan_of((4 << count, 6 << count, 4), classes=None)
    assert model.sizes == [4 << k for k in range(count + 1)]
    assert model.generate(2, seed=0).shape == (2, 4 << count, 6 << count, 4)


def lapgan_of(image_shape, **options):
    """A golden of another shape."""
    above = len(levels.shapes_of(image_shape, 4)) - 1
    small = dict(base=4, latent_size=8, units=[16], discriminator_units=[8], kernel_size=3, dropout=0.0)
    return LAPGAN(image_shape, **{**small, "widths": [4] * above, "discriminator_widths": [4] * above, **options})


def test_the_chain_is_equation_5():
    """I_k = up(I_k+1) + deviation * G_k(z_k, up(I_k+1)), by hand; clipped at its very end alone."""
    model = deep_lapgan()
    latents, labels = map(ops.convert_to_tensor, model.inputs_of(3, range(4)))
    first, *planes = ops.split(latents, [8, 8 + 64], axis=1)
    images = model.level("generator", 0)([first, labels])
    for level, (side, plane) in enumerate(zip((8, 16), planes, strict=True), start=1):
        coarse = pyramid.up(images)
        residual = model.level("generator", level)([ops.reshape(plane, (4, side, side, 1)), coarse, labels])
        images = coarse + ops.convert_to_tensor(model.deviation(level)) * residual
    unclipped = ops.convert_to_numpy(images)
    assert np.abs(unclipped).max() > 1
    np.testing.assert_allclose(model.generator([latents, labels]), np.clip(unclipped, -1, 1), atol=1e-6)


def test_levels_logits_add_up():
    """Of a pack too: each image's own pair of coarse and residual."""
    for pack in (1, 2):
        model = deep_lapgan(pack=pack)
        images, onehot = data_of(model, 2 * pack)
        sizes = pyramid.coarser(images, 2)
        total = model.level("discriminator", 0)([networks.packed(sizes[0], pack), onehot])
        for level in (1, 2):
            coarse = pyramid.up(sizes[level - 1])
            pair = ops.concatenate([coarse, (sizes[level] - coarse) / model.deviation(level)], axis=-1)
            total = total + model.level("discriminator", level)([networks.packed(pair, pack), onehot])
        found = model.discriminator([networks.packed(images, pack), onehot])
        np.testing.assert_allclose(found, total, rtol=1e-5, atol=1e-5)


def data_of(model, n):
    """Images and the label vectors of their packs."""
    images = ops.convert_to_tensor(IMAGES[:n] / np.float32(127.5) - 1)
    return images, ops.convert_to_tensor(np.eye(3, dtype="float32")[LABELS[:n]].reshape(-1, 3 * model.pack))


def test_the_builders_of_levels():
    """What holds the levels together takes any networks of their shapes."""
    shapes = levels.shapes_of((8, 8, 1), 4)
    own = [levels.build_base_generator(shapes[0], 5, [6]), levels.build_generator(shapes[1], 3, 3, 1)]
    assert levels.chain(own, shapes, 5).output_shape == (None, 8, 8, 1) and levels.latents_in(shapes, 5) == 5 + 64
    first, plane = levels.noise_of(ops.zeros((2, 69)), shapes, 5)
    assert first.shape == (2, 5) and plane.shape == (2, 8, 8, 1)
    judged = [levels.build_base_discriminator(shapes[0], [6], 0.0), levels.build_discriminator(shapes[1], 3, 3, 4)]
    assert levels.judges(judged, shapes).output_shape == (None, 1)
    generator = levels.build_generators(shapes, 5, [6], [3], 3, 1)
    assert levels.above(generator, shapes, 5, 0).output_shape == (None, 8, 8, 1)
    assert levels.build_discriminators(shapes, [6], [3]).output_shape == (None, 1)
    images = levels.refined(own[1], levels.ResidualScale(), ops.zeros((2, 4, 4, 1)), ops.zeros((2, 8, 8, 1)), [])
    assert images.shape == (2, 8, 8, 1)
    assert levels.label_input(None) == [] and levels.plane(keras.Input((3,)), (4, 6, 1)).shape == (None, 4, 6, 1)
    assert levels.convolution(3, 5, 2).strides == (2, 2)


def test_projection():
    """Miyato and Koyama 2018, eq. 4: at every level w . f(x) + (V y) . f(x); with hidden labels w . f(x)."""
    model = deep_lapgan(projection=True)
    onehot = np.eye(3, dtype="float32")
    for level in range(3):
        judge = model.level("discriminator", level)
        assert [x.shape for x in judge.inputs] == [judge.inputs[0].shape, (None, 3)]
        features = keras.Model(judge.inputs[0], judge.get_layer("scores").input)
        shown = np.random.default_rng(level).normal(size=(3, *judge.inputs[0].shape[1:])).astype("float32")
        f, (v,) = np.asarray(features(shown)), judge.get_layer("classes").get_weights()
        plain = np.asarray(judge([shown, np.zeros((3, 3), "float32")]))
        np.testing.assert_allclose(plain, np.asarray(judge.get_layer("scores")(f)), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(judge([shown, onehot]), plain + (f * v).sum(1, keepdims=True), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="projection is of classes, and there are none: leave it out"):
        deep_lapgan(projection=True, classes=None)
    assert LAPGAN.modern((32, 32, 3), classes=2).config["projection"]
    assert not LAPGAN.paper((32, 32, 3), classes=2, units=[4], discriminator_units=[4]).config["projection"]


def test_a_bias_of_each_class_by_hand():
    """One convolution of weights 0: the class alone speaks, as much at every place."""
    network = levels.build_generator((4, 4, 1), 2, 1, 1, classes=3, projection=True)
    dense, convolution, residual = sorted((x for x in network.layers if x.weights), key=lambda x: len(x.output.shape))
    of_class = np.array([[1, 2], [-1, 4], [0, 0]], "float32")
    convolution.set_weights([np.zeros((1, 1, 2, 2)), np.zeros(2)])
    dense.set_weights([of_class])
    residual.set_weights([np.ones((1, 1, 2, 1)), np.zeros(1)])
    noise = np.ones((3, 4, 4, 1), "float32")
    drawn = np.asarray(network([noise, noise, np.eye(3, dtype="float32")]))
    np.testing.assert_allclose(drawn, np.broadcast_to(np.reshape([3, 4, 0], (3, 1, 1, 1)), drawn.shape))
    assert levels.bias(keras.Input((3,)), 5).shape == (None, 1, 1, 5)
    assert levels.projected(keras.Input((7,)), [keras.Input((3,))]).shape == (None, 1)


def test_residual_scale():
    for inverse, expected in ((False, 6.0), (True, 1.5)):
        layer = levels.ResidualScale(inverse=inverse)
        layer.deviation.assign(2.0)
        again = levels.ResidualScale.from_config(layer.get_config())
        assert float(layer(ops.convert_to_tensor(3.0))) == expected and again.inverse == inverse
