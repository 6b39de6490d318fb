"""The page with a network inside, as Python sees it; tests/draw/test_browser.py runs it."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import numpy as np
import pytest

import fastnn
from fastnn.draw.export import NEIGHBORS, export
from fastnn.draw.image_set import ImageSet


@pytest.fixture(scope="module")
def images(small_csv):
    return ImageSet(small_csv)


def written(path, model, images):
    assert export(path, model, images) == path.stat().st_size
    return path.read_text(encoding="utf-8")


def inside(text):
    (found,) = re.findall(r'<script type="application/json" id="inside">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def decoded(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_inside(images, tmp_path, dtype):
    model = fastnn.MLP([784, 9, 5, 10], activation=["relu", "tanh"], bias=[True, False, True], seed=1, dtype=dtype)
    found = inside(written(tmp_path / "page.html", model, images))
    assert found["dtype"] == dtype
    assert found["sizes"] == [784, 9, 5, 10]
    assert found["activations"] == ["relu", "tanh", "softmax"]
    for text, weights in zip(found["weights"], model.weights, strict=True):
        np.testing.assert_array_equal(decoded(text, dtype).reshape(weights.shape), weights)
    assert found["biases"][1] is None
    for text, biases in zip([found["biases"][0], found["biases"][2]], model.biases, strict=True):
        np.testing.assert_array_equal(decoded(text, dtype), biases)


def test_its_neighbors_are_as_many_of_each_class_and_like_the_others(images, tmp_path):
    """On average an image has one of its class nearer to it than among the first of them."""
    found = inside(written(tmp_path / "page.html", fastnn.MLP([784, 10]), images))["neighbors"]
    X, y = images.train
    chosen = decoded(found["images"], np.uint8).reshape(-1, 784)
    labels = np.array(found["labels"], int)
    assert np.bincount(labels).tolist() == [NEIGHBORS // 10] * 10
    near, near_first = [], []
    for label in range(10):
        members, own = X[y == label].astype(float), chosen[labels == label].astype(float)
        assert {row.tobytes() for row in own} <= {row.tobytes() for row in members}
        for some, distances in ((own, near), (members[: len(own)], near_first)):
            distances.append(np.sqrt(np.square(members[:, np.newaxis] - some).sum(axis=2)).min(axis=1).mean())
    assert (np.array(near) < near_first).all()


def test_its_neighbors_where_classes_have_few_images(tmp_path):
    rng = np.random.default_rng(2)
    y = np.repeat([3, 7, 200], [4, 30, 12])
    np.savetxt(tmp_path / "few.csv", np.column_stack([y, rng.integers(0, 256, (len(y), 64))]), "%d", ",")
    few = ImageSet(str(tmp_path / "few.csv"))
    found = inside(written(tmp_path / "page.html", fastnn.MLP([64, 3]), few))["neighbors"]
    assert found["labels"] == [str(label) for label in few.train[1]]


def test_its_policy_allows_its_own_script_and_style_and_nothing_else(images, tmp_path):
    text = written(tmp_path / "page.html", fastnn.MLP([784, 10]), images)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', text)
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert parts["default-src"] == "'none'"
    assert "connect-src" not in parts
    for tag, kind in (("script", "script-src"), ("style", "style-src")):
        (own,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert parts[kind] == f"'sha256-{digest}'"


def test_names_that_are_html_stay_inside(images, tmp_path, monkeypatch):
    monkeypatch.setattr(images, "name", "</script><script>alert(1)</script><!--")
    text = written(tmp_path / "page.html", fastnn.MLP([784, 10]), images)
    assert "alert(1)</script>" not in text
    assert inside(text)["name"] == images.name
