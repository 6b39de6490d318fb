"""How many neighbours? The best k, by cross-validation on MNIST.

    python examples/best_k.py --out best_k.png

Each image of the training set is classified by its nearest neighbours in the other folds, for all k by one search a
fold. The picture shows the error of each k with its spread over the folds; the best k is then tested.
"""

import argparse

import fastnn

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--rows", type=int, default=60_000, help="the first so many training images")
parser.add_argument("--folds", type=int, default=5)
parser.add_argument("--most", type=int, default=12, help="the last k")
parser.add_argument("--out", metavar="PICTURE")
options = parser.parse_args()

(X, y), (X_test, y_test) = fastnn.datasets.load_mnist()
X, y = X[: options.rows], y[: options.rows]

scores = fastnn.cross_validate_k(X, y, range(1, options.most + 1), folds=options.folds)
for k, accuracy in zip(scores.ks, scores.accuracy.mean(axis=1), strict=True):
    print(f"k = {k:2}: {accuracy:.4f}")
index = fastnn.Neighbors().fit(X, y)
accuracy = (index.classify(X_test, scores.best_k) == y_test).mean()
print(f"the best is k = {scores.best_k}; test accuracy {accuracy:.4f}")

if options.out:
    fastnn.plots.save(fastnn.plots.plot_error_by_k(scores), options.out)
