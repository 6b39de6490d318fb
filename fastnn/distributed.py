"""Exact nearest neighbours of rows that are spread over the workers of a Dask cluster.

Each shard of the rows is an index of its own, :class:`fastnn.Neighbors`, on some worker. A search asks all of them for
their k nearest and keeps the k nearest of these. What a row's distance is depends on nothing but the row and the query,
so the answers are those of one index of all rows, to the last bit.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, neighbors
from .errors import FastnnError, InvalidArgumentError
from .kernels.paths import Explanation
from .kernels.records import MetricName
from .kernels.spec import IntArray
from .neighbors.index import Search

__all__ = ["Neighbors", "merge"]

Values = NDArray[np.float64]
Result = TypeVar("Result")


class Neighbors(neighbors.Neighbors):
    """Exact nearest neighbours over the workers of a Dask cluster: the methods and the answers of fastnn.Neighbors.

    Parameters
    ----------
    metric, pruning : as of :class:`fastnn.Neighbors`.
    shards : into how many parts to divide the rows of a NumPy array, as equal as can be; None: one for each thread of
        the cluster's workers when ``fit`` is called. A Dask array is divided as it is chunked.
    client : the ``distributed.Client`` of the cluster; None: the one that was made last.

    What a worker that dies has held is made anew by Dask on others, in the middle of a search too: a NumPy array's rows
    from a copy that the scheduler keeps, a Dask array's by the tasks that made them first. So data that are larger than
    the scheduler's memory are to come as a Dask array.

    Raises
    ------
    FastnnError : if Dask is not installed or there is no client, and wherever fastnn.Neighbors raises it. A row that is
        refused is counted from the start of its shard, which the message names. What becomes of a cluster that does
        not recover raises Dask's own errors.
    """

    def __init__(
        self,
        metric: MetricName = "euclidean",
        *,
        pruning: Literal["auto", "always", "never"] = "auto",
        shards: int | None = None,
        client: Any = None,
    ) -> None:
        super().__init__(metric, pruning=pruning)
        self.shards = None if shards is None else checks.integer("shards", shards, low=1)
        self.client = _client(client)
        self._shards: list[Any] = []  # the futures of a _Shard each, in the order of their rows

    def fit(self, X: Any, y: Any = None) -> Neighbors:
        """Spread the rows X (n, d) over the workers; and take their labels y (n,), which stay here.

        X and y are arrays of NumPy, or whatever makes one, or of Dask. A Dask array's chunks must be known; it is
        computed now, and each chunk of its rows becomes a shard.
        """
        rows, shards = self._dask_shards(X) if _is_dask(X) else self._numpy_shards(X)
        classes = labels = None
        if y is not None:
            classes, labels = np.unique(checks.labels("y", self._local(y), len(rows)), return_inverse=True)
        _wait_for(shards)
        self.X, self.classes_, self._labels, self._shards = rows, classes, labels, shards
        return self

    def explain(self, Q: ArrayLike, k: int = 5) -> Explanation:
        """What ``search(Q, k)`` would run on the first shard: see :meth:`fastnn.Neighbors.explain`."""
        rows = self._fitted()
        (count,) = checks.counts("k", [k], len(rows))
        explanation: Explanation = self.client.submit(_explain, self._shards[0], self._queries(Q), count).result()
        return explanation

    # How it works

    def _numpy_shards(self, X: Any) -> tuple[Any, list[Any]]:
        rows = checks.points("X", X)
        count = sum(self.client.nthreads().values()) if self.shards is None else self.shards
        blocks = np.array_split(rows, max(1, min(count, len(rows))))
        return rows, self._submit(blocks, [len(block) for block in blocks])

    def _dask_shards(self, X: Any) -> tuple[Any, list[Any]]:
        import dask.array

        expected = "an array (n, d) of at least one row and column, whose chunks are known"
        if not isinstance(X, dask.array.Array):
            checks.unsupported("X", "an array of NumPy or of Dask", X)
        if X.ndim != 2 or 0 in X.shape or any(map(math.isnan, X.shape)):
            raise InvalidArgumentError("X", expected, f"shape {X.shape}")
        X = X.rechunk({1: -1})
        counts = X.chunks[0]
        blocks = self.client.compute(
            [block for block, count in zip(X.to_delayed()[:, 0], counts, strict=True) if count]
        )
        dtype = checks.points("X", np.zeros((1, 1), X.dtype)).dtype  # in which such rows are searched
        return X.astype(dtype), self._submit(blocks, [count for count in counts if count])

    def _submit(self, blocks: Sequence[Any], counts: Sequence[int]) -> list[Any]:
        """Have the workers make a shard of each block of rows, an array or a future of one."""
        import dask

        shards, start = [], 0
        # The arrays go through the scheduler on purpose: it makes lost shards anew from them.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": 1 << 60}):
            for block, count in zip(blocks, counts, strict=True):
                arguments = (block, start, count, self.metric, self.pruning)
                shards.append(self.client.submit(_Shard, *arguments, key=_key("shard")))
                start += count
        return shards

    def _local(self, values: Any) -> Any:
        """Labels or queries as they are or, if they are Dask's, as an array of NumPy."""
        return self.client.compute(values).result() if _is_dask(values) else values

    def _queries(self, Q: Any) -> NDArray[Any]:
        return super()._queries(self._local(Q))

    def _search_for(self, queries: int, k: int, limit: float) -> Search:
        def search(some: NDArray[Any], values: Values, indices: IntArray) -> None:
            # The fitted rows of a Dask array, for a graph, are queries that nobody has looked at.
            asked = self._queries(some) if _is_dask(some) else some
            # The result of a task is sent once to each worker and, if it is lost, made anew.
            sent = self.client.submit(_same, asked, key=_key("queries"))
            found = [
                self.client.submit(_Shard.search, shard, sent, k, limit, key=_key("search")) for shard in self._shards
            ]
            values[:], indices[:] = merge(self.client.gather(found), k)

        return search


