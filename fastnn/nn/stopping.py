"""Early stopping: when a training has stopped improving, and the parameters of its best epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from .. import checks
from ..errors import InvalidArgumentError
from ..kernels.spec import FloatArray
from .history import History


@dataclass(frozen=True)
class EarlyStopping:
    """Stop once ``monitor`` has not improved by more than ``min_delta`` for ``patience`` epochs.

    ``monitor`` is "val_loss", "val_accuracy", or a function f(model, X, y) of the validation data that returns a score,
    the higher the better, such as scikit-learn's scorers; ``History.val_score`` has what it returned. With
    ``restore_best`` the model gets back the weights of the best epoch however training ends: by this rule, with its
    last epoch, by Ctrl-C, or because it diverges.
    """

    patience: int = 5
    min_delta: float = 0.0
    monitor: Literal["val_loss", "val_accuracy"] | Callable[[Any, Any, Any], float] = "val_loss"
    restore_best: bool = True

    def __post_init__(self) -> None:
        checks.integer("patience", self.patience, low=1)
        checks.number("min_delta", self.min_delta, low=0)
        if not callable(self.monitor):
            checks.choice("monitor", self.monitor, ("val_loss", "val_accuracy"))

    @property
    def name(self) -> str:
        """What is monitored, in words."""
        return getattr(self.monitor, "__name__", "the score") if callable(self.monitor) else self.monitor


class BestEpoch:
    """Follows the monitored figure and keeps the best parameters, which the model gets back at the end of a with."""

    def __init__(self, rule: EarlyStopping, params: FloatArray) -> None:
        self.rule, self.params = rule, params
        self.best, self.waited = math.inf, 0
        self.best_params: FloatArray | None = None

    def exhausted(self, history: History) -> bool:
        """Whether the patience is over after the last epoch of ``history``."""
        if self.rule.monitor == "val_loss":
            figure = history.val_loss[-1]
        else:
            figure = -(history.val_score if callable(self.rule.monitor) else history.val_accuracy)[-1]
        if figure < self.best - self.rule.min_delta:
            self.best, self.waited = figure, 0
            self.best_params = self.params.copy()
            history.kept_epoch = len(history) - 1
        else:
            self.waited += 1
        return self.waited >= self.rule.patience

    @property
    def restored(self) -> FloatArray | None:
        """The parameters that the model gets back; None before the first epoch, and where the rule asks for none."""
        return self.best_params if self.rule.restore_best else None

    def __enter__(self) -> BestEpoch:
        return self

    def __exit__(self, *_: object) -> None:
        if self.restored is not None:
            self.params[:] = self.restored


def checked_stopping(early_stopping: object, has_validation: bool) -> EarlyStopping | None:
    """What fit's argument asks for: an EarlyStopping, a patience or None."""
    if early_stopping is None:
        return None
    if not isinstance(early_stopping, EarlyStopping):
        early_stopping = EarlyStopping(patience=checks.integer("early_stopping", early_stopping, low=1))
    if not has_validation:
        raise InvalidArgumentError("early_stopping", "validation_data=(X, y) or validation_split to watch", "none")
    return early_stopping
