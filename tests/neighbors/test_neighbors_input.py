"""What Neighbors and cross_validate_k take, whatever its dtype and layout, and what they refuse."""

from __future__ import annotations

import re
import sys

import naive
import numpy as np
import pytest

import fastnn
from fastnn.errors import InvalidArgumentError, InvalidTypeError

ROWS = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 9, 9]])

# ---- dtypes


def truth(X, Q, k):
    """Distances and indices for lists of whole numbers."""
    values = naive.pair_values("euclidean", X, Q)
    found = [naive.k_nearest(row, k) for row in values]
    return [[v**0.5 for v, _ in row] for row in found], [[i for _, i in row] for row in found]


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    ("dtype", "searched"),
    [
        ("bool", "float32"),
        ("int8", "float32"),
        ("uint16", "float32"),
        ("int16", "float32"),
        ("float16", "float32"),
        ("int32", "float64"),
        ("uint32", "float64"),
        ("int64", "float64"),
        ("uint64", "float64"),
        (">f4", "float32"),
        (">i2", "float32"),
        (">f8", "float64"),
        ("longdouble", "float64"),
    ],
)
def test_dtypes(dtype, searched):
    """The extremes of each type, whose differences overflow it."""
    rng, kind = np.random.default_rng(0), np.dtype(dtype)
    if kind.kind in "iu":
        low, high = max(np.iinfo(kind).min, -(2**53)), min(np.iinfo(kind).max, 2**53)
    else:
        low, high = (0, 1) if kind.kind == "b" else (-2000, 2000)
    numbers = rng.integers(low, high, (25, 5), endpoint=True)
    numbers[0], numbers[1] = low, high
    numbers = numbers.astype(dtype)
    X, Q = numbers[:20], numbers[[0, 1, 20, 21]]
    index = fastnn.Neighbors().fit(X)
    assert index.X.dtype == searched
    distances, indices = index.search(Q, 4)
    expected, expected_indices = truth(X.astype(float).tolist(), Q.astype(float).tolist(), 4)
    assert indices.tolist() == expected_indices
    np.testing.assert_allclose(distances, expected, rtol=2**-23 if searched == "float32" else 1e-15)
    assert distances.dtype == searched


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("query", ["bool", "uint8", "int16", "int64", "float16", "float32", "float64"])
def test_queries_of_other_dtypes(dtype, query):
    X, Q = (ROWS % 2).astype(dtype), (ROWS[::-1] % 2).astype(query)
    distances, indices = fastnn.Neighbors().fit(X).search(Q, 4)
    expected, expected_indices = truth(X.tolist(), Q.tolist(), 4)
    assert indices.tolist() == expected_indices
    np.testing.assert_allclose(distances, expected, rtol=1e-7)


def test_lists_and_bytes():
    index = fastnn.Neighbors().fit([[0, 1], [5, 5]])
    assert index.X.dtype == np.float64
    assert index.search([[4, 4]], 1)[1].tolist() == [[1]]
    X = np.array([[0, 255], [128, 3]], np.uint8)
    index = fastnn.Neighbors().fit(X)
    assert index.X is X
    assert index.search([[255.0, 0.0]], 2)[0].tolist() == [[(127**2 + 3**2) ** 0.5, (2 * 255**2) ** 0.5]]


# ---- layouts


def layouts(array, folder):
    """The same numbers in every place and order there is."""
    read_only = array.copy()
    read_only.flags.writeable = False
    array.tofile(folder / "array")
    wide = np.zeros((len(array) * 2, array.shape[1] * 3), array.dtype)
    wide[::2, ::3] = array
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    raw[:] = array
    return {
        "read-only": read_only,
        "memory-mapped": np.memmap(folder / "array", array.dtype, mode="r", shape=array.shape),
        "Fortran": np.asfortranarray(array),
        "strided": wide[::2, ::3],
        "reversed": array[::-1, ::-1].copy()[::-1, ::-1],
        "unaligned": raw,
        "lists": array.tolist(),
    }


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine"])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "int16"])
def test_layouts(dtype, metric, tmp_path):
    rng = np.random.default_rng(0)
    X, Q = rng.integers(0, 256, (50, 20)).astype(dtype), rng.integers(0, 256, (9, 20)).astype(dtype)
    expected, expected_indices = fastnn.Neighbors(metric).fit(X).search(Q, 6)
    for rows in layouts(X, tmp_path).values():
        for pruning in ("always", "never"):
            distances, indices = fastnn.Neighbors(metric, pruning=pruning).fit(rows).search(Q, 6)
            np.testing.assert_array_equal(indices, expected_indices)
            np.testing.assert_allclose(distances, expected, rtol=1e-6)  # lists become float64
    index = fastnn.Neighbors(metric, pruning="always").fit(X)
    for queries in layouts(Q, tmp_path).values():
        distances, indices = index.search(queries, 6)
        np.testing.assert_array_equal(indices, expected_indices)
        np.testing.assert_array_equal(distances, expected)


