"""Images in an order that is a pure function of (seed, step), on every way into `fit`."""

import inspect
import itertools

import keras
import numpy as np
import pytest

from kerasgan import data
from kerasgan.data.dataset import first_of, put_back

TENSORFLOW = keras.backend.backend() == "tensorflow"


def numbered(n=10, labelled=True, **options):
    """Images that show their own number, labelled with it too."""
    images = np.arange(n, dtype="uint8")[:, None, None, None] * np.ones((n, 2, 3, 1), "uint8")
    return data.Dataset(images, np.arange(n) if labelled else None, **{"batch_size": 4, **options})


def numbers(batch):
    """Which images a batch has; the labels must agree."""
    images, labels = batch
    assert (np.asarray(images) == np.asarray(labels)[:, None, None, None]).all()
    return np.asarray(labels).tolist()


# --- order ------------------------------------------------------------------------------------------------------------


def test_each_image_once_an_epoch_and_the_remainder_dropped():
    dataset, dropped = numbered(10), set()
    assert len(dataset) == 2
    for epoch in range(20):
        seen = [i for step in range(2) for i in numbers(dataset.batch(2 * epoch + step))]
        assert len(seen) == len(set(seen)) == 8
        assert seen == dataset.order(epoch)[:8].tolist() and sorted(dataset.order(epoch)) == list(range(10))
        dropped |= set(range(10)) - set(seen)
    assert dropped == set(range(10)), "the same images are dropped every epoch"


def test_the_order_is_a_pure_function_of_seed_and_epoch():
    one, two = numbered(64, seed=3), numbered(64, seed=3)
    forwards = [numbers(one.batch(step)) for step in range(48)]
    assert [numbers(two.batch(step)) for step in reversed(range(48))][::-1] == forwards
    assert [numbers(one[step]) for step in range(48)] == forwards  # `dataset[step]` is the batch, for Keras
    orders = [tuple(numbered(64, seed=seed).order(epoch)) for seed in range(4) for epoch in range(4)]
    assert len(set(orders)) == 16


def test_the_order_without_shuffling():
    dataset = numbered(10, shuffle=False)
    assert [numbers(dataset.batch(step)) for step in range(3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 2, 3]]


def test_the_seed_none_draws_one():
    dataset = numbered(64, seed=None)
    assert 0 <= dataset.seed < 2**31
    assert dataset.order(5).tolist() == numbered(64, seed=dataset.seed).order(5).tolist()


@pytest.mark.skipif(not TENSORFLOW, reason="tf.data")
@pytest.mark.parametrize("start", [0, 3])
@pytest.mark.parametrize("labelled", [True, False])
def test_pipeline_and_stream_give_the_batches_of_the_dataset(start, labelled):
    dataset = numbered(10, labelled)
    expected = [dataset.batch(start + i) for i in range(7)]
    flowing = list(itertools.islice(data.pipeline(dataset, start).as_numpy_iterator(), 7))
    stream = data.Stream(dataset, start)
    for i, batch in enumerate(expected):
        for other in (flowing[i], stream[i]):
            assert isinstance(other, tuple) == labelled
            for seen, like in zip(keras.tree.flatten(other), keras.tree.flatten(batch), strict=True):
                assert seen.dtype == like.dtype
                np.testing.assert_array_equal(seen, like)


@pytest.mark.skipif(not TENSORFLOW, reason="tf.data")
def test_the_shapes_of_a_pipeline_are_static():
    spec = data.pipeline(numbered()).element_spec
    assert [(tuple(s.shape), s.dtype.name) for s in spec] == [((4, 2, 3, 1), "uint8"), ((4,), "int32")]
    assert tuple(data.pipeline(numbered(labelled=False)).element_spec.shape) == (4, 2, 3, 1)


def test_stream_is_without_end_on_every_backend():
    dataset, stream = numbered(), numbered().stream(5)
    assert type(stream) is data.Stream or TENSORFLOW
    assert data.Stream(dataset, 5).num_batches is None
    first = next(stream.as_numpy_iterator()) if TENSORFLOW else stream[0]
    assert numbers(first) == numbers(dataset.batch(5))


# --- a dataset --------------------------------------------------------------------------------------------------------


