"""A small Keras in NumPy, float64, written anew from what Keras documents: the names of its modules are here as one.

Random numbers are drawn as ``fastnn.dropin.keras.utils.set_random_seed`` says; all else is Keras'.
"""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np

import fastnn.datasets

STREAM = [np.random.default_rng()]
FLOAT_BYTES = 4  # of the models that summary speaks of


def set_random_seed(seed):
    STREAM[0] = np.random.default_rng(seed)


class Input:
    params = 0

    def __init__(self, shape):
        self.shape = tuple(shape)


class Flatten:
    params = 0

    def build(self, shape):
        return (int(np.prod(shape)),)

    def forward(self, x, rows=None):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, g):
        return g.reshape(self.shape)


class Dropout:
    params = 0

    def __init__(self, rate):
        self.rate = rate

    def build(self, shape):
        self.shape = shape
        return shape

    def draw(self, count):
        self.mask = STREAM[0].random((count, *self.shape), dtype=np.float32) >= self.rate

    def forward(self, x, rows=None):
        self.factor = 1.0 if rows is None else self.mask[rows] / (1 - self.rate)
        return x * self.factor

    def backward(self, g):
        return g * self.factor


class Dense:
    def __init__(self, units, activation=None):
        self.units, self.activation = units, activation

    def build(self, shape):
        (width,) = shape
        limit = np.sqrt(6 / (width + self.units))
        self.kernel = STREAM[0].uniform(-limit, limit, (width, self.units))
        self.bias = np.zeros(self.units)
        self.params = self.kernel.size + self.units
        return (self.units,)

    def forward(self, x, rows=None):
        self.x, z = x, x @ self.kernel + self.bias
        if self.activation == "relu":
            self.a = np.where(z > 0, z, 0)
        elif self.activation == "tanh":
            self.a = np.tanh(z)
        elif self.activation == "sigmoid":
            self.a = 1 / (1 + np.exp(-z))
        elif self.activation == "softmax":
            e = np.exp(z - z.max(axis=1, keepdims=True))
            self.a = e / e.sum(axis=1, keepdims=True)
        else:
            self.a = z
        return self.a

    def backward(self, g):
        a = self.a
        if self.activation == "relu":
            g = g * (a > 0)
        elif self.activation == "tanh":
            g = g * (1 - a**2)
        elif self.activation == "sigmoid":
            g = g * a * (1 - a)
        elif self.activation == "softmax":
            g = a * (g - (g * a).sum(axis=1, keepdims=True))
        self.gradients = [self.x.T @ g, g.sum(axis=0)]
        return g @ self.kernel.T


class SGD:
    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False):
        self.learning_rate, self.momentum, self.nesterov = learning_rate, momentum, nesterov
        self.v = {}

    def update(self, key, w, g):
        step = -self.learning_rate * g
        v = self.v[key] = self.momentum * self.v.get(key, 0) + step
        w += self.momentum * v + step if self.nesterov else v


class Adam:
    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        self.rate, self.b1, self.b2, self.epsilon = learning_rate, beta_1, beta_2, epsilon
        self.moments = {}

    def update(self, key, w, g):
        t, m, v = self.moments.get(key, (0, 0, 0))
        t, m, v = t + 1, self.b1 * m + (1 - self.b1) * g, self.b2 * v + (1 - self.b2) * g**2
        self.moments[key] = t, m, v
        w -= self.rate * np.sqrt(1 - self.b2**t) / (1 - self.b1**t) * m / (np.sqrt(v) + self.epsilon)


def losses_and_gradient(loss, a, y):
    """Each row's loss, and its derivative by the outputs a."""
    if loss == "sparse_categorical_crossentropy":
        y = np.eye(a.shape[1])[y.reshape(-1).astype(int)]
    y = y.reshape(len(a), -1)
    if loss.endswith("categorical_crossentropy"):
        return -np.sum(y * np.log(a), axis=1), -y / a
    if loss == "binary_crossentropy":
        return np.mean(-y * np.log(a) - (1 - y) * np.log(1 - a), axis=1), (a - y) / (a * (1 - a)) / a.shape[1]
    return np.mean((a - y) ** 2, axis=1), 2 * (a - y) / a.shape[1]