def test_what_is_given_stays_as_it_was():
    X, Q, y = ROWS.astype(np.float32), ROWS[:2].astype(np.float32), np.array([2, 1, 2, 1])
    before = X.copy(), Q.copy(), y.copy()
    index = fastnn.Neighbors("cosine", pruning="always").fit(X, y)
    index.search(Q, 2)
    index.classify(Q, 2, "distance")
    index.radius(Q, 0.5)
    for array, copy in zip((X, Q, y), before, strict=True):
        np.testing.assert_array_equal(array, copy)


# ---- refusals


def refused(error, message, call, *arguments, **keywords):
    with pytest.raises(fastnn.FastnnError) as caught:
        call(*arguments, **keywords)
    assert type(caught.value) is error
    assert re.search(message, str(caught.value)), str(caught.value)


def with_one(value, dtype="float64"):
    X = ROWS.astype(dtype)
    X[2, 1] = value
    return X


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([], InvalidArgumentError, r"X: expected shape \(n, d\) with at least one row and column, found shape \(0,\)"),
        (np.empty((0, 3)), InvalidArgumentError, r"at least one row and column, found shape \(0, 3\)"),
        (np.empty((3, 0)), InvalidArgumentError, r"at least one row and column, found shape \(3, 0\)"),
        ([1, 2, 3], InvalidArgumentError, r"expected shape \(n, d\) .*, found shape \(3,\)"),
        (5, InvalidArgumentError, r"expected shape \(n, d\) .*, found shape \(\)"),
        (np.zeros((2, 2, 2)), InvalidArgumentError, r"expected shape \(n, d\) .*, found shape \(2, 2, 2\)"),
        ([[1, 2], [3]], InvalidArgumentError, "X: expected a rectangular array of numbers, found .*inhomogeneous"),
        ([["a", "b"]], InvalidTypeError, "X: expected an array of real numbers, found dtype <U1"),
        ([[1j]], InvalidTypeError, "X: expected an array of real numbers, found dtype complex128"),
        ([[None]], InvalidTypeError, "X: expected an array of real numbers, found dtype object"),
        (None, InvalidTypeError, "X: expected an array of real numbers, found dtype object"),
        (with_one(np.nan), InvalidArgumentError, r"X: expected finite numbers, found nan at index \(2, 1\)"),
        (with_one(np.inf), InvalidArgumentError, r"X: expected finite numbers, found inf at index \(2, 1\)"),
        (with_one(-np.inf, "float32"), InvalidArgumentError, r"X: expected finite .*, found -inf at index \(2, 1\)"),
        (with_one(np.nan, "float16"), InvalidArgumentError, r"X: expected finite numbers, found nan at index \(2, 1\)"),
        (with_one(-1e141), InvalidArgumentError, r"X: expected numbers up to 1e\+140, found 1e\+141"),
        (
            with_one(2**53 + 1, "int64"),
            InvalidArgumentError,
            r"X: expected integers up to 2\^53.*, found 9007199254740993",
        ),
        (with_one(-(2**63), "int64"), InvalidArgumentError, r"integers up to 2\^53.*, found 9223372036854775808"),
        (with_one(2**64 - 1, "uint64"), InvalidArgumentError, r"integers up to 2\^53.*, found 18446744073709551615"),
    ],
    ids=str,
)
def test_rows_that_are_refused(X, error, message):
    refused(error, message, fastnn.Neighbors().fit, X)
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.size:
        index = fastnn.Neighbors().fit(ROWS.astype(X.dtype))
        refused(error, message.replace("X:", "Q:"), index.search, X, 1)
        refused(error, message.replace("X:", "Q:"), index.radius, X, 1)
    refused(error, message, fastnn.cross_validate_k, X, [0, 1, 0, 1], [1], 2)


