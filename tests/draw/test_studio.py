"""What the page can ask for: drawings, training, teaching; and what it is shown while a network learns."""

from __future__ import annotations

import base64
import copy
import gzip
import itertools
import json
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from digit_strokes import DIGITS
from drawings import ink_of

import fastnn
from fastnn.digit_image import centre_digit
from fastnn.draw.image_set import RASTER, ImageSet
from fastnn.draw.settings import Settings, first_settings, other_settings, read_settings
from fastnn.draw.side import MOST_POINTS, Curve, Point, Shown, Side
from fastnn.draw.studio import Studio
from fastnn.errors import FastnnError, FileFormatError


def bits(ink):
    return base64.b64encode(np.packbits(ink)).decode()


def image(text):
    return np.frombuffer(base64.b64decode(text), np.uint8)


def settings(**changes):
    return Settings(**changes).as_json()


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def paused(studio):
    """Whether all is trained, tested and shown."""
    return all(not side.runs and side.shown.epochs == side.epochs for side in studio._sides.values())


@pytest.fixture(scope="module")
def images(small_csv):
    return ImageSet(small_csv)


@pytest.fixture
def fresh(studio):
    """The studio with one untrained network of 784-30-10, and nothing going on."""
    studio._visited = True
    studio.pause({})
    studio.remove({})
    studio.slowly({"slowly": False})
    studio.set({"side": "a", "settings": settings()})
    yield studio
    studio.pause({})
    studio.slowly({"slowly": False})


@pytest.mark.quick
def test_a_drawing_is_seen_as_digit_image_has_it(fresh):
    for digit, strokes in DIGITS.items():
        ink = ink_of(strokes)
        found = fresh.draw({"client": "a", "ink": bits(ink)})
        np.testing.assert_array_equal(image(found["image"]), centre_digit(ink), err_msg=str(digit))
        model = fresh._sides["a"].shown.model
        np.testing.assert_allclose(
            found["sides"]["a"]["outputs"], model.predict_proba(image(found["image"])), atol=1e-6
        )
        np.testing.assert_allclose(found["sides"]["a"]["hidden"][0], hidden(model, image(found["image"])), atol=6e-4)


def hidden(model, pixels):
    return 1 / (1 + np.exp(-(pixels / 255 @ model.weights[0].astype(float) + model.biases[0])))


def test_nothing_drawn_is_nothing_seen(fresh):
    empty = {"image": None, "sides": {}, "neighbors": []}
    assert fresh.draw({"client": "a", "ink": bits(np.zeros((RASTER, RASTER), np.uint8))}) == empty


def test_neighbors_are_those_of_brute_force(fresh):
    until(lambda: fresh.images._index is not None)
    X, y = fresh.images.train
    for digit in (3, 8):
        found = fresh.draw({"client": "a", "ink": bits(ink_of(DIGITS[digit]))})
        distances = np.sqrt(np.square(X.astype(int) - image(found["image"]).astype(int)).sum(axis=1))
        best = np.argsort(distances, kind="stable")[:5]
        assert [near["label"] for near in found["neighbors"]] == [str(y[i]) for i in best]
        np.testing.assert_allclose([near["distance"] for near in found["neighbors"]], distances[best], atol=0.05)
        for near, i in zip(found["neighbors"], best, strict=True):
            np.testing.assert_array_equal(image(near["image"]), X[i])


