"""How many hidden neurons? Accuracy and time of networks from 5 to 320.

    python examples/hidden_sizes.py --out hidden_sizes.png

Each size is trained with some seeds, as one run says little about small differences. The picture shows the mean
accuracy on the test images and its spread, and the seconds of a training.
"""

import argparse

import fastnn

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--hidden", type=int, nargs="+", default=[5, 10, 20, 40, 80, 160, 320])
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--rows", type=int, default=60_000, help="the first so many training images")
parser.add_argument("--out", metavar="PICTURE")
options = parser.parse_args()

(X, y), test = fastnn.datasets.load_mnist()
found = fastnn.sweep(
    "sizes",
    [[784, hidden, 10] for hidden in options.hidden],
    X[: options.rows],
    y[: options.rows],
    validation_data=test,
    seeds=options.seeds,
    activation="relu",
    optimizer="adam",
    epochs=options.epochs,
)
for hidden, scores, seconds in zip(options.hidden, found.scores, found.seconds, strict=True):
    print(f"{hidden:3} hidden: accuracy {scores.mean():.4f} +- {scores.std():.4f}, {seconds.mean():.2f} s")

if options.out:
    ax = fastnn.plots.plot_sweep(found)
    ax.set_xticks(range(len(options.hidden)), options.hidden, rotation=0, ha="center")
    ax.set_xlabel("hidden neurons")
    fastnn.plots.save(ax, options.out)
