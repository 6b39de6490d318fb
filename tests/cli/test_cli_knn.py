"""fastnn knn, in-process, on small sets in every format that it reads."""

from __future__ import annotations

import gzip
import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from bars import TESTING, TRAINING, bars, idx, write_bars
from PIL import Image

import fastnn
from fastnn import cli, datasets
from fastnn.cli import arguments as options
from fastnn.cli import knn as command
from fastnn.neighbors.votes import NAMED_WEIGHTS


def noisy(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bars (n, 784) hidden in so much noise that some are taken for others."""
    images, labels = bars(count, seed)
    noise = np.random.default_rng(seed + 100).integers(0, 200, images.shape)
    return np.where(images == 255, 170, noise).astype(np.uint8).reshape(count, 784), labels


def votes(X: np.ndarray, y: np.ndarray, queries: np.ndarray, k: int, metric: str = "euclidean") -> np.ndarray:
    """The classes by brute force in float64, without ``Neighbors``."""
    rows, found = X.astype(np.float64), []
    for q in queries.astype(np.float64):
        distances = {
            "euclidean": ((rows - q) ** 2).sum(axis=1),
            "manhattan": abs(rows - q).sum(axis=1),
            "cosine": 1 - rows @ q / np.sqrt((rows**2).sum(axis=1) * (q**2).sum()),
        }[metric]
        found.append(np.bincount(y[np.argsort(distances, kind="stable")[:k]]).argmax())
    return np.array(found)


TRAIN, TEST = noisy(TRAINING, 0), noisy(TESTING, 1)


def write_csv(path: Path, X: np.ndarray, y: np.ndarray) -> str:
    path.write_text("".join(f"{label},{','.join(map(str, row))}\n" for label, row in zip(y, X.tolist(), strict=True)))
    return str(path)


def write_idx(folder: Path, name: str, X: np.ndarray, y: np.ndarray | None = None) -> str:
    if y is not None:
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(y))
    images = folder / f"{name}-images-idx3-ubyte"
    images.write_bytes(idx(X.reshape(len(X), -1, 28)))
    return str(images)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("noisy")
    write_idx(folder, "train", *TRAIN)
    write_idx(folder, "t10k", *TEST)
    return str(folder)


def knn(*flags: str) -> int:
    return cli.main(["knn", "--backend", "numpy", *flags])


def result(capsys: pytest.CaptureFixture[str], *flags: str) -> dict:
    assert knn(*flags, "--json") == 0
    out, err = capsys.readouterr()
    assert err == ""
    (line,) = out.splitlines()
    return json.loads(line)


def test_accuracy_time_and_confusion(data, capsys):
    assert knn("--data", data) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    predicted = votes(*TRAIN, TEST[0], 5)
    right = int((predicted == TEST[1]).sum())
    assert 50 < right < TESTING
    assert lines[0] == "600 training rows, 200 queries, euclidean, uniform votes"
    assert lines[1] == f"k = 5: accuracy {right / TESTING:.2%} ({right} of 200 queries)"
    assert lines[2].startswith("fit 0.")
    assert " s, search " in lines[2]
    assert lines[3] == "Confusion with k = 5, a line for each true class:"
    assert lines[4].split() == [str(i) for i in range(10)]
    assert {len(line) for line in lines[4:15]} == {len(lines[4])}
    for i, line in enumerate(lines[5:15]):
        counts = [int(((TEST[1] == i) & (predicted == j)).sum()) for j in range(10)]
        assert line.split() == [str(i), *(str(count) if count else "." for count in counts)]
    assert all(" taken for " in line for line in lines[15:])
    assert 1 <= len(lines[15:]) <= 5
    assert err == ""


def test_json(data, capsys):
    found = result(capsys, "--data", data, "--k", "3")
    predicted = votes(*TRAIN, TEST[0], 3)
    assert found.pop("fit_seconds") > 0
    assert found.pop("search_seconds") > 0
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (TEST[1], predicted), 1)
    assert found == {
        "k": [3],
        "accuracy": [float((predicted == TEST[1]).mean())],
        "best_k": 3,
        "rows": TRAINING,
        "queries": TESTING,
        "backend": "numpy",
        "confusion": confusion.tolist(),
        "classes": list(range(10)),
    }


def test_several_k_are_scored_by_one_search(data, capsys, monkeypatch):
    searches, search = [], fastnn.Neighbors.search

    def count(self, Q, k, **options):
        searches.append(k)
        return search(self, Q, k, **options)

    monkeypatch.setattr(fastnn.Neighbors, "search", count)
    ks = [1, 3, 41, 5, 9]
    accuracies = [float((votes(*TRAIN, TEST[0], k) == TEST[1]).mean()) for k in ks]
    assert accuracies[0] < max(accuracies)
    found = result(capsys, "--data", data, "--k", "1,3", "41,5", "9")
    assert searches == [ks]
    assert found["accuracy"] == accuracies
    best = ks[accuracies.index(max(accuracies))]
    assert found["best_k"] == best
    assert np.trace(found["confusion"]) == round(max(accuracies) * TESTING)
    assert knn("--data", data, "--k", "1,3,41,5,9") == 0
    lines = capsys.readouterr().out.splitlines()
    for line, k, accuracy in zip(lines[1:6], ks, accuracies, strict=True):
        assert line.startswith(f"k = {k}: accuracy {accuracy:.2%} (")
    assert lines[7] == f"Confusion with k = {best}, a line for each true class:"


def test_of_equally_good_k_the_lowest_is_best(capsys, tmp_path):
    folder = write_bars(tmp_path)  # which any k tells apart
    assert result(capsys, "--data", folder, "--k", "9,3,5")["best_k"] == 3


@pytest.mark.parametrize("metric", options.METRICS)
def test_metrics(data, capsys, metric):
    predicted = votes(*TRAIN, TEST[0], 5, metric)
    assert result(capsys, "--data", data, "--metric", metric)["accuracy"] == [float((predicted == TEST[1]).mean())]


def test_weights(capsys, tmp_path):
    train = write_csv(tmp_path / "a.csv", np.array([[0], [3], [4]]), np.array([1, 2, 2]))
    query = write_csv(tmp_path / "b.csv", np.array([[1]]), np.array([1]))
    for weights, accuracy in (("uniform", 0.0), ("distance", 1.0)):  # votes 1 against 2, and 1 against 1/2 + 1/3
        flags = ["--train", train, "--query", query, "--k", "3", "--weights", weights]
        assert result(capsys, *flags)["accuracy"] == [accuracy]
    assert options.VOTE_WEIGHTS == NAMED_WEIGHTS


def test_only_classes_that_occur_are_in_the_table(capsys, tmp_path):
    train = write_csv(tmp_path / "a.csv", np.array([[0], [100]]), np.array([3, 8]))
    query = write_csv(tmp_path / "b.csv", np.repeat([[0], [99]], [1000, 3], axis=0), np.repeat([3, 5], [1000, 3]))
    assert knn("--train", train, "--query", query, "--k", "1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "k = 1: accuracy 99.70% (1,000 of 1,003 queries)"
    assert lines[4:] == [
        "          3      5      8",
        "   3  1,000      .      .",
        "   5      .      .      3",
        "   8      .      .      .",
        "  5 taken for 8: 3 of 3",
    ]


def test_letters_are_in_the_table_under_their_own_numbers(data, capsys, tmp_path):
    labels = [TRAIN[1] * 5 + 1, TEST[1] * 5 + 1]  # 1..46
    train = write_idx(tmp_path, "train", TRAIN[0], labels[0])
    query = write_csv(tmp_path / "b.csv", TEST[0], labels[1])
    found = result(capsys, "--train", train, "--query", query)
    confusion = np.zeros((47, 47), int)
    np.add.at(confusion, (labels[1], votes(TRAIN[0], labels[0], TEST[0], 5)), 1)
    assert found["classes"] == list(range(1, 47, 5))
    assert found["confusion"] == confusion[1::5, 1::5].tolist()
    assert found["accuracy"] == [np.trace(confusion) / TESTING]
    assert knn("--train", train, "--query", query, "--plot", str(tmp_path / "confusion.png")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[4].split() == [str(label) for label in range(1, 47, 5)]
    assert [line.split()[0] for line in lines[5:15]] == lines[4].split()
    wrong = np.where(np.eye(47), 0, confusion)
    i, j = np.unravel_index(wrong.argmax(), wrong.shape)
    assert lines[15] == f"  {i} taken for {j}: {wrong.max()} of {confusion[i].sum()}"


def test_labels_of_three_digits_stand_in_line(capsys, tmp_path):
    rows = write_csv(tmp_path / "a.csv", np.array([[0], [100]]), np.array([3, 255]))
    assert knn("--train", rows, "--query", rows, "--k", "1") == 0
    assert capsys.readouterr().out.splitlines()[4:] == ["         3  255", "    3    1    .", "  255    .    1"]


def test_a_label_that_only_the_training_rows_have(capsys, tmp_path):
    train = write_csv(tmp_path / "a.csv", np.array([[0], [100]]), np.array([3, 12]))
    query = write_csv(tmp_path / "b.csv", np.array([[0], [99]]), np.array([3, 3]))
    found = result(capsys, "--train", train, "--query", query, "--k", "1")
    assert (found["classes"], found["confusion"]) == ([3, 12], [[1, 1], [0, 0]])


def test_plot(data, capsys, tmp_path):
    picture = str(tmp_path / "confusion.png")
    assert knn("--data", data, "--plot", picture) == 0
    with Image.open(picture) as opened:
        assert opened.format == "PNG"


def own_files(form: str, folder: Path) -> tuple[str, str]:
    """The files of TRAIN and TEST in a format; two names of one file that has both."""
    if form == "csv":
        return write_csv(folder / "a.csv", *TRAIN), write_csv(folder / "B.CSV", *TEST)
    if form == "idx":
        return write_idx(folder, "a", *TRAIN), write_idx(folder, "b", *TEST)
    if form == "npz":
        path = folder / "any.npz"
        np.savez(path, x_train=TRAIN[0], y_train=TRAIN[1], x_test=TEST[0], y_test=TEST[1])
        return str(path), str(path)
    splits = [(np.float32(X) / np.float32(256), y.astype(np.int64)) for X, y in (TRAIN, TEST)]
    (X, y), test = splits
    path = folder / "any.pkl"
    path.write_bytes(pickle.dumps(((X[:500], y[:500]), (X[500:], y[500:]), test), protocol=2))
    return str(path), str(path)


@pytest.mark.quick
@pytest.mark.parametrize("form", ["csv", "idx", "npz", "pkl"])
def test_own_files(data, capsys, tmp_path, form):
    train, query = own_files(form, tmp_path)
    expected = result(capsys, "--data", data)
    for flags in (
        ["--train", train, "--query", query],
        ["--data", data, "--train", train],
        ["--data", data, "--query", query],
    ):
        found = result(capsys, *flags)
        for name in ("rows", "queries", "accuracy", "confusion"):
            assert found[name] == expected[name]


@pytest.mark.parametrize("name", ["b-images-idx3-ubyte", "b-images-idx3-ubyte.gz", "b-images.idx3-ubyte"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_labels_are_found_beside_the_images(tmp_path, name, ending):
    images = tmp_path / name
    labels = tmp_path / (name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1") + ending)
    images.write_bytes(idx(TEST[0].reshape(-1, 28, 28)))
    assert command._read_rows(str(images), 0)[1] is None
    labels.write_bytes(idx(TEST[1]))
    X, y = command._read_rows(str(images), 0)
    np.testing.assert_array_equal(X, TEST[0])
    np.testing.assert_array_equal(y, TEST[1])


def test_queries_without_labels_are_answered(data, capsys, tmp_path):
    query = write_idx(tmp_path, "b", TEST[0][:20])
    expected = votes(*TRAIN, TEST[0][:20], 5).tolist()
    assert knn("--data", data, "--query", query) == 0
    assert capsys.readouterr() == ("".join(f"{label}\n" for label in expected), "")
    assert knn("--data", data, "--query", query, "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"row": row, "class": label} for row, label in enumerate(expected)]


PIXEL_NAMES = [f"pixel{i}" for i in range(784)]


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_csv_queries_without_labels_are_answered(data, capsys, tmp_path, header, compress):
    lines = [",".join(map(str, row)) for row in ([PIXEL_NAMES] * header + TEST[0][:20].tolist())]
    query = tmp_path / "test.csv"
    query.write_bytes(compress("\n".join(lines).encode()))
    assert knn("--data", data, "--query", str(query)) == 0
    expected = "".join(f"{label}\n" for label in votes(*TRAIN, TEST[0][:20], 5))
    assert capsys.readouterr() == (expected, "")
    assert knn("--data", data, "--train", str(query)) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "test.csv, line 1: expected a column of labels" in err


def test_csv_columns_go_by_their_names(data, capsys, tmp_path):
    expected = result(capsys, "--data", data)
    paths = []
    for name, (X, y) in (("a.csv", TRAIN), ("b.csv", TEST)):
        header = ",".join(["id", *PIXEL_NAMES, "class"])
        table = np.column_stack([np.arange(len(X)) + 1000, X, y])
        np.savetxt(tmp_path / name, table, "%d", ",", header=header, comments="")
        paths.append(str(tmp_path / name))
    assert result(capsys, "--train", paths[0], "--query", paths[1])["confusion"] == expected["confusion"]


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_progress_is_shown_on_a_terminal(data, capsys, monkeypatch, terminal, flags):
    monkeypatch.setattr(fastnn.neighbors.index, "QUERIES_AT_A_TIME", 80)
    monkeypatch.setattr(fastnn.progress, "INTERVAL", 0)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert knn("--data", data, *flags) == 0
    err = capsys.readouterr().err
    if not terminal or flags:
        assert err == ""
        return
    shown = [state.strip() for state in err.split("\r")]
    assert [text.partition("] ")[2] for text in shown[1:4]] == [
        "80/200 queries, 0 s left",
        "160/200 queries, 0 s left",
        "200/200 queries, 0 s left",
    ]
    assert shown[4:] == ["", ""]


def test_embedded_mnist_is_the_default(monkeypatch, capsys):
    def small(path: str | None) -> tuple:
        assert path is None
        return TRAIN, TEST

    monkeypatch.setattr(datasets, "load_images", small)
    assert result(capsys)["rows"] == TRAINING


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--k", "three"], "argument --k: expected numbers of neighbours such as 1,3,5, found 'three'"),
        (["--metric", "hamming"], "invalid choice: 'hamming'"),
        (["--weights", "rank"], "invalid choice: 'rank'"),
        (["--limit", "3"], "unrecognized arguments: --limit"),
    ],
)
def test_wrong_usage(capsys, flags, message):
    assert knn(*flags) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--k", "0"], "--k: expected an integer of at least 1, found 0"),
        (["--k", ","], "--k: expected at least one integer, found none"),
        (["--k", "1,601"], "--k: expected at most 600, the number of rows to choose from, found 601"),
        (["--threads", "0"], "--threads: expected a positive integer"),
        (["--plot", "confusion.doc"], "--plot: expected a name ending in"),
    ],
)
def test_unusable_values(data, capsys, flags, message):
    assert knn("--data", data, *flags) == 2
    assert capsys.readouterr().err.startswith(f"fastnn: error: {message}")


def test_what_needs_labels(data, capsys, tmp_path):
    query = write_idx(tmp_path, "b", TEST[0])
    for flags, code, message in (
        (["--query", query, "--k", "1,3"], 2, "--k: expected one number for queries without labels, found 2 of them"),
        (["--query", query, "--plot", "x.png"], 2, f"--plot: expected queries with labels, found none beside {query}"),
        (["--train", query], 1, f"{query}: expected a file of labels beside it, found none"),
    ):
        assert knn("--data", data, *flags) == code
        assert capsys.readouterr() == ("", f"fastnn: error: {message}\n")


def test_failures(data, capsys, tmp_path):
    narrow = write_csv(tmp_path / "narrow.csv", np.array([[1, 2], [3, 4]]), np.array([0, 1]))
    bad = write_csv(tmp_path / "bad.csv", np.array([[1, 2], [3, 256]]), np.array([0, 1]))
    for flags, message in (
        (["--query", narrow], f"{narrow}: expected training rows and queries of one width, found 784 and 2 pixels"),
        (["--train", narrow], f"{narrow}: expected training rows and queries of one width, found 2 and 784 pixels"),
        (["--train", bad], "bad.csv, line 2: expected a pixel, an integer from 0 to 255"),
        (["--query", str(tmp_path / "none")], "none: there is no such file\n"),
        (["--query", str(tmp_path)], "expected a file, found a folder"),
        (["--plot", str(tmp_path / "no" / "x.png")], f"--plot: {tmp_path / 'no'}: there is no such folder\n"),
    ):
        assert knn("--data", data, *flags) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("fastnn: error: ")
        assert message in err
        assert err.count("\n") == 1
