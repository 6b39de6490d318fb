"""How many neighbours? The best k from 1 to 30 by cross-validation, on scikit-learn's digits or on MNIST.

    python examples/sklearn_best_k.py --out best_k.png
    python examples/sklearn_best_k.py --mnist mnist.npz --rows 5000 --folds 5 --out best_k.png

mnist.npz is Keras' file: x_train (60000, 28, 28) and y_train. Prints the accuracy of each k, and draws it with the
spread over the folds. The time goes to stderr.
"""

import argparse
import sys
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--mnist", metavar="FILE")
parser.add_argument("--rows", type=int, default=1797, help="the first so many")
parser.add_argument("--most", type=int, default=30, help="the last k")
parser.add_argument("--folds", type=int, default=10)
parser.add_argument("--out", metavar="PICTURE")
options = parser.parse_args()

if options.mnist:
    with np.load(options.mnist) as file:
        X, y = file["x_train"].reshape(-1, 784).astype(float), file["y_train"]
else:
    X, y = load_digits(return_X_y=True)
X, y = X[: options.rows], y[: options.rows]
folds = StratifiedKFold(options.folds, shuffle=True, random_state=0)

start = time.perf_counter()
ks = np.arange(1, options.most + 1)
scores = []
for k in ks:
    scores.append(cross_val_score(KNeighborsClassifier(k), X, y, cv=folds))
    print(f"k = {k:2}: {scores[-1].mean():.4f} +- {scores[-1].std():.4f}")
means, spreads = np.mean(scores, axis=1), np.std(scores, axis=1)
best = means.argmax()
print(f"the best of them is k = {ks[best]} with {means[best]:.4f}")
print(f"{time.perf_counter() - start:.2f} s", file=sys.stderr)

if options.out:
    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    axes.fill_between(ks, means - spreads, means + spreads, color="#cfe6f5", label="standard deviation of the folds")
    axes.plot(ks, means, "o-", color="#0072b2", ms=4, label="mean accuracy")
    axes.plot(ks[best], means[best], "D", color="#d55e00", ms=8, label=f"k = {ks[best]}, {means[best]:.4f}")
    axes.set(xlabel="k", ylabel="accuracy", title=f"{options.folds}-fold cross-validation on {len(X):,} digits")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    figure.savefig(options.out, dpi=100)
