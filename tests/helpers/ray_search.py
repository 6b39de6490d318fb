"""Searches over parameters by Ray's joblib backend: the same scores as in this process; see docs/many-models.md.

    pip install ray; python tests/helpers/ray_search.py

It is apart from the tests, as Ray is large. Prints the scores, the workers and how many threads each may use.
"""

from __future__ import annotations

import os
import warnings

import numpy as np
import ray
from joblib import Parallel, delayed, parallel_config
from ray.util.joblib import register_ray
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from fastnn import kernels
from fastnn.dropin.sklearn.neighbors import KNeighborsClassifier
from fastnn.dropin.sklearn.neural_network import MLPClassifier

SEARCHES = (
    (MLPClassifier(max_iter=10, random_state=0), {"hidden_layer_sizes": [(10,), (30,)]}),
    (KNeighborsClassifier(algorithm="brute"), {"n_neighbors": [1, 5]}),
)


def tell(_: int) -> tuple[int, int]:
    """This process and how many threads its kernels may use."""
    return os.getpid(), kernels.num_threads()


def main() -> None:
    """Search in this process and over two workers, and compare."""
    warnings.simplefilter("ignore")
    X, y = load_digits(return_X_y=True)
    ray.init(num_cpus=2, include_dashboard=False)
    register_ray()
    for model, grid in SEARCHES:
        expected = GridSearchCV(model, grid, cv=3).fit(X, y).cv_results_["mean_test_score"]
        with parallel_config("ray", n_jobs=2):
            found = GridSearchCV(model, grid, cv=3, error_score="raise").fit(X, y).cv_results_["mean_test_score"]
        print(type(model).__name__, found, "the same" if np.array_equal(found, expected) else f"but here {expected}")
    with parallel_config("ray", n_jobs=2):
        for process, threads in sorted(set(Parallel()(delayed(tell)(i) for i in range(8)))):
            print(f"worker {process}: {threads} of {os.cpu_count()} threads")


if __name__ == "__main__":
    main()
