"""The programs that tutorials write by hand in NumPy for MNIST: the truth that fastnn.dropin.scratch is held to.

Written from their description; it shares no code with fastnn. Draws, orders of summation and printed lines are theirs.
"""

import random
import struct

import numpy as np

PIXEL, WIDTH, LENGTH = 784, 28, 28


def set_random_seed(seed):
    random.seed(seed)
    np.random.seed(seed)


def set_randon_seed(seed):
    random.seed(seed)


def read_pic(pic_num, label_path="./mnist/train-labels.idx1-ubyte", images_path="./mnist/train-images.idx3-ubyte"):
    global PIXEL, WIDTH, LENGTH
    with open(label_path, "rb") as labels_file, open(images_path, "rb") as images_file:
        _, count = struct.unpack(">II", labels_file.read(8))
        _, _, LENGTH, WIDTH = struct.unpack(">IIII", images_file.read(16))
        PIXEL = LENGTH * WIDTH
        images, labels = [], []
        for i in random.sample(range(count), pic_num):
            images_file.seek(16 + i * PIXEL)
            images.append(list(images_file.read(PIXEL)))
            labels_file.seek(8 + i)
            labels.append(labels_file.read(1)[0])
    return images, labels


def pt_image(image):
    for row in range(28):
        print("".join(" .:-=+*#%@"[image[28 * row + i] * 10 // 256] * 2 for i in range(28)).rstrip())


def conver2one_hot(labels):
    rows = np.zeros((len(labels), 10))
    for row, label in zip(rows, labels, strict=True):
        row[int(label)] = 1
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
    p = softmax(np.dot(active_relu(np.dot(test_data, w1) + b1), w2) + b2)
    return np.argmax(p, axis=1)


def fit_mse(train_dataset, train_labels, lr, epochs, hidden_node, pixels=PIXEL):
    x, y = 2.0 * np.array(train_dataset) / 255 - 1, conver2one_hot(train_labels)
    w1, b1, w2, b2 = draw(pixels, hidden_node)
    for epoch in range(epochs):
        z1 = np.dot(x, w1) + b1
        error = np.dot(active_relu(z1), w2) + b2 - y
        dw1, db1, dw2, db2 = get_gradient(2 * error / error.size, [w1, b1, w2, b2], [x, z1])
        w1, b1, w2, b2 = w1 - lr * dw1, b1 - lr * db1, w2 - lr * dw2, b2 - lr * db2
        if epoch == 0 or (epoch + 1) % 10 == 0:
            print(f"Epoch {epoch + 1}/{epochs}, Loss: {np.mean(error**2):.4f}")
    return w1, b1, w2, b2


def get_gradient(loss, wbs, vals):
    (_, _, w2, _), (x, z1) = wbs, vals[:2]
    dz1 = np.dot(loss, w2.T) * (z1 > 0)
    db1, db2 = np.sum(dz1, axis=0, keepdims=True), np.sum(loss, axis=0, keepdims=True)
    return np.dot(x.T, dz1), db1, np.dot(active_relu(z1).T, loss), db2


def predict_mse(test_data, w1, b1, w2, b2):
    return np.argmax(np.dot(active_relu(np.dot(test_data, w1) + b1), w2) + b2, axis=1)


def knn(k, train_dataset, train_labels, test_data):
    distances = np.sum((np.array(train_dataset) - np.array(test_data)) ** 2, axis=1) ** 0.5
    counts = [0] * (max(train_labels) + 1)
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
