"""The page in a real browser: drawing, training, teaching, the keyboard, and the page that needs no server."""

from __future__ import annotations

import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from browser import Browser, missing
from digit_strokes import DIGITS, Stroke
from drawings import ink_of
from PIL import Image

import fastnn
from fastnn.cli.draw import _redirect
from fastnn.digit_image import centre_digit, load_digit
from fastnn.draw.export import NEIGHBORS, export
from fastnn.draw.image_set import ImageSet
from fastnn.draw.server import Server
from fastnn.draw.studio import Studio
from fastnn.kernels.records import HIDDEN_ACTIVATIONS

if missing() and os.environ.get("FASTNN_BROWSER") != "required":
    pytest.skip(missing(), allow_module_level=True)

READY = "globalThis.fastnnDraw && document.querySelectorAll('#mistakes button').length"
PAUSED = "document.getElementById('run').dataset.runs === 'false'"
ACCURACIES = "[...document.querySelectorAll('#progress b')].map((each) => parseFloat(each.textContent))"
BEST = "return document.querySelector('.verdict.a b').textContent"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as window:
        yield window


@pytest.fixture(scope="module")
def model() -> fastnn.MLP:
    (X, y), _ = fastnn.datasets.load_mnist()
    model = fastnn.MLP([784, 30, 10], seed=1)
    model.fit(X, y, epochs=5, batch_size=10, learning_rate=0.5)
    return model


@pytest.fixture(scope="module")
def server(model: fastnn.MLP) -> Iterator[Server]:
    with Studio(ImageSet(), model, "model") as studio, Server(studio) as running:
        thread = threading.Thread(target=running.serve_forever, args=[0.02])
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def page(browser: Browser, server: Server) -> Browser:
    """The page as it is when it has just been opened, with the model."""
    studio = server.studio
    studio.pause({})
    studio.remove({})
    studio.slowly({"slowly": False})
    studio._do(lambda: studio._sides["a"].set(studio._sides["a"]._given_settings))
    browser.look(1280, 900)
    browser.open("about:blank")
    browser.open(server.url)
    browser.wait(READY)
    return browser


def draw(page: Browser, strokes: list[Stroke], kind: str = "mouse") -> None:
    left, top, size = page.run(
        "const box = document.getElementById('paper').getBoundingClientRect(); return [box.left, box.top, box.width]"
    )
    for stroke in strokes:
        page.stroke([(left + x * size, top + y * size) for x, y in stroke], kind)
    settle(page)


def settle(page: Browser) -> None:
    """Wait until what is drawn has been answered."""
    page.wait("!fastnnDraw.busy()")


def seen(page: Browser) -> np.ndarray:
    return np.array(page.run("return Array.from(fastnnDraw.image() || [])"), np.uint8)


def raster(page: Browser) -> np.ndarray:
    pixels = page.run("return Array.from(fastnnDraw.rasterise(fastnnDraw.drawing().strokes))")
    return np.array(pixels, np.uint8).reshape(96, 96)


@pytest.mark.parametrize("digit", range(10))
def test_a_drawn_digit_is_classified_as_the_library_does(page, model, tmp_path, digit):
    kind = ("mouse", "touch", "pen")[digit % 3]
    draw(page, DIGITS[digit], kind)
    ink = raster(page)
    assert np.mean(ink != ink_of(DIGITS[digit])) < 0.02  # the window has whole pixels alone
    np.testing.assert_array_equal(seen(page), centre_digit(ink))
    Image.fromarray(255 * (1 - ink)).save(tmp_path / "drawn.png")  # what a photo of the paper would be
    np.testing.assert_array_equal(seen(page), load_digit(tmp_path / "drawn.png"))
    said = model.predict(seen(page)[np.newaxis])[0]
    assert page.run(BEST) == str(said) == str(digit)
    shares = "[...document.querySelectorAll('.bar i.a')].map((bar) => bar.style.getPropertyValue('--share'))"
    bars = page.run(f"return {shares}")
    np.testing.assert_allclose(np.array(bars, float), model.predict_proba(seen(page)), atol=1e-4)


