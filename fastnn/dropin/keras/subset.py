"""Where this part of Keras ends: a name that Keras has and fastnn lacks is a stand-in, which raises when it is used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, Union

from ...errors import FastnnError, InvalidArgumentError, callers_depth
from .names import KERAS_1_AND_2, KERAS_3

PACKAGE = "fastnn.dropin."


class UnsupportedError(FastnnError, NotImplementedError):
    """A part of Keras that fastnn.dropin.keras does not have."""


class UnsupportedAttributeError(FastnnError, AttributeError):
    """The same of a model's or a layer's attribute or method."""


class Part:
    """What names the attributes that Keras may have, and this part of it has not."""

    def __getattr__(self, name: str) -> NoReturn:
        kind = type(self).__name__
        if name.startswith("_"):
            raise AttributeError(f"{kind!r} object has no attribute {name!r}")
        raise UnsupportedAttributeError(f"{kind}.{name}: no such attribute in fastnn's part of Keras")


class StandIn:
    """A name that Keras has and fastnn lacks.

    It can be imported, looked up, written into a type hint and asked by isinstance, of which nothing is an instance.
    What is called or subclassed raises UnsupportedError, also by a name of its own, such as ``Dataset.range``.
    """

    def __init__(self, feature: str, there_is: Sequence[str] = ()) -> None:
        self._feature, self._there_is = feature, there_is

    def __call__(self, *args: object, **options: object) -> NoReturn:
        raise unsupported(self._feature, self._there_is)

    def __mro_entries__(self, bases: tuple[object, ...]) -> NoReturn:
        raise unsupported(f"{self._feature}, as the base of a class,", self._there_is)

    def __instancecheck__(self, instance: object) -> bool:
        return False

    def __subclasscheck__(self, kind: type) -> bool:
        return False

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007  # "self | other" would come here again

    def __ror__(self, other: Any) -> Any:
        return Union[other, self]  # noqa: UP007  # as above

    def __getattr__(self, name: str) -> StandIn:
        if name.startswith("_"):
            raise AttributeError(name)  # also asked for while one is being copied, when it has no feature yet
        return StandIn(f"{self._feature}.{name}", self._there_is)

    def __repr__(self) -> str:
        return f"<{self._feature}: not in fastnn's part of Keras>"


def unsupported(feature: str, there_is: Sequence[str] = ()) -> UnsupportedError:
    """The error for a feature, such as "keras.layers.Conv2D", with the line of the program that asks for it."""
    instead = f"; there is {', '.join(there_is)}" if there_is else ""
    whole = "TensorFlow" if feature.startswith("tf.") else "Keras"
    return UnsupportedError(f"{program_line()}: {feature} is not in fastnn's part of {whole}{instead}")


def program_line() -> str:
    """File and line, outside this package, from which it was called."""
    frame = sys._getframe(callers_depth() - 1)
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def label(module: str) -> str:
    """What programs call a module: "keras.layers" for "fastnn.dropin.keras.layers"."""
    inside = module.removeprefix(PACKAGE)
    return f"tf{inside.removeprefix('tensorflow')}" if inside.startswith("tensorflow") else inside


def known_names(module: str) -> frozenset[str]:
    """The names that a module of Keras, such as "keras.layers", has in any of its versions."""
    return _KNOWN.get(module, frozenset())


def outside(module: str, there_is: Sequence[str] = (), known: frozenset[str] | None = None) -> Callable[[str], StandIn]:
    """A module's ``__getattr__``: a stand-in for what is known and not there, AttributeError for all other names.

    ``there_is`` goes into the errors of the stand-ins; ``known`` is by default what Keras' module of this name has.
    """
    called = label(module)
    if known is None:
        known = known_names(called)

    def missing(name: str) -> StandIn:
        if name not in known:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return StandIn(f"{called}.{name}", there_is)

    return missing


def refuse(where: str, options: Mapping[str, object], **defaults: object) -> None:
    """Raise InvalidArgumentError for an option that is not here, unless it is given as Keras has it by default."""
    for name, value in options.items():
        default = defaults.get(name)
        if value is None or (isinstance(value, type(default)) and value == default):
            continue
        raise InvalidArgumentError(name, f"no such option of {where} in fastnn's part of Keras", repr(value))


def _by_module(*tables: Mapping[str, str]) -> dict[str, frozenset[str]]:
    modules = {module for table in tables for module in table}
    return {
        f"keras.{module}".rstrip("."): frozenset(name for table in tables for name in table.get(module, "").split())
        for module in modules
    }


_KNOWN = _by_module(KERAS_3, KERAS_1_AND_2)
