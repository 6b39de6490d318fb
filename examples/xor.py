"""XOR, which no straight line divides: four rows and a network with a few hidden neurons.

    python examples/xor.py --out xor.png

The loss and the four probabilities are printed; the picture shows the loss over the epochs, and what the network says
between and around the four corners.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import fastnn

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--hidden", type=int, default=4)
parser.add_argument("--epochs", type=int, default=1000)
parser.add_argument("--out", metavar="PICTURE")
options = parser.parse_args()

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = np.array([0, 1, 1, 0])

model = fastnn.MLP([2, options.hidden, 2], activation="tanh", seed=1)
history = model.fit(X, y, epochs=options.epochs, batch_size=4, learning_rate=0.5)
print(f"loss {history.loss[-1]:.4f}")
for row, probability in zip(X.astype(int), model.predict_proba(X)[:, 1], strict=True):
    print(f"{row[0]} xor {row[1]}: 1 with probability {probability:.3f}")

if options.out:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.4), layout="constrained")
    fastnn.plots.plot_history(history, ax=left)
    fastnn.plots.plot_decision_boundary(model, X, y, ax=right)
    figure.savefig(options.out, dpi=100)
