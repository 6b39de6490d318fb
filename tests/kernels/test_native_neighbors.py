"""Native searches give the same bits with any number of threads, with codes and without, on every instruction set.

And queries of bytes in micro-batches that skip what is zero, or in whole tiles, find the same.
"""

from __future__ import annotations

import json

import numpy as np
import point_sets
import pytest
import searches

from fastnn.kernels import native


@pytest.fixture(scope="module")
def digests(run_python):
    """Those of tests/searches.py per instruction set that this CPU has; FASTNN_SIMD is read at import."""
    program, found = "import runpy; runpy.run_module('searches', run_name='__main__')", {}
    for simd in ("generic", "avx2", "avx512", "amx"):
        child = run_python(program, FASTNN_SIMD=simd, OPENBLAS_NUM_THREADS="1")
        if "as far as this CPU has it, found" not in child.stderr:
            assert child.returncode == 0, child.stderr
            output = json.loads(child.stdout)
            assert output["simd"] == simd
            found[simd] = output["digests"]
    return found


def test_the_bits_depend_on_neither_threads_nor_codes(digests):
    for of_set in digests.values():
        assert len(of_set) == 9 * len(searches.SHAPES)
        assert all(len(some) == 8 and len(set(some)) == 1 for some in of_set.values()), of_set
        assert len({some[0] for some in of_set.values()}) == len(of_set)


def test_the_bits_do_not_depend_on_the_instruction_set(digests):
    assert "generic" in digests
    for simd, of_set in digests.items():
        different = [name for name in of_set if of_set[name] != digests["generic"][name]]
        assert not different, simd


@pytest.fixture(params=["tiles", "micro-batches"])
def grouping(request):
    native.override_plan(queries=request.param)
    yield
    native.override_plan(queries=None)


@pytest.mark.quick("grouping")
@pytest.mark.parametrize("kind", ["random", "sparse", "zeros", "equal"])
@pytest.mark.parametrize("size", [*point_sets.SIZES, (40, 300, 30), (20, 1025, 9)], ids=str)
@pytest.mark.usefixtures("grouping")
def test_queries_of_bytes_in_either_grouping(size, kind):
    points = point_sets.make(kind, "uint8", *size)
    for k in (1, min(5, size[0])):
        point_sets.check(point_sets.search(native, points, "euclidean", k), points, "euclidean", k)


@pytest.mark.parametrize("grouping", [None, "tiles", "micro-batches"], indirect=True)
@pytest.mark.usefixtures("grouping")
def test_micro_batches_go_by_the_zeros_of_many_queries():
    """Enough rows for the rule to look for micro-batches; the queries' order must not show."""
    rng = np.random.default_rng(1)
    patterns = rng.random((6, 130)) < 0.3
    both = rng.integers(0, 9, (2600, 130), dtype=np.uint8) * patterns[rng.integers(0, 6, 2600)]
    X, Q = both[:2000], both[2000:]
    values, indices = point_sets.search(native, point_sets.Points(X, Q), "euclidean", 7)
    truth = ((X[np.newaxis].astype(np.int64) - Q[:, np.newaxis]) ** 2).sum(axis=2)
    expected = np.argsort(truth, axis=1, kind="stable")[:, :7]
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(truth, expected, axis=1))