def test_an_epoch_is_that_of_fit(fresh):
    fresh.epoch({})
    until(lambda: paused(fresh))
    X, y = fresh.images.train
    model = fastnn.MLP([784, 30, 10], seed=1)
    with fastnn.use(num_threads=1):
        model.fit(X, y, epochs=1, batch_size=10, learning_rate=0.5)
    side = fresh._sides["a"]
    assert side.epochs == 1
    for ours, theirs in zip(side.shown.model.weights, model.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert side.tested.points[-1].epochs == 1
    assert side.tested.points[-1].accuracy == model.score(*fresh.images.test)


def test_training_runs_pauses_and_begins_anew(fresh):
    before = fresh._sides["a"].shown.model.weights[0].copy()
    fresh.run({})
    until(lambda: fresh._sides["a"].epochs > 2)
    fresh.pause({})
    stopped = fresh._sides["a"].epochs
    assert fresh._sides["a"].tested.points[-1].epochs == stopped
    time.sleep(0.1)
    assert fresh._sides["a"].epochs == stopped
    assert fresh._sides["a"].shown.epochs == stopped
    fresh.epoch({})
    until(lambda: paused(fresh))
    assert fresh._sides["a"].epochs == np.floor(stopped) + 1
    fresh.reset({})
    assert fresh._sides["a"].epochs == 0
    np.testing.assert_array_equal(fresh._sides["a"].shown.model.weights[0], before)


def test_training_stops_by_itself(fresh, monkeypatch):
    monkeypatch.setattr("fastnn.draw.studio.EPOCHS", 3)
    fresh.run({})
    until(lambda: paused(fresh))
    assert fresh._sides["a"].epochs == 3


def test_the_rate_changes_while_it_runs(fresh):
    fresh.run({})
    until(lambda: fresh._sides["a"].epochs > 1)
    fresh.rate({"side": "a", "rate": 1e-9})
    begun = fresh._sides["a"].shown.model.weights[0].copy()
    epochs = fresh._sides["a"].epochs
    until(lambda: fresh._sides["a"].shown.epochs > epochs + 1)
    fresh.pause({})
    np.testing.assert_allclose(fresh._sides["a"].shown.model.weights[0], begun, atol=1e-4)
    assert fresh.state({})["sides"]["a"]["settings"]["learning_rate"] == 1e-9


def test_a_rate_is_found_as_lr_find_does(fresh):
    X, y = fresh.images.train
    with fastnn.use(num_threads=1):
        found = fastnn.MLP([784, 30, 10], seed=1).lr_find(X, y, batch_size=10)
    fresh.run({})
    described = fresh.find({"side": "a"})["sides"]["a"]
    assert described["settings"]["learning_rate"] == pytest.approx(found.suggestion, rel=0.05)  # two digits
    assert fresh._sides["a"].settings.learning_rate == described["settings"]["learning_rate"]


def delayed(steps):
    """The steps of a search, each after a moment, so that the search does not end before it is looked at."""
    for step in steps:
        time.sleep(0.02)
        yield step


@pytest.fixture
def searching(fresh):
    """A call that looks for a rate in another thread, and is on its way; its result is that of a future."""
    with ThreadPoolExecutor(2) as threads:

        def begin():
            side = fresh._sides["a"]
            steps = side.find_rate()
            side.find_rate = lambda: delayed(steps)
            found = threads.submit(fresh.find, {"side": "a"})
            until(lambda: fresh._search is not None)
            return found

        yield begin
        fresh.pause({})
        vars(fresh._sides["a"]).pop("find_rate", None)


def test_training_waits_for_a_search_which_can_be_stopped(fresh, searching):
    fresh.run({})
    until(lambda: fresh._sides["a"].epochs > 0)
    found = searching()
    frame = next(fresh.frames("a"))
    assert frame["searches"]
    before = fresh._sides["a"].epochs
    with pytest.raises(FastnnError, match="one search for a rate at a time"):
        fresh.find({"side": "a"})
    assert fresh._sides["a"].epochs == before
    fresh.stop({})
    with pytest.raises(FastnnError, match="search for a rate was stopped"):
        found.result()
    assert fresh.state({})["sides"]["a"]["settings"]["learning_rate"] == 0.5
    until(lambda: fresh._sides["a"].epochs > before)


@pytest.mark.parametrize("name", ["pause", "reset", "remove", "set"])
def test_what_changes_a_network_stops_a_search(fresh, searching, name):
    found = searching()
    fresh.handlers[name]({"side": "a", "settings": settings(seed=3)})
    with pytest.raises(FastnnError, match="search for a rate was stopped"):
        found.result()
    assert not next(fresh.frames("a"))["searches"]


def test_a_rate_found_for_other_settings_is_not_taken(fresh, searching):
    found = searching()
    fresh.rate({"side": "a", "rate": 0.25})
    with pytest.raises(FastnnError, match="the settings have changed; for those of before, a rate of"):
        found.result()
    assert fresh._sides["a"].settings.learning_rate == 0.25


def test_a_search_ends_with_the_studio(small_csv):
    with ThreadPoolExecutor(1) as threads:
        with Studio(ImageSet(small_csv)) as studio:
            studio._sides["a"].find_rate = lambda: delayed(itertools.repeat(None))
            found = threads.submit(studio.find, {"side": "a"})
            until(lambda: studio._search is not None)
        with pytest.raises(FastnnError, match="about to stop"):
            found.result()


def test_two_sides_are_trained_in_turns(fresh):
    other = settings(hidden=(20, 10), activation="relu", optimizer="adam", learning_rate=0.001, batch_size=50)
    described = fresh.set({"side": "b", "settings": other})["sides"]
    assert described["b"]["sizes"] == [784, 20, 10, 10]
    fresh.run({})
    until(lambda: all(side.epochs >= 3 for side in fresh._sides.values()))
    fresh.pause({})
    a, b = (fresh._sides[name] for name in "ab")
    assert abs(a.epochs - b.epochs) <= 1
    found = fresh.draw({"client": "a", "ink": bits(ink_of(DIGITS[1]))})["sides"]
    assert [len(layer) for layer in found["b"]["hidden"]] == [20, 10]
    assert len(fresh.neuron({"side": "b", "layer": 1, "unit": 9})["weights"]) == 20
    assert sorted(fresh.remove({})["sides"]) == ["a"]


def test_settings_while_it_runs_begin_a_new_network_that_runs(fresh):
    fresh.run({})
    fresh.set({"side": "a", "settings": settings(hidden=(12,))})
    until(lambda: fresh._sides["a"].epochs > 1)
    assert fresh._sides["a"].shown.model.sizes == (784, 12, 10)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_what_is_taught_is_learnt_at_once(fresh, optimizer):
    rate = {"sgd": 0.5, "adam": 0.001}[optimizer]
    fresh.set({"side": "a", "settings": settings(optimizer=optimizer, learning_rate=rate)})
    fresh.epoch({})
    until(lambda: paused(fresh))
    before, accuracy = len(fresh.images.train[1]), fresh._sides["a"].tested.points[-1].accuracy
    ink = ink_of(DIGITS[7])
    fresh.draw({"client": "teacher", "ink": bits(ink)})
    found = fresh.learn({"client": "teacher", "label": "4"})  # which nobody else would say
    assert np.argmax(found["sides"]["a"]["outputs"]) == 4
    X, y = fresh.images.train
    assert (len(y), y[-1]) == (before + 1, 4)
    np.testing.assert_array_equal(X[-1], centre_digit(ink))
    assert found["train"] == before + 1
    assert (found["neighbors"][0]["label"], found["neighbors"][0]["distance"]) == ("4", 0)
    assert fresh._sides["a"].tested.points[-1].accuracy > accuracy - 0.15  # the rest is not forgotten
    epochs = fresh._sides["a"].epochs
    fresh.epoch({})
    until(lambda: paused(fresh))
    assert fresh._sides["a"].epochs == np.floor(epochs) + 1


@pytest.mark.parametrize("why", ["paused", "diverged"])
def test_teaching_while_training_stands_still_leaves_it_so(fresh, why):
    """In the middle of an epoch, which the drawing joins; the curve goes on from there."""
    side = fresh._sides["a"]
    fresh.slowly({"slowly": True})
    fresh.run({})
    until(lambda: side.epochs > 0)
    if why == "paused":
        fresh.pause({})
    else:
        fresh._do(lambda: setattr(side, "goal", side.epochs))  # as where an error ends a training
    stopped = side.epochs
    assert 0 < stopped % 1 < 1
    fresh.draw({"client": "teacher", "ink": bits(ink_of(DIGITS[7]))})
    fresh.learn({"client": "teacher", "label": "7"})
    assert not side.runs
    assert stopped <= side.epochs < np.floor(stopped) + 1
    tested = [point.epochs for point in side.tested.points]
    assert tested == sorted(tested)


def test_mistakes_are_test_images_that_are_mistaken(fresh):
    fresh.epoch({})
    until(lambda: paused(fresh))
    X, y = fresh.images.test
    said = fresh._sides["a"].shown.model.predict(X)
    found = fresh.mistakes({"side": "a"})
    assert found["count"] == (said != y).sum()
    for each in found["images"]:
        i = each["index"]
        assert (each["label"], each["said"]) == (str(y[i]), str(said[i])) != (each["said"],) * 2
        np.testing.assert_array_equal(image(each["image"]), X[i])
    loaded = fresh.load({"client": "a", "index": found["images"][0]["index"]})
    assert loaded["image"] == found["images"][0]["image"]
    assert str(np.argmax(loaded["sides"]["a"]["outputs"])) == found["images"][0]["said"]


def test_a_test_image_is_not_taught(fresh):
    """It would be among the images that the accuracy is measured with, and learnt by heart."""
    count = len(fresh.images.train[1])
    fresh.load({"client": "cheat", "index": 3})
    with pytest.raises(FastnnError, match="a test image is not taught"):
        fresh.learn({"client": "cheat", "label": "3"})
    assert len(fresh.images.train[1]) == count
    fresh.draw({"client": "cheat", "ink": bits(ink_of(DIGITS[3]))})
    assert fresh.learn({"client": "cheat", "label": "3"})["train"] == count + 1


def test_frames_tell_all_that_changes(fresh):
    fresh.draw({"client": "viewer", "ink": bits(ink_of(DIGITS[2]))})
    frames = fresh.frames("viewer")
    first = next(frames)["sides"]["a"]
    assert first["tested"]["from"] == 0
    fresh.set({"side": "a", "settings": settings(hidden=(200, 4))})
    fresh.run({})
    curve, last, seen = [], None, set()
    while len(seen) < 4:
        frame = json.loads(json.dumps(next(frames), allow_nan=False))
        if not frame:
            continue
        last = frame["sides"]["a"]
        curve = curve[: last["tested"]["from"]] + last["tested"]["points"]
        seen.add(last["weights"])
    fresh.pause({})
    for frame in frames:
        if frame and not frame["sides"]["a"]["runs"]:
            last = frame["sides"]["a"]
            curve = curve[: last["tested"]["from"]] + last["tested"]["points"]
            break
    side = fresh._sides["a"]
    np.testing.assert_allclose(curve, side.tested.points, atol=1e-5)
    again = fresh.draw({"client": "viewer", "ink": bits(ink_of(DIGITS[2]))})
    assert last["outputs"] == again["sides"]["a"]["outputs"]
    weights = image(last["weights"]).reshape(100, 784).T.astype(float) - 128
    truth = side.shown.model.weights[0][:, :100]
    np.testing.assert_allclose(weights / 127 * np.abs(truth).max(axis=0), truth, atol=np.abs(truth).max() / 250)


def test_frames_end_when_the_studio_does(small_csv):
    with Studio(ImageSet(small_csv)) as studio:
        frames = studio.frames("a")
        next(frames)
    assert len(list(itertools.islice(frames, 1000))) < 1000
    with pytest.raises(FastnnError, match="about to stop"):
        studio.run({})


@pytest.mark.parametrize("wrong", [{"backend": "none"}, {"num_threads": 0}, {"num_threads": -1}])
def test_what_cannot_run_is_refused_before_a_thread_begins(small_csv, wrong):
    with pytest.raises(FastnnError, match=next(iter(wrong))):
        Studio(ImageSet(small_csv), **wrong)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_a_trainer_that_has_failed(small_csv, monkeypatch):
    def fail(self, *, slowly):
        raise RuntimeError("which nobody foresaw")

    monkeypatch.setattr("fastnn.draw.side.Side.advance", fail)
    with Studio(ImageSet(small_csv)) as studio:
        frames = studio.frames("a")
        until(lambda: studio._closed or not list(itertools.islice(frames, 1)))
        with pytest.raises(FastnnError, match="about to stop"):
            studio.run({})


def test_the_first_visit_trains_a_network(small_csv, monkeypatch):
    monkeypatch.setattr("fastnn.draw.studio.FIRST_EPOCHS", 2)
    with Studio(ImageSet(small_csv)) as studio:
        assert studio._sides["a"].epochs == 0
        next(studio.frames("a"))
        until(lambda: studio._sides["a"].epochs == 2)


def test_a_model_is_used_and_reset_to(small_csv):
    images = ImageSet(small_csv)
    model = fastnn.MLP([784, 8, 10], activation="tanh", loss="quadratic", seed=5)
    model.fit(*images.train, epochs=2)
    with Studio(images, model, "m") as studio:
        next(studio.frames("a"))
        assert studio._sides["a"].epochs == 0
        assert studio.state({})["sides"]["a"]["settings"]["hidden"] == [8]
        np.testing.assert_array_equal(studio._sides["a"].shown.model.params, model.params)
        studio.epoch({})
        until(lambda: paused(studio))
        assert (studio._sides["a"].shown.model.params != model.params).any()
        trained = studio._sides["a"].shown.model.params.copy()
        studio.reset({})
        np.testing.assert_array_equal(studio._sides["a"].shown.model.params, model.params)
        studio.epoch({})
        until(lambda: paused(studio))
        np.testing.assert_array_equal(studio._sides["a"].shown.model.params, trained)  # in the same order of rows


def test_a_model_larger_than_others_is_trained_as_it_is(small_csv):
    model = fastnn.MLP([784, 1100, 10], activation="relu", seed=5)
    with Studio(ImageSet(small_csv), model, "m") as studio:
        known = studio.state({})["sides"]["a"]["settings"]
        assert known["hidden"] == [1100]
        studio.set({"side": "a", "settings": {**known, "optimizer": "adam", "learning_rate": 0.001}})
        np.testing.assert_array_equal(studio._sides["a"].shown.model.params, model.params)
        studio.reset({})
        with pytest.raises(FastnnError, match=r"hidden\[0\]: expected an integer of at most 1000"):
            studio.set({"side": "a", "settings": {**known, "hidden": [1099]}})
        with pytest.raises(FastnnError, match="batch_size: expected at most"):
            studio.set({"side": "a", "settings": {**known, "batch_size": 1000}})


def test_a_model_without_hidden_layers_is_used(small_csv):
    model = fastnn.MLP([784, 10], seed=5)
    with Studio(ImageSet(small_csv), model, "m") as studio:
        known = studio.state({})["sides"]["a"]["settings"]
        assert studio.set({"side": "a", "settings": known})["sides"]["a"]["sizes"] == [784, 10]


@pytest.mark.parametrize("inputs", [64, 784, 16_900, 250_000, 499_990])
def test_first_settings_are_such_as_may_be_set(inputs):
    for found in (first_settings(inputs, 10), other_settings(inputs, 10)):
        assert read_settings(found.as_json(), inputs, 10) == found
    assert first_settings(784, 10).hidden == (30,)
    with pytest.raises(FastnnError, match="images: expected at most 499,990 pixels, found 499,991"):
        first_settings(499_991, 10)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (fastnn.MLP([100, 10]), "784 inputs, as the images have 28 x 28"),
        (fastnn.MLP([784, 10], loss="mean_squared_error"), "expected a classifier"),
        (fastnn.MLP([784, 26]), "expected the classes of the images"),
    ],
)
def test_a_model_of_other_images_is_refused(small_csv, model, message):
    with pytest.raises(FastnnError, match=message):
        Studio(ImageSet(small_csv), model, "m")


