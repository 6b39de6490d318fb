"""The knn of fastnn.dropin.scratch against the tutorials' function, written anew from its description."""

import gc
import threading
import weakref
from collections import Counter

import numpy as np
import pytest

import fastnn
from fastnn.dropin import scratch, scratch_knn
from fastnn.dropin.scratch import knn, knn_batch

PIXELS, ROWS = 30, 90


def oracle(k, train, labels, test):
    """Distances in float64; the k nearest, of equal distances those of the lowest index; the commonest label."""
    train, test = np.array(train, dtype=np.float64), np.array(test, dtype=np.float64)
    distances = np.sum((train - test) ** 2, axis=1) ** 0.5
    nearest = sorted(range(len(train)), key=lambda i: (distances[i], i))[:k]
    counts = Counter(int(labels[i]) for i in nearest)
    return min(label for label, count in counts.items() if count == max(counts.values()))


def images(count=ROWS, seed=0):
    """Whole numbers 0..255, few enough different ones for equal distances."""
    return np.random.default_rng(seed).choice([0, 0, 0, 1, 128, 255], (count, PIXELS)).astype(np.uint8)


LABELS = np.random.default_rng(9).integers(0, 4, ROWS).tolist()


@pytest.fixture(autouse=True)
def numpy_backend():
    scratch.forget()
    with fastnn.use("numpy"):
        yield
    scratch.forget()


@pytest.fixture
def conversions(monkeypatch):
    """How often a training set has been converted: the shapes."""
    made, convert = [], scratch_knn._TrainingSet.__init__

    def count(self, rows, *others):
        made.append(rows.shape)
        convert(self, rows, *others)

    monkeypatch.setattr(scratch_knn._TrainingSet, "__init__", count)
    return made


@pytest.mark.quick("backend")
@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("k", [1, 2, 5, 40, ROWS])
def test_every_backend_gives_the_originals_answers(k):
    X, queries = images(), images(12, seed=1)
    expected = [oracle(k, X, LABELS, query) for query in queries]
    assert [knn(k, X.tolist(), LABELS, query.tolist()) for query in queries] == expected
    assert knn_batch(k, X, np.array(LABELS), queries).tolist() == expected


def reals(X):
    return X / 255.0 - 0.3


