# Train and test the network of part 2 of the book on MNIST as CSV.
# On NumPy 2, from which numpy.asfarray is gone, it is numpy.asarray(..., dtype=float).
import numpy
from neural_network import neuralNetwork

numpy.random.seed(7)

input_nodes = 784
hidden_nodes = 100
output_nodes = 10
learning_rate = 0.1
n = neuralNetwork(input_nodes, hidden_nodes, output_nodes, learning_rate)

with open("mnist_train.csv") as training_data_file:
    training_data_list = training_data_file.readlines()

epochs = 2
for _ in range(epochs):
    for record in training_data_list:
        all_values = record.split(",")
        inputs = (numpy.asarray(all_values[1:], dtype=float) / 255.0 * 0.99) + 0.01
        targets = numpy.zeros(output_nodes) + 0.01
        targets[int(all_values[0])] = 0.99
        n.train(inputs, targets)

with open("mnist_test.csv") as test_data_file:
    test_data_list = test_data_file.readlines()

scorecard = []
for record in test_data_list:
    all_values = record.split(",")
    correct_label = int(all_values[0])
    inputs = (numpy.asarray(all_values[1:], dtype=float) / 255.0 * 0.99) + 0.01
    outputs = n.query(inputs)
    label = numpy.argmax(outputs)
    print(label, "network's answer,", correct_label, "correct label")
    scorecard.append(1 if label == correct_label else 0)

print(f"surest answer: {float(outputs.max()):.6f}")
scorecard_array = numpy.asarray(scorecard)
print("performance =", scorecard_array.sum() / scorecard_array.size)
