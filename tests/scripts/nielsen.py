# Train the network of chapter 1 of the book. Its mnist_loader unpickles mnist.pkl.gz, which Python 2 wrote.
import random

import mnist_loader
import network
import numpy as np

random.seed(1)
np.random.seed(1)

training_data, validation_data, test_data = mnist_loader.load_data_wrapper()
training_data = training_data[:1000]

net = network.Network([784, 30, 10])
net.SGD(training_data, 3, 10, 3.0, test_data=test_data[:1000])
print("validation:", net.evaluate(validation_data[:500]), "/ 500")

image, digit = test_data[0]
print(np.array2string(net.feedforward(image).ravel(), precision=4, floatmode="fixed", suppress_small=True), digit)