def test_divergence_is_told_and_pauses(fresh):
    fresh.set({"side": "a", "settings": settings(hidden=(30, 30), activation="exponential", learning_rate=100.0)})
    fresh.run({})
    until(lambda: paused(fresh))
    assert "diverged" in fresh._sides["a"].error
    frame = next(fresh.frames("b"))["sides"]["a"]
    assert frame["error"] == fresh._sides["a"].error
    assert np.isfinite(fresh._sides["a"].shown.model.params).all()
    json.dumps(frame, allow_nan=False)


@pytest.mark.parametrize("layer", [0, 1])
def test_outputs_that_are_not_finite_are_none(fresh, layer):
    """A drawing is answered, and a stream goes on, after weights have grown without bounds."""
    fresh.set({"side": "a", "settings": settings(activation="relu")})
    fresh._do(lambda: fresh._sides["a"].model.weights[layer].fill(3e38))
    fresh._do(fresh._sides["a"].publish)
    drawn = fresh.draw({"client": "lost", "ink": bits(ink_of(DIGITS[8]))})
    assert None in drawn["sides"]["a"]["outputs"]
    frame = next(fresh.frames("lost"))
    assert frame["sides"]["a"]["outputs"] == drawn["sides"]["a"]["outputs"]
    json.dumps([drawn, frame], allow_nan=False)
    fresh.learn({"client": "lost", "label": "8"})
    assert "finite" in fresh._sides["a"].error


