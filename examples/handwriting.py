"""Your own handwriting: pictures of digits, read by a network that has learnt MNIST.

    python examples/handwriting.py --out handwriting.png
    python examples/handwriting.py my_digits/*.jpg --out handwriting.png

A picture holds one digit, dark on light or light on dark, a photo or a scan; without any, those of examples/digits are
taken. Each is cut out, shrunk and centred as MNIST's digits are. The picture shows each file, what the network sees of
it, and what it says.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import fastnn
from fastnn.digit_image import load_digit

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("pictures", nargs="*", type=Path, metavar="FILE")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--out", metavar="PICTURE")
options = parser.parse_args()
files = options.pictures or sorted(Path(__file__).with_name("digits").glob("*.png"))

(X, y), _ = fastnn.datasets.load_mnist()
model = fastnn.MLP([784, 100, 10], activation="relu", seed=1)
model.fit(X, y, epochs=options.epochs, optimizer="adam")

digits = np.array([load_digit(file) for file in files])  # (n, 784) of 0..255
probabilities = model.predict_proba(digits)
answers = probabilities.argmax(axis=1)
for file, answer, row in zip(files, answers, probabilities, strict=True):
    print(f"{file.name}: {answer} ({row[answer]:.0%})")

if options.out:
    figure, axes = plt.subplots(2, len(files), figsize=(1.0 * len(files), 2.4), squeeze=False, layout="constrained")
    for (above, below), file, digit, answer in zip(axes.T, files, digits, answers, strict=True):
        above.imshow(Image.open(file).convert("RGB"))
        below.imshow(digit.reshape(28, 28), cmap="gray_r")
        below.set_title(f"says {answer}", fontsize="medium")
        above.set_axis_off()
        below.set_axis_off()
    figure.savefig(options.out, dpi=100)
