"""``python -m fastnn.accel`` beside ``python``: the same output and exit code, in real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastnn.accel import runner

Run = Callable[..., subprocess.CompletedProcess[str]]

WHERE = """
import sys
print(__name__, globals().get("__file__"), __package__, __spec__ and __spec__.name, type(__loader__), sys.argv)
print(sys.path, sys.flags, sorted(sys.modules.keys() - {"sitecustomize"}), sys.warnoptions, sys._xoptions)
"""
DIGITS = """
import sys
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor

warnings.simplefilter("ignore")
np.random.seed(3)
X, y = load_digits(return_X_y=True)
X, y = X[:400] / 16, y[:400]
model = MLPClassifier((20,), max_iter=4)
print(model, MLPClassifier, type(model).__mro__[-1], model.fit(X, y).score(X, y), np.random.uniform())
print(model.predict(X), MLPClassifier(verbose=True, max_iter=2, random_state=0).fit(X, y).n_iter_)
print(MLPRegressor(max_iter=3, random_state=0).fit(X, y).predict(X).round(6))
print([loss.round(6) for loss in model.loss_curve_], type(model.loss_), model.best_loss_.round(6))

class Frozen(MLPRegressor):
    def _compute_loss_grad(self, layer, *arrays):
        super()._compute_loss_grad(layer, *arrays)
        arrays[-2][layer] *= layer > 0

frozen = Frozen(max_iter=2, random_state=0)
print((frozen.partial_fit(X, y).coefs_[0] == frozen.fit(X, y).coefs_[0]).all(), frozen.coefs_[1].round(6))
"""
NEIGHBORS = """
import numpy as np
from sklearn import neighbors as nb
from sklearn.datasets import load_digits
from sklearn.semi_supervised import LabelSpreading

X, y = load_digits(return_X_y=True)
for kind in (nb.KNeighborsClassifier, nb.KNeighborsRegressor):
    model = kind(weights="distance").fit(X, y)
    print(model, model.predict(X[::2] + 0.25), model.score(X[::2] + 0.25, y[::2]))
distances, indices = nb.NearestNeighbors(n_neighbors=3).fit(X).kneighbors(X + 0.125)
print(distances.round(6), indices, nb.NearestNeighbors().fit(X).radius_neighbors(X[:2], 20)[1])
print(LabelSpreading(kernel="knn").fit(X[:800], np.where(np.arange(800) % 2, y[:800], -1)).transduction_)
"""
SEARCH = """
import warnings

from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

if __name__ == "__main__":
    X, y = load_digits(return_X_y=True)
    grid = {"hidden_layer_sizes": [(10,), (20,)], "random_state": [0]}
    with parallel_config(BACKEND, n_jobs=2), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = GridSearchCV(MLPClassifier(max_iter=3), grid, cv=3, error_score="raise").fit(X[:300] / 16, y[:300])
    print(search.best_params_, search.cv_results_["mean_test_score"])
"""
POOL = """
import multiprocessing
import warnings

from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

def train(seed):
    warnings.simplefilter("ignore")
    X, y = load_digits(return_X_y=True)
    return MLPClassifier(max_iter=3, random_state=seed).fit(X[:300] / 16, y[:300])

if __name__ == "__main__":
    with multiprocessing.get_context(METHOD).Pool(2) as pool:
        print([type(model).__name__ + str(model.n_iter_) for model in pool.map(train, range(4), chunksize=1)])
