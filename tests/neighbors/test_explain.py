"""Neighbors.explain: the plan that a search would follow, in words."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn.errors import FastnnError
from fastnn.kernels import paths


@pytest.fixture(scope="module")
def points():
    (X, _), (Q, _) = fastnn.datasets.load_mnist()
    return X[:4000], Q[:300]


def test_bytes_by_codes_and_without(points):
    X, Q = points
    with fastnn.use("native", num_threads=1):
        coded = fastnn.Neighbors(pruning="always").fit(X).explain(Q, k=7)
        plain = fastnn.Neighbors(pruning="never").fit(X).explain(Q)
    assert "The 7 nearest of 4,000 rows of 784 uint8 to 300 queries, euclidean." in coded.text
    assert coded.plan.scan == "codes"
    assert f"Seeds: each query first looks at {coded.plan.seeds} rows" in coded.text
    assert plain.plan.scan == "bytes"
    assert "Codes: none" in plain.text
    for found in (coded, plain):
        assert f"Scan: {found.plan.scan}: {paths.SCANS[found.plan.scan].words}" in found.text
        assert f"Queries: {found.plan.queries}: " in found.text
        assert f"Products: {found.plan.dot}: " in found.text
        assert "Threads: one" in found.text


def test_what_is_kept_and_who_shares_what(many_cores, points):
    X, Q = points
    index = fastnn.Neighbors("manhattan").fit(X.astype(np.float32))
    with fastnn.use("native", num_threads=4):
        few, many = index.explain(Q[:3], k=5), index.explain(Q, k=500)
    assert "inserted among them" in few.text
    assert f"{many.plan.buffer} at a time, and selected from" in many.text
    assert f"Threads: 4, which share out the {few.plan.split}." in few.text


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_other_backends_have_no_plan(backend, points):
    X, Q = points
    with fastnn.use(backend):
        found = fastnn.Neighbors().fit(X).explain(Q[:1])
    assert found.plan is None
    assert "to 1 query, euclidean" in found.text


def test_what_search_refuses_is_refused(points):
    X, Q = points
    with pytest.raises(FastnnError, match="fit"):
        fastnn.Neighbors().explain(Q)
    index = fastnn.Neighbors().fit(X)
    with pytest.raises(FastnnError, match="k: "):
        index.explain(Q, k=0)
    with pytest.raises(FastnnError, match="Q: "):
        index.explain(Q[:, :5])
    assert index.explain(Q[:0]).plan is None
