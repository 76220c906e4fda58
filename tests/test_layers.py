"""Layers by hand."""

import keras
import numpy as np
import pytest
from keras import ops

from kerasgan import gradients
from kerasgan.layers import (
    BilinearUpsampling,
    ConcatenateLabels,
    LatentMixture,
    Maxout,
    MinibatchDiscrimination,
    MinibatchStddev,
    PixelShuffle,
    SpectralNormalization,
    unit,
)


def test_maxout_by_hand():
    """Two units of three pieces over two inputs: the pieces of a unit lie side by side in the kernel."""
    layer = Maxout(2, 3)
    layer.build((None, 2))
    kernel = np.array([[1, 0, -1, 0, 2, 0], [0, 1, -1, 0, 0, -2]], "float32")
    layer.linear.set_weights([kernel, np.array([0, 0, 0, 5, 0, 0], "float32")])
    out = keras.ops.convert_to_numpy(layer(np.array([[3, 4], [-3, -4], [0, 0]], "float32")))
    np.testing.assert_allclose(out, [[4, 6], [7, 8], [0, 5]])


def test_maxout_of_one_piece_is_linear_and_of_many_is_convex():
    x = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
    for pieces in (1, 5):
        layer = Maxout(3, pieces)
        middle, ends = layer((x[:10] + x[10:]) / 2), (layer(x[:10]) + layer(x[10:])) / 2
        gap = keras.ops.convert_to_numpy(ends - middle)
        assert (np.abs(gap).max() < 1e-6) if pieces == 1 else (gap.min() > -1e-6 and gap.max() > 0.01)


def test_maxout_is_saved_and_refuses(tmp_path):
    inputs = keras.Input((4,))
    model = keras.Model(
        inputs, Maxout(3, 2, kernel_initializer=keras.initializers.RandomUniform(-0.005, 0.005))(inputs)
    )
    model.save(tmp_path / "x.keras")
    again, x = keras.saving.load_model(tmp_path / "x.keras"), np.ones((2, 4), "float32")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert model.output_shape == (None, 3) and np.abs(model.get_weights()[0]).max() <= 0.005
    for units, pieces in ((0, 2), (2, 0)):
        with pytest.raises(
            ValueError, match=f"at least 1 unit of at least 1 piece; saw units={units}, pieces={pieces}"
        ):
            Maxout(units, pieces)


# --- labels -----------------------------------------------------------------------------------------------------------


def test_concatenate_labels_by_hand():
    """At every position the label of its own image, behind the channels."""
    x, labels = np.arange(24, dtype="float32").reshape(2, 2, 3, 2), np.eye(3, dtype="float32")[[2, 0]]
    out = keras.ops.convert_to_numpy(ConcatenateLabels()([x, labels]))
    assert out.shape == (2, 2, 3, 5)
    np.testing.assert_array_equal(out[..., :2], x)
    np.testing.assert_array_equal(out[..., 2:], np.broadcast_to(labels[:, None, None], (2, 2, 3, 3)))
    flat = keras.ops.convert_to_numpy(ConcatenateLabels()([x.reshape(2, 12), labels]))
    np.testing.assert_array_equal(flat, np.concatenate([x.reshape(2, 12), labels], axis=1))
    assert ConcatenateLabels().compute_output_shape([(None, 4, 4, 8), (None, 10)]) == (None, 4, 4, 18)


# --- across the batch -------------------------------------------------------------------------------------------------


def test_minibatch_discrimination_by_hand():
    """Two kernels of one dimension, T the identity: three samples at 0, 1 and 3 on the first axis."""
    layer = MinibatchDiscrimination(2, 1)
    layer.build((None, 2))
    layer.linear.set_weights([np.eye(2, dtype="float32")])
    x = np.array([[0, 5], [1, 5], [3, 5]], "float32")
    out = keras.ops.convert_to_numpy(layer(x))
    e = np.exp
    np.testing.assert_array_equal(out[:, :2], x)
    np.testing.assert_allclose(out[:, 2], [1 + e(-1) + e(-3), 1 + e(-1) + e(-2), 1 + e(-2) + e(-3)], rtol=1e-6)
    np.testing.assert_allclose(out[:, 3], 3, rtol=1e-6)


