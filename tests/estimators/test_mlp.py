"""The perceptrons against scikit-learn's own, from the same random_state: every attribute of the fitted estimators."""

from __future__ import annotations

import copy
import itertools
import pickle
import signal
import warnings

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn import base, datasets, exceptions, neural_network
from sklearn.neural_network import _multilayer_perceptron as own
from sklearn.neural_network import _stochastic_optimizers as optimizers
from sklearn_swap import compute_everywhere

from fastnn.dropin.sklearn.neural_network import MLPClassifier, MLPRegressor
from fastnn.estimators import mlp, records
from fastnn.kernels import native

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
            assert [*map(type, found)] == [*map(type, expected)], name
        elif name in ("loss_", "best_loss_", "best_validation_score_") and expected is not None:
            assert found == pytest.approx(expected, rel=tolerance)
            assert type(found) is type(expected), name
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


@pytest.mark.parametrize(("method", "more"), [("fit", {}), ("partial_fit", {"classes": [0, 1, 2]})])
def test_an_error_comes_without_a_warning_of_the_batch_size(method, more):
    """Three rows are too few to set some aside; scikit-learn before 1.7 trains with them in fit."""
    outcomes = []
    for module in CLASSES["classifier"]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                getattr(module(early_stopping=True, batch_size=500, random_state=0), method)(X[:3], [0, 1, 2], **more)
                error = ""
            except ValueError as raised:
                error = str(raised)
        outcomes.append((error, [str(warning.message) for warning in caught]))
    assert outcomes[0] == outcomes[1]
    assert method == "fit" or "early_stopping" in outcomes[0][0]


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_frames_of_bytes_in_another_order_are_scikit_learns(solver, calls):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X.astype(X.dtype.newbyteorder()))  # scikit-learn turns the bytes of arrays alone
    ours, theirs = both({"solver": solver}, "classifier", Y, frame)
    assert_equal(ours, theirs)
    np.testing.assert_allclose(ours.predict_proba(frame), theirs.predict_proba(frame), rtol=1e-9, atol=1e-15)
    assert [call.accelerated for call in calls if call.method == "fit"] == [solver == "lbfgs"]


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


# ---- what prints as scikit-learn's


