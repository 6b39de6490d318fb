"""A scikit-learn without what fastnn hooks into runs its own code, and that is said once."""

import subprocess
import sys

import pytest

PROGRAM = """
import warnings
import numpy as np
from sklearn import neighbors, neural_network
import {home}

del {home}.{name}
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    from fastnn.dropin.sklearn.{module} import {estimator}
from fastnn.estimators import records

print([str(warning.message) for warning in said if "hooks" in str(warning.message)])
calls = []
records.listeners.append(calls.append)
rng = np.random.default_rng(0)
X, y = rng.normal(size=(2000, 30)), rng.integers(3, size=2000)
options = {options}
ours, theirs = (made(**options).fit(X, y) for made in ({estimator}, {module}.{estimator}))
same = np.array_equal(ours.predict(X), theirs.predict(X))
print(len(calls) > 0 and not any(call.accelerated for call in calls), same)
"""


@pytest.mark.parametrize(
    ("home", "name", "module", "estimator", "options", "words"),
    [
        (
            "sklearn.neural_network._stochastic_optimizers",
            "AdamOptimizer",
            "neural_network",
            "MLPClassifier",
            {"hidden_layer_sizes": (5,), "max_iter": 300, "tol": 0.1, "random_state": 0},
            "its own perceptrons run",
        ),
        (
            "sklearn.metrics._pairwise_distances_reduction",
            "ArgKmin",
            "neighbors",
            "KNeighborsClassifier",
            {"algorithm": "brute"},
            "its own neighbours run",
        ),
    ],
    ids=["perceptrons", "neighbours"],
)
def test_a_missing_hook_is_said_once_and_scikit_learn_runs(home, name, module, estimator, options, words):
    program = PROGRAM.format(home=home, name=name, module=module, estimator=estimator, options=options)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said, ran = done.stdout.splitlines()
    assert said.count(words) == 1
    assert ran == "True True"
