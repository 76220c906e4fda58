"""Which sides of an image halve, and how often: what a convolutional network of doublings and halvings can make."""


def halvings(height, width):
    """How often both sides halve: until one would be odd or under 4, at most six times."""
    count = 0
    while count < 6 and not (height | width) >> count & 1 and min(height, width) >> count + 1 >= 4:
        count += 1
    return count


def strides(height, width):
    """How often the discriminator halves, rounding up (28, 14, 7, 4): until the shorter side has at most 6 left."""
    side, count = min(height, width), 0
    while side > 6 and count < 6:
        side, count = -(-side // 2), count + 1
    return count


def fits(height, width):
    """Whether the sides halve at least twice, down to at most 16."""
    count = halvings(height, width)
    return count >= 2 and max(height, width) >> count <= 16


def check_image_shape(image_shape):
    """The number of halvings.

    Raises:
        ValueError: other channels than 1, 3 or 4, or sides that do not halve; the two nearest shapes are named.
    """
    if len(image_shape) != 3 or image_shape[2] not in (1, 3, 4):
        raise ValueError(f"image_shape is (height, width, channels) with 1, 3 or 4 channels; saw {image_shape}.")
    height, width, channels = image_shape
    if not fits(height, width):
        sides = [(h, w) for h in near(height) for w in near(width) if (h == w or height != width) and fits(h, w)]
        closest = sorted(sides, key=lambda s: abs(s[0] - height) + abs(s[1] - width))[:2]
        names = " or ".join(str((*s, channels)) for s in closest)
        raise ValueError(
            f"DCGAN halves both sides two to six times, to at least 4 and at most 16; {image_shape} does not:"
            f" resize the images to {names}."
        )
    return halvings(height, width)


def near(side):
    """The even sides around a side, wide enough to hold one that fits."""
    return range(max(16, min(side, 1024) // 2 & ~1), min(1024, 2 * side + 16) + 1, 2)
