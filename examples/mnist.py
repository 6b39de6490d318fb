"""MNIST with rows held out, and early stopping by them.

    python examples/mnist.py --out mnist.png

A tenth of the training images is held out. The training ends when their loss has not fallen for five epochs, and keeps
the weights of the best epoch. Only then are the test images looked at. The picture has both curves.
"""

import argparse

import fastnn

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=100, help="at most")
parser.add_argument("--rows", type=int, default=60_000, help="the first so many training images")
parser.add_argument("--save", metavar="MODEL", help="write the network to this file, for serve.py")
parser.add_argument("--out", metavar="PICTURE")
options = parser.parse_args()

(X, y), (X_test, y_test) = fastnn.datasets.load_mnist()  # embedded, no download
X, y = X[: options.rows], y[: options.rows]

model = fastnn.MLP([784, 100, 10], activation="relu", seed=1)
history = model.fit(
    X,
    y,
    epochs=options.epochs,
    batch_size=32,
    optimizer="adam",
    validation_split=0.1,
    early_stopping=fastnn.EarlyStopping(patience=5),
    verbose=1,
)
print(f"ended by: {history.stopped or 'the last epoch'}; the best was epoch {history.best_epoch + 1}")
print(f"test accuracy {model.score(X_test, y_test):.4f}")

if options.save:
    model.save(options.save)
if options.out:
    fastnn.plots.save(fastnn.plots.plot_history(history, held_out="held out"), options.out)