def test_undo_and_clear(page):
    draw(page, DIGITS[4])
    both = raster(page)
    page.run("document.getElementById('undo').click()")
    assert 0 < raster(page).sum() < both.sum()
    page.run("document.getElementById('clear').click()")
    settle(page)
    assert len(seen(page)) == raster(page).sum() == 0
    page.run("document.getElementById('undo').click()")
    page.press("control+z")
    settle(page)
    assert raster(page).sum() == 0


def test_training_on_the_page_reaches_94_percent(page):
    draw(page, DIGITS[3])
    seed = "document.getElementById('seed-a')"
    page.run(f"{seed}.value = '7'; {seed}.dispatchEvent(new Event('change'))")
    page.wait(f"{ACCURACIES}.every((share) => share < 40)")  # it is another network
    page.run("""
        globalThis.frames_ = 0;
        const epoch = document.querySelector('#progress span:nth-child(2)');
        new MutationObserver(() => frames_++).observe(epoch, {childList: true});
    """)
    page.run("document.getElementById('run').click()")
    page.wait(f"{ACCURACIES}.every((share) => share >= 94)")
    page.run("document.getElementById('run').click()")
    page.wait(PAUSED)
    assert page.run("return frames_") > 3
    assert page.run("return fastnnDraw.image().length") == 784
    settle(page)
    assert page.run(BEST) == "3"


def test_finding_a_rate(page, server):
    assert page.run("return document.getElementById('find').getAttribute('aria-label')") == "Find a learning rate"
    page.run("document.getElementById('find').click()")
    page.wait("document.getElementById('learning_rate-a').value !== '0.5'")
    rate = float(page.run("return document.getElementById('learning_rate-a').value"))
    assert 0.01 < rate < 10
    assert server.studio._sides["a"].settings.learning_rate == rate


def test_a_search_for_a_rate_can_be_stopped(page, server, monkeypatch):
    def search(side):
        while True:
            time.sleep(0.01)
            yield

    monkeypatch.setattr("fastnn.draw.side.Side.find_rate", search)
    page.run("document.getElementById('find').click()")
    page.wait("document.getElementById('find').textContent === 'Stop'")
    page.wait("document.querySelector('#progress').textContent.includes('waits for a rate')")
    page.run("document.getElementById('find').click()")
    page.wait("document.getElementById('find').textContent === 'Find'")
    page.wait("document.getElementById('trouble').textContent === 'the search for a rate was stopped'")
    assert server.studio._search is None


STROKES = "fastnnDraw.drawing().strokes.map((stroke) => stroke.length)"


@pytest.mark.parametrize(("key", "left"), [("c", []), ("u", [3])])
def test_what_takes_ink_away_lifts_the_pen(page, key, left):
    """Arrow keys then move the pen over the paper, and neither fail nor draw on a stroke of before."""
    page.run("globalThis.failed = []; addEventListener('error', (event) => failed.push(event.message))")
    page.run("document.getElementById('paper').focus()")
    page.press("space", "right", "right", "space", "down", "space", "right")
    assert page.run(f"return {STROKES}") == [3, 2]
    page.press(key, "right", "down")
    assert page.run(f"return {STROKES}") == left
    page.press("space", "left")
    assert page.run(f"return {STROKES}") == [*left, 2]
    page.press("u", *["control+z"] * (2 if key == "c" else 0))
    settle(page)
    assert page.run(f"return {STROKES}") == [3]
    assert page.run("return failed") == []


def test_a_key_that_is_held_acts_once(page):
    held = "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], repeat: true, bubbles: true}))"
    page.run("globalThis.asked = []; const real = fetch; fetch = (...args) => (asked.push(args[0]), real(...args))")
    for key in "ter":
        page.run(held, key)
    page.press("e")
    page.wait("asked.length")
    assert page.run("return asked[0]") == "/api/epoch"
    page.run("document.getElementById('paper').focus()")
    page.press("space", "right")
    page.run("document.getElementById('paper').dispatchEvent(new KeyboardEvent('keydown', {key: ' ', repeat: true}))")
    page.press("right", "space")
    settle(page)
    assert page.run(f"return {STROKES}") == [3]


