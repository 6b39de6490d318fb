"""Arguments that MLP.fit refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from problems import make_mlp as make

from fastnn import EarlyStopping
from fastnn.errors import FastnnError

OPTIMIZERS = "sgd, momentum, nesterov, adam, rmsprop, adamw, nadam, adagrad"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": np.zeros((60, 4))}, "X: expected shape (n, 5), found shape (60, 4)"),
        ({"X": np.zeros((0, 5)), "y": np.zeros(0, int)}, "X: expected at least one row, found none"),
        ({"X": np.zeros((59, 5))}, "y: expected 59 rows, as many as X, found shape (60,)"),
        (
            {"y": np.full(60, 3)},
            "y: expected labels 0..2, or 3 classes of other labels, found 3 at index 0, of 1 class: 3",
        ),
        ({"epochs": -1}, "epochs: expected an integer of at least 0, found -1"),
        ({"epochs": 1.5}, "epochs: expected an integer, found float"),
        ({"epochs": True}, "epochs: expected an integer, found bool"),
        ({"batch_size": 0}, "batch_size: expected an integer of at least 1, found 0"),
        ({"batch_size": "32"}, "batch_size: expected an integer, found str"),
        ({"learning_rate": 0}, "learning_rate: expected a finite number above 0, found 0"),
        ({"learning_rate": -0.1}, "learning_rate: expected a finite number above 0, found -0.1"),
        ({"learning_rate": math.nan}, "learning_rate: expected a finite number above 0, found nan"),
        ({"learning_rate": math.inf}, "learning_rate: expected a finite number above 0, found inf"),
        ({"learning_rate": 10**400}, "learning_rate: expected a finite number above 0, found 1000"),
        ({"learning_rate": "0.1"}, "learning_rate: expected a number, found str"),
        ({"learning_rate": 1j}, "learning_rate: expected a number, found complex"),
        ({"optimizer": "lbfgs"}, f"optimizer: expected one of {OPTIMIZERS}, found 'lbfgs'"),
        ({"optimizer": None}, f"optimizer: expected one of {OPTIMIZERS}, found NoneType"),
        ({"momentum": 1}, "momentum: expected a finite number at least 0 and below 1, found 1"),
        ({"momentum": -0.1}, "momentum: expected a finite number at least 0 and below 1, found -0.1"),
        (
            {"momentum": 0.9, "optimizer": "adam"},
            "momentum: expected none for optimizer='adam', found momentum=0.9",
        ),
        (
            {"nesterov": True, "optimizer": "adam"},
            "momentum: expected none for optimizer='adam', found momentum=None, nesterov=True",
        ),
        ({"nesterov": 1}, "nesterov: expected True or False, found int"),
        ({"l2": -1e-9}, "l2: expected a finite number at least 0, found -1e-09"),
        ({"l2": None}, "l2: expected a number, found NoneType"),
        ({"shuffle": "no"}, "shuffle: expected True or False, found str"),
        ({"validation_data": 0.1}, "validation_data: expected a pair (X, y), found float"),
        ({"validation_data": (np.zeros((2, 5)),)}, "validation_data: expected a pair (X, y), found tuple"),
        (
            {"validation_data": (np.zeros((2, 4)), [0, 1])},
            "validation_data[0]: expected shape (n, 5), found shape (2, 4)",
        ),
        (
            {"validation_data": (np.zeros((2, 5)), [0, 3])},
            "validation_data[1]: expected labels 0..2, found 3 at index 1",
        ),
        (
            {"validation_data": (np.zeros((0, 5)), np.zeros(0, int))},
            "validation_data[0]: expected at least one row, found none",
        ),
        (
            {"early_stopping": 3},
            "early_stopping: expected validation_data=(X, y) or validation_split to watch, found none",
        ),
        (
            {"early_stopping": EarlyStopping()},
            "early_stopping: expected validation_data=(X, y) or validation_split to watch, found none",
        ),
        ({"early_stopping": 0}, "early_stopping: expected an integer of at least 1, found 0"),
        ({"early_stopping": "5"}, "early_stopping: expected an integer, found str"),
        ({"schedule": 0.9}, "schedule: expected a function of epoch and learning rate, found float"),
        ({"schedule": lambda epoch, rate: "fast"}, "the schedule's learning rate: expected a number, found str"),
        (
            {"schedule": lambda epoch, rate: -rate},
            "the schedule's learning rate: expected a finite number at least 0, fo",
        ),
        ({"callbacks": 5}, "callbacks: expected a sequence of functions, found int"),
        ({"callbacks": print}, "callbacks: expected a sequence of functions, found builtin_function_or_method"),
        ({"callbacks": [print, 5]}, "callbacks[1]: expected a function, found int"),
        ({"verbose": -1}, "verbose: expected an integer of at least 0, found -1"),
        ({"verbose": "yes"}, "verbose: expected an integer, found str"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else ",".join(value),
)
def test_bad_arguments_are_named_and_change_nothing(data, arguments, message):
    model = make()
    before = model.params.copy()
    with pytest.raises(FastnnError) as caught:
        model.fit(**{"X": data[0], "y": data[1], **arguments})
    assert str(caught.value).startswith(message)
    assert isinstance(caught.value, ValueError | TypeError)
    assert (model.params == before).all()