def merge(found: Sequence[tuple[Values, IntArray]], k: int) -> tuple[Values, IntArray]:
    """The k least of what was found in each shard, ascending; equal values by ascending index.

    ``found`` has values (q, k_i) and indices (q, k_i) of each shard, in the order of their rows, which are sorted in
    that way, with inf and -1 in places for which there are no rows; there are k places or more. Returns values (q, k)
    and indices (q, k).
    """
    values = np.concatenate([values for values, _ in found], axis=1)
    indices = np.concatenate([indices for _, indices in found], axis=1)
    order = np.argsort(values, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(indices, order, axis=1)


class _Shard:
    """Some of the rows, from row ``start`` on, on a worker."""

    def __init__(self, rows: Any, start: int, count: int, metric: MetricName, pruning: Any) -> None:
        checked = checks.points(f"X[{start}:{start + count}]", rows)
        self.index, self.start = neighbors.Neighbors(metric, pruning=pruning).fit(checked), start
        self.rows = len(checked)

    def __sizeof__(self) -> int:
        """By which Dask decides whether to search where the rows are or to send them to an idle worker."""
        return 0 if self.index.X is None else self.index.X.nbytes

    def search(self, queries: NDArray[Any], k: int, limit: float) -> tuple[Values, IntArray]:
        """The k nearest rows here, or all if they are fewer, as kernels give them but for indices among all rows."""
        values, indices = self.index.search_values(queries, min(k, self.rows), limit)
        indices[indices >= 0] += self.start
        return values, indices


def _explain(shard: _Shard, queries: NDArray[Any], k: int) -> Explanation:
    return shard.index.explain(queries, min(k, shard.rows))


def _same(values: Result) -> Result:
    return values


def _key(what: str) -> str:
    """A task's key that no other task has; made from its arguments, as Dask does, it would take a look at all data."""
    return f"fastnn-{what}-{uuid.uuid4().hex}"


def _wait_for(futures: Sequence[Any]) -> None:
    """Wait until all are done, and raise what one of them raised."""
    import distributed

    distributed.wait(futures)
    for future in futures:
        if future.status != "finished":
            future.result()


def _is_dask(values: object) -> bool:
    return hasattr(values, "__dask_graph__")


def _client(client: Any) -> Any:
    """The cluster's client, or FastnnError if there is none."""
    try:
        import dask.array  # noqa: F401  # which is imported where it is used, and may be missing
        import distributed
    except ImportError as error:
        raise FastnnError(f'neighbours over a cluster need Dask ({error}); pip install "fastnn-cpu[dask]"') from None
    if client is None:
        try:
            return distributed.default_client()
        except ValueError:
            raise FastnnError(
                "Neighbors: expected a Dask client, as distributed.Client() makes one; found none"
            ) from None
    if not isinstance(client, distributed.Client) or client.asynchronous:
        checks.unsupported("client", "a distributed.Client that is not asynchronous, or None", client)
    return client