@pytest.mark.parametrize(("button", "times"), [("epoch", 1), ("reset", 2)])
def test_only_what_may_be_done_twice_is_asked_twice(page, button, times):
    page.run("""
        globalThis.asked = 0;
        const real = fetch;
        fetch = (path, ...rest) => path.endsWith('epoch') || path.endsWith('reset')
            ? (asked++, Promise.reject(new Error('the line is dead'))) : real(path, ...rest);
    """)
    page.run(f"document.getElementById('{button}').click()")
    page.wait("document.getElementById('trouble').textContent === 'the line is dead'")
    assert page.run("return asked") == times


def test_a_network_that_has_diverged_says_nothing(page, server):
    side = server.studio._sides["a"]
    server.studio._do(lambda: (side.model.weights[1].__setitem__(..., np.inf), side.publish()))
    draw(page, DIGITS[8])
    assert page.run(BEST) == "?"
    assert "no numbers" in page.run("return document.querySelector('.verdict.a span').textContent")
    assert page.run("return document.querySelector('#near figcaption span').textContent") == "8"
    server.studio.reset({})
    page.wait("document.querySelector('.verdict.a b').textContent === '8'")  # by the stream, which went on


def test_neighbours_come_when_they_are_indexed(page, server, monkeypatch):
    index = server.studio.images._index
    monkeypatch.setattr(server.studio.images, "_index", None)
    draw(page, DIGITS[8])
    assert "being indexed" in page.run("return document.getElementById('near-note').textContent")
    monkeypatch.setattr(server.studio.images, "_index", index)
    page.wait("document.getElementById('near-note').textContent === ''")
    assert page.run("return document.querySelector('#near figcaption span').textContent") == "8"


def test_keyboard_only(page):
    """Tab to the paper, draw a 1 and clear it; train and pause; load a mistake; walk among the neurons."""
    page.run("document.activeElement.blur()")
    for _ in range(20):
        page.press("tab")
        if page.run("return document.activeElement.id") == "paper":
            break
    assert page.run("return getComputedStyle(document.getElementById('keys')).visibility") == "visible"
    page.press("space", *["shift+down"] * 6, "space")
    settle(page)
    assert page.run(BEST) == "1"
    page.press("u")
    settle(page)
    assert raster(page).sum() == 0
    page.press("control+z", "space", "right", "down", "space", "c")
    settle(page)
    assert raster(page).sum() == 0
    page.press("t")
    page.wait("document.getElementById('run').dataset.runs === 'true'")
    page.press("t")
    page.wait(PAUSED)
    page.press("e")
    page.wait(PAUSED)
    page.press("r")
    for _ in range(60):
        page.press("tab")
        if page.run("return Boolean(document.activeElement.closest('.tiles'))"):
            break
    page.press("right", "right", "down")
    unit = page.run("return [...document.querySelectorAll('.tiles button')].indexOf(document.activeElement)")
    assert unit >= 7
    assert page.run("return document.getElementById('detail-text').textContent") == f"Neuron {unit + 1}"
    for _ in range(60):
        page.press("tab")
        if page.run("return Boolean(document.activeElement.closest('#mistakes'))"):
            break
    label = page.run("return document.activeElement.getAttribute('aria-label')")
    page.press("enter")
    settle(page)
    assert label.endswith(f"taken for {page.run(BEST)}")
    index = int(label.split("test image ")[1].split(":")[0])
    np.testing.assert_array_equal(seen(page), fastnn.datasets.load_mnist()[1][0][index])


def test_teaching(page, server):
    draw(page, DIGITS[9])
    count = len(server.studio.images.train[1])
    page.run("[...document.querySelectorAll('#labels button')][2].click()")
    page.wait("document.querySelector('.verdict.a b').textContent === '2'")
    X, y = server.studio.images.train
    assert (len(y), y[-1]) == (count + 1, 2)
    np.testing.assert_array_equal(X[-1], seen(page))
    assert page.run("return document.querySelector('#near figcaption span').textContent") == "2"
    said = page.run("return document.getElementById('source').textContent")
    share = said.removeprefix("taught as 2, now ").removesuffix("% sure")
    assert 80 <= int(share) <= 100
    page.run("document.querySelector('#mistakes button').click()")
    settle(page)
    page.run("[...document.querySelectorAll('#labels button')][2].click()")
    page.wait("document.getElementById('trouble').textContent.startsWith('a test image is not taught')")
    assert len(server.studio.images.train[1]) == count + 1


