"""fastnn.dropin.rashid against a class written anew from the book's description."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import rashid_oracle
import scipy.special

import fastnn
from fastnn.dropin import rashid, rashid2017
from fastnn.dropin.rashid import neuralNetwork

SIZES = (12, 7, 4)


def twins(seed=3, sizes=SIZES, rate=0.3, **options):
    np.random.seed(seed)
    oracle = rashid_oracle.neuralNetwork(*sizes, rate)
    np.random.seed(seed)
    return neuralNetwork(*sizes, rate, **options), oracle


def samples(count=40, seed=1, sizes=SIZES):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.01, 1, (count, sizes[0])), rng.choice([0.01, 0.99], (count, sizes[-1]))


def distance(ours, oracle):
    pairs = (ours.wih, oracle.wih), (ours.who, oracle.who)
    return max(np.abs(found - expected).max() / np.abs(expected).max() for found, expected in pairs)


@pytest.fixture(params=["native", "numba", "numpy"])
def any_backend(request):
    with fastnn.use(request.param):
        yield


def test_the_weights_are_drawn_as_the_original_draws_them():
    ours, oracle = twins()
    assert (ours.wih == oracle.wih).all()
    assert (ours.who == oracle.who).all()
    assert (ours.inodes, ours.hnodes, ours.onodes, ours.lr) == (*SIZES, 0.3)
    assert rashid.neuralnetwork is neuralNetwork


def test_the_weights_of_the_books_repository():
    np.random.seed(3)
    ours = rashid2017.neuralnetwork(784, 100, 10, 0.1)
    np.random.seed(3)
    oracle = rashid_oracle.neuralNetwork2017(784, 100, 10, 0.1)
    assert (ours.wih == oracle.wih).all()
    assert (ours.who == oracle.who).all()
    assert rashid2017.neuralNetwork is rashid2017.neuralnetwork
    assert (rashid2017.load_csv, rashid2017.Rows) == (rashid.load_csv, rashid.Rows)
    X, T = samples(sizes=(784, 100, 10))
    for x, t in zip(X, T, strict=True):
        ours.train(x, t)
        oracle.train(x, t)
    assert distance(pickle.loads(pickle.dumps(ours)), oracle) < 1e-12


@pytest.mark.quick
@pytest.mark.usefixtures("any_backend")
def test_a_hundred_calls_of_train():
    ours, oracle = twins()
    X, T = samples(100)
    for x, t in zip(X, T, strict=True):
        ours.train(list(x), list(t))
        oracle.train(x, t)
    assert distance(ours, oracle) < 1e-12
    np.testing.assert_allclose(ours.query(X), oracle.query(X), rtol=1e-11)
    assert ours.query(X[0]).shape == (4, 1)


@pytest.mark.usefixtures("any_backend")
def test_a_batch_is_one_update_by_its_sum():
    ours, oracle = twins()
    X, T = samples(30)
    for first in range(0, 30, 6):
        ours.train(X[first : first + 6], T[first : first + 6])
        oracle.train(X[first : first + 6], T[first : first + 6])
    assert distance(ours, oracle) < 1e-12


@pytest.mark.usefixtures("any_backend")
def test_fit_makes_the_same_updates_as_train():
    ours, oracle = twins()
    X, T = samples()
    ours.fit(X, T, 3)
    for x, t in zip(np.tile(X, (3, 1)), np.tile(T, (3, 1)), strict=True):
        oracle.train(x, t)
    assert distance(ours, oracle) < 1e-11


def test_mnist_at_the_size_of_the_book():
    (images, labels), _ = fastnn.datasets.load_mnist()
    X = images[:100] / 255.0 * 0.99 + 0.01
    T = np.where(np.arange(10) == labels[:100, np.newaxis], 0.99, 0.01)
    sizes = (784, 100, 10)
    ours, oracle = twins(sizes=sizes, rate=0.1)
    fitted, _ = twins(sizes=sizes, rate=0.1)
    for x, t in zip(X, T, strict=True):
        ours.train(x, t)
        oracle.train(x, t)
    fitted.fit(X, T)
    assert distance(ours, oracle) < 1e-10
    assert distance(fitted, oracle) < 1e-10


def test_uint8_inputs_stand_for_themselves():
    ours, oracle = twins(rate=0.01)
    X, T = samples()
    X = (X * 4).astype(np.uint8)
    ours.fit(X, T)
    for x, t in zip(X, T, strict=True):
        oracle.train(x, t)
    assert distance(ours, oracle) < 1e-12


def test_float32():
    ours, oracle = twins(dtype="float32")
    X, T = samples()
    ours.fit(X, T)
    for x, t in zip(X, T, strict=True):
        oracle.train(x, t)
    assert ours.wih.dtype == ours.query(X).dtype == np.float32
    assert distance(ours, oracle) < 1e-5


def test_weights_may_be_assigned_and_edited_and_kept():
    ours, oracle = twins()
    X, T = samples()
    ours.wih = oracle.wih = oracle.wih * 0.5
    ours.who += 0.25
    oracle.who += 0.25
    kept = ours.wih
    ours.train(X[0], T[0])
    oracle.train(X[0], T[0])
    assert distance(ours, oracle) < 1e-13
    assert (kept == ours.wih).all()  # as the original, it changes its arrays in place


def test_one_sample_is_queried_by_the_present_weights(any_backend):
    """A query of one sample takes the sum of the weights for its blank inputs: it must follow every change of them."""
    ours, oracle = twins()
    X, T = samples()
    x = np.where(X[1] < 0.5, 0.01, X[1])
    x[[0, -1]] = 0.01
    kept = {}  # what the caller may keep, and change later

    def scale_column(net):
        net.wih[:, 3] *= 1.5

    def assign(net):
        net.wih = np.flip(net.wih).copy()

    def train_one(net):
        net.train(X[0], T[0])

    def train_some(net):
        net.train(X[:7], T[:7])

    def train_rows(net):
        for k in range(3):
            net.train(X[k], T[k])

    def keep(net):
        kept[net] = net.wih[1:, 2:]

    def change_kept(net):
        kept[net][2] -= 0.25

    def change_and_drop(net):
        kept.pop(net)[0] += 0.5

    steps = (scale_column, train_one, assign, train_some, keep, change_kept, train_rows, change_kept, change_and_drop)
    for step in (lambda net: None, *steps, scale_column):
        step(ours)
        step(oracle)
        for _ in range(2):
            np.testing.assert_allclose(ours.query(x), oracle.query(x), rtol=1e-12)
    rows = np.array([x, X[3]])
    np.testing.assert_allclose(ours.query(rows), oracle.query(rows), rtol=1e-12)
    for step in (lambda net: net.fit(X, T), train_rows):
        again = pickle.loads(pickle.dumps(ours))
        before = ours.query(x)
        step(again)
        np.testing.assert_array_equal(ours.query(x), before)
        assert np.abs(again.query(x) - before).max() > 1e-4
        np.testing.assert_allclose(again.query(x), again.query(np.array([x, x]))[:, :1], rtol=1e-12)


def test_a_fit_that_fails_leaves_no_stale_sum():
    ours, _ = twins()
    X, T = samples()
    X[20, 3] = np.nan
    x = np.full(SIZES[0], 0.01)
    before = ours.query(x)
    with pytest.raises(fastnn.FastnnError):
        ours.fit(X, T)
    assert np.abs(ours.query(x) - before).max() > 1e-4  # the first rows did train
    np.testing.assert_allclose(ours.query(x), ours.query(np.array([x, x]))[:, :1], rtol=1e-12)


def test_the_rate_may_be_changed():
    ours, oracle = twins()
    X, T = samples()
    ours.lr = oracle.lr = 0.05
    ours.train(X, T)
    oracle.train(X, T)
    assert distance(ours, oracle) < 1e-13


@pytest.mark.parametrize("again", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_train_by_themselves(again):
    ours, oracle = twins()
    X, T = samples()
    other = again(ours)
    other.fit(X, T)
    assert distance(ours, oracle) == 0
    for x, t in zip(X, T, strict=True):
        oracle.train(x, t)
    assert distance(other, oracle) < 1e-11


def test_another_activation_function_is_used(monkeypatch):
    monkeypatch.setattr(rashid, "_warned", set())
    X, T = samples()
    ours, oracle = twins()
    ours.activation_function = lambda x: 1 / (1 + np.exp(-x))  # the same, so the same numbers
    with pytest.warns(UserWarning, match="activation_function is replaced"):
        ours.train(X[0], T[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours.fit(X, T)
        np.testing.assert_allclose(ours.query(X).sum(axis=0).shape, (40,))
    oracle.train(X[0], T[0])
    for x, t in zip(X, T, strict=True):
        oracle.train(x, t)
    assert distance(ours, oracle) < 1e-12
    ours.activation_function = np.cos
    np.testing.assert_allclose(ours.query(X), np.cos(ours.who @ np.cos(ours.wih @ X.T)))


def test_backquery():
    ours, oracle = twins()
    targets = np.array([0.01, 0.99, 0.01, 0.3])
    np.testing.assert_allclose(ours.backquery(targets), oracle.backquery(targets), rtol=1e-12)
    assert ours.backquery(list(targets)).shape == (12, 1)
    rows = np.array([targets, targets[::-1], [0.5, 0.01, 1e-300, 1 - 1e-16]])
    np.testing.assert_allclose(ours.backquery(rows), oracle.backquery(rows), rtol=1e-12)
    assert np.abs(ours.backquery(rows)[:, :1] - ours.backquery(targets)).max() > 0.01  # rescaled together


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("targets", "found"),
    [
        (np.eye(4)[2], r"0.0 at index \(0, 0\)"),
        ([1.0, 0.5, 0.5, 0.5], r"1.0 at index \(0, 0\)"),
        ([0.5, 0.5, -0.5, 0.5], r"-0.5 at index \(0, 2\)"),
        ([[0.5] * 4, [0.1, 0.1, 0.1, 1.5]], r"1.5 at index \(1, 3\)"),
        ([0.5, np.nan, 0.5, 0.5], r"nan at index \(0, 1\)"),
        ([0.5, 0.5, 0.5, np.inf], r"inf at index \(0, 3\)"),
        ([0.5, 0.5, 0.5, 1e300], r"(1e\+300|inf) at index \(0, 3\)"),
        (np.eye(4, dtype=np.uint8)[1], r"0 at index \(0, 0\)"),
        (np.ones(4, bool), "1.0 at index"),
        (np.full(4, 3), "3.0 at index"),
    ],
)
def test_targets_that_no_sigmoid_reaches_are_refused(targets, found, dtype):
    ours, _ = twins(dtype=dtype)
    with pytest.raises(fastnn.FastnnError, match=f"targets_list: expected targets above 0 and below 1, found {found}"):
        ours.backquery(targets)


def test_an_inverse_of_ones_own_may_take_other_targets():
    ours, _ = twins()
    ours.activation_function, ours.inverse_activation_function = np.tanh, np.arctanh
    targets = np.array([-0.5, 0.0, 0.9, -0.99])
    hidden = rashid_oracle.rescaled(ours.who.T @ np.arctanh(targets))
    expected = rashid_oracle.rescaled(ours.wih.T @ np.arctanh(hidden))
    np.testing.assert_allclose(ours.backquery(targets)[:, 0], expected, rtol=1e-12)
    ours.inverse_activation_function = scipy.special.logit
    np.testing.assert_allclose(ours.backquery([0.1, 0.2, 0.3, 0.9]), twins()[0].backquery([0.1, 0.2, 0.3, 0.9]))


@pytest.mark.parametrize(
    "inverse", [scipy.special.logit, lambda y: np.log(y / (1 - y)), lambda y: np.arctanh(2 * y - 1)]
)
@pytest.mark.parametrize("targets", [np.eye(4)[2], [0.5, 0.5, 0.5, -2.0], [1e308, 1e308, 1e308, 1e308]])
def test_an_inverse_that_is_not_finite_is_refused_without_a_warning(inverse, targets):
    ours, _ = twins()
    ours.inverse_activation_function = inverse
    with pytest.raises(fastnn.FastnnError, match="targets_list: expected targets that lead back to finite numbers"):
        ours.backquery(targets)


def test_weights_that_are_not_finite_lead_back_to_no_inputs():
    ours, _ = twins()
    ours.wih[3, 4] = np.nan
    with pytest.raises(fastnn.FastnnError, match="finite numbers, found NaN or infinity"):
        ours.backquery([0.1, 0.2, 0.3, 0.9])


def test_accuracy_with_and_without_a_threshold():
    ours, _ = twins()
    X, _ = samples()
    outputs = ours.query(X)
    labels = outputs.argmax(axis=0)
    labels[::2] = (labels[::2] + 1) % 4
    middle = float(np.median(outputs.max(axis=0)))
    right = [j for j in range(40) if j % 2]
    assert ours.accuracy(X, labels) == 0.5
    expected = sum(outputs[:, j].max() >= middle for j in right) / 40
    assert 0 < expected < 0.5
    assert ours.threshold_accuracy(X, labels, middle) == expected


def test_a_csv_file(tmp_path):
    rng = np.random.default_rng(0)
    labels, images = rng.integers(10, size=5), rng.integers(256, size=(5, 9))
    path = tmp_path / "train.csv"
    path.write_text("".join(f"{label},{','.join(map(str, row))}\n" for label, row in zip(labels, images, strict=True)))
    inputs, targets = rashid.load_csv(path)
    assert (inputs == images / 255.0 * 0.99 + 0.01).all()
    assert (targets == [[1.0 if j == label else 0.01 for j in range(10)] for label in labels]).all()
    assert rashid.load_csv(path, high=0.99).targets.max() == 0.99


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net: net.train([1.0] * 11, [0.5] * 4), r"inputs_list: expected shape \(n, 12\)"),
        (lambda net: net.train([1.0] * 12, [0.5] * 3), r"targets_list: expected shape \(n, 4\)"),
        (lambda net: net.train(np.ones((2, 12)), np.ones((3, 4))), "targets_list: expected 2 rows"),
        (lambda net: net.train(np.ones((0, 12)), np.ones((0, 4))), "inputs_list: expected at least one row"),
        (lambda net: net.train([np.nan] * 12, [0.5] * 4), "inputs_list: expected finite numbers"),
        (lambda net: net.train([1.0] * 12, [0.5, np.inf, 0.1, 0.1]), "targets_list: expected finite numbers"),
        (lambda net: net.train(["a"] * 12, [0.5] * 4), "inputs_list: expected an array of real numbers"),
        (lambda net: net.fit(np.full((3, 12), np.inf), np.ones((3, 4))), "X: expected finite numbers"),
        (lambda net: net.fit(np.ones((3, 12)), np.ones((3, 4)), -1), "epochs: expected an integer of at least 0"),
        (lambda net: net.query([np.nan] * 12), "inputs_list: expected finite numbers"),
        (lambda net: net.query([1.0] * 13), r"inputs_list: expected shape \(n, 12\)"),
        (lambda net: net.backquery(np.ones((0, 4))), "targets_list: expected at least one row"),
        (lambda net: net.backquery([0.5] * 4), "targets_list: expected targets that lead back"),
        (lambda net: setattr(net, "wih", np.ones((12, 7))), r"wih\[0\]: expected shape \(7, 12\)"),
        (lambda net: net.threshold_accuracy(np.ones((2, 12)), np.ones((2, 4))), r"y: expected labels \(2,\)"),
        (lambda net: neuralNetwork(12, 0, 4, 0.1), r"sizes\[1\]: expected an integer of at least 1"),
        (lambda net: neuralNetwork(12, 7, 4, "fast"), "learningrate: expected a number"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(call, message):
    ours, oracle = twins()
    with pytest.raises(fastnn.FastnnError, match=message):
        call(ours)
    assert distance(ours, oracle) == 0


def test_weights_that_are_not_finite_are_an_error():
    ours, _ = twins()
    ours.who[0, 0] = np.nan
    X, T = samples()
    with pytest.raises(fastnn.DivergenceError, match="the weights are as before"):
        ours.train(X[0], T[0])
