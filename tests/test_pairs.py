"""Pairs of crops: aligned, in eight ways, each picture as often, the same whenever they are asked for."""

import os
from pathlib import Path

import numpy as np
import pytest

from kerasgan import data, images
from kerasgan.data import pair_sources, pairs
from kerasgan.resampling import imresize


def photos(n=3, side=40, channels=3):
    """Smooth pictures of different sizes."""
    rng = np.random.default_rng(0)
    small = [rng.integers(0, 256, (9, 9, channels)).astype("uint8") for _ in range(n)]
    return [imresize(image, size=(side + 3 * i, side + 5 * i)) for i, image in enumerate(small)]


def ways(image):
    """All eight ways to lay a picture, as bytes."""
    return [pairs.turned(image, way).tobytes() for way in range(8)]


def test_low_and_high_are_the_same_place_turned_the_same_way():
    """The low crop is the low picture's, cut where the high crop is: no border of its own."""
    high = photos(1)[0]
    dataset = data.Pairs([high], scale=2, crop=8, batch_size=64)
    low = imresize(high, scale=1 / 2)
    places = {}
    for y in range(17):
        for x in range(17):
            crops = low[y : y + 4, x : x + 4], high[2 * y : 2 * y + 8, 2 * x : 2 * x + 8]
            places |= {large: small for small, large in zip(*map(ways, crops), strict=True)}
    lows, highs = dataset.batch(0)
    assert lows.shape == (64, 4, 4, 3) and highs.shape == (64, 8, 8, 3) and lows.dtype == highs.dtype == np.uint8
    for small, large in zip(lows, highs, strict=True):
        assert places[large.tobytes()] == small.tobytes()
    assert len({large.tobytes() for large in highs}) > 50


def test_turned_has_eight_ways():
    image = np.arange(4, dtype="uint8").reshape(2, 2, 1)
    assert len(set(ways(image))) == 8 and ways(image)[0] == image.tobytes()
    assert pairs.turned(image, 1)[..., 0].tolist() == [[1, 3], [0, 2]]


def test_batches_are_a_function_of_seed_and_step():
    one, same, other = (data.Pairs(photos(), crop=16, scale=4, batch_size=4, seed=seed) for seed in (0, 0, 1))
    one.batch(0)
    for a, b in zip(one.batch(5), same.batch(5), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.batch(5)[1], other.batch(5)[1])
    assert one.fingerprint == same.fingerprint == other.fingerprint
    assert data.Pairs(photos(2), crop=16).fingerprint != one.fingerprint
    low, high = next(iter(one.stream(5)))
    np.testing.assert_array_equal(high, one[5][1])


def test_every_picture_comes_as_often():
    dataset = data.Pairs(photos(5), crop=16, batch_size=4)
    numbers = [dataset.picture(i) for i in range(20)]
    assert all(sorted(numbers[i : i + 5]) == list(range(5)) for i in range(0, 20, 5))
    assert numbers[:5] != numbers[5:10] and len(dataset) == 20
    assert len(data.Pairs(photos(5), crop=16, steps=7)) == 7 and dataset.image_shape == (16, 16, 3)


def test_mild_is_blurred_noisy_and_not_twice_the_same():
    high = np.add.outer(2 * np.arange(48), 2 * np.arange(48)).astype("uint8")[..., None].repeat(3, axis=2)
    plain, mild = (data.Pairs([high], crop=32, batch_size=8, degradation=kind) for kind in ("bicubic", "mild"))
    (low, same), (spoilt, highs) = plain.batch(0), mild.batch(0)
    assert spoilt.shape == low.shape and highs.shape == same.shape
    expected = np.stack([imresize(image, scale=1 / 4) for image in highs])
    error = np.abs(spoilt.astype(float) - expected).mean((1, 2, 3))
    assert (error > 0.2).all() and error.mean() < 12 and len(set(error)) == 8
    grey = pairs.spoilt(high[:32, :32, :1], 4, np.random.default_rng(0))
    assert grey.shape == (8, 8, 1)


