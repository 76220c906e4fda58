"""Networks are built under their policy, copied in float32, searched through, packed, and given their optimizers."""

import keras
import numpy as np
import pytest
from goldens import dcgan
from keras import layers, ops

from kerasgan.layers import MinibatchDiscrimination, MinibatchStddev, SpectralNormalization
from kerasgan.models import networks


def small(*extra):
    return keras.Sequential([keras.Input((4,)), layers.Dense(3), *extra], name="small")


# --- building ---------------------------------------------------------------------------------------------------------


def test_shapes_of_images():
    """What is no image is told as what it is, of either player."""
    model = dcgan()
    assert networks.shape_drawn(model.generator, pack=3) == (16, 16, 3)
    assert networks.shape_judged(model.discriminator, 1) == (16, 16, 1) and networks.shape_judged(small(), 1) is None
    any_size = keras.Sequential([keras.Input((None, None, 1)), layers.GlobalMaxPooling2D(), layers.Dense(1)])
    assert networks.shape_judged(any_size, 1) is None and networks.shape_judged(keras.Sequential([]), 1) is None
    assert dcgan(generator=model.generator, discriminator=any_size).image_shape == (16, 16, 1)
    with pytest.raises(
        ValueError, match=r"makes images \(16, 16, 1\), 2 packed together \(16, 16, 2\); the discriminator"
    ):
        dcgan(discriminator=any_size, pack=2)
    with pytest.raises(
        ValueError, match=r"makes images \(batch, height, width, channels\); saw one that makes \(None, 3\)"
    ):
        dcgan(generator=small())
    with pytest.raises(ValueError, match=r"The generator makes images \(16, 16, 1\); the discriminator takes \(4,\)"):
        dcgan(generator=model.generator, discriminator=small())


def test_policy_holds_inside_and_is_put_back():
    before = keras.config.dtype_policy()
    with networks.policy("mixed_bfloat16"):
        assert layers.Dense(1).compute_dtype == "bfloat16"
    assert keras.config.dtype_policy() is before
    with pytest.raises(RuntimeError), networks.policy("mixed_bfloat16"):
        raise RuntimeError
    assert keras.config.dtype_policy() is before


def test_built():
    network = small()
    assert networks.built(network, "generator") is network
    assert networks.built(lambda: network, "generator") is network


@pytest.mark.parametrize(
    "network",
    [None, "dcgan", lambda: 3, lambda: keras.Sequential([layers.Dense(3)])],
    ids=["nothing", "name", "number", "not built"],
)
def test_built_refuses(network):
    with pytest.raises(TypeError, match="The generator is a built Keras model, or a function without arguments"):
        networks.built(network, "generator")
    with pytest.raises(TypeError, match="The discriminator is"):
        networks.built(network, "discriminator")


def test_initializer():
    own = keras.initializers.Zeros()
    assert networks.initializer(None, own) is own
    he = [networks.initializer("he_normal", own) for _ in range(2)]
    assert isinstance(he[0], keras.initializers.HeNormal) and he[0] is not he[1]
    with pytest.raises(ValueError, match="kernel_initializer is None, or a name that Keras knows, such as 'he_normal'"):
        networks.initializer("he", own)
    with pytest.raises(ValueError, match="kernel_initializer is None or a name, such as 'he_normal'; saw 0.05"):
        networks.initializer(0.05, own)


def test_float32_copy():
    """Another network, the same weights, float32 whatever the first computes in."""
    with networks.policy("mixed_bfloat16"):
        network = small(layers.BatchNormalization(), layers.Dropout(0.5))
        copy = networks.float32_copy(network, "average")
    assert copy.name == "average" and network.name == "small"
    assert {layer.compute_dtype for layer in (copy, *networks.layers_of(copy))} == {"float32"}
    assert {layer.compute_dtype for layer in (network, *networks.layers_of(network))} == {"bfloat16"}
    for mine, original in zip(copy.weights, network.weights, strict=True):
        assert mine is not original and mine.dtype == "float32"
        np.testing.assert_array_equal(mine, original)
    copy.weights[0].assign_add(ops.ones_like(copy.weights[0]))
    assert not np.array_equal(copy.weights[0], network.weights[0])
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    np.testing.assert_allclose(networks.float32_copy(network, "again")(x), network(x), atol=0.02)


def test_a_float32_copy_reaches_the_layer_inside_a_wrapper():
    with networks.policy("mixed_bfloat16"):
        network = small(SpectralNormalization(layers.Dense(3)))
    copy = networks.float32_copy(network, "copy")
    assert {layer.compute_dtype for layer in networks.layers_of(copy)} == {"float32"}
    assert "bfloat16" in {layer.compute_dtype for layer in networks.layers_of(network)}


# --- looking inside ---------------------------------------------------------------------------------------------------


def test_all_finite():
    good, count = keras.Variable([1.0, 2.0]), keras.Variable([3], dtype="int32")
    assert networks.all_finite([good, count])
    for wrong in (np.nan, -np.inf):
        assert not networks.all_finite([count, good, keras.Variable([0.0, wrong])])


def test_layers_of_goes_into_models_inside_models():
    inner = small(layers.BatchNormalization(name="deep"))
    outer = keras.Sequential([keras.Input((4,)), inner, layers.Dense(1, name="last")])
    names = [layer.name for layer in networks.layers_of(outer)]
    assert "deep" in names and "last" in names


class Block(keras.layers.Layer):
    """A residual block of one's own, which says of no layer that it has it."""

    def __init__(self):
        super().__init__()
        self.norm = layers.BatchNormalization()

    def call(self, x):
        return x + self.norm(x)


