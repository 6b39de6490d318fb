"""A network in training on the page, A or B, and what is shown of it."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Generator
from copy import copy
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import FastnnError
from ..kernels.spec import Data
from ..nn.evaluate import evaluate
from ..nn.lr_finder import HIGHEST, LOWEST, STEPS, range_test
from ..nn.mlp import MLP
from ..nn.optimizer import optimizer_rule
from .image_set import Image, ImageSet
from .settings import Settings

# Seconds from one state that is shown, or sent, to the next: half of what most screens show.
FRAME_INTERVAL = 1 / 30
# Seconds that a step should take: short enough that a command waits for it unnoticed, and frames come on time.
STEP = 0.02
# The share of the time that goes into testing; more of it in the first epochs, in which the curve changes most.
TESTING, EARLY = 0.06, 8
# Units of the first layer whose weights are sent; more would be too small to look at.
SHOWN_UNITS = 100
# Points of a curve, more than a chart has pixels; beyond that every second one is dropped.
MOST_POINTS = 2000
# A drawing has been taught when its class has this probability. Each step of that is one batch, of copies of the
# drawing and of other images, so that these are not forgotten; after so many steps more of them do not help.
TAUGHT_PROBABILITY = 0.8
TEACHING_STEPS, TEACHING_COPIES, TEACHING_OTHERS = 50, 8, 24
# In slow motion an epoch takes so many seconds, in steps of so many, where its batches are that many.
SLOW_EPOCH, SLOW_STEP = 12.0, 1 / 25


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
    settings, shown : what others read.
    error : why training stopped, or empty.
    goal : the epoch at which training pauses; it runs while fewer are done.
    due : when the next step is, by time.perf_counter().
    tested, trained : curves of test images, and of the rows trained on.
    """

    def __init__(self, images: ImageSet, settings: Settings, given: MLP | None = None) -> None:
        self._images, self._given, self._given_settings = images, given, settings
        self.set(settings)

    def set(self, settings: Settings) -> None:
        """Begin anew with these settings. Raises FastnnError where there is no memory for their network."""
        self.settings = settings
        self.goal, self.due, self.error = 0.0, 0.0, ""
        self.model = self.new_model()
        # What is shown is a copy of this one, which has no part in the optimizer's state, with newer parameters.
        self._untrained = copy(self.model)
        self._training = self.model.begin_fit(
            *self._images.train,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            optimizer=settings.optimizer,
            momentum=settings.momentum,
        )
        self._untrained.learn_classes(self.model.classes_)
        self._test: Data = self._untrained.check_data(*self._images.test)
        self.trained, self.tested = Curve(), Curve()
        self._batches, self._sums = 1, (0.0, 0.0, 0)
        self._test_due, self._publish_due, self._rate = 0.0, 0.0, math.nan
        self.measure()
        self.publish()

    def new_model(self) -> MLP:
        """The network as it is before it is trained with the side's settings, which fix its random stream too."""
        if self._given is None or not self.settings.makes_the_same_network(self._given_settings):
            return new_network(self.settings, self._images)
        model = copy(self._given)
        model.rng = np.random.default_rng(self.settings.seed)
        return model

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

    def find_rate(self) -> Generator[None, None, None]:
        """Look for a learning rate for the settings, in steps between which the generator stops, and go on with it.

        Raises FastnnError where the settings have changed in the meantime, or no rate lowers the loss.
        """
        settings = self.settings
        found = yield from range_test(
            self.new_model(),
            *self._images.train,
            optimizer_rule(settings.optimizer, momentum=settings.momentum),
            batch_size=settings.batch_size,
            dropout=0.0,
            class_weight=None,
            sample_weight=None,
            lowest=LOWEST,
            highest=HIGHEST,
            steps=STEPS,
        )
        if found.suggestion is None:
            raise FastnnError("expected a rate that lowers the loss, found none")
        rate = float(f"{found.suggestion:.2g}")
        if self.settings != settings:
            raise FastnnError(f"the settings have changed; for those of before, a rate of {rate:g} was found")
        self.set_rate(rate)

    def advance(self, *, slowly: bool) -> None:
        """Train for some milliseconds."""
        start = time.perf_counter()
        batches, of_epoch = self._batches, self._training.batches
        if slowly:
            batches = max(1, round(of_epoch * SLOW_STEP / SLOW_EPOCH))
            self.due = start + SLOW_EPOCH * batches / of_epoch
        try:
            step = self._training.advance(batches)
        except (FastnnError, MemoryError) as error:
            self.error, self.goal = str(error) or "not enough memory", self.epochs
            self.publish()
            return
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
        model = copy(self._untrained)
        model.params[:] = self.model.params
        self.shown = Shown(model, self.epochs, self._rate)
        now = time.perf_counter()
        self._publish_due = max(self._publish_due + FRAME_INTERVAL, now)

    def learn(self, image: Image, label: int) -> None:
        """Learn a drawing (pixels,) that has just joined the images, until it is recognised or that does not help.

        What goes wrong, as a loss that is not finite, is told by ``error``, and training pauses.
        """
        X, y = self._images.train
        self._training.set_data(X, y)
        settings, rng = self.settings, np.random.default_rng(len(X))
        place = self._images.labels.index(label)
        try:
            for _ in range(TEACHING_STEPS):
                if self.model.predict_proba(image)[place] >= TAUGHT_PROBABILITY:
                    break
                others = rng.integers(len(X), size=TEACHING_OTHERS)
                self.model.partial_fit(
                    np.concatenate([np.tile(image, (TEACHING_COPIES, 1)), X[others]]),
                    np.concatenate([np.full(TEACHING_COPIES, label, y.dtype), y[others]]),
                    batch_size=TEACHING_COPIES + TEACHING_OTHERS,
                    learning_rate=settings.learning_rate,
                    optimizer=settings.optimizer,
                    momentum=settings.momentum,
                )
        except FastnnError as error:
            self.error, self.goal = str(error), self.epochs
        self.measure()
        self.publish()


def new_network(settings: Settings, images: ImageSet) -> MLP:
    """The network of these settings that tells the images' classes apart, before it is trained."""
    sizes = [images.side**2, *settings.hidden, len(images.labels)]
    return MLP(sizes, activation=settings.activation, loss="cross_entropy", seed=settings.seed)


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
