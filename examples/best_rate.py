"""Which learning rate? A range test suggests one; a grid shows how good it is.

    python examples/best_rate.py --out best_rate.png

The test trains for some batches at each of a hundred rising rates and leaves the weights as they were. The picture
shows the loss at each rate, and beside it the accuracy after training with rates around the one that was suggested.
"""

import argparse

import matplotlib.pyplot as plt

import fastnn

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--optimizer", default="adam")
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--rows", type=int, default=60_000, help="the first so many training images")
parser.add_argument("--out", metavar="PICTURE")
options = parser.parse_args()

(X, y), test = fastnn.datasets.load_mnist()
X, y = X[: options.rows], y[: options.rows]

model = fastnn.MLP([784, 60, 10], activation="relu", seed=1)
found = model.lr_find(X, y, optimizer=options.optimizer)
if found.suggestion is None:
    parser.exit(1, "no rate lowers the loss\n")
print(f"suggestion: {found.suggestion:.2g}")

rates = [float(f"{found.suggestion * factor:.0e}") for factor in (1 / 64, 1 / 16, 1 / 4, 1, 4, 16)]
grid = fastnn.sweep(
    "learning_rate",
    rates,
    X,
    y,
    validation_data=test,
    sizes=model.sizes,
    activation="relu",
    optimizer=options.optimizer,
    epochs=options.epochs,
)
for rate, (accuracy,) in zip(rates, grid.scores, strict=True):
    print(f"rate {rate:.2g}: accuracy {accuracy:.4f}")

if options.out:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.4), layout="constrained")
    fastnn.plots.plot_lr_find(found, ax=left)
    fastnn.plots.plot_sweep(grid, ax=right)
    figure.savefig(options.out, dpi=100)
