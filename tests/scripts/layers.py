# A network of fully connected layers from scratch, as chapter 1 of the book has it, on a part of MNIST.
import mnist
import numpy as np
from fully_connected_layer import FullyConnectedLayer
from neuron import Neuron
from simple_network import SimpleNetwork

np.random.seed(42)

# One neuron, a step after the weighted sum.
perceptron = Neuron(num_inputs=3, activation_function=lambda y: 0 if y <= 0 else 1)
print(f"Perceptron's random weights = {perceptron.W} , and random bias = {perceptron.b}")
x = np.random.rand(3).reshape(1, 3)
print(f"Output: {perceptron.forward(x)}")

# One layer, on one input vector and on two.
relu_function = lambda y: np.maximum(y, 0)  # noqa: E731  # as tutorials write it
layer = FullyConnectedLayer(2, 3, relu_function)
x1 = np.random.uniform(-1, 1, 2).reshape(1, 2)
x2 = np.random.uniform(-1, 1, 2).reshape(1, 2)
print(f"x1: {layer.forward(x1)}\nx2: {layer.forward(x2)}")
print(f"both: {layer.forward(np.concatenate((x1, x2)))}")

# Train a network on the images.
X_train, y_train = mnist.train_images()[:1500], mnist.train_labels()[:1500]
X_test, y_test = mnist.test_images()[:200], mnist.test_labels()[:200]
X_train, X_test = X_train.reshape(-1, 28 * 28) / 255.0, X_test.reshape(-1, 28 * 28) / 255.0
y_train = np.eye(10)[y_train]

mnist_classifier = SimpleNetwork(X_train.shape[1], 10, [64, 32])
predictions = mnist_classifier.forward(X_train)
print(f"Untrained: loss = {mnist_classifier.loss_function(predictions, y_train):.6f}")
losses, accuracies = mnist_classifier.train(
    X_train, y_train, X_test, y_test, batch_size=30, num_epochs=6, learning_rate=1e-2
)
print(f"Best accuracy: {np.nanmax(accuracies):.3f}")  # np.NaN is gone from NumPy 2

# The same loop by hand, with functions of one's own.
network = SimpleNetwork(784, 10, [16], lambda x: np.tanh(x), lambda y: 1 - y**2)
for epoch in range(2):
    total = 0
    for k in range(0, 1500, 30):
        prediction, target = network.forward(X_train[k : k + 30]), y_train[k : k + 30]
        total += network.loss_function(prediction, target)
        network.backward(network.derivated_loss_function(prediction, target))
        network.optimize(1e-4)
    print(f"Epoch {epoch}: {total / 50:.6f}")
print("prediction:", network.predict(X_test[0]), "label:", y_test[0])
