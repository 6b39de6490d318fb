# Parts 2 and 3 of the book: train a network on MNIST as CSV, test it, and run it backwards.
# On NumPy 2, from which numpy.asfarray is gone, it is numpy.asarray(..., dtype=float).
import numpy
from neural_network import neuralNetwork

numpy.random.seed(7)

input_nodes = 784
hidden_nodes = 200
output_nodes = 10
learning_rate = 0.1
n = neuralNetwork(input_nodes, hidden_nodes, output_nodes, learning_rate)

training_data_file = open("mnist_dataset/mnist_train.csv", "r")  # noqa: SIM115, UP015  # as the book has it
training_data_list = training_data_file.readlines()
training_data_file.close()

epochs = 2
for e in range(epochs):  # noqa: B007  # as the book has it
    for record in training_data_list:
        all_values = record.split(",")
        inputs = (numpy.asarray(all_values[1:], dtype=float) / 255.0 * 0.99) + 0.01
        targets = numpy.zeros(output_nodes) + 0.01
        targets[int(all_values[0])] = 0.99
        n.train(inputs, targets)
        pass
    pass

test_data_file = open("mnist_dataset/mnist_test.csv", "r")  # noqa: SIM115, UP015  # as the book has it
test_data_list = test_data_file.readlines()
test_data_file.close()

all_values = test_data_list[0].split(",")
print(all_values[0])
print(n.query((numpy.asarray(all_values[1:], dtype=float) / 255.0 * 0.99) + 0.01))

scorecard = []
for record in test_data_list:
    all_values = record.split(",")
    correct_label = int(all_values[0])
    print(correct_label, "correct label")
    inputs = (numpy.asarray(all_values[1:], dtype=float) / 255.0 * 0.99) + 0.01
    outputs = n.query(inputs)
    label = numpy.argmax(outputs)
    print(label, "network's answer")
    if label == correct_label:
        scorecard.append(1)
    else:
        scorecard.append(0)
        pass
    pass

scorecard_array = numpy.asarray(scorecard)
print("performance = ", scorecard_array.sum() / scorecard_array.size)

label = 0
targets = numpy.zeros(output_nodes) + 0.01
targets[label] = 0.99
print(targets)
image_data = n.backquery(targets)
print(image_data.shape, image_data.mean())
