"""``fastnn lr-find``: which learning rate suits a network."""

from __future__ import annotations

import argparse
import time

from .. import datasets, kernels, plots
from .network import describe, new_model
from .output import check_outputs, print_json


def run(arguments: argparse.Namespace) -> int:
    """Test ever greater rates and print a suggestion; draw the losses if asked to."""
    model = new_model(arguments)
    check_outputs(arguments)
    (X, y), _ = datasets.load_mnist(arguments.data)
    with kernels.use(arguments.backend, num_threads=arguments.threads):
        start = time.perf_counter()
        found = model.lr_find(
            X,
            y,
            batch_size=arguments.batch_size,
            optimizer=arguments.optimizer,
            momentum=arguments.momentum,
            l2=arguments.l2,
        )
        seconds = time.perf_counter() - start
        backend = kernels.get_backend().name
    if arguments.plot is not None:
        (ax,) = plots.panels()
        plots.plot_lr_find(found, ax=ax)
        ax.set_title(f"{describe(model)}, {arguments.optimizer}", fontsize="medium")
        plots.save(ax, arguments.plot)
    if arguments.json:
        print_json(
            suggestion=found.suggestion,
            rates=found.rates.tolist(),
            losses=found.losses.tolist(),
            smoothed=found.smoothed.tolist(),
            diverged=found.diverged,
            seconds=seconds,
            backend=backend,
        )
        return 0
    print(f"{describe(model)}, {arguments.optimizer}, batches of {arguments.batch_size}")
    if found.suggestion is None:
        print(f"No rate from {found.rates[0]:.2g} to {found.rates[-1]:.2g} lowers the loss of {found.losses[0]:.4f}")
        return 0
    end = "where the loss diverged" if found.diverged else "the last"
    print(f"{len(found)} steps from {found.rates[0]:.2g} to {found.rates[-1]:.2g}, {end}, in {seconds:.2f} s")
    print(f"Suggestion: --learning-rate {found.suggestion:.2g}")
    return 0
