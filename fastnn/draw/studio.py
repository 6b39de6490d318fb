"""What the page can ask for, and the one thread that trains."""

from __future__ import annotations

import base64
import binascii
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import checks, kernels
from ..errors import FastnnError, InvalidArgumentError
from ..nn.mlp import MLP
from .image_set import RASTER, Image, ImageSet
from .settings import choices, first_settings, other_settings, read_settings, settings_of
from .side import SHOWN_UNITS, Curve, Point, Shown, Side, check_model, in_base64

# Epochs that are trained when the page is first opened without a model, and when it asks for more.
FIRST_EPOCHS, EPOCHS = 20, 100
# Clients whose drawings are remembered: more than there can be streams.
MOST_CLIENTS = 16
# Mistakes that are sent, which fill the page's width a few times.
MISTAKES = 48
# Seconds after which a stream says that it is alive, by which a connection that has gone is noticed.
HEARTBEAT = 1.0
NAMES = ("a", "b")
# Seconds for a step to end when the studio is closed; only one in which Numba compiles takes longer.
JOIN_TIMEOUT = 2.0
STOPPING = "the server is about to stop"

Json = dict[str, Any]
Result = TypeVar("Result")


class Seen(NamedTuple):
    """What the networks see of a client's drawing, (pixels,), or the test image that it has loaded."""

    image: Image
    is_test: bool


class Search(NamedTuple):
    """A search for a learning rate: its steps, and what waits for its end."""

    steps: Generator[None, None, None]
    future: Future[None]


