# Chapter 3: overfitting on 400 images, then regularization and early stopping. The port's loader gives iterators.
import random

import mnist_loader
import network2
import numpy as np

random.seed(1)
np.random.seed(1)

training_data, validation_data, test_data = mnist_loader.load_data_wrapper()
training_data = list(training_data)
validation_data = list(validation_data)

net = network2.Network([784, 30, 10], cost=network2.CrossEntropyCost)
net.large_weight_initializer()
evaluation_cost, evaluation_accuracy, training_cost, training_accuracy = net.SGD(
    training_data[:400],
    3,
    10,
    0.5,
    lmbda=0.1,
    evaluation_data=validation_data[:300],
    monitor_evaluation_cost=True,
    monitor_evaluation_accuracy=True,
    monitor_training_cost=True,
    monitor_training_accuracy=True,
)
print(evaluation_cost, evaluation_accuracy)
print("cost:", net.total_cost(validation_data[:100], 5.0, convert=True))

stopped = network2.Network([784, 30, 10], cost=network2.QuadraticCost)
stopped.SGD(
    training_data[:400],
    30,
    10,
    0.5,
    lmbda=5.0,
    evaluation_data=test_data,
    monitor_evaluation_accuracy=True,
    monitor_training_cost=True,
    early_stopping_n=1,
)
print("accuracy:", stopped.accuracy(validation_data), "of", len(validation_data))
