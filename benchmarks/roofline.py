"""What this machine can do at most, measured, and how long each workload must take on it at least.

The peak of multiply-adds and the bandwidths come from peak.c, compiled for this CPU by the system's C compiler (the
environment variable CC, else cc) when first asked for. A workload is counted as what its mathematics needs:

- multiply-adds: forward, gradient and back-propagated error of every layer but the first, which needs no error for its
  inputs: 2 * inputs * outputs there, 3 * inputs * outputs in the others. Once with all inputs ("dense") and once with
  those that are not zero, as a zero adds nothing to either. A multiply-add is 2 FLOP. Activations, the optimizer's own
  arithmetic and the search for zeros are not counted.
- input bytes: every row read once from memory, in the form that fastnn is given.
- weight bytes: every update reads and writes every parameter and the optimizer's state once, in cache. No floor, as
  the block form of online SGD shows, but what a step-by-step program pays.

The floor is the larger of the non-zero multiply-adds at the peak of all cores and the input bytes at the bandwidth of
memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from contenders import UnavailableError, cores
from workloads import Data, Workload

import fastnn

SOURCE = Path(__file__).with_name("peak.c")
REPEATS = 7  # of every measurement, the best of which counts
CACHE_BYTES = 1 << 18  # of the array in cache: well within one core's second level
MEMORY_BYTES = 1 << 28  # of the array in memory: well beyond the third
SLOTS = {"sgd": 0, "adam": 2}  # parameter-sized state vectors


@dataclass(frozen=True)
class Machine:
    """FLOP/s of one core and of all, by dtype; bytes/s of all cores."""

    cores: int
    one_core: dict[str, float]
    all_cores: dict[str, float]
    memory_read: float
    memory_copy: float  # read and written
    cache_update: float  # read and written in place, within each core's own cache


@cache
def library() -> ctypes.CDLL:
    """peak.c, compiled."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise UnavailableError("the roofline needs a C compiler (CC, else cc)")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "peak.so"
        command = [compiler, "-O2", "-march=native", "-shared", "-fPIC", "-o", str(path), str(SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise UnavailableError(f"the roofline's peak.c does not compile: {done.stderr.strip()}")
        loaded = ctypes.CDLL(str(path))  # its calls release the GIL
    for name in ("fma_float32", "fma_float64", "read_bytes", "copy_bytes", "update_bytes"):
        getattr(loaded, name).restype = ctypes.c_double
    return loaded


def best_rate(work: float, threads: int, run: Callable[[int], object]) -> float:
    """``work`` of each of several threads by the seconds that all of them take, at best; ``run`` gets its number."""
    with ThreadPoolExecutor(threads) as pool:
        seconds = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            list(pool.map(run, range(threads)))
            seconds.append(time.perf_counter() - start)
    return threads * work / min(seconds)


def fma_peak(dtype: str, threads: int) -> float:
    """FLOP/s of independent fused multiply-adds in registers."""
    rounds = 4_000_000
    kernel = getattr(library(), f"fma_{dtype}")
    flop_a_round = library().fma_bytes_a_round() / np.dtype(dtype).itemsize * 2
    return best_rate(rounds * flop_a_round, threads, lambda _: kernel(ctypes.c_long(rounds)))


def bandwidth(name: str, size: int, moved: int, passes: int) -> float:
    """Bytes/s of all cores, each with an array of its own, ``moved`` bytes a byte of the array."""
    kernel, threads = getattr(library(), name), cores()
    arrays = [np.ones(size, np.uint8) for _ in range(threads)]
    targets = [np.ones(size if name == "copy_bytes" else 0, np.uint8) for _ in range(threads)]

    def run(k: int) -> None:
        pointers = (ctypes.c_void_p(array[k].ctypes.data) for array in (arrays, targets))
        kernel(*pointers, ctypes.c_long(size), ctypes.c_long(passes))

    return best_rate(float(size) * moved * passes, threads, run)


@cache
def machine() -> Machine:
    """Measure; raises UnavailableError without a C compiler."""
    library().fma_bytes_a_round.restype = ctypes.c_long
    dtypes = ("float32", "float64")
    return Machine(
        cores=cores(),
        one_core={dtype: fma_peak(dtype, 1) for dtype in dtypes},
        all_cores={dtype: fma_peak(dtype, cores()) for dtype in dtypes},
        memory_read=bandwidth("read_bytes", MEMORY_BYTES, 1, 1),
        memory_copy=bandwidth("copy_bytes", MEMORY_BYTES, 2, 1),
        cache_update=bandwidth("update_bytes", CACHE_BYTES, 2, 2000),
    )


@dataclass(frozen=True)
class Floor:
    """What an epoch of a workload needs, and the seconds that this takes at the machine's best."""

    dense_macs: float
    nonzero_macs: float
    input_bytes: float
    weight_bytes: float
    dense_seconds: float
    nonzero_seconds: float
    input_seconds: float
    weight_seconds: float

    @property
    def seconds(self) -> float:
        return max(self.nonzero_seconds, self.input_seconds)

    def report(self, seconds: float) -> dict[str, float]:
        """All of it, beside an epoch that took ``seconds``, as a share of the peak and of the floor."""
        shares = {
            "floor_seconds": self.seconds,
            "share_of_peak_nonzero": self.nonzero_seconds / seconds,
            "share_of_peak_dense": self.dense_seconds / seconds,
            "share_of_floor": self.seconds / seconds,
        }
        return asdict(self) | shares


def macs_a_row(sizes: tuple[int, ...], inputs: float) -> float:
    """Multiply-adds of training on one row with so many inputs that count."""
    return 2 * inputs * sizes[1] + sum(3 * a * b for a, b in pairwise(sizes[1:]))


def floor(work: Workload, data: Data) -> Floor:
    """Count a workload and put the counts beside :func:`machine`."""
    measured, rows = machine(), len(data.X)
    dense = rows * macs_a_row(work.sizes, work.sizes[0])
    nonzero = rows * macs_a_row(work.sizes, np.count_nonzero(data.X) / rows)
    parameters = sum(weights.size + work.bias * biases.size for weights, biases in work.initial())
    updates = -(-rows // work.batch_size)
    weight_bytes = 2 * (1 + SLOTS[work.optimizer]) * parameters * np.dtype(work.dtype).itemsize * updates
    peak = measured.all_cores[work.dtype]
    return Floor(
        dense_macs=dense,
        nonzero_macs=nonzero,
        input_bytes=float(data.X.nbytes),
        weight_bytes=float(weight_bytes),
        dense_seconds=2 * dense / peak,
        nonzero_seconds=2 * nonzero / peak,
        input_seconds=data.X.nbytes / measured.memory_read,
        weight_seconds=weight_bytes / measured.cache_update,
    )


def describe(measured: Machine) -> str:
    """The measured limits in two lines."""
    peaks = (
        f"{dtype} {measured.one_core[dtype] / 1e9:.0f} (one core) and {measured.all_cores[dtype] / 1e9:.0f} (all)"
        for dtype in measured.one_core
    )
    return (
        f"FMA peak, GFLOP/s: {'; '.join(peaks)}\n"
        f"bandwidth of all cores, GB/s: memory read {measured.memory_read / 1e9:.0f}, "
        f"copy {measured.memory_copy / 1e9:.0f}; cache update {measured.cache_update / 1e9:.0f}"
    )


def hardware() -> str:
    """The machine and what fastnn runs on there, in one line."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    native = fastnn.backends()["native"]
    return (
        f"{model}, {cores()} cores, native: {native.detail}, Python {platform.python_version()}, NumPy {np.__version__}"
    )


def without_forced_kernels() -> None:
    """Start this script again without a choice of BLAS kernels in the environment, which would slow NumPy's side."""
    forced = [name for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if os.environ.pop(name, None)]
    if forced:  # the library reads them when it is loaded
        os.execv(sys.executable, [sys.executable, *sys.argv])


if __name__ == "__main__":
    print(hardware())
    print(describe(machine()))
