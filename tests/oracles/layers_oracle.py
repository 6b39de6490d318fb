"""The layer-by-layer program as it behaves, in NumPy: the truth that fastnn.dropin.layers is held to.

Written from the description of its classes; it shares no code with fastnn. Draws, orders and printed lines are the
original's.
"""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def derivated_sigmoid(y):
    return y * (1 - y)


def loss_L2(pred, target):  # noqa: N802  # the book's name
    return np.sum((pred - target) ** 2) / len(pred)


def derivated_loss_L2(pred, target):  # noqa: N802  # the book's name
    return 2 * (pred - target)


def cross_entropy(pred, target):
    return -np.mean(target * np.log(pred) + (1 - target) * np.log(1 - pred))


def derivated_cross_entropy(pred, target):
    return (pred - target) / (pred * (1 - pred))


class Neuron:
    def __init__(self, num_inputs, activation_function):
        self.W = np.random.uniform(-1.0, 1.0, num_inputs)
        self.b = np.random.uniform(-1.0, 1.0, 1)
        self.activation_function = activation_function

    def forward(self, x):
        return self.activation_function(np.dot(x, self.W) + self.b)


class FullyConnectedLayer:
    def __init__(self, num_inputs, layer_size, activation_function, derivated_activation_function=None):
        self.W = np.random.standard_normal((num_inputs, layer_size))
        self.b = np.random.standard_normal(layer_size)
        self.size = layer_size
        self.activation_function = activation_function
        self.derivated_activation_function = derivated_activation_function
        self.x = self.y = self.dL_dW = self.dL_db = None

    def forward(self, x):
        self.x, self.y = x, self.activation_function(np.dot(x, self.W) + self.b)
        return self.y

    def backward(self, dL_dy):
        dL_dz = dL_dy * self.derivated_activation_function(self.y)
        self.dL_dW, self.dL_db = np.dot(self.x.T, dL_dz), dL_dz.sum(axis=0)
        return np.dot(dL_dz, self.W.T)

    def optimize(self, epsilon):
        self.W = self.W - epsilon * self.dL_dW
        self.b = self.b - epsilon * self.dL_db


class SimpleNetwork:
    def __init__(
        self,
        num_inputs,
        num_outputs,
        hidden_layers_sizes=(64, 32),
        activation_function=sigmoid,
        derivated_activation_function=derivated_sigmoid,
        loss_function=loss_L2,
        derivated_loss_function=derivated_loss_L2,
    ):
        self.layers, inputs = [], num_inputs
        for outputs in (*hidden_layers_sizes, num_outputs):
            layer = FullyConnectedLayer(inputs, outputs, activation_function, derivated_activation_function)
            self.layers.append(layer)
            inputs = outputs
        self.loss_function, self.derivated_loss_function = loss_function, derivated_loss_function

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def predict(self, x):
        return np.argmax(self.forward(x))

    def backward(self, dL_dy):
        for layer in self.layers[::-1]:
            dL_dy = layer.backward(dL_dy)
        return dL_dy

    def optimize(self, epsilon):
        for layer in self.layers:
            layer.optimize(epsilon)

    def evaluate_accuracy(self, X_val, y_val):
        return sum(self.predict(x) == label for x, label in zip(X_val, y_val, strict=True)) / len(X_val)

    def train(
        self,
        X_train,
        y_train,
        X_val=None,
        y_val=None,
        batch_size=32,
        num_epochs=5,
        learning_rate=1e-3,
        print_frequency=1,  # the notebook's; the program of the files has none
    ):
        losses, accuracies = [], []
        for epoch in range(num_epochs):
            total, batches = 0, len(X_train) // batch_size
            for k in range(batches):
                rows = slice(k * batch_size, (k + 1) * batch_size)
                predictions = self.forward(X_train[rows])
                total += self.loss_function(predictions, y_train[rows])
                self.backward(self.derivated_loss_function(predictions, y_train[rows]))
                self.optimize(learning_rate)
            losses.append(total / batches)
            accuracy = float("nan")
            if X_val is not None:
                accuracy = self.evaluate_accuracy(X_val, y_val)
                accuracies.append(accuracy)
            if epoch % print_frequency == 0 or epoch == num_epochs - 1:
                print(f"Epoch {epoch:4d}: training loss = {losses[-1]:.6f} | val accuracy = {100 * accuracy:.2f}%")
        return losses, accuracies


class NotebookNetwork(SimpleNetwork):
    """As the chapter's notebook has it."""

    def train(self, *data, print_frequency=20, **options):
        return super().train(*data, print_frequency=print_frequency, **options)
