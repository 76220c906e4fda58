"""What Keras asks of a model that trains: `fit` on checked images, logs, and the state that a training goes on from."""

import keras
from keras import ops

from kerasgan import data, random, replicas
from kerasgan.callbacks import StopOnNaN
from kerasgan.models import networks, rules


class Trainable(random.SavesRandomState, keras.Model):
    """A model that Keras trains; `Adversarial` says what a step is.

    Expects of it: `seed` (of the order of the data), `step` (a weight that counts), `rules`, `reports` (names), both
    optimizers, `random` and `evaluation` (seed generators), `trackers` and `measures` (metrics of the logs, and of real
    against generated images); of a variant what its data are: `trained_on` and `measured`.
    """

    @replicas.in_scope
    def fit(
        self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, *, value_range=None,
        validation_data=None, validation_batch_size=None, shuffle=True, steps_per_epoch=None, **options,
    ):  # fmt: skip
        """Train, or fine-tune, on images; the order of arrays and Datasets is a function of (seed, step) alone.

        Args:
            x: images: uint8, or floats in [-1, 1]; an array, a `kerasgan.data` Dataset, a tf.data.Dataset, ... For
                super-resolution `kerasgan.data.Pairs`, a stream of (low, high) batches, or a uint8 array of low ones.
            y: labels of an array, for a conditional model: integers in [0, classes), one for each image. For
                super-resolution the high pictures to an array of low ones.
            batch_size: of arrays; 16 for super-resolution, otherwise 128 (or all, if fewer) by default.
            value_range: (low, high) of float arrays in another range, validation_data's too.
            validation_data: images (for super-resolution `kerasgan.data.Pictures`) that the compiled metrics measure
                after every epoch; every one counts.
            shuffle: of arrays; a Dataset says itself whether it shuffles.
            steps_per_epoch: where given, an epoch has so many steps, and the next `fit` goes on where this one stops;
                otherwise an epoch is a pass over the data, and a `fit` begins with a whole one.
            The rest is `keras.Model.fit`'s.

        Raises:
            ValueError: images that break the contract, a batch that the rules do not divide, validation_data without
                metrics, or an option that this model has no use for.
            FloatingPointError: a loss or a weight became NaN; the weights are the last good ones.
        """
        rules.check_compiled(self)
        rules.check_given(self, "fit", options)
        for name, count in {"epochs": epochs, "batch_size": batch_size, "steps_per_epoch": steps_per_epoch}.items():
            if count is not None:
                rules.check_count(f"fit: {name}", count)
        if validation_data is not None:
            rules.check_measures(self)
            *given, weights = keras.utils.unpack_x_y_sample_weight(validation_data)
            rules.check_given(self, "fit", {"sample_weight": weights})
            *validation_data, size = self.measured(*given, value_range)
            validation_batch_size = validation_batch_size or size
        x, size = self.trained_on(x, y, batch_size=batch_size, shuffle=shuffle, value_range=value_range)
        rules.check_batch(self, size)
        rules.check_remainder(self, x)
        self.prepare(x)
        if isinstance(x, data.Dataset | data.Pairs):
            step = int(self.step.numpy())  # int(self.step) fails under a MirroredStrategy
            start = step if steps_per_epoch else -(-step // len(x)) * len(x)
            x, shuffle, steps_per_epoch = x.stream(start), False, steps_per_epoch or len(x)
        callbacks = keras.tree.flatten(callbacks or [])
        if not any(isinstance(callback, StopOnNaN) for callback in callbacks):
            callbacks = [StopOnNaN(), *callbacks]
        settle = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self.average_replicas())
        return super().fit(
            x, epochs=epochs, verbose=verbose, callbacks=[settle, *callbacks], validation_data=validation_data,
            validation_batch_size=validation_batch_size, shuffle=shuffle, steps_per_epoch=steps_per_epoch, **options,
        )  # fmt: skip

    def prepare(self, x):
        """What a variant has to know of its data before the first step: nothing, of most."""

    def report(self, values):
        """The running means of what `play` returned; `reports` names all that it may return."""
        trackers = {tracker.name.replace("_loss", ""): tracker for tracker in self.trackers}
        rules.check_reported(values, trackers)
        logs = {}
        for name, tracker in trackers.items():
            if name in values:
                tracker.update_state(values[name])
                logs[tracker.name] = tracker.result()
        return networks.shaped(logs)

    @replicas.in_scope
    def average_replicas(self):
        """Average what replicas have found of their own images, BatchNorm's statistics; nothing else differs there."""
        replicas.mean_over_replicas(networks.statistics(self.generator, self.discriminator, self.average))

    def save_own_variables(self, store):
        """As Keras does: it comes here first, before the networks; what is saved is of all replicas."""
        self.average_replicas()
        super().save_own_variables(store)

    @property
    def state(self):
        """Every variable that a training needs to go on: weights, random state and both optimizers'."""
        return [*self.variables, *self.optimizer.variables, *self.discriminator_optimizer.variables]

    def is_finite(self):
        """Whether every variable of `state` is finite: no NaN, no infinity."""
        return networks.all_finite(self.state)

    # --- measuring

    @replicas.in_scope
    def evaluate(self, x=None, y=None, batch_size=None, *, value_range=None, **options):
        """Measure generated images against real ones with the compiled metrics; every image counts, none is dropped.

        Args:
            x: real images: uint8, or floats in [-1, 1]; an array, a `kerasgan.data` Dataset, a tf.data.Dataset, ...
            y: labels of an array, for a conditional model.
            batch_size: of arrays and Datasets.
            value_range: (low, high) of float arrays in another range.
            The rest is `keras.Model.evaluate`'s.

        Returns:
            The metrics' results, a list, or {name: result} with return_dict=True.

        Raises:
            ValueError: nothing to measure with, images that break the contract, or an option of no use to this model.
        """
        rules.check_given(self, "evaluate", options)
        self.average_replicas()
        if options.get("_use_cached_eval_dataset"):  # Keras' own, from `fit`, which has looked at validation_data
            return super().evaluate(x, y, batch_size=batch_size, **options)
        rules.check_measures(self)
        x, y, size = self.measured(x, y, value_range)
        return super().evaluate(x, y, batch_size=batch_size or size, **options)

    @property
    def metrics(self):
        """What Keras resets at the start of an epoch: the trackers of the logs, and the compiled metrics."""
        return [*self.trackers, *self.measures]

    def get_metrics_result(self):
        """The compiled metrics' results, computed once."""
        return {measure.name: measure.result() for measure in self.measures}

    def reset_metrics(self):
        """Forget the epoch, and let every evaluation draw the same latents."""
        super().reset_metrics()
        self.evaluation.state.assign(ops.multiply(self.evaluation.state, [1, 0]))

    def draw(self, like, shape, law, seed=None):
        """Noise for each sample of `like`, normal or uniform in [-1, 1).

        Replicas share one seed: each draws for all and takes its own part.
        """
        seed = seed or self.random

        def drawn(n):
            if law == "normal":
                return keras.random.normal((n, *shape), seed=seed)
            return keras.random.uniform((n, *shape), -1, 1, seed=seed)

        return replicas.share(drawn, ops.shape(like)[0])

    def _maybe_symbolic_build(self, *args, **kwargs):
        """Nothing: the networks arrive built. Keras' own runs the model on images, and fails across workers (trap 25).

        Private: without this `fit` of two workers raises; `test_two_workers_train_one_model` would notice.
        """
