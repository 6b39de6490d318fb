"""asv benchmarks: an epoch, a forward pass and loading, per backend and dtype, on the book's 784-30-10 network."""

import statistics
import tempfile
from pathlib import Path

import fastnn

BACKENDS = ["native", "numba", "numpy"]
DTYPES = ["float32", "float64"]


def book_network(dtype, **options):
    """The network of Nielsen's first chapter: sigmoid outputs and the quadratic cost."""
    return fastnn.MLP([784, 30, 10], loss="quadratic", init="normal_scaled", dtype=dtype, seed=0, **options)


def train(model, X, y):
    return model.fit(X, y, epochs=1, batch_size=10, learning_rate=3.0).seconds[0]


class PerBackend:
    params = (BACKENDS, DTYPES)
    param_names = ("backend", "dtype")
    timeout = 300

    def setup(self, backend, dtype):
        fastnn.set_backend(backend)
        (self.X, self.y), (self.X_test, _) = fastnn.datasets.load_mnist()
        self.model = book_network(dtype)
        train(self.model, self.X[:100], self.y[:100])  # compiled before it is timed
        self.model.forward(self.X_test[:10])


class Epoch(PerBackend):
    """60,000 images in batches of 10."""

    def time_epoch(self, backend, dtype):
        train(self.model, self.X, self.y)


class Forward(PerBackend):
    def setup(self, backend, dtype):
        super().setup(backend, dtype)
        self.one = self.X_test[0].astype(dtype) / 255
        self.model.forward(self.one)  # compiled before it is timed

    def time_10000_images(self, backend, dtype):
        self.model.forward(self.X_test)

    def time_one_image(self, backend, dtype):
        self.model.forward(self.one)


class Load:
    timeout = 300

    def setup(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "model.safetensors"
        book_network("float32").save(self.path)

    def teardown(self):
        self.folder.cleanup()

    def time_load_mnist(self):
        fastnn.datasets.load_mnist()

    def time_load_model(self):
        fastnn.load(self.path)


class Speedup:
    """How many times faster an epoch is than with the NumPy backend, medians of five taken in turn."""

    params = (["native", "numba"], DTYPES)
    param_names = ("backend", "dtype")
    timeout = 300
    unit = "times"

    def track_speedup_over_numpy(self, backend, dtype):
        (X, y), _ = fastnn.datasets.load_mnist()
        X, y = X[:20000], y[:20000]
        seconds = {backend: [], "numpy": []}
        for _ in range(6):
            for name, taken in seconds.items():
                with fastnn.use(name):
                    taken.append(train(book_network(dtype), X, y))
        medians = {name: statistics.median(taken[1:]) for name, taken in seconds.items()}  # the first one compiles
        return medians["numpy"] / medians[backend]


class Import:
    def timeraw_import_fastnn(self):
        return "import fastnn"

    def timeraw_import_numpy(self):
        return "import numpy"


class Memory:
    """Memory of training on uint8 images: they are never copied to float as a whole."""

    def setup(self):
        (self.X, self.y), _ = fastnn.datasets.load_mnist()

    def peakmem_epoch(self):
        train(book_network("float32"), self.X, self.y)
