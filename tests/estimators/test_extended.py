"""fastnn.MLPClassifier and fastnn.MLPRegressor: what they have beyond scikit-learn's, and that the rest is the same."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import sys
from itertools import pairwise

import naive
import numpy as np
import pytest
import scipy
import sklearn
from sklearn import base, datasets, model_selection, neural_network, pipeline, preprocessing
from sklearn.utils import estimator_checks

import fastnn
from fastnn.dropin.sklearn import neural_network as dropin
from fastnn.estimators import extended
from fastnn.kernels.records import HIDDEN_ACTIVATIONS
from fastnn.nn import dropout as dropout_masks

DIGITS, LABELS = datasets.load_digits(return_X_y=True)
X, Y = DIGITS[:600] / 16, LABELS[:600]
X_VAL, Y_VAL = DIGITS[600:800] / 16, LABELS[600:800]
RNG = np.random.default_rng(0)
TARGETS = np.stack([X @ RNG.uniform(size=64), X @ RNG.uniform(size=64)], 1)
TARGETS_VAL = np.stack([X_VAL @ RNG.uniform(size=64), X_VAL @ RNG.uniform(size=64)], 1)
SMALL = DIGITS[:24, 10:14] / 16  # few enough for loops over Python's floats
PAIRS = {
    "classifier": (fastnn.MLPClassifier, neural_network.MLPClassifier),
    "regressor": (fastnn.MLPRegressor, neural_network.MLPRegressor),
}
BEYOND = {"class_weight", "dropout", "callbacks", "progress"}
HAS_SAMPLE_WEIGHT = "sample_weight" in inspect.signature(neural_network.MLPClassifier.fit).parameters

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),  # after a few epochs
    pytest.mark.filterwarnings("ignore:.*`disp` and `iprint` options"),  # which old versions give to SciPy
]


def assert_same_weights(ours, theirs, tolerance=1e-12):
    pairs = zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True)
    for found, expected in pairs:
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def run(model, *data, **arguments):
    return model.set_params(random_state=3).fit(*data, **arguments)


# ---- as scikit-learn's


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"early_stopping": True, "n_iter_no_change": 3},
        {"solver": "sgd", "learning_rate": "invscaling", "activation": "logistic", "hidden_layer_sizes": (20, 10)},
        {"solver": "lbfgs"},
    ],
)
def test_with_the_defaults_the_numbers_are_scikit_learns(kind, options):
    y = Y if kind == "classifier" else TARGETS
    ours, theirs = (run(module(max_iter=20, **options), X, y) for module in PAIRS[kind])
    assert_same_weights(ours, theirs, 1e-9 if options.get("solver") == "lbfgs" else 1e-12)
    assert ours.n_iter_ == theirs.n_iter_
    for name in ("loss_curve_", "validation_scores_"):
        found, expected = getattr(ours, name, None), getattr(theirs, name, None)
        assert (found is None) == (expected is None)
        if found is not None:
            np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert vars(ours).keys() - BEYOND - {"validation_loss_curve_"} == vars(theirs).keys()


@pytest.mark.parametrize("kind", PAIRS)
def test_the_drop_ins_have_scikit_learns_parameters_alone(kind):
    ours, theirs = PAIRS[kind]
    drop_in = getattr(dropin, theirs.__name__)
    for name in ("__init__", "fit", "partial_fit", "predict"):
        assert inspect.signature(getattr(drop_in, name)) == inspect.signature(getattr(theirs, name))
    assert drop_in().get_params() == theirs().get_params()
    assert repr(drop_in(alpha=1)) == repr(theirs(alpha=1)) == repr(ours(alpha=1))
    assert not issubclass(drop_in, ours)
    own = BEYOND if kind == "classifier" else BEYOND - {"class_weight"}
    assert ours().get_params().keys() - theirs().get_params().keys() == own
    known = inspect.signature(theirs.__init__).parameters
    assert [*inspect.signature(ours.__init__).parameters.values()][: len(known)] == [*known.values()]


@pytest.mark.parametrize("kind", PAIRS)
def test_every_parameter_is_documented(kind):
    ours, theirs = PAIRS[kind]
    parameters = ours.__doc__.partition("\nParameters\n")[2].partition("\nAttributes\n")[0]
    assert sorted(re.findall(r"^(\w+) : ", parameters, re.MULTILINE)) == sorted(ours().get_params())
    activation = parameters.partition("\nactivation : ")[2].partition("\nsolver : ")[0]
    assert set(re.findall(r"'(\w+)'", activation)) == {*HIDDEN_ACTIVATIONS, "logistic"}
    assert "\nvalidation_loss_curve_ : " in ours.__doc__
    assert inspect.cleandoc(theirs.__doc__).partition("\nSee Also\n")[2][:100] in ours.__doc__
    assert f"from fastnn import {ours.__name__}" in ours.__doc__


def test_names_are_found_only_when_they_are_used(run_python):
    program = """
