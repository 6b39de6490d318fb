"""Labels of any plain type: what a classifier learns to call its classes, and what it says in their place."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pandas as pd
import pytest

import fastnn
from fastnn import MLP, metrics
from fastnn.errors import FastnnError, InvalidArgumentError

NAMES = ["cat", "dog", "owl"]
PLACES = np.arange(60) % 3
WORDS = [NAMES[i] for i in PLACES]

# The same labels in the types that people have them in, and the classes that they are of.
KINDS = {
    "strings": (WORDS, NAMES),
    "array of strings": (np.array(WORDS), NAMES),
    "objects": (np.array(WORDS, object), NAMES),
    "Series": (pd.Series(WORDS), NAMES),
    "Categorical": (pd.Categorical(WORDS), NAMES),
    "categorical Series": (pd.Series(WORDS, dtype="category"), NAMES),
    "column": (np.array(WORDS)[:, np.newaxis], NAMES),
    "integers": (PLACES, [0, 1, 2]),
    "integers as objects": (PLACES.astype(object), [0, 1, 2]),
    "column of integers": (PLACES[:, np.newaxis], [0, 1, 2]),
    "whole floats": (PLACES.astype(float), [0.0, 1.0, 2.0]),
    "column of whole floats": (PLACES[:, np.newaxis].astype(np.float32), [0.0, 1.0, 2.0]),
    "integers from 1": (PLACES + 1, [1, 2, 3]),
    "Series of integers": (pd.Series(PLACES + 1, dtype="Int64"), [1, 2, 3]),
    "other integers": (np.array([-5, 0, 9])[PLACES], [-5, 0, 9]),
    "other floats": (np.array([-5.0, 0.0, 9.0])[PLACES], [-5.0, 0.0, 9.0]),
}


@pytest.fixture
def inputs():
    return np.random.default_rng(0).normal(size=(60, 5)) + 3 * np.eye(5)[PLACES]


@pytest.mark.parametrize("kind", KINDS)
def test_a_classifier_answers_in_the_callers_labels(kind, inputs):
    y, classes = KINDS[kind]
    model, plain = MLP([5, 8, 3], seed=0), MLP([5, 8, 3], seed=0)
    history = model.fit(inputs, y, epochs=20, validation_data=(inputs, y))
    expected = plain.fit(inputs, PLACES, epochs=20, validation_data=(inputs, PLACES))
    assert (history.loss, history.accuracy) == (expected.loss, expected.accuracy)
    assert (history.val_loss, history.val_accuracy) == (expected.val_loss, expected.val_accuracy)
    assert model.classes_.tolist() == classes
    answers = model.predict(inputs)
    assert answers.tolist() == [classes[i] for i in plain.predict(inputs)]
    assert model.predict(inputs[0]) == answers[0]
    assert type(model.predict(inputs[0])) is type(answers[0])
    assert model.score(inputs, y) == plain.score(inputs, PLACES) > 0.9
    assert metrics.cost(model, inputs, y) == metrics.cost(plain, inputs, PLACES)
    assert metrics.accuracy_score(y, answers) == model.score(inputs, y)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.predict(inputs).tolist() == answers.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_neighbours_answer_in_the_callers_labels(kind, inputs):
    y, classes = KINDS[kind]
    index = fastnn.Neighbors().fit(inputs, y)
    assert index.classes_.tolist() == classes
    assert index.classify(inputs, 1).tolist() == [classes[i] for i in PLACES]
    scores = fastnn.cross_validate_k(inputs, y, [1, 3], 3).accuracy
    np.testing.assert_array_equal(scores, fastnn.cross_validate_k(inputs, PLACES, [1, 3], 3).accuracy)


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (["no", "yes"] * 30, ["no", "yes"]),
        ([1, 2] * 30, [1, 2]),
        ([-1, 1] * 30, [-1, 1]),
        (np.array([-1.0, 1.0] * 30), [-1.0, 1.0]),
        ([False, True] * 30, [False, True]),
        (pd.Series([True, False] * 30), [False, True]),
    ],
    ids=str,
)
@pytest.mark.parametrize("outputs", [1, 2])
def test_two_classes(inputs, y, classes, outputs):
    model, plain = MLP([5, 8, outputs], seed=0), MLP([5, 8, outputs], seed=0)
    places = np.searchsorted(classes, np.asarray(y))
    assert model.fit(inputs, y, epochs=3).loss == plain.fit(inputs, places, epochs=3).loss
    assert model.classes_.tolist() == classes
    assert model.predict(inputs).tolist() == [classes[i] for i in plain.predict(inputs)]
    assert model.predict(inputs).dtype.kind == np.asarray(classes).dtype.kind
    assert model.score(inputs, y) == plain.score(inputs, places)


def test_integers_name_the_outputs_so_that_some_may_be_missing(inputs):
    model = MLP([5, 3], seed=0)
    model.fit(inputs, np.full(60, 2), epochs=1)
    assert model.classes_.tolist() == [0, 1, 2]
    model.fit(inputs, PLACES, epochs=1)


def test_classes_are_those_of_the_first_labels(inputs):
    model = MLP([5, 3], seed=0)
    model.fit(inputs, WORDS, epochs=1)
    before = model.params.copy()
    for y, message in (
        (["cow"] * 60, r"y: expected labels of the classes 'cat', 'dog', 'owl', found cow at index 0"),
        (PLACES, "y: expected labels of the type of the classes, <U3, found dtype int64"),
    ):
        with pytest.raises(FastnnError, match=message):
            model.fit(inputs, y)
        with pytest.raises(FastnnError, match=message):
            model.score(inputs, y)
    with pytest.raises(FastnnError, match=r"validation_data\[1\]: expected labels of the classes"):
        model.fit(inputs, WORDS, validation_data=(inputs[:1], ["cow"]))
    assert (model.params == before).all()
    model.fit(inputs[:1], WORDS[:1], epochs=1)  # some of them may be missing now
    with pytest.raises(FastnnError, match="y: expected labels of the type of the classes, <U3, found dtype dat"):
        model.score(inputs, np.array(["2020-01-01"] * 60, "M8[D]"))
    number = MLP([5, 3], seed=0)
    number.fit(inputs, np.eye(3)[PLACES], epochs=1)
    with pytest.raises(FastnnError, match="y: expected labels of the type of the classes, int64, found dtype <U3"):
        number.fit(inputs, WORDS)


def test_arguments_that_are_refused_teach_no_classes(inputs):
    model = MLP([5, 3], seed=0)
    with pytest.raises(FastnnError, match="epochs"):
        model.fit(inputs, WORDS, epochs=-1)
    with pytest.raises(FastnnError, match="X: expected finite numbers"):
        model.fit(inputs * np.nan, WORDS)
    model.fit(inputs, PLACES, epochs=1)
    assert model.predict(inputs).dtype == np.int64


@pytest.mark.parametrize("kind", ["strings", "integers", "whole floats", "integers from 1", "other floats"])
def test_a_loaded_classifier_answers_likewise(kind, inputs, tmp_path):
    y, classes = KINDS[kind]
    model = MLP([5, 8, 3], seed=0)
    model.fit(inputs, y, epochs=3)
    model.save(tmp_path / "model")
    loaded = fastnn.load(tmp_path / "model")
    assert loaded.classes_.tolist() == classes
    assert loaded.predict(inputs).tolist() == model.predict(inputs).tolist()
    assert loaded.score(inputs, y) == model.score(inputs, y)


def test_a_model_without_classes_is_loaded_without_any(inputs, tmp_path):
    MLP([5, 3], seed=0).save(tmp_path / "new")
    fastnn.load(tmp_path / "new").fit(inputs, WORDS, epochs=1)
    trained = MLP([5, 3], seed=0)
    trained.fit(inputs, PLACES, epochs=1)
    trained.save(tmp_path / "trained")
    with pytest.raises(FastnnError, match="y: expected labels of the type of the classes, int64"):
        fastnn.load(tmp_path / "trained").fit(inputs, WORDS)


@pytest.mark.parametrize("y", [np.array(WORDS, "S"), np.array(["2020-01-01"] * 60, "M8[D]"), PLACES * 1j])
def test_labels_that_no_file_could_hold_are_refused(inputs, y):
    with pytest.raises(FastnnError, match=r"y: expected names \(str\), numbers or truth values, found dtype"):
        MLP([5, 3], seed=0).fit(inputs, y)


def test_a_regressor_has_no_classes(inputs):
    model = MLP([5, 1], loss="mean_squared_error", seed=0)
    assert not hasattr(model, "classes_")
    model.fit(inputs, [1, 2] * 30, epochs=1, learning_rate=0.01)
    assert model.predict(inputs).dtype == np.float32
    with pytest.raises(FastnnError, match="y: expected an array of real numbers, found dtype <U3"):
        model.fit(inputs, WORDS)


# ---- what is refused


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", "b"] * 30, "y: expected labels 0..2, or 3 classes of other labels, found 2 classes: 'a', 'b'"),
        (
            list("abcd") * 15,
            "y: expected labels 0..2, or 3 classes of other labels, found 4 classes: 'a', 'b",
        ),
        ([1, 2, 3, 4] * 15, "y: expected labels 0..2, or 3 classes of other labels, found 3 at index 2, of 4 classes"),
        (
            [0.0, 1.0, 1.5] * 20,
            "y: expected class labels for the default loss 'cross_entropy'; choose loss='mea",
        ),
        (["a", 1, "b"] * 20, "y: expected names or numbers, all of one plain type, and none of them missing, found"),
        (
            np.array(["a", None, "b"] * 20, object),
            "y: expected names or numbers, all of one plain type, and none of",
        ),
        (np.array([["a", "b", "c"]] * 60), "y: expected an array of real numbers, found dtype <U1"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_labels_that_are_refused(inputs, y, message):
    model = MLP([5, 3], seed=0)
    before = model.params.copy()
    with pytest.raises(FastnnError) as caught:
        model.fit(inputs, y)
    assert str(caught.value).startswith(message)
    assert (model.params == before).all()


def test_missing_names_of_pandas_are_named(inputs):
    with pytest.raises(FastnnError, match="found <NA>, NAType, at index 1, beside str"):
        MLP([5, 3]).fit(inputs, pd.Series(["a", pd.NA, "b"] * 20, dtype="string"))


@pytest.mark.parametrize(
    ("outputs", "y", "found"),
    [
        (1, np.linspace(20.0, 30.0, 60), "20.0 at index (0,)"),
        (1, np.arange(60)[:, np.newaxis], "2 at index (2, 0)"),
        (1, np.array([0, 1, 2] * 20), "2 at index (2,)"),
        (1, np.linspace(-0.1, 0.9, 60), "-0.1 at index (0,)"),
        (2, np.arange(120.0).reshape(60, 2) - 1, "-1.0 at index (0, 0)"),
        (2, np.full((60, 2), 3), "3 at index (0, 0)"),
        (2, np.full((60, 2), np.inf), "inf at index (0, 0)"),
        (2, np.array([0.0, 1.0, 0.5] * 20), "0.5 at index (2,)"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_regression_without_a_loss_is_no_classification(inputs, outputs, y, found):
    """It says which loss is missing; and with that loss chosen the model trains."""
    default = "cross_entropy" if outputs > 1 else "binary_cross_entropy"
    with pytest.raises(InvalidArgumentError) as caught:
        MLP([5, outputs]).fit(inputs, y)
    assert str(caught.value).endswith(f"found {found}")
    assert f"for the default loss '{default}'; choose loss='mean_squared_error' for a regression" in str(caught.value)
    if np.isfinite(y).all() and (outputs == 1 or y.ndim == 2):
        MLP([5, outputs], loss="mean_squared_error", seed=0).fit(inputs, y / 100, epochs=1)


@pytest.mark.parametrize(
    ("outputs", "y", "such"),
    [
        (1, np.linspace(0.1, 0.9, 60), "0.1"),
        (1, np.linspace(0.0, 1.0, 60)[:, np.newaxis], "0.0169492"),
        (2, np.ones((60, 2)), "[1. 1.]"),
        (2, np.ones((60, 2), bool), "[ True  True]"),
        (2, np.zeros((60, 2)), "[0. 0.]"),
        (2, np.full((60, 2), 0.25), "[0.25 0.25]"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_targets_that_may_be_a_regressions_are_warned_about(inputs, outputs, y, such):
    default = "cross_entropy" if outputs > 1 else "binary_cross_entropy"
    message = (
        f"y: targets such as {such} are taken for probabilities, by the default loss '{default}'; "
        f"choose loss='mean_squared_error' for a regression, or loss='{default}' for probabilities as targets"
    )
    model, chosen = MLP([5, outputs], seed=0), MLP([5, outputs], loss=default, seed=0)
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$") as caught:
        model.fit(inputs, y, epochs=1)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    chosen.fit(inputs, y, epochs=1)
    assert (model.params == chosen.params).all()


@pytest.mark.parametrize("y", [[20.0, 30.0] * 30, [0.0, 5.0] * 30])
def test_two_floats_may_be_a_regressions_as_well(inputs, y):
    message = f"y: the numbers {y[0]:g} and {y[1]:g} are taken for the labels of two classes, by the default loss"
    with pytest.warns(UserWarning, match=message):
        MLP([5, 1], seed=0).fit(inputs, y, epochs=1)
    model = MLP([5, 1], loss="binary_cross_entropy", seed=0)
    model.fit(inputs, y, epochs=1)
    assert model.classes_.tolist() == y[:2]


def test_a_constant_is_a_regressions(inputs):
    with pytest.raises(FastnnError, match=r"choose loss='mean_squared_error' for a regression, .* found 5\.0 at index"):
        MLP([5, 1]).fit(inputs, [5.0] * 60)


def test_other_labels_after_zero_and_one_are_named(inputs):
    model = MLP([5, 1], seed=0)
    model.fit(inputs, [0, 1] * 30, epochs=1)
    with pytest.raises(FastnnError, match="y: expected labels of the classes 0, 1, found -1 at index 0"):
        model.fit(inputs, [-1, 1] * 30)


def test_probabilities_need_no_loss():
    inputs = np.eye(5)
    MLP([5, 3]).fit(inputs, np.full((5, 3), 1 / 3), epochs=1)
    MLP([5, 3]).fit(inputs, np.eye(5, 3, dtype=int)[[0, 1, 2, 0, 1]], epochs=1)
    MLP([5, 1]).fit(inputs, [0.0, 1.0, 0.0, 1.0, 0.0], epochs=1)


# ---- nobody changes labels that have been checked


@pytest.mark.parametrize("value", [10**9, -(10**9), 7, -1])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_labels_that_change_during_training_change_nothing(backend, inputs, dtype, value):
    """C takes them for indices: numbers from elsewhere would read and write outside the arrays."""
    y = PLACES.astype(dtype)
    model, twin = MLP([5, 8, 3], seed=0), MLP([5, 8, 3], seed=0)

    def change(*_):
        y[:] = value

    history = model.fit(inputs, y, epochs=3, callbacks=[change])
    assert history.loss == twin.fit(inputs, PLACES, epochs=3).loss
    assert (model.params == twin.params).all()
