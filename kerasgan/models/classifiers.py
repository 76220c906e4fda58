"""Classifiers whose last hidden layer measures a GAN: `lenet` for grey digits, `convnet` for small colour pictures; and
`inception`, whose weights others have trained.

>>> classifier = lenet()
>>> extractor(classifier).output_shape
(None, 128)
"""

import keras
import numpy as np
from keras import layers, ops

FEATURES = "features"


def lenet(image_shape=(28, 28, 1), classes=10):
    """LeNet-5 (LeCun et al. 1998, section II.B), wider: images in [-1, 1] to logits, 258,314 weights at 28x28x1.

    Departures from 1998, each for accuracy: ReLU and max pooling instead of tanh and averages, 32 and 64 maps instead
    of 6 and 16, one hidden dense layer instead of two, dropout before the logits. The hidden layer, "features", has
    128 units on purpose: a covariance in so few dimensions can be estimated from 1,000 images.

    Args:
        image_shape: (height, width, channels), height and width at least 12.
        classes: number of classes, at least 2.

    Raises:
        ValueError: the images are too small, or there are fewer than two classes.
    """
    height, width, channels = image_shape
    if min(height, width) < 12 or channels < 1:
        raise ValueError(f"lenet saw image_shape={tuple(image_shape)}: two poolings need at least (12, 12, 1)")
    if classes < 2:
        raise ValueError(f"lenet saw classes={classes}: a classifier needs at least 2")

    images = keras.Input((height, width, channels), name="images")
    x = layers.Conv2D(32, 5, padding="same", activation="relu", name="conv1")(images)
    x = layers.MaxPooling2D(name="pool1")(x)
    x = layers.Conv2D(64, 5, activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(name="pool2")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(128, activation="relu", name=FEATURES)(x)
    x = layers.Dropout(0.4, seed=0, name="dropout")(x)  # torch needs an explicit seed
    logits = layers.Dense(classes, name="logits")(x)
    return keras.Model(images, logits, name="lenet")


def convnet(image_shape=(32, 32, 3), classes=10, width=64):
    """The network of Jordan 2024 ("94% on CIFAR-10 in 3.29 seconds", section 3), for two cores.

    After `Whitening` three times: a 3x3 convolution and max pooling, and one more convolution. BatchNorm (Ioffe and
    Szegedy 2015) before each ReLU (his is a GELU). 115 million multiply-adds at 32x32x3, and in use twice as many
    (`Mirrored`). "features" are the maxima over the last 3x3 positions: 128 of them where he has 256, so that a
    covariance can be estimated from 1,000 images.

    Args:
        image_shape: (height, width, channels), height and width at least 16.
        classes: number of classes, at least 2.
        width: channels of the first level; of the others four times as many, and 128 at the end.

    Raises:
        ValueError: the images are too small, or there are fewer than two classes.
    """
    height, breadth, channels = image_shape
    if min(height, breadth) < 16 or channels < 1:
        raise ValueError(f"convnet saw image_shape={tuple(image_shape)}: three poolings need at least (16, 16, 1)")
    if classes < 2:
        raise ValueError(f"convnet saw classes={classes}: a classifier needs at least 2")

    def convolution(x, filters, pool=False):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        x = layers.MaxPooling2D()(x) if pool else x
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))  # statistics follow a training this short

    images = keras.Input((height, breadth, channels), name="images")
    x = layers.ReLU()(Whitening(name="whitening")(images))
    for filters, last in ((width, width), (4 * width, 4 * width), (4 * width, 128)):
        x = convolution(convolution(x, filters, pool=True), last)
    body = keras.Model(images, layers.GlobalMaxPooling2D()(x), name="body")
    features = Mirrored(body, name=FEATURES)(images)
    return keras.Model(images, layers.Dense(classes, name="logits")(features), name="convnet")


