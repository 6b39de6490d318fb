"""A network in training on the page, A or B, and what is shown of it."""

from __future__ import annotations

import base64
import math
import time
from copy import copy
from functools import cached_property
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import FastnnError
from ..kernels.records import ActivationName
from ..kernels.spec import Data
from ..nn.evaluate import evaluate
from ..nn.mlp import MLP
from .image_set import Image, ImageSet
from .settings import Settings

FRAME_INTERVAL = 1 / 30  # seconds from one state that is shown, or sent, to the next
STEP = 0.02  # seconds that a step should take
TESTING, EARLY = 0.06, 8  # the share of the time that goes into testing; more in the first epochs, which change most
SHOWN_UNITS = 100  # of the first layer, whose weights are sent
MOST_POINTS = 2000  # of a curve; every second is dropped beyond
SURE = 0.8  # of a drawing's class, when it has been learnt
ROUNDS, COPIES, OTHERS = 50, 8, 24  # of learning it: at most so many batches of copies of it and other images
SLOW_EPOCH, SLOW_STEP = 12.0, 1 / 25  # seconds, in slow motion


class Point(NamedTuple):
    """A point of a curve."""

    epochs: float
    loss: float
    accuracy: float


class Curve:
    """Points that are added at the end of a list. When there are too many, a list of every second takes its place."""

    def __init__(self) -> None:
        self.points: list[Point] = []

    def add(self, point: Point) -> None:
        """Add a point at the end."""
        if len(self.points) == MOST_POINTS:
            self.points = self.points[::2]
        self.points.append(point)


class Shown:
    """A state of a side that readers in other threads may look at: nothing of it changes any more."""

    def __init__(self, model: MLP, epochs: float, rows_per_second: float) -> None:
        self.model, self.epochs, self.rows_per_second = model, epochs, rows_per_second

    @cached_property
    def weights(self) -> str:
        """The first layer's weights (units, inputs) as bytes in base64: 128 is 0, each unit's largest 1 or 255."""
        weights = self.model.weights[0][:, :SHOWN_UNITS]
        largest = np.abs(weights).max(axis=0)
        scaled = weights * (127 / np.where(largest > 0, largest, 1))
        return in_base64((np.rint(scaled) + 128).astype(np.uint8).T)