def right(a, y):
    if a.shape[1] == 1:
        return ((a > 0.5) == y.reshape(-1, 1))[:, 0]
    return a.argmax(axis=1) == (y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1))


class Sequential:
    def __init__(self, layers):
        shape, self.layers, self.shapes = layers[0].shape, layers[1:], []
        for layer in self.layers:
            shape = layer.build(shape)
            self.shapes.append(shape)

    def dense(self):
        return [layer for layer in self.layers if isinstance(layer, Dense)]

    def get_weights(self):
        return [w.copy() for layer in self.dense() for w in (layer.kernel, layer.bias)]

    def set_weights(self, weights):
        for layer, kernel, bias in zip(self.dense(), weights[::2], weights[1::2], strict=True):
            layer.kernel, layer.bias = np.array(kernel, float), np.array(bias, float)

    def compile(self, optimizer, loss, metrics=()):
        self.optimizer = {"sgd": SGD, "adam": Adam}[optimizer]() if isinstance(optimizer, str) else optimizer
        self.loss, self.metrics = loss, list(metrics or [])

    def forward(self, x, rows=None):
        x = np.asarray(x, float)
        for layer in self.layers:
            x = layer.forward(x, rows)
        return x

    def figures(self, a, y, w):
        losses, _ = losses_and_gradient(self.loss, a, y)
        return np.array([np.sum(w * losses), np.sum(right(a, y)) if self.metrics else 0])

    def train(self, x, y, w, rows):
        a = self.forward(x[rows], rows)
        figures = self.figures(a, y[rows], w[rows])
        g = losses_and_gradient(self.loss, a, y[rows])[1] * w[rows, np.newaxis] / len(rows)
        for layer in reversed(self.layers):
            g = layer.backward(g)
        for i, layer in enumerate(self.dense()):
            for name, gradient in zip(("kernel", "bias"), layer.gradients, strict=True):
                self.optimizer.update((i, name), getattr(layer, name), gradient)
        return figures

    def logs(self, sums, count, prefix=""):
        figures = dict(zip(["loss", *self.metrics], sums / count, strict=False))
        return {prefix + name: float(figures[name]) for name in sorted(figures)}

    def fit(
        self,
        x,
        y,
        batch_size=32,
        epochs=1,
        verbose=1,
        callbacks=(),
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
    ):
        w = np.ones(len(x)) if sample_weight is None else np.asarray(sample_weight, float)
        held_out = validation_data
        if validation_split:
            first = int(len(x) * (1 - validation_split))
            held_out, (x, y, w) = (x[first:], y[first:], w[first:]), (x[:first], y[:first], w[:first])
        if class_weight is not None:
            w = np.array([class_weight.get(int(label), 1.0) for label in y.reshape(-1)])
        history = SimpleNamespace(history={}, epoch=[])
        self.stop_training = False
        for callback in callbacks:
            callback.model = self
            callback.on_train_begin()
        for epoch in range(epochs):
            bar = Bar(verbose, -(-len(x) // batch_size))
            if verbose and epochs > 1:
                print(f"Epoch {epoch + 1}/{epochs}")
            order = STREAM[0].permutation(len(x)) if shuffle else np.arange(len(x))
            for layer in self.layers:
                if isinstance(layer, Dropout):
                    layer.draw(len(x))
            parts = [order[start : start + batch_size] for start in range(0, len(x), batch_size)]
            logs = self.logs(sum(self.train(x, y, w, rows) for rows in parts), len(x))
            if held_out is not None:
                vx, vy, *vw = held_out
                sums = self.figures(self.forward(vx), vy, vw[0] if vw else np.ones(len(vx)))
                logs |= self.logs(sums, len(vx), "val_")
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs)
            bar.end(logs)
            history.epoch.append(epoch)
            for name, figure in logs.items():
                history.history.setdefault(name, []).append(figure)
            if self.stop_training:
                break
        for callback in callbacks:
            callback.on_train_end()
        return history

    def evaluate(self, x, y, verbose=1):
        bar = Bar(verbose, -(-len(x) // 32))
        sums = self.figures(self.forward(x), y, np.ones(len(x)))
        bar.end(self.logs(sums, len(x)))
        return [float(figure) for figure in sums / len(x)][: 1 + len(self.metrics)]

    def predict(self, x, verbose=1):
        bar = Bar(verbose, -(-len(x) // 32))
        a = self.forward(x)
        bar.end({})
        return a

    def summary(self):
        rows = [("Layer (type)", "Output Shape", "Param #")]
        for layer, shape in zip(self.layers, self.shapes, strict=True):
            kind = type(layer).__name__
            same = [other for other in self.layers[: self.layers.index(layer)] if type(other) is type(layer)]
            name = f"{kind.lower()}_{len(same)}" if same else kind.lower()
            rows.append((f"{name} ({kind})", str((None, *shape)), f"{layer.params:,}"))
        print('Model: "sequential"')
        print(f"┏{'━' * 33}┳{'━' * 24}┳{'━' * 15}┓")
        for i, (name, shape, count) in enumerate(rows):
            wall = "│" if i else "┃"
            print(f"{wall} {name:31} {wall} {shape:22} {wall} {count:>13} {wall}")
            if i == 0:
                print(f"┡{'━' * 33}╇{'━' * 24}╇{'━' * 15}┩")
            elif i < len(rows) - 1:
                print(f"├{'─' * 33}┼{'─' * 24}┼{'─' * 15}┤")
        print(f"└{'─' * 33}┴{'─' * 24}┴{'─' * 15}┘")
        count = sum(layer.params for layer in self.layers)
        size = f"({count * FLOAT_BYTES / 1024:.2f} KB)"
        print(
            f" Total params: {count:,} {size}\n Trainable params: {count:,} {size}\n Non-trainable params: 0 (0.00 B)"
        )


class Bar:
    def __init__(self, verbose, steps):
        self.verbose, self.steps, self.start = verbose, steps, time.perf_counter()

    def end(self, logs):
        passed = time.perf_counter() - self.start
        pace = passed / self.steps
        unit = f"{pace:.0f}s" if pace >= 1 else f"{pace * 1e3:.0f}ms" if pace >= 1e-3 else f"{pace * 1e6:.0f}us"
        figures = "".join(f" - {k}: {v:.4f}" if v > 1e-3 else f" - {k}: {v:.4e}" for k, v in logs.items())
        bar = {1: f" {'━' * 20} {passed:.0f}s", 2: f" - {passed:.0f}s -"}
        if self.verbose:
            print(f"{self.steps}/{self.steps}{bar[self.verbose]} {unit}/step{figures}")


class Callback:
    def on_train_begin(self, logs=None):
        pass

    def on_epoch_end(self, epoch, logs=None):
        pass

    def on_train_end(self, logs=None):
        pass


class EarlyStopping(Callback):
    """Of losses."""

    def __init__(self, monitor="val_loss", patience=0, restore_best_weights=False, verbose=0):
        self.monitor, self.patience, self.restore, self.verbose = monitor, patience, restore_best_weights, verbose
        self.best, self.wait, self.stopped = np.inf, 0, None

    def on_epoch_end(self, epoch, logs=None):
        if logs[self.monitor] < self.best:
            self.best, self.wait, self.best_epoch = logs[self.monitor], 0, epoch
            self.weights = self.model.get_weights()
        else:
            self.wait += 1
            if self.wait >= self.patience and epoch > 0:
                self.stopped, self.model.stop_training = epoch, True

    def on_train_end(self, logs=None):
        if self.stopped is not None and self.verbose:
            print(f"Epoch {self.stopped + 1}: early stopping")
        if self.restore:
            if self.verbose:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.weights)


def to_categorical(labels, num_classes):
    return (np.asarray(labels).reshape(-1, 1) == np.arange(num_classes)).astype(float)


def load_data():
    return tuple((X.reshape(-1, 28, 28), y) for X, y in fastnn.datasets.load_mnist())


layers = SimpleNamespace(Input=Input, Flatten=Flatten, Dense=Dense, Dropout=Dropout)
models = SimpleNamespace(Sequential=Sequential)
optimizers = SimpleNamespace(SGD=SGD, Adam=Adam)
callbacks = SimpleNamespace(Callback=Callback, EarlyStopping=EarlyStopping)
utils = SimpleNamespace(set_random_seed=set_random_seed, to_categorical=to_categorical)
mnist = SimpleNamespace(load_data=load_data)