FORMS = {
    "uint8": lambda X: X,
    "int8": lambda X: (X // 2).astype(np.int8) - 60,
    "int64": lambda X: X.astype(np.int64),
    "large integers": lambda X: X.astype(np.int64) * 10**12,
    "bool": lambda X: X > 0,
    "float16": lambda X: X.astype(np.float16) / 3,
    "float32": lambda X: X.astype(np.float32) / 3,
    "float64": lambda X: X.astype(np.float64),
    "real float64": reals,
    "longdouble": lambda X: X.astype(np.longdouble) / 4,
    "columns first": lambda X: np.asfortranarray(reals(X)),
    "every other": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "read-only": lambda X: np.frombuffer(X.tobytes(), np.uint8).reshape(X.shape),
    "list": lambda X: X.tolist(),
    "list of floats": lambda X: X.astype(float).tolist(),
    "list of reals": lambda X: reals(X).tolist(),
    "list of NumPy's floats": lambda X: [list(row) for row in reals(X)],
    "tuples": lambda X: tuple(map(tuple, X.tolist())),
    "list of arrays": lambda X: [row.astype(np.float64) for row in X],
    "tuple of views": lambda X: tuple(reals(X)),
    "list of mixed arrays": lambda X: [row if i % 2 else row / 2 for i, row in enumerate(X)],
    "mixed rows": lambda X: [row if i % 2 else row.tolist() for i, row in enumerate(X)],
}


@pytest.mark.parametrize("form", FORMS)
def test_any_form(form):
    X, queries = FORMS[form](images()), FORMS[form](images(4, seed=1))
    for query in queries:
        expected = oracle(5, X, LABELS, query)
        label = knn(5, X, LABELS, query)
        assert type(label) is int
        assert label == expected
    found = knn_batch(5, X, LABELS, queries)
    assert found.dtype == np.int64
    assert found.tolist() == [oracle(5, X, LABELS, query) for query in queries]


@pytest.mark.parametrize("form", ["float64", "int64", "list", "list of floats", "list of arrays"])
def test_bytes_of_any_dtype_are_searched_as_bytes(form):
    X = FORMS[form](images())
    knn(5, X, LABELS, [3] * PIXELS)
    assert scratch_knn._kept.rows.dtype == np.uint8
    assert list(scratch_knn._kept._indexes) == [np.dtype(np.uint8)]


@pytest.mark.parametrize("query", [[0.5] * PIXELS, [-1] * PIXELS, [256] * PIXELS, [0.1] * PIXELS, [1e100] * PIXELS])
@pytest.mark.parametrize("form", ["uint8", "float32", "list of reals"])
def test_a_query_is_not_rounded_to_the_training_sets_type(form, query):
    X = FORMS[form](images())
    assert knn(3, X, LABELS, query) == oracle(3, X, LABELS, query)


def test_distances_that_only_float64_tells_apart():
    X = np.array([[1.0], [1 + 2**-30]], np.float64)
    assert knn(1, X, [0, 1], [1 + 2**-30]) == 1
    assert knn(1, np.array([[1], [3]], np.float32), [0, 1], [2 + 2**-30]) == 1
    assert knn(1, [[1], [3]], [0, 1], [2 + 2**-30]) == 1


def test_equal_distances_go_to_the_lowest_index_and_equal_votes_to_the_lowest_label():
    X = [[2], [0], [2], [0], [9]]
    assert knn(1, X, [7, 3, 1, 0, 5], [1]) == 7
    assert knn(2, X, [7, 3, 1, 0, 5], [1]) == 3
    assert knn(3, X, [7, 3, 3, 7, 5], [1]) == 3
    assert knn(4, X, [10**12, 3, 3, 10**12, 5], [1]) == 3
    assert knn(5, X, [8, 3, 1, 8, 5], [1]) == 8


def shorten(X):
    del X[3]


def shift(X):
    X[0], X[1] = X[0][:-1], np.concatenate([X[0][-1:], X[1]])  # joined, all numbers are where they were


EDITS = {  # of the number of row 41, column 7
    "uint8": lambda X: X.__setitem__((41, 7), 77),
    "float64": lambda X: X.__setitem__((41, 7), 128.5),
    "real float64": lambda X: X.__setitem__((41, 7), np.nextafter(X[41, 7], 1)),
    "columns first": lambda X: X.__setitem__((41, 7), 0.25),
    "every other": lambda X: X.__setitem__((41, 7), 77),
    "list": lambda X: X[41].__setitem__(7, 77),
    "list of floats": lambda X: X[41].__setitem__(7, np.nextafter(X[41][7], 1)),
    "list of reals": lambda X: X[41].__setitem__(7, X[41][7] + 1e-9),
    "list of arrays": lambda X: X[41].__setitem__(7, 77),
    "tuple of views": lambda X: X[41].__setitem__(7, 77),
}


@pytest.mark.parametrize("form", EDITS)
def test_a_set_is_converted_once_and_edits_in_place_are_seen(form, conversions):
    X = FORMS[form](images())
    query = np.asarray(X[0])
    for _ in range(3):
        knn(5, X, LABELS, query)
        knn_batch(5, X, LABELS, query[np.newaxis])
    assert len(conversions) == 1
    EDITS[form](X)
    assert knn(1, X, list(range(ROWS)), X[41]) == 41
    assert len(conversions) == 2
    np.testing.assert_array_equal(scratch_knn._kept.rows, np.array(X))


@pytest.mark.parametrize(
    ("form", "edit"),
    [
        ("list", lambda X: X.append(X[0])),
        ("list", shorten),
        ("list", lambda X: X.reverse()),
        ("list", lambda X: X.__setitem__(5, [0] * PIXELS)),
        ("list of reals", shorten),
        ("list of reals", lambda X: X.pop()),
        ("list of reals", lambda X: X.append(X[0])),
        ("list of reals", lambda X: X.__setitem__(5, [0] * PIXELS)),
        ("list of arrays", shorten),
        ("list of arrays", lambda X: X.__setitem__(5, np.zeros(PIXELS))),
        ("list of arrays", lambda X: X.__setitem__(5, [0] * PIXELS)),
        ("uint8", lambda X: X.__iadd__(1)),
    ],
)
def test_rows_that_come_and_go_are_seen(form, edit, conversions):
    X, labels = FORMS[form](images()), list(range(ROWS + 1))
    knn(1, X, labels, np.zeros(PIXELS))
    edit(X)
    for query in (np.zeros(PIXELS), np.asarray(X[-1])):
        assert knn(1, X, labels, query) == oracle(1, X, labels, query)
    assert conversions[1] == (len(X), PIXELS)


@pytest.mark.parametrize("form", [np.array, list])
def test_other_types_are_other_sets(form):
    first = form([np.array([0.25, 0.5]), np.array([0.75, 1.5])])
    second = form([np.array([0, 0]), np.array([0, 1])])  # what the first is if it is cast
    knn(1, first, [0, 1], [0, 1])
    assert knn(1, second, [0, 1], [0, 1]) == 1
    assert scratch_knn._kept.rows.tolist() == [[0, 0], [0, 1]]


def test_equal_lists_with_other_items(conversions):
    # Of ints there is one each; of floats, the second list's items would be compared by value again and again.
    for form, expected in (("list", 1), ("list of floats", 3), ("list of reals", 4)):
        X, again = FORMS[form](images()), FORMS[form](images())
        for dataset in (X, again, again):
            knn(1, dataset, LABELS, [0] * PIXELS)
        assert len(conversions) == expected
        scratch.forget()


def test_an_equal_number_of_less_precision_is_another():
    X, query = [[0.1], [0.2]], [0.149995]
    assert knn(1, X, [0, 1], query) == 0
    X[0][0] = np.float16(0.1)  # 0.09998
    assert X == [[0.1], [0.2]]
    assert knn(1, X, [0, 1], query) == 1


def test_items_that_change_in_place_are_seen():
    pixel = np.array(5)
    X = [[pixel], [9]]
    assert knn(1, X, [0, 1], [5]) == 0
    pixel[...] = 50
    assert knn(1, X, [0, 1], [5]) == 1
    shared = [1, 2]
    X = [shared, shared, [7, 7]]
    assert knn(1, X, [0, 1, 2], [7, 7]) == 2
    shared[:] = 7, 7
    assert knn(1, X, [0, 1, 2], [7, 7]) == 0


def test_rows_whose_border_moves_are_seen():
    X = [row.copy() for row in images()]
    knn(1, X, LABELS, X[0])
    shift(X)
    with pytest.raises(fastnn.FastnnError, match="train_dataset: expected a rectangular array"):
        knn(1, X, LABELS, images()[0])


def test_numbers_that_are_none_any_more_are_refused():
    for form, value in (("float64", np.nan), ("list", None), ("list of reals", "0"), ("list of reals", np.inf)):
        X = FORMS[form](images())
        knn(1, X, LABELS, [0] * PIXELS)
        X[3][3] = value
        for _ in range(2):
            with pytest.raises(fastnn.FastnnError, match="train_dataset: expected"):
                knn(1, X, LABELS, [0] * PIXELS)


@pytest.mark.parametrize("form", [list, np.array, np.float32])
def test_whole_floats_and_labels_beyond_9(form):
    letters = form([float(label + 20) for label in LABELS])
    for query in images(5, seed=1):
        found = knn(5, X, letters, query)
        assert type(found) is int
        assert found == oracle(5, X, LABELS, query) + 20


def test_labels_may_be_edited_and_more_than_the_images(conversions):
    X, labels = images(), [1] * ROWS
    assert knn(3, X, labels, X[0]) == 1
    labels[:] = [2] * ROWS
    assert knn(3, X, labels, X[0]) == 2
    assert knn(3, X[:40], labels, X[0]) == 2
    assert knn(3, X[:40], np.array(labels, np.uint8), X[0]) == 2
    assert len(conversions) == 2


def test_views_made_anew_are_known_again(conversions):
    whole = reals(images(200))
    for _ in range(3):
        knn(3, whole[:ROWS], LABELS, whole[0])
        gc.collect()
    assert len(conversions) == 1


def test_one_set_is_kept_and_released_with_its_array():
    first, second = reals(images()), [row.copy() for row in images(seed=1)]
    knn(3, first, LABELS, first[0])
    kept = weakref.ref(scratch_knn._kept)
    knn(3, second, LABELS, second[0])
    gc.collect()
    assert kept() is None
    del first
    assert scratch_knn._kept is not None
    del second
    gc.collect()
    assert scratch_knn._kept is None
    third = images().tolist()
    knn(3, third, LABELS, third[0])
    assert scratch_knn._kept is not None
    scratch.forget()
    assert scratch_knn._kept is None


def test_a_copy_is_kept_not_the_array(conversions):
    X = images()
    knn(3, X, LABELS, X[0])
    assert not np.shares_memory(scratch_knn._kept.rows, X)
    X = np.random.default_rng(0).random((ROWS, PIXELS))
    knn(3, X, LABELS, X[0])
    assert scratch_knn._kept.rows.dtype == np.float64
    assert not np.shares_memory(scratch_knn._kept.rows, X)


def test_threads_with_different_sets():
    sets = [images(seed=seed) if seed % 2 else reals(images(seed=seed)).tolist() for seed in range(4)]
    expected = [[oracle(5, X, LABELS, query) for query in X[:10]] for X in sets]
    found = [[] for _ in sets]
    start = threading.Barrier(len(sets))

    def work(i):
        with fastnn.use("numpy"):
            start.wait()
            for _ in range(5):
                found[i].append([knn(5, sets[i], LABELS, query) for query in sets[i][:10]])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(sets))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[answer] * 5 for answer in expected]


