"""Pictures of training: what is drawn where, and what is said when it cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fastnn
from fastnn import plots
from fastnn.errors import FastnnError, InvalidArgumentError


def history(epochs: int, *, held_out: bool = True, classifier: bool = True) -> fastnn.History:
    losses = [1 / (1 + i) for i in range(epochs)]
    accuracies = [1 - loss / 2 if classifier else float("nan") for loss in losses]
    return fastnn.History(
        loss=losses,
        accuracy=accuracies,
        val_loss=losses if held_out else [],
        val_accuracy=accuracies if held_out else [],
    )


@pytest.fixture
def figures(monkeypatch):
    """The figures that get written."""
    written, write = [], plots._write

    def keep(figure, path):
        written.append(figure)
        write(figure, path)

    monkeypatch.setattr(plots, "_write", keep)
    return written


def test_curves(tmp_path, figures):
    plots.plot_history(history(5), tmp_path / "a.png", held_out="test", title="784-30-10")
    loss, accuracy = figures[0].axes
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("Loss", "Accuracy (%)")
    assert [line.get_label() for line in loss.lines] == ["training (mean of the epoch)", "test"]
    np.testing.assert_array_equal(loss.lines[0].get_xdata(), [1, 2, 3, 4, 5])
    np.testing.assert_allclose(accuracy.lines[1].get_ydata(), 100 * np.array(history(5).val_accuracy))
    assert all(tick == int(tick) for tick in loss.get_xticks())
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] > 1000
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 20


@pytest.mark.parametrize("epochs", [1, 2, 100])
@pytest.mark.parametrize("held_out", [True, False])
def test_any_history(tmp_path, figures, epochs, held_out):
    plots.plot_history(history(epochs, held_out=held_out), tmp_path / "a.svg")
    assert len(figures[0].axes[0].lines) == 1 + held_out
    plots.plot_history(history(epochs, held_out=held_out, classifier=False), tmp_path / "b.svg")
    assert [axes.get_ylabel() for axes in figures[1].axes] == ["Loss"]


def test_confusion(tmp_path, figures):
    counts = np.array([[50, 3, 0], [1, 40, 7], [0, 0, 60]])
    plots.plot_confusion(counts, tmp_path / "a.png", classes=["cat", "dog", "cow"], title="animals")
    (axes,) = figures[0].axes
    assert {(t.get_position(), t.get_text()) for t in axes.texts} == {
        ((column, row), str(counts[row, column])) for row, column in zip(*np.nonzero(counts), strict=True)
    }
    assert [t.get_text() for t in axes.get_yticklabels()] == ["cat", "dog", "cow"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Predicted", "True")


def test_a_confusion_without_mistakes(tmp_path):
    plots.plot_confusion([[3, 0], [0, 4]], tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_unusable_arguments(tmp_path):
    with pytest.raises(InvalidArgumentError, match="history: expected at least one row"):
        plots.plot_history(history(0), tmp_path / "a.png")
    for counts in ([[1, 2]], [1], np.zeros((0, 0))):
        with pytest.raises(InvalidArgumentError, match="counts: expected shape"):
            plots.plot_confusion(counts, tmp_path / "a.png")
    with pytest.raises(InvalidArgumentError, match="classes: expected 1 names, found 2"):
        plots.plot_confusion([[1]], tmp_path / "a.png", classes=["a", "b"])
    for name in ("a", "a.doc", ".png"):
        with pytest.raises(InvalidArgumentError, match=r"path: expected a name ending in .*\.png"):
            plots.plot_history(history(1), tmp_path / name)
    with pytest.raises(FastnnError, match="no: there is no such folder"):
        plots.plot_history(history(1), tmp_path / "no" / "a.png")
    with pytest.raises(FastnnError, match="cannot be written"):
        plots.plot_history(history(1), str(tmp_path / ("n" * 300)) + ".png")
    assert not list(tmp_path.iterdir())
    plots.check_plot(tmp_path / "A.PNG")


def test_a_failed_write_leaves_the_old_picture(tmp_path, monkeypatch):
    def fail(*_args):
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(FastnnError, match=r"cannot be written: .*No space left"):
        plots.plot_history(history(1), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_without_matplotlib_and_without_pyplot(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(fastnn.__file__).parents[1])}

    def run(script: str) -> str:
        command = [sys.executable, "-c", script]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout

    missing = (
        "import sys; sys.modules['matplotlib'] = None; from fastnn import plots\n"
        "try: plots.check_plot('a.png')\nexcept plots.FastnnError as error: print(error)"
    )
    assert 'pip install "fastnn-cpu[plot]"' in run(missing)
    headless = (
        "import sys; from fastnn import plots; plots.plot_confusion([[1]], 'a.png')\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    assert run(headless) == "False\n"
