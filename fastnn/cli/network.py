"""The network that the flags of several commands describe."""

from __future__ import annotations

import argparse
from typing import Any

from ..nn.display import short_activations, short_sizes
from ..nn.mlp import MLP
from .images import check_sizes


def network_arguments(arguments: argparse.Namespace) -> dict[str, Any]:
    """The arguments of MLP but its seed, for images of digits."""
    sizes = [size for part in arguments.sizes for size in part]
    check_sizes("--sizes", sizes)
    names = arguments.activation
    return {
        "sizes": sizes,
        "activation": names[0] if len(names) == 1 else names,
        "output": arguments.output,
        "loss": arguments.loss,
        "init": arguments.init,
        "dtype": arguments.dtype,
    }


def new_model(arguments: argparse.Namespace) -> MLP:
    return MLP(**network_arguments(arguments), seed=arguments.seed)


def describe(model: MLP) -> str:
    return f"{short_sizes(model.sizes)} {short_activations(model.activations)}, {model.loss}"
