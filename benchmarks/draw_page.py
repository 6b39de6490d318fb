"""What the page of ``fastnn draw`` costs and how soon it answers.

    python benchmarks/draw_page.py            # print
    python benchmarks/draw_page.py --write    # and rewrite results_draw.json and the table of docs/draw.md

Costs are measured by a plain HTTP client: a browser would share the processors, and be measured as well. In turns, so
that what else the machine does meets both: a training of 784-30-10 by batches of 10 with one thread alone, and the
page's own, with one thread, while a stream of frames is read, and then while strokes are drawn, too; then the same with
two such networks that are trained in turns. From a stroke to the bars it is timed by the page itself in Chromium, where
there is one, while it trains.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import signal
import statistics
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import roofline
from reports import HERE, Report, write_between, write_json

import fastnn
from fastnn.nn.steps import Training

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))
from browser import Browser, missing
from digit_strokes import DIGITS
from drawings import ink_of

RESULTS, PAGE = HERE / "results_draw.json", HERE.parent / "docs" / "draw.md"
START, END = "<!-- table: written by benchmarks/draw_page.py -->", "<!-- end of the table -->"
# The page's own setting.
SIZES, BATCH_SIZE, RATE = [784, 30, 10], 10, 0.5
STROKES_A_SECOND = 30
# About as many weights, and weights times rows, as the page allows.
LARGE = {"hidden": [620], "batch_size": 600}
DRAWN_DIGITS = 30  # in the browser, for each count of networks
PAUSES = 10


class Client:
    """Asks as the page does."""

    def __init__(self, url: str) -> None:
        self.origin, self.token = url.split("/#")
        self._connection = http.client.HTTPConnection(self.origin.removeprefix("http://"), timeout=30)

    def send(self, name: str, **values: object) -> http.client.HTTPResponse:
        headers = {"Origin": self.origin, "X-Fastnn-Token": self.token, "Content-Type": "application/json"}
        self._connection.request("POST", f"/api/{name}", json.dumps(values), headers)
        return self._connection.getresponse()

    def ask(self, name: str, **values: object) -> dict:
        return json.loads(self.send(name, **values).read())

    def close(self) -> None:
        self._connection.close()


class Reader(threading.Thread):
    """Reads the stream of frames: when each came, how many epochs were done, and whether its weights were new."""

    def __init__(self, client: Client) -> None:
        super().__init__(daemon=True)
        self._client, self._weights = client, []
        self.frames: list[tuple[float, float, bool]] = []

    def run(self) -> None:
        for line in self._client.send("stream", client="benchmark"):
            if line.startswith(b"data: "):
                sides = json.loads(line[6:])["sides"].values()
                weights = [side["weights"] for side in sides]
                epochs = sum(side["epochs"] for side in sides)
                self.frames.append((time.perf_counter(), epochs, weights != self._weights))
                self._weights = weights


def alone(trainings: list[Training], seconds: float) -> float:
    """Epochs a second of trainings in turns that nobody looks at."""
    with fastnn.use(num_threads=1):
        start, before = time.perf_counter(), sum(training.epochs for training in trainings)
        while time.perf_counter() - start < seconds:
            min(trainings, key=lambda training: training.epochs).advance()
        return (sum(training.epochs for training in trainings) - before) / (time.perf_counter() - start)


INKS = [base64.b64encode(np.packbits(ink_of(strokes))).decode() for strokes in DIGITS.values()]


def shown(client: Client, reader: Reader, seconds: float, draws: bool) -> tuple[float, float, list[float]]:
    """Epochs and frames with new weights a second of the page's training, and milliseconds from stroke to response."""
    client.ask("run")
    first, latencies, start = len(reader.frames) + 1, [], time.perf_counter()
    for stroke in range(10**9):
        if time.perf_counter() - start >= seconds:
            break
        if draws:
            sent = time.perf_counter()
            response = client.ask("draw", client="benchmark", ink=INKS[stroke % len(INKS)])
            latencies.append(1e3 * (time.perf_counter() - sent))
            assert len(response["sides"]["a"]["outputs"]) == 10
        time.sleep(1 / STROKES_A_SECOND)
        if stroke % STROKES_A_SECOND == 0:
            client.ask("run")
    frames = reader.frames[first:]
    client.ask("pause")
    (began, before, _), (ended, after, _) = frames[0], frames[-1]
    return (after - before) / (ended - began), sum(new for *_, new in frames[1:]) / (ended - began), latencies


def pauses(client: Client) -> list[float]:
    """Milliseconds from the request for a pause to the response that training stands still."""
    found = []
    for i in range(PAUSES):
        client.ask("run")
        time.sleep(0.3 + 0.01 * i)
        sent = time.perf_counter()
        client.ask("pause")
        found.append(1e3 * (time.perf_counter() - sent))
    return found