class Studio:
    """The state behind the page, shared by all who look at it.

    Only the thread that trains changes the networks: what changes them is put into a queue for it. It trains with one
    native thread unless told otherwise, so that another processor is left for those who look. A context manager, within
    which it runs.

    Parameters
    ----------
    images : to train and to test with.
    model : to begin with, a classifier of these images; without one a network is trained when a page is first opened.
    name : of the model, for errors.
    backend : of the kernels.
    num_threads : that train; None for one.

    Raises
    ------
    FastnnError : if the model is none of these images, a network of them would be too large, or the backend cannot run.
    """

    def __init__(
        self,
        images: ImageSet,
        model: MLP | None = None,
        name: str = "",
        *,
        backend: kernels.BackendName = "auto",
        num_threads: int | None = None,
    ) -> None:
        if model is not None:
            check_model(model, images, name)
        self.images, self._model = images, model
        self._first = first_settings(*self._ends()) if model is None else settings_of(model)
        self._backend, self._num_threads = backend, 1 if num_threads is None else num_threads
        with kernels.use(backend, num_threads=num_threads):
            pass  # raises where that cannot be, which no other thread should be the first to find
        self._changed = threading.Condition()
        self._commands: deque[tuple[Callable[[], object], Future[Any]]] = deque()
        self._search: Search | None = None
        self._sides: dict[str, Side] = {}
        self._drawings: OrderedDict[str, Seen] = OrderedDict()
        self._version, self._slowly, self._closed, self._visited = 0, False, False, False
        self._trainer = threading.Thread(target=self._train, name="fastnn-draw-trainer", daemon=True)
        self._indexer = threading.Thread(target=self._make_index, name="fastnn-draw-index", daemon=True)
        self.handlers: Mapping[str, Callable[[Json], Json]] = {
            "state": self.state,
            "draw": self.draw,
            "load": self.load,
            "set": self.set,
            "remove": self.remove,
            "rate": self.rate,
            "find": self.find,
            "stop": self.stop,
            "run": self.run,
            "pause": self.pause,
            "epoch": self.epoch,
            "reset": self.reset,
            "slowly": self.slowly,
            "learn": self.learn,
            "mistakes": self.mistakes,
            "neuron": self.neuron,
        }

    def __enter__(self) -> Self:
        self._trainer.start()
        self._indexer.start()
        self._do(lambda: self._sides.update(a=Side(self.images, self._first, self._model)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._trainer.join(JOIN_TIMEOUT)

    def kernels(self) -> AbstractContextManager[None]:
        """What runs for requests, in each thread that answers them."""
        return kernels.use(self._backend, num_threads=1)

    # What the page asks for: JSON objects in and out. FastnnError where a request makes no sense.

    def state(self, _request: Json) -> Json:
        """All that does not change with every frame."""
        return {
            "name": self.images.name,
            "side": self.images.side,
            "raster": RASTER,
            "labels": [str(label) for label in self.images.labels],
            "train": len(self.images.train[1]),
            "test": len(self.images.test[1]),
            "choices": choices(),
            "other": other_settings(*self._ends()).as_json(),
            "sides": self._described(),
        }

    def draw(self, request: Json) -> Json:
        """What the networks and the neighbours say of a drawing: its ink, one bit for each pixel, in base64."""
        ink = _bits("ink", request.get("ink"), RASTER)
        return self._look(request, self.images.image_of(ink))

    def load(self, request: Json) -> Json:
        """The same of a test image."""
        X, y = self.images.test
        index = checks.integer("index", request.get("index"), low=0)
        if index >= len(X):
            raise InvalidArgumentError("index", f"one of {len(X)} test images", index)
        return {**self._look(request, X[index], is_test=True), "label": str(y[index])}

    def set(self, request: Json) -> Json:
        """Give a side these settings and a new network; "b" comes into being by it. Training goes on if it runs."""
        name, given = _name(request), None if self._model is None else self._first.hidden
        settings = read_settings(request.get("settings"), *self._ends(), given)

        def apply() -> None:
            self._stop_search()
            runs = any(side.runs for side in self._sides.values())
            if name in self._sides:
                self._sides[name].set(settings)
            else:
                self._sides[name] = Side(self.images, settings)
            if runs:
                self._sides[name].goal = EPOCHS

        self._do(apply)
        return {"sides": self._described()}

    def remove(self, _request: Json) -> Json:
        """Leave side a alone."""

        def apply() -> None:
            self._stop_search()
            self._sides.pop("b", None)

        self._do(apply)
        return {"sides": self._described()}

    def rate(self, request: Json) -> Json:
        """Change the learning rate of a side, whether it runs or not."""
        side = self._side(request)
        rate = checks.number("rate", request.get("rate"), low=0, high=100, exclusive=True)
        self._do(lambda: side.set_rate(rate))
        return {"sides": self._described()}

    def find(self, request: Json) -> Json:
        """Find a learning rate for a side's settings, and go on with it. Training waits in the meantime."""
        side, future = self._side(request), Future[None]()

        def apply() -> None:
            if self._search is not None:
                raise FastnnError("expected one search for a rate at a time, found another one")
            self._search = Search(side.find_rate(), future)

        self._do(apply)
        future.result()
        return {"sides": self._described()}

    def stop(self, _request: Json) -> Json:
        """Look for a rate no longer."""
        self._do(self._stop_search)
        return {}

    def run(self, _request: Json) -> Json:
        """Train all sides; if they are being trained, go on for as long as if this had just begun."""
        self._do(lambda: self._set_goals(EPOCHS))
        return {}

    def epoch(self, _request: Json) -> Json:
        """Train all sides to the end of an epoch."""
        self._do(lambda: self._set_goals(1))
        return {}

    def pause(self, _request: Json) -> Json:
        """Train no more for now."""

        def apply() -> None:
            self._stop_search()
            for side in self._sides.values():
                side.pause()

        self._do(apply)
        return {}

    def reset(self, _request: Json) -> Json:
        """Begin anew, and wait."""

        def apply() -> None:
            self._stop_search()
            for side in self._sides.values():
                side.set(side.settings)

        self._do(apply)
        return {"sides": self._described()}

    def slowly(self, request: Json) -> Json:
        """Train in slow motion, or no longer."""
        value = checks.boolean("slowly", request.get("slowly"))

        def apply() -> None:
            self._slowly = value
            for side in self._sides.values():
                side.due = 0.0

        self._do(apply)
        return {"slowly": value}

    def learn(self, request: Json) -> Json:
        """Let a client's drawing join the images to train with, under a label, and teach it to all sides."""
        client, label = client_name(request), request.get("label")
        names = {str(value): value for value in self.images.labels}
        if not isinstance(label, str) or label not in names:
            raise InvalidArgumentError("label", f"one of {', '.join(names)}", repr(label))
        seen = self._drawings.get(client)
        if seen is None:
            raise FastnnError("expected a drawing to learn, found an empty page")
        if seen.is_test:
            raise FastnnError("a test image is not taught, as what has been learnt is no test any more: draw your own")

        def apply() -> None:
            self.images.add(seen.image, names[label])
            for side in self._sides.values():
                side.learn(seen.image, names[label])

        self._do(apply)
        return {**self._look(request, seen.image), "train": len(self.images.train[1])}

    def mistakes(self, request: Json) -> Json:
        """Test images that a side takes for something else, the first of them."""
        side, (X, y) = self._side(request), self.images.test
        said = side.shown.model.predict(X)
        wrong = np.flatnonzero(said != y)
        first = wrong[:MISTAKES]
        return {
            "count": len(wrong),
            "of": len(y),
            "images": [
                {"index": int(i), "label": str(y[i]), "said": str(said[i]), "image": in_base64(X[i])} for i in first
            ],
        }

    def neuron(self, request: Json) -> Json:
        """The weights of a unit of a layer after the first, from the layer before it."""
        weights = self._side(request).shown.model.weights
        layer = checks.integer("layer", request.get("layer"), low=0)
        unit = checks.integer("unit", request.get("unit"), low=0)
        if layer >= len(weights) or unit >= weights[layer].shape[1]:
            raise InvalidArgumentError("unit", "one of the network's", f"unit {unit} of layer {layer}")
        return {"weights": [round(float(weight), 4) for weight in weights[layer][:, unit]]}

    # Streams

    def frames(self, client: str) -> Iterator[Json]:
        """What a page shows, as often as it changes; an empty one where nothing has for a while. Ends when closed."""
        self._first_visit()
        sent: dict[str, tuple[list[Point], int]] = {}
        version = -1
        while True:
            with self._changed:
                if self._version == version and not self._closed:
                    self._changed.wait(HEARTBEAT)
                if self._closed:
                    return
                is_new, version = self._version != version, self._version
            yield self._frame(client, sent) if is_new else {}

    def _first_visit(self) -> None:
        """Without a model, train one for the first who comes."""
        with self._changed:
            first, self._visited = not self._visited, True
        if first and self._model is None:
            self._do(lambda: self._set_goals(FIRST_EPOCHS))

    def _frame(self, client: str, sent: dict[str, tuple[list[Point], int]]) -> Json:
        """The state of all sides; of their curves what has not been ``sent``, which is brought up to date."""
        seen = self._drawings.get(client)
        sides = {}
        for name, side in self._sides.copy().items():
            shown = side.shown
            sides[name] = {
                "runs": side.runs,
                "epochs": round(shown.epochs, 4),
                "rows_per_second": None if math.isnan(shown.rows_per_second) else round(shown.rows_per_second),
                "error": side.error,
                "weights": shown.weights,
                "trained": _news(f"{name} trained", side.trained, sent),
                "tested": _news(f"{name} tested", side.tested, sent),
                **(_outputs(shown, seen.image) if seen is not None else {}),
            }
        return {"sides": sides, "slowly": self._slowly, "searches": self._search is not None}

    # How it works

    def _ends(self) -> tuple[int, int]:
        """Inputs and outputs of all networks."""
        return self.images.side**2, len(self.images.labels)

    def _described(self) -> Json:
        return {
            name: {
                "settings": side.settings.as_json(),
                "sizes": list(side.shown.model.sizes),
                "shown_units": min(side.shown.model.sizes[1], SHOWN_UNITS),
            }
            for name, side in self._sides.copy().items()
        }

    def _side(self, request: Json) -> Side:
        name = _name(request)
        if name not in self._sides:
            raise InvalidArgumentError("side", "one of those that there are", repr(name))
        return self._sides[name]

    def _look(self, request: Json, image: Image | None, *, is_test: bool = False) -> Json:
        client = client_name(request)
        with self._changed:
            self._drawings.pop(client, None)
            if image is not None:
                self._drawings[client] = Seen(image, is_test)
            while len(self._drawings) > MOST_CLIENTS:
                self._drawings.popitem(last=False)
        if image is None:
            return {"image": None, "sides": {}, "neighbors": []}
        nearest = self.images.nearest(image)
        return {
            "image": in_base64(image),
            "sides": {name: _outputs(side.shown, image) for name, side in self._sides.copy().items()},
            "neighbors": nearest
            and [
                {"label": str(near.label), "distance": round(near.distance, 1), "image": in_base64(near.image)}
                for near in nearest
            ],
        }

    def _make_index(self) -> None:
        with self.kernels():
            self.images.make_index()

    def _set_goals(self, epochs: int) -> None:
        for side in self._sides.values():
            side.goal, side.error = math.floor(side.epochs) + epochs, ""

    def _do(self, command: Callable[[], Result]) -> Result:
        """Let the thread that trains do this between two steps, and wait for it."""
        future: Future[Result] = Future()
        with self._changed:
            if self._closed:
                raise FastnnError(STOPPING)
            self._commands.append((command, future))
            self._changed.notify_all()
        return future.result()

    def _train(self) -> None:
        """Train until the studio is closed; whatever ends it, nobody waits for it any longer."""
        try:
            with kernels.use(self._backend, num_threads=self._num_threads):
                self._take_turns()
        finally:
            with self._changed:
                self._closed = True
                self._stop_search(STOPPING)
                for _, future in self._commands:
                    future.set_exception(FastnnError(STOPPING))
                self._changed.notify_all()

    def _take_turns(self) -> None:
        """Train the sides in turns, or look for a rate, and do between two steps what was asked for."""
        while True:
            with self._changed:
                while not (self._closed or self._commands or self._search):
                    wait = min((side.due for side in self._running()), default=math.inf) - time.perf_counter()
                    if wait <= 0:
                        break
                    self._changed.wait(None if wait == math.inf else wait)
                if self._closed:
                    return
                command = self._commands.popleft() if self._commands else None
            before = self._search, [side.shown for side in self._sides.values()]
            if command is not None:
                _fulfil(*command)
            elif self._search is not None:
                self._search_on(self._search)
            else:
                now = time.perf_counter()
                ready = [side for side in self._running() if side.due <= now]
                min(ready, key=lambda side: side.epochs).advance(slowly=self._slowly)
            if command is not None or before != (self._search, [side.shown for side in self._sides.values()]):
                with self._changed:
                    self._version += 1
                    self._changed.notify_all()

    def _search_on(self, search: Search) -> None:
        """A step of a search for a rate, and what waits for it if that was the last one."""
        try:
            next(search.steps)
        except StopIteration:
            self._search = None
            search.future.set_result(None)
        except BaseException as error:  # it is raised where the search was asked for
            self._search = None
            search.future.set_exception(error)

    def _stop_search(self, reason: str = "the search for a rate was stopped") -> None:
        search, self._search = self._search, None
        if search is not None:
            search.future.set_exception(FastnnError(reason))

    def _running(self) -> list[Side]:
        return [side for side in self._sides.values() if side.runs]


def _fulfil(command: Callable[[], object], future: Future[Any]) -> None:
    try:
        future.set_result(command())
    except BaseException as error:  # it is raised where the command was given
        future.set_exception(error)


def _outputs(shown: Shown, image: Image) -> Json:
    *hidden, outputs = shown.model.layer_outputs(image)
    return {"outputs": _numbers(outputs, 6), "hidden": [_numbers(layer, 3) for layer in hidden]}


def _news(name: str, curve: Curve, sent: dict[str, tuple[list[Point], int]]) -> Json:
    """The points of a curve from the first on that has not been sent, and which that is."""
    points = curve.points
    start = sent[name][1] if name in sent and sent[name][0] is points else 0
    news = points[start:]
    sent[name] = points, start + len(news)
    return {"from": start, "points": [_numbers(point, 5) for point in news]}


def _numbers(values: Iterable[float], digits: int) -> list[float | None]:
    """The values as JSON has them, rounded; None for those that are not finite."""
    return [round(float(value), digits) if math.isfinite(value) else None for value in values]


def _bits(argument: str, text: object, side: int) -> NDArray[np.uint8]:
    """The (side, side) zeros and ones in base64."""
    expected = f"{side} x {side} bits in base64"
    if not isinstance(text, str):
        raise InvalidArgumentError(argument, expected, type(text).__name__)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidArgumentError(argument, expected, "another text") from None
    if len(data) * 8 != side * side:
        raise InvalidArgumentError(argument, expected, f"{len(data) * 8} bits")
    return np.unpackbits(np.frombuffer(data, np.uint8)).reshape(side, side)


def _name(request: Json) -> str:
    return checks.choice("side", request.get("side"), NAMES)


def client_name(request: Json) -> str:
    """The name of the page that asks, which it has chosen by lot. InvalidArgumentError where there is none."""
    client = request.get("client")
    if not isinstance(client, str) or not 1 <= len(client) <= 40:
        raise InvalidArgumentError("client", "a name of up to 40 characters", type(client).__name__)
    return client
