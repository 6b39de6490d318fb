"""``fastnn.accel.install`` and what it exchanges, in processes of their own."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn import datasets, neighbors, neural_network

CLASSES = {
    name: vars(module)[name]
    for module in (neural_network, neighbors)
    for name in ("MLPClassifier", "MLPRegressor", "KNeighborsClassifier", "KNeighborsRegressor", "NearestNeighbors")
    if name in vars(module)
}

START = """
import copy, gc, inspect, io, os, pickle, subprocess, sys, warnings
import numpy as np
import fastnn.accel

warnings.simplefilter("ignore")
RNG = np.random.default_rng(0)
X = RNG.uniform(size=(300, 8))
y = (X.sum(axis=1) > 4).astype(int)

def is_fast(kind):
    return any(base.__module__.startswith("fastnn.") for base in kind.__mro__)
"""


@pytest.fixture
def run(run_python):
    """Run a program that begins as ``START``, and return what it prints."""

    def run(program: str, **environment: str) -> str:
        child = run_python(START + program, **environment)
        assert child.returncode == 0, child.stderr
        return child.stdout

    return run


@pytest.mark.quick
@pytest.mark.parametrize("name", CLASSES)
def test_names_imported_before_and_after_and_back(run, name):
    original = CLASSES[name]
    library = original.__module__.rpartition(".")[0]
    printed = run(f"""
import types
import sklearn.base
import {original.__module__} as private
import {library}
import {library} as library
from {library} import {name}
from {library} import {name} as Alias
other = types.ModuleType("other")
exec("from {library} import *", vars(other))
sys.modules["other"] = other
Original = [{name}]

class Before({name}):
    def more(self):
        return super().fit(X, y)

old, kept = {name}(), copy.copy({name}().fit(X, y))
text, signature = repr(old), inspect.signature({name})
fastnn.accel.install()

assert is_fast({name}) and not is_fast(Original[0])
assert library.{name} is private.{name} is Alias is other.{name} is {library}.{name} is {name} is type(old)
from {library} import {name} as Again
assert Again is {name}
assert {name}.__module__ == Original[0].__module__ and {name}.__qualname__ == {name!r}
assert repr({name}) == repr(Original[0]) and repr({name}()) == text and {name}.__doc__ == Original[0].__doc__
assert inspect.signature({name}) == signature and {name}().get_params() == Original[0]().get_params()
assert inspect.getsource({name}.fit) == inspect.getsource(Original[0].fit)
for kind in ({name}, Original[0], Before):
    assert isinstance(kind(), {name}) and isinstance(kind(), Original[0]) and issubclass(kind, {name})
assert not isinstance(sklearn.base.BaseEstimator(), {name}) and not isinstance({name}(), Before)
assert is_fast(Before) and type(sklearn.base.clone(old)) is {name}

class After({name}):
    pass

assert issubclass(After, Original[0]) and not isinstance({name}(), After)
Before().more()
after = After().fit(X, y)
left = Original[0]().fit(X, y)
for one in (old, kept, left, {name}().fit(X, y)):
    again = pickle.loads(pickle.dumps(one))
    assert type(again) is {name}
    assert type(copy.deepcopy(one)) is {name}
new = {name}().fit(X, y)
calls = sum(row["calls"] for row in fastnn.accel.report() if row["method"] == "fit")
assert calls == 4, fastnn.accel.report()

fastnn.accel.uninstall()
assert {name} is library.{name} is private.{name} is Alias is other.{name} is Original[0] is type(old) is type(new)
assert not is_fast(Before) and not is_fast(After) and not is_fast(type(after))
assert type(pickle.loads(pickle.dumps(new))) is Original[0]
assert not any("FASTNN_ACCEL" in name for name in os.environ) and "startup" not in os.environ["PYTHONPATH"]
assert fastnn.accel.report() == []
fastnn.accel.uninstall()
fastnn.accel.install()
assert is_fast({name}) and is_fast(type(new)) and is_fast(After)
print("done")
""")
    assert printed == "done\n"


def test_estimators_fitted_before_and_after_search_on(run):
    """An index of fastnn's in place of a tree must not outlive the class that knows of it."""
    printed = run("""
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
X = RNG.uniform(size=(2000, 14))
y = (X.sum(axis=1) > 7).astype(int)

class Derived(KNeighborsClassifier):
    pass

kinds = [KNeighborsClassifier, Derived, NearestNeighbors]
before = [kind().fit(X, y) for kind in kinds]
expected = [model.kneighbors(X) for model in before]

def check(models):
    for model, (distances, indices) in zip(models, expected):
        found = model.kneighbors(X)
        np.testing.assert_array_equal(found[1], indices)
        np.testing.assert_allclose(found[0], distances, rtol=1e-12)

fastnn.accel.install()
check(before)
after = [kind().fit(X, y) for kind in (KNeighborsClassifier, Derived, NearestNeighbors)]
check(after)
rows = [row for row in fastnn.accel.report() if row["method"] == "kneighbors"]
assert sum(row["calls"] for row in rows) == 6 and all(row["accelerated"] for row in rows), rows
fastnn.accel.uninstall()
check(before)
check(after)
assert not any("_index" in vars(model) for model in before + after)
print("done")
""")
    assert printed == "done\n"


