"""The book's programs as they behave, sample by sample in NumPy: the truth that the drop-ins are held to.

Written from the description of network.py, network2.py, the tutorial variant of the former and the Python 3 port of
both; it shares no code with fastnn. Draws, shuffles, orders of summation and printed lines are the originals'.
"""

import random
from types import SimpleNamespace

import numpy as np


def sigmoid(z):
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-z))


def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))


def one_hot(digit):
    column = np.zeros((10, 1))
    column[digit] = 1.0
    return column


class Network:
    """network.py, and with ``weights_first`` its third variant."""

    def __init__(self, sizes, weights_first=False):
        self.sizes, self.num_layers = sizes, len(sizes)
        shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
        if weights_first:
            self.weights = [np.random.randn(y, x) for y, x in shapes]
        self.biases = [np.random.randn(y, 1) for y, _ in shapes]
        if not weights_first:
            self.weights = [np.random.randn(y, x) for y, x in shapes]

    def feedforward(self, a):
        for w, b in zip(self.weights, self.biases, strict=True):
            a = sigmoid(np.dot(w, a) + b)
        return a

    def SGD(self, training_data, epochs, mini_batch_size, eta, test_data=None):  # noqa: N802  # the book's name
        for epoch in range(epochs):
            random.shuffle(training_data)
            for k in range(0, len(training_data), mini_batch_size):
                self.update_mini_batch(training_data[k : k + mini_batch_size], eta)
            self.report(epoch, test_data)

    def report(self, epoch, test_data):
        if test_data:
            print(f"Epoch {epoch}: {self.evaluate(test_data)} / {len(test_data)}")
        else:
            print(f"Epoch {epoch} complete")

    def summed_gradients(self, mini_batch):
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        for x, y in mini_batch:
            one_b, one_w = self.backprop(x, y)
            nabla_b = [total + one for total, one in zip(nabla_b, one_b, strict=True)]
            nabla_w = [total + one for total, one in zip(nabla_w, one_w, strict=True)]
        return nabla_b, nabla_w

    def update_mini_batch(self, mini_batch, eta):
        nabla_b, nabla_w = self.summed_gradients(mini_batch)
        rate = eta / len(mini_batch)
        self.weights = [w - rate * g for w, g in zip(self.weights, nabla_w, strict=True)]
        self.biases = [b - rate * g for b, g in zip(self.biases, nabla_b, strict=True)]

    def output_delta(self, z, a, y):
        return (a - y) * sigmoid_prime(z)

    def backprop(self, x, y):
        a, activations, zs = x, [x], []
        for w, b in zip(self.weights, self.biases, strict=True):
            zs.append(np.dot(w, a) + b)
            a = sigmoid(zs[-1])
            activations.append(a)
        nabla_b, nabla_w = [None] * len(zs), [None] * len(zs)
        delta = self.output_delta(zs[-1], a, y)
        for layer in reversed(range(len(zs))):
            if layer < len(zs) - 1:
                delta = np.dot(self.weights[layer + 1].T, delta) * sigmoid_prime(zs[layer])
            nabla_b[layer], nabla_w[layer] = delta, np.dot(delta, activations[layer].T)
        return nabla_b, nabla_w

    def evaluate(self, test_data):
        return sum(int(np.argmax(self.feedforward(x)) == y) for x, y in test_data)


class Tutorial(Network):
    """class network with epoches: the same arithmetic, another line."""

    def report(self, epoch, test_data):
        if test_data:
            print(f"Epoch {epoch + 1}: {100 * self.evaluate(test_data) / len(test_data)} %")
        else:
            print(f"Epoch {epoch} complete")


class PortedNetwork(Network):
    """The network.py of the Python 3 port: it shuffles a copy, and prints a blank before the colon."""

    def SGD(self, training_data, epochs, mini_batch_size, eta, test_data=None):  # noqa: N802  # the book's name
        tests = list(test_data) if test_data else None
        super().SGD(list(training_data), epochs, mini_batch_size, eta, tests)

    def report(self, epoch, test_data):
        if test_data:
            print(f"Epoch {epoch} : {self.evaluate(test_data)} / {len(test_data)}")
        else:
            super().report(epoch, test_data)


