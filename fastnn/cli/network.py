"""The network that the flags of several commands describe."""

from __future__ import annotations

import argparse
from typing import Any

from ..nn.display import short_activations, short_sizes
from ..nn.mlp import MLP
from .images import Split, check_sizes, sizes_for


def network_arguments(arguments: argparse.Namespace, train: Split) -> dict[str, Any]:
    """The arguments of MLP but its seed, for images to train with."""
    sizes = sizes_for(train)
    if arguments.sizes is not None:
        sizes = [size for part in arguments.sizes for size in part]
        check_sizes(sizes, train)
    names = arguments.activation
    return {
        "sizes": sizes,
        "activation": names[0] if len(names) == 1 else names,
        "output": arguments.output,
        "loss": arguments.loss,
        "init": arguments.init,
        "dtype": arguments.dtype,
    }


def new_model(arguments: argparse.Namespace, train: Split) -> MLP:
    return MLP(**network_arguments(arguments, train), seed=arguments.seed)


def describe(model: MLP) -> str:
    return f"{short_sizes(model.sizes)} {short_activations(model.activations)}, {model.loss}"
