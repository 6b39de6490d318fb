"""Iris by its nearest neighbours, whose votes count alike or by distance, and where the decision changes.

    python examples/sklearn_iris.py --out iris.png

Prints the accuracy of ten-fold cross-validation for some numbers of neighbours, and draws both decision boundaries for
the one that is best. The time goes to stderr.
"""

import argparse
import sys
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

WEIGHTS = "uniform", "distance"
COLORS = ["#0072b2", "#e69f00", "#009e73"]
SHADES = ["#cfe6f5", "#fbe8c2", "#c9ece0"]

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--neighbors", type=int, nargs="+", default=[1, 5, 15, 30, 50])
parser.add_argument("--grid", type=int, default=300, help="points of the picture in each direction")
parser.add_argument("--out", metavar="PICTURE")
options = parser.parse_args()

iris = load_iris()
X, y = iris.data[:, 2:], iris.target  # length and width of the petals, so that all of it fits in a picture
folds = StratifiedKFold(10, shuffle=True, random_state=0)

start = time.perf_counter()
accuracy = {}
print("neighbours   uniform  distance")
for k in options.neighbors:
    for weights in WEIGHTS:
        accuracy[k, weights] = cross_val_score(KNeighborsClassifier(k, weights=weights), X, y, cv=folds).mean()
    print(f"{k:10}{accuracy[k, 'uniform']:10.4f}{accuracy[k, 'distance']:10.4f}")
best = max(options.neighbors, key=lambda k: max(accuracy[k, weights] for weights in WEIGHTS))
models = [KNeighborsClassifier(best, weights=weights).fit(X, y) for weights in WEIGHTS]
for model in models:
    print(f"{best} neighbours, {model.weights}: {(model.predict(X) != y).sum()} of the rows it knows are wrong")
print(f"{time.perf_counter() - start:.2f} s", file=sys.stderr)

if options.out:
    lengths, widths = np.meshgrid(*np.linspace(X.min(axis=0) - 0.3, X.max(axis=0) + 0.3, options.grid).T)
    figure, pair = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
    for model, axes in zip(models, pair, strict=True):
        classes = model.predict(np.stack([lengths, widths], -1).reshape(-1, 2)).reshape(lengths.shape)
        axes.contourf(lengths, widths, classes, levels=[-0.5, 0.5, 1.5, 2.5], colors=SHADES)
        for label, (name, color, marker) in enumerate(zip(iris.target_names, COLORS, "os^", strict=True)):
            rows = X[y == label]
            axes.scatter(rows[:, 0], rows[:, 1], s=22, c=color, marker=marker, edgecolors="white", lw=0.5, label=name)
        axes.set(title=f"{best} neighbours, weights={model.weights!r}", xlabel="petal length (cm)")
    pair[0].set_ylabel("petal width (cm)")
    pair[1].legend(loc="lower right")
    figure.savefig(options.out, dpi=100)
