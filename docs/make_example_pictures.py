"""Runs the examples that import fastnn and keeps their pictures: docs/pictures/<name of the file>.png.

    python docs/make_example_pictures.py             # all of them
    python docs/make_example_pictures.py xor serve   # some

That of serve.py is drawn here, from its answer to one of examples/digits.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

import fastnn
from fastnn.digit_image import load_digit

mpl.use("Agg")
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PICTURES = EXAMPLES.parent / "docs" / "pictures"
ENVIRONMENT = {**os.environ, "MPLBACKEND": "agg"}
BLUE = fastnn.plots.BLUE


def run(script: Path) -> None:
    line = [sys.executable, str(script), "--out", str(PICTURES / f"{script.stem}.png")]
    subprocess.run(line, env=ENVIRONMENT, check=True)


def serve(script: Path) -> None:
    """Train and save a network, serve it, ask it, and draw what it was asked and what it said."""
    digit = load_digit(EXAMPLES / "digits" / "3.png")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "digits.safetensors")
        subprocess.run([sys.executable, str(EXAMPLES / "mnist.py"), "--save", str(model)], env=ENVIRONMENT, check=True)
        with subprocess.Popen(
            [sys.executable, str(script), str(model), "0"], stdout=subprocess.PIPE, text=True
        ) as server:
            try:
                assert server.stdout is not None
                address = server.stdout.readline().removeprefix("listening on ").strip()
                with urllib.request.urlopen(address, json.dumps({"pixels": [digit.tolist()]}).encode()) as reply:
                    answer = json.load(reply)
            finally:
                server.kill()
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.6), width_ratios=[1, 2], layout="constrained")
    left.imshow(digit.reshape(28, 28), cmap="gray_r")
    left.set_title("POST: pixels", fontsize="medium")
    left.set_axis_off()
    right.bar(range(10), answer["probabilities"][0], color=BLUE)
    right.set_title(f"answer: class {answer['classes'][0]}", fontsize="medium")
    right.set(xticks=range(10), ylim=(0, 1), ylabel="probability")
    right.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURES / f"{script.stem}.png", dpi=100)


def main() -> None:
    for script in sorted(EXAMPLES.glob("*.py")):
        if script.stem.startswith("sklearn_") or (sys.argv[1:] and script.stem not in sys.argv[1:]):
            continue
        print(f"== {script.name}", flush=True)
        (serve if script.stem == "serve" else run)(script)


if __name__ == "__main__":
    main()
