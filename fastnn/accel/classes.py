"""scikit-learn's classes and those that take their place, and the exchange of one for the other.

The class that takes a place has the name and the module of scikit-learn's own, so that a pickle of its instances
loads as scikit-learn's where accel is not there, and a pickle of scikit-learn's as the accelerated one where it is. It
derives from scikit-learn's class and counts that class as one of its own subclasses, so that ``isinstance`` and
``issubclass`` hold both ways, whichever of the two a program has got hold of.
"""

from __future__ import annotations

import copyreg
import gc
import importlib
import sys
from collections.abc import Iterator
from typing import Any

from .. import estimators
from ..errors import BackendError, FastnnError
from ..kernels import get_backend
from . import calls
from .startup.fastnn_accel_finder import LIBRARIES

# Accelerated by original; an original keeps its accelerated class for good, as instances of that may outlive it.
_made: dict[type[Any], type[Any]] = {}
_exchanged: set[str] = set()  # the libraries whose classes are exchanged now


def exchange(library: str) -> None:
    """Put the accelerated classes of a library, which has been imported, in the place of the original ones.

    Raises BackendError if there are no compiled kernels here.
    """
    if library in _exchanged:
        return
    try:
        get_backend("native")
    except FastnnError as error:
        raise BackendError(f"there are no compiled kernels: {error}") from error
    _replace(_classes(library))
    calls.listen()
    _exchanged.add(library)


def restore() -> None:
    """Put the original classes back, everywhere."""
    for library in LIBRARIES:
        if library in _exchanged:
            _replace({new: old for old, new in _classes(library).items()})
            _exchanged.discard(library)
    calls.ignore()


def _classes(library: str) -> dict[type[Any], type[Any]]:
    """A library's accelerated classes by their originals."""
    dropin = vars(importlib.import_module(f"fastnn.dropin.{library}"))
    found = {}
    for name in [name for name in estimators.__all__ if name in dropin]:
        # fastnn's own class must have been derived from the original one by now, not from the accelerated one.
        getattr(estimators, name, None)
        fast = dropin[name]
        original = next(base for base in fast.__mro__ if base.__module__.startswith("sklearn."))
        if original not in _made:
            _made[original] = _accelerated(original, fast)
        found[original] = _made[original]
    return found


def _accelerated(original: type[Any], fast: type[Any]) -> type[Any]:
    """A class that computes as ``fast`` and passes for ``original``."""

    def __subclasshook__(cls: type[Any], other: type[Any]) -> Any:  # noqa: N807  # Python's name, of a method that is put into classes
        return True if cls is accelerated and original in other.__mro__ else NotImplemented

    names = {name: getattr(original, name) for name in ("__module__", "__qualname__", "__doc__")}
    body = {**names, "__subclasshook__": classmethod(__subclasshook__), **calls.watched_methods(fast, original)}
    metaclass: Any = type(fast)
    accelerated: type[Any] = metaclass(original.__name__, (fast,), body)
    return accelerated


def _replace(new_by_old: dict[Any, Any]) -> None:
    """Let every name in a module that is an old class be the new one, and every subclass and instance be of that."""
    by_id = {id(old): new for old, new in new_by_old.items()}
    derived = {id(kind): old for old in new_by_old for kind in [old, *_derived(old)]}
    alive = [instance for instance in gc.get_objects() if id(type(instance)) in derived]
    # What the one class keeps in an instance is none of the other's business; what it pickles the other understands.
    states = [dict(derived[id(type(instance))].__getstate__(instance)) for instance in alive]
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] == "fastnn":
            continue
        try:
            namespace = vars(module)
        except TypeError:  # what stands there need not be a module
            continue
        for name, value in list(namespace.items()):
            if id(value) in by_id:
                namespace[name] = by_id[id(value)]
    for old, new in new_by_old.items():
        for subclass in old.__subclasses__():
            if not _is_ours(subclass):
                subclass.__bases__ = tuple(new if base is old else base for base in subclass.__bases__)
        # What is still made through a reference that is no module's name cannot be pickled under the old class's name.
        copyreg.dispatch_table.pop(new, None)
        copyreg.pickle(old, _reduce)
    for instance, state in zip(alive, states, strict=True):
        old = derived[id(type(instance))]
        if type(instance) is old:
            instance.__class__ = new_by_old[old]
        vars(instance).clear()
        new_by_old[old].__setstate__(instance, state)


def _derived(kind: type[Any]) -> Iterator[type[Any]]:
    """The classes that programs have derived from a class, and from these."""
    for subclass in kind.__subclasses__():
        if not _is_ours(subclass):
            yield subclass
            yield from _derived(subclass)


def _is_ours(kind: type[Any]) -> bool:
    return kind.__module__.partition(".")[0] == "fastnn" or kind in _made.values()


def _reduce(instance: Any) -> tuple[Any, ...]:
    """Pickle an instance of a class whose name is another's now as an instance of that."""
    kind = getattr(sys.modules[type(instance).__module__], type(instance).__name__)
    state = instance.__getstate__()
    return copyreg._reconstructor, (kind, object, None), state  # type: ignore[attr-defined]  # as old protocols do