CALLS = {
    "search": lambda index, Q: index.search(Q, 1),
    "radius": lambda index, Q: index.radius(Q, 1.0),
    "classify": lambda index, Q: index.classify(Q, 1),
    "kneighbors_graph": lambda index, Q: index.kneighbors_graph(Q, 1),
    "radius_neighbors_graph": lambda index, Q: index.radius_neighbors_graph(Q, 1.0),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("Q", "error", "message"),
    [
        ([[1, 2]], InvalidArgumentError, r"Q: expected shape \(q, 3\), as wide as X, found shape \(1, 2\)"),
        ([1, 2], InvalidArgumentError, r"Q: expected shape \(q, 3\), as wide as X, found shape \(2,\)"),
        ([], InvalidArgumentError, r"Q: expected shape \(q, 3\), as wide as X, found shape \(0,\)"),
        (7, InvalidArgumentError, r"Q: expected shape \(q, 3\), as wide as X, found shape \(\)"),
        (np.zeros((1, 1, 3)), InvalidArgumentError, r"Q: expected shape \(q, 3\).*, found shape \(1, 1, 3\)"),
        ([[1, 2, 3], [4, 5]], InvalidArgumentError, "Q: expected a rectangular array of numbers, found "),
        ([["a", "b", "c"]], InvalidTypeError, "Q: expected an array of real numbers, found dtype <U1"),
    ],
    ids=str,
)
def test_queries_that_are_refused(call, Q, error, message):
    index = fastnn.Neighbors().fit(ROWS.astype(np.float32), [0, 1, 1, 0])
    refused(error, message, call, index, Q)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("wrong", [0.5, -1, 256, np.nan, np.inf, 255.5, 1e300], ids=str)
def test_queries_for_bytes_are_whole_numbers_too(call, wrong):
    index = fastnn.Neighbors().fit(ROWS.astype(np.uint8), [0, 1, 1, 0])
    message = r"Q: expected whole numbers 0\.\.255, as X is uint8, found "
    refused(InvalidArgumentError, message, call, index, [[1, wrong, 3]])
    if isinstance(wrong, int):
        for dtype in ("int16", "int64"):
            refused(InvalidArgumentError, message, call, index, np.array([[1, wrong, 3]], dtype))


def test_a_query_that_float32_cannot_hold():
    index = fastnn.Neighbors().fit(ROWS.astype(np.float32))
    refused(InvalidArgumentError, "Q: expected finite numbers, found inf", index.search, [[1, 2, 1e39]], 1)


def without_address(value):
    """A test's name, the same in every process."""
    return re.sub("0x[0-9a-f]+", "", str(value))


SEARCHES = {
    "search": lambda index, k: index.search(ROWS, k),
    "classify": lambda index, k: index.classify(ROWS, k),
}


@pytest.mark.parametrize("call", SEARCHES.values(), ids=SEARCHES)
@pytest.mark.parametrize(
    ("k", "error", "message"),
    [
        (5, InvalidArgumentError, "k: expected at most 4, the number of rows to choose from, found 5"),
        (0, InvalidArgumentError, "k: expected an integer of at least 1, found 0"),
        (-2, InvalidArgumentError, "k: expected an integer of at least 1, found -2"),
        (2.0, InvalidTypeError, "k: expected an integer, found float"),
        ("3", InvalidTypeError, "k: expected an integer, found str"),
        (True, InvalidTypeError, "k: expected an integer, found bool"),
        (None, InvalidTypeError, "k: expected an integer, found NoneType"),
        ({1, 2}, InvalidTypeError, "k: expected an integer, found set"),
        (np.array(3), InvalidTypeError, "k: expected an integer, found ndarray"),
        ([], InvalidArgumentError, "k: expected at least one integer, found none"),
        ([1, 0], InvalidArgumentError, r"k\[1\]: expected an integer of at least 1, found 0"),
        ([1, 7, 2], InvalidArgumentError, "k: expected at most 4, .*, found 7"),
        ([2, 1.5], InvalidTypeError, r"k\[1\]: expected an integer, found float"),
        ([[1, 2]], InvalidTypeError, "k: expected an integer, found list"),
        (np.array([1.0, 2.0]), InvalidTypeError, r"k\[0\]: expected an integer, found float64"),
        (np.array([[1, 2]]), InvalidTypeError, "k: expected an integer, found ndarray"),
        (memoryview(np.ones((2, 2))), InvalidTypeError, "k: expected an integer, found memoryview"),
        (memoryview(np.array(3)), InvalidTypeError, "k: expected an integer, found memoryview"),
        (memoryview(np.array([1.0])), InvalidTypeError, "k: expected an integer, found float"),
    ],
    ids=without_address,
)
def test_numbers_of_neighbours_that_are_refused(call, k, error, message):
    refused(error, message, call, fastnn.Neighbors().fit(ROWS, [0, 1, 2, 3]), k)


