"""partial_fit: an epoch at a time, with an optimizer that goes on from where it was."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from fastnn import MLP, FastnnError
from fastnn.kernels.records import OPTIMIZERS

RNG = np.random.default_rng(0)
X, Y = RNG.uniform(-1, 1, (50, 5)), RNG.integers(0, 3, 50)


def model(**settings):
    return MLP([5, 6, 3], **{"dtype": "float64", "seed": 1, **settings})


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_epochs_one_by_one_are_those_of_fit(optimizer):
    whole, parts = model(), model()
    whole.fit(X, Y, epochs=4, batch_size=8, optimizer=optimizer, decay=0.01, dropout=0.2)
    for _ in range(4):
        assert parts.partial_fit(X, Y, batch_size=8, optimizer=optimizer, decay=0.01, dropout=0.2) is parts
    assert (whole.params == parts.params).all()


def test_it_goes_on_from_fit_and_fit_begins_anew():
    options = {"batch_size": 8, "optimizer": "adam", "shuffle": False}
    whole, parts, again = model(), model(), model()
    whole.fit(X, Y, epochs=4, **options)
    parts.fit(X, Y, epochs=3, **options)
    parts.partial_fit(X, Y, **options)
    assert (whole.params == parts.params).all()
    for _ in range(2):
        again.fit(X, Y, epochs=2, **options)
    assert not np.allclose(again.params, whole.params, rtol=1e-6, atol=0)


def test_another_optimizer_has_a_state_of_its_own():
    one, two = model(), model()
    one.partial_fit(X, Y, optimizer="adam")
    one.partial_fit(X, Y, optimizer="sgd", shuffle=False)
    two.partial_fit(X, Y, optimizer="adam")
    two.fit(X, Y, epochs=1, optimizer="sgd", shuffle=False)
    assert (one.params == two.params).all()


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_goes_on_by_itself(duplicate):
    whole, first = model(), model()
    for _ in range(3):
        whole.partial_fit(X, Y, optimizer="nadam", shuffle=False)
    first.partial_fit(X, Y, optimizer="nadam", shuffle=False)
    twin = duplicate(first)
    for one in (twin, first):
        for _ in range(2):
            one.partial_fit(X, Y, optimizer="nadam", shuffle=False)
        assert (one.params == whole.params).all()


def test_classes_that_come_later_are_told_at_first():
    names = np.array(["ant", "bee", "cat"])
    one = model()
    one.partial_fit(X[:2], names[[0, 1]], classes=names)
    one.partial_fit(X, names[Y], classes=names)
    assert one.classes_.tolist() == names.tolist()
    with pytest.raises(FastnnError, match="classes: expected those of the first training"):
        one.partial_fit(X, names[Y], classes=["ant", "bee", "dog"])
    with pytest.raises(FastnnError, match="classes: expected none for a regressor"):
        model(output="identity").partial_fit(X, X[:, :3], classes=[0, 1, 2])
    with pytest.raises(FastnnError):
        model().partial_fit(X[:2], names[[0, 1]])  # nobody knows of the third
