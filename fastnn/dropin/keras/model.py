"""Models that are trained, evaluated, used and saved: Model and Sequential."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import checks
from ...errors import FastnnError, InvalidArgumentError
from ...io.atomic import StrPath
from ...kernels.spec import FloatArray
from ...nn.fit import HELD_OUT_NAMES
from . import descriptions, files, losses, optimizers, randomness, summary
from .callback import History
from .config import floatx
from .data import (
    array,
    checked_batch_size,
    checked_steps,
    effective,
    epochs_due,
    rows_of,
    samples,
    split,
    validation_samples,
)
from .figures import Compiled
from .hooks import Hooks, checked, checked_verbose
from .layer import KerasTensor, Layer, Shape, no_chain
from .layers import Dense, Dropout, InputLayer
from .metric import Metric
from .network import Network
from .progress import ProgressBar
from .stack import Stack
from .subset import refuse, unsupported
from .tensor import tensor
from .trainer import Trainer, Validation, predict


class Model(Stack):
    """Layers, one on the other, from inputs to outputs.

    ``Model(inputs, outputs)`` makes a model of the layers that were called between two symbolic tensors, which
    :func:`~fastnn.dropin.keras.layers.Input` and calls of layers return. Models may share layers, and a model may be a
    layer of others.

    Parameters
    ----------
    inputs, outputs : symbolic tensors, or lists of one.
    name : or else "functional", "functional_1" and so on.

    Attributes
    ----------
    layers : a list of them; that of a Sequential is without the Input.
    built : whether the input shape is known, by an Input, by an ``input_shape``, by :meth:`build` or by the first data,
        and with it all weights.
    weights, trainable_weights, trainable_variables : kernel, bias, kernel, bias and so on; views: editing them edits
        the model.
    optimizer, loss : as compiled.
    history : of the last ``fit``.
    stop_training : set to True by a callback to end ``fit``.

    Raises FastnnError, naming the feature, for all that is not in this part of Keras, such as models that are no single
    chain of layers.
    """

    def __init__(self, inputs: object = None, outputs: object = None, name: str | None = None, **options: Any) -> None:
        inputs, outputs = options.pop("input", inputs), options.pop("output", outputs)  # as Keras 1 calls them
        self._begin(name, options)
        first, last = _only_tensor("inputs", inputs), _only_tensor("outputs", outputs)
        chain = last.chain(first)
        source = first.layer if isinstance(first.layer, InputLayer) else InputLayer(first.sample_shape)
        layers = [source, *chain]
        for layer in layers:
            self.check_name(layer, layers)
        self._tensors = first, last
        self.assemble(layers, first.sample_shape, floatx(), randomness.generator())

    def _begin(self, name: str | None, options: dict[str, Any]) -> None:
        super().__init__(name, options)
        self.optimizer: optimizers.Optimizer | None = None
        self.loss: losses.Loss | None = None
        self.compiled_metrics = Compiled()
        self.history: History | None = None
        self.stop_training = False

    @property
    def kind(self) -> str:
        return "Functional" if type(self) is Model else super().kind

    def of_array(self, inputs: Any, training: object) -> Any:
        if training and any(isinstance(part, Dropout) and part.rate for part in self.parts()):
            raise InvalidArgumentError("training", "False for a model with Dropout, but in fit", training)
        return tensor(self.predict(inputs, verbose=0))

    @property
    def metrics_names(self) -> list[str]:
        """The figures of ``fit`` and ``evaluate``."""
        return ["loss", *self.compiled_metrics.names]

    @property
    def metrics(self) -> list[Metric]:
        """The metrics that it was compiled with."""
        return self.compiled_metrics.objects()

    def summary(
        self,
        line_length: int | None = None,
        positions: None = None,
        print_fn: Callable[[str], object] | None = None,
        **options: Any,
    ) -> None:
        """Print the layers, their output shapes and parameters, in Keras' table."""
        refuse("summary", {"positions": positions, **options}, expand_nested=False, show_trainable=False)
        (print if print_fn is None else print_fn)(
            summary.table(
                self.name,
                self._layers,
                self.sample_shape,
                self.network,
                self.optimizer,
                line_length,
            )
        )

    def compile(
        self,
        optimizer: object = "rmsprop",
        loss: object = None,
        metrics: object = None,
        weighted_metrics: object = None,
        **options: Any,
    ) -> None:
        """Set how to train.

        Parameters
        ----------
        optimizer : a name or an instance of :mod:`fastnn.dropin.keras.optimizers`. A name starts a new state.
        loss : a name, a function or an instance of :mod:`fastnn.dropin.keras.losses`.
        metrics : names of :mod:`fastnn.dropin.keras.metrics`, its objects or functions f(y_true, y_pred), in a list.
            "accuracy" or "acc" is, as targets and outputs have it, how often the largest output is that of the class
            or, with one output, how often y = (a > 0.5).
        weighted_metrics : the same, weighted with the samples' weights.
        """
        for idle in ("class_mode", "run_eagerly", "jit_compile", "auto_scale_loss"):  # which change no figure
            options.pop(idle, None)
        refuse("compile", options, steps_per_execution=1)
        compiled = optimizers.get(optimizer), losses.get(loss)
        self.compiled_metrics = Compiled(metrics, weighted_metrics)
        self.optimizer, self.loss = compiled
        if self.network is not None:
            self.trainer()  # raises for what does not go together

    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike | None = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: object = None,
        validation_split: float = 0.0,
        validation_data: Sequence[ArrayLike] | None = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: ArrayLike | None = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
        **options: Any,
    ) -> History:
        """Train, going on from the present weights and the optimizer's state.

        Parameters
        ----------
        x : (n, ...) inputs of the model's shape. uint8 stands for 0..255, as it is; floats of the model's type are not
            copied.
        y : (n,) or (n, 1) labels, or (n, outputs) targets, as the loss wants.
        batch_size : if None 32, or what makes ``steps_per_epoch`` batches. The last batch of an epoch may be smaller.
        epochs : the number of the last, counted from 1.
        verbose : 0 prints nothing, 1 or "auto" a bar, 2 a line an epoch, and 3 the epochs' numbers alone.
        callbacks : a callback, or several.
        validation_split : this share of the rows, the last of them, is held out and measured after every epoch.
        validation_data : (x, y) or (x, y, sample_weight) to measure instead.
        shuffle : draw a new order for every epoch.
        class_weight : weights by class; not together with ``sample_weight``.
        sample_weight : (n,) factors of the samples' losses.
        initial_epoch : the epochs already done.
        steps_per_epoch : None, or as many as there are batches.
        validation_steps, validation_batch_size : only so many first batches of the held-out rows are measured, of
            this size or else ``batch_size``.
        validation_freq : after every how many epochs, or after which of them, counted from 1.
        nb_epoch : Keras 1's name of ``epochs``.
        show_accuracy : measure the accuracy too, an option of versions before Keras 1, of ``evaluate`` as well.

        Returns
        -------
        History : its ``history`` has, by name, one figure an epoch: of the training data the means of what was
            measured before each update.

        Raises
        ------
        DivergenceError : the loss became NaN or infinite; the model has its last finite weights.
        FastnnError : unusable arguments.
        """
        epochs = options.pop("nb_epoch", epochs)
        self._show_accuracy(options)
        refuse("fit", effective(options))
        given = samples(x, y, sample_weight)
        share = checks.number("validation_split", validation_split, low=0, high=1, below=True)
        held_out = None
        if validation_data is not None:
            held_out = validation_samples(validation_data)
        elif share:
            given, held_out = split(given, share)
        given = given.weighted_by_class(class_weight)
        steps = checked_steps("steps_per_epoch", steps_per_epoch)
        size = checked_batch_size(batch_size, len(given.x), steps)
        first = checks.integer("initial_epoch", initial_epoch, low=0)
        last = checks.integer("epochs", epochs, low=0)
        shuffle = checks.boolean("shuffle", shuffle)
        trainer = self.trainer(given.x)
        data = trainer.data(given, ("x", "y"))
        if steps is not None and steps < (batches := math.ceil(len(given.x) / size)):
            raise InvalidArgumentError("steps_per_epoch", f"None, or the number of batches, {batches}", steps)
        due, validation = epochs_due(validation_freq), None
        if held_out is not None:
            steps = checked_steps("validation_steps", validation_steps)
            chosen = batch_size if validation_batch_size is None else validation_batch_size
            validation_size = checked_batch_size(chosen, len(held_out.x), steps, "validation_batch_size")
            held_out = held_out.first_batches(steps, validation_size)
            validation = Validation(trainer.data(held_out, HELD_OUT_NAMES), validation_size, due)
        history = History()
        hooks = self._hooks([*checked(callbacks), history], verbose, last, len(given.x), size)
        self.history, self.stop_training = history, False
        trainer.fit(data, validation, size, range(first, last), shuffle, hooks)
        return history

    def evaluate(
        self,
        x: ArrayLike,
        y: ArrayLike | None = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: ArrayLike | None = None,
        steps: int | None = None,
        callbacks: object = None,
        return_dict: bool = False,
        **options: Any,
    ) -> float | list[float] | dict[str, float]:
        """The mean loss or, with metrics, [loss, accuracy]; by name with ``return_dict``.

        Arguments as for ``fit``; only the first ``steps`` batches are measured, if that is no None.
        """
        self._show_accuracy(options)
        refuse("evaluate", effective(options))
        return_dict = checks.boolean("return_dict", return_dict)
        given, steps = samples(x, y, sample_weight), checked_steps("steps", steps)
        size = checked_batch_size(batch_size, len(given.x), steps)
        given = given.first_batches(steps, size)
        trainer = self.trainer(given.x)
        data = trainer.data(given, ("x", "y"))
        hooks = self._hooks(checked(callbacks), verbose, 1, len(given.x), size)
        return self._result(trainer.evaluate(data, size, hooks, ("x", "y")), return_dict)

    def predict(
        self,
        x: ArrayLike,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: object = None,
        **options: Any,
    ) -> FloatArray:
        """The outputs (n, outputs) for inputs (n, ...), or for the first ``steps`` batches of them."""
        refuse("predict", effective(options))
        given = array("x", x)
        if given.ndim == 0:
            raise InvalidArgumentError("x", "one row per sample", "a single number")
        network, steps = self._network(given), checked_steps("steps", steps)
        size = checked_batch_size(batch_size, len(given), steps)
        given = given if steps is None else given[: steps * size]
        inputs = rows_of("x", given, network.input_shape, network.dtype)
        checks.nonempty("x", len(inputs.X))
        outputs = predict(network, inputs, size, self._hooks(checked(callbacks), verbose, 1, len(inputs.X), size))
        return outputs.reshape(-1, *network.plan.outputs)

    def predict_classes(self, x: ArrayLike, batch_size: int | None = None, verbose: int | str = 0) -> NDArray[Any]:
        """The places (n,) of the largest outputs or, with one output, (n, 1) whether it is above 0.5, as 0 and 1."""
        outputs = self.predict(x, batch_size, verbose)
        return outputs.argmax(axis=-1) if outputs.shape[-1] > 1 else (outputs > 0.5).astype(np.int32)

    def predict_proba(self, x: ArrayLike, batch_size: int | None = None, verbose: int | str = 0) -> FloatArray:
        """:meth:`predict`, as Keras 1 and 2 also call it."""
        return self.predict(x, batch_size, verbose)

    def train_on_batch(
        self,
        x: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> float | list[float] | dict[str, float]:
        """One update; returns what was measured before it, as :meth:`evaluate` does."""
        return_dict = checks.boolean("return_dict", return_dict)
        given = samples(x, y, sample_weight).weighted_by_class(class_weight)
        trainer, count = self.trainer(given.x), len(given.x)
        data, hooks = trainer.data(given, ("x", "y")), self._hooks([], 0, 1, count, count)
        return self._result(trainer.epoch(data, np.arange(count), count, hooks), return_dict)

    def test_on_batch(
        self,
        x: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        return_dict: bool = False,
    ) -> float | list[float] | dict[str, float]:
        """:meth:`evaluate` without a printed line."""
        return self.evaluate(x, y, None, 0, sample_weight, return_dict=return_dict)

    def predict_on_batch(self, x: ArrayLike) -> FloatArray:
        """:meth:`predict` without a printed line."""
        return self.predict(x, verbose=0)

    def save(
        self,
        filepath: StrPath,
        overwrite: bool = True,
        include_optimizer: bool = True,
        save_format: str | None = None,
        **options: Any,
    ) -> None:
        """Write a built model with all that it needs to go on: layers, weights, and how it is compiled.

        With an optimizer go its state and the number of updates. The format goes by the path's ending, or by
        ``save_format``: ".keras", and ".h5" or ".hdf5", are Keras' own, which need h5py (the extra "h5") and which
        Keras 3.15 reads; under any other name it is a safetensors file of fastnn's, which tells damage of any bit.
        Metrics that are the program's own are left out, with a warning. Raises FastnnError if it cannot be written,
        and leaves the old file or the new one.
        """
        refuse("save", options, zipped=True)
        files.save(self, filepath, overwrite, include_optimizer, save_format)

    def save_weights(
        self, filepath: StrPath, overwrite: bool = True, save_format: str | None = None, **options: Any
    ) -> None:
        """Write the weights alone, by the path's ending: ".weights.h5" as Keras 3 does, ".h5" as Keras 2 did."""
        refuse("save_weights", options)
        files.save_weights(self, filepath, overwrite, save_format)

    def load_weights(self, filepath: StrPath, skip_mismatch: bool = False, **options: Any) -> None:
        """Read weights for the layers of a built model: of fastnn's own files, or of any of Keras'."""
        refuse("load_weights", options | {"skip_mismatch": skip_mismatch}, skip_mismatch=False, by_name=False)
        files.load_weights(self, filepath)

    def get_config(self) -> dict[str, Any]:
        """What :meth:`from_config` makes an equal model from, without weights and without how it is compiled."""
        found: dict[str, Any] = descriptions.of_model(self, self.float_type)["config"]
        return found

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: object = None) -> Model:
        """A model of new weights from :meth:`get_config`."""
        kind = "Sequential" if issubclass(cls, Sequential) else "Functional"
        return model_from_config({"class_name": kind, "config": config})

    def to_json(self, **options: Any) -> str:
        """Keras' JSON of the model, without weights and without how it is compiled; ``options`` of ``json.dumps``."""
        return descriptions.to_json(descriptions.of_model(self, self.float_type), **options)

    def to_yaml(self, **options: Any) -> str:
        """Raise UnsupportedError, as Keras itself has done without YAML since 2.6."""
        raise unsupported("to_yaml, which Keras removed in 2.6", ["to_json"])

    def _network(self, x: Any) -> Network:
        """The network; one that is not built is, for inputs like the array ``x``."""
        if self.network is None:
            if not any(isinstance(part, Dense) for part in self.parts()):
                raise InvalidArgumentError("layers", "at least one Dense layer", self._layers)
            self.set_shape(x.shape[1:] or (1,))
        assert self.network is not None
        return self.network

    def _show_accuracy(self, options: dict[str, Any]) -> None:
        """Take ``show_accuracy`` from the options; with it the model, unless it has metrics, has "acc" from then on."""
        if options.pop("show_accuracy", False) and not self.compiled_metrics.given:
            self.compiled_metrics = Compiled(["acc"])

    def trainer(self, x: Any = None) -> Trainer:
        """What trains it as it is compiled; a model that is not built is, for inputs like the array ``x``."""
        if self.optimizer is None or self.loss is None:
            raise FastnnError("You must call `compile()` before using the model.")
        return Trainer(self._network(x), self.optimizer, self.loss, self.compiled_metrics)

    def _hooks(self, callbacks: list[Any], verbose: object, epochs: int, count: int, size: int) -> Hooks:
        params = {"verbose": checked_verbose(verbose), "epochs": epochs, "steps": math.ceil(count / size)}
        if not params["verbose"]:
            return Hooks(callbacks, self, params)
        bar = ProgressBar()
        return Hooks([*callbacks, bar], self, params, bar.tick)

    def _result(self, logs: dict[str, float], return_dict: bool) -> float | list[float] | dict[str, float]:
        if return_dict:
            return logs
        figures = [logs[name] for name in self.metrics_names]
        return figures if len(figures) > 1 else figures[0]


