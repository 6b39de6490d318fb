"""Short codes of rows that prove most of them to be too far from a query; see kernels.spec.Codes.

With R any matrix of norm at most 1, and r(v) = sqrt(|v|^2 - |R v|^2) what R leaves of v,

    |v - w|^2 >= |R v - R w|^2 + (r(v) - r(w))^2.

Proof: I - R^T R = S^T S for some S, and |S v| = r(v). So the left side is |R (v - w)|^2 + |S (v - w)|^2, and the norm
of S (v - w) is at least the difference of the norms (Cauchy-Schwarz). Hence u(v) = (R v, r(v)) is a vector of few
elements whose distances never exceed those of v. The rows of R are principal axes of the data, about its mean, where
distances are kept best. u is rounded to bytes, and how far each is from its bytes is kept as its error, together with a
bound of all rounding before.

Products go through the kernels' forward pass, as one linear layer: a BLAS with several threads may take a hundred times
as long for them where other programs use the cores.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels import get_backend, num_threads, use
from .kernels.spec import (
    COSINE,
    EUCLIDEAN,
    Codes,
    FloatArray,
    Kernels,
    Net,
    aligned_copy,
    aligned_zeros,
    bias_views,
    layout,
    weight_views,
)

WIDTHS = (16, 32, 64, 96)  # of codes: one element less of R v, and r(v)
MOST_CODED = 16_384  # columns that codes without R may have
FEWEST_ROWS = 2048  # for which a code pays
SAMPLE_ROWS, SAMPLE_QUERIES = 1024, 128  # from which R and the width are chosen
CENTRE_ROWS, OUTLYING = 32, 100  # rows that tell where the sample lies, and squared distances, relative to the median
SAMPLE_ELEMENTS = 4_000_000  # and no more than so many of their elements
SPARE_AXES, ITERATIONS = 8, 2  # of the subspace iteration
BLOCK_ELEMENTS = 400_000  # that are coded at a time, in the cache
FLOAT32_RANGE = 1e-6, 1e12  # of data whose squares and their sums float32 holds
MOST_VERIFIED = 1 / 12  # of a query's rows; more, and comparing all rows is cheaper

Layer = tuple[Net, FloatArray]  # a linear one, and its parameters


@dataclass(frozen=True, eq=False)
class Pruning:
    """How vectors are coded, and the codes of the rows."""

    metric: int
    raw: bool  # bytes are projected as they are, as the kernel skips their zeros
    mean: FloatArray  # (d,)
    layer: Layer | None  # computes R v of prepared rows v, or of raw ones; None: u(v) = v
    low: FloatArray  # (width,) what code 0 stands for
    scale: float
    most_verified: float
    rows: NDArray[np.uint8]
    row_errors: NDArray[np.float32]

    @cached_property
    def offset(self) -> float:
        """|mean|"""
        return float(np.linalg.norm(self.mean))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.layer is not None:  # what was copied or unpickled need not be aligned
            self.__dict__["layer"] = self.layer[0], aligned_copy(self.layer[1])

    def of(self, queries: NDArray[Any]) -> Codes:
        """The codes for one call of the kernel."""
        codes, errors = _encode(self, queries)
        return Codes(self.rows, self.row_errors, codes, errors, self.scale, self.most_verified)


def build(X: NDArray[Any], metric: int, *, always: bool) -> Pruning | None:
    """Code the rows X (n, d), or return None where comparing all rows as they are should be as fast."""
    n, d = X.shape
    if not always and n < FEWEST_ROWS:
        return None
    size = max(2, min(n, SAMPLE_ROWS, SAMPLE_ELEMENTS // d))
    sample = X[np.linspace(0, n - 1, size).astype(np.int64)]
    moderate = FLOAT32_RANGE[0] < float(np.abs(sample).max()) < FLOAT32_RANGE[1]
    narrow = X.dtype == np.uint8 or (X.dtype == np.float32 and moderate)
    dtype = np.dtype(np.float32 if narrow else np.float64)
    prepared = _without_outliers(_prepare(sample, metric, np.zeros(d, dtype)))
    mean = prepared.mean(axis=0)
    prepared -= mean
    axes = _principal_axes(prepared, min(WIDTHS[-1] - 1, *prepared.shape))
    best = _choose(prepared, axes, X.dtype, always)
    if best is None:
        return None
    chosen = None if best == 0 else _mixed(axes[:, : best - 1])
    low, scale = _grid(
        prepared if chosen is None else _shorten(prepared, _squares(prepared), _product(prepared, chosen))[0]
    )
    most = math.inf if always else MOST_VERIFIED
    raw = X.dtype == np.uint8 and metric == EUCLIDEAN
    layer = None if chosen is None else _linear(chosen, mean if raw else None)
    empty = Pruning(metric, raw, mean, layer, low, scale, most, np.empty((0, 0), np.uint8), np.empty(0, np.float32))
    codes, errors = _encode(empty, X)
    return replace(empty, rows=codes, row_errors=errors)


def _without_outliers(sample: FloatArray) -> FloatArray:
    """The rows but those so far from the others that axes and codes would be theirs alone."""
    centre = np.median(sample[:: 1 + len(sample) // CENTRE_ROWS], axis=0)
    with np.errstate(over="ignore"):
        apart = _squares(sample - centre)
    typical = np.median(apart)
    return sample[apart <= OUTLYING * typical] if typical > 0 else sample


def _choose(sample: FloatArray, axes: FloatArray, dtype: np.dtype[Any], always: bool) -> int | None:
    """The width of the codes; 0 for codes of the vectors as they are, None for no codes.

    Costs are per pair of vectors, in units of 64 multiply-adds of bytes.
    """
    d = sample.shape[1]
    plain = {1: d / 64, 4: d / 16, 8: d / 8}[dtype.itemsize]
    verify = 30 + d / 6
    queries = sample[: len(sample) // 8 or 1][:SAMPLE_QUERIES]
    whole = _squared_distances(queries, sample)
    near = np.partition(whole, min(2, whole.shape[1] - 1), axis=1)[:, min(2, whole.shape[1] - 1)]  # 0 is the query

    def cost(u: FloatArray) -> float:
        width = u.shape[1]
        blur = 2 * _grid(u)[1] * math.sqrt(width / 12)  # of two codes
        reach = (np.sqrt(np.maximum(near, 0)) + blur) ** 2
        share = float(np.mean(_squared_distances(u[: len(queries)], u) <= reach[:, np.newaxis]))
        return width / 64 + share * verify

    widths = sorted({min(width, axes.shape[1] + 1) for width in WIDTHS})
    costs, square = {}, _squares(sample)
    for width in widths:
        costs[width] = cost(_shorten(sample, square, _product(sample, _mixed(axes[:, : width - 1])))[0])
    if d <= MOST_CODED and dtype != np.uint8:
        costs[0] = cost(sample)
    best = min(costs, key=costs.__getitem__)
    return best if always or costs[best] < plain else None


def _squared_distances(a: FloatArray, b: FloatArray) -> FloatArray:
    norms: FloatArray = _squares(a)[:, np.newaxis] + _squares(b)
    return norms - 2 * _product(a, np.ascontiguousarray(b.T))


def _squares(rows: FloatArray) -> FloatArray:
    """|row|^2 (n,)"""
    squares: FloatArray = np.einsum("ij,ij->i", rows, rows)
    return squares


def _principal_axes(sample: FloatArray, count: int) -> FloatArray:
    """About the first ``count`` principal axes of centred rows, as columns (d, count), by subspace iteration.

    Halko, Martinsson & Tropp 2011, algorithm 4.4. Any orthonormal columns would do; the better, the more rows they
    rule out.
    """
    d = sample.shape[1]
    wide = min(count + SPARE_AXES, d)
    basis = np.random.default_rng(0).standard_normal((d, wide)).astype(sample.dtype)
    sample = sample / (np.abs(sample).max() or 1)  # so that no product overflows
    transposed = np.ascontiguousarray(sample.T)
    for _ in range(ITERATIONS):
        basis = _orthonormal(_product(transposed, _product(sample, basis)))
    projected = _product(sample, basis)
    turn = np.linalg.eigh(_product(np.ascontiguousarray(projected.T), projected))[1][:, ::-1]
    return _orthonormal(_product(basis, turn))[:, :count]


def _orthonormal(columns: FloatArray) -> FloatArray:
    """Orthonormal columns (d, m) that span those given, by the modified Gram-Schmidt process.

    Zeros take the place of columns of which little but rounding is left.
    """
    rows = np.ascontiguousarray(columns.T)
    least = 1e-4 * np.sqrt(_squares(rows))
    for i, row in enumerate(rows):
        size = math.sqrt(np.einsum("i,i->", row, row))
        row *= 1 / size if size > least[i] else 0
        rows[i + 1 :] -= np.einsum("ij,j->i", rows[i + 1 :], row)[:, np.newaxis] * row
    return rows.T


def _mixed(axes: FloatArray) -> FloatArray:
    """R transposed (d, m), of norm at most 1, from orthonormal axes: others of the same space, by a cosine transform.

    About equal spreads make for a finer grid. No eigenvalue of R R^T is above its greatest sum of a row's absolute
    values (Gershgorin), which makes up for any rounding.
    """
    m = axes.shape[1]
    turn = np.cos(np.pi / m * np.outer(np.arange(m), np.arange(m) + 0.5)) * math.sqrt(2 / m)  # DCT-II, orthogonal
    turn[0] /= math.sqrt(2)
    mixed = _product(axes, turn).astype(np.float64)
    norm = math.sqrt(np.abs(_product(mixed.T, mixed)).sum(axis=1).max()) * (1 + 1e-6)
    return (mixed / max(norm, 1)).astype(axes.dtype)


def _grid(u: FloatArray) -> tuple[FloatArray, float]:
    """Where the codes of vectors like u (n, width) begin, and how far apart they are."""
    low, high = u.min(axis=0), u.max(axis=0)
    spread = float((high - low).max())
    margin = u.dtype.type(spread / 16)  # for rows outside the sample; those beyond have greater errors
    return low - margin, (spread * 9 / 8 or 1.0) / 255


def _prepare(rows: NDArray[Any], metric: int, mean: FloatArray) -> FloatArray:
    """Rows as floats, of norm 1 for COSINE, about the mean."""
    v = rows.astype(mean.dtype)
    if metric == COSINE:
        norms = np.sqrt(np.einsum("ij,ij->i", v, v, dtype=np.float64))[:, np.newaxis]
        v = np.divide(rows, norms, out=np.zeros_like(v), where=norms > 0, casting="same_kind")
    v -= mean
    return v


def _shorten(
    v: FloatArray, square: FloatArray, projected: FloatArray, offset: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """u(v) = (R v, r(v)) from |v|^2 and R v (n, m), and a bound of its rounding errors' norm.

    R v was computed from v, or from what is ``offset`` away from it.
    """
    d, m = v.shape[1], projected.shape[1]
    gamma = d * float(np.finfo(v.dtype).eps)  # twice the worst case of a sum of d products, relative to the norms
    u = np.empty((len(v), m + 1), v.dtype)
    u[:, :m] = projected
    left = np.maximum(square - _squares(projected), 0)
    u[:, m] = np.sqrt(left)
    norm = np.sqrt(square)
    shift = math.sqrt(m) * gamma * (norm + 2 * offset)  # of R v
    wrong = 2 * gamma * square + (2 * norm + shift) * shift  # of left
    with np.errstate(divide="ignore", invalid="ignore"):
        turn = np.minimum(np.sqrt(wrong), np.where(left > 0, wrong / u[:, m], np.inf))
    return u, shift + turn


def _encode(pruning: Pruning, rows: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The codes (n, width) of rows and their errors (n,), block by block; infinity where a sum overflows."""
    codes = np.empty((len(rows), len(pruning.low)), np.uint8)
    errors = np.empty(len(rows), np.float32)
    step = max(1, BLOCK_ELEMENTS // rows.shape[1])
    kernels = get_backend()  # looked up here, as threads have no settings of their own

    def encode(start: int) -> None:
        here = slice(start, start + step)
        with np.errstate(over="ignore", invalid="ignore"), use(num_threads=1):
            codes[here], errors[here] = _encode_block(pruning, rows[here], kernels)

    starts, threads = range(0, len(rows), step), num_threads()
    if threads > 1 and len(starts) > 1:
        with ThreadPoolExecutor(threads) as pool:  # NumPy and native release the lock
            list(pool.map(encode, starts))
    else:
        for start in starts:
            encode(start)
    errors[np.isnan(errors)] = np.inf
    return codes, errors


def _linear(axes: FloatArray, mean: FloatArray | None = None) -> Layer:
    """The layer whose forward pass is the product of rows (n, d), less ``mean``, and ``axes`` (d, m)."""
    net, count = layout(axes.shape, ("identity",), "mean_squared_error", mean is not None, axes.dtype)
    params = aligned_zeros(count, axes.dtype)
    weight_views(net, params)[0][:] = axes
    if mean is not None:
        bias_views(net, params)[0][:] = -_product(mean[np.newaxis].astype(np.float64), axes.astype(np.float64))[0]
    return net, params


def _project(kernels: Kernels, layer: Layer, rows: NDArray[Any]) -> FloatArray:
    net, params = layer
    out = np.empty((len(rows), net.sizes[-1]), params.dtype)
    kernels.forward(net, params, rows, 1.0, out)
    return out


def _product(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    """rows @ matrix, in the dtype of ``rows``."""
    layer = _linear(matrix.astype(rows.dtype, copy=False))
    return _project(get_backend(), layer, np.ascontiguousarray(rows))


def _encode_block(pruning: Pruning, rows: NDArray[Any], kernels: Kernels) -> tuple[FloatArray, FloatArray]:
    v = _prepare(rows, pruning.metric, pruning.mean)
    square, offset = _squares(v), pruning.offset
    blur = np.finfo(v.dtype).eps * (4 * np.sqrt(square) + 8 * offset)
    if pruning.layer is None:
        u = v
    else:
        projected = _project(kernels, pruning.layer, rows if pruning.raw else v)
        u, more = _shorten(v, square, projected, offset if pruning.raw else 0)
        blur = blur + more
    u -= pruning.low
    u /= u.dtype.type(pruning.scale)
    codes = np.clip(np.rint(u), 0, 255)
    u -= codes
    # The last: rounding of u in units of the codes, and of this sum
    errors = np.sqrt(_squares(u)) + blur / pruning.scale
    return codes, errors * 1.001 + 1e-3