def test_no_queries():
    assert knn_batch(3, images(), LABELS, np.empty((0, PIXELS))).tolist() == []


X = images()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, X, LABELS, X[0]), "k: expected an integer of at least 1, found 0"),
        ((ROWS + 1, X, LABELS, X[0]), f"k: expected at most {ROWS}"),
        ((2.0, X, LABELS, X[0]), "k: expected an integer, found float"),
        (([1, 3], X, LABELS, X[0]), "k: expected an integer, found list"),
        ((3, X[0], LABELS, X[0]), r"train_dataset: expected shape \(n, d\)"),
        ((3, X.reshape(ROWS, 5, 6), LABELS, X[0]), r"train_dataset: expected shape \(n, d\)"),
        ((3, [], LABELS, X[0]), r"train_dataset: expected shape \(n, d\)"),
        ((3, [[], []], [0, 1], []), r"train_dataset: expected shape \(n, d\)"),
        ((3, [[1, 2], [3]], [0, 1], [1, 2]), "train_dataset: expected a rectangular array"),
        ((1, [["a"], ["b"]], [0, 1], ["a"]), "test_data: expected an array of real numbers"),
        ((1, [["a"], ["b"]], [0, 1], [1]), "train_dataset: expected an array of real numbers"),
        ((1, [[np.nan], [1]], [0, 1], [1]), "train_dataset: expected finite numbers"),
        ((1, [[2**53 + 1], [1]], [0, 1], [1]), r"train_dataset: expected integers up to 2\^53"),
        ((3, X, LABELS[:-1], X[0]), rf"train_labels: expected shape \({ROWS},\), one label per image"),
        ((3, X, np.zeros((ROWS, 1), int), X[0]), rf"train_labels: expected shape \({ROWS},\)"),
        ((3, X, 7, X[0]), rf"train_labels: expected shape \({ROWS},\)"),
        ((3, X, [0.5] * ROWS, X[0]), "train_labels: expected whole numbers, found dtype float64"),
        ((3, X, [np.nan] * ROWS, X[0]), "train_labels: expected whole numbers, found dtype float64"),
        ((3, X, [1e300] * ROWS, X[0]), "train_labels: expected whole numbers, found dtype float64"),
        ((3, X, [-1.0] * ROWS, X[0]), "train_labels: expected whole numbers of at least 0, found -1"),
        ((3, X, ["a"] * ROWS, X[0]), "train_labels: expected an array of real numbers"),
        ((3, X, [[1]] * ROWS, X[0]), r"train_labels: expected whole numbers, found int64 of shape \(1,\)"),
        ((3, X, [-1] * ROWS, X[0]), "train_labels: expected whole numbers of at least 0, found -1"),
        ((3, X, LABELS, X[0, :-1]), f"test_data: expected {PIXELS} numbers an image, as in train_dataset, found 29"),
        ((3, X, LABELS, X[:2]), r"test_data: expected one flattened image \(d,\), found shape \(2, 30\)"),
        ((3, X, LABELS, 5), r"test_data: expected one flattened image \(d,\)"),
        ((3, X, LABELS, [np.inf] * PIXELS), "test_data: expected finite numbers"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(fastnn.FastnnError, match=f"^{message}"):
        knn(*arguments)


def test_bad_input_of_the_batch_form():
    for query, message in (
        (X[0], r"test_images: expected flattened images \(q, d\), found shape \(30,\)"),
        (X[:3, :-1], "test_images: expected 30 numbers an image"),
        (np.full((2, PIXELS), np.nan), "test_images: expected finite numbers"),
    ):
        with pytest.raises(fastnn.FastnnError, match=message):
            knn_batch(3, X, LABELS, query)
    with pytest.raises(fastnn.FastnnError, match="train_labels: expected whole numbers"):
        knn_batch(3, X, [0.5] * ROWS, X)