def test_installed_first(run):
    printed = run("""
fastnn.accel.install()
fastnn.accel.install(verbose=True)
from sklearn.neural_network import MLPClassifier
from sklearn import neural_network
assert is_fast(MLPClassifier) and neural_network.MLPClassifier is MLPClassifier
assert type(neural_network.__loader__).__module__ != "fastnn.accel.startup.fastnn_accel_finder"
assert neural_network.__spec__.loader is neural_network.__loader__
child = [sys.executable, "-c", "from sklearn.neural_network import MLPClassifier; print(len(MLPClassifier.__mro__))"]
assert int(subprocess.check_output(child)) == len(MLPClassifier.__mro__)
fastnn.accel.uninstall()
assert int(subprocess.check_output(child)) == len(neural_network.MLPClassifier.__mro__)
import importlib
importlib.reload(neural_network)
assert not is_fast(neural_network.MLPClassifier)
fastnn.accel.install()
assert is_fast(neural_network.MLPClassifier)
print(sum(len(path) > 0 for path in [fastnn.accel._folder]))
""")
    assert printed == "1\n"


def test_fastnns_own_classes_are_none_of_scikit_learns_names(run):
    assert (
        run("""
fastnn.accel.install()
from sklearn.neural_network import MLPClassifier
from fastnn.dropin.sklearn.neural_network import MLPClassifier as DropIn
assert DropIn is not MLPClassifier and isinstance(DropIn(), MLPClassifier)
DropIn(max_iter=2).fit(X, y)
MLPClassifier(max_iter=2).fit(X, y)
DropIn(max_iter=2).fit(X, y)
print([(row["method"], row["calls"]) for row in fastnn.accel.report()])
""")
        == "[('fit', 3)]\n"
    )


def test_fastnns_public_classes_are_derived_from_scikit_learns_own(run):
    """Also where they are what imports scikit-learn."""
    printed = run("""
fastnn.accel.install()
kinds = [getattr(fastnn, name) for name in ("KNeighborsClassifier", "NearestNeighbors", "MLPClassifier")]
from sklearn import neighbors, neural_network
assert is_fast(neural_network.MLPClassifier) and is_fast(neighbors.KNeighborsClassifier)
exchanged = [neighbors.KNeighborsClassifier, neighbors.NearestNeighbors, neural_network.MLPClassifier]
for kind, accelerated in zip(kinds, exchanged):
    assert accelerated not in kind.__mro__ and isinstance(kind(), accelerated)
assert "dropout" not in neural_network.MLPClassifier().get_params()
print(fastnn.MLPClassifier(dropout=0.1, max_iter=2).fit(X, y))
""")
    assert printed == "MLPClassifier(dropout=0.1, max_iter=2)\n"


def test_the_methods_are_scikit_learns_to_those_who_look(run):
    assert (
        run("""
import sklearn
from sklearn import neural_network
original = neural_network.MLPClassifier
adam, lbfgs = original(), original(solver="lbfgs")
fastnn.accel.install()
now = neural_network.MLPClassifier
for name in ("fit", "predict", "score", "partial_fit"):
    assert inspect.signature(getattr(now, name)) == inspect.signature(getattr(original, name)), name
    assert inspect.signature(getattr(now(), name)) == inspect.signature(getattr(original(), name)), name
    assert getattr(now, name).__doc__ == getattr(original, name).__doc__
    assert inspect.ismethod(getattr(now(), name)) and inspect.isfunction(getattr(now, name))
assert hasattr(adam, "partial_fit") and not hasattr(lbfgs, "partial_fit")
with sklearn.config_context(enable_metadata_routing=True):
    assert str(now().get_metadata_routing()) == str(original().get_metadata_routing())
print(now.partial_fit(adam, X, y, classes=[0, 1]).t_, adam.partial_fit(X, y).t_)
print([(row["method"], row["calls"]) for row in fastnn.accel.report()])
""")
        == "300 600\n[('partial_fit', 2)]\n"
    )


