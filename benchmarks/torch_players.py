"""Networks of Keras layers in PyTorch, as one writes them there: the other side of `train_step.py`."""

import keras
import torch
from torch import nn

from kerasgan.layers import LatentMixture, Maxout


class MaxoutUnits(nn.Module):
    """The largest of several linear pieces."""

    def __init__(self, inside, count, pieces):
        super().__init__()
        self.linear, self.shape = nn.Linear(inside, count * pieces), (count, pieces)

    def forward(self, x):
        """(batch, inside) -> (batch, count)."""
        return self.linear(x).unflatten(1, self.shape).amax(dim=2)


class Mixture(nn.Module):
    """`LatentMixture`: the largest of the first latents chooses."""

    def __init__(self, modes):
        super().__init__()
        self.modes = modes

    def forward(self, z):
        """The same shape."""
        choosing, others = z.tensor_split([self.modes], dim=1)
        largest = nn.functional.one_hot(choosing.argmax(1), self.modes)
        return torch.cat([self.modes**0.5 * largest, others], dim=1)


class Shifted(nn.Module):
    """x * scale + offset."""

    def __init__(self, scale, offset):
        super().__init__()
        self.scale, self.offset = scale, offset

    def forward(self, x):
        """The same shape."""
        return x * self.scale + self.offset


def convolution(layer):
    """The PyTorch layer of the same sizes; "same" padding of an even kernel or a stride is never asymmetric there."""
    size, stride, channels = layer.kernel_size[0], layer.strides[0], layer.input.shape[-1]
    options = dict(stride=stride, bias=layer.use_bias, padding=(size - 1) // 2)
    if isinstance(layer, keras.layers.Conv2DTranspose):
        extra = stride - size + 2 * options["padding"]
        return nn.ConvTranspose2d(channels, layer.filters, size, output_padding=extra, **options)
    return nn.Conv2d(channels, layer.filters, size, **options)


def of_layer(layer):
    """The PyTorch layer; None of what there is nothing to do for."""
    kind = type(layer).__name__
    if isinstance(layer, LatentMixture):
        return Mixture(layer.modes)
    if isinstance(layer, Maxout):
        return MaxoutUnits(layer.input.shape[-1], layer.units, layer.pieces)
    if kind == "Dense":
        linear = nn.Linear(layer.input.shape[-1], layer.units, bias=layer.use_bias)
        return nn.Sequential(linear, *activation(layer.activation.__name__))
    if kind in ("Conv2D", "Conv2DTranspose"):
        return convolution(layer)
    if kind == "BatchNormalization":
        return (nn.BatchNorm2d if len(layer.input.shape) == 4 else nn.BatchNorm1d)(layer.input.shape[-1])
    if kind == "Reshape":
        height, width, channels = layer.output.shape[1:]
        return nn.Unflatten(1, (channels, height, width))
    if kind == "Activation":
        return nn.Sequential(*activation(layer.activation.__name__))
    if kind == "Rescaling":
        return Shifted(layer.scale, layer.offset)
    known = {"ReLU": nn.ReLU, "Flatten": nn.Flatten, "LeakyReLU": lambda: nn.LeakyReLU(layer.negative_slope)}
    return None if kind in ("InputLayer", "Dropout", "Identity") else known[kind]()


def activation(name):
    """[the activation of that name], or nothing for a linear layer."""
    known = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
    return [] if name == "linear" else [known[name]()]


def translated(network):
    """A chain of Keras layers as `nn.Sequential` in train mode; its weights begin as PyTorch's do.

    Raises:
        AssertionError: the two have not as many weights.
    """
    found = nn.Sequential(*filter(None, map(of_layer, network.layers))).train()
    counts = [sum(w.numel() for w in found.parameters()), network.count_params()]
    statistics = sum(v.numel() for v in found.buffers() if v.dtype == torch.float32)
    assert counts[0] + statistics == counts[1], f"{counts[0]} + {statistics} weights in PyTorch, {counts[1]} in Keras"
    return found