def test_slow_motion_takes_its_time(fresh):
    fresh.slowly({"slowly": True})
    fresh.run({})
    until(lambda: fresh._sides["a"].epochs > 0)
    assert fresh._sides["a"].epochs < 0.5
    due = fresh._sides["a"].due
    fresh.slowly({"slowly": False})
    assert fresh._sides["a"].due < due
    until(lambda: fresh._sides["a"].epochs > 1)


@pytest.mark.parametrize("batch_size", [1, 10, 500, 1000])
def test_slow_motion_takes_as_long_for_batches_of_any_size(images, batch_size, monkeypatch):
    """Twelve seconds an epoch, by a clock that stands still while a step is made."""
    now = [100.0]
    monkeypatch.setattr("fastnn.draw.side.time.perf_counter", lambda: now[0])
    side = Side(images, Settings(batch_size=batch_size))
    side.goal = 1
    while side.runs:
        side.advance(slowly=True)
        now[0] = side.due
    assert now[0] - 100 == pytest.approx(12, abs=0.05)


def test_two_sides_are_slow_by_themselves(fresh):
    """Neither waits for the other's steps."""
    fresh.set({"side": "b", "settings": settings(batch_size=1000)})
    fresh.slowly({"slowly": True})
    fresh.run({})
    a, b = (fresh._sides[name] for name in "ab")
    until(lambda: 0 < a.due < b.due - 1)  # a batch of b is half an epoch
    before = a.epochs
    until(lambda: a.epochs > before)


