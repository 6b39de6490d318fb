"""scikit-learn's signatures and docstrings with entries of fastnn's own in them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def with_parameters_of(theirs: Callable[..., Any]) -> Callable[[Function], Function]:
    """Show, for a function's ``*args`` and ``**kwargs``, the parameters of scikit-learn's to which it hands them on.

    A function without a docstring gets scikit-learn's.
    """

    def decorate(function: Function) -> Function:
        parameters = inspect.signature(function).parameters.values()
        own = [parameter for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
        both = [*inspect.signature(theirs).parameters.values(), *own]
        shown = inspect.Signature([parameter.replace(annotation=parameter.empty) for parameter in both])
        function.__signature__ = shown  # type: ignore[attr-defined]  # what inspect reads
        function.__doc__ = function.__doc__ or theirs.__doc__
        return function

    return decorate


def with_entries(theirs: str | None, entries: Mapping[str, Mapping[str, str]]) -> str | None:
    """A docstring in numpydoc's style with entries by section and name, in the place of its own or after these."""
    if theirs is None:  # as under python -OO
        return None
    text = inspect.cleandoc(theirs).replace("from sklearn.neural_network import", "from fastnn import")
    sections = re.split(r"\n\n(?=[^\n]+\n-{3,}\n)", text)
    return "\n\n".join(_with_entries(section, entries.get(section.split("\n")[0], {})) for section in sections)


def _with_entries(section: str, entries: Mapping[str, str]) -> str:
    if not entries:
        return section
    title, line, body = section.split("\n", 2)
    found = {entry.partition(" :")[0]: entry.rstrip() for entry in re.split(r"\n(?=\S)", body)}
    return f"{title}\n{line}\n" + "\n\n".join({**found, **entries}.values())
