"""Native searches give the same bits with any number of threads, with codes and without, on every instruction set."""

from __future__ import annotations

import json

import pytest
import searches


@pytest.fixture(scope="module")
def digests(run_python):
    """Those of tests/searches.py per instruction set that this CPU has; FASTNN_SIMD is read at import."""
    program, found = "import runpy; runpy.run_module('searches', run_name='__main__')", {}
    for simd in ("generic", "avx2", "avx512"):
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
