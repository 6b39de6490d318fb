"""Models trained on SciPy's sparse rows are those trained on the same rows dense, and what is no CSR is refused."""

from __future__ import annotations

import re
import warnings
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

import fastnn
from fastnn import MLP, checks

RNG = np.random.default_rng(0)
DENSE = RNG.uniform(-1, 1, (60, 40)) * (RNG.random((60, 40)) < 0.1)
DENSE[7] = 0
LABELS = RNG.integers(0, 3, 60)
TARGETS = RNG.uniform(-1, 1, (60, 2))


def unsorted(X, index_type=np.int32):
    """The same matrix, its rows' columns descending, its values halves that are to be added up."""
    X = sparse.csr_matrix(X)
    order = np.concatenate([np.arange(start, stop)[::-1] for start, stop in pairwise(X.indptr)])
    twice = np.repeat(order, 2)
    parts = X.data[twice] / 2, X.indices[twice].astype(index_type), 2 * X.indptr.astype(index_type)
    return sparse.csr_matrix(parts, shape=X.shape)


FORMS = {
    "matrix": sparse.csr_matrix,
    "array": sparse.csr_array,
    "unsorted, with duplicates": unsorted,
    "with int64 indices": lambda X: unsorted(X, np.int64),
    "of some other library": lambda X: SimpleNamespace(**vars_of(sparse.csr_matrix(X))),
}


def vars_of(X):
    return {name: getattr(X, name) for name in ("format", "shape", "indptr", "indices", "data", "tocsr")}


def copies(X):
    return X.indptr.copy(), X.indices.copy(), X.data.copy()


@pytest.mark.parametrize("options", [{"optimizer": "adam", "l2": 0.01}, {"dropout": 0.3}, {"batch_size": 60}], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", FORMS)
def test_all_methods_are_those_of_dense_rows(backend, form, dtype, options):
    X = FORMS[form](DENSE)
    before = copies(X)
    model, twin = (MLP([40, 9, 3], dtype=dtype, seed=0) for _ in range(2))
    rows = {"validation_data": (X, LABELS), "epochs": 3, **options}
    history = model.fit(X, LABELS, **rows)
    expected = twin.fit(DENSE, LABELS, **{**rows, "validation_data": (DENSE, LABELS)})
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for name in ("loss", "val_loss", "accuracy", "val_accuracy"):
        np.testing.assert_allclose(getattr(history, name), getattr(expected, name), rtol=tolerance)
    model.partial_fit(X, LABELS)
    twin.partial_fit(DENSE, LABELS)
    np.testing.assert_allclose(model.predict_proba(X), twin.predict_proba(DENSE), rtol=tolerance)
    np.testing.assert_array_equal(model.predict(X), twin.predict(DENSE))
    assert model.score(X, LABELS) == twin.score(DENSE, LABELS)
    for array, copy in zip(copies(X), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_the_last_rows_are_held_out_and_a_regressor_is_scored():
    X, pair = sparse.csr_array(DENSE), []
    for rows in (X, DENSE):
        model = MLP([40, 5, 2], output="identity", dtype="float64", seed=0)
        history = model.fit(rows, TARGETS, epochs=2, validation_split=0.2)
        pair.append([*history.val_loss, model.score(rows, TARGETS)])
    np.testing.assert_allclose(*pair, rtol=1e-12)


def test_bytes_are_divided_by_255_as_dense_ones_are():
    pixels = (np.abs(DENSE) * 255).astype(np.uint8)
    model = MLP([40, 5, 3], dtype="float64", seed=0)
    np.testing.assert_allclose(model.forward(sparse.csr_matrix(pixels)), model.forward(pixels), rtol=1e-14)
    with pytest.warns(UserWarning, match="whole numbers up to 2.., as pixels are"):
        MLP([40, 5, 3], seed=0).forward(sparse.csr_matrix(pixels.astype(float)))


def test_explain_names_csr():
    model = MLP([40, 5, 3], seed=0)
    explanation = fastnn.explain(model, sparse.csr_matrix(DENSE), batch_size=10)
    assert "CSR: each sample's nonzeros" in str(explanation)


@pytest.mark.parametrize("form", ["csc", "coo", "lil", "bsr", "dia", "dok"])
def test_other_forms_are_refused_by_name(form):
    X = sparse.csr_matrix(DENSE).asformat(form)
    for call in (MLP([40, 5, 3]).predict, lambda X: MLP([40, 5, 3]).fit(X, LABELS)):
        with pytest.raises(TypeError, match=f"X: expected .* CSR form, as its tocsr.* found {form}_matrix"):
            call(X)


def changed(**parts):
    X = sparse.csr_matrix(DENSE)
    return SimpleNamespace(**{**vars_of(X), **parts})


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (sparse.csr_matrix(DENSE[:, :39]), "expected shape (n, 40), found shape (60, 39)"),
        (changed(indices=np.where(np.arange(len(sparse.csr_matrix(DENSE).data)) == 3, 40, 1)), "indices from 0 to 39"),
        (changed(indices=-np.ones(len(sparse.csr_matrix(DENSE).data), int)), "indices from 0 to 39, found -1 to -1"),
        (changed(indptr=np.arange(61)[::-1].copy()), "an indptr that ascends from 0"),
        (changed(indptr=np.arange(61) * 10**6), "an indptr that ascends from 0 to the number of values"),
        (changed(indptr=np.arange(60)), "a matrix in CSR form"),
        (changed(data=np.ones((3, 3))), "a matrix in CSR form"),
        (changed(data=np.array(["a"] * 999)), "an array of real numbers"),
    ],
)
def test_what_is_no_csr_of_that_width_is_refused(X, message):
    with pytest.raises(ValueError if "real" not in message else TypeError, match=re.escape(message)):
        MLP([40, 5, 3]).predict(X)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_blamed_with_its_place(bad):
    X = sparse.csr_matrix(DENSE)
    X.data[5] = bad
    place = re.escape(str((int(np.searchsorted(X.indptr, 5, side="right")) - 1, int(X.indices[5]))))
    model = MLP([40, 5, 3], activation="relu", seed=0)
    with pytest.raises(ValueError, match=f"X: expected finite numbers, found {bad} at index {place}"):
        model.fit(X, LABELS, epochs=1)
    with pytest.raises(ValueError, match=f"X: expected finite numbers, found {bad} at index {place}"):
        model.score(X, LABELS)


def test_what_is_csr_already_is_not_copied():
    X = sparse.csr_matrix(DENSE)
    rows = checks.csr("X", X)
    assert np.shares_memory(rows.values, X.data)
    assert np.shares_memory(rows.indices, X.indices)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert checks.csr("X", sparse.csr_matrix((0, 4))).shape == (0, 4)
