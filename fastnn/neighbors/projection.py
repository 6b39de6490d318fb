"""Principal axes of rows, and products with them.

Products go through the kernels' forward pass, as one linear layer: a BLAS with several threads may take a hundred times
as long for them where other programs use the cores.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import get_backend
from ..kernels.params import Parameters
from ..kernels.spec import FloatArray, Kernels

SPARE_AXES, ITERATIONS, TURNS = 8, 2, 4  # of the subspace iteration


def linear(axes: FloatArray, mean: FloatArray | None = None) -> Parameters:
    """The layer whose forward pass is the product of rows (n, d), less ``mean``, and ``axes`` (d, m)."""
    layer = Parameters.zeros(axes.shape, ("identity",), "mean_squared_error", mean is not None, axes.dtype)
    layer.weights[0][:] = axes
    if mean is not None:
        layer.biases[0][:] = -product(mean[np.newaxis].astype(np.float64), axes.astype(np.float64))[0]
    return layer


def project(kernels: Kernels, layer: Parameters, rows: NDArray[Any]) -> FloatArray:
    out = np.empty((len(rows), layer.net.sizes[-1]), layer.vector.dtype)
    kernels.forward(layer.net, layer.vector, rows, 1.0, out)
    return out


def product(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    """rows @ matrix, in the dtype of ``rows``."""
    layer = linear(matrix.astype(rows.dtype, copy=False))
    return project(get_backend(), layer, np.ascontiguousarray(rows))


def squares(rows: FloatArray) -> FloatArray:
    """|row|^2 (n,)"""
    squares: FloatArray = np.einsum("ij,ij->i", rows, rows)
    return squares


def squared_distances(a: FloatArray, b: FloatArray) -> FloatArray:
    norms: FloatArray = squares(a)[:, np.newaxis] + squares(b)
    return norms - 2 * product(a, np.ascontiguousarray(b.T))


def principal_axes(sample: FloatArray, count: int) -> FloatArray:
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
        basis = _orthonormal(product(transposed, product(sample, basis)))
    projected = product(sample, basis)
    products = product(np.ascontiguousarray(projected.T), projected)
    turn = np.eye(wide, dtype=sample.dtype)
    for _ in range(TURNS):  # a power iteration: LAPACK's threads would spin on long after an eigendecomposition
        turn = _orthonormal(product(products, turn))
    return _orthonormal(product(basis, turn))[:, :count]


def _orthonormal(columns: FloatArray) -> FloatArray:
    """Orthonormal columns (d, m) that span those given, by the modified Gram-Schmidt process.

    Of a column of which little is left, much of that is rounding: it is made orthogonal to those before once more
    (Giraud, Langou & Rozloznik 2005). Zeros take the place of those of which little is left again.
    """
    rows = np.ascontiguousarray(columns.T)
    least = 1e-4 * np.sqrt(squares(rows))
    for i, row in enumerate(rows):
        size = math.sqrt(np.einsum("i,i->", row, row))
        if 0 < size <= least[i]:
            row *= 1 / size
            row -= np.einsum("i,ij->j", np.einsum("ij,j->i", rows[:i], row), rows[:i])
            size, least[i] = math.sqrt(np.einsum("i,i->", row, row)), 1e-4
        row *= 1 / size if size > least[i] else 0
        rows[i + 1 :] -= np.einsum("ij,j->i", rows[i + 1 :], row)[:, np.newaxis] * row
    return rows.T


def turned(columns: FloatArray, width: int, finer: int) -> FloatArray:
    """Columns (.., m) for principal axes as others for axes of the same spaces, of codes and of what finer ones add.

    They are turned by a cosine transform (DCT-II): about equal spreads make for a finer grid.
    """
    parts = []
    for first, stop in ((0, width - 1), (width - 1, finer - 1)):
        m = stop - first
        if m > 0:
            turn = np.cos(np.pi / m * np.outer(np.arange(m), np.arange(m) + 0.5)) * math.sqrt(2 / m)
            turn[0] /= math.sqrt(2)
            parts.append(product(columns[:, first:stop], turn))
    return np.concatenate(parts, axis=1)


def narrowed(axes: FloatArray) -> FloatArray:
    """R transposed (d, m), of norm at most 1, from about orthonormal axes.

    No eigenvalue of R R^T is above its greatest sum of a row's absolute values (Gershgorin), which makes up for any
    rounding.
    """
    wide = axes.astype(np.float64)
    norm = math.sqrt(np.abs(product(wide.T, wide)).sum(axis=1).max()) * (1 + 1e-6)
    return (wide / max(norm, 1)).astype(axes.dtype)