def costs(client: Client, reader: Reader, trainings: list[Training], rounds: int, seconds: float) -> Report:
    """What it costs to look at so many networks, as the page has now, while they are trained."""
    seen, drawn, frames, latencies = [], [], [], []
    for _ in range(rounds):
        bare = alone(trainings, seconds)
        watched, rate, _ = shown(client, reader, seconds, draws=False)
        drawn_on, _, some = shown(client, reader, seconds, draws=True)
        seen.append(1 - watched / bare)
        drawn.append(1 - drawn_on / bare)
        frames.append(rate)
        latencies += some
        print(f"  epochs/s: alone {bare:.1f}, seen {watched:.1f} ({rate:.0f} frames/s), drawn on {drawn_on:.1f}")
    half, most = np.percentile(latencies, [50, 95])
    return {
        "frames_per_second": statistics.median(frames),
        "cost": statistics.median(seen),
        "greatest_cost": max(seen),
        "cost_with_strokes": statistics.median(drawn),
        "greatest_cost_with_strokes": max(drawn),
        "response_ms": half,
        "response_ms_95": most,
        "pause_ms": max(pauses(client)),
    }


def to_bars(client: Client, page: Browser) -> list[float]:
    """Milliseconds from strokes to bars in a browser, by its page's own clock, while the networks are trained."""
    left, top, size = page.run(
        "const box = document.getElementById('paper').getBoundingClientRect(); return [box.left, box.top, box.width]"
    )
    found = []
    for digit in range(DRAWN_DIGITS):
        client.ask("run")
        page.run("document.getElementById('clear').click()")
        page.wait("!fastnnDraw.busy()")
        page.run("fastnnDraw.latencies.length = 0")
        for stroke in DIGITS[digit % 10]:
            page.stroke([(left + x * size, top + y * size) for x, y in stroke])
        page.wait("!fastnnDraw.busy()")
        found += page.run("return fastnnDraw.latencies")
    client.ask("pause")
    return found


def in_browser(client: Client, url: str) -> Report:
    """The median and the 95th percentile of these times; nothing where there is no browser."""
    if missing():
        print(missing())
        return {}
    with Browser() as page:
        page.look(1280, 900)
        page.open(url)
        page.wait("globalThis.fastnnDraw && document.querySelectorAll('#mistakes button').length")
        times = to_bars(client, page)
    half, most = np.percentile(times, [50, 95])
    return {"bars_ms": half, "bars_ms_95": most, "strokes": len(times)}


def measure(url: str, rounds: int, seconds: float) -> Report:
    (X, y), _ = fastnn.datasets.load_mnist()
    trainings = [
        fastnn.MLP(SIZES, seed=seed).begin_fit(X, y, batch_size=BATCH_SIZE, learning_rate=RATE) for seed in (1, 2)
    ]
    report: Report = {"hardware": roofline.hardware()}
    with closing(Client(url)) as client, closing(Client(url)) as stream:
        reader = Reader(stream)
        reader.start()
        # The first training is over and the index of neighbours is made before anything is measured.
        time.sleep(3)
        while client.ask("draw", client="benchmark", ink=INKS[0])["neighbors"] is None:
            time.sleep(0.1)
        settings = client.ask("state")["sides"]["a"]["settings"]
        for name, count in (("one", 1), ("two", 2)):
            if count == 2:
                client.ask("set", side="b", settings={**settings, "seed": 2})
            print(f"{name}:")
            report[name] = costs(client, reader, trainings[:count], rounds, seconds) | in_browser(client, url)
        client.ask("remove")
        client.ask("set", side="a", settings={**settings, **LARGE})
        report["largest_pause_ms"] = max(pauses(client))
    return report


def table(report: Report) -> str:
    """The report in the words of docs/draw.md."""

    def row(title: str, cell) -> str:
        return f"| {title} | {cell(report['one'])} | {cell(report['two'])} |"

    def cost(one: Report, name: str) -> str:
        return f"{one[name]:.0%} (at most {one[f'greatest_{name}']:.0%})"

    def times(one: Report, name: str) -> str:
        return f"{one[name]:.1f} ms, {one[f'{name}_95']:.1f} ms" if name in one else "not measured"

    rows = [
        "| while it trains | one network | two at once |",
        "|---|---|---|",
        row("frames a second with new weights", lambda one: f"{one['frames_per_second']:.0f}"),
        row("which cost of the speed of one training thread", lambda one: cost(one, "cost")),
        row(f"with {STROKES_A_SECOND} strokes a second as well", lambda one: cost(one, "cost_with_strokes")),
        row("stroke to response over HTTP: median, 95th percentile", lambda one: times(one, "response_ms")),
        row("stroke to bars in Chromium: median, 95th percentile", lambda one: times(one, "bars_ms")),
        row("a pause comes within", lambda one: f"{one['pause_ms']:.0f} ms"),
    ]
    note = (
        f"{report['hardware']}. A pause of the largest network that the page trains, by the largest batches, comes "
        f"within {report['largest_pause_ms']:.0f} ms."
    )
    return "\n".join([*rows, "", *textwrap.wrap(note, 120)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--write", action="store_true", help="rewrite results_draw.json and the table of docs/draw.md")
    options = parser.parse_args()
    words = [sys.executable, "-m", "fastnn", "draw", "--no-open", "--port", "0", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = json.loads(server.stdout.readline())["url"]
            report = measure(url, options.rounds, options.seconds)
        finally:
            server.send_signal(signal.SIGINT)
    print(table(report))
    if options.write:
        write_json(RESULTS, report)
        write_between(PAGE, START, END, table(report))


if __name__ == "__main__":
    main()
