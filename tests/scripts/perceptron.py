# The book's first exercises: perceptrons that compute NAND, and a network without a hidden layer.
import random

import mnist_loader
import network
import numpy as np


class Perceptrons(network.Network):
    def feedforward(self, a):
        for b, w in zip(self.biases, self.weights, strict=True):
            a = np.where(np.dot(w, a) + b > 0, 1, 0)
        return a


nand = Perceptrons([2, 1])
nand.weights = [np.array([[-2, -2]])]
nand.biases = [np.array([[3]])]
for bits in [(0, 0), (0, 1), (1, 0), (1, 1)]:
    print(bits, "->", nand.feedforward(np.reshape(bits, (2, 1))).item())

random.seed(2)
np.random.seed(2)
training_data, _, test_data = mnist_loader.load_data_wrapper()
training_data, test_data = training_data[:1000], test_data[:500]

net = network.Network([784, 10])
net.SGD(training_data, 2, 10, 3.0, test_data=test_data)

# The same weights with the step in the place of the sigmoid; the first of several 1 counts.
steps = Perceptrons([784, 10])
steps.weights, steps.biases = net.weights, net.biases
print("by steps:", steps.evaluate(test_data), "of", len(test_data))