@pytest.mark.parametrize(
    ("radius", "error", "message"),
    [
        (-1, InvalidArgumentError, "radius: expected a finite number at least 0, found -1"),
        (np.nan, InvalidArgumentError, "radius: expected a finite number at least 0, found nan"),
        (np.inf, InvalidArgumentError, "radius: expected a finite number at least 0, found inf"),
        ("1", InvalidTypeError, "radius: expected a number, found str"),
        (None, InvalidTypeError, "radius: expected a number, found NoneType"),
        ([1.0], InvalidTypeError, "radius: expected a number, found list"),
    ],
    ids=str,
)
def test_radii_that_are_refused(radius, error, message):
    index = fastnn.Neighbors().fit(ROWS)
    refused(error, message, index.radius, ROWS, radius)
    refused(error, message, index.radius_neighbors_graph, ROWS, radius)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ([0, 1, 2], InvalidArgumentError, r"y: expected shape \(4,\), one label per row of X, found shape \(3,\)"),
        (np.eye(4), InvalidArgumentError, r"y: expected shape \(4,\), one label per row of X, found shape \(4, 4\)"),
        (3, InvalidArgumentError, r"y: expected shape \(4,\), one label per row of X, found shape \(\)"),
        ([0, 1, [2], 3], InvalidArgumentError, "y: expected labels or a rectangular array, found .*inhomogeneous"),
        (np.ma.masked_equal([0, 1, 2, 3], 3), InvalidArgumentError, "y: .* of which nothing is masked, found 1 masked"),
        ([0, 1, 2, np.nan], InvalidArgumentError, "y: expected finite labels, found NaN or infinity"),
        (
            [0, 1, None, 3],
            InvalidTypeError,
            "y: expected names or numbers, all of one plain type, .*, found None, NoneType, at index 2, beside int",
        ),
    ],
    ids=str,
)
def test_labels_that_are_refused(y, error, message):
    refused(error, message, fastnn.Neighbors().fit, ROWS, y)
    refused(error, message, fastnn.cross_validate_k, ROWS, y, [1], 2)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ("closest", InvalidArgumentError, "weights: expected one of uniform, distance, found 'closest'"),
        (3, InvalidTypeError, "weights: expected one of uniform, distance, found int"),
        (None, InvalidTypeError, "weights: expected one of uniform, distance, found NoneType"),
        (
            lambda d: d[:, :1],
            InvalidArgumentError,
            r"weights\(distances\): expected shape \(4, 2\), found shape \(4, 1\)",
        ),
        (lambda d: 1.0, InvalidArgumentError, r"weights\(distances\): expected shape \(4, 2\), found shape \(\)"),
        (lambda d: d.astype(str), InvalidTypeError, r"weights\(distances\): expected an array of real numbers, found "),
        (lambda d: d * np.nan, InvalidArgumentError, r"weights\(distances\): expected numbers, found NaN"),
        (
            lambda d: np.full(d.shape, -np.inf),
            InvalidArgumentError,
            r"weights\(distances\): expected numbers from -1e\+300 to 1e\+300, or inf, found -inf",
        ),
        (
            lambda d: np.full(d.shape, 1e301),
            InvalidArgumentError,
            r"weights\(distances\): expected numbers from -1e\+300 to 1e\+300, or inf, found 1e\+301",
        ),
        (
            lambda d: d * 0,
            InvalidArgumentError,
            r"weights\(distances\): expected some weight other than 0 for each query, found none for query 0",
        ),
        (
            lambda d: (np.arange(len(d)) != 2)[:, np.newaxis] * np.ones(d.shape),
            InvalidArgumentError,
            r"weights\(distances\): expected some weight other than 0 for each query, found none for query 2",
        ),
        (
            int,
            InvalidArgumentError,
            r"weights\(distances\): expected a function of an array of distances \(4, 2\), found TypeError: ",
        ),
        (
            lambda d: 1 / d if d > 0 else 1,
            InvalidArgumentError,
            r"expected a function of an array of distances \(4, 2\), found ValueError: The truth value of an array",
        ),
    ],
    ids=[
        "unknown",
        "int",
        "None",
        "shape",
        "scalar",
        "strings",
        "NaN",
        "-inf",
        "huge",
        "zeros",
        "a query of zeros",
        "a type",
        "of one distance",
    ],
)
def test_weights_that_are_refused(weights, error, message):
    index = fastnn.Neighbors().fit(ROWS, [0, 1, 0, 1])
    refused(error, message, index.classify, ROWS, 2, weights)
    X = np.concatenate([ROWS, ROWS + 0.5])
    refused(error, message, fastnn.cross_validate_k, X, [0, 1] * 4, [2], 2, weights=weights)