def test_teaching_in_vain_is_told(page, server, monkeypatch):
    monkeypatch.setattr("fastnn.draw.side.TEACHING_STEPS", 0)
    draw(page, DIGITS[8])
    page.run("[...document.querySelectorAll('#labels button')][1].click()")
    page.wait("document.getElementById('source').textContent.startsWith('taught as 1')")
    assert page.run("return document.getElementById('source').textContent") == "taught as 1, now 0% sure"
    assert page.run(BEST) == "8"


def test_comparing_two(page):
    page.run("document.getElementById('compare').click()")
    page.wait("document.querySelectorAll('.verdict').length === 2 && document.getElementById('hidden-b')")
    draw(page, DIGITS[7])
    page.wait("document.getElementById('spoken').textContent.startsWith('A says')")  # and says nothing of it later
    page.run("document.getElementById('run').click()")
    page.wait(f"{ACCURACIES}.length === 2 && {ACCURACIES}.every((share) => share > 90)")
    page.run("document.getElementById('run').click()")
    page.wait(PAUSED)
    shares = page.run("return document.querySelector('.bar.best .value').textContent").removesuffix("%").split(" / ")
    verdicts = page.run("return [...document.querySelectorAll('.verdict span')].map((each) => each.textContent)")
    assert [verdict[:3] for verdict in verdicts] == ["A, ", "B, "]
    assert int(shares[0]) == round(float(verdicts[0][3:].removesuffix("% sure")))
    widest = "value.textContent = '100 / 100%'; return [value.scrollWidth, value.clientWidth]"
    needed, room = page.run(f"const value = document.querySelector('.bar.best .value'); {widest}")
    assert needed <= room
    spoken = page.run("return document.getElementById('spoken').textContent")
    assert "A after epoch" in spoken
    assert "B after epoch" in spoken
    for chart in ("accuracy", "loss"):
        label = page.run(f"return document.getElementById('{chart}').getAttribute('aria-label')")
        assert label.startswith(f"{chart.capitalize()} of test images by epoch: A from ")
        assert "; B from " in label
    page.run("document.querySelectorAll('#tabs button')[1].click()")
    assert page.run("return document.querySelectorAll('.tiles button').length") == 100
    page.run("document.getElementById('compare').click()")
    page.wait("document.querySelectorAll('.verdict').length === 1")


def test_a_second_network_that_is_refused_leaves_one(page, server, monkeypatch):
    def refuse(request):
        raise fastnn.FastnnError("no room for another")

    monkeypatch.setitem(server.studio.handlers, "set", refuse)
    page.run("document.getElementById('compare').click()")
    page.wait("document.getElementById('trouble').textContent === 'no room for another'")
    page.wait("!document.getElementById('compare').checked")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_and_nothing_is_cut_off(page, width):
    """The page is as wide as the window, and what is drawn, said and trained moves none of its parts."""
    page.look(width, 844, touch=width < 500)
    boxes = """
        const parts = document.querySelectorAll('section, #paper, #bars, #near, .charts, #settings, #run');
        return [...parts].map((part) => {
            const box = part.getBoundingClientRect();
            return [box.left, box.top + scrollY, box.width, box.height].map(Math.round).join();
        });
    """
    page.wait("document.documentElement.scrollWidth <= innerWidth")
    before = page.run(boxes)
    page.run("document.getElementById('paper').scrollIntoView()")
    draw(page, DIGITS[8], "touch" if width < 500 else "mouse")
    page.run("document.getElementById('epoch').click()")
    page.wait("document.querySelector('#progress span:nth-child(2)').textContent === 'epoch 1'")
    page.wait(PAUSED)
    settle(page)
    assert page.run(boxes) == before
    assert page.run("return document.documentElement.scrollWidth") <= width
    cut = """
        const parts = [...document.querySelectorAll('button, h2, label, .value, select')];
        const shown = parts.filter((part) => part.offsetParent);
        return shown.filter((part) => part.scrollWidth > part.clientWidth + 1).map((part) => part.textContent);
    """
    assert page.run(cut) == []


