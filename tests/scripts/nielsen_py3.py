# The Python 3 port's example of chapter 1, where the loader gives iterators, with two networks one after the other.
import random

import mnist_loader
import network
import numpy as np

random.seed(1)
np.random.seed(1)

training_data, validation_data, test_data = mnist_loader.load_data_wrapper()
training_data = list(training_data)[:1000]

net = network.Network([784, 30, 10])
net.SGD(training_data, 3, 10, 3.0, test_data=test_data)

# The list has kept its order, so the second network's batches do not depend on the first network's shuffles.
deeper = network.Network([784, 30, 20, 10])
deeper.SGD(training_data, 2, 10, 3.0)
print("validation:", deeper.evaluate(validation_data))
print("the first digits:", [int(np.argmax(y)) for x, y in training_data[:10]])