class Network2(Network):
    """network2.py with "quadratic" or "cross_entropy" cost, and the early stopping of its Python 3 ports."""

    def __init__(self, sizes, cost="cross_entropy", large=False):
        self.sizes, self.num_layers, self.cost = sizes, len(sizes), cost
        self.biases = [np.random.randn(y, 1) for y in sizes[1:]]
        shapes = zip(sizes[1:], sizes[:-1], strict=True)
        self.weights = [np.random.randn(y, x) / np.sqrt(x) for y, x in shapes]
        if large:
            self.large_weight_initializer()

    def large_weight_initializer(self):
        """Called after __init__ has drawn."""
        self.biases = [np.random.randn(y, 1) for y in self.sizes[1:]]
        self.weights = [np.random.randn(y, x) for y, x in zip(self.sizes[1:], self.sizes[:-1], strict=True)]

    def output_delta(self, z, a, y):
        return a - y if self.cost == "cross_entropy" else super().output_delta(z, a, y)

    def fn(self, a, y):
        if self.cost == "quadratic":
            return 0.5 * np.linalg.norm(a - y) ** 2
        with np.errstate(all="ignore"):
            return np.sum(np.nan_to_num(-y * np.log(a) - (1 - y) * np.log(1 - a)))

    def update_mini_batch(self, mini_batch, eta, lmbda, n):
        nabla_b, nabla_w = self.summed_gradients(mini_batch)
        rate = eta / len(mini_batch)
        keep = 1 - eta * (lmbda / n)
        self.weights = [keep * w - rate * g for w, g in zip(self.weights, nabla_w, strict=True)]
        self.biases = [b - rate * g for b, g in zip(self.biases, nabla_b, strict=True)]

    def accuracy(self, data, convert=False):
        return sum(int(np.argmax(self.feedforward(x)) == (np.argmax(y) if convert else y)) for x, y in data)

    def total_cost(self, data, lmbda, convert=False):
        cost = 0.0
        for x, y in data:
            cost += self.fn(self.feedforward(x), one_hot(y) if convert else y) / len(data)
        return cost + self.penalty(lmbda, len(data))

    def penalty(self, lmbda, n):
        return 0.5 * (lmbda / n) * sum(np.linalg.norm(w) ** 2 for w in self.weights)

    def SGD(  # noqa: N802  # the book's name
        self,
        training_data,
        epochs,
        mini_batch_size,
        eta,
        lmbda=0.0,
        evaluation_data=None,
        monitor_evaluation_cost=False,
        monitor_evaluation_accuracy=False,
        monitor_training_cost=False,
        monitor_training_accuracy=False,
        early_stopping_n=0,
    ):
        """Returns the original's four lists."""
        n = len(training_data)
        evaluation_cost, evaluation_accuracy, training_cost, training_accuracy = [], [], [], []
        best, waited = 0, 0
        for epoch in range(epochs):
            random.shuffle(training_data)
            for k in range(0, n, mini_batch_size):
                self.update_mini_batch(training_data[k : k + mini_batch_size], eta, lmbda, n)
            print(f"Epoch {epoch} training complete")
            if monitor_training_cost:
                training_cost.append(self.total_cost(training_data, lmbda))
                print(f"Cost on training data: {training_cost[-1]}")
            if monitor_training_accuracy:
                accuracy = self.accuracy(training_data, convert=True)
                training_accuracy.append(accuracy)
                print(f"Accuracy on training data: {accuracy} / {n}")
            if monitor_evaluation_cost:
                evaluation_cost.append(self.total_cost(evaluation_data, lmbda, convert=True))
                print(f"Cost on evaluation data: {evaluation_cost[-1]}")
            if monitor_evaluation_accuracy:
                accuracy = self.accuracy(evaluation_data)
                evaluation_accuracy.append(accuracy)
                print(f"Accuracy on evaluation data: {accuracy} / {len(evaluation_data)}")
            self.end_report()
            if early_stopping_n:
                if accuracy > best:
                    best, waited = accuracy, 0
                else:
                    waited += 1
                if waited == early_stopping_n:
                    break
        return evaluation_cost, evaluation_accuracy, training_cost, training_accuracy

    def end_report(self):
        print()


class PortedNetwork2(Network2):
    """The network2.py of the Python 3 port: a copy, no empty line, and the penalty once per pair."""

    def SGD(  # noqa: N802  # the book's name
        self, training_data, epochs, mini_batch_size, eta, lmbda=0.0, evaluation_data=None, **others
    ):
        evaluation_data = list(evaluation_data) if evaluation_data else None
        return super().SGD(list(training_data), epochs, mini_batch_size, eta, lmbda, evaluation_data, **others)

    def end_report(self):
        pass

    def total_cost(self, data, lmbda, convert=False):
        cost = 0.0
        for x, y in data:
            cost += self.fn(self.feedforward(x), one_hot(y) if convert else y) / len(data)
            cost += self.penalty(lmbda, len(data))
        return cost


COSTS = {"CrossEntropyCost": "cross_entropy", "QuadraticCost": "quadratic"}

# The modules as scripts import them.
network2 = SimpleNamespace(Network=Network2, **COSTS)
network_py3 = SimpleNamespace(Network=PortedNetwork)
network2_py3 = SimpleNamespace(Network=PortedNetwork2, **COSTS)