def test_what_a_function_of_weights_raises_is_let_through():
    class OwnError(ValueError):
        pass

    def weights(distances):
        raise error

    index = fastnn.Neighbors().fit(ROWS, [0, 1, 0, 1])
    for error in (OwnError("mine"), ZeroDivisionError("mine"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught:
            index.classify(ROWS, 2, weights)
        assert caught.value is error
    error = TypeError("mine")
    with pytest.raises(InvalidArgumentError) as caught:
        index.classify(ROWS, 2, weights)
    assert caught.value.__cause__ is error


def test_what_is_of_use_after_a_search_is_refused_before_it(monkeypatch):
    index = fastnn.Neighbors().fit(ROWS, [0, 1, 0, 1])
    for call in (
        lambda **keywords: index.search(ROWS, 2, **keywords),
        lambda **keywords: index.classify(ROWS, 2, **keywords),
        lambda **keywords: fastnn.cross_validate_k(ROWS, [0, 1, 0, 1], [1], 2, **keywords),
    ):
        call(progress=None)
        with monkeypatch.context() as patch:
            patch.setattr("fastnn.neighbors.index.get_backend", None)  # what a search would call
            message = "progress: expected a function of how many are done, True or False, found int"
            refused(InvalidTypeError, message, call, progress=1)
    monkeypatch.setattr("fastnn.neighbors.index.get_backend", None)
    refused(InvalidArgumentError, "weights: expected one of ", index.classify, ROWS, 2, "closest")


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("metric", "l3", InvalidArgumentError, "metric: expected one of euclidean, manhattan, cosine, found 'l3'"),
        ("metric", 2, InvalidTypeError, "metric: expected one of euclidean, manhattan, cosine, found int"),
        ("pruning", "yes", InvalidArgumentError, "pruning: expected one of auto, always, never, found 'yes'"),
        ("pruning", True, InvalidTypeError, "pruning: expected one of auto, always, never, found bool"),
    ],
)
def test_names_that_are_refused(name, value, error, message):
    refused(error, message, fastnn.Neighbors, **{name: value})
    if name == "metric":
        refused(error, message, fastnn.cross_validate_k, ROWS, [0, 1, 0, 1], [1], 2, metric=value)


def test_a_search_needs_rows_and_a_vote_labels():
    for call in CALLS.values():
        refused(fastnn.FastnnError, r"Neighbors: expected fit\(X\) before a search", call, fastnn.Neighbors(), ROWS)
    refused(fastnn.FastnnError, r"fit\(X\) before a search", fastnn.Neighbors().kneighbors_graph)
    index = fastnn.Neighbors().fit(ROWS)
    refused(fastnn.FastnnError, r"expected fit\(X, y\) with labels before classify", index.classify, ROWS, 1)