@pytest.mark.parametrize("weights", [None, *([] if IS_OLD else ["float32", "float64", "int64"])])
@pytest.mark.parametrize("targets", ["float32", "float64", "int64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [{}, {"batch_size": 50}, {"alpha": np.float64(0.001)}, {"solver": "lbfgs"}, {"early_stopping": True}],
    ids=str,
)
def test_losses_have_scikit_learns_types(options, dtype, targets, weights):
    """They decide what is printed: np.float64(0.5), the digits of a float32."""
    kinds = {"regressor": (10 * TARGETS).astype(targets), "classifier": Y.astype(targets)}
    weights = None if weights is None else (1 + WEIGHTS).astype(weights)
    for kind, y in kinds.items():
        ours, theirs = both(options, kind, y, X=X.astype(dtype), weights=weights, hidden_layer_sizes=(5,))
        for name in ("loss_", "best_loss_", "best_validation_score_"):
            assert type(getattr(ours, name, None)) is type(getattr(theirs, name, None)), name
        if options != {"solver": "lbfgs"}:
            assert [*map(type, ours.loss_curve_)] == [*map(type, theirs.loss_curve_)]


def test_a_loss_that_is_no_number_has_scikit_learns_type():
    for module in CLASSES["regressor"]:
        model = module(solver="sgd", activation="identity", learning_rate_init=1e3, random_state=0)
        with pytest.raises(ValueError, match="non-finite"), np.errstate(all="ignore"):
            model.fit(X, TARGETS)
        assert np.isnan(model.loss_)
        assert {*map(type, model.loss_curve_)} == {np.float64}


# ---- what is somebody else's


class OwnGradient:
    """The first layer's weights do not move."""

    def _compute_loss_grad(self, layer, *arrays):
        super()._compute_loss_grad(layer, *arrays)
        arrays[-2][layer] *= layer > 0


class OwnLoss:
    """Its gradients are of the sign of what scikit-learn's are."""

    def _backprop(self, *arguments):
        loss, coef_grads, intercept_grads = super()._backprop(*arguments)
        return loss, [np.sign(grad) for grad in coef_grads], intercept_grads


class OwnForwardPass:
    def _forward_pass(self, activations):
        activations = super()._forward_pass(activations)
        activations[1] *= 0.5
        return activations


class OwnLbfgs:
    def _loss_grad_lbfgs(self, packed, *arguments):
        loss, grad = super()._loss_grad_lbfgs(packed, *arguments)
        grad[:100] = 0
        return loss, grad


def assert_left_to_scikit_learn(estimators, calls, reason):
    """``estimators`` are fastnn's and scikit-learn's, with exactly the same weights."""
    ours, theirs = estimators
    for a, b in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        assert (a == b).all()
    assert not any(call.accelerated for call in calls if call.method != "predict")
    assert reason in [call.reason for call in calls][-1]
    calls.clear()


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("mixin", [OwnGradient, OwnLoss, OwnForwardPass, OwnLbfgs])
def test_methods_that_a_subclass_has_in_the_place_of_scikit_learns_are_called(mixin, solver, calls):
    name = next(name for name in vars(mixin) if name.startswith("_") and not name.startswith("__"))
    for kind, y in (("regressor", TARGETS), ("classifier", Y)):
        pair = [
            type(module.__name__, (mixin, module), {})(random_state=3, max_iter=3, solver=solver).fit(X, y)
            for module in CLASSES[kind]
        ]
        if mixin is OwnLbfgs and solver == "adam":
            assert_equal(*pair)
            assert calls.pop().accelerated
        else:
            assert_left_to_scikit_learn(pair, calls, f"{name} is not scikit-learn's own")


def test_methods_of_an_instance_are_called(calls):
    pair = [module(random_state=3, max_iter=3) for module in CLASSES["regressor"]]
    for model in pair:

        def freeze(layer, *arrays, model=model):
            own.BaseMultilayerPerceptron._compute_loss_grad(model, layer, *arrays)
            arrays[-2][layer] *= layer > 0

        model._compute_loss_grad = freeze
        model.fit(X, TARGETS)
    assert_left_to_scikit_learn(pair, calls, "_compute_loss_grad is not scikit-learn's own")


@pytest.mark.parametrize(
    ("place", "name", "reason"),
    [
        (own.BaseMultilayerPerceptron, "_forward_pass", "_forward_pass is not scikit-learn's own"),
        (own.ACTIVATIONS, "relu", "'relu' is not scikit-learn's own"),
        (own.DERIVATIVES, "relu", "'relu' is not scikit-learn's own"),
        (own.LOSS_FUNCTIONS, "log_loss", "'log_loss' is not scikit-learn's own"),
        (own, "AdamOptimizer", "optimizers that are not scikit-learn's own"),
    ],
)
def test_what_is_put_in_the_place_of_scikit_learns_own_is_called(monkeypatch, calls, place, name, reason):
    original = place[name] if isinstance(place, dict) else getattr(place, name)
    seen = []

    def instead(*arguments):
        seen.append(name)
        return original(*arguments)

    (monkeypatch.setitem if isinstance(place, dict) else monkeypatch.setattr)(place, name, instead)
    pair = [module(random_state=3, max_iter=3).fit(X, Y) for module in CLASSES["classifier"]]
    assert len(seen) % 2 == 0
    assert len(seen) > 0
    assert_left_to_scikit_learn(pair, calls, reason)


class Slower(optimizers.AdamOptimizer):
    def _get_updates(self, grads):
        return [0.1 * update for update in super()._get_updates(grads)]


def test_an_optimizer_of_ones_own_is_used(calls):
    pair = [module(random_state=3).partial_fit(X, Y, classes=range(10)) for module in CLASSES["classifier"]]
    calls.clear()
    for model in pair:
        model.coefs_, model.intercepts_ = copy.deepcopy((pair[1].coefs_, pair[1].intercepts_))
        model._optimizer = Slower(model.coefs_ + model.intercepts_, 0.001)
        model.partial_fit(X, Y)
    assert_left_to_scikit_learn(pair, calls, "an optimizer that is a Slower")


@pytest.mark.parametrize("output", ["tanh", "relu", "logistic", "softmax"])
def test_outputs_of_another_activation_are_left_to_scikit_learn(output, calls):
    """To set ``out_activation_`` by hand is how a regressor's outputs are bounded."""
    y, pair = TARGETS / TARGETS.max(), []
    for module in CLASSES["regressor"]:
        model = module(hidden_layer_sizes=(20,), random_state=3, max_iter=3, warm_start=True)
        model.partial_fit(X[:1], y[:1])
        pair.append(model)
    pair[0].coefs_, pair[0].intercepts_ = copy.deepcopy((pair[1].coefs_, pair[1].intercepts_))
    calls.clear()
    for model in pair:
        model.out_activation_ = output
        model.fit(X, y)
    assert_left_to_scikit_learn(pair, calls, f"outputs by '{output}' with the loss 'squared_error'")
    assert (pair[0].predict(np.tile(X, (10, 1))) == pair[1].predict(np.tile(X, (10, 1)))).all()
    assert [call.accelerated for call in calls] == [False]
    assert pair[0].loss_curve_ == pair[1].loss_curve_


@pytest.mark.skipif(IS_OLD, reason="there is no Poisson's loss before scikit-learn 1.7")
@pytest.mark.filterwarnings("ignore")
def test_negative_targets_of_poissons_loss_are_left_to_scikit_learn(calls):
    pair = [
        module(loss="poisson", random_state=3, max_iter=5, learning_rate_init=1e-4).fit(X, TARGETS - TARGETS.mean())
        for module in CLASSES["regressor"]
    ]
    assert np.isnan(pair[0].loss_)
    assert_left_to_scikit_learn(pair, calls, "negative targets")


# ---- one training after another


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_the_best_weights_go_on_with_the_weights(solver):
    """After early stopping scikit-learn's ``_best_coefs`` are ``coefs_``, and training changes both."""
    pair = []
    for module in CLASSES["classifier"]:
        model = module(random_state=3, early_stopping=True, warm_start=True, max_iter=20, solver=solver).fit(X, Y)
        assert model.coefs_ is model._best_coefs
        pair.append(model.set_params(max_iter=1, learning_rate_init=5.0).fit(X, Y))
        assert model.intercepts_ is model._best_intercepts
    assert pair[1].validation_scores_[-1] < pair[1].best_validation_score_
    assert_equal(*pair, 1e-9)


def test_adam_counts_what_it_did_before_ctrl_c(monkeypatch):
    rows, labels = np.tile(X, (60, 1)), np.tile(Y, 60)
    original = mlp.Epochs.run

    def run(*arguments):
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        return original(*arguments)

    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    monkeypatch.setattr(mlp.Epochs, "run", run)
    model = MLPClassifier((400,), batch_size=4, shuffle=False, random_state=0)
    try:
        with pytest.warns(UserWarning, match="Training interrupted by user"):
            model.fit(rows, labels)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    monkeypatch.undo()
    done = model._optimizer.t
    assert 0 < done < len(rows) / 4
    twin = MLPClassifier((400,), batch_size=4, shuffle=False, random_state=0)
    twin.partial_fit(rows[: 4 * done], labels[: 4 * done], classes=range(10))
    for a, b in zip(model.coefs_, twin.coefs_, strict=True):
        assert (a == b).all()
    assert model._optimizer.learning_rate == twin._optimizer.learning_rate


def test_rows_are_made_ready_for_as_many_epochs_as_there_are(monkeypatch):
    asked = []

    def packed(data, net, epochs, batch_size):
        asked.append((epochs, batch_size))
        return data

    monkeypatch.setattr(mlp, "packed", packed)
    MLPClassifier(max_iter=3, batch_size=50).fit(X, Y).partial_fit(X, Y)
    MLPClassifier(max_iter=3, batch_size=50, shuffle=False).fit(X, Y).partial_fit(X, Y)
    assert asked == [(3, None), (1, None), (3, 50), (1, 50)]


@pytest.mark.parametrize("weighted", WEIGHTED)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_batches_that_come_again_are_stored(monkeypatch, solver, weighted):
    stored, original = [], mlp.packed

    def packed(*arguments):
        data = original(*arguments)
        stored.append(data.block_csc is not None)
        return data

    monkeypatch.setattr(mlp, "packed", packed)
    native.override_plan(rows="block-CSC")
    try:
        options = {"solver": solver, "shuffle": False, "batch_size": 64, "early_stopping": True, "alpha": 0.1}
        rows = np.pad(DIGITS[:600] * 15 / 255, [(0, 0), (0, 192)])  # bytes / 255, most of which are zero
        ours, theirs = both(options, "classifier", Y, X=rows, weights=WEIGHTS if weighted else None)
    finally:
        native.override_plan(rows=None)
    assert stored == [True]
    assert_equal(ours, theirs, 1e-9)


@pytest.mark.skipif(IS_OLD, reason="there are no weights before scikit-learn 1.7")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_batch_without_weight_is_refused_as_scikit_learn_does(solver):
    weights = np.where(np.arange(len(X)) < 50, 0, 1.0)
    if solver == "lbfgs":
        weights[50:] = np.where(np.arange(550) % 2, 1, -1)
    for module in CLASSES["classifier"]:
        with pytest.raises(ZeroDivisionError, match="Weights sum to zero, can't be normalized"):
            module(batch_size=50, shuffle=False, solver=solver).fit(X, Y, sample_weight=weights)


# ---- rows of other types than the weights


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csc_array], ids=["dense", "csr", "csc"])
@pytest.mark.parametrize("kind", ["bool", "uint8", "int16", "int64", "float32", "float64"])
@pytest.mark.parametrize("of_weights", ["float32", "float64"])
def test_rows_of_every_type_are_predicted_as_by_scikit_learn(of_weights, kind, form, calls, monkeypatch):
    compute_everywhere(monkeypatch.setattr)
    model = neural_network.MLPRegressor(hidden_layer_sizes=(50,), max_iter=3, random_state=0)
    model.fit(DIGITS[:600].astype(of_weights) / 16, TARGETS)
    ours = MLPRegressor(hidden_layer_sizes=(50,))
    vars(ours).update(vars(model))
    rows = form(np.tile(DIGITS, (4, 1)).astype(kind))
    expected, found = model.predict(rows), ours.predict(rows)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-4 if found.dtype == np.float32 else 1e-12, atol=1e-4)
    assert [call.accelerated for call in calls] == [True]