class Sequential(Model):
    """A model of layers that are added one after the other.

    Parameters
    ----------
    layers : of :mod:`fastnn.dropin.keras.layers`, models among them.
    name : or else "sequential", "sequential_1" and so on.
    """

    def __init__(self, layers: object = None, trainable: bool = True, name: str | None = None) -> None:
        self._begin(name, {"trainable": trainable})
        if layers is not None and not isinstance(layers, Sequence):
            checks.unsupported("layers", "a list of layers", layers)
        for layer in layers or []:
            self.add(layer)

    def add(self, layer: Layer | KerasTensor) -> None:
        """Put a layer on top, or say the shape of the inputs first."""
        if isinstance(layer, KerasTensor) and isinstance(layer.layer, InputLayer):
            layer = layer.layer
        if not isinstance(layer, Layer):
            checks.unsupported("layer", "a layer of fastnn.dropin.keras.layers", layer)
        if isinstance(layer, InputLayer):
            if self.sample_shape is not None or self._layers:
                raise InvalidArgumentError("layer", "an Input before all other layers", repr(layer))
            self._tensors, self.sample_shape = (layer.output, layer.output), layer.shape
            return
        self.check_name(layer, [*self._layers, layer])
        shape = self.sample_shape if self._layers or self.sample_shape else layer.given_shape
        if shape is None and not self._layers and isinstance(layer, Model):
            shape = layer.sample_shape
        self.assemble([*self._layers, layer], shape, floatx(), randomness.generator())

    def pop(self) -> None:
        """Take the last layer off."""
        if not self._layers:
            raise InvalidArgumentError("layers", "at least one layer", "none")
        self.assemble(self._layers[:-1], self.sample_shape, floatx(), randomness.generator())

    def assemble(self, layers: list[Layer], shape: Shape | None, dtype: str, rng: np.random.Generator | None) -> None:
        super().assemble(layers, shape, dtype, rng)
        self._link()

    def _link(self) -> None:
        """Place the layers between symbolic tensors, once the shape of the inputs is known."""
        if self.sample_shape is not None:
            source = outputs = self._tensors[0] if self._tensors is not None else KerasTensor(self.sample_shape)
            for layer in self._layers:
                outputs = layer.place(outputs)
            self._tensors = source, outputs