import sys
import fastnn
assert "MLPClassifier" in dir(fastnn)
from fastnn import *
assert "sklearn" not in sys.modules
for name in ("MLPClassifier", "MLPRegressor", "KNeighborsClassifier", "KNeighborsRegressor", "NearestNeighbors"):
    assert getattr(fastnn, name).__name__ == name
"""
    assert run_python(program).stderr == ""


@pytest.mark.parametrize(
    ("prepare", "found"),
    [
        ("sys.modules['sklearn'] = None", "import of sklearn halted; None in sys.modules"),
        ("sys.modules['sklearn'] = types.SimpleNamespace(__version__='1.5.2')", "1.5.2"),
    ],
)
def test_without_a_new_scikit_learn_the_error_names_the_extra(run_python, prepare, found):
    child = run_python(f"import sys, types\n{prepare}\nimport fastnn\nfastnn.MLPClassifier")
    message = f'MLPClassifier needs scikit-learn 1.6 or newer ({found}); pip install "fastnn-cpu[sklearn]"'
    assert child.stderr.splitlines()[-1] == f"fastnn.errors.FastnnError: {message}"


# ---- activation


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("name", ["identity", "logistic", "tanh", "relu"])
def test_scikit_learns_activations_by_layer_are_the_same_as_one_for_all(name, solver):
    ours = run(
        fastnn.MLPRegressor(hidden_layer_sizes=(20, 10), activation=[name] * 2, max_iter=10, solver=solver), X, TARGETS
    )
    theirs = run(
        neural_network.MLPRegressor(hidden_layer_sizes=(20, 10), activation=name, max_iter=10, solver=solver),
        X,
        TARGETS,
    )
    assert_same_weights(ours, theirs, 1e-9 if solver == "lbfgs" else 1e-12)
    np.testing.assert_allclose(ours.predict(X[:3]), theirs.predict(X[:3]), rtol=1e-9)


def drawn(sizes, bounds):
    """A network's initial weights and biases, layer by layer, with scikit-learn's random numbers."""
    rng, weights, biases = np.random.RandomState(3), [], []
    for inputs, outputs, factor in zip(sizes, sizes[1:], bounds, strict=False):
        bound = (factor / (inputs + outputs)) ** 0.5
        weights.append(rng.uniform(-bound, bound, (inputs, outputs)))
        biases.append(rng.uniform(-bound, bound, outputs))
    return weights, biases


def as_lists(arrays):
    return [array.tolist() for array in arrays]


@pytest.mark.parametrize("first", [*HIDDEN_ACTIVATIONS, "logistic"])
def test_every_activation_in_a_layer_of_its_own(first):
    second = "sigmoid" if first == "tanh" else "tanh"
    bounds = [2 if first in ("sigmoid", "logistic") else 6, *[2 if second == "sigmoid" else 6] * 2]
    weights, biases = drawn((4, 3, 3, 3), bounds)
    names = ["sigmoid" if first == "logistic" else first, second, "softmax"]
    network = naive.Network(as_lists(weights), as_lists(biases), names, "cross_entropy")
    optimizer = naive.Optimizer("adam", 0.01, l2=0.1 / 8)
    labels = np.arange(24) % 3
    for _ in range(3):
        naive.train_epoch(network, SMALL.tolist(), naive.one_hot(labels, 3), range(24), 8, optimizer)
    model = fastnn.MLPClassifier(
        (3, 3), activation=[first, second], batch_size=8, alpha=0.1, learning_rate_init=0.01, max_iter=3, shuffle=False
    )
    run(model, SMALL, labels)
    for found, expected in zip(model.coefs_, network.weights, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)
    outputs = [naive.forward(network, row) for row in SMALL.tolist()]
    np.testing.assert_allclose(model.predict_proba(SMALL), outputs, rtol=1e-11)
    np.testing.assert_allclose(model.predict_proba((16 * SMALL).astype(int)), model.predict_proba(SMALL * 16))


def test_float32_weights_take_rows_of_other_types():
    model = run(fastnn.MLPClassifier((20,), activation="elu", max_iter=3), X.astype(np.float32), Y)
    assert model.predict_proba(X).dtype == np.float32
    assert model.partial_fit(X, Y).coefs_[0].dtype == np.float32


def test_without_hidden_layers_there_are_no_activations():
    ours = run(fastnn.MLPClassifier((), activation=[], max_iter=3), X, Y)
    assert_same_weights(ours, run(neural_network.MLPClassifier((), max_iter=3), X, Y))


# ---- class_weight


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_class_weights_are_rows_that_come_several_times(solver):
    """In one batch, which has the mean over all rows."""
    weights = {0: 3, 1: 1, 2: 2}
    labels, options = np.arange(60) % 3, {"max_iter": 5, "shuffle": False, "hidden_layer_sizes": 8, "solver": solver}
    again = np.repeat(np.arange(60), [weights[label] for label in labels])
    ours = run(fastnn.MLPClassifier(class_weight=weights, batch_size=60, **options), X[:60], labels)
    theirs = neural_network.MLPClassifier(batch_size=len(again), **options)
    run(theirs, X[:60][again], labels[again])
    assert_same_weights(ours, theirs, 1e-9 if solver == "lbfgs" else 1e-11)
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-9)


@pytest.mark.skipif(not HAS_SAMPLE_WEIGHT, reason="there is nothing to compare with before scikit-learn 1.7")
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize(
    ("y", "class_weight", "weights"),
    [
        (Y, "balanced", len(Y) / (10 * np.bincount(Y))[Y]),
        (np.where(Y > 6, "high", "low"), {"high": 5}, np.where(Y > 6, 5, 1)),
        (
            np.stack([Y > 4, Y == 3], 1).astype(int),
            [{0: 2}, {1: 3}],
            np.where(Y > 4, 1, 2) * np.where(Y == 3, 3, 1),
        ),
        (
            np.stack([Y > 4, Y == 3], 1).astype(int),
            "balanced",
            np.prod([len(Y) / (2 * np.bincount(column))[column] for column in (1 * (Y > 4), 1 * (Y == 3))], 0),
        ),
    ],
    ids=["balanced", "two names", "labels by themselves", "labels balanced"],
)
def test_class_weights_are_sample_weights(y, class_weight, weights, solver):
    options = {"max_iter": 8, "solver": solver, "hidden_layer_sizes": 20}
    own = RNG.uniform(0.5, 2, len(y))
    ours = run(fastnn.MLPClassifier(class_weight=class_weight, **options), X, y, sample_weight=own)
    theirs = run(neural_network.MLPClassifier(**options), X, y, sample_weight=own * weights)
    assert_same_weights(ours, theirs, 1e-9 if solver == "lbfgs" else 1e-12)


def test_class_weights_count_while_rows_are_set_aside_but_not_in_scores():
    """The rows set aside are the same with and without weights, and so are scores of the same weights."""
    seen = []

    def accuracy(model):
        predicted = model.predict(X)
        seen.append((model.validation_scores_[-1], predicted))

    model = run(
        fastnn.MLPClassifier((20,), class_weight={0: 9}, early_stopping=True, max_iter=4, callbacks=[accuracy]), X, Y
    )
    plain = run(fastnn.MLPClassifier((20,), early_stopping=True, max_iter=4), X, Y)
    assert abs(model.coefs_[0] - plain.coefs_[0]).max() > 1e-3
    rng = np.random.RandomState(3)
    drawn_before = [rng.uniform(size=shape) for shape in ((64, 20), 20, (20, 10), 10)]
    assert len(drawn_before) == 4
    _, held_out = model_selection.train_test_split(np.arange(600), random_state=rng, test_size=0.1)
    for score, predicted in seen:
        assert score == (predicted[held_out] == Y[held_out]).mean()


def test_partial_fit_takes_weights_of_all_its_classes():
    model = fastnn.MLPClassifier((8,), class_weight={0: 2, 9: 3}, random_state=0)
    model.partial_fit(X[:5], [1, 2, 3, 0, 4], classes=np.arange(10))
    same = fastnn.MLPClassifier((8,), random_state=0, batch_size=6)
    same.partial_fit(X[[0, 1, 2, 3, 3, 4]], [1, 2, 3, 0, 0, 4], classes=np.arange(10))
    assert_same_weights(model, same, 1e-11)
    with pytest.raises(fastnn.FastnnError, match="class_weight: expected a dict for partial_fit"):
        model.set_params(class_weight="balanced").partial_fit(X, Y)


# ---- dropout


def captured(monkeypatch):
    """The masks of every part of every epoch from now on, as factors of the outputs."""
    found, original = [], dropout_masks._masked

    def masked(net, rates, data, order, rng):
        part = original(net, rates, data, order, rng)
        starts = np.concatenate([[0], np.cumsum(net.strides[:-1])])
        layers = [
            part.masks.kept[:, start : start + size] * scale
            for start, size, scale in zip(starts, net.sizes[1:-1], part.masks.scales, strict=False)
        ]
        found.append(layers)
        return part

    monkeypatch.setattr(dropout_masks, "_masked", masked)
    return found


@pytest.mark.parametrize("rows_at_a_time", [24, 8])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_dropout_by_its_masks(monkeypatch, solver, rows_at_a_time):
    """Every epoch, also one whose masks are drawn in parts, is that of the oracle with the same masks."""
    masks = captured(monkeypatch)
    monkeypatch.setattr(dropout_masks, "MOST_BYTES", rows_at_a_time * 16)  # a row of masks has 2 x 8 bytes
    weights, biases = drawn((4, 8, 8, 2), [6, 6, 6])
    network = naive.Network(as_lists(weights), as_lists(biases), ["relu", "relu", "identity"], "quadratic")
    y = SMALL[:, :2] + 1
    model = fastnn.MLPRegressor(
        hidden_layer_sizes=(8, 8),
        dropout=[0.25, 0.5],
        batch_size=8,
        alpha=0.1,
        max_iter=3,
        solver=solver,
        shuffle=False,
    )
    run(model, SMALL, y)
    assert len(masks) == 3 * 24 // rows_at_a_time
    name = "adam" if solver == "adam" else "nesterov"
    optimizer = naive.Optimizer(name, 0.001, momentum=0.9, l2=0.1 / 8)
    done, losses = 0, []
    for layers in masks:
        rows = range(done % 24, done % 24 + len(layers[0]))
        factors = [tuple(layer[row - rows[0]].tolist() for layer in layers) for row in rows]
        args = SMALL[rows].tolist(), y[rows].tolist(), range(len(rows)), 8, optimizer
        losses.append(naive.train_epoch(network, *args, factors=factors)[0])
        done += len(rows)
    for found, expected in zip(model.coefs_, network.weights, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)
    by_epoch = np.reshape(losses, (3, -1)).sum(1) / 24 / 2  # scikit-learn takes the mean of both outputs
    assert (np.array(model.loss_curve_) > by_epoch).all()  # by the penalty
    np.testing.assert_allclose(model.loss_curve_, by_epoch, rtol=0.1)


def test_masks_have_the_rate_and_go_on(monkeypatch):
    masks = captured(monkeypatch)
    model = fastnn.MLPClassifier((50,), dropout=0.3, max_iter=2, warm_start=True, random_state=0).fit(X, Y)
    model.partial_fit(X, Y)
    model = pickle.loads(pickle.dumps(model))
    model.partial_fit(X, Y).fit(X, Y)
    assert len(masks) == 6
    for i, ((kept,), (other,)) in enumerate(pairwise(masks)):
        assert set(np.unique(kept)) == {0, 1 / 0.7}
        assert abs((kept > 0).mean() - 0.7) < 5 * (0.3 * 0.7 / kept.size) ** 0.5
        assert (kept != other).any(), i
    again = fastnn.MLPClassifier((50,), dropout=0.3, max_iter=2, random_state=0)
    first = again.fit(X, Y).coefs_[0]
    assert (masks[6][0] == masks[0][0]).all()
    assert (again.fit(X, Y).coefs_[0] == first).all()  # which begins anew
    predicted = again.predict_proba(X)
    assert (predicted == again.predict_proba(X)).all()


# ---- rows to validate on


def numpy_outputs(model, rows, activation):
    """The outputs and, of a classifier, their probabilities, by NumPy alone."""
    a = rows
    for layer, (weights, biases) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        z = a @ weights + biases
        a = activation(z) if layer < len(model.coefs_) - 1 else z
    return a


def half_mean_square(model, rows, y, weights):
    errors = (numpy_outputs(model, rows, np.tanh) - y) ** 2 / 2
    return (errors.mean(1) * weights).sum() / weights.sum()


def log_loss(model, rows, y, weights):
    z = numpy_outputs(model, rows, lambda z: np.maximum(z, 0))
    each = np.log(np.exp(z).sum(1)) - z[np.arange(len(y)), y]
    return (each * weights).sum() / weights.sum()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize("kind", PAIRS)
def test_validation_losses_and_scores(kind, stops, weighted):
    if weighted and not HAS_SAMPLE_WEIGHT:
        with pytest.raises(fastnn.FastnnError, match=r"sample_weight_val: expected none before scikit-learn 1\.7"):
            fastnn.MLPClassifier().fit(X, Y, X_val=X_VAL, y_val=Y_VAL, sample_weight_val=np.ones(200))
        return
    weights = RNG.uniform(0.5, 2, len(X_VAL)) if weighted else np.ones(len(X_VAL))
    loss = log_loss if kind == "classifier" else half_mean_square
    y, y_val = (Y, Y_VAL) if kind == "classifier" else (TARGETS, TARGETS_VAL)
    losses, scores, coefs = [], [], []

    def look(model):
        losses.append(loss(model, X_VAL, y_val, weights))
        scores.append(model.score(X_VAL, y_val, weights))
        coefs.append(model.coefs_[0])
        assert len(model.validation_loss_curve_) == len(model.validation_scores_) == model.n_iter_

    model = PAIRS[kind][0](
        hidden_layer_sizes=(20,),
        activation="relu" if kind == "classifier" else "tanh",
        max_iter=12,
        callbacks=[look],
        learning_rate_init=0.01,
        early_stopping=stops,
        n_iter_no_change=4,
    )
    more = {"sample_weight_val": weights} if weighted else {}
    run(model, X, y, X_val=X_VAL, y_val=y_val, **more)
    np.testing.assert_allclose(model.validation_loss_curve_, losses, rtol=1e-10)
    np.testing.assert_allclose(model.validation_scores_, scores, rtol=1e-10)
    best = np.argmax(scores) if stops else -1
    assert (model.coefs_[0] == coefs[best]).all()
    assert (model.best_validation_score_ == max(scores)) if stops else model.best_validation_score_ is None


@pytest.mark.parametrize(
    ("y", "targets"),
    [
        (np.where(LABELS > 4, "high", "low"), LABELS[:, np.newaxis] <= 4),
        (np.stack([LABELS > 4, LABELS == 3], 1).astype(int), np.stack([LABELS > 4, LABELS == 3], 1)),
    ],
    ids=["two names", "several labels a row"],
)
def test_validation_losses_of_logistic_outputs(y, targets):
    model = run(fastnn.MLPClassifier((20,), max_iter=5), X, y[:600], X_val=X_VAL, y_val=y[600:800])
    z = numpy_outputs(model, X_VAL, lambda z: np.maximum(z, 0))
    signs = np.where(targets[600:800], 1, -1)
    assert model.validation_loss_curve_[-1] == pytest.approx(np.log1p(np.exp(-signs * z)).sum(1).mean(), rel=1e-12)
    assert model.validation_scores_[-1] == (model.predict(X_VAL) == y[600:800]).reshape(200, -1).all(1).mean()


@pytest.mark.parametrize(
    "options",
    [
        {"tol": 0.02, "n_iter_no_change": 2},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.05, "n_iter_no_change": 1, "learning_rate_init": 0.05},
    ],
)
def test_early_stopping_on_rows_that_are_given_is_that_on_rows_set_aside(options, capsys):
    """Given the rows that scikit-learn would set aside, all is as scikit-learn has it, the lines it prints too."""
    options |= {"early_stopping": True, "shuffle": False, "max_iter": 40, "hidden_layer_sizes": (20,), "verbose": True}
    theirs = run(neural_network.MLPClassifier(**options), X, Y)
    expected = capsys.readouterr().out
    rng = np.random.RandomState(3)
    for shape in ((64, 20), 20, (20, 10), 10):
        rng.uniform(size=shape)
    rows, held_out = model_selection.train_test_split(np.arange(600), random_state=rng, test_size=0.1)
    ours = run(fastnn.MLPClassifier(**options), X[rows], Y[rows], X_val=X[held_out], y_val=Y[held_out])
    assert capsys.readouterr().out == expected
    assert "Stopping." in expected
    assert_same_weights(ours, theirs)
    assert ours.validation_scores_ == theirs.validation_scores_
    for name in ("n_iter_", "best_validation_score_", "best_loss_", "_no_improvement_count"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.early_stopping is True
    set_aside = run(fastnn.MLPClassifier(**options), X, Y)
    np.testing.assert_allclose(set_aside.validation_loss_curve_, ours.validation_loss_curve_, rtol=1e-10)


def test_warm_start_goes_on_with_the_curves():
    model = fastnn.MLPClassifier((20,), warm_start=True, max_iter=3, random_state=0)
    model.fit(X, Y)
    assert model.validation_loss_curve_ is model.validation_scores_ is None
    some = Y_VAL < 5  # rows to validate on need not have all the classes
    for _ in range(2):
        model.fit(X, Y, X_val=X_VAL[some], y_val=Y_VAL[some])
    assert (len(model.loss_curve_), len(model.validation_loss_curve_), len(model.validation_scores_)) == (9, 6, 6)
    model.partial_fit(X, Y)
    assert (len(model.loss_curve_), len(model.validation_loss_curve_)) == (10, 6)


def test_rows_to_validate_on_go_through_pipelines():
    scaled = preprocessing.StandardScaler().fit(X)
    with sklearn.config_context(enable_metadata_routing=True):
        model = fastnn.MLPClassifier((20,), max_iter=4, random_state=0).set_fit_request(X_val=True, y_val=True)
        chain = pipeline.Pipeline(
            [("scale", preprocessing.StandardScaler()), ("mlp", model)], transform_input=["X_val"]
        )
        chain.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    direct = fastnn.MLPClassifier((20,), max_iter=4, random_state=0)
    direct.fit(scaled.transform(X), Y, X_val=scaled.transform(X_VAL), y_val=Y_VAL)
    np.testing.assert_allclose(chain[-1].validation_loss_curve_, direct.validation_loss_curve_, rtol=1e-12)


# ---- callbacks


def test_a_callback_sees_a_fitted_estimator_after_every_epoch():
    """A copy or a pickle made in the middle is the estimator of a training of so many epochs, and goes on as it."""
    copies, seen = [], []
    parameters = {"batch_size": 50, "shuffle": True, "callbacks": None, "random_state": 3}

    def look(model):
        seen.append(model.n_iter_)
        assert not vars(model).keys() & {"_training", "_compiled", "_watch", "_held_out"}
        callbacks, model.callbacks = model.callbacks, None  # functions in a test cannot be pickled
        copies.append(copy.deepcopy(model) if model.n_iter_ == 2 else pickle.loads(pickle.dumps(model)))
        model.callbacks = callbacks

    options = {**parameters, "callbacks": [look]}
    fastnn.MLPClassifier((20,), max_iter=4, **options).fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    assert seen == [1, 2, 3, 4]
    del parameters["callbacks"]
    for epochs, each in enumerate(copies, 1):
        theirs = neural_network.MLPClassifier((20,), max_iter=epochs, **parameters).fit(X, Y)
        assert each.get_params().items() >= parameters.items()
        np.testing.assert_allclose(each.loss_curve_, theirs.loss_curve_, rtol=1e-12)
        for _ in range(2):
            assert_same_weights(each, theirs)
            each.partial_fit(X, Y), theirs.partial_fit(X, Y)  # with the state of Adam


@pytest.mark.parametrize("answer", [True, np.True_])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_callback_that_returns_true_ends_training(recwarn, early_stopping, answer):
    calls = []
    callbacks = [lambda model: answer if model.n_iter_ == 3 else 1, lambda model: calls.append(model.n_iter_)]
    options = {"early_stopping": early_stopping, "n_iter_no_change": 9, "random_state": 3}
    model = fastnn.MLPClassifier((20,), callbacks=callbacks, max_iter=9, **options).fit(X, Y)
    assert calls == [1, 2, 3]
    assert not [warning for warning in recwarn if "converged" in str(warning.message)]
    assert_same_weights(model, neural_network.MLPClassifier((20,), max_iter=3, **options).fit(X, Y))
    if not early_stopping:
        model.partial_fit(X, Y)
        assert calls == [1, 2, 3, 1]


def test_sgd_goes_on_from_where_a_callback_stopped_it():
    options = {"solver": "sgd", "learning_rate": "invscaling", "random_state": 3}
    model = fastnn.MLPClassifier((20,), callbacks=[lambda model: model.n_iter_ == 3], **options).fit(X, Y)
    theirs = neural_network.MLPClassifier((20,), max_iter=3, **options).fit(X, Y)
    assert_same_weights(model.partial_fit(X, Y), theirs.partial_fit(X, Y))


def test_training_goes_on_with_the_weights_that_a_callback_leaves():
    def forget(model):
        model.coefs_ = [np.zeros_like(coef) for coef in model.coefs_]
        model.intercepts_[0][:] = 1

    model = run(fastnn.MLPClassifier((20,), callbacks=[forget], max_iter=3), X, Y)
    assert all((coef == 0).all() for coef in model.coefs_)
    assert (model.intercepts_[0] == 1).all()
    kept = []
    run(fastnn.MLPClassifier((20,), callbacks=[lambda model: kept.append(model.coefs_[0])], max_iter=3), X, Y)
    assert (kept[0] != kept[1]).any()


def test_an_error_in_a_callback_leaves_the_estimator_whole():
    def fail(model):
        raise RuntimeError("of the callback")

    model = fastnn.MLPClassifier((20,), callbacks=[fail], batch_size=30, early_stopping=True, random_state=3)
    with pytest.raises(RuntimeError, match="of the callback"):
        model.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    assert (model.batch_size, model.shuffle, model.early_stopping) == (30, True, True)
    assert not vars(model).keys() & {"_training", "_compiled", "_watch", "_held_out"}
    model.set_params(callbacks=None, max_iter=2)
    assert_same_weights(
        model.fit(X, Y), run(fastnn.MLPClassifier((20,), batch_size=30, early_stopping=True, max_iter=2), X, Y)
    )


# ---- progress


def test_a_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr("fastnn.progress.INTERVAL", 0)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    model = fastnn.MLPClassifier((5,), progress=True, max_iter=2, batch_size=300, random_state=0).fit(X, Y)
    assert capsys.readouterr() == ("", "")  # which is no terminal
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with fastnn.use("numpy"):  # ticks after every batch
        model.fit(X, Y)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Epoch 1/2 [=======.......................] 1/4 batches" in err
    assert "Epoch 2/2 [======================........] 3/4 batches" in err
    assert "Epoch 2/2 [==============================] 4/4 batches, 0 s left" in err
    assert err.endswith(" \r")
    with fastnn.use("numpy"):
        model.set_params(verbose=True).partial_fit(X, Y)
    out, err = capsys.readouterr()
    assert "Epoch 1/1 [===============...............] 1/2" in err
    assert out.startswith("Iteration 1, loss = ")


def test_the_bar_is_out_of_the_way_of_callbacks_and_goes_on(monkeypatch):
    seen = []

    class Bar:
        update = staticmethod(lambda done, label: seen.append(done))
        clear = staticmethod(lambda: seen.append("clear"))
        close = staticmethod(lambda: seen.append("close"))

    monkeypatch.setattr(extended, "new_bar", lambda total, unit: Bar)
    fastnn.MLPClassifier((5,), progress=True, max_iter=2, callbacks=[lambda _: seen.append("callback")]).fit(X, Y)
    assert [event for event in seen if event not in range(7)] == ["clear", "callback", "clear", "callback", "close"]
    assert [event for event in seen if event in (3, "callback", 6)][-2:] == [6, "callback"]


# ---- together


def len_of_curve(model):
    return len(model.loss_curve_) == 5


EVERYTHING = {
    "hidden_layer_sizes": (10, 5),
    "activation": ["gelu", "tanh"],
    "dropout": 0.1,
    "class_weight": {},
    "callbacks": [len_of_curve],
    "progress": True,
}


def test_sparse_rows_are_the_same_with_every_option():
    """Of all kinds, to train, to validate on and to predict."""
    rows, options = X * (X > 0.5), {**EVERYTHING, "max_iter": 4, "random_state": 0}
    dense = fastnn.MLPClassifier(**options).fit(rows, Y, X_val=X_VAL, y_val=Y_VAL)
    for sparse in (scipy.sparse.csr_matrix, scipy.sparse.csc_array):
        ours = fastnn.MLPClassifier(**options).fit(sparse(rows), Y, X_val=sparse(X_VAL), y_val=Y_VAL)
        assert_same_weights(ours, dense)
        np.testing.assert_allclose(ours.validation_loss_curve_, dense.validation_loss_curve_, rtol=1e-12)
        np.testing.assert_allclose(ours.predict_proba(sparse(rows)), dense.predict_proba(rows), rtol=1e-12)
        ours.partial_fit(sparse(rows), Y)
    dense.partial_fit(rows, Y)
    assert_same_weights(ours, dense)


def test_options_are_searched_cloned_and_pickled():
    pandas = pytest.importorskip("pandas")
    grid = {
        "dropout": [0, (0.1, 0.2)],
        "activation": ["gelu", ["tanh", "relu"]],
        "class_weight": [None, "balanced"],
        "callbacks": [None, [len_of_curve]],
    }
    frame = pandas.DataFrame(X, columns=[f"pixel {i}" for i in range(64)])
    model = fastnn.MLPClassifier((10, 5), max_iter=2, random_state=0)
    search = model_selection.GridSearchCV(model, grid, cv=2).fit(frame, Y)
    assert len(search.cv_results_["params"]) == 16
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_
    assert [*best.feature_names_in_] == [*frame.columns]
    twin = pickle.loads(pickle.dumps(best))
    assert (twin.predict_proba(frame) == best.predict_proba(frame)).all()
    assert base.clone(twin).get_params() == best.get_params()
    with pytest.raises(ValueError, match="feature names should match"):
        best.fit(frame, Y, X_val=frame.rename(columns=str.upper), y_val=Y)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    [
        "check_estimators_pickle",
        "check_dict_unchanged",
        "check_fit_idempotent",
        "check_methods_subset_invariance",
        "check_n_features_in_after_fitting",
        "check_estimators_partial_fit_n_features",
        "check_estimators_dtypes",
    ],
)
def test_checks_with_every_option_on(name):
    getattr(estimator_checks, name)("MLPClassifier", fastnn.MLPClassifier(**EVERYTHING))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "swish"}, "The 'activation' parameter of MLPClassifier must be a str among"),
        ({"activation": ["relu", "tanh"]}, "activation: expected a name, or 1 of them, one per hidden layer"),
        ({"activation": ["swish"]}, r"activation\[0\]: expected one of identity, logistic, tanh"),
        ({"activation": ["softmax"]}, r"activation\[0\]: expected one of identity, logistic, tanh"),
        ({"dropout": 1.0}, "The 'dropout' parameter of MLPClassifier must be a float in the range"),
        ({"dropout": [0.1, 0.2]}, "dropout: expected a rate, or 1 of them, one per hidden layer"),
        ({"dropout": [1.5]}, r"dropout\[0\]: expected a finite number at least 0 and below 1"),
        ({"callbacks": print}, "The 'callbacks' parameter of MLPClassifier must be"),
        ({"callbacks": [3]}, r"callbacks\[0\]: expected a function"),
        ({"progress": "yes"}, "The 'progress' parameter of MLPClassifier must be"),
        ({"class_weight": "even"}, "The 'class_weight' parameter of MLPClassifier must be"),
        ({"class_weight": {77: 2}}, "class_weight: expected labels of y, found 77"),
        ({"class_weight": {1: -2}}, r"class_weight\[1\]: expected a finite number at least 0"),
        ({"class_weight": [{0: 1}]}, "class_weight: expected a dict of labels and their factors, or 'balanced'"),
        ({"class_weight": dict.fromkeys(range(10), 0)}, "expected a row above 0 in every batch"),
        ({"solver": "lbfgs", "class_weight": dict.fromkeys(range(10), 0)}, "expected a row above 0 in every batch"),
        ({"solver": "lbfgs", "dropout": 0.1}, "dropout: expected none with solver='lbfgs'"),
        ({"solver": "lbfgs", "callbacks": [print]}, "callbacks: expected none with solver='lbfgs'"),
        ({"solver": "lbfgs", "progress": True}, "progress: expected none with solver='lbfgs'"),
    ],
)
def test_unusable_options_are_refused(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fastnn.MLPClassifier(**options).fit(X, Y)


class Frozen(fastnn.MLPRegressor):
    def _compute_loss_grad(self, layer, *arrays):
        super()._compute_loss_grad(layer, *arrays)
        arrays[-2][layer] *= layer > 0


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_options_beside_a_method_that_the_kernels_would_leave_out_are_refused(solver):
    model = Frozen(activation="silu", max_iter=2, solver=solver)
    with pytest.raises(fastnn.FastnnError, match="activation: expected what fastnn can train, found _compute"):
        model.fit(X, TARGETS)


@pytest.mark.skipif(not HAS_SAMPLE_WEIGHT, reason="there are no weights before scikit-learn 1.7")
def test_a_batch_whose_weights_sum_to_zero_is_refused_as_scikit_learn_does():
    with pytest.raises(ZeroDivisionError, match="Weights sum to zero, can't be normalized"):
        fastnn.MLPClassifier(batch_size=600).fit(X, Y, sample_weight=np.where(np.arange(600) % 2, 1, -1))


def test_a_dict_does_not_weight_several_labels():
    with pytest.raises(fastnn.FastnnError, match="class_weight: expected 'balanced' or a dict for each of 2 labels"):
        fastnn.MLPClassifier(class_weight={1: 2}).fit(X, np.stack([Y > 4, Y == 3], 1).astype(int))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X_val": X_VAL}, "y_val: expected what belongs to X_val, found None"),
        ({"y_val": Y_VAL}, "X_val: expected what belongs to y_val, found None"),
        ({"sample_weight_val": Y_VAL}, "X_val: expected the rows of sample_weight_val, found None"),
        ({"X_val": X_VAL, "y_val": Y_VAL[1:]}, "inconsistent numbers of samples"),
        ({"X_val": X_VAL[:, 1:], "y_val": Y_VAL}, "X has 63 features, but MLPClassifier is expecting 64"),
        ({"X_val": X_VAL, "y_val": Y_VAL + 5}, "`y` has classes not in `self.classes_`"),
        ({"X_val": np.full_like(X_VAL, np.nan), "y_val": Y_VAL}, "Input X contains"),
    ],
)
def test_unusable_rows_to_validate_on_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        fastnn.MLPClassifier().fit(X, Y, **arguments)


def test_rows_to_validate_on_need_epochs():
    with pytest.raises(fastnn.FastnnError, match="X_val: expected none with solver='lbfgs'"):
        fastnn.MLPClassifier(solver="lbfgs").fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
