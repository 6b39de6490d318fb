"""``fastnn predict``: tell which digit each picture shows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .. import kernels
from ..errors import FastnnError, FileFormatError
from ..io import digit_image, tensor_file
from ..io.text_image import text_rows
from ..nn.mlp import load
from .output import print_json
from .terminal import BOLD, paint, width


def run(arguments: argparse.Namespace) -> int:
    """Classify pictures; one that cannot be read is reported and the rest still answered."""
    try:
        model = load(arguments.model)
    except FileFormatError as error:
        if error.found not in tensor_file.PICTURES:
            raise
        raise FastnnError(f"{error}; the model comes first, then the pictures") from error
    pixels = digit_image.SIDE**2
    if model.sizes[0] != pixels:
        raise FastnnError(f"{arguments.model}: expected a model with {pixels} inputs, found {model.sizes[0]}")
    if not model.is_classifier:
        raise FastnnError(f"{arguments.model}: expected a classifier, found a regressor")
    code, classes = 0, model.classes_.tolist()
    with kernels.use(arguments.backend, num_threads=arguments.threads):
        for path in arguments.images:
            try:
                digit = digit_image.load_digit(path)
            except FileFormatError as error:  # the other pictures are still answered
                code = 1
                print(f"fastnn: error: {error}", file=sys.stderr)
                continue
            probabilities = model.predict_proba(digit[None])[0].tolist()
            said = classes[probabilities.index(max(probabilities))]
            if arguments.json:
                shown = {"pixels": digit.tolist()} if arguments.show else {}
                figures = {"probabilities": probabilities, "classes": classes}
                print_json(**{"image": path, "class": said, **figures, **shown})
            else:
                print(_line(path, said, classes, probabilities), flush=True)
                if arguments.show:
                    print(f"{path}, 28 x 28 as the network sees it:")
                    print("\n".join(text_rows(digit.reshape(28, 28))), flush=True)
    return code


def _line(path: str, said: object, classes: Sequence[object], probabilities: Sequence[float]) -> str:
    """The class, and the probability of every class; of the likeliest alone where the terminal is too narrow."""
    listed = [f"{label}: {p:.4f}" for label, p in zip(classes, probabilities, strict=True)]
    start, columns = f"{path}: {said}  (", width()
    if columns is not None and len(start) + len("  ".join(listed)) + 1 > columns:
        listed = [listed[place] for place in sorted(range(len(listed)), key=lambda place: -probabilities[place])]
        while len(listed) > 1 and len(start) + len("  ".join(listed)) + 1 > columns:
            del listed[-1]
    return f"{path}: {paint(str(said), BOLD)}  ({'  '.join(listed)})"
