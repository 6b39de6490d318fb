# The same by hand with the mean squared error, a linear output and pixels scaled to -1..1.
import random

import numpy as np
from scratch_mse import fit, predict, read_pic

random.seed(5)
np.random.seed(5)

train_dataset, train_labels = read_pic(500, "train-labels.idx1-ubyte", "train-images.idx3-ubyte")
test_dataset, test_labels = read_pic(60, "t10k-labels.idx1-ubyte", "t10k-images.idx3-ubyte")

w1, b1, w2, b2 = fit(train_dataset, train_labels, 0.02, 100, 64)
right = sum(predict(image, w1, b1, w2, b2) == label for image, label in zip(test_dataset, test_labels, strict=True))
print("right:", right, "/", len(test_labels))
