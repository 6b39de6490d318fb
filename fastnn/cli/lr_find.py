"""``fastnn lr-find``: which learning rate suits a network."""

from __future__ import annotations

import argparse
import time
import warnings

from .. import datasets, kernels, plots
from ..errors import FastnnError
from ..nn.lr_finder import RangeTest
from ..nn.mlp import MLP
from .network import describe, new_model
from .output import check_outputs, print_json, save_picture
from .terminal import fitted


def run(arguments: argparse.Namespace) -> int:
    """Test ever greater rates and print a suggestion; draw the losses if asked to."""
    check_outputs(arguments)
    train, _ = datasets.load_images(arguments.data)
    model = new_model(arguments, train)
    with kernels.use(arguments.backend, num_threads=arguments.threads):
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "no rate from")  # which is the error below
            found = model.lr_find(
                *train,
                batch_size=arguments.batch_size,
                optimizer=arguments.optimizer,
                momentum=arguments.momentum,
                l2=arguments.l2,
            )
        seconds = time.perf_counter() - start
        _report(arguments, model, found, seconds)
    if arguments.plot is not None:
        (ax,) = plots.panels()
        plots.plot_lr_find(found, ax=ax)
        ax.set_title(f"{describe(model)}, {arguments.optimizer}", fontsize="medium")
        save_picture(ax, arguments)
    if found.suggestion is None:
        rates, losses = found.rates, found.losses
        raise FastnnError(f"no rate from {rates[0]:.2g} to {rates[-1]:.2g} lowers the loss of {losses[0]:.4f}")
    return 0


def _report(arguments: argparse.Namespace, model: MLP, found: RangeTest, seconds: float) -> None:
    if arguments.json:
        print_json(
            suggestion=found.suggestion,
            rates=found.rates.tolist(),
            losses=found.losses.tolist(),
            smoothed=found.smoothed.tolist(),
            diverged=found.diverged,
            seconds=seconds,
            backend=kernels.get_backend().name,
        )
        return
    print(fitted(f"{describe(model)}, {arguments.optimizer}, batches of {arguments.batch_size}"))
    end = "where the loss diverged" if found.diverged else "the last"
    line = f"{len(found)} steps from {found.rates[0]:.2g} to {found.rates[-1]:.2g}, {end}, in {seconds:.2f} s"
    print(fitted(line))
    if found.suggestion is not None:
        print(f"Suggestion: --learning-rate {found.suggestion:.2g}")