class Side:
    """One of the networks. Its methods are called by one thread, the one that trains; others read ``shown``.

    Attributes
    ----------
    settings, shown, error : the last is why training stopped, or empty.
    goal : the epoch at which training pauses; it runs while fewer are done.
    tested, trained : curves of test images, and of the rows trained on.
    """

    def __init__(self, images: ImageSet, settings: Settings, given: MLP | None = None) -> None:
        self._images, self._given, self._given_settings = images, given, settings
        self.set(settings)

    def set(self, settings: Settings) -> None:
        """Begin anew with these settings."""
        self.settings = settings
        self.goal, self.error = 0.0, ""
        self.model = self.new_model()
        self._training = self.model.begin_fit(
            *self._images.train,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            optimizer=settings.optimizer,
            momentum=settings.momentum,
        )
        self._test: Data = self.model.check_data(*self._images.test)
        self.trained, self.tested = Curve(), Curve()
        self._batches, self._sums = 1, (0.0, 0.0, 0)
        self._test_due, self._publish_due, self._rate = 0.0, 0.0, math.nan
        self.measure()
        self.publish()

    def new_model(self) -> MLP:
        """The network as it is before it is trained with the side's settings."""
        settings = self.settings
        if self._given is not None and settings.makes_the_same_network(self._given_settings):
            return copy(self._given)
        sizes = [self._images.side**2, *settings.hidden, len(self._images.labels)]
        return MLP(sizes, activation=settings.activation, loss="cross_entropy", seed=settings.seed)

    @property
    def runs(self) -> bool:
        """Whether there is something left to train."""
        return self.epochs < self.goal

    @property
    def epochs(self) -> float:
        """That are done."""
        return self._training.epochs

    def set_rate(self, rate: float) -> None:
        """Go on with another learning rate."""
        self._training.learning_rate = rate
        self.settings = self.settings._replace(learning_rate=rate)
        self.publish()

    def advance(self, *, slowly: bool) -> float:
        """Train for some milliseconds; return when the next step is due, by time.perf_counter()."""
        start = time.perf_counter()
        batches = self._batches
        if slowly:
            batches = max(1, round(self._training.batches * SLOW_STEP / SLOW_EPOCH))
        try:
            step = self._training.advance(batches)
        except (FastnnError, MemoryError) as error:
            self.error, self.goal = str(error) or "not enough memory", self.epochs
            self.publish()
            return start
        seconds = time.perf_counter() - start
        loss, accuracy, rows = self._sums
        self._sums = loss + step.loss * step.rows, accuracy + step.accuracy * step.rows, rows + step.rows
        if not slowly:
            self._rate = step.rows / max(seconds, 1e-9)
            self._batches = max(1, round(batches * min(2.0, STEP / max(seconds, 1e-9))))
        now = time.perf_counter()
        if now >= self._test_due or not self.runs:
            self.measure()
        if now >= self._publish_due or not self.runs:
            self.publish()
        return start + SLOW_STEP if slowly else start

    def pause(self) -> None:
        """Train no more for now, and test what has been learnt."""
        if self.runs:
            self.goal = self.epochs
            self.measure()
            self.publish()

    def measure(self) -> None:
        """Test the network, and add a point to the curve."""
        start = time.perf_counter()
        try:
            loss, accuracy = evaluate(self.model.net, self.model.params, self._test)
        except FastnnError:
            self.error, self.goal = "training diverged: outputs for test images are not finite any more", self.epochs
            return
        self.tested.add(Point(self.epochs, loss, accuracy))
        now = time.perf_counter()
        self._test_due = now + (now - start) / TESTING * min(self.epochs / EARLY, 1)

    def publish(self) -> None:
        """Let others see how far it is."""
        loss, accuracy, rows = self._sums
        if rows:
            self.trained.add(Point(self.epochs, loss / rows, accuracy / rows))
            self._sums = 0.0, 0.0, 0
        self.shown = Shown(copy(self.model), self.epochs, self._rate)
        self._publish_due = time.perf_counter() + FRAME_INTERVAL

    def learn(self, image: Image, label: int) -> None:
        """Learn a drawing that has just joined the images, until it is recognised or learning it does not help."""
        X, y = self._images.train
        self._training.set_data(X, y)
        settings, rng = self.settings, np.random.default_rng(len(X))
        place = self._images.labels.index(label)
        try:
            for _ in range(ROUNDS):
                if self.model.predict_proba(image)[place] >= SURE:
                    break
                others = rng.integers(len(X), size=OTHERS)
                self.model.partial_fit(
                    np.concatenate([np.tile(image, (COPIES, 1)), X[others]]),
                    np.concatenate([np.full(COPIES, label, y.dtype), y[others]]),
                    batch_size=COPIES + OTHERS,
                    learning_rate=settings.learning_rate,
                    optimizer=settings.optimizer,
                    momentum=settings.momentum,
                )
        except FastnnError as error:
            self.error, self.goal = str(error), self.epochs
        self.measure()
        self.publish()


def settings_of(model: MLP) -> Settings:
    """Those with which to train a model that was read from a file, which does not say how it was trained."""
    hidden = model.activations[0] if len(model.activations) > 1 else "sigmoid"
    return Settings(hidden=model.sizes[1:-1], activation=cast(ActivationName, hidden))


def check_model(model: MLP, images: ImageSet, name: str) -> None:
    """Raise FastnnError unless the model tells these images' classes apart."""
    if model.sizes[0] != images.side**2:
        expected = f"a model with {images.side**2} inputs, as the images have {images.side} x {images.side} pixels"
        raise FastnnError(f"{name}: expected {expected}, found {model.sizes[0]}")
    if not model.is_classifier or model.sizes[-1] == 1:
        found = "-".join(map(str, model.sizes)) + f" with {model.activations[-1]} outputs"
        raise FastnnError(f"{name}: expected a classifier with an output for each class, found {found}")
    if model.classes_.tolist() != images.labels:
        raise FastnnError(
            f"{name}: expected the classes of the images, {images.labels}, found {model.classes_.tolist()}"
        )


def in_base64(array: NDArray[Any]) -> str:
    """The array's bytes, rows one after the other."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
