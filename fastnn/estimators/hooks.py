"""What is done where scikit-learn has no longer, or not yet, what the estimators hook into."""

from __future__ import annotations

import inspect
import warnings

import sklearn


def require(kind: type, name: str, parameters: str) -> None:
    """Raise an AttributeError unless a class has a method with parameters of these names, such as "X y"."""
    found = " ".join([*inspect.signature(getattr(kind, name)).parameters][1:])
    if found != parameters:
        raise AttributeError(f"{kind.__name__}.{name} takes ({found}), not ({parameters})")


def missing(error: Exception, what: str) -> str:
    """Warn, as a module is imported, that scikit-learn's own code runs; return why, for the records of calls."""
    reason = f"scikit-learn {sklearn.__version__} lacks what fastnn hooks into ({error})"
    warnings.warn(f"{reason}; its own {what} run", stacklevel=3)
    return reason
