"""Adding up records, the tables and what counts as a difference."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from scipy import sparse

from fastnn.accel import check, rows, runner
from fastnn.accel.rows import Row

FIT = Row("MLPClassifier", "fit", True, "", 2.0, 1)


def test_rows_that_went_the_same_way_add_up(tmp_path):
    for row in (FIT, FIT._replace(seconds=1.0), FIT._replace(accelerated=False, reason="sparse input", seconds=9.0)):
        rows.write(str(tmp_path), row)
    (tmp_path / "killed.jsonl").write_text(json.dumps(FIT) + "\n" + json.dumps(FIT)[:20])
    found = rows.total(rows.read(str(tmp_path)))
    assert [row[:6] for row in found] == [
        ("MLPClassifier", "fit", False, "sparse input", 9.0, 1),
        ("MLPClassifier", "fit", True, "", 5.0, 3),
    ]
    assert rows.profile(found).splitlines() == [
        "estimator      method  calls  seconds  accelerated",
        "MLPClassifier  fit         1   9.0000  no: sparse input",
        "MLPClassifier  fit         3   5.0000  yes",
    ]


def test_no_file_stays_open(tmp_path, monkeypatch):
    opened = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda *args: opened.append(real(*args)) or opened[-1])
    rows.write(str(tmp_path), FIT)
    monkeypatch.undo()
    assert opened
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_a_folder_that_is_gone_is_no_error(tmp_path):
    rows.write(str(tmp_path / "gone"), FIT)


def test_the_largest_differences_stay():
    one = FIT._replace(sklearn_seconds=6.0, loss_curve_difference=1e-9)
    other = FIT._replace(sklearn_seconds=2.0, loss_curve_difference=1e-7, score_difference=0.0)
    (found,) = rows.total([one, other])
    assert (found.speed_up, found.loss_curve_difference, found.score_difference) == (2.0, 1e-7, 0.0)
    assert (
        rows.checked([found]).splitlines()[1]
        == "MLPClassifier  fit         2     2.00x        1e-07       0            -"
    )
    assert rows.as_objects([found], checked=True)[0]["speed_up"] == 2.0
    assert FIT.differences() == ""
    assert found.differences() == "; 2 times as fast as scikit-learn, loss curves differ by 1e-07, scores differ by 0"


def test_a_problem_is_a_row_of_its_own():
    found = rows.total([FIT, FIT._replace(problem="only fastnn raised ValueError")])
    assert len(found) == 2
    assert "only fastnn raised ValueError" in rows.checked(found)
    assert rows.checked([FIT]) == "no call was accelerated, so there is nothing to compare"


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        (np.array([1.0, 4.5]), np.array([1.0, 5.0]), 0.1),
        (np.array(["a", "b"]), np.array(["a", "c"]), 0.5),
        (np.array([1, 2, 3, 4]), np.array([1, 2, 3, 5]), 0.25),
        (np.zeros((2, 1)), np.zeros(2), 1.0),
        (np.array([np.nan, 1.0]), np.array([np.nan, 1.0]), 0.0),
        (np.array([np.nan, 1.0]), np.array([0.0, 1.0]), 1.0),
        (np.array([0.0, 1.0]), np.array([np.nan, 1.0]), 1.0),
        (np.array([np.inf, 1.0]), np.array([np.inf, 2.0]), 0.5),
        (np.array([np.inf, 1.0]), np.array([-np.inf, 1.0]), 1.0),
        ((np.array([1.0]), np.array([1])), (np.array([1.0]), np.array([2])), 1.0),
        (sparse.csr_matrix(np.eye(2)), sparse.csr_matrix(np.eye(2) * 2), 0.5),
        (np.array([np.ones(1), np.ones(2)], object), np.array([np.ones(1), np.zeros(2)], object), 1.0),
        (np.zeros(0), np.zeros(0), 0.0),
    ],
)
def test_difference(ours, theirs, expected):
    assert check.difference(ours, theirs) == pytest.approx(expected)


def test_curve_difference():
    assert check.curve_difference([2.0, 1.0], [2.0, 1.25]) == pytest.approx(0.2)
    assert check.curve_difference([2.0], [2.0, 1.0]) == 1.0
    assert check.curve_difference([2.0, np.nan], [2.0, np.nan]) == 0.0
    assert check.curve_difference([2.0, np.nan], [2.0, 0.0]) == 1.0


def test_score_difference():
    assert check.score_difference(0.5, 0.75) == 0.25
    assert check.score_difference(np.nan, np.nan) == 0.0
    assert check.score_difference(np.nan, 0.0) == 1.0


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ("-m fastnn.accel a b", []),
        ("-u -Xdev -m fastnn.accel a b", ["-u", "-Xdev"]),
        ("-W error -um fastnn.accel a b", ["-W", "error", "-u"]),
        ("-mfastnn.accel a b", []),
        ("-Oumfastnn.accel a b", ["-Ou"]),
    ],
)
def test_pythons_own_options_are_passed_on(monkeypatch, words, flags):
    monkeypatch.setattr("sys.orig_argv", ["python", *words.split()])
    monkeypatch.setattr("sys.argv", ["accel/__main__.py", "a", "b"])
    assert runner.interpreter_flags() == flags