def test_minibatch_stddev_by_hand():
    """Features 0 and 2 of two samples: deviation 1; 5 and 5: deviation 0. Their mean, everywhere."""
    x = np.array([[0, 5], [2, 5]], "float32").reshape(2, 1, 1, 2)
    out = keras.ops.convert_to_numpy(MinibatchStddev()(x))
    assert out.shape == (2, 1, 1, 3)
    np.testing.assert_allclose(out[..., 2], 0.5, atol=1e-3)
    assert MinibatchStddev()(np.ones((4, 3), "float32")).shape == (4, 4)


@pytest.mark.parametrize("layer", [MinibatchDiscrimination(3, 2), MinibatchStddev()], ids=lambda layer: layer.name)
def test_across_the_batch_order_does_not_matter(layer):
    x = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    order = [3, 1, 5, 0, 2, 4]
    out, shuffled = (keras.ops.convert_to_numpy(layer(rows)) for rows in (x, x[order]))
    np.testing.assert_allclose(shuffled, out[order], rtol=1e-5, atol=1e-6)
    assert not np.allclose(keras.ops.convert_to_numpy(layer(x[:3])), out[:3]), "the others of the batch count"


def test_minibatch_discrimination_is_refused_and_saved(tmp_path):
    for kernels, dimensions in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match=f"at least 1 kernel of 1 dimension; saw {kernels} and {dimensions}"):
            MinibatchDiscrimination(kernels, dimensions)
    with pytest.raises(ValueError, match="MinibatchDiscrimination takes .batch, d., saw .*: put a Flatten before it"):
        MinibatchDiscrimination()(np.zeros((2, 4, 4, 3), "float32"))
    images = keras.Input((4, 4, 1))
    x = ConcatenateLabels()([MinibatchStddev()(images), keras.layers.Flatten()(images)])
    x = SpectralNormalization(keras.layers.Conv2D(3, 2, use_bias=False))(x)
    model = keras.Model(images, MinibatchDiscrimination(3, 2)(keras.layers.Flatten()(x)))
    model.save(tmp_path / "x.keras")
    again, x = keras.saving.load_model(tmp_path / "x.keras"), np.random.default_rng(0).normal(size=(5, 4, 4, 1))
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


# --- spectral normalisation -------------------------------------------------------------------------------------------

KERNELS = {
    "dense": (lambda: keras.layers.Dense(5, bias_initializer="ones"), (7,)),
    "conv": (lambda: keras.layers.Conv2D(5, 3, 2, "same", bias_initializer="ones"), (8, 8, 2)),
    "transposed": (lambda: keras.layers.Conv2DTranspose(5, 4, 2, "same", use_bias=False), (4, 4, 3)),
}


@pytest.fixture(params=KERNELS)
def normalised(request):
    make, shape = KERNELS[request.param]
    layer = SpectralNormalization(make())
    layer.build((None, *shape))
    return layer, np.random.default_rng(1).normal(size=(3, *shape)).astype("float32")


def largest(layer):
    """The largest singular value, by LAPACK."""
    return np.linalg.svd(keras.ops.convert_to_numpy(layer.matrix()), compute_uv=False)[0]


def test_spectral_normalization_divides_by_the_largest_singular_value(normalised):
    layer, x = normalised
    kernel = keras.ops.convert_to_numpy(layer.layer.kernel)
    for _ in range(200):
        layer.iterate()
    sigma = largest(layer)
    assert float(layer.singular(layer.matrix())[0]) == pytest.approx(sigma, rel=1e-4)
    out = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer.layer.kernel), kernel)  # it is untouched
    layer.layer.kernel.assign(kernel / sigma)
    np.testing.assert_allclose(out, keras.ops.convert_to_numpy(layer.layer(x)), rtol=1e-3, atol=1e-4)
    assert largest(layer) == pytest.approx(1, rel=1e-5)


