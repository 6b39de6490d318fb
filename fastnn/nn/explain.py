"""What a training will run and why, in words: :func:`explain`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from .. import checks
from ..kernels import get_backend
from ..kernels.paths import INPUTS, OFFSETS, REGIMES, SPLITS, UPDATES, WEIGHTS, Choices, Explanation, threads_line
from ..kernels.records import OptimizerName
from ..kernels.spec import CSR, SLOTS, Data, Rule, TrainPlan
from .display import short_sizes
from .fit import packed
from .mlp import MLP
from .optimizer import optimizer_rule

# The core that the roofline supposes, in cycles; every x86-64 with AVX2 of the last ten years is about such.
FMAS_A_CYCLE = 2  # of whole vectors
LINE_CYCLES = 2  # for a cache line from the second-level cache
MEMORY_CYCLES = 8  # and for one from memory, as the processor fetches ahead

PLAIN = {
    "numba": "one compiled call an epoch, with loops over the outputs for each input that is not zero",
    "numpy": "NumPy's matrix products batch by batch, the definition of what every backend computes",
}


def explain(
    model: MLP,
    X: ArrayLike,
    *,
    batch_size: int = 32,
    epochs: int = 10,
    optimizer: OptimizerName = "sgd",
    momentum: float | None = None,
    nesterov: bool = False,
    l2: float | Sequence[float] = 0.0,
    l1: float | Sequence[float] = 0.0,
    weight_decay: float | None = None,
    clip_value: float | None = None,
    clip_norm: float | None = None,
    shuffle: bool = True,
) -> Explanation:
    """Say what ``model.fit(X, y, ...)`` with these arguments would run, and why.

    ``X`` (n, inputs) is what ``fit`` would be given. Nothing is trained, and neither the model nor its random stream
    changes. The text names the backend and its instruction set, how the inputs are read and the density that was
    measured for it, what threads share out, where the first layer's weights lie, how updates go, and where the time of
    an epoch goes by the roofline of a core. ``plan`` of the result is native's
    :class:`~fastnn.kernels.spec.TrainPlan`, None on other backends.

    Raises what ``fit`` raises for the same arguments.
    """
    given = checks.numeric_rows("X", X)
    rows = checks.input_rows("X", given, model.sizes[0], model.dtype)
    checks.nonempty("X", len(rows.X))
    epochs = checks.integer("epochs", epochs, low=1)
    batch_size = min(checks.integer("batch_size", batch_size, low=1), len(rows.X))
    shuffle = checks.boolean("shuffle", shuffle)
    rule = optimizer_rule(
        optimizer,
        None,
        momentum,
        nesterov,
        l1=l1,
        l2=l2,
        layers=len(model.activations),
        weight_decay=weight_decay,
        clip_value=clip_value,
        clip_norm=clip_norm,
    )
    kernels, net = get_backend(), model.net
    data = packed(Data(rows.X, rows.scale, np.empty(0)), net, epochs, None if shuffle else batch_size)
    terms = {"l1": l1, "l2": l2, "clip_value": clip_value, "clip_norm": clip_norm}
    penalty = "".join(f" with {name}={value}" for name, value in terms.items() if value is not None and np.any(value))
    lines = [
        f"{short_sizes(model.sizes)}, {model.dtype}: {len(data.X):,} rows of {given.dtype} in batches of "
        f"{batch_size}, by {optimizer}{penalty}",
        f"Backend: {kernels.name}, {kernels.describe()}.",
    ]
    plan_training = kernels.capabilities.plan_training
    if plan_training is None:
        return Explanation("\n".join([*lines, f"Path: {PLAIN[kernels.name]}."]), None)
    if data.X.dtype != rows.X.dtype:
        lines.append(f"Before the first epoch X becomes bytes, as all of it is k times {data.scale:.6g} for whole k.")
    is_stored = data.block_csc is not None
    plan = plan_training(
        net, data.X, dtype=model.dtype, batch_size=batch_size, rule=rule, block_csc=is_stored, order=None
    )
    lines += _choices(plan)
    lines += _roofline(model, data, batch_size, rule, plan)
    return Explanation("\n".join(lines), plan)


def _choices(plan: TrainPlan) -> list[str]:
    """A line for each choice of the plan."""

    def line(title: str, choices: Choices, name: str, why: str = "") -> str:
        return f"{title}: {name}{why}: {choices[name].text()}."

    lines = [line("Path", REGIMES, plan.regime), line("Inputs", INPUTS, plan.inputs, _density(plan))]
    if plan.offset != "none":
        lines.append(line("Offset", OFFSETS, plan.offset))
    lines.append(threads_line(plan.threads, SPLITS[plan.split].words))
    return [*lines, line("W0", WEIGHTS, plan.weights), line("Update", UPDATES, plan.update)]


def _density(plan: TrainPlan) -> str:
    if plan.density is None:
        return ""
    sharing = f"some of {plan.samples_sharing} samples" if plan.samples_sharing > 1 else "a sample"
    words = f", as {plan.density:.0%} of the blocks of 4 inputs are other than zero in {sharing}"
    if plan.offset_density is not None:
        words += f", and {plan.offset_density:.0%} once each input's most frequent value is taken off"
    return words


def _roofline(model: MLP, data: Data, batch_size: int, rule: Rule, plan: TrainPlan) -> list[str]:
    """Where an epoch's time goes if a core does each part as fast as it can."""
    sizes, n, item = model.sizes, len(data.X), model.dtype.itemsize
    density, read = plan.density, n * sizes[0] * data.X.dtype.itemsize
    if isinstance(data.X, CSR):
        nonzeros = int(data.X.lengths.sum())
        density, read = nonzeros / (n * sizes[0]), nonzeros * (data.X.dtype.itemsize + data.X.indices.itemsize)
    if plan.offset != "none" and plan.offset_density is not None:
        density = plan.offset_density
    active = 1.0 if plan.inputs == "dense" or density is None else density
    lanes = get_backend().capabilities.vector_bytes // item
    first = 2.0 * n * sizes[0] * sizes[1]  # forward and gradient; nothing goes back to the inputs
    later = 3.0 * n * sum(a * b for a, b in pairwise(sizes[1:]))
    parameters = sum(a * b for a, b in pairwise(sizes)) * item
    updates = n / (plan.block if plan.regime == "online blocks" else batch_size)
    moved = updates * parameters * 2 * (1 + SLOTS[rule.optimizer])  # read and written
    cycles = {
        "the first layer's multiply-adds": first * active / (FMAS_A_CYCLE * lanes),
        "the later layers'": later / (FMAS_A_CYCLE * lanes),
        "weights and state, through the cache": moved / 64 * LINE_CYCLES,
        "inputs, from memory": read / 64 * MEMORY_CYCLES,
    }
    total = sum(cycles.values())
    shares = ", ".join(f"{part / total:.0%} {name}" for name, part in cycles.items())
    return [
        f"An epoch: {(first * active + later) / 1e6:,.1f} M multiply-adds, {(first + later) / 1e6:,.1f} M with zeros, "
        f"{moved / 1e6:,.1f} MB of weights and state, {read / 1e6:,.1f} MB of inputs.",
        f"Roofline of a core with {FMAS_A_CYCLE} multiply-adds of {lanes} lanes a cycle, a cache line in {LINE_CYCLES} "
        f"cycles and one from memory in {MEMORY_CYCLES}: {shares}.",
    ]
