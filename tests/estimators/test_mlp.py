"""The perceptrons against scikit-learn's own, from the same random_state: every attribute of the fitted estimators."""

from __future__ import annotations

import copy
import itertools
import pickle

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn import base, datasets, exceptions, neural_network

from fastnn.dropin.sklearn.neural_network import MLPClassifier, MLPRegressor
from fastnn.estimators import records

DIGITS, LABELS = datasets.load_digits(return_X_y=True)
X, Y = DIGITS[:600] / 16, LABELS[:600]
RNG = np.random.default_rng(0)
TARGETS = np.stack([X @ RNG.uniform(size=64), X @ RNG.uniform(size=64)], 1)
WEIGHTS = RNG.uniform(0.1, 2, len(X))

# Of before 1.7: it has neither sample_weight nor Poisson's loss, and raises for early stopping with names as labels.
IS_OLD = tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 7)
WEIGHTED = [False] if IS_OLD else [False, True]

CLASSIFIERS = {
    "default": {},
    "sgd": {"solver": "sgd"},
    "plain sgd in order": {"solver": "sgd", "momentum": 0, "shuffle": False, "activation": "logistic"},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 1},
    "early stopping": {"early_stopping": True, "validation_fraction": 0.17},
    "two layers": {"hidden_layer_sizes": (30, 20), "activation": "tanh", "batch_size": 50, "alpha": 0.1},
    "one batch": {"batch_size": 600, "activation": "identity"},
    "lbfgs": {"solver": "lbfgs", "alpha": 0.01},
}
TARGETS_OF_CLASSIFIERS = {
    "many": Y,
    "two": np.where(Y > 4, "high", "low"),
    "several": np.stack([Y > 4, Y % 2 == 1, Y == 3], 1).astype(int),
}
CASES = [(options, targets) for options in CLASSIFIERS for targets in TARGETS_OF_CLASSIFIERS]
REGRESSORS = {
    "default": ({}, TARGETS),
    "one output": ({"activation": "logistic"}, TARGETS[:, 0]),
    "lbfgs": ({"solver": "lbfgs"}, TARGETS),
    "poisson": ({"loss": "poisson", "learning_rate_init": 1e-4}, np.round(TARGETS[:, 0])),
}
if IS_OLD:
    CASES.remove(("early stopping", "two"))
    del REGRESSORS["poisson"]


@pytest.fixture
def calls():
    """What the estimators did, in the order in which it was over."""
    found = []
    records.listeners.append(found.append)
    yield found
    records.listeners.remove(found.append)


def assert_equal(ours, theirs, tolerance=1e-12):
    """Everything that a fitted estimator has, but for the optimizer, whose numbers are compared as well."""
    assert vars(ours).keys() == vars(theirs).keys()
    for name, expected in vars(theirs).items():
        found = getattr(ours, name)
        if name in ("coefs_", "intercepts_", "_best_coefs", "_best_intercepts"):
            for a, b in zip(found, expected, strict=True):
                assert a.dtype == b.dtype
                assert a.flags.c_contiguous
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
        elif name in ("loss_curve_", "validation_scores_") and expected is not None:
            np.testing.assert_allclose(found, expected, rtol=tolerance)
        elif name in ("loss_", "best_loss_", "best_validation_score_") and expected is not None:
            assert found == pytest.approx(expected, rel=tolerance)
        elif name == "_optimizer":
            assert type(found) is type(expected)
            assert vars(found).keys() == vars(expected).keys()
            assert found.learning_rate == pytest.approx(expected.learning_rate, rel=1e-15)
            assert getattr(found, "t", None) == getattr(expected, "t", None)
        elif name in ("n_iter_", "t_", "_no_improvement_count", "out_activation_", "n_layers_", "n_outputs_"):
            assert found == expected, name


CLASSES = {
    "classifier": (MLPClassifier, neural_network.MLPClassifier),
    "regressor": (MLPRegressor, neural_network.MLPRegressor),
}


def both(options, kind, y, X=X, weights=None, **more):
    pair = []
    for module in CLASSES[kind]:
        estimator = module(random_state=3, max_iter=20, **options, **more)
        pair.append(estimator.fit(X, y, **({} if weights is None else {"sample_weight": weights})))
    return pair


pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),  # after 20 epochs
    pytest.mark.filterwarnings("ignore:.*`disp` and `iprint` options"),  # which old versions give to SciPy
]


@pytest.mark.parametrize("weighted", WEIGHTED)
@pytest.mark.parametrize(("options", "targets"), CASES)
def test_classifiers(options, targets, weighted, calls):
    y, weights = TARGETS_OF_CLASSIFIERS[targets], WEIGHTS if weighted else None
    ours, theirs = both(CLASSIFIERS[options], "classifier", y, weights=weights)
    assert_equal(ours, theirs)
    fits = [call for call in calls if call.method == "fit"]
    assert [call.accelerated for call in fits] == [True]
    assert (ours.predict(X) == theirs.predict(X)).all()
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("weighted", WEIGHTED)
@pytest.mark.parametrize("case", REGRESSORS)
def test_regressors(case, weighted):
    options, y = REGRESSORS[case]
    ours, theirs = both(options, "regressor", y, weights=WEIGHTS if weighted else None)
    assert_equal(ours, theirs, 1e-9 if case == "lbfgs" else 1e-12)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-8)


@pytest.mark.parametrize("targets", TARGETS_OF_CLASSIFIERS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-5), (np.float32, 1e-3)])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_losses_of_probabilities_near_0_are_scikit_learns(solver, dtype, tolerance, targets):
    """Of inputs up to 16 the first outputs are so far off that scikit-learn bounds their probabilities.

    It takes the logarithm of 1 - p, of which few digits are left where p is near 1.
    """
    y, losses = TARGETS_OF_CLASSIFIERS[targets], []
    for module in CLASSES["classifier"]:
        estimator = module(random_state=3, max_iter=3, solver=solver, learning_rate_init=0.01)
        estimator.fit(DIGITS[:600].astype(dtype), y)
        losses.append([estimator.loss_] if solver == "lbfgs" else estimator.loss_curve_)
    np.testing.assert_allclose(*losses, rtol=tolerance)


def test_float32_stays_float32():
    ours, theirs = both({}, "classifier", Y, X=X.astype(np.float32))
    assert {coef.dtype for coef in ours.coefs_} == {np.dtype(np.float32)}
    assert ours.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert_equal(ours, theirs, 2e-4)


@pytest.mark.parametrize("options", ["default", "sgd", "invscaling"])
def test_partial_fit_and_warm_start_go_on(options):
    pair = [
        module(random_state=3, max_iter=5, warm_start=True, **CLASSIFIERS[options])
        for module in (MLPClassifier, neural_network.MLPClassifier)
    ]
    for estimator in pair:
        estimator.fit(X, Y)
        for start in range(0, 600, 200):
            estimator.partial_fit(X[start : start + 200], Y[start : start + 200])
        estimator.fit(X, Y)
    assert_equal(*pair)


def test_a_fitted_estimator_is_copied_pickled_and_cloned():
    ours, _ = both({}, "classifier", Y)
    for twin in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert (twin.predict_proba(X) == ours.predict_proba(X)).all()
        twin.partial_fit(X, Y)
    assert not hasattr(base.clone(ours), "coefs_")
    assert repr(ours) == repr(neural_network.MLPClassifier(max_iter=20, random_state=3))


def test_weights_that_are_no_numbers_are_refused_as_scikit_learn_does():
    for module in (MLPRegressor, neural_network.MLPRegressor):
        with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"), np.errstate(all="ignore"):
            module(solver="sgd", activation="identity", learning_rate_init=1e3, random_state=0).fit(X, TARGETS)


def test_warnings_are_scikit_learns():
    for module in (MLPClassifier, neural_network.MLPClassifier):
        with pytest.warns(UserWarning, match="larger than sample size. It is going to be clipped"):
            module(batch_size=10_000, max_iter=1, random_state=0).fit(X, Y)
        with pytest.warns(exceptions.ConvergenceWarning, match=r"Maximum iterations \(2\) reached"):
            module(max_iter=2, random_state=0).fit(X, Y)


def test_what_it_prints_is_scikit_learns(capsys):
    printed = []
    for module in (MLPClassifier, neural_network.MLPClassifier):
        module(max_iter=20, random_state=0, verbose=True, early_stopping=True, tol=0.5, n_iter_no_change=2).fit(X, Y)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert "Validation score" in printed[0]


