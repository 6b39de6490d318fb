# The same by hand with the mean squared error, a linear output and pixels scaled to -1..1.
import time

import numpy as np
from scratch_mse import conver2one_hot, fit, get_gradient, predict, read_pic, set_randon_seed

if __name__ == "__main__":
    set_randon_seed(5)
    np.random.seed(5)
    train_dataset, train_labels = read_pic(500)
    test_dataset, test_labels = read_pic(
        pic_num=60, label_path="./mnist/t10k-labels.idx1-ubyte", images_path="./mnist/t10k-images.idx3-ubyte"
    )
    test = 2 * np.array(test_dataset) / 255 - 1

    start = time.time()
    w1, b1, w2, b2 = fit(train_dataset, train_labels, 0.02, 100, 64)
    print(f"training: {time.time() - start:.3f} seconds")
    print("right:", np.sum(predict(test, w1, b1, w2, b2) == test_labels), "/", len(test_labels))

    # ten steps more, one by one
    x, y = 2 * np.array(train_dataset) / 255 - 1, conver2one_hot(train_labels)
    wbs = [w1, b1, w2, b2]
    for step in range(10):
        z1 = np.dot(x, wbs[0]) + wbs[1]
        a1 = np.maximum(0, z1)
        out = np.dot(a1, wbs[2]) + wbs[3]
        gradients = get_gradient(2 * (out - y) / y.size, wbs, [x, z1, a1, out])
        wbs = [value - 0.02 * gradient for value, gradient in zip(wbs, gradients, strict=True)]
        print(f"step {step}, loss {np.mean((out - y) ** 2):.4f}")
    for image, label in zip(test[:5], test_labels[:5], strict=True):
        print(predict(image, *wbs), label)