def test_what_a_dataset_tells():
    dataset = numbered(6, class_names=list("abcdef"), skipped=[("x.png", "damaged")])
    assert dataset.image_shape == (2, 3, 1) and dataset.class_names == tuple("abcdef")
    assert dataset.labels.dtype == np.int32 and dataset.skipped == [("x.png", "damaged")]
    assert isinstance(numbered(labelled=False).batch(0), np.ndarray)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"batch_size": 11}, "A batch of 11 from 10 images: choose a batch_size from 1 to 10"),
        ({"batch_size": 0}, "A batch of 0 from 10 images"),
        ({"batch_size": 2.5}, "A batch of 2.5 from 10 images"),
        ({"n": 0}, "There are no images"),
        ({"seed": -1}, r"A seed is an integer in \[0, 2\*\*31\); saw -1"),
    ],
)
def test_what_a_dataset_refuses(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        numbered(**options)


@pytest.mark.parametrize("labels", [np.arange(9), np.zeros((10, 1), int), np.zeros(10), np.array(list("abcdefghij"))])
def test_labels_are_one_integer_for_each_image(labels):
    with pytest.raises(ValueError, match=r"Labels are 10 integers, one for each image; saw .*\("):
        data.Dataset(np.zeros((10, 2, 2, 1), "uint8"), labels, batch_size=2)


def test_the_fingerprint_tells_data_apart():
    images, labels = np.arange(48, dtype="uint8").reshape(4, 3, 4, 1), np.arange(4)

    def fingerprint(images, labels=None, **options):
        return data.Dataset(images, labels, batch_size=1, **options).fingerprint

    one_pixel, one_label = images.copy(), labels.copy()
    one_pixel[3, 2, 3, 0] += 1
    one_label[3] = 0
    prints = [
        fingerprint(images), fingerprint(images, labels), fingerprint(images, one_label), fingerprint(one_pixel),
        fingerprint(images.reshape(4, 4, 3, 1)), fingerprint(images[:3]), fingerprint(images[::-1]),
        fingerprint(images.astype("float32")),
    ]  # fmt: skip
    assert len(set(prints)) == len(prints)
    assert fingerprint(images, seed=1, shuffle=False) == prints[0], "of the data, not of their order"
    assert fingerprint(images, labels.astype("uint8")) == prints[1]
    assert fingerprint(images.repeat(2, axis=2)[:, :, ::2]) == prints[0], "of the values, not of their place in memory"


# --- arrays, and what `fit` takes -------------------------------------------------------------------------------------


def test_from_arrays():
    grey = np.arange(32, dtype="uint8").reshape(2, 4, 4)
    dataset = data.from_arrays(grey, [1, 0], batch_size=2, shuffle=False, class_names=["a", "b"])
    np.testing.assert_array_equal(dataset.images[..., 0], grey)
    assert dataset.labels.tolist() == [1, 0] and dataset.class_names == ("a", "b")
    scaled = data.from_arrays(grey / 31, batch_size=1, value_range=(0, 1)).images
    assert scaled.dtype == np.float32 and scaled.min() == -1 and scaled.max() == 1


@pytest.mark.parametrize(
    ("images", "options", "sentence"),
    [
        (np.linspace(0, 1, 32).reshape(2, 4, 4, 1), {}, r"saw values in \[0, 1\]: .*value_range=\(0, 1\)"),
        (np.full((2, 4, 4, 1), np.nan), {}, "32 values of the images are NaN"),
        (np.zeros((2, 4, 4, 1), "uint8"), {"image_shape": (8, 8, 1)}, r"of shape \(8, 8, 1\); saw \(4, 4, 1\)"),
        (np.zeros((2, 4), "uint8"), {}, r"saw \(2, 4\)"),
    ],
)
def test_images_that_break_the_contract(images, options, sentence):
    for function in (data.from_arrays, data.dataset_of):
        with pytest.raises(ValueError, match=sentence):
            function(images, batch_size=1, **options)


def test_dataset_of_arrays():
    images = np.zeros((200, 4, 4, 1), "uint8")

    def made(x, y=None, **options):
        dataset, size = data.dataset_of(x, y, **options)
        assert size == dataset.batch_size and dataset.image_shape == (4, 4, 1)
        return dataset

    assert made(images).batch_size == 128 and made(images[:50]).batch_size == 50
    dataset = made(images, np.ones(200, int), batch_size=20, seed=5)
    assert (dataset.batch_size, dataset.seed, dataset.shuffle, dataset.labels.sum()) == (20, 5, True, 200)
    assert made(images, shuffle=False).order(3).tolist() == list(range(200))
    assert len(made(list(images)).images) == len(made(keras.ops.convert_to_tensor(images)).images) == 200
    assert made(images / 255, value_range=(0, 1)).images.min() == -1
    with pytest.raises(ValueError, match="There are no images"):
        data.dataset_of(images[:0])


class Loader:
    """Something with a length that gives batches, as a torch DataLoader."""

    def __init__(self, *batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


class Batches(keras.utils.PyDataset):
    """The same for Keras."""

    def __init__(self, *batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def tf_data(*batches):
    """The same for TensorFlow."""
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices(np.stack(batches))


def generator(*batches):
    """The same, and each batch can be had once."""
    yield from batches


GOOD, BAD = np.zeros((2, 4, 4, 1), "uint8"), np.linspace(0, 1, 32, dtype="float32").reshape(2, 4, 4, 1)


@pytest.mark.parametrize("make", [Loader, Batches, tf_data, generator])
def test_dataset_of_the_rest_stays_what_it_is(make):
    source = make(GOOD, GOOD)
    same, size = data.dataset_of(source, image_shape=(4, 4, 1))
    assert size == 2 and (same is source or make is generator)
    assert first_of(data.peek(source)[0]).shape == GOOD.shape
    with pytest.raises(ValueError, match=r"value_range=\(0, 1\)"):
        data.dataset_of(make(BAD, BAD))
    with pytest.raises(ValueError, match=r"of shape \(8, 8, 1\)"):
        data.dataset_of(make(GOOD), image_shape=(8, 8, 1))


def test_dataset_of_datasets():
    dataset = numbered()
    for source in (dataset, data.Stream(dataset, 0)):
        assert data.dataset_of(source, image_shape=(2, 3, 1)) == (source, 4)
        with pytest.raises(ValueError, match=r"of shape \(8, 8, 1\)"):
            data.dataset_of(source, image_shape=(8, 8, 1))
    with pytest.raises(ValueError, match="this Dataset shuffles; make it with shuffle=False"):
        data.dataset_of(dataset, shuffle=False)
    data.dataset_of(numbered(shuffle=False), shuffle=False)
    data.dataset_of(data.Stream(dataset, 0), shuffle=False)  # Keras would shuffle another time


@pytest.mark.parametrize("make", [Loader, Batches, tf_data, generator, lambda *batches: numbered()])
def test_options_for_arrays_alone(make):
    with pytest.raises(ValueError, match="value_range is for arrays: scale a tf.data.Dataset with map"):
        data.dataset_of(make(GOOD), value_range=(0, 1))
    with pytest.raises(ValueError, match="batch_size is for arrays: these data come in batches already"):
        data.dataset_of(make(GOOD), batch_size=2)


@pytest.mark.parametrize("make", [Loader, Batches, tf_data, generator])
def test_peek_uses_nothing_up(make):
    first, source = data.peek(make(GOOD, GOOD + 1, GOOD + 2))
    assert first_of(first).max() == 0
    seen = [source[i] for i in range(3)] if make is Batches else list(source)
    assert [int(np.asarray(batch).max()) for batch in seen] == [0, 1, 2]


def test_put_back():
    """A generator for Keras, which asks for no more than it is asked for."""
    rest = iter([2, 3])
    together = put_back(1, rest)
    assert inspect.isgenerator(together) and next(together) == 1 and next(rest) == 2 and list(together) == [3]


def test_peek_of_labelled_and_of_no_batches():
    assert first_of(data.peek(Loader((np.ones((2, 4, 4, 1)), np.zeros(2))))[0]).min() == 1
    with pytest.raises(ValueError, match="There are no images: pass an array"):
        data.dataset_of(None)
    import tensorflow as tf

    with pytest.raises(ValueError, match="the tf.data.Dataset is empty"):
        data.dataset_of(tf.data.Dataset.from_tensor_slices(np.zeros((0, 4, 4, 1), "uint8")).batch(2))
    for empty in (Loader(), generator()):
        assert data.peek(empty) == (None, empty) and data.dataset_of(empty) == (empty, None)


def test_some_images_from_all_over():
    """Of arrays every k-th, for folders' come class by class; of a tf.data.Dataset its first batches."""
    images = np.arange(100, dtype="uint8").reshape(100, 1, 1, 1) * np.ones((1, 2, 2, 1), "uint8")
    dataset = data.from_arrays(images, batch_size=10)
    for x in (dataset, data.Stream(dataset, 3)):
        assert data.some(x, 20)[:, 0, 0, 0].tolist() == list(range(0, 100, 5))
    in_order = data.from_arrays(images, batch_size=10, shuffle=False)
    assert data.some(in_order.stream(), 25)[:, 0, 0, 0].tolist() == list(range(25))
    with pytest.raises(ValueError, match=r"call adapt\(images\) before fit"):
        data.some((images[:10] for _ in range(3)), 5)
