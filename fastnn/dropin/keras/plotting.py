"""A picture of a model's layers, as ``keras.utils.plot_model`` draws it, by matplotlib."""

from __future__ import annotations

import sys
from typing import Any

from ... import checks
from ...errors import InvalidArgumentError
from ...io.atomic import StrPath
from .models import Model
from .subset import refuse


def plot_model(
    model: Model,
    to_file: StrPath = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    **options: Any,
) -> Any:
    """Draw the layers of a model, from the top or, with ``rankdir`` "LR", from the left, into a picture file.

    A box has the layer's class, with its name before it if asked for, its activation, shapes and type. Returns the
    picture for a notebook where IPython runs, and else None. Raises FastnnError for a model that is not built, without
    matplotlib, or if the file cannot be written.
    """
    from ... import plots  # here, as it brings fastnn's own models with it

    options |= {"expand_nested": expand_nested, "show_trainable": show_trainable}
    refuse("plot_model", options, expand_nested=False, show_trainable=False)
    if not isinstance(model, Model):
        checks.unsupported("model", "a Sequential or a Model", model)
    if not model.built or model.network is None:
        raise InvalidArgumentError("model", "one that is built", "one whose input shape is not known")
    rankdir = checks.choice("rankdir", rankdir, ("TB", "LR"))
    boxes, shape = [], model.input_shape[1:]
    for layer in model.layers:
        after = layer.shape_after(shape)  # type: ignore[arg-type]  # no None after the first axis
        title, lines = type(layer).__name__, []
        if show_layer_names:
            title = f"{layer.name} ({title})"
        if show_layer_activations and (activation := getattr(layer, "activation", None)) is not None:
            lines.append(f"Activation: {getattr(activation, '__name__', None) or activation.name}")
        if show_shapes:
            lines.append(f"Input shape: {(None, *shape)}   Output shape: {(None, *after)}")
        if show_dtype:
            lines.append(f"Output dtype: {model.network.dtype.name}")
        boxes.append((title, lines))
        shape = after
    dots = checks.integer("dpi", dpi, low=1)
    across = rankdir == "LR"
    (ax,) = plots.panels(1, *plots.layers_size(boxes, across=across))
    plots.save(plots.plot_layers(boxes, ax=ax, across=across), to_file, dots_per_inch=dots)
    if "IPython" in sys.modules:
        display = sys.modules["IPython"].display
        picture = display.SVG if str(to_file).endswith(".svg") else display.Image
        return picture(filename=str(to_file))
    return None
