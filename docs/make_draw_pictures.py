"""Screenshots of the page of ``fastnn draw``, with the real browser: docs/pictures/draw-*.png.

    python docs/make_draw_pictures.py

draw-1280-light.png and its siblings show the page at two widths in two tastes; draw-training.png is a strip of five
moments of one training, the drawn digit's bars, the curves and the weights at each of them. Needs chromium,
chromium-driver, Pillow and, for the pictures to look the same, the font Inter (Debian: fonts-inter).
"""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image, ImageDraw

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))
from browser import Browser
from digit_strokes import DIGITS

DOCS = Path(__file__).parent
READY = "globalThis.fastnnDraw && document.querySelectorAll('#mistakes button').length"
PAUSED = "document.getElementById('run').dataset.runs === 'false'"
MOMENTS = (0.0, 0.01, 0.05, 0.3, 6.0)  # epochs
COLOURS = 256  # of a picture's palette


def draw(page: Browser, digit: int) -> None:
    box = "document.getElementById('paper').getBoundingClientRect()"
    left, top, size = page.run(f"const box = {box}; return [box.left, box.top, box.width]")
    for stroke in DIGITS[digit]:
        page.stroke([(left + x * size, top + y * size) for x, y in stroke])
    time.sleep(1)


def save(picture: Image.Image, name: str) -> None:
    path = DOCS / "pictures" / f"draw-{name}.png"
    colours = picture.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=1)
    colours.save(path, optimize=True)
    print(f"{path}: {picture.width} x {picture.height}, {path.stat().st_size:,} bytes")


def picture_of(page: Browser, *, whole: bool = False) -> Image.Image:
    return Image.open(io.BytesIO(page.picture(whole=whole)))


def looks(page: Browser, url: str) -> None:
    """The page as it is when it has been opened and a digit drawn."""
    for width, height in ((1280, 900), (390, 844)):
        for dark in (False, True):
            page.look(width, height, dark=dark, touch=width < 500)
            page.open("about:blank")
            page.open(url)
            page.wait(READY)
            page.wait(PAUSED)
            draw(page, 4)
            save(picture_of(page, whole=True), f"{width}-{'dark' if dark else 'light'}")


def strip(page: Browser, url: str) -> None:
    """Some moments of a training beside one another."""
    page.look(390, 844, touch=True)
    page.open("about:blank")
    page.open(url)
    page.wait(READY)
    page.wait(PAUSED)
    page.run("document.getElementById('slowly').click(); document.getElementById('reset').click()")
    page.wait("document.querySelector('#progress span:nth-child(2)').textContent === 'epoch 0'")
    draw(page, 2)
    columns = []
    for moment in MOMENTS:
        if moment >= 1:  # the rest goes as fast as it can
            page.run("const slowly = document.getElementById('slowly'); if (slowly.checked) slowly.click()")
        if moment:
            page.run("document.getElementById('run').click()")
            page.wait(f"fastnnDraw.epochs() >= {moment}")
            page.run("document.getElementById('run').click()")
            page.wait(PAUSED)
        time.sleep(1)
        columns.append(column(page))
    height = max(each.height for each in columns)
    result = Image.new("RGB", (sum(each.width for each in columns), height), "#f6f5f2")
    for i, each in enumerate(columns):
        result.paste(each, (sum(other.width for other in columns[:i]), 0))
    save(result.resize((result.width * 2 // 3, result.height * 2 // 3), Image.Resampling.LANCZOS), "training")


def column(page: Browser) -> Image.Image:
    """What the network says, its curves and its weights, one below the other."""
    boxes = page.run(
        """
        const box = (element) => element.getBoundingClientRect();
        const [verdict, bars, charts, progress, tiles] = ['.verdicts', '#bars', '.charts', '#progress', '.tiles']
            .map((name) => box(document.querySelector(name)));
        return [[verdict.top, bars.bottom], [charts.top, progress.bottom], [tiles.top, tiles.bottom]]
            .map(([top, bottom]) => [top + scrollY, bottom + scrollY]);
        """
    )
    whole = picture_of(page, whole=True).convert("RGB")
    parts = [whole.crop((28, round(top), 362, round(bottom))) for top, bottom in boxes]
    result = Image.new("RGB", (374, sum(part.height + 18 for part in parts) + 22), "#f6f5f2")
    ImageDraw.Draw(result).rounded_rectangle((8, 8, 366, result.height - 9), 14, "#ffffff", "#e4e1da")
    top = 20
    for part in parts:
        result.paste(part, (20, top))
        top += part.height + 18
    return result


def main() -> None:
    words = [sys.executable, "-m", "fastnn", "draw", "--no-open", "--port", "0", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server, Browser() as page:
        try:
            url = json.loads(server.stdout.readline())["url"]
            looks(page, url)
            strip(page, url)
        finally:
            server.send_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
