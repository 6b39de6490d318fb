"""Short codes of rows that prove most of them to be too far from a query; see kernels.spec.Codes.

With R any matrix of norm at most 1, and r(v) = sqrt(|v|^2 - |R v|^2) what R leaves of v,

    |v - w|^2 >= |R v - R w|^2 + (r(v) - r(w))^2.

Proof: I - R^T R = S^T S for some S, and |S v| = r(v). So the left side is |R (v - w)|^2 + |S (v - w)|^2, and the norm
of S (v - w) is at least the difference of the norms (Cauchy-Schwarz). Hence u(v) = (R v, r(v)) is a vector of few
elements whose distances never exceed those of v. The rows of R are principal axes of the data, about its mean, where
distances are kept best. u is rounded to bytes, and how far each is from its bytes is kept as its error, together with a
bound of all rounding before. Where some rows of R, with what these leave, rule out most by themselves, they make the
code, and all rows the finer one. With R = I, u(v) = v: long codes, for which there need to be no axes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import get_backend
from ..kernels.params import Parameters
from ..kernels.spec import COSINE, EUCLIDEAN, Codes, FloatArray, Grid, Kernels, unit_vectors
from .projection import (
    linear,
    narrowed,
    principal_axes,
    product,
    project,
    squared_distances,
    squares,
    turned,
)

# Whether rows are coded at all, and from what
FEWEST_ROWS = 2048  # for which a code pays
MOST_CODED = 16_384  # columns that codes without R may have
SAMPLE_ROWS, SAMPLE_QUERIES = 1024, 128  # from which R and the widths are chosen
SAMPLE_ELEMENTS = 4_000_000  # and no more than so many of their elements
CENTRE_ROWS, OUTLYING = 32, 100  # rows that tell where the sample lies, and squared distances, relative to the median
BLOCK_ELEMENTS = 6_400_000  # that are coded at a time
FLOAT32_RANGE = 1e-6, 1e12  # of data whose squares and their sums float32 holds

# What plan_codes chooses from: elements of codes and of finer ones, one less of R v, and r(v)
WIDTHS = ((16, 0), (32, 0), (64, 0), (96, 0), (32, 64), (48, 96), (64, 96))
MOST_AXES = max(map(max, WIDTHS)) - 1
MEMORY = 5  # the bytes of a row over those that codes of more than 16 elements and finer ones may take

# And by: costs are cycles of native's for a pair of vectors; each multiplies 64 bytes or 16 float32. They are set by
# benchmarks/compare_neighbors.py, where "native" is to be no slower than "plain"
SEEDING = 9 / 8  # of the codes are compared with seeds
LOOSE = 1.5  # times as many pairs are left as if the distance of the last neighbour were known
REFINE = 60  # to compare finer codes
VERIFY, VERIFY_BYTES = 100, 4  # to compute a distance, and the bytes of a row that take one cycle more
USUAL_NEIGHBORS = 10  # for which the codes are chosen; the sample tells what several of it cost
SEVERAL = 8
MOST_ACTIVE = 0.7  # share of byte blocks that are not zero up to which native skips the others


@dataclass(frozen=True, eq=False)
class Pruning:
    """How vectors are coded, and the codes of the rows."""

    metric: int
    raw: bool  # rows are coded as they come: the kernel skips the zeros of bytes, or takes any mean off in passing
    mean: FloatArray  # (d,), or (0,) if nothing is taken off
    layer: Parameters | None  # computes R v of prepared rows v, or of raw ones; None: u(v) = v
    low: FloatArray  # (width,) what code 0 stands for
    scale: float
    most_verified: float
    most_neighbors: float  # for more, native should compare all rows as they are as fast
    width: int  # of the codes
    # Of no rows, until with_rows makes them:
    rows: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 0), np.uint8))
    row_errors: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    finer_rows: NDArray[np.uint8] | None = None

    @cached_property
    def offset(self) -> float:
        """The norm of what rows cancel with: the mean or, if nothing is taken off, the ends of the codes."""
        ends = np.abs(self.low.astype(np.float64)) + 255 * self.scale
        return float(np.linalg.norm(self.mean if self.mean.size else ends))

    @property
    def widths(self) -> tuple[int, ...]:
        """The bytes of a row's codes, those first that are compared first."""
        return (self.width,) if self.finer_rows is None else (self.width, self.finer_rows.shape[1])

    def __str__(self) -> str:
        finer = "" if self.finer_rows is None else f", and finer ones of {self.finer_rows.shape[1]}"
        axes = "as they are" if self.layer is None else "on their principal axes"
        return f"{self.width} bytes a row{finer}, of the rows {axes}"

    def for_neighbors(self, k: int, kernels: Kernels) -> Pruning | None:
        """The codes where they should save time in a search for the k nearest; None: to do without.

        Only native compares whole rows as fast.
        """
        return self if k <= self.most_neighbors or kernels.name != "native" else None

    def with_rows(self, X: NDArray[Any]) -> Pruning:
        """The same with the codes of the rows X (n, d)."""
        codes, errors, finer = _encode(self, X)
        return replace(self, rows=codes, row_errors=errors, finer_rows=finer)

    def of(self, queries: NDArray[Any]) -> Codes:
        """The codes for one call of the kernel."""
        codes, errors, finer = _encode(self, queries)
        found = Codes(self.rows, self.row_errors, codes, errors, self.scale, self.most_verified)
        if self.finer_rows is None or finer is None:
            return found
        return found._replace(finer=found._replace(rows=self.finer_rows, queries=finer))