@pytest.mark.parametrize("name", CLASSES)
def test_public_methods_have_scikit_learns_signatures_and_texts(run, name):
    library = CLASSES[name].__module__.rpartition(".")[0]
    assert (
        run(f"""
from {library} import {name}
shown = {{}}
for turn in range(2):
    for method in dir({name}):
        found = getattr({name}, method)
        if not method.startswith(("_", "set_")) and callable(found):
            now = inspect.signature(found), found.__doc__
            assert shown.setdefault(method, now) == now, method
    fastnn.accel.install()
print(is_fast({name}), len(shown) > 5)
""")
        == "True True\n"
    )


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs do not converge
@pytest.mark.parametrize("name", CLASSES)
def test_pickles_cross(run, run_python, tmp_path, name):
    kind = CLASSES[name]
    X, y = datasets.load_iris(return_X_y=True)
    X = np.repeat(X, 4, 0) + np.random.default_rng(0).normal(size=(600, 4))
    model = kind().set_params(**({"max_iter": 20, "random_state": 0} if name[0] == "M" else {}))
    model.fit(X, np.repeat(y, 4))
    (tmp_path / "theirs.pkl").write_bytes(pickle.dumps(model))
    np.save(tmp_path / "X.npy", X)
    printed = run(f"""
fastnn.accel.install()
with open({str(tmp_path / "theirs.pkl")!r}, "rb") as file:
    model = pickle.load(file)
assert is_fast(type(model)), type(model).__mro__
X = np.load({str(tmp_path / "X.npy")!r})
if hasattr(model, "predict"):
    model.predict(X)
    model.fit(X, model.predict(X))
else:
    model.fit(X).kneighbors(X)
with open({str(tmp_path / "ours.pkl")!r}, "wb") as file:
    pickle.dump(model, file)
""")
    assert printed == ""
    data = (tmp_path / "ours.pkl").read_bytes()
    assert b"fastnn" not in data
    ours = pickle.loads(data)  # in this process, which has scikit-learn's own classes
    assert type(ours) is kind
    assert vars(ours).keys() == vars(model).keys()
    if hasattr(ours, "predict"):
        assert ours.predict(X).shape == model.predict(X).shape
        ours.fit(X, np.repeat(y, 4))
    else:
        np.testing.assert_array_equal(ours.kneighbors(X)[1], model.kneighbors(X)[1])


def test_check_leaves_no_trace(run):
    program = """
from sklearn.neural_network import MLPClassifier, MLPRegressor
np.random.seed(1)
state = np.random.RandomState(2)
one = MLPClassifier(max_iter=3, verbose=True).fit(X, y)
two = MLPRegressor(max_iter=3, random_state=state).fit(X, y).fit(X, y)
three = MLPClassifier(max_iter=3, warm_start=True, early_stopping=True).fit(X, y).fit(X, y)
sys.stdout.flush()
MLPClassifier(max_iter=3, solver="lbfgs", verbose=True, random_state=0).fit(X, y)  # which SciPy prints past sys.stdout
print(one.loss_curve_, two.loss_curve_, three.validation_scores_, np.random.uniform(), state.uniform())
try:
    MLPClassifier().fit(X, y[:-1])
except ValueError as error:
    print(error, len(inspect.trace()))
"""
    check = """
rows = fastnn.accel.report()
assert len(rows) > 1
for row in rows:
    assert row["problem"] == "", row
    if row["accelerated"]:
        assert row["sklearn_seconds"] > 0 and row["prediction_difference"] < 1e-9, row
        assert row["method"] != "fit" or row["loss_curve_difference"] < 1e-9
        assert row["score_difference"] < 1e-9
"""
    without = run("fastnn.accel.install()\n" + program)
    assert run("fastnn.accel.install(check=True)\n" + program + check) == without


def test_each_call_is_logged_with_the_reason(run_python):
    program = """
fastnn.accel.install(verbose=True)
from scipy import sparse
from sklearn.neural_network import MLPClassifier
model = MLPClassifier(max_iter=2).fit(X, y)
model.predict(X[:1])
try:
    model.predict(X[:, :2])
except ValueError:
    pass
"""
    lines = run_python(START + program).stderr.splitlines()
    assert [line.rpartition(",")[0] for line in lines] == [
        "fastnn.accel: MLPClassifier.fit: accelerated",
        "fastnn.accel: MLPClassifier.predict: scikit-learn's own code (so little that scikit-learn is as fast)",
        "fastnn.accel: MLPClassifier.predict: scikit-learn's own code (it raised ValueError)",
    ]


def test_ipython_extension(run):
    pytest.importorskip("IPython", reason="%load_ext is IPython's")
    assert (
        run("""
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
shell.run_cell("from sklearn.neural_network import MLPClassifier; early = MLPClassifier()").raise_error()
shell.run_line_magic("load_ext", "fastnn.accel")
assert is_fast(shell.user_ns["MLPClassifier"]) and is_fast(type(shell.user_ns["early"]))
cell = "import numpy as np; early.set_params(max_iter=2).fit(np.eye(200), np.arange(200) % 2)"
shell.run_cell(cell, silent=True).raise_error()
assert fastnn.accel.report()[0]["calls"] == 1
shell.run_line_magic("unload_ext", "fastnn.accel")
assert not is_fast(shell.user_ns["MLPClassifier"]) and not is_fast(type(shell.user_ns["early"]))
""")
        == ""
    )
