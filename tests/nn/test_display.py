"""What the REPL and notebooks show: one line, tables that fit, SVG that is well-formed and escaped."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import fastnn
from fastnn.nn import display

X, Y = np.random.default_rng(0).random((30, 4)), np.arange(30) % 3


def test_reprs_are_one_useful_line():
    model = fastnn.MLP([784, 30, 10])
    assert repr(model) == "MLP(784-30-10 sigmoid-softmax, cross_entropy, float32, 23,860 parameters)"
    mixed = fastnn.MLP([4, 5, 6, 2], activation=["relu", "tanh"], bias=[True, False, True], dtype="float64")
    assert repr(mixed) == "MLP(4-5-6-2 relu-tanh-softmax, cross_entropy, float64, 69 parameters)"
    deep = repr(fastnn.MLP([4, *[8] * 50, 2]))
    assert deep.startswith("MLP(4-8-8-8-...-2 (51 layers) sigmoid-softmax, ")
    assert len(deep) < 120
    assert repr(fastnn.Neighbors("cosine")) == "Neighbors(cosine, not fitted)"
    assert repr(fastnn.Neighbors().fit(X)) == "Neighbors(euclidean, 30 rows of 4 float64)"
    assert repr(fastnn.Neighbors().fit(X, Y)) == "Neighbors(euclidean, 30 rows of 4 float64, 3 classes)"


def test_the_repr_of_a_history():
    assert repr(fastnn.History()) == "History(no epochs)"
    found = fastnn.History([2.0], [float("nan")])
    assert repr(found) == "History(1 epoch, loss 2.0000)"
    found = fastnn.History([2.0, 1.0, 0.5], [0.1, 0.2, 0.3], [2.0, 1.5, 1.75], [0.1, 0.3, 0.25])
    assert repr(found) == (
        "History(3 epochs, loss 0.5000, accuracy 0.3000, val_loss 1.7500, val_accuracy 0.2500, best epoch 2)"
    )


def test_the_best_epoch():
    assert fastnn.History([1.0]).best_epoch is None
    assert fastnn.History([1.0, 1.0], val_loss=[3.0, 2.0]).best_epoch == 1
    assert fastnn.History([1.0, 1.0], val_loss=[2.0, 2.0]).best_epoch == 0
    model = fastnn.MLP([4, 8, 3], seed=1)
    stopping = fastnn.EarlyStopping(patience=3, monitor="val_accuracy", min_delta=0.01)
    found = model.fit(X, Y, epochs=20, validation_data=(X, Y), early_stopping=stopping, learning_rate=0.5)
    best, kept = -1.0, None
    for epoch, accuracy in enumerate(found.val_accuracy):
        if accuracy > best + 0.01:
            best, kept = accuracy, epoch
    assert found.best_epoch == kept


@pytest.mark.parametrize("width", [200, 80, 60, 40, 20, 5])
def test_summaries_fit(capsys, width):
    fastnn.MLP([784, 128, 64, 10], activation=["hard_sigmoid", "exponential"], bias=[True, False, True]).summary(width)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) == 8
    if width >= 60:
        assert lines[2].split() == ["Layer", "Activation", "Weights", "Biases", "Parameters"]
        assert lines[3].split() == ["1", "hard_sigmoid", "784", "x", "128", "128", "100,480"]
        assert lines[4].split() == ["2", "exponential", "128", "x", "64", "none", "8,192"]
        assert lines[5].split() == ["3", "softmax", "64", "x", "10", "10", "650"]
        assert lines[7] == "109,322 parameters, 427.0 KiB of float32"
        assert {len(line) for line in lines[1:7]} == {len(lines[1])}


def test_a_summary_is_as_wide_as_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    fastnn.MLP([784, 30, 10]).summary()
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 30
    with pytest.raises(fastnn.FastnnError, match="width: expected an integer of at least 1"):
        fastnn.MLP([2, 2]).summary(0)


def parsed(html: str) -> ET.Element:
    """HTML that is XML as well."""
    return ET.fromstring(html)


def texts(html: str) -> list[str]:
    return [text for text in (element.text for element in parsed(html).iter()) if text]


def test_the_diagram_of_layers():
    html = fastnn.MLP([784, 30, 10])._repr_html_()
    assert html.count("<rect") == 3
    for word in ("784", "inputs", "30", "sigmoid", "10", "softmax", "23,550", "310"):
        assert word in texts(html)
    assert "currentColor" in html
    assert "#" not in html  # no ink of its own
    assert len(html) < 5000


def test_deep_networks_are_shortened():
    html = fastnn.MLP([4, *[8] * 50, 2])._repr_html_()
    assert html.count("<rect") == 7
    assert "45 more" in texts(html)
    assert len(html) < 5000


def test_what_users_named_is_escaped():
    model = fastnn.MLP([4, 2], seed=1)
    model.fit(X, np.array(["<script>", "a&b"])[Y % 2], epochs=1)
    html = model._repr_html_()
    assert "<script>" not in html
    assert "classes: <script>, a&b" in texts(html)
    found = fastnn.History([1.0, 2.0], [0.5, 0.5], stopped="<b>& has not improved")
    assert "<b>" not in found._repr_html_()
    assert any("<b>& has not improved" in text for text in texts(found._repr_html_()))

    class Odd(fastnn.MLP):
        pass

    Odd.__name__ = "<i>"
    assert "<i>" not in Odd([2, 2])._repr_html_()


def test_the_curves_of_a_history():
    history = fastnn.MLP([4, 3], seed=1).fit(X, Y, epochs=5, validation_data=(X, Y))
    html = history._repr_html_()
    assert html.count("<polyline") == 4
    assert html.count("stroke-dasharray") == 2
    assert html.count("<circle") == 2  # the best epoch of both
    assert "#" not in html
    parsed(html)
    only = fastnn.History([3.0, 1.0, 2.0])._repr_html_()
    (line,) = parsed(only).iter("{http://www.w3.org/2000/svg}polyline")
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    left, top = display.MARGIN, points[0][1]
    assert points == [
        (left, top),
        (left + display.CURVE_WIDTH / 2, top + display.CURVE_HEIGHT),
        (left + display.CURVE_WIDTH, top + display.CURVE_HEIGHT / 2),
    ]


@pytest.mark.parametrize("losses", [[], [1.0], [1.0, 1.0], [float("inf"), 1.0, float("nan")], [float("inf")]])
def test_any_history_has_html(losses):
    html = fastnn.History(losses, [float("nan")] * len(losses))._repr_html_()
    parsed(html)
    assert ("<svg" in html) == bool(losses)
    assert "nan" not in html.replace("nan, best", "").partition("<svg")[2]