def test_everything_has_a_name(page):
    """Whatever can be reached by the tab key has a name that a screen reader can say."""
    page.run("document.getElementById('compare').click()")
    page.wait("document.getElementById('hidden-b')")
    nodes = page.devtools("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "textbox", "combobox", "slider", "checkbox", "application", "image"}
    named = [node for node in nodes if not node["ignored"] and node["role"]["value"] in roles]
    assert len(named) > 80
    assert [node for node in named if not node.get("name", {}).get("value")] == []


def test_reduced_motion(page):
    page.look(1280, 900, still=True)
    assert page.run("return getComputedStyle(document.querySelector('.bar i'), '::before').transitionDuration") == "0s"


@contextmanager
def opened(browser: Browser, images: ImageSet) -> Iterator[Studio]:
    """The page with these images, in a window."""
    with Studio(images) as studio, Server(studio) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        browser.look(1280, 900)
        browser.open(server.url)
        browser.wait("globalThis.fastnnDraw && document.querySelectorAll('.bar').length")
        yield studio
        browser.open("about:blank")
        server.shutdown()
        thread.join()


def test_sixty_classes(browser, tmp_path):
    """The class that it says is always in sight, and every bar lies within the list."""
    rng = np.random.default_rng(6)
    y = np.repeat(np.arange(100, 160), 8)
    shapes = rng.integers(0, 256, (60, 144))
    np.savetxt(tmp_path / "many.csv", np.column_stack([y, shapes[y - 100] // 2]), "%d", ",")
    with opened(browser, ImageSet(str(tmp_path / "many.csv"))) as studio:
        browser.wait(PAUSED)
        draw(browser, DIGITS[8])
        said = studio.images.labels[studio._sides["a"].shown.model.predict(seen(browser)[np.newaxis])[0] - 100]
        assert browser.run(BEST) == str(said)
        inside = """
            const box = (name) => document.querySelector(name).getBoundingClientRect();
            const [list, best] = [box('#bars'), box('.bar.best')];
            return best.top >= list.top - 1 && best.bottom <= list.bottom + 1 && best.right <= list.right + 1;
        """
        assert browser.run(inside)
        assert browser.run("return document.querySelectorAll('#labels button').length") == 60
        assert browser.run("return document.documentElement.scrollWidth") <= 1280


def test_names_are_text(browser, tmp_path):
    """Names of classes and of files that are HTML are shown as they are."""
    name = "<img src=x onerror=alert(1)>"
    rng = np.random.default_rng(1)
    y = np.array([0, 1] * 40, np.uint8)
    folder = tmp_path / name
    folder.mkdir()
    rows = np.concatenate([y[:, np.newaxis], rng.integers(0, 255, (80, 64), np.uint8)], axis=1)
    for half in ("train", "test"):
        np.savetxt(folder / f"mnist_{half}.csv", rows, "%d", ",")
    images = ImageSet(str(folder))
    images.labels[1] = images.name = name  # as a model of names would have it
    with opened(browser, images):
        assert browser.run("return document.querySelectorAll('.bar > span')[2 + 1].textContent") == name
        assert name in browser.run("return document.getElementById('about').textContent")
        assert browser.run("return document.querySelectorAll('img').length") == 0


def test_without_the_token_the_page_says_what_to_do(browser, server):
    browser.open("about:blank")
    browser.run("return 1")
    browser.open(f"http://127.0.0.1:{server.server_port}/#wrong")
    browser.wait("document.getElementById('gone').hidden === false")
    assert "token" in browser.run("return document.getElementById('gone').textContent")


def test_the_file_that_the_command_opens_leads_to_the_page(browser, server):
    with _redirect(server.url) as address:
        browser.open(address)
        browser.wait(READY)
    assert browser.run("return location.href") == f"http://127.0.0.1:{server.server_port}/"


# The page that needs no server


def forward(browser: Browser, images: np.ndarray) -> np.ndarray:
    script = "return arguments[0].map((row) => Array.from(fastnnDraw.local.outputs(Uint8Array.from(row)).at(-1)))"
    return np.array(browser.run(script, images.tolist()))


def test_the_exported_page_computes_what_python_does(browser, model, tmp_path):
    images = ImageSet()
    path = tmp_path / "digit.html"
    size = export(path, model, images)
    assert size == path.stat().st_size < 2e6
    browser.look(1280, 900)
    browser.open(path.as_uri())
    browser.wait("globalThis.fastnnDraw && fastnnDraw.local")
    X, _ = images.test
    np.testing.assert_allclose(forward(browser, X[:500]), model.predict_proba(X[:500]), rtol=0, atol=1e-6)
    for digit in (2, 5, 9):
        browser.run("document.getElementById('clear').click()")
        draw(browser, DIGITS[digit])
        ink = raster(browser)
        np.testing.assert_array_equal(seen(browser), centre_digit(ink))
        assert browser.run(BEST) == str(model.predict(centre_digit(ink)[np.newaxis])[0]) == str(digit)
    labels = browser.run("return [...document.querySelectorAll('#near figcaption span')].map((e) => e.textContent)")
    assert labels == ["9"] * 5
    assert browser.run("return document.getElementById('train').offsetParent") is None


def test_the_exported_page_centres_as_python_does(browser, model, tmp_path):
    """Pixel for pixel, on strokes of all sizes."""
    rng = np.random.default_rng(8)
    path = tmp_path / "digit.html"
    export(path, model, ImageSet())
    browser.open(path.as_uri())
    browser.wait("globalThis.fastnnDraw && fastnnDraw.local")
    inks = []
    for _ in range(100):
        points = rng.random((rng.integers(1, 7), 2)) * rng.uniform(0.1, 1) + rng.uniform(-0.1, 0.3)
        inks.append(ink_of([[tuple(point) for point in points]]))
    inks = [ink for ink in inks if ink.any()]
    found = browser.run(
        "return arguments[0].map((ink) => Array.from(fastnnDraw.local.imageOf(Uint8Array.from(ink))))",
        [ink.ravel().tolist() for ink in inks],
    )
    for ours, ink in zip(found, inks, strict=True):
        np.testing.assert_array_equal(ours, centre_digit(ink))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-13)])
@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
def test_every_activation_in_the_exported_page(browser, small, activation, dtype, tolerance, tmp_path):
    model = fastnn.MLP([64, 12, 6, 2], activation=activation, bias=[True, False, True], seed=3, dtype=dtype)
    path = tmp_path / "small.html"
    export(path, model, small)
    browser.open(path.as_uri())
    browser.wait("globalThis.fastnnDraw && fastnnDraw.local")
    X = small.train[0]
    np.testing.assert_allclose(forward(browser, X), model.predict_proba(X), rtol=0, atol=tolerance)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> ImageSet:
    rng = np.random.default_rng(4)
    rows = np.concatenate([np.array([[0], [1]] * 20), rng.integers(0, 256, (40, 64))], axis=1)
    path = tmp_path_factory.mktemp("small") / "small.csv"
    np.savetxt(path, rows, "%d", ",")
    return ImageSet(str(path))


def test_the_largest_exported_page_is_below_2_mb(tmp_path):
    images = ImageSet()
    model = fastnn.MLP([784, 100, 10], seed=1, dtype="float64")
    assert export(tmp_path / "large.html", model, images) < 2e6
    assert NEIGHBORS == 500


def png_size(data: bytes) -> tuple[int, int]:
    assert zlib.crc32(data[12:29]) == struct.unpack(">I", data[29:33])[0]
    return struct.unpack(">2I", data[16:24])


@pytest.mark.parametrize("dark", [False, True])
def test_screenshots_have_ink(page, dark):
    """The paper's ink stands out in light and dark."""
    page.look(390, 844, dark=dark, touch=True)
    draw(page, DIGITS[5], "touch")
    data = page.picture()
    assert png_size(data) == (390, 844)
    ground = page.run("return getComputedStyle(document.body.parentElement).backgroundColor")
    assert (int(ground[4:].split(",")[0]) < 60) == dark
