# A network of one hidden layer and k nearest neighbours by hand, on images drawn from the files of MNIST in ./mnist.
import time

import numpy as np
import scratch
from scratch import conver2one_hot, fit, knn, predict, pt_image, read_pic, set_random_seed

if __name__ == "__main__":
    set_random_seed(4)
    train_dataset, train_labels = read_pic(500)
    test_dataset, test_labels = read_pic(60, "./mnist/t10k-labels.idx1-ubyte", "./mnist/t10k-images.idx3-ubyte")
    print("pixels:", scratch.PIXEL, "=", scratch.WIDTH, "x", scratch.LENGTH)
    print("label:", train_labels[0], conver2one_hot(train_labels)[0])
    pt_image(train_dataset[0])

    start = time.time()
    w1, b1, w2, b2 = fit(train_dataset, train_labels, lr=0.1, epochs=100, hidden_node=64)
    print(f"training: {time.time() - start:.2f} s")
    print("shapes:", w1.shape, b1.shape, w2.shape, b2.shape)

    predictions = predict(np.array(test_dataset) / 255.0, w1, b1, w2, b2)
    print("predictions:", predictions)
    print("accuracy:", np.mean(predictions == np.array(test_labels)))
    print("of raw pixels:", predict(test_dataset, w1, b1, w2, b2))

    start = time.time()
    right = 0
    for i in range(len(test_dataset)):
        label = predict(np.array(test_dataset[i]) / 255.0, w1, b1, w2, b2)
        if label[0] == test_labels[i]:
            right += 1
    print("network:", right, "/", len(test_labels), "the last is", label)
    print(f"time: {time.time() - start} s")

    for k in (1, 3, 5):
        start = time.time()
        error = 0
        for i in range(len(test_dataset)):
            if knn(k, train_dataset, train_labels, test_dataset[i]) != test_labels[i]:
                error += 1
        print("k =", k, "accuracy:", 1 - error / len(test_dataset))
        print(f"time: {time.time() - start} s")
