"""What importing fastnn brings: nothing heavy, and every public name."""

from __future__ import annotations


def test_import_and_training_load_nothing_heavy(run_python):
    program = """
import sys
import fastnn
heavy = {"numba", "llvmlite", "sklearn", "scipy", "matplotlib", "pandas", "PIL"}
print(sorted(heavy & set(sys.modules)))
model = fastnn.MLP([2, 3], seed=0)
model.fit([[1, 2]], [0], epochs=1)
print(sorted(heavy & set(sys.modules)))
"""
    child = run_python(program)
    assert child.stdout.splitlines() == ["[]", "[]"], child.stderr


def test_every_public_name_is_there(run_python):
    program = """
import fastnn
for name in fastnn.__all__:
    assert getattr(fastnn, name) is getattr(fastnn, name), name
assert set(fastnn.__all__) <= set(dir(fastnn))
try:
    fastnn.nothing
except AttributeError as error:
    print(error)
"""
    child = run_python(program)
    assert child.stdout.strip() == "module 'fastnn' has no attribute 'nothing'", child.stderr
