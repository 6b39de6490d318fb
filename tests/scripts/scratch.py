# A network of one hidden layer and k nearest neighbours by hand, on images drawn from the files of MNIST.
import random

import numpy as np
from scratch import conver2one_hot, fit, knn, predict, pt_image, read_pic

random.seed(4)
np.random.seed(4)

train_dataset, train_labels = read_pic(500, "train-labels.idx1-ubyte", "train-images.idx3-ubyte")
test_dataset, test_labels = read_pic(60, "t10k-labels.idx1-ubyte", "t10k-images.idx3-ubyte")

print("label:", train_labels[0], conver2one_hot(train_labels)[0])
pt_image(train_dataset[0])

w1, b1, w2, b2 = fit(train_dataset, train_labels, 0.1, 100, 64)
print("shapes:", w1.shape, b1.shape, w2.shape, b2.shape)

right = neighbours = 0
for image, label in zip(test_dataset, test_labels, strict=True):
    right += predict(image, w1, b1, w2, b2) == label
    neighbours += knn(3, train_dataset, train_labels, image) == label
print("network:", right, "/", len(test_labels))
print("knn:", neighbours, "/", len(test_labels))