def model_from_config(config: dict[str, Any], custom_objects: object = None) -> Model:
    """A model of new weights from a dict of its "class_name" and "config"."""
    dtype = descriptions.float_type(config) or floatx()
    return from_chain(descriptions.parsed(config), dtype, randomness.generator())


def from_chain(chain: descriptions.Chain, dtype: str, rng: np.random.Generator | None) -> Model:
    """The model of a description with weights drawn from ``rng`` or, without, zero."""
    layers = [
        from_chain(layer, dtype, rng) if isinstance(layer, descriptions.Chain) else layer for layer in chain.layers
    ]
    if chain.kind == "Sequential":
        model = Sequential(name=chain.name)
        if chain.input is not None:
            model.add(chain.input)
        for layer in layers:
            model.check_name(layer, layers)
        model.assemble(layers, chain.shape, dtype, rng)
        return model
    assert chain.input is not None
    outputs = chain.input.output
    for layer in layers:
        layer.shape_after(outputs.sample_shape)
        layer.draw(outputs.sample_shape, dtype, rng)
        outputs = layer.place(outputs)
    return Model(chain.input.output, outputs, name=chain.name)


def _only_tensor(argument: str, value: object) -> KerasTensor:
    """The symbolic tensor, or the only one of a list."""
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if isinstance(value, KerasTensor):
        return value
    if isinstance(value, list | tuple | dict):
        raise no_chain(f"{len(value)} tensors for {argument}")
    checks.unsupported(argument, "a symbolic tensor, as Input and calls of layers return", value)
