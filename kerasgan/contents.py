"""What an upscaled picture shall have in common with the real one: content losses (Ledig et al. 2017, section 2.2.1).

    >>> model.compile(content=kerasgan.contents.VGG19(["block5_conv4"]), adversarial=1e-3)

Pictures are float (batch, height, width, channels) around [-1, 1]; a content loss is a scalar. Networks that compare
them are neither trained nor saved with the model.
"""

import functools

import keras
from keras import ops

from kerasgan import names
from kerasgan.metrics.features import check_fingerprint, fingerprint


class Content:
    """A function (real, fake, discriminator) -> scalar, with a config."""

    def compared(self, low, real, fake, discriminator):
        """(what D is to judge in the place of `fake`, which was made of `low`, the loss): the picture itself."""
        return fake, self(real, fake, discriminator)

    def check_model(self, model, adversarial):
        """Raise ValueError if it cannot compare what the model makes, or compares by what does not learn."""

    def check(self):
        """Raise if a training cannot begin: the weights of a network are others, or cannot be had."""

    @classmethod
    def from_config(cls, config):
        """The content that `get_config` described; what it has of networks has random weights."""
        return cls(**{key: keras.saving.deserialize_keras_object(value) for key, value in config.items()})


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
        network: a functional Keras model of images in [-1, 1], of any size or of the crops'.
        layers: names of its layers, at least one. weight: what the sum is multiplied by, at least 0.
        sha256: the fingerprint that its weights must have; None takes them as they are. A config has no weights: they
            are to be loaded into `network` again.

    Raises:
        ValueError: no layers, one that the network does not have, or a weight that is none.
    """

    def __init__(self, network, layers, weight=1.0, sha256=None):
        check_numbers(weight=weight)
        self.layers, self.weight = named(layers), weight
        self.network, self.sha256 = network, sha256 or fingerprint(network)
        self.maps = maps_of(network, self.layers)

    def __call__(self, real, fake, discriminator=None):
        """The loss."""
        pairs = zip(self.features(real), self.features(fake), strict=True)
        return self.weight * sum(ops.mean(ops.square(ops.stop_gradient(x) - y)) for x, y in pairs)

    def features(self, images):
        """The layers' outputs, a list, float32."""
        return in_float32(self.maps(images, training=False))

    def check_model(self, model, adversarial):
        """Refuse a network of other channels than the model's."""
        if (taken := self.network.inputs[0].shape[-1]) != (channels := model.image_shape[-1]):
            raise ValueError(f"The content network takes pictures of {taken} channels; the model makes {channels}.")

    def check(self):
        """Refuse weights that are not those of the config."""
        check_fingerprint(self.network, self.sha256, "content", "model.rules['content'].network")

    def get_config(self):
        """The arguments: of the network its architecture and its fingerprint."""
        network = keras.saving.serialize_keras_object(self.network)
        return {"network": network, "layers": self.layers, "weight": self.weight, "sha256": self.sha256}


@keras.saving.register_keras_serializable("kerasgan")
class VGG19(Features):
    """Features of VGG19 (Simonyan and Zisserman 2015) before their activation (Wang et al. 2018, ESRGAN, section 3.2).

    The weights are read when a training begins, and not before: who loads the model to use it needs none.

    Args:
        layers: names of its convolutions. weight: 1 / 12.75^2 by default, as the paper rescales features.
        weights: "imagenet", which Keras fetches once (80 MB), the path of a file, or None for random ones.
        sha256: the fingerprint that the weights must have; None takes them as they are.

    Raises:
        ValueError: no layers; once a training begins, one that it does not have. OSError then: no such weights.
    """

    def __init__(self, layers=("block5_conv4",), weight=1 / 12.75**2, weights="imagenet", sha256=None):
        check_numbers(weight=weight)
        self.layers, self.weight = named(layers), weight
        self.weights, self.sha256 = weights, sha256

    @functools.cached_property
    def network(self):
        """VGG19 without its top."""
        network = before_activation(self.weights)
        self.sha256 = self.sha256 or fingerprint(network)
        return network

    @functools.cached_property
    def maps(self):
        """From pictures to the layers' outputs."""
        return maps_of(self.network, self.layers)

    def features(self, images):
        """The layers' outputs, of pictures as VGG19 was trained on."""
        return super().features(keras.applications.vgg19.preprocess_input((images + 1) * 127.5))

    def check_model(self, model, adversarial):
        """Refuse a model of grey pictures."""
        if model.image_shape[-1] != 3:
            raise ValueError("VGG19 sees pictures of 3 channels, and this model makes grey ones: choose other content.")

    def check(self):
        """Build the network; refuse weights that are not those of the config."""
        super().check()
        self.maps = maps_of(self.network, self.layers)

    def get_config(self):
        """The arguments: the weights come from where they came from."""
        return {"layers": self.layers, "weight": self.weight, "weights": self.weights, "sha256": self.sha256}