FORMS = {
    "csr matrix": sparse.csr_matrix,
    "csr array": sparse.csr_array,
    "csc matrix": sparse.csc_matrix,
    "unsorted": lambda X: descending(sparse.csr_matrix(X)),
}


def descending(X):
    """The same matrix, its rows' columns in descending order."""
    order = np.concatenate([np.arange(start, stop)[::-1] for start, stop in itertools.pairwise(X.indptr)])
    return sparse.csr_matrix((X.data[order], X.indices[order], X.indptr), shape=X.shape)


@pytest.mark.parametrize("weighted", WEIGHTED)
@pytest.mark.parametrize("options", CLASSIFIERS)
def test_sparse_rows(options, weighted, calls):
    rows, weights = sparse.csr_matrix(X), WEIGHTS if weighted else None
    ours, theirs = both(CLASSIFIERS[options], "classifier", Y, X=rows, weights=weights)
    assert_equal(ours, theirs)
    assert [call.accelerated for call in calls if call.method == "fit"] == [True]
    np.testing.assert_allclose(ours.predict_proba(rows), theirs.predict_proba(rows), rtol=1e-9, atol=1e-15)
    assert ours.score(rows, Y) == theirs.score(rows, Y)


@pytest.mark.parametrize("weighted", WEIGHTED)
@pytest.mark.parametrize("options", ["sgd", "momentum", "plain sgd in order", "default"])
def test_inputs_that_are_rarely_other_than_zero(options, weighted):
    """Whose weights move in every batch all the same, by momentum and penalty."""
    rng = np.random.default_rng(0)
    places = np.repeat(np.arange(600), 5), rng.integers(3000, size=3000)
    rows = sparse.csr_matrix((rng.random(3000), places), shape=(600, 3000))
    weights = WEIGHTS if weighted else None
    few = {"alpha": 0.1, "batch_size": 30, "hidden_layer_sizes": (20,)}
    ours, theirs = both({**few, **CLASSIFIERS[options]}, "classifier", Y, rows, weights)
    assert_equal(ours, theirs)


def test_few_sparse_rows_are_left_to_scikit_learn(calls):
    ours, theirs = both({}, "classifier", Y, X=sparse.csr_matrix(X))
    many = sparse.vstack([sparse.csr_matrix(X)] * 4)
    for rows, is_accelerated in ((sparse.csr_matrix(X)[:9], False), (many, True)):
        calls.clear()
        np.testing.assert_allclose(ours.predict_proba(rows), theirs.predict_proba(rows), rtol=1e-9, atol=1e-15)
        assert [call.accelerated for call in calls] == [is_accelerated]


def test_a_batch_of_sparse_rows_for_a_narrow_layer_is_left_to_scikit_learn(calls):
    pair = [module((5,), random_state=3) for module in (MLPClassifier, neural_network.MLPClassifier)]
    for count in (200, 201):
        for estimator in pair:
            estimator.partial_fit(sparse.csr_matrix(X[:count]), Y[:count], classes=np.arange(10))
    assert_equal(*pair)
    assert [(call.method, call.accelerated) for call in calls] == [("partial_fit", False), ("partial_fit", True)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_and_type_of_sparse_rows(form, dtype, calls):
    rows = FORMS[form](X.astype(dtype))
    kept = rows.copy()
    ours, theirs = both({"solver": "sgd"}, "regressor", TARGETS, X=rows)
    assert_equal(ours, theirs, 1e-12 if dtype == "float64" else 2e-4)
    for estimator in (ours, theirs):
        estimator.partial_fit(rows, TARGETS)
    assert_equal(ours, theirs, 1e-12 if dtype == "float64" else 2e-4)
    assert ours.predict(rows).dtype == dtype
    assert {call.accelerated for call in calls if call.method != "predict"} == {True}
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(kept, name))


def test_parameters_are_as_they_were_also_after_an_error():
    estimator = MLPClassifier(batch_size=7, random_state=0)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        estimator.fit(X, Y[:-1])
    with pytest.raises(ValueError, match="should be greater or equal to the number of classes"):
        estimator.set_params(early_stopping=True, validation_fraction=0.0001).fit(X, Y > 4)
    assert (estimator.batch_size, estimator.shuffle) == (7, True)
    assert "_training" not in vars(estimator)
