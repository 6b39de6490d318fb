"""``fastnn predict``: tell which digit each picture shows."""

from __future__ import annotations

import argparse
import sys

from .. import kernels
from ..errors import FastnnError, FileFormatError
from ..io import digit_image, tensor_file
from ..io.text_image import text_rows
from ..nn.mlp import load
from .images import PIXELS
from .output import print_json


def run(arguments: argparse.Namespace) -> int:
    """Classify pictures; one that cannot be read is reported and the rest still answered."""
    try:
        model = load(arguments.model)
    except FileFormatError as error:
        if error.found not in tensor_file.PICTURES:
            raise
        raise FastnnError(f"{error}; the model comes first, then the pictures") from error
    if model.sizes[0] != PIXELS:
        raise FastnnError(f"{arguments.model}: expected a model with {PIXELS} inputs, found {model.sizes[0]}")
    code = 0
    with kernels.use(arguments.backend, num_threads=arguments.threads):
        for path in arguments.images:
            try:
                digit = digit_image.load_digit(path)
            except FileFormatError as error:  # the other pictures are still answered
                code = 1
                print(f"fastnn: error: {error}", file=sys.stderr)
                continue
            probabilities = model.predict_proba(digit[None])[0].tolist()
            best = max(range(len(probabilities)), key=probabilities.__getitem__)
            if arguments.json:
                pixels = {"pixels": digit.tolist()} if arguments.show else {}
                print_json(**{"image": path, "class": best, "probabilities": probabilities, **pixels})
            else:
                listed = "  ".join(f"{label}: {p:.4f}" for label, p in enumerate(probabilities))
                print(f"{path}: {best}  ({listed})", flush=True)
                if arguments.show:
                    print(f"{path}, 28 x 28 as the network sees it:")
                    print("\n".join(text_rows(digit.reshape(28, 28))), flush=True)
    return code