@keras.saving.register_keras_serializable("kerasgan")
class DiscriminatorFeatures(Content):
    """The mean absolute difference of D's own features (Wang et al. 2018, pix2pixHD, eq. 4), after each LeakyReLU.

    Args:
        weight: what the mean over layers is multiplied by; pixels count beside it, or it could not begin.
        pixels: the weight of the pixels' absolute difference. Both are at least 0.

    Raises:
        ValueError: a weight that is none.
    """

    def __init__(self, weight=1.0, pixels=1.0):
        check_numbers(weight=weight, pixels=pixels)
        self.weight, self.pixels = weight, pixels

    def __call__(self, real, fake, discriminator):
        """The loss."""
        maps = maps_of(discriminator, activations(discriminator))
        pairs = zip(*(in_float32(maps(x, training=False)) for x in (real, fake)), strict=True)
        apart = [ops.mean(ops.abs(ops.stop_gradient(x) - y)) for x, y in pairs]
        return self.pixels * ops.mean(ops.abs(real - fake)) + self.weight * sum(apart) / len(apart)

    def check_model(self, model, adversarial):
        """Refuse a discriminator that rests, judges several pictures at once, or has no LeakyReLU."""
        if not adversarial:
            raise ValueError("DiscriminatorFeatures compares by what D has learnt, and with adversarial=0 it rests.")
        if model.pack > 1 or not activations(model.discriminator):
            raise ValueError("DiscriminatorFeatures takes a discriminator with LeakyReLU layers, and pack=1.")

    def get_config(self):
        """The arguments."""
        return {"weight": self.weight, "pixels": self.pixels}


def activations(discriminator):
    """The names of its LeakyReLU layers."""
    return [layer.name for layer in discriminator.layers if isinstance(layer, keras.layers.LeakyReLU)]


def in_float32(maps):
    """A list of feature maps, whatever their network computes in."""
    return [ops.cast(x, "float32") for x in keras.tree.flatten(maps)]


def named(layers):
    """A list of names, at least one; a text is one name.

    Raises:
        ValueError: none.
    """
    layers = [layers] if isinstance(layers, str) else list(layers)
    if not layers:
        raise ValueError("layers is a list of names of layers, at least one; saw none.")
    return layers


def check_numbers(**numbers):
    """Refuse what is no number of at least 0, by its name."""
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < float("inf"):
            raise ValueError(f"The {name} of a content loss is a number of at least 0; saw {number!r}.")


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
    for name in layers:
        names.check_choice(f"layer of {network.name}", name, known)
    images = network.inputs[0] if len(network.inputs) == 1 else network.inputs
    return keras.Model(images, [network.get_layer(name).output for name in layers])


def before_activation(weights):
    """VGG19 without its top, each convolution's activation a layer of its own."""
    try:
        network = keras.applications.VGG19(False, weights)
    except Exception as error:  # Keras raises a plain one, or a ValueError of a path that is none
        if "URL fetch failure" not in str(error) and "weights" not in str(error):
            raise
        advice = "cannot be had; pass the path of a file as weights=."
        raise OSError(f"The weights {weights!r} of VGG19 {advice} {error}") from None
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