"""


def environment(**names: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("FASTNN_", "PYTHON"))}
    return {**inherited, "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path), **names}


@pytest.fixture
def python(tmp_path: Path) -> Run:
    """Run Python with arguments in a folder of its own; keywords are environment variables."""

    def run(*words: str, program: str | None = None, **names: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env=environment(TMPDIR=str(tmp_path), **names),
            input=program,
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


@pytest.fixture
def accel(python: Run) -> Run:
    """The same under accel; ``flags`` go to Python, ``options`` to accel."""

    def run(*words: str, flags: tuple[str, ...] = (), options: tuple[str, ...] = (), **rest: Any) -> Any:
        return python(*flags, "-m", "fastnn.accel", *options, *words, **rest)

    return run


def rows(path: Path, method: str = "fit") -> list[tuple[bool, int]]:
    """Whether the calls of a method were accelerated, and how many there were."""
    return [(row["accelerated"], row["calls"]) for row in json.loads(path.read_text()) if row["method"] == method]


def assert_same(found: subprocess.CompletedProcess[str], expected: subprocess.CompletedProcess[str]) -> None:
    assert found.stdout == expected.stdout
    assert found.stderr == expected.stderr
    assert found.returncode == expected.returncode


@pytest.mark.parametrize("flags", [(), ("-u", "-W", "ignore"), ("-P", "-Xutf8"), ("-Ob",)], ids=" ".join)
@pytest.mark.parametrize("form", ["script", "module", "package", "command", "folder", "zip", "stdin", "no program"])
def test_the_program_sees_what_python_shows_it(python, accel, tmp_path, form, flags):
    if "-P" in flags and form in ("module", "package"):
        pytest.skip("python finds no module in the working directory then")
    (tmp_path / "program.py").write_text(WHERE)
    for folder in ("folder", "package"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__main__.py").write_text(WHERE)
    (tmp_path / "package" / "__init__.py").touch()
    with zipfile.ZipFile(tmp_path / "program.zip", "w") as file:
        file.writestr("__main__.py", WHERE)
    words = {
        "script": ["program.py"],
        "module": ["-m", "program"],
        "package": ["-m", "package"],
        "command": ["-c", WHERE],
        "folder": ["folder"],
        "zip": ["program.zip"],
        "stdin": ["-"],
        "no program": [],
    }[form]
    arguments = [*words, "-v", "--report", "two words"] if words else []
    program = WHERE if form in ("stdin", "no program") else None
    expected = python(*flags, *arguments, program=program)
    assert expected.stdout.startswith("__main__")
    assert_same(accel(*arguments, flags=flags, program=program), expected)


@pytest.mark.parametrize(
    "ending",
    [
        "",
        "sys.exit(3)",
        "sys.exit('a message')",
        "sys.exit(None)",
        "def f():\n    raise ValueError('wrong')\nf()",
        "raise KeyboardInterrupt",
        "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
        "os.kill(os.getpid(), signal.SIGINT); time.sleep(60)",
        "os.abort()",
        "os._exit(5)",
        "print(1 +)",
        "atexit.register(lambda: print('at exit', __name__, sys.modules['__main__'].__file__)); sys.exit(7)",
        "threading.Timer(0.1, lambda: print(vars(sys.modules['__main__']) is globals())).start()",
        "sys.stdout.close()",
    ],
)
@pytest.mark.parametrize("options", [(), ("-v", "--report", "report.json")], ids=["", "report"])
def test_the_end_is_the_same(python, accel, tmp_path, ending, options):
    (tmp_path / "program.py").write_text(
        f"import atexit, os, signal, sys, threading, time\nprint('begins', flush=True)\n{ending}\n"
    )
    expected = python("program.py")
    assert_same(accel("program.py", options=options), expected)
    if options and "os." not in ending:
        assert json.loads((tmp_path / "report.json").read_text()) == []


@pytest.mark.parametrize("end", ["import fastnn.accel; fastnn.accel.uninstall()", "import os; os.environ.clear()"])
def test_there_is_a_report_whatever_becomes_of_the_environment(accel, tmp_path, end):
    (tmp_path / "program.py").write_text(
        "import numpy as np\nfrom sklearn.neighbors import NearestNeighbors\n"
        f"NearestNeighbors().fit(np.eye(3))\n{end}\n"
    )
    found = accel("program.py", options=("--report", "report.json"))
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    assert rows(tmp_path / "report.json") == [(False, 1)]
    assert not [*tmp_path.glob("fastnn-accel-*")]


def test_a_missing_script_is_pythons_error(python, accel):
    for words in (["nowhere.py"], ["-m", "nowhere"]):
        expected = python(*words)
        assert expected.returncode in (1, 2)
        assert_same(accel(*words), expected)


def test_sigterm_reaches_the_program(tmp_path):
    program = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(9)); print('up', flush=True)"
    child = subprocess.Popen(
        [sys.executable, "-m", "fastnn.accel", "-c", f"{program}; time.sleep(60)"],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == "up\n"
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 9


def test_a_program_without_scikit_learn_pays_nothing(accel):
    child = accel("-c", "import sys; print(sorted({'fastnn', 'numpy', 'typing', 'json'} & sys.modules.keys()))")
    assert child.stdout == "[]\n", child.stderr


@pytest.mark.quick
def test_scikit_learn_programs_print_the_same_and_are_accelerated(python, accel, tmp_path):
    (tmp_path / "program.py").write_text(DIGITS)
    expected = python("program.py")
    assert expected.returncode == 0, expected.stderr
    found = accel("program.py", options=("-v", "--profile", "--check", "--report=report.json"))
    assert found.stdout == expected.stdout, found.stderr
    assert found.returncode == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert {(row["estimator"], row["method"], row["accelerated"], row["calls"]) for row in report} >= {
        ("MLPClassifier", "fit", True, 2),
        ("MLPRegressor", "fit", True, 1),
        ("Frozen", "fit", False, 1),
    }
    for row in report:
        if row["accelerated"]:
            assert row["sklearn_seconds"] > 0
            assert row["speed_up"] > 0
            assert not row["problem"]
            for name in ("loss_curve_difference", "score_difference", "prediction_difference"):
                assert row[name] is None or row[name] < 1e-9, row
    assert "fastnn.accel: MLPClassifier.fit: accelerated, " in found.stderr
    assert "\nestimator      method " in found.stderr
    assert "loss curves" in found.stderr


def test_neighbors_too(python, accel, tmp_path):
    (tmp_path / "program.py").write_text(NEIGHBORS)
    expected = python("program.py")
    assert expected.returncode == 0, expected.stderr
    found = accel("program.py", options=("--check", "--report=report.json"))
    assert found.stdout == expected.stdout, found.stderr
    assert found.returncode == 0
    report = json.loads((tmp_path / "report.json").read_text())
    methods = {(row["estimator"], row["method"]) for row in report if row["accelerated"]}
    assert methods >= {
        ("KNeighborsClassifier", "predict"),
        ("KNeighborsRegressor", "score"),
        ("NearestNeighbors", "kneighbors"),
    }
    for row in report:
        assert row["problem"] == "", row
        assert (row["prediction_difference"] or 0) < 1e-9, row
        assert (row["score_difference"] or 0) < 1e-9, row
    (radius,) = [row for row in report if row["method"] == "radius_neighbors"]
    assert not radius["accelerated"]


def test_the_report_has_six_columns(accel, tmp_path):
    (tmp_path / "program.py").write_text(DIGITS)
    accel("program.py", options=("--report", "report.json"))
    report = json.loads((tmp_path / "report.json").read_text())
    assert [*report[0]] == ["estimator", "method", "accelerated", "reason", "seconds", "calls"]
    assert [row["seconds"] for row in report] == sorted((row["seconds"] for row in report), reverse=True)
    assert all(row["accelerated"] == (row["reason"] == "") for row in report)


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_the_calls_of_joblibs_workers_add_up(python, accel, tmp_path, backend):
    (tmp_path / "program.py").write_text(SEARCH.replace("BACKEND", repr(backend)))
    expected = python("program.py")
    found = accel("program.py", options=("--report", "report.json"))
    assert found.returncode == 0, found.stderr
    assert found.stdout == expected.stdout
    assert rows(tmp_path / "report.json") == [(True, 2 * 3 + 1)]
    assert sum(calls for _, calls in rows(tmp_path / "report.json", "score")) == 2 * 3


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_the_calls_of_a_pool_add_up(python, accel, tmp_path, method):
    (tmp_path / "program.py").write_text(POOL.replace("METHOD", repr(method)))
    found = accel("program.py", options=("--report", "report.json"))
    assert found.stdout == "['MLPClassifier3', 'MLPClassifier3', 'MLPClassifier3', 'MLPClassifier3']\n", found.stderr
    assert found.returncode == 0
    assert rows(tmp_path / "report.json") == [(True, 4)]


def test_children_of_all_kinds_are_in_the_report(accel, tmp_path):
    (tmp_path / "fit.py").write_text(
        "import warnings; warnings.simplefilter('ignore')\n"
        "import numpy as np\nfrom sklearn.neural_network import MLPRegressor\n"
        "MLPRegressor(max_iter=2).fit(np.eye(300), np.arange(300.0))\n"
    )
    (tmp_path / "program.py").write_text("""
