"""Where this part of Keras ends: one error, naming the feature, for everything beyond."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from ...errors import FastnnError, InvalidArgumentError


class UnsupportedError(FastnnError, ImportError):
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


def outside(module: str, names: Sequence[str]) -> Callable[[str], NoReturn]:
    """A module's ``__getattr__``: whatever it lacks is named, with what there is, also by ``from module import name``.

    Private names raise AttributeError, as Python's own look-ups expect.
    """

    def missing(name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        there_is = ", ".join(names)
        raise UnsupportedError(f"{module}: expected {there_is}; found {name}, which fastnn's part of Keras has not")

    return missing


def refuse(where: str, options: Mapping[str, object], **defaults: object) -> None:
    """Raise InvalidArgumentError for an option that is not here, unless it is given as Keras has it by default."""
    for name, value in options.items():
        default = defaults.get(name)
        if value is None or (isinstance(value, type(default)) and value == default):
            continue
        raise InvalidArgumentError(name, f"no such option of {where} in fastnn's part of Keras", repr(value))
