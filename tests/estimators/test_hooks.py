"""A scikit-learn without what fastnn hooks into runs its own code, and that is said once."""

import subprocess
import sys

import pytest

PROGRAM = """
import warnings
import numpy as np
from sklearn import neighbors, neural_network
import {home}

{change}
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    from {ours} import {estimator}
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
{more}
"""
MLP = {"hidden_layer_sizes": (5,), "max_iter": 300, "tol": 0.1, "random_state": 0}
BASE = "sklearn.neural_network._multilayer_perceptron"

# Put a method in the place of one, with other parameters, that does the same.
OTHER_PARAMETERS = """
known = {home}.BaseMultilayerPerceptron.{name}
{home}.BaseMultilayerPerceptron.{name} = lambda self, *given, **named: known(self, *given, **named)
"""
REFUSED = """
try:
    MLPClassifier(dropout=0.5).fit(X, y)
except ValueError as error:
    print(error)
"""


def output(home, change, ours, module, estimator, options, more=""):
    program = PROGRAM.format(**locals())
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("home", "name", "module", "estimator", "options", "words"),
    [
        (
            "sklearn.neural_network._stochastic_optimizers",
            "AdamOptimizer",
            "neural_network",
            "MLPClassifier",
            MLP,
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
    said, ran = output(home, f"del {home}.{name}", f"fastnn.dropin.sklearn.{module}", module, estimator, options)
    assert said.count(words) == 1
    assert ran == "True True"


@pytest.mark.parametrize("name", ["_backprop", "_fit_stochastic", "_fit_lbfgs", "_forward_pass_fast"])
def test_so_is_one_with_other_parameters(name):
    change = OTHER_PARAMETERS.format(home=BASE, name=name)
    said, ran = output(BASE, change, "fastnn.dropin.sklearn.neural_network", "neural_network", "MLPClassifier", MLP)
    assert said.count("its own perceptrons run") == 1
    assert f"MLPClassifier.{name} takes (given named), not (X " in said
    assert ran == "True True"


@pytest.mark.parametrize("name", ["_backprop", "_init_coef", "_initialize", "_update_no_improvement_count"])
def test_options_beyond_scikit_learns_are_refused_then(name):
    change = OTHER_PARAMETERS.format(home=BASE, name=name)
    said, ran, error = output(BASE, change, "fastnn", "neural_network", "MLPClassifier", MLP, REFUSED)
    assert said.count("its own perceptrons run") == 1
    assert ran == "True True"
    assert error.startswith("dropout: expected none, for scikit-learn ")
    assert f"MLPClassifier.{name} takes" in error