@keras.saving.register_keras_serializable("kerasgan")
class Whitening(layers.Layer):
    """A convolution whose outputs are uncorrelated and of variance 1, as `adapt` finds from images; it does not learn.

    So training starts without the correlations of neighbouring pixels (Page 2018, part 8; Jordan 2024, "94% on CIFAR-10
    in 3.29 seconds", section 3.2): an output for each principal component of the 2x2 patches, and one for its negative,
    for a ReLU comes next. (batch, h, w, c) to (batch, h - 1, w - 1, 8 c).
    """

    EPSILON = 5e-4  # Jordan's: what varies less, such as rounding, is not blown up

    def build(self, shape):
        """The components of unrelated pixels: themselves."""
        inside = 4 * shape[-1]
        components = np.eye(inside, dtype="float32").reshape(2, 2, shape[-1], inside)
        self.kernel = self.add_weight(shape=(2, 2, shape[-1], 2 * inside), trainable=False, name="kernel")
        self.kernel.assign(np.concatenate([components, -components], axis=-1))

    def adapt(self, images):
        """Take the components of images (n, h, w, c) in [-1, 1]."""
        channels = images.shape[-1]
        corners = [images[:, y : images.shape[1] - 1 + y, x : images.shape[2] - 1 + x] for y in (0, 1) for x in (0, 1)]
        patches = np.concatenate(corners, axis=-1).reshape(-1, 4 * channels)  # in the order of a kernel (2, 2, c)
        variances, components = np.linalg.eigh(np.cov(patches.T))
        whitening = (components / np.sqrt(variances + self.EPSILON)).reshape(2, 2, channels, -1)
        self.kernel.assign(np.concatenate([whitening, -whitening], axis=-1))

    def call(self, images):
        """The components of every patch."""
        return ops.conv(images, self.kernel, padding="valid")

    def compute_output_shape(self, shape):
        """(batch, h - 1, w - 1, 8 c)."""
        return shape[0], *(side and side - 1 for side in shape[1:3]), 8 * shape[3]


@keras.saving.register_keras_serializable("kerasgan")
class Mirrored(layers.Layer):
    """In use, the mean of what a network says of an image and of its mirror image; in training, of the image alone.

    Args:
        network: a Keras model of images.
    """

    def __init__(self, network, **kwargs):
        super().__init__(**kwargs)
        self.network = network

    def adapt(self, images):
        """Let the layers that look at images before a training do so."""
        adapt(self.network, images)

    def call(self, images, training=False):
        """What the network says."""
        if training:
            return self.network(images, training=True)
        return (self.network(images) + self.network(ops.flip(images, axis=2))) / 2

    def compute_output_shape(self, shape):
        """What the network makes of it."""
        return self.network.compute_output_shape(shape)

    def get_config(self):
        """The arguments: the network's architecture."""
        return {**super().get_config(), "network": keras.saving.serialize_keras_object(self.network)}

    @classmethod
    def from_config(cls, config):
        """The layer that `get_config` described, its network with new weights."""
        return cls(**config | {"network": keras.saving.deserialize_keras_object(config["network"])})


def adapt(classifier, images):
    """Before a training, show images (n, h, w, c) in [-1, 1] to the layers that have an `adapt`."""
    for layer in classifier.layers:
        if hasattr(layer, "adapt"):
            layer.adapt(images)


def inception(image_shape=(32, 32, 3), weights="imagenet"):
    """InceptionV3 (Szegedy et al. 2016) as keras.applications has it, without its top: images in [-1, 1] to "features".

    A Frechet distance in these 2,048 features is no "FID" to be put beside published ones: those are of the weights of
    2015, and of another resize. It needs more than 2,048 images on each side.

        >>> metrics.features(inception((32, 32, 3)), images).shape  # images: (5000, 32, 32, 3)
        (5000, 2048)

    Args:
        image_shape: (height, width, 1 or 3); resized to 299x299, bilinear and antialiased.
        weights: "imagenet", which Keras fetches once (90 MB), the path of a file, or None for random ones.

    Raises:
        ValueError: other channels. OSError: the weights could not be fetched.
    """
    height, width, channels = image_shape
    if channels not in (1, 3):
        raise ValueError(f"inception saw image_shape={tuple(image_shape)}: it takes 1 or 3 channels")
    try:
        network = keras.applications.InceptionV3(False, weights, input_shape=(299, 299, 3), pooling="avg")
    except Exception as error:  # Keras raises a plain one
        if "URL fetch failure" not in str(error):
            raise
        raise OSError(
            f"The weights of InceptionV3 could not be fetched; pass their path as weights=. {error}"
        ) from None
    images = x = keras.Input((height, width, channels), name="images")
    if channels == 1:
        x = layers.Concatenate()([x, x, x])
    x = layers.Resizing(299, 299, interpolation="bilinear", antialias=True, name="resized")(x)
    return keras.Model(images, layers.Identity(name=FEATURES)(network(x)), name="inception_v3")


def extractor(classifier):
    """The model from images to the layer "features" of `classifier`; it shares the classifier's weights.

    Args:
        classifier: a functional model with a layer named "features", of output shape (batch, d).

    Raises:
        ValueError: there is no such layer.
    """
    names = [layer.name for layer in classifier.layers]
    if FEATURES not in names:
        raise ValueError(
            f"{classifier.name} has no layer named {FEATURES!r}, only {names}: name the last hidden one so"
        )
    return keras.Model(classifier.input, classifier.get_layer(FEATURES).output, name=f"{classifier.name}_{FEATURES}")
