"""``fastnn draw``: a page on which a person draws a digit and watches a network train."""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .. import checks, kernels
from ..draw.export import export
from ..draw.image_set import ImageSet
from ..draw.server import Server
from ..draw.settings import first_settings
from ..draw.side import check_model, new_network
from ..draw.studio import Studio
from ..errors import FastnnError, InvalidArgumentError
from ..io.atomic import check_destination
from ..io.digit_image import check_pillow
from ..nn.mlp import MLP, load
from .images import loss_and_accuracy
from .output import print_json

EXPORT_EPOCHS = 10


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C, or write it into a file."""
    if checks.integer("--port", arguments.port, low=0) > 65535:
        raise InvalidArgumentError("--port", "a number up to 65535, or 0 for a free one", arguments.port)
    check_pillow()
    if arguments.export is not None:
        check_destination(arguments.export)
    model = None if arguments.model is None else load(arguments.model)
    images = ImageSet(arguments.data)
    if arguments.export is not None:
        with kernels.use(arguments.backend, num_threads=arguments.threads):
            return _export(arguments, model, images)
    return _serve(arguments, model, images)


def _serve(arguments: argparse.Namespace, model: MLP | None, images: ImageSet) -> int:
    name, backend, threads = arguments.model or "", arguments.backend, arguments.threads
    with Studio(images, model, name, backend=backend, num_threads=threads) as studio:
        try:
            server = Server(studio, arguments.port)
        except OSError as error:
            raise FastnnError(f"--port {arguments.port}: {error.strerror or error}; 0 takes a free one") from error
        with server, ExitStack() as open_files:
            if arguments.json:
                print_json(event="serving", url=server.url)
            else:
                print(f"Draw at {server.url}\nCtrl-C stops the server.", flush=True)
            if not arguments.no_open:
                address = open_files.enter_context(_redirect(server.url))
                threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
            try:
                server.serve_forever(poll_interval=0.1)
            except KeyboardInterrupt:
                if not arguments.json:
                    print("\nStopped.")
    return 0


@contextmanager
def _redirect(url: str) -> Iterator[str]:
    """The address of a file that leads a browser to ``url``.

    All users of a computer can read the arguments of its programs, but only this one the file, which goes at the end.
    """
    file, path = tempfile.mkstemp(prefix="fastnn-draw-", suffix=".html")
    try:
        with open(file, "w", encoding="utf-8") as page:
            page.write(
                f'<!doctype html><meta http-equiv="refresh" content="0; url={url}"><a href="{url}">fastnn draw</a>'
            )
        yield Path(path).as_uri()
    finally:
        os.unlink(path)


def _export(arguments: argparse.Namespace, model: MLP | None, images: ImageSet) -> int:
    if model is None:
        settings = first_settings(images.side**2, len(images.labels))
        model = new_network(settings, images)
        rate, batch_size = settings.learning_rate, settings.batch_size
        model.fit(*images.train, epochs=EXPORT_EPOCHS, batch_size=batch_size, learning_rate=rate)
    check_model(model, images, arguments.model or "the model")
    size = export(arguments.export, model, images)
    _, accuracy = loss_and_accuracy(model, images.test)
    if arguments.json:
        print_json(event="exported", path=arguments.export, bytes=size, test_accuracy=accuracy)
    else:
        name = os.path.basename(arguments.export)
        print(f"Wrote {name}, {size:,} bytes: {'-'.join(map(str, model.sizes))}, test accuracy {accuracy:.2%}")
    return 0
