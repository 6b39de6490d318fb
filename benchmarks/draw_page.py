"""What the page of ``fastnn draw`` costs and how soon it answers, asked by a plain HTTP client.

    python benchmarks/draw_page.py [--rounds 7] [--seconds 2]

A browser would share the processors, and be measured as well. In turns, so that what else the machine does meets both:
a training of 784-30-10 by batches of 10 with one thread alone, and the page's own, with one thread, while a stream of
frames is read, and then while strokes are drawn, too.
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
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np

import fastnn

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))
from digit_strokes import DIGITS
from drawings import ink_of

SIZES, BATCH_SIZE, RATE = [784, 30, 10], 10, 0.5  # the page's own setting
STROKES_A_SECOND = 30
LARGE = [620], 600  # about as many weights, and weights times rows, as the page allows


class Client:
    """Asks as the page does."""

    def __init__(self, url: str) -> None:
        self.origin, self.token = url.split("/#")
        self._connection = http.client.HTTPConnection(self.origin.removeprefix("http://"), timeout=30)

    def send(self, question: str, **asked: object) -> http.client.HTTPResponse:
        headers = {"Origin": self.origin, "X-Fastnn-Token": self.token, "Content-Type": "application/json"}
        self._connection.request("POST", f"/api/{question}", json.dumps(asked), headers)
        return self._connection.getresponse()

    def ask(self, question: str, **asked: object) -> dict:
        return json.loads(self.send(question, **asked).read())

    def close(self) -> None:
        self._connection.close()


class Reader(threading.Thread):
    """Reads the stream of frames: when each came, how many epochs were done, and whether its weights were new."""

    def __init__(self, client: Client) -> None:
        super().__init__(daemon=True)
        self._client, self.frames, self._weights = client, [], ""

    def run(self) -> None:
        for line in self._client.send("stream", client="benchmark"):
            if line.startswith(b"data: "):
                side = json.loads(line[6:])["sides"]["a"]
                self.frames.append((time.perf_counter(), side["epochs"], side["weights"] != self._weights))
                self._weights = side["weights"]


def alone(training, seconds: float) -> float:
    """Epochs a second of a training that nobody looks at."""
    with fastnn.use(num_threads=1):
        start, before = time.perf_counter(), training.epochs
        while time.perf_counter() - start < seconds:
            training.advance()
        return (training.epochs - before) / (time.perf_counter() - start)


INKS = [base64.b64encode(np.packbits(ink_of(strokes))).decode() for strokes in DIGITS.values()]


def shown(client: Client, reader: Reader, seconds: float, draws: bool) -> tuple[float, float, list[float]]:
    """Epochs and frames with new weights a second of the page's training, and milliseconds from strokes to bars."""
    client.ask("run")
    first, latencies, start = len(reader.frames) + 1, [], time.perf_counter()
    for stroke in range(10**9):
        if time.perf_counter() - start >= seconds:
            break
        if draws:
            asked = time.perf_counter()
            answer = client.ask("draw", client="benchmark", ink=INKS[stroke % len(INKS)])
            latencies.append(1e3 * (time.perf_counter() - asked))
            assert len(answer["sides"]["a"]["outputs"]) == 10
        time.sleep(1 / STROKES_A_SECOND)
        if stroke % STROKES_A_SECOND == 0:
            client.ask("run")
    frames = reader.frames[first:]
    client.ask("pause")
    (began, before, _), (ended, after, _) = frames[0], frames[-1]
    return (after - before) / (ended - began), sum(new for *_, new in frames[1:]) / (ended - began), latencies


def pauses(client: Client, count: int) -> list[float]:
    """Milliseconds from asking for a pause to the answer that training stands still."""
    found = []
    for i in range(count):
        client.ask("run")
        time.sleep(0.3 + 0.01 * i)
        asked = time.perf_counter()
        client.ask("pause")
        found.append(1e3 * (time.perf_counter() - asked))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    arguments = parser.parse_args()
    (X, y), _ = fastnn.datasets.load_mnist()
    training = fastnn.MLP(SIZES, seed=1).begin_fit(X, y, batch_size=BATCH_SIZE, learning_rate=RATE)
    words = [sys.executable, "-m", "fastnn", "draw", "--no-open", "--port", "0", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = json.loads(server.stdout.readline())["url"]
            with closing(Client(url)) as client, closing(Client(url)) as stream:
                reader = Reader(stream)
                reader.start()
                time.sleep(3)  # the index of neighbours is made, and the first training is over
                while client.ask("draw", client="benchmark", ink=INKS[0])["neighbors"] is None:
                    time.sleep(0.1)
                costs, drawn_costs, frames, latencies = [], [], [], []
                for _ in range(arguments.rounds):
                    bare = alone(training, arguments.seconds)
                    watched, rate, _ = shown(client, reader, arguments.seconds, draws=False)
                    drawn, _, some = shown(client, reader, arguments.seconds, draws=True)
                    costs.append(1 - watched / bare)
                    drawn_costs.append(1 - drawn / bare)
                    frames.append(rate)
                    latencies += some
                    print(f"epochs/s: alone {bare:.1f}, seen {watched:.1f} ({rate:.0f} frames/s), drawn on {drawn:.1f}")
                slowest = max(pauses(client, 10))
                settings = client.ask("state")["sides"]["a"]["settings"]
                client.ask("set", side="a", settings={**settings, "hidden": LARGE[0], "batch_size": LARGE[1]})
                slowest_of_large = max(pauses(client, 10))
        finally:
            server.send_signal(signal.SIGINT)
    half, most = np.percentile(latencies, [50, 95])
    rate, cost = statistics.median(frames), statistics.median(costs)
    print(f"{rate:.0f} frames a second with new weights cost {cost:.0%} of the speed")
    print(f"with {STROKES_A_SECOND} strokes a second as well {statistics.median(drawn_costs):.0%}")
    print(f"a pause comes within {slowest:.0f} ms, of the largest network {slowest_of_large:.0f} ms")
    print(f"stroke to bars while it trains: median {half:.1f} ms, 95th percentile {most:.1f} ms of {len(latencies)}")


if __name__ == "__main__":
    main()
