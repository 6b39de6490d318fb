"""The backends: which there are, which one runs, and with how many threads.

``native`` (Cython and C), ``numba`` and ``numpy`` provide the same kernel table, :class:`fastnn.kernels.spec.Kernels`.
"""

from __future__ import annotations

import importlib
import numbers
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from ..errors import BackendError, InvalidArgumentError, InvalidTypeError
from . import threads
from .threads import cores

if TYPE_CHECKING:
    from .spec import Kernels

__all__ = [
    "BackendStatus",
    "Kernels",
    "backends",
    "get_backend",
    "num_threads",
    "set_backend",
    "set_num_threads",
    "use",
]

_MODULES = {"native": ".native", "numba": ".numba", "numpy": ".numpy"}
NAMES = ("auto", *_MODULES)
BackendName = Literal["auto", "native", "numba", "numpy"]


def __getattr__(name: str) -> Any:
    """``Kernels``, whose module imports NumPy, which the command's --help does without."""
    if name != "Kernels":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .spec import Kernels

    return Kernels


class BackendStatus(NamedTuple):
    """Whether a backend can run here and, in words, how or why not."""

    available: bool
    detail: str


class _Settings(NamedTuple):
    backend: BackendName
    threads: int | None  # None: as many as the process may use


_default = _Settings("auto", None)
_override: ContextVar[_Settings | None] = ContextVar("fastnn_settings", default=None)
_warned: set[str] = set()
_loaded: dict[str, Kernels] = {}


def _settings() -> _Settings:
    return _override.get() or _default


def _try(name: str) -> Kernels | str:
    """The backend, or why it cannot run. Raises InvalidArgumentError for a FASTNN_SIMD that native cannot follow."""
    if name in _loaded:
        return _loaded[name]
    try:
        return _loaded.setdefault(name, cast("Kernels", importlib.import_module(_MODULES[name], __name__)))
    except (ImportError, RuntimeError) as error:  # RuntimeError: Numba finds no folder for its cache
        return _why_missing(name, error)


def _why_missing(name: str, error: Exception) -> str:
    if name == "numba":
        return f'cannot use numba ({error}); install it with: pip install "fastnn-cpu[numba]"'
    if name == "native":
        return _why_native_is_missing(Path(__file__).with_name("native"), error)
    return str(error)


def _why_native_is_missing(package: Path, error: Exception) -> str:
    """What became of the extension in ``package``, the folder fastnn/kernels/native, and how to get it."""
    built = any((package / f"native{suffix}").exists() for suffix in EXTENSION_SUFFIXES)
    note = package / "native_failure.txt"  # left by setup.py
    if note.exists() and not built:
        return note.read_text().strip()
    root = package.parents[2]
    if (root / "pyproject.toml").exists():  # a clone or an unpacked sdist, where reinstalling changes nothing
        remedy = (
            f"{root} holds the sources: run Python elsewhere, where it finds the installed fastnn, or build the "
            f'extension here, by pip install -e ".[test]" in {root}'
        )
    else:
        remedy = "reinstall fastnn-cpu with a C compiler"
    return f"the extension {'cannot be loaded' if built else 'has not been built'} ({error}); {remedy}"


def _check_name(name: object) -> BackendName:
    if not isinstance(name, str):
        raise InvalidTypeError("backend", "a string", type(name).__name__)
    if name not in NAMES:
        raise InvalidArgumentError("backend", f"one of {', '.join(NAMES)}", repr(name))
    return cast(BackendName, name)


def get_backend(name: BackendName | None = None) -> Kernels:
    """Return a backend's kernel table.

    Without a name, the one that ``set_backend`` or ``use`` chose; ``"auto"``, the default, takes the first of
    native, numba and numpy that runs, and warns once where that is not native. Any other name gives that backend or
    raises :class:`~fastnn.errors.BackendError`. Where native is among them, an environment variable FASTNN_SIMD that
    names no instruction set of this CPU raises :class:`~fastnn.errors.InvalidArgumentError`.
    """
    name = _settings().backend if name is None else _check_name(name)
    if name == "auto" and "native" in _loaded:  # the usual case, in a hurry
        return _loaded["native"]
    if name != "auto":
        table = _try(name)
        if isinstance(table, str):
            raise BackendError(f"backend {name!r}: {table}")
        return table
    reasons = []
    for candidate in _MODULES:
        table = _try(candidate)
        if isinstance(table, str):
            reasons.append(f"{candidate}: {table}")
            continue
        if reasons and candidate not in _warned:
            _warned.add(candidate)
            warnings.warn(f"fastnn runs on the slower {candidate} backend: {'; '.join(reasons)}", stacklevel=2)
        return table
    raise AssertionError("the numpy backend always loads")


def backends() -> dict[str, BackendStatus]:
    """Every backend by name, fastest first: whether it can run here and, if it cannot, why."""
    found = {}
    for name in _MODULES:
        try:
            table = _try(name)
            detail = table if isinstance(table, str) else table.describe()
            found[name] = BackendStatus(not isinstance(table, str), detail)
        except InvalidArgumentError as error:  # about FASTNN_SIMD or FASTNN_NUM_THREADS
            found[name] = BackendStatus(False, str(error))
    return found


def set_backend(name: BackendName) -> None:
    """Make ``name`` ("native", "numba", "numpy" or "auto") the backend of this process."""
    global _default
    get_backend(_check_name(name))
    _default = _default._replace(backend=name)


def set_num_threads(threads: int | None) -> None:
    """Let the native backend use at most ``threads`` threads; None means as many as the process may use.

    The environment variable FASTNN_NUM_THREADS sets the same limit from outside. So does OMP_NUM_THREADS, by which
    joblib, Dask and others limit their workers, as it is when fastnn is imported. Workers of pools share what there is.
    """
    global _default
    _default = _default._replace(threads=_check_threads(threads))


@contextmanager
def use(backend: BackendName | None = None, *, num_threads: int | None = None) -> Iterator[None]:
    """Choose backend and threads inside a ``with`` block, for this thread (or asyncio task) alone."""
    settings = _settings()
    if backend is not None:
        get_backend(_check_name(backend))
        settings = settings._replace(backend=backend)
    if num_threads is not None:
        settings = settings._replace(threads=_check_threads(num_threads))
    token = _override.set(settings)
    try:
        yield
    finally:
        _override.reset(token)


def num_threads() -> int:
    """Threads that a native kernel may use now, never more than this thread's share of the process's cores.

    A limit that the program set comes in the place of those in the environment, of which the least counts.
    """
    limit, available = _settings().threads, cores()
    if limit is None:
        available = min(available, threads.LIMIT or available)
        if os.environ.get("FASTNN_NUM_THREADS"):
            limit = _check_threads(os.environ["FASTNN_NUM_THREADS"], "FASTNN_NUM_THREADS")
    share = max(1, available // threads.sharers())
    return min(limit or share, share)


def _check_threads(threads: object, argument: str = "num_threads") -> int | None:
    if threads is None:
        return None
    if isinstance(threads, bool) or not isinstance(threads, numbers.Integral | str):
        raise InvalidTypeError(argument, "a positive integer or None", type(threads).__name__)
    try:
        count = int(threads)
    except ValueError:
        count = 0
    if count < 1:
        raise InvalidArgumentError(argument, "a positive integer", repr(threads))
    return count
