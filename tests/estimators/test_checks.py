"""scikit-learn's checks of estimators, on fastnn's and on its own: the same pass, and the same are skipped."""

from __future__ import annotations

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils._test_common import instance_generator
from sklearn_swap import compute_everywhere, pairs

import fastnn
from fastnn.estimators import records

# Of each class what scikit-learn's own tests check, with their parameters; some of fastnn's own are the drop-in's.
KINDS = {kind: own for own, drop_in in pairs().items() for kind in (drop_in, getattr(fastnn, own.__name__))}
CASES = [(kind, estimator) for kind, own in KINDS.items() for estimator in instance_generator._construct_instances(own)]


def outcomes(estimator, expected_failures):
    """What became of each check, in their order."""
    results = estimator_checks.check_estimator(estimator, expected_failed_checks=expected_failures, on_skip=None)
    return [(result["check_name"], result["status"]) for result in results]


@pytest.mark.filterwarnings("ignore")  # scikit-learn's own, of its checks
@pytest.mark.parametrize(("kind", "own"), CASES, ids=[f"{kind.__module__}-{own}" for kind, own in CASES])
def test_scikit_learns_checks_pass(monkeypatch, kind, own):
    """None is expected to fail, or skipped, that is not for scikit-learn's own class."""
    for table in (instance_generator.PER_ESTIMATOR_CHECK_PARAMS, instance_generator.PER_ESTIMATOR_XFAIL_CHECKS):
        if type(own) in table:
            monkeypatch.setitem(table, kind, table[type(own)])
    compute_everywhere(monkeypatch.setattr)
    calls = []
    monkeypatch.setattr(records, "listeners", [calls.append])
    expected_failures = instance_generator._get_expected_failed_checks(own)
    found = outcomes(kind(**own.get_params()), expected_failures)
    if "class_weight" in kind().get_params():
        found.remove(("check_class_weight_classifiers", "passed"))  # of a parameter that scikit-learn's lacks
    assert found == outcomes(own, expected_failures)
    if own.get_params().get("metric") == "precomputed":
        return  # distances that are given leave fastnn nothing to do
    assert not expected_failures
    assert {status for _, status in found} <= {"passed", "skipped"}
    assert sum(call.accelerated for call in calls) > 30