@pytest.mark.parametrize(
    ("hidden", "nonzero", "accelerated"),
    [((500,), 1.0, False), ((500,), 0.2, True), ((500, 600), 0.2, False), ((300,), 1.0, True), ((300, 300), 1.0, True)],
)
def test_dense_products_of_wide_layers_are_blas(hidden, nonzero, accelerated, calls):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1000, 500)) * (rng.random((1000, 500)) < nonzero)
    theirs, ours = (
        module(hidden_layer_sizes=hidden, max_iter=1, random_state=0).fit(rows[:50], TARGETS[:50])
        for module in (neural_network.MLPRegressor, MLPRegressor)
    )
    np.testing.assert_allclose(ours.predict(rows), theirs.predict(rows), rtol=1e-9, atol=1e-12)
    assert calls[-1].accelerated == accelerated
    assert ("so wide" in calls[-1].reason) == (not accelerated)


def test_lbfgs_goes_on_with_float32_rows(calls, monkeypatch):
    """scikit-learn's weights are float64 after it, and so are its outputs."""
    compute_everywhere(monkeypatch.setattr)
    pair = [
        module(hidden_layer_sizes=(50,), solver="lbfgs", max_iter=5, random_state=0, warm_start=True)
        for module in CLASSES["classifier"]
    ]
    for model in pair:
        for _ in range(2):
            model.fit(X.astype(np.float32), Y)
    assert_equal(*pair, 1e-3)
    assert pair[0].predict_proba(X.astype(np.float32)).dtype == np.float64
    assert {call.accelerated for call in calls} == {True}


def test_early_stopping_uses_a_replaced_accuracy_score(monkeypatch):
    monkeypatch.setattr(own, "accuracy_score", lambda *labels, **rest: 0.25)
    for estimator in both({"early_stopping": True}, "classifier", Y):
        assert estimator.validation_scores_ == [0.25] * estimator.n_iter_
