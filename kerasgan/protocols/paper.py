"""The papers' own tables, by their protocols."""

from kerasgan.protocols.likelihood import MultiscaleParzen, OfSamples, Parzen, StandardisedParzen


class NearestNeighbour(OfSamples):
    """The 1-nearest-neighbour test error of Radford et al. 2015, Table 3: labelled samples in the place of MNIST's own.

    It asks for samples that are of the class they were drawn for, and unlike each other. Its 50,000 samples, of all
    classes equally many, for 10,000 test digits are five for each: as many real ones leave 3.2 to 3.4%, by the choice.

    Args:
        card, train: not asked. test: the real images, a Dataset with labels. figure: the paper's, and which it is.
    """

    share = 5

    def __init__(self, card, test, train, figure):
        if not card.get("class_names"):
            raise ValueError(f"{card['name']} has no classes: the 1-nearest-neighbour error is of labelled samples.")
        if test.labels is None:
            raise ValueError(
                f"{card['name']}: the test images have no labels, which the 1-nearest-neighbour error needs."
            )
        self.test = test
        self.own = {"nearest_neighbour_error": figure | {"better": "lower", "samples": self.share * len(test.images)}}

    def measure(self, samples):
        """{"nearest_neighbour_error": share} of a Dataset with labels."""
        from kerasgan.metrics import nearest_neighbour_error

        error = nearest_neighbour_error(self.test.images, self.test.labels, samples.images, samples.labels)
        return {"nearest_neighbour_error": error}


class Paper:
    """What the tables of a paper say of a model: each part measures as many of the samples as it is made for.

    Args:
        card: of the entry; its `paper_table` names the rows. test, train: real images, and those that the model has
            seen, Datasets.
    """

    def __init__(self, card, test, train):
        self.parts = [part(card, test, train, figure) for part, figure in TABLES[card["paper_table"]]]
        self.samples = max(part.share for part in self.parts) * len(test.images)
        self.n, self.says = len(test.images), {"dtype": "float64"}
        self.own = {name: record for part in self.parts for name, record in part.own.items()}

    def measure(self, samples, real=False):
        """{metric: value} of a Dataset of samples, generated or real."""
        found = {}
        for part in self.parts:
            found |= part.measure(samples.first(part.share * self.n))
        return found

    def of_model(self, model, seed=None):
        """{metric: value} of what is asked of a model beside its samples; without a seed of real images instead."""
        found = {}
        for part in self.parts:
            found |= part.of_model(model, seed)
        return found


OTHERS = {"table": "as in Denton et al. 2015, Table 1, in another unit"}  # its figures do not compare
TABLES = {  # of a paper: what is measured, and the figure it is held against
    "parzen": [
        (
            Parzen,
            {"paper": 225.0, "paper_spread": 2.0, "table": "Goodfellow et al. 2014, Table 1: adversarial nets, MNIST"},
        ),
    ],
    "cgan": [
        (Parzen, {"paper": 132.0, "paper_spread": 1.8, "table": "Mirza and Osindero 2014, Table 1: conditional nets"}),
        (NearestNeighbour, {"paper": 0.0628, "table": "Radford et al. 2015, Table 3: GAN of perceptrons, conditional"}),
    ],
    "cdcgan": [(NearestNeighbour, {"paper": 0.0298, "table": "Radford et al. 2015, Table 3: DCGAN"})],
    "colours": [(StandardisedParzen, OTHERS)],
    "lapgan": [(StandardisedParzen, OTHERS), (MultiscaleParzen, OTHERS)],
}
