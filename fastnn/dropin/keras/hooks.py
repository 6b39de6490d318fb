"""The callbacks of one run, called one after the other."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, TypeVar

from ... import checks
from ...kernels.spec import Tick
from .callback import Callback, RunningModel

Kind = TypeVar("Kind", bound=Callback)

BATCH_HOOKS = {
    "train": ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}

_warned: set[str] = set()


def checked(callbacks: object) -> list[Callback]:
    """A list of callbacks from None, one or several."""
    if callbacks is None:
        return []
    if not isinstance(callbacks, Iterable):
        callbacks = [callbacks]
    result = list(callbacks)
    for i, callback in enumerate(result):
        if not isinstance(callback, Callback):
            checks.unsupported(f"callbacks[{i}]", "a Callback of fastnn.dropin.keras.callbacks", callback)
    return result


class Hooks:
    """Calls a hook of every callback, and ``tick``, if there is one, with the number of batches finished."""

    def __init__(
        self, callbacks: list[Callback], model: RunningModel, params: dict[str, Any], tick: Tick | None = None
    ) -> None:
        self.callbacks, self.model, self.tick = callbacks, model, tick
        for callback in callbacks:
            callback.set_model(model)
            callback.set_params(dict(params))

    def call(self, hook: str, *arguments: Any) -> None:
        """Call a hook with its arguments, of which the last are logs: what callbacks write there they alone see."""
        *numbers, logs = arguments
        logs = logs.copy()
        for callback in self.callbacks:
            getattr(callback, hook)(*numbers, logs)

    def first(self, kind: type[Kind]) -> Kind | None:
        """The first of the callbacks that is of a kind."""
        return next((callback for callback in self.callbacks if isinstance(callback, kind)), None)

    def ticker(self, first: int) -> Tick | None:
        """What shows that batches are finished, of a part of the epoch that begins with the batch ``first``."""
        tick = self.tick
        return None if tick is None else lambda done: tick(first + done)

    def wants_batches(self, run: str) -> bool:
        """Whether a callback listens to single batches of a run ("train", "test", "predict"); warns once if so."""
        for callback in self.callbacks:
            for hook in BATCH_HOOKS[run]:
                method = getattr(callback, hook)
                if getattr(method, "__func__", method) is not getattr(Callback, hook):
                    if "batches" not in _warned:
                        _warned.add("batches")
                        level = 5 if run == "train" else 4  # the caller of fit, evaluate or predict
                        message = f"{type(callback).__name__}.{hook} makes every batch a call of its own"
                        warnings.warn(f"{message}, which is slower than an epoch in one", stacklevel=level)
                    return True
        return False


def checked_verbose(verbose: object) -> object:
    """0, 1, 2, more, or "auto", which means 1 (True and False will do)."""
    if isinstance(verbose, bool):
        return int(verbose)
    if isinstance(verbose, str):
        return checks.choice("verbose", verbose, ("auto",))
    return checks.integer("verbose", verbose, low=0)