import os, runpy, signal, subprocess, sys
one = [sys.executable, "fit.py"]
subprocess.run(one, check=True)
subprocess.run([sys.executable, "-m", "fastnn.accel", "--report", "inner.json", "fit.py"], check=True)
subprocess.run(one, check=True, env={**os.environ, "FASTNN_ACCEL": "0"})
if not os.fork():
    runpy.run_path("fit.py")
    sys.exit()
os.wait()
if not os.fork():
    runpy.run_path("fit.py")
    os.kill(os.getpid(), signal.SIGKILL)
os.wait()
os.execv(sys.executable, one)
""")
    found = accel("program.py", options=("--report", "outer.json"))
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    assert rows(tmp_path / "inner.json") == [(True, 1)]
    assert rows(tmp_path / "outer.json") == [(True, 5)]


@pytest.mark.parametrize("other", ["", "raise ValueError('other')", "import nowhere"])
def test_another_sitecustomize_runs(python, accel, tmp_path, other):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(f"import sys; sys.marked = True\n{other}\nNAME = 1")
    path = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), environment()["PYTHONPATH"]])}
    program = "import sys; print(sys.path, sys.marked, getattr(sys.modules.get('sitecustomize'), 'NAME', 0))"
    expected, found = python("-c", program, **path), accel("-c", program, **path)
    assert found.stdout == expected.stdout
    assert str(tmp_path / "site") in found.stdout
    assert found.stderr == 2 * expected.stderr  # accel's own process is one that Python starts, too
    assert found.returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--profil", "program.py"], "expected a program, found --profil"),
        (["-W", "error", "program.py"], "python's own options go before"),
        (["--report"], "--report: expected a file, found none"),
        (["--report", "-m", "program"], "--report: expected a file, found -m"),
        (["--report=nowhere/report.json", "program.py"], "there is no such folder"),
    ],
)
def test_wrong_usage_is_said(accel, options, message):
    child = accel(*options)
    assert (child.returncode, child.stdout) == (2, "")
    assert message in child.stderr


@pytest.mark.parametrize("flag", ["ignore_environment", "no_site"])
def test_pythons_options_that_keep_accel_out_are_refused(monkeypatch, capfd, flag):
    flags = type("Flags", (), {"ignore_environment": 0, "no_site": 0, flag: 1})
    monkeypatch.setattr(runner.sys, "flags", flags)
    assert runner.main(["program.py"]) == 2
    assert "-E, -I and -S ignore" in capfd.readouterr().err


def test_help_is_for_stdout(accel):
    child = accel(options=("--help",))
    assert child.returncode == 0
    assert "--report FILE" in child.stdout


def test_a_report_that_cannot_be_written_changes_no_exit_code(accel, tmp_path):
    program = "import os, shutil, sys; shutil.rmtree('gone'); sys.exit(4)"
    (tmp_path / "gone").mkdir()
    child = accel("-c", program, options=("--report", "gone/report.json"))
    assert child.returncode == 4
    assert "fastnn.accel: there is no report: MissingFileError" in child.stderr


def test_without_kernels_scikit_learn_runs_and_that_is_said(python, accel, tmp_path):
    (tmp_path / "program.py").write_text(DIGITS)
    child = accel("program.py", FASTNN_SIMD="none")
    assert child.returncode == 0
    assert child.stderr.count("fastnn.accel: ") == 1
    assert "sklearn.neural_network stays as it is: BackendError: there are no compiled kernels" in child.stderr
    assert child.stdout == python("program.py").stdout


def test_nothing_is_left_in_the_temporary_folder(accel, tmp_path):
    program = "import sys; sys.exit(1)"
    assert accel("-c", program, options=("--profile",)).returncode == 1
    assert [*tmp_path.iterdir()] == []


def test_the_command_is_the_same(python, tmp_path):
    (tmp_path / "program.py").write_text("import sys; print(sys.argv, sys.flags.no_user_site); sys.exit(6)")
    words = ["-c", "import sys; from fastnn.cli import main; sys.exit(main())", "accel", "-v", "program.py", "--json"]
    child = python("-s", *words)
    assert (child.returncode, child.stdout) == (6, "['program.py', '--json'] 1\n"), child.stderr
    assert "--report FILE" in python(*words[:3], "--help").stdout
    child = python(*words[:3])
    assert child.returncode == 0
