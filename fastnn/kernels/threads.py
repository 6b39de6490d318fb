"""How many threads a call may use where others run beside it: the one place that knows of pools and their workers.

Who starts workers says in the environment how many threads each may have (joblib's loky by its
``inner_max_num_threads``, or cores over workers; Dask's nanny; Ray), or is known by its workers: those of
multiprocessing's pools, which joblib's "multiprocessing" and "threading" backends have, and Dask's threads.
"""

from __future__ import annotations

import os
import sys
import threading


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def openmp_limit(value: str) -> int | None:
    """What OMP_NUM_THREADS says, by which OpenMP, joblib, Dask and Ray agree on threads; None if it says nothing.

    Of a list, which is for nested levels, the first number counts. What is none is OpenMP's business to complain about.
    """
    first = value.partition(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) else None


# As OpenMP itself, when it is loaded: Dask's nannies set the variable in the process that starts workers, and leave it.
LIMIT = openmp_limit(os.environ.get("OMP_NUM_THREADS", ""))


def sharers() -> int:
    """Among how many workers the threads are to be divided, of whom this thread is one; 1 outside of all pools.

    A worker process of a pool cannot know how many others there are: there may be one for each core.
    """
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None:
        process = processes.current_process()
        if process.daemon and "PoolWorker" in process.name:
            return cores()
    return max(_threads_of_pools(), _threads_of_dask())


def _threads_of_pools() -> int:
    """The threads of all multiprocessing.pool.ThreadPools in this process, if this one is among them."""
    dummy = sys.modules.get("multiprocessing.dummy")
    if dummy is None or not isinstance(threading.current_thread(), dummy.DummyProcess):
        return 1
    return sum(isinstance(thread, dummy.DummyProcess) for thread in threading.enumerate())


def _threads_of_dask() -> int:
    """The threads of the Dask worker whose task this thread runs, if it runs one."""
    distributed = sys.modules.get("distributed.worker")
    if distributed is None:
        return 1
    try:
        return max(1, int(distributed.get_worker().state.nthreads))
    except ValueError:  # outside of a task
        return 1
