"""How many hidden neurons, and how fast to learn? Sizes from 500 to 2,000 and rates from 1 to 0.0001 on 20,000 digits.

    python examples/sklearn_sizes_and_rates.py mnist.npz --out sizes_and_rates.png

mnist.npz is Keras' file: x_train (60000, 28, 28), y_train, x_test and y_test. Prints the accuracy on the test images
for each size and rate of plain stochastic descent, and draws it beside the seconds that each size took. Times go to
stderr.
"""

import argparse
import sys
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("mnist", metavar="FILE")
parser.add_argument("--rows", type=int, default=20_000, help="the first so many")
parser.add_argument("--sizes", type=int, nargs="+", default=[500, 1000, 2000])
parser.add_argument("--rates", type=float, nargs="+", default=[1.0, 0.1, 0.01, 0.001, 0.0001])
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--out", metavar="PICTURE")
options = parser.parse_args()

with np.load(options.mnist) as file:
    X, X_test = (file[name].reshape(-1, 784) / 255 for name in ("x_train", "x_test"))
    y, y_test = file["y_train"], file["y_test"]
X, y = X[: options.rows], y[: options.rows]
warnings.simplefilter("ignore", ConvergenceWarning)  # after so few epochs

accuracy = np.empty((len(options.sizes), len(options.rates)))
seconds = np.empty_like(accuracy)
print("hidden" + "".join(f"{f'rate {rate:g}':>13}" for rate in options.rates))
for i, size in enumerate(options.sizes):
    for j, rate in enumerate(options.rates):
        start = time.perf_counter()
        model = MLPClassifier(
            (size,), solver="sgd", momentum=0, learning_rate_init=rate, max_iter=options.epochs, random_state=0
        ).fit(X, y)
        seconds[i, j] = time.perf_counter() - start
        accuracy[i, j] = model.score(X_test, y_test)
        print(f"{size} hidden, rate {rate:g}: {seconds[i, j]:.2f} s", file=sys.stderr)
    print(f"{size:6}" + "".join(f"{value:13.4f}" for value in accuracy[i]))
i, j = np.unravel_index(accuracy.argmax(), accuracy.shape)
print(f"the best of them: {options.sizes[i]} hidden neurons, rate {options.rates[j]:g}, {accuracy[i, j]:.4f}")

if options.out:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    for size, values, style in zip(options.sizes, accuracy, ["o-", "s--", "^-.", "d:"] * len(accuracy), strict=False):
        left.plot(options.rates, values, style, ms=5, label=f"{size:,} hidden")
    left.set(xscale="log", xlabel="learning rate", ylabel="accuracy on the test images")
    left.set_title(f"{len(X):,} digits, {options.epochs} epochs of plain descent")
    left.grid(alpha=0.3)
    left.legend()
    names = [f"{size:,}" for size in options.sizes]
    right.bar(names, seconds.mean(axis=1), color="#0072b2")
    right.set(xlabel="hidden neurons", ylabel="seconds", title="Time of a training, mean over the rates")
    figure.savefig(options.out, dpi=100)
