"""What is no name is refused with the nearest."""

import pytest

from kerasgan import names


def test_nearest():
    assert names.nearest("dgcan", ["dcgan", "lapgan"]) == " Did you mean 'dcgan'?"
    assert names.nearest("gan", ["GAN", "DCGAN"]) == " Did you mean 'GAN'?"
    assert names.nearest("xyz", ["dcgan", "lapgan"]) == "" == names.nearest(3, ["dcgan"])
    assert (
        names.nearest("dcgan_mist", ["dcgan_mnist", "cdcgan_mnist"], 2)
        == " Did you mean 'dcgan_mnist' or 'cdcgan_mnist'?"
    )


def test_check_choice():
    names.check_choice("distribution", "normal", ("normal", "uniform"))
    sentence = "Unknown distribution 'nomal'. Did you mean 'normal'? There are: normal, uniform."
    for wrong in ("nomal", ["normal"]):
        with pytest.raises(ValueError, match="Unknown distribution") as error:
            names.check_choice("distribution", wrong, ("normal", "uniform"))
        assert wrong != "nomal" or str(error.value) == sentence
