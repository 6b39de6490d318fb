import numpy as np
import pytest

from fastnn.datasets import load_mnist
from fastnn.dropin import mnist_loader


def test_load_data():
    splits = mnist_loader.load_data()
    assert [(X.shape, X.dtype.name, y.shape, y.dtype.name) for X, y in splits] == [
        ((count, 784), "float32", (count,), "int64") for count in (50_000, 10_000, 10_000)
    ]
    (X, y), (X_test, y_test) = load_mnist()
    for (images, labels), (pixels, digits) in zip(
        splits, [(X[:50_000], y[:50_000]), (X[50_000:], y[50_000:]), (X_test, y_test)], strict=True
    ):
        np.testing.assert_array_equal(images * 256, pixels)
        np.testing.assert_array_equal(labels, digits)
    # the first labels of the book's three splits
    assert [labels[:5].tolist() for _, labels in splits] == [[5, 0, 4, 1, 9], [3, 8, 6, 9, 6], [7, 2, 1, 0, 4]]
    assert all(X.flags.writeable and 0 <= X.min() < X.max() <= 255 / 256 for X, _ in splits)


@pytest.mark.quick
def test_load_data_wrapper(mnist):
    training, validation, test = mnist
    assert [type(part) for part in mnist] == [list] * 3
    assert [len(part) for part in mnist] == [50_000, 10_000, 10_000]
    x, y = training[0]
    assert (x.shape, x.dtype.name, y.shape, y.dtype.name) == ((784, 1), "float32", (10, 1), "float64")
    assert y[:, 0].tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    for part, label in ((validation, 3), (test, 7)):
        x, y = part[0]
        assert (x.shape, x.dtype.name, type(y), y) == ((784, 1), "float32", np.int64, label)


def test_columns_are_views_of_one_array(mnist):
    for part in mnist:
        assert len({id(x.base) for x, _ in part}) == 1
    assert len({id(y.base) for _, y in mnist[0]}) == 1


def test_vectorized_result():
    column = mnist_loader.vectorized_result(2)
    assert (column.shape, column.dtype.name, column[:, 0].tolist()) == ((10, 1), "float64", [0, 0, 1] + [0] * 7)
