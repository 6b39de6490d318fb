"""The finder that waits for scikit-learn's modules, and what else must be there before fastnn is imported.

Python finds this file by the name alone when it starts, as it lies beside sitecustomize.py; so no program's module may
have this name, and it imports nothing that Python has not imported by then. A Python too old for fastnn must be able to
run it as well.
"""

import os
import sys

TYPE_CHECKING = False  # typing's would take longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARIES = ("sklearn.neural_network", "sklearn.neighbors")

SWITCH = "FASTNN_ACCEL"  # "1": this process and its children are to be accelerated
ROOT = "FASTNN_ACCEL_ROOT"  # the id of the process that reports at its end


class Loader:
    """Loads a module as ``inner`` does, and then has its classes exchanged by ``exchange``."""

    def __init__(self, inner: "Any", exchange: "Callable[[str], None]") -> None:
        self.inner, self.exchange = inner, exchange

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
            try:
                self.exchange(module.__name__)
            except Exception as error:
                say(f"{module.__name__} stays as it is: {type(error).__name__}: {error}")


class Finder:
    """Finds the modules whose classes are to be exchanged, by asking the other finders."""

    fastnn_accel = True  # by which the finder of another copy of this module is known

    def __init__(self, exchange: "Callable[[str], None]") -> None:
        self.exchange = exchange

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
                    spec.loader = Loader(spec.loader, self.exchange)  # type: ignore[assignment]  # which acts as a loader
                return spec
        return None


def is_watching() -> bool:
    """Whether the classes of scikit-learn that are imported from now on will be exchanged."""
    return any(getattr(finder, "fastnn_accel", False) for finder in sys.meta_path)


def watch(exchange: "Callable[[str], None]") -> None:
    """Have ``exchange`` called with the name of each of ``LIBRARIES`` that is imported from now on."""
    if not is_watching():
        sys.meta_path.insert(0, Finder(exchange))


def unwatch() -> None:
    """Leave the classes of scikit-learn that are imported from now on as they are."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not getattr(finder, "fastnn_accel", False)]


def say(text: str) -> None:
    """Write a line to stderr as Python opened it, if that is open; a notebook's own is beside the cells."""
    stream = sys.stderr if "ipykernel" in sys.modules else sys.__stderr__
    try:  # noqa: SIM105  # contextlib is more to import
        print(f"fastnn.accel: {text}", file=stream, flush=True)
    except (OSError, ValueError):
        pass
