"""What native plans for a search, on this machine and on others."""

from __future__ import annotations

import pytest

from fastnn.kernels import native
from fastnn.kernels.spec import METRICS


def plan(metric="euclidean", rows=60_000, queries=1000, columns=784, k=5, dtype="uint8", **rest):
    rest = {"threads": 2, "simd": "avx512"} | rest
    return native.plan_search(metric, rows, queries, columns, k, dtype, **rest)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("metric", METRICS)
def test_what_rows_are_compared_by(metric, dtype):
    expected = {("uint8", "euclidean"): "bytes", ("uint8", "manhattan"): "pairs"}.get((dtype, metric), "reals")
    assert plan(metric, dtype=dtype).scan == plan(metric, dtype=dtype).plain_scan == expected
    if metric != "manhattan":
        coded = plan(metric, dtype=dtype, code_width=32, finer_codes=2, most_verified=0.1)
        assert (coded.scan, coded.plain_scan, coded.seeds, coded.finer_codes) == ("codes", expected, 10, 2)
        assert (coded.most_verified, coded.grace) == (0.1, 234)
    assert plan(metric, dtype=dtype).seeds == 0


def test_products_of_more_bytes_than_32_bits_hold_are_floating_point():
    assert plan(columns=16_384).scan == "bytes"
    assert plan(columns=16_385).scan == "reals"


@pytest.mark.parametrize(
    ("simd", "dot", "tile_queries"),
    [("generic", "madd", 4), ("avx2", "madd", 6), ("avx512", "vnni", 12), ("amx", "amx", 16)],
)
def test_other_machines(simd, dot, tile_queries):
    found = plan(simd=simd)
    assert (found.dot, found.queries) == (dot, "tiles" if dot == "amx" else "micro-batches")
    if simd != "generic":  # which ARM has in another width
        assert found.tile_queries == tile_queries
        assert found.block % tile_queries == 0
    assert plan(simd="avx512", dot="madd").dot == "madd"


def test_how_queries_are_grouped():
    assert plan(queries=1).queries == "alone"
    assert plan(queries=2).queries == "micro-batches"
    assert plan(rows=699).queries == "tiles"
    coded = plan(code_width=16)
    assert (coded.queries, coded.plain_queries) == ("tiles", "micro-batches")
    assert plan(dtype="float32", queries=1).queries == "tiles"
    native.override_plan(queries="micro-batches")
    try:
        assert (plan(rows=9).queries, plan(rows=9).most_active) == ("micro-batches", float("inf"))
        native.override_plan(queries="tiles")
        assert plan().queries == "tiles"
    finally:
        native.override_plan(queries=None)


def test_what_threads_share_out():
    few, many, small = plan(queries=100), plan(queries=1000), plan(rows=10, queries=100)
    assert (few.split, few.threads, few.parts, few.blocks) == ("rows", 2, 2, 1)
    assert (many.split, many.threads, many.parts, many.block, many.blocks) == ("queries", 2, 1, 504, 2)
    assert (small.split, small.threads, small.parts) == ("queries", 1, 1)
    assert plan(queries=100_000, threads=1).block <= 1032


def test_how_the_nearest_are_kept():
    assert [plan(k=k).buffer for k in (32, 33)] == [0, 16]
    assert [plan(k=k, code_width=16).buffer for k in (256, 257)] == [0, 128]
    assert [plan(k=k, code_width=16).seeds for k in (16, 256, 257)] == [32, 512, 0]
    assert [plan(k=k, code_width=16).seed_buffer for k in (16, 256, 257)] == [0, 256, 0]