def test_pairs_from_folder(tmp_path):
    for i, image in enumerate(photos()):
        for folder, picture in (("high/a", image), ("low/a", imresize(image, scale=1 / 2))):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            images.write(tmp_path / folder / f"{i}.png", picture)
    made = data.pairs_from_folder(tmp_path / "high", scale=2, crop=16)
    given = data.pairs_from_folder(tmp_path / "high", tmp_path / "low", scale=2, crop=16)
    np.testing.assert_array_equal(made.batch(3)[1], given.batch(3)[1])
    assert np.abs(made.batch(3)[0].astype(int) - given.batch(3)[0]).max() <= 40, "borders of odd sides differ"
    assert data.pairs_from_folder(tmp_path / "high", channels=1, crop=16).image_shape == (16, 16, 1)
    (tmp_path / "low" / "a" / "1.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 pictures are in one of .* alone, such as a/1"):
        data.pairs_from_folder(tmp_path / "high", tmp_path / "low", scale=2, crop=16)
    assert list(pair_sources.found_in(tmp_path / "low")) == ["a/0", "a/2"]
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        data.pairs_from_folder(tmp_path / "nowhere")
    (tmp_path / "high" / "bad.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="bad.png is no picture"):
        data.pairs_from_folder(tmp_path / "high")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"scale": 5}, "scale is 2, 3 or 4; saw 5"),
        ({"crop": 30}, "crop is a multiple of scale=4; saw 30: choose 28"),
        ({"crop": 0}, "crop is an integer of at least 1"),
        ({"steps": 0}, "steps is an integer"),
        ({"degradation": "milde"}, "Unknown degradation 'milde'. Did you mean 'mild'"),
        ({"crop": 48}, "picture 0 is 40x40, smaller than the crop of 48"),
        ({"low": [np.zeros((9, 10, 3), "uint8")]}, "is 40x40 and its low picture 10x9, which is not 4 times smaller"),
    ],
)
def test_what_makes_no_pairs(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        data.Pairs(photos(1), **{"crop": 16, **options})


def test_matching_cuts_as_the_high_picture_was_cut():
    """41 of 4 is 10, or 11 in folders that round up."""
    high = np.zeros((41, 47, 1), "uint8")
    kept = pairs.whole(high, "x", 4, 16)
    assert kept.shape == (40, 44, 1)
    for shape in ((10, 11, 1), (11, 12, 1)):
        assert pairs.matching(np.zeros(shape, "uint8"), high, kept, "x", 4).shape == (10, 11, 1)
    pairs.check_options(3, 96, 1, None, "mild")


def test_pictures_that_are_none():
    for high, sentence in (
        ([], "There are no pictures"),
        ([np.zeros((40, 40, 4), "uint8")], "picture 0: a picture is uint8"),
        ([np.zeros((40, 40, 3))], "saw float64"),
        ([np.zeros((40, 40, 3), "uint8"), np.zeros((40, 40, 1), "uint8")], r"The pictures have \[1, 3\] channels"),
    ):
        with pytest.raises(ValueError, match=sentence):
            data.Pairs(high, crop=16)


@pytest.mark.real_data
def test_low_pictures_are_the_benchmarks_own():
    """Within one grey level for 99% of the pixels."""
    folder = Path(os.environ["TFDS_DATA_DIR"]).parent / "sr" / "Set14"
    dataset = data.pairs_from_folder(folder / "hr", scale=4, crop=96)
    theirs = data.pairs_from_folder(folder / "hr", folder / "lr_x4", scale=4, crop=96)
    near = [np.abs(a.astype(int) - b) <= 1 for a, b in zip(dataset.low, theirs.low, strict=True)]
    assert np.mean(np.concatenate([x.ravel() for x in near])) >= 0.99


# --- whole pictures ---------------------------------------------------------------------------------------------------


def test_pictures_come_whole_one_after_the_other():
    """Cut to a multiple of the scale, low ones made whole; of any sizes as a tf.data.Dataset too."""
    high = photos()
    dataset = data.Pictures(high, scale=4)
    assert len(dataset) == 3 and dataset.channels == 3
    streamed = list(pair_sources.one_by_one(dataset).as_numpy_iterator())
    for i, picture in enumerate(high):
        height, width = (side // 4 * 4 for side in picture.shape[:2])
        low, whole = dataset[i]
        np.testing.assert_array_equal(whole[0], picture[:height, :width])
        np.testing.assert_array_equal(low[0], imresize(picture[:height, :width], scale=1 / 4))
        for mine, other in zip((low, whole), streamed[i], strict=True):
            np.testing.assert_array_equal(mine, other)
    pairs = data.Pairs(high, scale=4, crop=16)
    assert pair_sources.one_by_one(pairs) is pairs and pairs.fingerprint != dataset.fingerprint


def test_pictures_from_folder(tmp_path):
    for name, picture in zip("ba", photos(2), strict=True):
        images.write(tmp_path / f"{name}.png", picture)
    dataset = data.pictures_from_folder(tmp_path, scale=2)
    assert [Path(name).name for name in dataset.names] == ["a.png", "b.png"] and dataset.scale == 2
    np.testing.assert_array_equal(dataset[1][1][0], photos(2)[0])
    both = pair_sources.read_both(tmp_path, None, 1)
    assert both["low"] is None and both["high"][0].shape[2] == 1
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        data.pictures_from_folder(tmp_path / "absent")


def test_pairs_of():
    """Arrays become pairs whose crops are whole pictures; Pairs stay, a stream too."""
    high = np.stack(photos(2, 40)[:1] * 3)
    low = np.stack([imresize(high[0], scale=1 / 2)] * 3)
    made, size = data.pairs_of(low, high, scale=2, channels=3, seed=4)
    assert (made.crop, made.batch_size, len(made), made.seed, size) == (40, 3, 1, 4, 3)
    assert data.pairs_of(made, scale=2, channels=3) == (made, 3)
    in_order = data.Stream(made, 3)  # of a training on torch
    assert data.pairs_of(in_order, scale=2, channels=3, shuffle=False) == (in_order, 3)
    stream = [(low, high)]
    assert data.pairs_of(stream_of(stream), scale=2, channels=3)[1] == 3
    with pytest.raises(ValueError, match="makes pictures of 1 channels 2 times larger; these pairs are of scale 2 and"):
        data.pairs_of(made, scale=2, channels=1)


def stream_of(batches):
    """A Python generator of them."""
    yield from batches


def test_measured_of():
    pictures = data.Pictures(photos(2), scale=2)
    x, y, size = data.measured_of(pictures, scale=2, channels=3)
    assert (y, size) == (None, None) and len(list(x)) == 2
    with pytest.raises(ValueError, match="value_range is for arrays"):
        data.measured_of(pictures, scale=2, channels=3, value_range=(0, 1))
    pair_sources.check_fits(pictures, 2, 3)


def test_looked_at_sees_both_halves():
    low, high = np.zeros((2, 4, 4, 1), "uint8"), np.zeros((2, 8, 8, 1), "uint8")
    stream, size = pair_sources.looked_at(stream_of([(low, high)]), 1)
    assert size == 2 and len(list(stream)) == 1
    with pytest.raises(ValueError, match="batches, and those of this stream are none"):
        pair_sources.looked_at(stream_of([low]), 1)


def test_refused_arrays():
    high = np.zeros((3, 8, 8, 1), "uint8")
    with pytest.raises(ValueError, match=r"low has 2 for 3 high pictures: give one for each"):
        pair_sources.of_arrays(high[:2, :4, :4], high, 2)
    with pytest.raises(ValueError, match=r"Pairs are arrays .* saw low \(2,\) and high"):
        pair_sources.of_arrays([1, 2], high, 2)
    with pytest.raises(ValueError, match='degradation="mild" makes low pictures, and these were given'):
        data.Pairs(list(high), [x[:4, :4] for x in high], scale=2, crop=8, degradation="mild")
    for scale in (5, 2.0, "2"):
        with pytest.raises(ValueError, match=f"scale is 2, 3 or 4; saw {scale!r}"):
            pairs.check_scale(scale)


def test_two_pictures_of_one_name(tmp_path):
    """Both count; but which is whose other, nobody can say."""
    for name in ("a.png", "a.bmp"):
        images.write(tmp_path / name, photos(1)[0])
    assert len(data.pictures_from_folder(tmp_path, scale=2)) == 2
    with pytest.raises(ValueError, match="have one name: which belongs to its other"):
        data.pictures_from_folder(tmp_path, tmp_path, scale=2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="There is no picture in .*empty"):
        data.pictures_from_folder(tmp_path / "empty")