def test_graphs_that_are_refused(monkeypatch):
    index = fastnn.Neighbors().fit(ROWS)
    message = "mode: expected one of connectivity, distance, found 'both'"
    refused(InvalidArgumentError, message, index.kneighbors_graph, ROWS, 1, "both")
    refused(InvalidArgumentError, message, index.radius_neighbors_graph, ROWS, 1.0, "both")
    refused(InvalidArgumentError, "k: expected at most 3, ", index.kneighbors_graph, None, 4)
    refused(InvalidTypeError, "k: expected an integer, found list", index.kneighbors_graph, None, [1, 2])
    refused(InvalidTypeError, "k: expected an integer, found list", index.kneighbors_graph, ROWS, [1, 2])
    refused(InvalidArgumentError, "only one row", fastnn.Neighbors().fit([[1.0]]).kneighbors_graph)
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    refused(
        fastnn.FastnnError, "a graph needs SciPy; install it with: pip install scipy", index.kneighbors_graph, ROWS, 1
    )


PAIR = ([0, 1], [2, 3])


@pytest.mark.parametrize(
    ("ks", "folds", "error", "message"),
    [
        ([], 2, InvalidArgumentError, "ks: expected at least one integer, found none"),
        ([1, 0], 2, InvalidArgumentError, r"ks\[1\]: expected an integer of at least 1, found 0"),
        ([1, 3], 2, InvalidArgumentError, "ks: expected at most 2, the number of rows to choose from, found 3"),
        ([3], [([0, 1, 2], [3]), PAIR], InvalidArgumentError, "ks: expected at most 2, "),
        ("1,2", 2, InvalidTypeError, "ks: expected an integer, found str"),
        ([1], 1, InvalidArgumentError, "folds: expected an integer of at least 2, found 1"),
        ([1], 5, InvalidArgumentError, "folds: expected at most 4, one per row, found 5"),
        ([1], True, InvalidTypeError, "folds: expected an integer, found bool"),
        ([1], 2.5, InvalidTypeError, "folds: expected a number of folds or pairs of indices, found float"),
        ([1], None, InvalidTypeError, "folds: expected a number of folds or pairs of indices, found NoneType"),
        ([1], np.array(2), InvalidTypeError, "folds: expected a number of folds or pairs of indices, found ndarray"),
        ([1], memoryview(np.eye(2)), InvalidTypeError, "folds: expected a number of folds or .*, found memoryview"),
        ([1], [np.array(2)], InvalidArgumentError, r"folds\[0\]: expected training indices and test indices, found "),
        ([1], [memoryview(np.eye(2))], InvalidArgumentError, r"folds\[0\]: expected training indices and test indices"),
        ([1], [], InvalidArgumentError, "folds: expected at least one pair of training and test indices, found none"),
        ([1], [PAIR, ([0],)], InvalidArgumentError, r"folds\[1\]: expected training indices and test indices, found "),
        ([1], [3, 4], InvalidArgumentError, r"folds\[0\]: expected training indices and test indices, found 3"),
        (
            [1],
            [([], [1])],
            InvalidArgumentError,
            r"folds\[0\]: expected training indices \(n,\), found float64 of shape",
        ),
        ([1], [PAIR, ([0], [1.0])], InvalidArgumentError, r"folds\[1\]: expected test indices \(n,\), found float64"),
        ([1], [([0, 1], [4])], InvalidArgumentError, r"folds\[0\]: expected test indices from 0 to 3, found 4 to 4"),
        ([1], [([-1, 1], [2])], InvalidArgumentError, r"folds\[0\]: expected training indices from 0 to 3, found -1"),
        ([1], ["ab"], InvalidTypeError, r"folds\[0\]: expected an array of real numbers, found dtype <U1"),
    ],
    ids=without_address,
)
def test_cross_validations_that_are_refused(ks, folds, error, message):
    refused(error, message, fastnn.cross_validate_k, ROWS, [0, 1, 0, 1], ks, folds)


@pytest.mark.skipif(np.finfo(np.longdouble).max == np.finfo(float).max, reason="needs numbers beyond float64")
def test_numbers_beyond_float64_are_refused_without_a_warning():
    X = np.ones((4, 2), np.longdouble)
    X[2, 1] = np.longdouble(10) ** 400
    with pytest.raises(InvalidArgumentError, match=r"X: expected finite numbers, found inf at index \(2, 1\)"):
        fastnn.Neighbors().fit(X)
