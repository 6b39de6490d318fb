"""The book's class neuralNetwork as it behaves: the truth that fastnn.dropin.rashid is held to.

Written from the description of Make Your Own Neural Network, part 2; it shares no code with fastnn.
"""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class neuralNetwork:  # noqa: N801  # the book's name
    """One hidden layer, sigmoids, no biases; the error goes back without the output's derivative."""

    def __init__(self, inputnodes, hiddennodes, outputnodes, learningrate):
        self.lr = learningrate
        self.wih = np.random.normal(0.0, hiddennodes**-0.5, (hiddennodes, inputnodes))
        self.who = np.random.normal(0.0, outputnodes**-0.5, (outputnodes, hiddennodes))

    def query(self, inputs_list):
        x = np.array(inputs_list, ndmin=2).T
        return sigmoid(self.who @ sigmoid(self.wih @ x))

    def train(self, inputs_list, targets_list):
        x, t = np.array(inputs_list, ndmin=2).T, np.array(targets_list, ndmin=2).T
        h = sigmoid(self.wih @ x)
        o = sigmoid(self.who @ h)
        error = t - o
        back = self.who.T @ error
        self.who += self.lr * ((error * o * (1 - o)) @ h.T)
        self.wih += self.lr * ((back * h * (1 - h)) @ x.T)
