"""sample_weight and class_weight: factors of the rows' losses, of whose products the mean is taken."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import MLP, FastnnError

RNG = np.random.default_rng(0)
X, Y = RNG.uniform(-1, 1, (40, 5)), np.repeat([0, 1, 2], [30, 8, 2])
NAMES = np.array(["ant", "bee", "cat"])


def trained(y=Y, X=X, **options):
    model = MLP([5, 4, 3], dtype="float64", seed=1)
    history = model.fit(X, y, epochs=3, batch_size=8, shuffle=False, **options)
    return model.params.copy(), history


def test_a_whole_weight_is_a_row_that_often():
    """In one batch; the mean is over the rows themselves, so the rate makes up for their number."""
    weights = RNG.integers(0, 4, 40)
    one = MLP([5, 4, 3], dtype="float64", seed=1)
    other = MLP([5, 4, 3], dtype="float64", seed=1)
    one.fit(X, Y, sample_weight=weights, epochs=2, batch_size=40, learning_rate=0.1)
    rows = np.repeat(np.arange(40), weights)
    other.fit(X[rows], Y[rows], epochs=2, batch_size=len(rows), learning_rate=0.1 * len(rows) / 40)
    assert np.abs(one.params - other.params).max() < 1e-12


def test_weights_of_classes_are_those_of_their_rows():
    factors = {0: 0.5, 2: 3}
    expected, history = trained(sample_weight=np.where(Y == 0, 0.5, np.where(Y == 2, 3.0, 1.0)))
    found, same = trained(class_weight=factors)
    assert (found == expected).all()
    assert same.loss == history.loss
    named, _ = trained(NAMES[Y], class_weight={"ant": 0.5, "cat": 3})
    assert (named == expected).all()
    both, _ = trained(class_weight=factors, sample_weight=np.full(40, 2.0))
    doubled, _ = trained(class_weight={0: 1, 1: 2, 2: 6})
    assert (both == doubled).all()


def test_balanced_weights_give_every_class_as_much():
    expected, _ = trained(class_weight={0: 40 / (3 * 30), 1: 40 / (3 * 8), 2: 40 / (3 * 2)})
    found, _ = trained(class_weight="balanced")
    assert (found == expected).all()


def test_rows_that_are_held_out_keep_their_weights():
    weights, y = np.ones(40), np.arange(40) % 3
    weights[30:] = 2
    found, history = trained(y, sample_weight=weights, validation_split=0.25)
    expected, plain = trained(y, validation_split=0.25)
    assert (found == expected).all()
    assert history.val_loss == pytest.approx([2 * loss for loss in plain.val_loss])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_weight": np.ones(39)}, "sample_weight: expected shape (40,), a factor for each row"),
        ({"sample_weight": np.full(40, np.nan)}, "sample_weight: expected finite numbers"),
        ({"sample_weight": np.full(40, -1)}, "sample_weight: expected numbers of at least 0"),
        ({"class_weight": {7: 1}}, "class_weight: expected labels of y; found 7"),
        ({"class_weight": {0: -1}}, "class_weight[0]: expected a finite number at least 0"),
        ({"class_weight": "even"}, "class_weight: expected one of balanced"),
        ({"class_weight": [1, 2, 3]}, "class_weight: expected a dict of labels and their factors"),
        ({"class_weight": {0: 1}, "y": np.eye(3)[Y]}, "class_weight: expected labels (n,) to weight, not targets"),
    ],
)
def test_bad_weights_are_named(options, message):
    with pytest.raises(FastnnError) as error:
        trained(**options)
    assert str(error.value).startswith(message.split(";")[0])
