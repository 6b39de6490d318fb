"""A pytest plugin with which scikit-learn's own tests test fastnn's estimators, however small the data are.

    PYTHONPATH=tests/helpers python -m pytest -p sklearn_swap --pyargs sklearn.neighbors.tests.test_neighbors

At the end it says how many calls fastnn's kernels answered.
"""

from __future__ import annotations

import sys
from collections import Counter

from sklearn import neighbors

from fastnn.estimators import neighbors as compiled
from fastnn.estimators import records

NEIGHBORS = "KNeighborsClassifier", "KNeighborsRegressor", "NearestNeighbors"

counts: Counter[tuple[str, str, bool]] = Counter()
reasons: Counter[str] = Counter()


def swap(module, name, own, ours):
    """Put ``ours`` wherever a module of scikit-learn's package ``module`` has its ``own`` class."""
    for loaded in [*sys.modules]:
        if loaded.startswith(module) and getattr(sys.modules[loaded], name, None) is own:
            setattr(sys.modules[loaded], name, ours)


def listen(call):
    counts[call.estimator, call.method, call.accelerated] += 1
    reasons[call.reason] += 1


def pytest_configure(config):
    for name in NEIGHBORS:
        swap("sklearn.neighbors", name, getattr(neighbors, name), getattr(compiled, name))
    compiled.LEAST_ROWS = 1
    compiled.Index._tree_refusal = lambda self: None
    compiled.Index.few_refusal = lambda self, queries: None
    compiled.Index.brute_refusal = lambda self, queries, is_gemm: None
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