def test_spectral_normalization_moves_with_iterate_alone(normalised):
    layer, x = normalised
    before, outputs = keras.ops.convert_to_numpy(layer.vector).copy(), layer(x)
    np.testing.assert_array_equal(layer(x, training=True), outputs)
    np.testing.assert_array_equal(layer.vector, before)
    layer.iterate()
    assert not np.allclose(layer.vector, before) and np.linalg.norm(layer.vector) == pytest.approx(1, rel=1e-5)


def test_spectral_normalization_has_a_gradient_through_sigma(normalised):
    """Scaling the kernel changes nothing, so the gradient is orthogonal to it (Miyato et al. 2018, equation 12)."""
    layer, x = normalised
    for _ in range(50):
        layer.iterate()
    kernel = layer.layer.kernel

    def play():
        return {"player": keras.ops.sum(keras.ops.sin(layer(x)))}

    _, found = gradients.of_players(play, {"player": ([kernel], keras.optimizers.SGD())})
    slope, kernel = (keras.ops.convert_to_numpy(array) for array in (found["player"][0], kernel))
    assert np.linalg.norm(slope) > 0.1
    assert abs((slope * kernel).sum()) < 1e-3 * np.linalg.norm(slope) * np.linalg.norm(kernel)


def test_unit():
    np.testing.assert_allclose(unit(np.array([3.0, 4.0], "float32")), [0.6, 0.8], rtol=1e-6)
    assert np.isfinite(unit(np.zeros(3, "float32"))).all()


@pytest.mark.parametrize("layer", [keras.layers.Dense(3, "relu"), keras.layers.ReLU(), Maxout(3)], ids=lambda x: x.name)
def test_spectral_normalization_refuses_what_it_cannot_divide(layer):
    with pytest.raises(ValueError, match="takes a Dense, Conv2D or Conv2DTranspose without activation"):
        SpectralNormalization(layer)


# --- a mixture of latents ---------------------------------------------------------------------------------------------


def test_latent_mixture():
    """By hand: the second of three is the largest, sqrt(3) there; the others go on."""
    latents = np.array([[0.1, 2.0, -3.0, 7.0], [-1.0, -2.0, -0.5, 8.0]], "float32")
    found = ops.convert_to_numpy(LatentMixture(3)(latents))
    np.testing.assert_allclose(found, [[0, 3**0.5, 0, 7], [0, 0, 3**0.5, 8]], rtol=1e-6)
    noise = np.random.default_rng(0).normal(size=(4000, 20)).astype("float32")
    mixed = ops.convert_to_numpy(LatentMixture.from_config(LatentMixture(10).get_config())(noise))
    assert np.square(mixed).mean() == pytest.approx(np.square(noise).mean(), rel=0.05), "it keeps the mean square"
    shares = (mixed[:, :10] > 0).mean(0)
    assert shares.min() > 0.08 and shares.max() < 0.12, "every mode as often"
    for modes in (1, 5):
        with pytest.raises(ValueError, match=f"4 latents choose of 2 to 4 modes; saw modes={modes}"):
            LatentMixture(modes)(latents)


# --- larger pictures --------------------------------------------------------------------------------------------------


def test_pixel_shuffle_by_hand():
    """The s^2 channels of a colour become its s x s sub-pixels, row by row (Shi et al. 2016, eq. 4)."""
    x = np.arange(2 * 3 * 8, dtype="float32").reshape(1, 2, 3, 8)
    out = ops.convert_to_numpy(PixelShuffle(2)(x))
    assert out.shape == (1, 4, 6, 2)
    for i in range(4):
        for j in range(6):
            for c in range(2):
                assert out[0, i, j, c] == x[0, i // 2, j // 2, (i % 2 * 2 + j % 2) * 2 + c]
    assert PixelShuffle(3).compute_output_shape((None, None, 5, 18)) == (None, None, 15, 2)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_bilinear_upsampling_is_keras_own(scale):
    """Half-pixel centres, edges repeated; of a size that was not known."""
    x = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype("float32")
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, BilinearUpsampling(scale)(inputs))
    expected = keras.layers.UpSampling2D(scale, interpolation="bilinear")(x)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-5)
    assert model.output_shape == (None, None, None, 3)
    again = keras.Model.from_config(model.get_config())
    np.testing.assert_allclose(again.predict(x, verbose=0), expected, atol=1e-5)
