"""What a search will run and why, in words: see :meth:`fastnn.Neighbors.explain`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..kernels import get_backend
from ..kernels.paths import DOTS, QUERIES, SCANS, Explanation, threads_line
from ..kernels.spec import SearchPlan
from .codes import Pruning
from .grid import GridPruning

PLAIN = {
    "numba": "one compiled call for some queries, with loops over the columns of each pair of rows",
    "numpy": "tables of distances from NumPy's matrix products, and the nearest summed again from the differences",
}


def explain_search(
    metric: str, rows: NDArray[np.generic], queries: int, at_a_time: int, k: int, pruned: Pruning | GridPruning | None
) -> Explanation:
    """Of one search for the k nearest among ``rows`` (n, d), which kernels take ``at_a_time`` queries a call."""
    kernels, (n, d) = get_backend(), rows.shape
    whom = f"{queries:,} {'query' if queries == 1 else 'queries'}"
    lines = [
        f"The {k} nearest of {n:,} rows of {d} {rows.dtype} to {whom}, {metric}.",
        f"Backend: {kernels.name}, {kernels.describe()}.",
    ]
    lines.append(_codes(pruned))
    plan_search = kernels.capabilities.plan_search
    if plan_search is None or queries == 0:
        return Explanation("\n".join([*lines, f"Path: {PLAIN.get(kernels.name, 'nothing is searched')}."]), None)
    plan = plan_search(
        metric,
        n,
        min(queries, at_a_time),
        d,
        k,
        rows.dtype,
        code_width=pruned.widths[0] if pruned else 0,
        finer_codes=len(pruned.widths) - 1 if pruned else 0,
        most_verified=pruned.most_verified if pruned else float("inf"),
    )
    width, item = (pruned.widths[0], 1) if pruned else (d, rows.dtype.itemsize)
    work = f"{n * queries * width / 1e6:,.1f} M multiply-adds of {'bytes' if item == 1 else rows.dtype}"
    read = plan.blocks * -(-queries // at_a_time) * n * width * item
    lines += [*_choices(plan), f"At least {work}, and {read / 1e6:,.1f} MB of {'codes' if pruned else 'rows'} read."]
    return Explanation("\n".join(lines), plan)


def _codes(pruned: Pruning | GridPruning | None) -> str:
    if pruned is None:
        return "Codes: none, as comparing whole rows is as fast here, or pruning is never."
    return f"Codes: {pruned}; they bound distances from below."


def _choices(plan: SearchPlan) -> list[str]:
    lines = [f"Scan: {plan.scan}: {SCANS[plan.scan].text()}."]
    if plan.scan == "codes":
        lines.append(
            f"If they leave more than {plan.most_verified:.1%} of the pairs: {plan.plain_scan}: "
            f"{SCANS[plan.plain_scan].text()}."
        )
    lines.append(f"Queries: {plan.queries}: {QUERIES[plan.queries].text()}; blocks of {plan.block}.")
    if plan.scan in ("codes", "bytes"):
        lines.append(f"Products: {plan.dot}: {DOTS[plan.dot].text()}.")
    if plan.seeds:
        lines.append(f"Seeds: each query first looks at {plan.seeds} rows whose codes are nearest.")
    kept = "inserted among them" if plan.buffer == 0 else f"collected, {plan.buffer} at a time, and selected from"
    lines.append(f"The nearest so far: candidates are {kept}.")
    return [*lines, threads_line(plan.threads, f"the {plan.split}")]