def test_layers_of_goes_into_layers_of_ones_own():
    for hiding in (Block(), layers.TimeDistributed(layers.BatchNormalization())):
        x = keras.Input((3, 4))
        network = keras.Model(x, hiding(x))
        assert networks.has_batch_normalization(network)


def test_has_batch_normalization():
    assert networks.has_batch_normalization(small(layers.BatchNormalization()))
    assert networks.has_batch_normalization(keras.Sequential([keras.Input((4,)), small(layers.BatchNormalization())]))
    assert not networks.has_batch_normalization(small(layers.LayerNormalization()))


def test_writes_kernels():
    """Keras' own spectral normalisation, and its kernel at two calls."""
    images, its = keras.Input((16, 16, 1)), layers.SpectralNormalization(layers.Conv2D(2, 4, 4))
    network = keras.Model(images, layers.Dense(1)(layers.Flatten()(its(images))))
    before = ops.convert_to_numpy(its.layer.kernel).copy()
    network(np.ones((1, 16, 16, 1), "float32"), training=True)
    assert not np.array_equal(before, its.layer.kernel), "else it may be allowed"
    assert networks.writes_kernels(network) == [its.name] and networks.writes_kernels(dcgan().discriminator) == []
    with pytest.raises(
        ValueError, match="^The discriminator has spectral_normalization.* use kerasgan.layers.Spectral"
    ):
        dcgan(discriminator=network)


def test_looks_across():
    both = small(MinibatchStddev(name="a"), layers.Dense(3), MinibatchDiscrimination(2, name="b"))
    assert networks.looks_across(both) == ["a", "b"]
    assert networks.looks_across(small(layers.BatchNormalization())) == [], "in use it looks at no other image"


def test_together():
    assert networks.together("latents") == "latents" and networks.together("latents", "labels") == ["latents", "labels"]


def test_iterate_moves_every_spectral_normalisation():
    inner = small(SpectralNormalization(layers.Dense(3)))
    network = keras.Sequential([keras.Input((4,)), inner, SpectralNormalization(layers.Dense(2))])
    found = [layer for layer in networks.layers_of(network) if isinstance(layer, SpectralNormalization)]
    before = [ops.convert_to_numpy(layer.vector).copy() for layer in found]
    networks.iterate(network)
    assert len(found) == 2 and not any(np.allclose(a, b.vector) for a, b in zip(before, found, strict=True))


@pytest.mark.parametrize(
    ("policy", "half"), [("float32", False), ("mixed_bfloat16", False), ("mixed_float16", True), ("float16", True)]
)
def test_is_half(policy, half):
    """bfloat16 has float32's range: its gradients need no scale."""
    with networks.policy(policy):
        assert networks.is_half(small()) is half


# --- optimizers -------------------------------------------------------------------------------------------------------


def test_prepared_builds_the_optimizer():
    network, optimizer = small(), keras.optimizers.Adam()
    assert networks.prepared(optimizer, network) is optimizer and optimizer.built
    assert networks.prepared(optimizer, network) is optimizer  # a second compile keeps its moments
    assert isinstance(networks.prepared("sgd", network), keras.optimizers.SGD)


def test_prepared_scales_the_loss_where_it_is_half():
    with networks.policy("mixed_float16"):
        network = small()
    scaled = networks.prepared(keras.optimizers.Adam(), network)
    assert isinstance(scaled, keras.optimizers.LossScaleOptimizer) and scaled.built
    assert isinstance(scaled.inner_optimizer, keras.optimizers.Adam)
    own = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(), initial_scale=8.0)
    assert networks.prepared(own, network) is own


# --- images and logs --------------------------------------------------------------------------------------------------


def test_packed_by_hand():
    """Images 0 and 1 are judged together, 2 and 3: the channels of the first, then those of the second."""
    images = ops.reshape(ops.arange(4 * 2 * 3 * 2, dtype="float32"), (4, 2, 3, 2))
    together = networks.packed(images, 2)
    assert together.shape == (2, 2, 3, 4)
    images, together = np.array(images), np.array(together)
    for i in range(2):
        np.testing.assert_array_equal(together[i, ..., :2], images[2 * i])
        np.testing.assert_array_equal(together[i, ..., 2:], images[2 * i + 1])
    assert networks.packed(images, 1) is images


@pytest.mark.parametrize("across", [False, True])
def test_shaped_adds_an_axis_across_workers_alone(monkeypatch, across):
    monkeypatch.setattr("kerasgan.replicas.across_workers", lambda: across)  # real ones are several processes
    logs = networks.shaped({"generator_loss": ops.convert_to_tensor(2.0)})
    assert logs["generator_loss"].shape == ((1,) if across else ()) and float(np.ravel(logs["generator_loss"])[0]) == 2


def test_judges_alone():
    """Known layers, nested ones too; not one's own, nor what mixes a batch, by a layer or by a bare operation."""

    def network(*middle):
        x = images = keras.Input((4, 4, 1))
        for layer in middle:
            x = layer(x)
        return keras.Model(images, layers.Dense(1)(layers.Flatten()(x)))

    class Own(layers.Layer):
        def call(self, x):
            return x

    class Subclass(keras.Model):
        pass

    nested = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 3)])
    mixing = keras.Sequential([keras.Input((4, 4, 1)), layers.BatchNormalization()])
    assert networks.judges_alone(network()) and networks.judges_alone(network(layers.LeakyReLU(), nested))
    for middle in (Own(), mixing, layers.BatchNormalization(), lambda x: x - ops.mean(x, axis=0)):
        assert not networks.judges_alone(network(middle))
    assert not networks.judges_alone(Subclass())
    with networks.policy("mixed_float16"):
        assert not networks.judges_alone(network(layers.Conv2D(2, 3)))
