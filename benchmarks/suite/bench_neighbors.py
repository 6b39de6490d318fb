"""asv benchmarks: nearest neighbours of MNIST's images, per backend and dtype."""

import statistics
import time

import numpy as np

import fastnn

BACKENDS = ["native", "numba", "numpy"]
DTYPES = ["uint8", "float32", "float64"]
QUERIES = 500  # that take the slowest backend some seconds


def points(dtype):
    """60,000 images to search among, 10,000 queries, and the labels of both."""
    (X, y), (X_test, y_test) = fastnn.datasets.load_mnist()
    if dtype == "uint8":
        return X, X_test, y, y_test
    return X.astype(dtype) / 255, X_test.astype(dtype) / 255, y, y_test


class PerBackend:
    params = (BACKENDS, DTYPES)
    param_names = ("backend", "dtype")
    timeout = 300

    def setup(self, backend, dtype):
        fastnn.set_backend(backend)
        self.X, self.Q, self.y, _ = points(dtype)
        self.index = fastnn.Neighbors().fit(self.X, self.y)
        self.index.search(self.Q[:2], 5)  # compiled before it is timed


class Search(PerBackend):
    def time_500_queries(self, backend, dtype):
        self.index.search(self.Q[:QUERIES], 5)

    def time_500_queries_k50(self, backend, dtype):
        self.index.search(self.Q[:QUERIES], 50)

    def time_one_query(self, backend, dtype):
        self.index.search(self.Q[0], 5)

    def time_classify_500(self, backend, dtype):
        self.index.classify(self.Q[:QUERIES], 5)


class Metrics:
    """The other metrics, and search without pruning, on native."""

    params = (["euclidean", "cosine", "manhattan"], DTYPES)
    param_names = ("metric", "dtype")
    timeout = 300

    def setup(self, metric, dtype):
        fastnn.set_backend("native")
        self.X, self.Q, _, _ = points(dtype)
        self.index = fastnn.Neighbors(metric, pruning="never").fit(self.X)

    def time_500_queries_unpruned(self, metric, dtype):
        self.index.search(self.Q[:QUERIES], 5)


class Fit:
    params = DTYPES
    param_names = ("dtype",)
    timeout = 300

    def setup(self, dtype):
        self.X, _, _, _ = points(dtype)

    def time_fit(self, dtype):
        fastnn.Neighbors().fit(self.X)


class TestSet:
    """The test images on native: the seconds of fit and search, and how many times faster pruning makes 2,000."""

    params = DTYPES
    param_names = ("dtype",)
    timeout = 300

    def setup(self, dtype):
        fastnn.set_backend("native")
        self.X, self.Q, self.y, self.y_test = points(dtype)

    def time_fit_and_classify(self, dtype):
        fastnn.Neighbors().fit(self.X, self.y).classify(self.Q, 5)

    def track_accuracy(self, dtype):
        return float(np.mean(fastnn.Neighbors().fit(self.X, self.y).classify(self.Q, 5) == self.y_test))

    def track_speedup_by_pruning(self, dtype):
        seconds = {"auto": [], "never": []}
        for _ in range(3):
            for pruning, taken in seconds.items():
                start = time.perf_counter()
                fastnn.Neighbors(pruning=pruning).fit(self.X).search(self.Q[:2000], 5)
                taken.append(time.perf_counter() - start)
        return statistics.median(seconds["never"]) / statistics.median(seconds["auto"])


class Memory:
    """Memory of fit and search on uint8 images: blocks, however many queries there are."""

    def setup(self):
        fastnn.set_backend("native")
        self.X, self.Q, _, _ = points("uint8")

    def peakmem_search(self):
        fastnn.Neighbors().fit(self.X).search(self.Q, 5)
