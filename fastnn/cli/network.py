"""The network that the flags of several commands describe."""

from __future__ import annotations

import argparse

from ..nn.mlp import MLP
from .images import check_sizes


def new_model(arguments: argparse.Namespace) -> MLP:
    """A network for images of digits."""
    sizes = [size for part in arguments.sizes for size in part]
    check_sizes("--sizes", sizes)
    names = arguments.activation
    return MLP(
        sizes,
        activation=names[0] if len(names) == 1 else names,
        output=arguments.output,
        loss=arguments.loss,
        init=arguments.init,
        dtype=arguments.dtype,
        seed=arguments.seed,
    )


def describe(model: MLP) -> str:
    return f"{'-'.join(map(str, model.sizes))} {'-'.join(model.activations)}, {model.loss}"
