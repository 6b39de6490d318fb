"""What each Python process runs at its start while this folder is on PYTHONPATH, put there by :mod:`fastnn.accel`.

It must cost a program that never imports scikit-learn nothing, so it imports nothing: it leaves a finder that waits for
``sklearn.neural_network`` and ``sklearn.neighbors``. It takes its own folder off ``sys.path``, and then runs the
sitecustomize that Python would have found without it, if there is one. A Python too old for fastnn must be able to
run this file as well.
"""

import os
import sys

TYPE_CHECKING = False  # typing's would take longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.dirname(os.path.dirname(HERE))
LIBRARIES = ("sklearn.neural_network", "sklearn.neighbors")
OLDEST_PYTHON = (3, 11)

SWITCH = "FASTNN_ACCEL"  # "1": this process and its children are to be accelerated
ROOT = "FASTNN_ACCEL_ROOT"  # the id of the process that reports at its end


class Loader:
    """Loads a module as ``inner`` does, and then has its classes exchanged."""

    def __init__(self, inner: "Any") -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> "Any":
        return getattr(self.inner, name)

    def create_module(self, spec: "ModuleSpec") -> "ModuleType | None":
        """What ``inner`` makes."""
        module: ModuleType | None = self.inner.create_module(spec)
        return module

    def exec_module(self, module: "ModuleType") -> None:
        """Run the module, which never sees this loader, and exchange its classes."""
        if module.__spec__ is not None:
            module.__spec__.loader = self.inner
        module.__loader__ = self.inner
        self.inner.exec_module(module)
        if is_watching():
            exchange(module.__name__)


class Finder:
    """Finds the modules whose classes are to be exchanged, by asking the other finders."""

    fastnn_accel = True  # by which the finder of another copy of this module is known

    def find_spec(self, name: str, path: "Sequence[str] | None" = None, target: "Any" = None) -> "ModuleSpec | None":
        """The spec of one of ``LIBRARIES``, with a loader around its own."""
        if name not in LIBRARIES:
            return None
        for finder in list(sys.meta_path):
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = Loader(spec.loader)  # type: ignore[assignment]  # which acts as a loader
                return spec
        return None


def is_watching() -> bool:
    """Whether the classes of scikit-learn that are imported from now on will be exchanged."""
    return any(getattr(finder, "fastnn_accel", False) for finder in sys.meta_path)


def watch() -> None:
    """Exchange the classes of scikit-learn that are imported from now on."""
    if not is_watching():
        sys.meta_path.insert(0, Finder())


def unwatch() -> None:
    """Leave the classes of scikit-learn that are imported from now on as they are."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not getattr(finder, "fastnn_accel", False)]


def load_fastnn() -> None:
    """Import the fastnn that this file belongs to, whether or not it is on ``sys.path``."""
    if "fastnn" in sys.modules:
        return
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("fastnn", os.path.join(PACKAGE, "__init__.py"), submodule_search_locations=[PACKAGE])
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["fastnn"] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules["fastnn"]
        raise


def exchange(library: str) -> None:
    """Exchange the classes of a library that has just been imported; if that fails the program goes on without."""
    try:
        load_fastnn()
        from importlib import import_module

        import_module("fastnn.accel.classes").exchange(library)
    except Exception as error:
        say(f"{library} stays as it is: {type(error).__name__}: {error}")


def say(text: str) -> None:
    """Write a line to stderr as Python opened it, if that is open; a notebook's own is beside the cells."""
    stream = sys.stderr if "ipykernel" in sys.modules else sys.__stderr__
    try:  # noqa: SIM105  # contextlib is more to import
        print(f"fastnn.accel: {text}", file=stream, flush=True)
    except (OSError, ValueError):
        pass


def report_at_exit() -> None:
    """Have this process report at its end what the whole program did.

    All that this takes is imported now: importing named tuples evaluates strings, and if that happened at the end of a
    program that a KeyboardInterrupt ended, Python would forget to exit by SIGINT.
    """
    import atexit
    from importlib import import_module

    process = os.getpid()
    try:
        load_fastnn()
        write = import_module("fastnn.accel.ending").prepare()
    except Exception as error:
        say(f"there will be no report: {type(error).__name__}: {error}")
        return

    def finish() -> None:
        if os.getpid() != process:  # it was forked from the one that reports
            return
        try:
            write()
        except Exception as error:
            say(f"there is no report: {type(error).__name__}: {error}")

    atexit.register(finish)  # as the first, it runs as the last


def start() -> None:
    """What this process needs for accel, if that is switched on."""
    if os.environ.get(SWITCH, "0") in ("", "0") or sys.version_info < OLDEST_PYTHON:
        return
    watch()
    if os.environ.get(ROOT) == str(os.getpid()):
        report_at_exit()


def chain() -> None:
    """Import the sitecustomize that this one hides, in its place, as if this folder had never been on the path."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != HERE]
    this = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", this)


if __name__ == "sitecustomize":
    start()
    chain()