def test_other_images_of_any_classes(tmp_path):
    """13 classes from 3 to 200 of 12 x 12, in IDX files."""
    rng = np.random.default_rng(3)
    labels = np.repeat(np.linspace(3, 200, 13).astype(np.uint8), 20)
    shapes = rng.integers(0, 256, (256, 12, 12), np.uint8)
    images = shapes[labels] // 2 + rng.integers(0, 128, (len(labels), 12, 12)).astype(np.uint8)
    (tmp_path / "toy-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, len(images), 12, 12) + images.tobytes())
    with gzip.open(tmp_path / "toy-labels-idx1-ubyte.gz", "wb") as file:
        file.write(struct.pack(">2I", 0x801, len(labels)) + labels.tobytes())
    found = ImageSet(str(tmp_path / "toy-images-idx3-ubyte"))
    assert (found.side, found.labels) == (12, np.unique(labels).tolist())
    assert len(found.train[1]) + len(found.test[1]) == len(labels)
    with Studio(found) as studio:
        assert studio.state({})["labels"] == [str(label) for label in np.unique(labels)]
        studio._do(lambda: studio._set_goals(30))
        until(lambda: studio._sides["a"].epochs == 30)
        assert studio._sides["a"].tested.points[-1].accuracy > 0.9
        looked = studio.draw({"client": "a", "ink": bits(ink_of(DIGITS[0]))})
        assert len(looked["sides"]["a"]["outputs"]) == 13
        assert image(looked["image"]).size == 144
        taught = studio.learn({"client": "a", "label": "200"})
        assert np.argmax(taught["sides"]["a"]["outputs"]) == 12


def test_images_of_one_class_are_refused(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text(("7," + ",".join(["9"] * 64) + "\n") * 8)
    with pytest.raises(FastnnError, match="at least two classes"):
        ImageSet(str(path))


def test_images_that_are_not_square_are_refused(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(("7," + ",".join(["9"] * 70) + "\n") * 8)
    with pytest.raises(FileFormatError, match="square images"):
        ImageSet(str(path))


def test_a_curve_is_thinned_out():
    curve = Curve()
    for i in range(MOST_POINTS + 1):
        curve.add(Point(i, 0.0, 0.0))
    assert len(curve.points) == MOST_POINTS // 2 + 1
    assert [curve.points[i].epochs for i in (0, 1, -1)] == [0, 2, MOST_POINTS]


def test_what_is_shown_does_not_change(fresh):
    shown = fresh._sides["a"].shown
    assert isinstance(shown, Shown)
    before = copy.deepcopy(shown.model.weights[0])
    fresh.epoch({})
    until(lambda: paused(fresh))
    np.testing.assert_array_equal(shown.model.weights[0], before)
    assert fresh._sides["a"].shown is not shown


def test_what_is_shown_has_no_part_in_the_optimizer(fresh):
    """Its state, which is twice as large as the network, is not copied with every frame."""
    fresh.set({"side": "a", "settings": settings(optimizer="adam", learning_rate=0.001)})
    fresh.epoch({})
    until(lambda: paused(fresh))
    side = fresh._sides["a"]
    assert side.model._optimizer_state is not None
    assert side.shown.model._optimizer_state is None
    np.testing.assert_array_equal(side.shown.model.params, side.model.params)
