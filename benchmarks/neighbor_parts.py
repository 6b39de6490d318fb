"""The parts of the comparison of neighbours that are no plain search: a program, hard data, many rows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import neighbor_data
import numpy as np
from contenders import seconds_alone
from neighbor_data import Array, Points
from neighbor_rivals import Task
from neighbor_turns import BOTH, SEARCH, Turn, burst, join
from reports import Report, milliseconds, ratio, timing

import fastnn

LARGE, SMALL, LARGE_QUERIES = 1_000_000, 60_000, 1000
PROGRAM_ROWS, PROGRAM_CHECKS = 20_000, 200
K = 5


def knn_by_hand(k: int, train: Array, labels: Array, x: Array) -> int:
    """As people write it: differences to all rows, the k nearest by argpartition, their most frequent label."""
    distances = np.sum((train - x) ** 2, axis=1)
    nearest = np.argpartition(distances, k)[:k]
    return int(np.bincount(labels[nearest]).argmax())


def program(rounds: int) -> Report:
    """Seconds a query of the hand-written program, of its drop-in, and of ``classify`` of 10,000 with its fit.

    In float64 as in the program, whose differences of uint8 would be wrong, and where fastnn gets the images as they
    are.
    """
    from fastnn.dropin.scratch import knn

    (X, y), (X_test, _) = fastnn.datasets.load_mnist()
    pixels, labels = X[:PROGRAM_ROWS], y[:PROGRAM_ROWS].astype(np.int64)
    train, queries = pixels.astype(np.float64), X_test.astype(np.float64)

    def classify(rows: Array, Q: Array) -> float:
        start = time.perf_counter()
        fastnn.Neighbors().fit(rows, labels).classify(Q, K)
        return (time.perf_counter() - start) / len(Q)

    runs: dict[str, Callable[[], float]] = {
        "knn": lambda: burst(lambda at: knn(K, train, labels, queries[at])),
        "knn uint8": lambda: burst(lambda at: knn(K, pixels, labels, X_test[at])),
        "classify": lambda: classify(train, queries),
        "classify uint8": lambda: classify(pixels, X_test),
        "NumPy program": lambda: burst(lambda at: knn_by_hand(K, train, labels, queries[at])),
    }
    taken: dict[str, list[float]] = {name: [] for name in runs}
    checks = queries[:PROGRAM_CHECKS]
    expected = [knn_by_hand(K, train, labels, x) for x in checks]
    with fastnn.use("native"):
        start = time.perf_counter()
        knn(K, train, labels, queries[0])
        first = time.perf_counter() - start
        for _ in range(rounds):
            for name, run in runs.items():
                taken[name].append(seconds_alone(run))
        right = [knn(K, train, labels, x) for x in checks] == expected
        right &= fastnn.Neighbors().fit(train, labels).classify(checks, K).tolist() == expected
    results = {}
    for name, seconds in taken.items():
        own, (times, (least, most)) = timing(seconds, None), ratio(taken["NumPy program"], seconds)
        results[name] = {"seconds": own.seconds, "fastest": own.fastest, "slowest": own.slowest, "program_takes": times}
        print(f"  {name:20} {own.text()} a query  the program takes {times:.1f} times that ({least:.1f} .. {most:.1f})")
    print(f"  first call of knn {milliseconds(first)} ms; {'the same labels' if right else 'WRONG LABELS'}")
    return {"rounds": rounds, "right": right, "first_call_seconds": first, "results": results}


def both_ways(points: Mapping[str, Points], rounds: int) -> tuple[dict[str, dict[str, Turn]], bool]:
    """Native searching some data with its rule for pruning and without, in turn, and whether it finds the same."""
    turns = {
        kind: {
            name: Turn(searcher, own.Q, K)
            for name, searcher in join(["native", "plain"], Task(own.X, own.Q, K)).items()
        }
        for kind, own in points.items()
    }
    for _ in range(rounds):
        for turn in (turn for pair in turns.values() for turn in pair.values()):
            turn.batch()
    same = (map(np.array_equal, pair["native"].found, pair["plain"].found) for pair in turns.values())
    return turns, all(all(parts) for parts in same)


def degenerate(rounds: int) -> Report:
    """Seconds with pruning, where it has not decided against it, by those without."""
    rows = []
    for kind in neighbor_data.DEGENERATE:
        for dtype in ("uint8", "float32"):
            turns, right = both_ways({kind: neighbor_data.degenerate(kind, dtype)}, rounds)
            pruned, plain = (turns[kind][name].taken for name in ("native", "plain"))
            times, (least, most) = ratio(pruned[SEARCH], plain[SEARCH])
            whole = ratio(pruned[BOTH], plain[BOTH])[0]
            seconds = statistics.median(plain[SEARCH])
            print(
                f"  {kind:22} {dtype:8} {times:.2f} times plain search ({least:.2f} .. {most:.2f}), which takes "
                f"{milliseconds(seconds)} ms; with fit {whole:.2f}{'' if right else '  WRONG ANSWERS'}",
                flush=True,
            )
            rows.append(
                {"data": kind, "dtype": dtype, "right": right, "plain_seconds": seconds, "search": times, "both": whole}
            )
    return {"rounds": rounds, "right": all(row["right"] for row in rows), "rows": rows}


def large(rounds: int) -> Report:
    """Seconds a pair of a search among many rows, by those among fewer of the same."""
    (X, _), (X_test, _) = fastnn.datasets.load_mnist()
    rows, Q = neighbor_data.digits(X, LARGE, seed=0), neighbor_data.digits(X_test, LARGE_QUERIES, seed=1)
    turns, right = both_ways({"small": Points(rows[:SMALL], Q), "large": Points(rows, Q)}, rounds)
    found: Report = {"rounds": rounds, "right": right}
    for name in ("native", "plain"):
        few, many = (turns[kind][name].taken for kind in ("small", "large"))
        pairs = {"few": SMALL * LARGE_QUERIES, "many": LARGE * LARGE_QUERIES}
        own = found[name] = {
            what: {
                "picoseconds_a_pair": [
                    1e12 * statistics.median(few[what]) / pairs["few"],
                    1e12 * statistics.median(many[what]) / pairs["many"],
                ],
                "times": ratio(many[what], few[what])[0] * SMALL / LARGE,
            }
            for what in (SEARCH, BOTH)
        }
        for what, row in own.items():
            small, big = row["picoseconds_a_pair"]
            print(
                f"  {name:8} {what:14} {small:.1f} ps a pair among {SMALL:,}, {big:.1f} among {LARGE:,}: "
                f"{row['times']:.2f} times{'' if right else '  WRONG ANSWERS'}"
            )
    return found


PARTS: Mapping[str, Callable[[int], Report]] = {"program": program, "degenerate": degenerate, "large": large}
