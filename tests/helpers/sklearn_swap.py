"""A pytest plugin with which scikit-learn's own tests test fastnn's estimators, however small the data are.

    PYTHONPATH=tests/helpers python -m pytest -p sklearn_swap --pyargs sklearn.neighbors.tests.test_neighbors
    PYTHONPATH=tests/helpers python -m pytest -p sklearn_swap --pyargs sklearn.neural_network.tests.test_mlp

At the end it says how many calls fastnn's kernels answered.
"""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from fastnn.estimators import index, mlp, records

CLASSES = {
    "neighbors": ("KNeighborsClassifier", "KNeighborsRegressor", "NearestNeighbors"),
    "neural_network": ("MLPClassifier", "MLPRegressor"),
}

counts: Counter[tuple[str, str, bool]] = Counter()
reasons: Counter[str] = Counter()


def pairs() -> dict[type[Any], type[Any]]:
    """fastnn's classes that have scikit-learn's parameters, by scikit-learn's own."""
    return {
        getattr(importlib.import_module(f"sklearn.{library}"), name): getattr(
            importlib.import_module(f"fastnn.dropin.sklearn.{library}"), name
        )
        for library, names in CLASSES.items()
        for name in names
    }


def compute_everywhere(set_attribute: Callable[[Any, str, Any], None]) -> None:
    """Let fastnn compute what it would leave to scikit-learn as too small, or as faster there."""
    set_attribute(mlp, "LEAST_FORWARD_WORK", 0)
    set_attribute(index, "LEAST_ROWS", 1)
    set_attribute(index.Index, "_tree_refusal", lambda self: None)
    set_attribute(index.Index, "tree_refusal_of", lambda *args, **kwargs: None)
    set_attribute(index.Index, "is_small", lambda *args, **kwargs: False)
    set_attribute(index.Index, "trial", lambda *args, **kwargs: index.Trial(0, False))


def swap(own: type[Any], ours: type[Any]) -> None:
    """Put ``ours`` wherever a module of the package that ``own`` is from has that class."""
    package, name = own.__module__.rpartition(".")[0], own.__name__
    for loaded in [*sys.modules]:
        if loaded.startswith(package) and getattr(sys.modules[loaded], name, None) is own:
            setattr(sys.modules[loaded], name, ours)


def listen(call):
    counts[call.estimator, call.method, call.accelerated] += 1
    reasons[call.reason] += 1


def pytest_configure(config):
    for own, ours in pairs().items():
        swap(own, ours)
    compute_everywhere(setattr)
    records.listeners.append(listen)


def pytest_terminal_summary(terminalreporter):
    done = sum(count for (_, _, accelerated), count in counts.items() if accelerated)
    for (estimator, method, accelerated), count in sorted(counts.items()):
        terminalreporter.write_line(
            f"{estimator}.{method}: {count} {'by fastnn' if accelerated else 'by scikit-learn'}"
        )
    for reason, count in reasons.most_common(12):
        terminalreporter.write_line(f"{count} {reason}")
    terminalreporter.write_line(f"fastnn answered {done} calls")