def build(
    X: NDArray[Any], metric: int, *, always: bool, long: bool = False, skips_zeros: bool = True
) -> Pruning | None:
    """Code the rows X (n, d), or return None where comparing all rows as they are should be as fast.

    ``long``: floats by as many bytes, without axes. ``skips_zeros``: whether that comparison would skip zeros of bytes.
    """
    n, d = X.shape
    if not always and n < FEWEST_ROWS:
        return None
    size = max(2, min(n, SAMPLE_ROWS, SAMPLE_ELEMENTS // d))
    sample = spread_rows(X, size)
    moderate = FLOAT32_RANGE[0] < float(np.abs(sample).max()) < FLOAT32_RANGE[1]
    narrow = X.dtype == np.uint8 or (X.dtype == np.float32 and moderate)
    dtype = np.dtype(np.float32 if narrow else np.float64)
    prepared = _without_outliers(_prepare(sample, metric, np.zeros(d, dtype)))
    mean = prepared.mean(axis=0)
    prepared -= mean
    axes = np.empty((d, 0), dtype) if long else principal_axes(prepared, min(MOST_AXES, *prepared.shape))
    projected = prepared[:, :0] if long else product(prepared, axes)
    active = _active_share(sample) if X.dtype == np.uint8 and skips_zeros else 1.0
    plan = plan_codes(prepared, projected, size, n, X.itemsize, active)
    if plan.most_neighbors < 1 and not always:
        return None
    raw = metric == EUCLIDEAN and (X.dtype == np.uint8 or (X.dtype == dtype and not plan.width))
    u, layer = prepared, None
    if plan.width:
        layer = linear(narrowed(turned(axes, plan.width, plan.finer)), mean if raw else None)
        u = _shorten(squares(prepared), turned(projected, plan.width, plan.finer), plan.width, d)[0]
    empty = Pruning(
        metric,
        raw,
        mean,
        layer,
        *_grid(u, -mean if layer is None else None),
        math.inf if always else plan.most_verified,
        math.inf if always else plan.most_neighbors,
        plan.width or d,
    )
    return empty.with_rows(X)


def spread_rows(X: NDArray[Any], count: int) -> NDArray[Any]:
    """So many of the rows, or all if there are fewer, about equally far apart."""
    n = len(X)
    return X[np.linspace(0, n - 1, min(n, count)).astype(np.int64)]


def prefers_long(X: NDArray[Any], metric: int) -> bool:
    """Whether many queries are compared faster by bytes of whole rows, without axes: with a matrix unit."""
    coded = X.shape[1] <= MOST_CODED and (metric == EUCLIDEAN or X.dtype != np.uint8)
    return coded and get_backend().capabilities.matrix_unit


def _without_outliers(sample: FloatArray) -> FloatArray:
    """The rows but those so far from the others that axes and codes would be theirs alone."""
    centre = np.median(sample[:: 1 + len(sample) // CENTRE_ROWS], axis=0)
    with np.errstate(over="ignore"):
        apart = squares(sample - centre)
    typical = np.median(apart)
    return sample[apart <= OUTLYING * typical] if typical > 0 else sample


class Choice(NamedTuple):
    """Of the widths of codes. With so many near vectors in the sample, a pair costs about tiles + one * near^growth."""

    width: int  # 0: of the vectors as they are
    finer: int  # 0: there are no finer ones
    tiles: float
    one: float
    growth: float

    def cost(self, near: float) -> float:
        return self.tiles + self.one * float(near) ** self.growth

    def most_near(self, cost: float) -> float:
        """For how many it is as great."""
        return (max(cost - self.tiles, 0) / self.one) ** (1 / self.growth)


class CodesPlan(NamedTuple):
    """What :func:`plan_codes` decides."""

    width: int  # elements of the codes; 0: the vectors as they are
    finer: int  # of finer codes; 0: there are none
    most_neighbors: float  # for more, native should compare all rows as they are as fast; below 1 codes never pay
    most_verified: float  # see Codes


def plan_codes(
    sample: FloatArray, projected: FloatArray, sampled: int, rows: int, itemsize: int, active: float
) -> CodesPlan:
    """Which codes should be fastest for so many ``rows``, and when they pay: a pure function.

    ``sample`` (.., d) are prepared vectors, most of ``sampled`` rows, and ``projected`` (.., m) the same on all axes.
    An element of a row takes ``itemsize`` bytes, 1 for uint8, and native multiplies the share ``active`` of them.
    """
    d = sample.shape[1]
    plain = {1: d / 64, 4: d / 16, 8: d / 8}[itemsize] * active
    verify = VERIFY + d * itemsize / VERIFY_BYTES
    choice = _choose(
        sample, projected, verify, USUAL_NEIGHBORS * sampled / rows, d * itemsize // MEMORY, exact=itemsize == 1
    )
    most_neighbors = choice.most_near(plain) * rows / sampled
    return CodesPlan(choice.width, choice.finer, most_neighbors, max(plain - choice.tiles, 0) / verify)


def _choose(sample: FloatArray, projected: FloatArray, verify: float, near: float, room: int, *, exact: bool) -> Choice:
    """The codes that should be fastest for so many near vectors, in so many bytes a row at most."""
    d, m = sample.shape[1], projected.shape[1]
    square, count = squares(sample), min(SAMPLE_QUERIES, len(sample) // 8 or 1)
    whole = squared_distances(sample[:count], sample)
    ranks = [min(rank, len(sample) - 1) for rank in (1, SEVERAL)]  # 0 is the query itself
    distances = np.sqrt(np.maximum(np.partition(whole, ranks, axis=1)[:, ranks], 0))

    def shares(apart: FloatArray, scale: float, width: int) -> FloatArray:
        """Of the pairs that are left for one near vector, and for several"""
        reach = distances + 2 * scale * math.sqrt(width / 12)  # as two codes are blurred
        return np.array([np.mean(apart <= np.square(r)[:, np.newaxis]) for r in reach.T])

    def rate(u: FloatArray, width: int, finer: int) -> Choice:
        scale, length = _grid(u)[1], u.shape[1]
        apart = squared_distances(u[:count, : width or length], u[:, : width or length]) if width else whole
        left = shares(apart, scale, width or length)
        cost = left * verify
        if finer:
            rest = u[:, width - 1]
            apart += squared_distances(u[:count, width:], u[:, width:]) - (rest[:count, np.newaxis] - rest) ** 2
            cost = left * REFINE + shares(apart, scale, finer) * verify
        one, several = LOOSE * np.maximum(cost, 1e-9)
        growth = max(math.log(several / one) / math.log(SEVERAL), 0.1)
        return Choice(width, finer, (width or length) / 64 * SEEDING, float(one), growth)

    choices: dict[tuple[int, int], Choice] = {}
    for width, finer in WIDTHS if m else ():
        width, finer = min(width, m + 1), finer if finer <= m + 1 else 0
        if (width, finer) not in choices and (width + finer <= room or not choices):
            u = _shorten(square, turned(projected, width, finer), width, d)[0]
            choices[width, finer] = rate(u, width, finer)
    if d <= MOST_CODED and not exact:
        choices[0, 0] = rate(sample, 0, 0)
    return min(choices.values(), key=lambda choice: choice.cost(near))


def _active_share(rows: NDArray[np.uint8]) -> float:
    """Share of a row's byte blocks, about, that native multiplies when it skips zeros; 1 if it does not."""
    blocks = (rows[:, : rows.shape[1] // 4 * 4] != 0).reshape(len(rows), rows.shape[1] // 4, 4).any(axis=2)
    batches = blocks[: len(rows) // 4 * 4].reshape(len(rows) // 4, 4, blocks.shape[1]).any(axis=1)
    share = (
        float(blocks.mean() + batches.mean()) / 2 if batches.size else 1.0
    )  # micro-batches are chosen, but not equal
    return share if share < MOST_ACTIVE else 1.0


def _grid(u: FloatArray, zero: FloatArray | None = None) -> tuple[FloatArray, float]:
    """Where the codes of vectors like u (n, width) begin, and how far apart they are.

    Where none is below ``zero`` (width,), what has been a zero, its code is 0, which kernels skip.
    """
    low, high = u.min(axis=0), u.max(axis=0)
    spread = float((high - low).max())
    margin = u.dtype.type(spread / 16)  # for rows outside the sample; those beyond have greater errors
    return np.where(low == zero, low, low - margin), (spread * 9 / 8 or 1.0) / 255


def _prepare(rows: NDArray[Any], metric: int, mean: FloatArray) -> FloatArray:
    """Rows as floats, of norm 1 for COSINE, about the mean (d,), or (0,) if nothing is taken off."""
    compiled = get_backend().capabilities.prepare
    if compiled is not None and mean.size and rows.dtype in (mean.dtype, np.uint8):
        v = np.empty(rows.shape, mean.dtype)
        compiled(rows, metric == COSINE, mean, v)
        return v
    v = rows.astype(mean.dtype)
    if metric == COSINE and v.dtype == np.float64:
        v = unit_vectors(v)
    elif metric == COSINE:  # float64 holds the squares of all float32, which need no care
        norms = np.sqrt(np.einsum("ij,ij->i", v, v, dtype=np.float64))[:, np.newaxis]
        np.divide(v, norms, out=v, where=norms > 0, casting="same_kind")
    if mean.size:
        v -= mean
    return v


def _shorten(
    square: FloatArray, projected: FloatArray, width: int, d: int, terms: NDArray[Any] | int = 0, offset: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """u(v) from |v|^2 and R v (n, m), with r(v) in the place ``width - 1``, and a bound of its rounding errors' norm.

    If R v is longer than the codes, their r(v) is of its first elements, and one of all comes last. R v was computed
    from v (n, d), or from what is ``offset`` away from it, in sums of so many ``terms`` that were not 0.
    """
    m = projected.shape[1]
    half = float(np.finfo(projected.dtype).eps) / 2
    norm, square_error = np.sqrt(square), 2 * (d + 8) * half * square  # of |v|^2 and |R v|^2
    shift = math.sqrt(m) * (terms + 8) * 1.01 * half * (norm + 2 * offset)  # of R v (Higham 2002, section 3.1)
    u = np.empty((len(projected), m + 1 + (m >= width)), projected.dtype)
    u[:, : width - 1], u[:, width:-1] = projected[:, : width - 1], projected[:, width - 1 :]
    wrong = square_error + (2 * norm + shift) * shift  # of r(v)^2
    error = shift
    for place in {width - 1, u.shape[1] - 1}:
        left = np.maximum(square - squares(projected[:, :place]), 0)
        u[:, place] = np.sqrt(left)
        with np.errstate(divide="ignore", invalid="ignore"):
            turn = np.minimum(np.sqrt(wrong), np.where(left > 0, wrong / u[:, place], np.inf))
        error = np.maximum(error, shift + turn)
    return u, error


def _encode(
    pruning: Pruning, rows: NDArray[Any]
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8] | None]:
    """Codes of rows (n, width), their errors (n,) and finer codes, block by block; infinity where a sum overflows."""
    n, width, total = len(rows), pruning.width, len(pruning.low)
    # Not in memory of NumPy's, which asks for huge pages: where a virtual machine returns to its host what was freed,
    # these may take longer to come than the codes to be made.
    codes = np.frombuffer(bytearray(n * width), np.uint8).reshape(n, width)
    errors = np.empty(n, np.float32)
    finer = np.empty((n, total - 1 if total > width else 0), np.uint8)
    step = max(1, BLOCK_ELEMENTS // rows.shape[1])
    kernels = get_backend()
    compiled = kernels.capabilities.encode
    grid = Grid(pruning.mean if pruning.raw else pruning.mean[:0], pruning.low, pruning.scale, pruning.offset)
    for start in range(0, n, step):
        here = slice(start, start + step)
        with np.errstate(over="ignore", invalid="ignore"):
            v = rows[here] if pruning.raw else _prepare(rows[here], pruning.metric, pruning.mean)
            projected = np.empty((len(v), 0), pruning.mean.dtype)
            if pruning.layer is not None:
                projected = project(kernels, pruning.layer, v)
            block = codes[here], finer[here], errors[here]
            if compiled:
                compiled(v, projected, grid, *block)
            else:
                _encode_block(pruning, v, projected, *block)
    return codes, errors, finer if total > width else None


def _encode_block(
    pruning: Pruning,
    rows: NDArray[Any],
    projected: FloatArray,
    codes: NDArray[np.uint8],
    finer: NDArray[np.uint8],
    errors: NDArray[np.float32],
) -> None:
    """Write the codes of rows v (n, d), or raw ones, from R v (n, m)."""
    width, offset, d = pruning.width, pruning.offset, rows.shape[1]
    v = _prepare(rows, pruning.metric, pruning.mean) if pruning.raw else rows
    square = squares(v)
    blur = np.finfo(v.dtype).eps * (4 * np.sqrt(square) + 8 * offset)
    if pruning.layer is None:
        u = v
    else:
        terms = np.count_nonzero(rows, axis=1) if pruning.raw else d
        u, more = _shorten(square, projected, width, d, terms, offset if pruning.raw else 0)
        blur = blur + more
    u -= pruning.low
    u /= u.dtype.type(pruning.scale)
    both = np.clip(np.rint(u), 0, 255)
    u -= both
    codes[:], apart = both[:, :width], squares(u[:, :width])
    if finer.shape[1]:
        finer[:, : width - 1], finer[:, width - 1 :] = both[:, : width - 1], both[:, width:]
        apart = np.maximum(apart, squares(u[:, : width - 1]) + squares(u[:, width:]))
    # The last: rounding of u in units of the codes, and of this sum
    errors[:] = (np.sqrt(apart) + blur / pruning.scale) * 1.001 + 1e-3
    errors[np.isnan(errors)] = np.inf
