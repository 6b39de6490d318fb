"""The programs that tutorials write by hand in NumPy for MNIST: the truth that fastnn.dropin.scratch is held to.

Written from their description; it shares no code with fastnn. Draws, orders of summation and printed lines are theirs.
"""

import random
import struct

import numpy as np

PIXEL = 784


def read_pic(pic_num, label_path, images_path):
    with open(label_path, "rb") as labels_file, open(images_path, "rb") as images_file:
        _, count = struct.unpack(">II", labels_file.read(8))
        _, _, rows, columns = struct.unpack(">IIII", images_file.read(16))
        images, labels = [], []
        for i in random.sample(range(count), pic_num):
            images_file.seek(16 + i * rows * columns)
            images.append(list(images_file.read(rows * columns)))
            labels_file.seek(8 + i)
            labels.append(labels_file.read(1)[0])
    return images, labels


def pt_image(image):
    for row in range(28):
        print("".join(" .:-=+*#%@"[image[28 * row + i] * 10 // 256] * 2 for i in range(28)).rstrip())


def conver2one_hot(labels):
    rows = np.zeros((len(labels), 10))
    for row, label in zip(rows, labels, strict=True):
        row[label] = 1
    return rows


def active_relu(x):
    return np.maximum(0, x)


def softmax(x):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def draw(pixels, hidden):
    w1 = np.random.randn(pixels, hidden) * np.sqrt(2 / pixels)
    w2 = np.random.randn(hidden, 10) * np.sqrt(2 / hidden)
    return w1, np.zeros((1, hidden)), w2, np.zeros((1, 10))


def fit(train_dataset, train_labels, lr, epochs, hidden_node, pixels=PIXEL):
    x, y = np.array(train_dataset) / 255, conver2one_hot(train_labels)
    n = len(x)
    w1, b1, w2, b2 = draw(pixels, hidden_node)
    for epoch in range(epochs):
        z1 = np.dot(x, w1) + b1
        a1 = active_relu(z1)
        p = softmax(np.dot(a1, w2) + b2)
        loss = -np.mean(np.sum(y * np.log(p + 1e-8), axis=1))
        dz2 = (p - y) / n
        dz1 = np.dot(dz2, w2.T) * (z1 > 0)
        w2 = w2 - lr * np.dot(a1.T, dz2)
        b2 = b2 - lr * np.sum(dz2, axis=0, keepdims=True)
        w1 = w1 - lr * np.dot(x.T, dz1)
        b1 = b1 - lr * np.sum(dz1, axis=0, keepdims=True)
        if epoch == 0 or (epoch + 1) % 10 == 0:
            print(f"Epoch {epoch + 1}/{epochs}, Loss: {loss:.4f}")
    return w1, b1, w2, b2


def predict(test_data, w1, b1, w2, b2):
    x = np.array(test_data) / 255
    p = softmax(np.dot(active_relu(np.dot(x, w1) + b1), w2) + b2)
    return int(np.argmax(p))


def fit_mse(train_dataset, train_labels, lr, epochs, hidden_node, pixels=PIXEL):
    x, y = np.array(train_dataset) / 127.5 - 1, conver2one_hot(train_labels)
    w1, b1, w2, b2 = draw(pixels, hidden_node)
    for epoch in range(epochs):
        z1 = np.dot(x, w1) + b1
        a1 = active_relu(z1)
        error = np.dot(a1, w2) + b2 - y
        dz2 = 2 * error / error.size
        dz1 = np.dot(dz2, w2.T) * (z1 > 0)
        w2 = w2 - lr * np.dot(a1.T, dz2)
        b2 = b2 - lr * np.sum(dz2, axis=0, keepdims=True)
        w1 = w1 - lr * np.dot(x.T, dz1)
        b1 = b1 - lr * np.sum(dz1, axis=0, keepdims=True)
        if epoch == 0 or (epoch + 1) % 10 == 0:
            print(f"Epoch {epoch + 1}/{epochs}, Loss: {np.mean(error**2):.4f}")
    return w1, b1, w2, b2


def predict_mse(test_data, w1, b1, w2, b2):
    x = np.array(test_data) / 127.5 - 1
    return int(np.argmax(np.dot(active_relu(np.dot(x, w1) + b1), w2) + b2))


def knn(k, train_dataset, train_labels, test_data):
    distances = np.sum((np.array(train_dataset) - np.array(test_data)) ** 2, axis=1) ** 0.5
    counts = [0] * 10
    for i in np.argpartition(distances, k)[:k]:
        counts[train_labels[i]] += 1
    return counts.index(max(counts))


def four_layers(x, y, weights, biases, lr, updates):
    """What the TensorFlow program computes: relu, a linear output, the mean squared error over all outputs."""
    losses = []
    for _ in range(updates):
        outputs = [x]
        for layer, (w, b) in enumerate(zip(weights, biases, strict=True)):
            z = np.dot(outputs[-1], w) + b
            outputs.append(np.maximum(z, 0) if layer < len(weights) - 1 else z)
        losses.append(np.mean((outputs[-1] - y) ** 2))
        gradient = 2 * (outputs[-1] - y) / y.size
        for layer in reversed(range(len(weights))):
            weights_before = weights[layer].copy()
            weights[layer] -= lr * np.dot(outputs[layer].T, gradient)
            biases[layer] -= lr * np.sum(gradient, axis=0)
            gradient = np.dot(gradient, weights_before.T) * (outputs[layer] > 0)
    return losses
