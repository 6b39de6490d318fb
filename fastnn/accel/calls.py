"""What happens in each call that a program makes of an accelerated estimator: log it, record it, check it.

A call of ``score`` calls ``predict``, which calls a kernel: only the outermost one is the program's. What the
estimators record meanwhile says whether kernels ran in it.
"""

from __future__ import annotations

import functools
import inspect
import os
import threading
import time
import types
from collections.abc import Callable, Mapping
from typing import Any

from ..estimators import records
from ..estimators.records import Call
from .check import Twin
from .environment import CHECK, RECORDS, VERBOSE
from .rows import Row, write
from .startup.fastnn_accel_finder import say

METHODS = (
    "fit",
    "partial_fit",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "score",
    "kneighbors",
    "kneighbors_graph",
    "radius_neighbors",
    "radius_neighbors_graph",
)

Method = Callable[..., Any]


class _Inner(threading.local):
    """What the estimators have recorded in the program's call that runs in this thread, or None outside of one."""

    calls: list[Call] | None = None


_inner = _Inner()


def watched_methods(kind: type[Any], original: type[Any]) -> Mapping[str, Any]:
    """The methods of a class with a watch around them; ``original`` is scikit-learn's own class."""
    found = {name: inspect.getattr_static(kind, name, None) for name in METHODS}
    return {
        name: _watched(value, original) if inspect.isfunction(value) else _Watched(value, original)
        for name, value in found.items()
        if value is not None
    }


def _watched(function: Method, original: type[Any]) -> Method:
    @functools.wraps(function)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _inner.calls is not None or not is_wanted():
            return function(self, *args, **kwargs)
        return _watch(self, original, function, args, kwargs)

    return method


class _Watched:
    """A method that only some instances have: scikit-learn's ``available_if`` is a descriptor."""

    def __init__(self, inner: Any, original: type[Any]) -> None:
        self.inner, self.original = inner, original
        self.__doc__ = inner.__doc__

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        found = self.inner.__get__(instance, owner)
        return found if instance is None else types.MethodType(_watched(found.__func__, self.original), instance)


def is_wanted() -> bool:
    """Whether somebody wants to know of calls."""
    return any(os.environ.get(name) for name in (VERBOSE, CHECK, RECORDS))


def _watch(estimator: Any, original: type[Any], function: Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call the method, and say what happened."""
    inner = _inner.calls = []
    name = type(estimator).__name__, function.__name__
    try:
        twin = Twin(estimator, original, function.__name__, args, kwargs) if os.environ.get(CHECK) else None
        start = time.perf_counter()
        try:
            result = function(estimator, *args, **kwargs)
        except Exception as error:
            row = _row(*name, inner, error, time.perf_counter() - start)
            _tell(twin.compare(row, None, error) if twin is not None else row)
            raise
        row = _row(*name, inner, None, time.perf_counter() - start)
        _tell(twin.compare(row, result, None) if twin is not None else row)
    finally:
        _inner.calls = None
    return result


def listen() -> None:
    """Take up what estimators record from now on."""
    if _listen not in records.listeners:
        records.listeners.append(_listen)


def ignore() -> None:
    """Let the estimators record nothing for accel any more."""
    if _listen in records.listeners:
        records.listeners.remove(_listen)


def _listen(call: Call) -> None:
    """Take up what an estimator recorded."""
    if _inner.calls is not None:
        _inner.calls.append(call)
    else:  # of a class that is not accel's, as fastnn.dropin.sklearn's
        _tell(Row(*call, calls=1))


def _row(estimator: str, method: str, inner: list[Call], error: Exception | None, seconds: float) -> Row:
    """The longest part of a call says whether it was accelerated."""
    if not inner:
        reason = "it has no kernel" if error is None else f"it raised {type(error).__name__}"
        return Row(estimator, method, False, reason, seconds, 1)
    main = max(inner, key=lambda call: call.seconds)
    return Row(estimator, method, main.accelerated, main.reason, seconds, 1)


def _tell(row: Row) -> None:
    if os.environ.get(VERBOSE):
        what = "accelerated" if row.accelerated else f"scikit-learn's own code ({row.reason})"
        say(f"{row.estimator}.{row.method}: {what}, {row.seconds:.6f} s{row.differences()}")
    for folder in filter(None, os.environ.get(RECORDS, "").split(os.pathsep)):
        write(folder, row)
