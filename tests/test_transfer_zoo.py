"""`load` with changes: an entry for other images or classes, with its report, and with layers that rest."""

import numpy as np
import pytest
from goldens import dcgan
from keras import ops

import kerasgan
from kerasgan import zoo


def test_load_for_other_images(tiny_zoo, capsys):
    model = kerasgan.load("tiny", image_shape=(28, 28, 3))
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("From tiny:\ngenerator: ") and " resized: " in told.err
    assert model.image_shape == (28, 28, 3) and model.compiled and model.measures == []
    grey = kerasgan.load("tiny").generate(3, seed=1)
    np.testing.assert_allclose(model.generate(3, seed=1), np.repeat(grey, 3, axis=3), atol=1)
    history = model.fit(np.repeat(grey, 3, axis=3), batch_size=3, verbose=0, epochs=2).history
    assert np.isfinite(history["generator_loss"]).all()
    with pytest.raises(TypeError, match="DCGAN has no argument 'image_shpe'. Did you mean 'image_shape'"):
        kerasgan.load("tiny", image_shpe=(28, 28, 3))
    with pytest.raises(ValueError, match="DCGAN halves both sides"):
        kerasgan.load("tiny", image_shape=(29, 29, 3))
    assert kerasgan.load("tiny", average_half_life=1000.0).average_half_life == 1000, "in the place of its momentum"
    again = zoo.changed(*zoo.find("tiny"), {"image_shape": (28, 28, 3)})
    np.testing.assert_array_equal(
        again.generate(3, seed=1), kerasgan.load("tiny", image_shape=(28, 28, 3)).generate(3, seed=1)
    )


def test_load_with_layers_that_rest(tiny_zoo):
    """The rules on the card stay, and the first layer of the discriminator."""
    free, model = kerasgan.load("tiny", metrics=False), kerasgan.load("tiny", metrics=False, freeze_discriminator=1)
    assert model.rules["loss"] == free.rules["loss"] and vars(model.rules["penalty"]) == vars(free.rules["penalty"])
    kernels = [ops.convert_to_numpy(v).copy() for v in model.discriminator.trainable_variables]
    model.fit(model.generate(4, seed=1), batch_size=4, verbose=0)
    stays = [
        np.array_equal(old, new) for old, new in zip(kernels, model.discriminator.trainable_variables, strict=True)
    ]
    assert stays[0] and not all(stays)
    assert kerasgan.load("tiny", image_shape=(28, 28, 3), freeze_discriminator=1).rules["freeze_discriminator"] == 1
    with pytest.raises(ValueError, match="x.keras can be loaded as it is alone: freeze_discriminator"):
        kerasgan.load("x.keras", freeze_discriminator=1)


def test_what_is_no_entry_of_a_variant_is_loaded_as_it_is(tmp_path):
    with pytest.raises(ValueError, match="lenet_mnist can be loaded as it is alone: classes are for generators"):
        kerasgan.load("lenet_mnist", classes=3)
    zoo.check_unchanged("lenet_mnist", {})
    dcgan().save(tmp_path / "x.keras")
    with pytest.raises(ValueError, match="x.keras can be loaded as it is alone: classes, pack are for generators"):
        kerasgan.load(tmp_path / "x.keras", classes=3, pack=2)
