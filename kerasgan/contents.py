"""What an upscaled picture shall have in common with the real one: content losses (Ledig et al. 2017, section 2.2.1).

    >>> model.compile(content="l1", adversarial=1e-3)
    >>> model.compile(content=kerasgan.contents.VGG19(["block5_conv4"]), adversarial=1e-3)

Pictures are float (batch, height, width, channels) around [-1, 1]; a content loss is a scalar. Networks that compare
them are neither trained nor saved with the model.
"""

import keras
from keras import ops

from kerasgan import names
from kerasgan.metrics import fingerprint


class Content:
    """A function (real, fake, discriminator) -> scalar, with a config."""

    def check(self):
        """Raise ValueError if a training with it would make no sense."""

    @classmethod
    def from_config(cls, config):
        """The content that `get_config` described."""
        return cls(**config)


@keras.saving.register_keras_serializable("kerasgan")
class Pixels(Content):
    """The mean difference of pixels: absolute ("l1"), or squared ("mse", the paper's eq. 4).

    Args:
        kind: "l1" or "mse".
    """

    def __init__(self, kind="l1"):
        names.check_choice("content", kind, ("l1", "mse"))
        self.kind = kind

    def __call__(self, real, fake, discriminator=None):
        """The loss."""
        return ops.mean(ops.abs(real - fake) if self.kind == "l1" else ops.square(real - fake))

    def get_config(self):
        """The arguments."""
        return {"kind": self.kind}


@keras.saving.register_keras_serializable("kerasgan")
class Features(Content):
    """The mean squared difference of a network's features (eq. 5), of each layer, summed over layers.

    Args:
        network: a functional Keras model of images in [-1, 1], such as `kerasgan.load("convnet_cifar10")`.
        layers: names of its layers, at least one. weight: what the sum is multiplied by.
        sha256: the fingerprint that its weights must have; None takes them as they are. A config has no weights: they
            are to be loaded into `network` again.

    Raises:
        ValueError: no layers, or one that the network does not have.
    """

    def __init__(self, network, layers, weight=1.0, sha256=None):
        self.network, self.layers, self.weight = network, list(layers), weight
        self.sha256 = sha256 or fingerprint(network)
        self.maps = maps_of(network, self.layers)

    def __call__(self, real, fake, discriminator=None):
        """The loss."""
        pairs = zip(self.features(real), self.features(fake), strict=True)
        return self.weight * sum(ops.mean(ops.square(ops.stop_gradient(x) - y)) for x, y in pairs)

    def features(self, images):
        """The layers' outputs, a list."""
        return keras.tree.flatten(self.maps(images, training=False))

    def check(self):
        """Refuse weights that are not those of the config."""
        if (seen := fingerprint(self.network)) != self.sha256:
            raise ValueError(
                f"The content network's weights have SHA-256 {seen[:12]}..., expected {self.sha256[:12]}...: a config"
                " holds no weights, so load them into `model.rules['content'].network`, or compile anew."
            )

    def get_config(self):
        """The arguments: of the network its architecture and its fingerprint."""
        network = keras.saving.serialize_keras_object(self.network)
        return {"network": network, "layers": self.layers, "weight": self.weight, "sha256": self.sha256}

    @classmethod
    def from_config(cls, config):
        """The content that `get_config` described, its network with random weights."""
        return cls(**config | {"network": keras.saving.deserialize_keras_object(config["network"])})


@keras.saving.register_keras_serializable("kerasgan")
class VGG19(Features):
    """Features of VGG19 (Simonyan and Zisserman 2015) before their activation (Wang et al. 2018, ESRGAN, section 3.2).

    Args:
        layers: names of its convolutions. weight: 1 / 12.75^2 by default, as the paper rescales features.
        weights: "imagenet", which Keras fetches once (80 MB), the path of a file, or None for random ones.

    Raises:
        ValueError: it has no such layer. OSError: the weights could not be fetched.
    """

    def __init__(self, layers=("block5_conv4",), weight=1 / 12.75**2, weights="imagenet"):
        self.weights = weights
        super().__init__(before_activation(weights), layers, weight)

    def features(self, images):
        """The layers' outputs, of pictures as VGG19 was trained on."""
        return super().features(keras.applications.vgg19.preprocess_input((images + 1) * 127.5))

    def get_config(self):
        """The arguments: the weights come from where they came from."""
        return {"layers": self.layers, "weight": self.weight, "weights": self.weights}

    @classmethod
    def from_config(cls, config):
        """The content that `get_config` described."""
        return Content.from_config.__func__(cls, config)


@keras.saving.register_keras_serializable("kerasgan")
class DiscriminatorFeatures(Content):
    """The mean absolute difference of D's own features (Wang et al. 2018, pix2pixHD, eq. 4), after each LeakyReLU.

    Args:
        weight: what the mean over layers is multiplied by; pixels count beside it, or it could not begin.
        pixels: the weight of the pixels' absolute difference.
    """

    def __init__(self, weight=1.0, pixels=1.0):
        self.weight, self.pixels = weight, pixels

    def __call__(self, real, fake, discriminator):
        """The loss."""
        layers = [layer.name for layer in discriminator.layers if isinstance(layer, keras.layers.LeakyReLU)]
        maps = maps_of(discriminator, layers)
        pairs = zip(*(keras.tree.flatten(maps(x, training=False)) for x in (real, fake)), strict=True)
        apart = [ops.mean(ops.abs(ops.stop_gradient(x) - y)) for x, y in pairs]
        return self.pixels * ops.mean(ops.abs(real - fake)) + self.weight * sum(apart) / len(apart)

    def get_config(self):
        """The arguments."""
        return {"weight": self.weight, "pixels": self.pixels}


def get(content):
    """The content itself, or the one of pixels that "l1" or "mse" names.

    Raises:
        ValueError: neither.
    """
    if isinstance(content, Content):
        return content
    if not isinstance(content, str):
        raise ValueError(f"content is 'l1', 'mse', or one of kerasgan.contents, such as VGG19(); saw {content!r:.80}.")
    return Pixels(content)


def maps_of(network, layers):
    """The model from the images to those layers' outputs; it shares the network's weights."""
    known = [layer.name for layer in network.layers]
    if not layers:
        raise ValueError(f"{network.name}: name at least one of its layers: {', '.join(known)}.")
    for name in layers:
        names.check_choice(f"layer of {network.name}", name, known)
    images = network.inputs[0] if len(network.inputs) == 1 else network.inputs
    return keras.Model(images, [network.get_layer(name).output for name in layers])


def before_activation(weights):
    """VGG19 without its top, each convolution's activation a layer of its own."""
    try:
        network = keras.applications.VGG19(False, weights)
    except Exception as error:  # Keras raises a plain one
        if "URL fetch failure" not in str(error):
            raise
        raise OSError(f"The weights of VGG19 could not be fetched; pass their path as weights=. {error}") from None
    images = x = keras.Input((None, None, 3), name="images")
    for layer in network.layers[1:]:
        if isinstance(layer, keras.layers.Conv2D):
            x = keras.layers.Conv2D.from_config(layer.get_config() | {"activation": "linear"})(x)
            x = keras.layers.ReLU(name=f"{layer.name}_relu")(x)
        else:
            x = layer(x)
    changed = keras.Model(images, x, name="vgg19")
    changed.set_weights(network.get_weights())
    return changed
