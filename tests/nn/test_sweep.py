"""fastnn.sweep: each value is a training of its own; and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn.errors import FastnnError

X = np.random.default_rng(0).random((80, 4))
Y = (X[:, 0] > X[:, 1]).astype(int)
TRAIN, TEST = (X[:60], Y[:60]), (X[60:], Y[60:])


def test_each_value_is_a_training_with_each_seed():
    rates = [0.01, 0.5]
    found = fastnn.sweep("learning_rate", rates, *TRAIN, validation_data=TEST, seeds=3, sizes=[4, 6, 2], epochs=15)
    for row, rate in enumerate(rates):
        for column, seed in enumerate((1, 2, 3)):
            model = fastnn.MLP([4, 6, 2], seed=seed)
            model.fit(*TRAIN, epochs=15, learning_rate=rate)
            assert found.scores[row, column] == model.score(*TEST)
    assert found.seconds.shape == (2, 3)
    assert (found.seconds > 0).all()
    assert found.is_accuracy
    assert found.best == rates[int(np.argmax(found.scores.mean(axis=1)))]
    assert repr(found).startswith("Sweep(learning_rate, accuracy {0.01: 0.")
    assert found.ticks()[0].tolist() == rates


def test_arguments_of_the_model_too():
    sizes = [[4, 2], [4, 5, 2]]
    found = fastnn.sweep("sizes", sizes, *TRAIN, validation_data=TEST, seeds=[7], epochs=2)
    model = fastnn.MLP([4, 5, 2], seed=7)
    model.fit(*TRAIN, epochs=2)
    assert found.scores[1, 0] == model.score(*TEST)
    places, names = found.ticks()
    assert places.tolist() == [0, 1]
    assert names == ["4-2", "4-5-2"]


def test_a_training_that_diverges_scores_nothing():
    targets = X @ np.arange(4.0)
    options = {"sizes": [4, 1], "loss": "mean_squared_error", "epochs": 5}
    found = fastnn.sweep("learning_rate", [1e30, 0.1], X, targets, validation_data=(X, targets), **options)
    assert np.isnan(found.scores[0, 0])
    assert found.best == 0.1
    assert not found.is_accuracy


def test_there_is_no_best_where_every_training_diverged():
    options = {"sizes": [4, 1], "loss": "mean_squared_error", "epochs": 5}
    targets = X @ np.arange(4.0)
    found = fastnn.sweep("learning_rate", [1e30, 1e31], X, targets, validation_data=(X, targets), **options)
    assert np.isnan(found.scores).all()
    assert found.best is None
    assert repr(found) == "Sweep(learning_rate, R2 {1e+30: nan, 1e+31: nan}, best None)"


def test_a_network_without_a_score_scores_nothing_and_the_others_are_kept():
    """Its weights are finite and great, so that the outputs for greater rows are not: NaN, or of squares too great."""
    huge = 1e38 * (1 + X)
    for options, rows in (
        ({"sizes": [4, 2], "learning_rate": 1e20}, huge),
        ({"sizes": [4, 1], "loss": "mean_squared_error", "dtype": "float64"}, 1e160 * (1 + X)),
    ):
        y = Y if options["sizes"] == [4, 2] else X @ np.arange(4.0)
        found = fastnn.sweep("epochs", [0, 1], X, y, validation_data=(rows, y), **options)
        assert np.isnan(found.scores[1, 0])
    with pytest.raises(FastnnError, match="X: expected finite numbers, found nan"):
        fastnn.sweep("epochs", [1], X, Y, validation_data=(X * np.nan, Y), sizes=[4, 2])


@pytest.mark.parametrize(
    ("name", "values", "options", "message"),
    [
        ("sizes", [[4, 2], [4, 0, 2]], {}, r"sizes\[1\]: expected an integer of at least 1, found 0"),
        ("epochs", [1, -1], {"sizes": [4, 2]}, "epochs: expected an integer of at least 0, found -1"),
        ("learning_rate", [0.1, 0], {"sizes": [4, 2]}, "learning_rate: expected a finite number above 0"),
        ("early_stopping", [None, 3], {"sizes": [4, 2]}, "early_stopping: expected validation_data"),
    ],
)
def test_a_value_that_is_refused_is_so_before_the_first_training(name, values, options, message):
    trained = []
    keep = {"callbacks": [lambda *_: trained.append(1)]}
    with pytest.raises(FastnnError, match=message):
        fastnn.sweep(name, values, *TRAIN, validation_data=TEST, **keep, **options)
    assert trained == []


@pytest.mark.parametrize(
    ("name", "values", "options", "message"),
    [
        ("rate", [1], {"sizes": [4, 2]}, "name: expected one of "),
        ("epochs", [1], {}, r"options: expected sizes=\[inputs, ..., outputs\], found none"),
        ("epochs", [1], {"sizes": [4, 2], "rate": 1}, "options: expected arguments of MLP or of its fit, found rate"),
        ("epochs", [1], {"sizes": [4, 2], "epochs": 2}, "other than the one that is swept, found epochs"),
        ("epochs", [], {"sizes": [4, 2]}, "values: expected at least one row"),
        ("epochs", "ab", {"sizes": [4, 2]}, "values: expected a sequence of them, found str"),
        ("epochs", [1], {"sizes": [4, 2], "seeds": 0}, "seeds: expected an integer of at least 1"),
        ("epochs", [1], {"sizes": [4, 2], "seeds": 1.5}, "seeds: expected an integer, found float"),
        ("epochs", [1], {"sizes": [4, 2], "seeds": "12"}, "seeds: expected an integer, found str"),
        ("epochs", [1], {"sizes": [4, 2], "seeds": [1.5]}, "seed: expected an integer"),
        ("epochs", [1], {"sizes": [4, 2], "seeds": []}, "seeds: expected at least one row"),
        ("epochs", [-1], {"sizes": [4, 2]}, "epochs: expected an integer of at least 0"),
        ("epochs", [1], {"sizes": [4, 2], "validation_data": X}, r"validation_data: expected a pair \(X, y\)"),
    ],
)
def test_unusable_arguments(name, values, options, message):
    with pytest.raises(FastnnError, match=message):
        fastnn.sweep(name, values, *TRAIN, **{"validation_data": TEST, **options})


def test_progress_is_called_with_the_trainings_that_are_done():
    X, y = np.eye(4), np.arange(4)
    calls: list[int] = []
    fastnn.sweep(
        "epochs", [1, 2], X, y, validation_data=(X, y), seeds=3, progress=calls.append, sizes=[4, 4], batch_size=2
    )
    assert calls == [1, 2, 3, 4, 5, 6]
    with pytest.raises(fastnn.FastnnError, match="progress: expected a function"):
        fastnn.sweep("epochs", [1], X, y, validation_data=(X, y), sizes=[4, 4], progress="yes")


def test_validation_data_are_refused_before_the_first_training():
    calls: list[int] = []
    with pytest.raises(FastnnError, match=r"^X: expected shape \(n, 4\), found shape \(20, 3\)"):
        fastnn.sweep(
            "l2",
            [0.0],
            *TRAIN,
            validation_data=(X[60:, 1:], Y[60:]),
            sizes=[4, 2],
            callbacks=[lambda *_: calls.append(1)],
        )
    assert not calls


def test_single_numbers_are_no_sequences():
    with pytest.raises(FastnnError, match=r"^values: expected a sequence of them"):
        fastnn.sweep("l2", np.array(0.5), *TRAIN, validation_data=TEST, sizes=[4, 2])
    with pytest.raises(FastnnError, match=r"^seeds: expected an integer"):
        fastnn.sweep("l2", [0.5], *TRAIN, validation_data=TEST, sizes=[4, 2], seeds=np.array(2))
