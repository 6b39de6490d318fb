"""What each Python process runs at its start while this folder is on PYTHONPATH, put there by :mod:`fastnn.accel`.

It must cost a program that never imports scikit-learn nothing, so it imports but the file beside it: it leaves a finder
that waits for ``sklearn.neural_network`` and ``sklearn.neighbors``. It takes its own folder off ``sys.path``, and then
runs the sitecustomize that Python would have found without it, if there is one. A Python too old for fastnn must be
able to run this file as well. No other file imports it.
"""

import os
import sys

from fastnn_accel_finder import HERE, ROOT, SWITCH, say, watch  # type: ignore[import-not-found]  # it is beside this one

PACKAGE = os.path.dirname(os.path.dirname(HERE))
OLDEST_PYTHON = (3, 11)


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
    """Exchange the classes of a library that has just been imported."""
    load_fastnn()
    from importlib import import_module

    import_module("fastnn.accel.classes").exchange(library)


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
    watch(exchange)
    if os.environ.get(ROOT) == str(os.getpid()):
        report_at_exit()


def chain() -> None:
    """Import the sitecustomize that this one hides, in its place, as if this folder had never been on the path."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != HERE]
    sys.modules.pop("fastnn_accel_finder", None)
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
