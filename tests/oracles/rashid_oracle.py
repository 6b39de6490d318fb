"""The book's class neuralNetwork as it behaves: the truth that fastnn.dropin.rashid is held to.

Written from the description of Make Your Own Neural Network, part 2; it shares no code with fastnn.
"""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logit(y):
    return np.log(y / (1 - y))


def rescaled(values):
    """From least and greatest of all to 0.01 and 0.99."""
    return (values - values.min()) / (values.max() - values.min()) * 0.98 + 0.01


class neuralNetwork:  # noqa: N801  # the book's name
    """One hidden layer, sigmoids, no biases; the error goes back without the output's derivative."""

    def __init__(self, inputnodes, hiddennodes, outputnodes, learningrate):
        self.lr = learningrate
        self.draw(inputnodes, hiddennodes, outputnodes)

    def draw(self, inputnodes, hiddennodes, outputnodes):
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

    def backquery(self, targets_list):
        hidden = rescaled(self.who.T @ logit(np.array(targets_list, ndmin=2).T))
        return rescaled(self.wih.T @ logit(hidden))


class neuralNetwork2017(neuralNetwork):  # noqa: N801  # the book's name
    """As in the book's repository since May 2017."""

    def draw(self, inputnodes, hiddennodes, outputnodes):
        self.wih = np.random.normal(0.0, inputnodes**-0.5, (hiddennodes, inputnodes))
        self.who = np.random.normal(0.0, hiddennodes**-0.5, (outputnodes, hiddennodes))
