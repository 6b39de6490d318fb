"""A headless Chromium, driven as W3C's WebDriver says, with the standard library alone."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # as the standard calls it
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--font-render-hinting=none",
)
KEYS = {"tab": "\ue004", "enter": "\ue007", "shift": "\ue008", "control": "\ue009", "left": "\ue012", "up": "\ue013"}
KEYS |= {"right": "\ue014", "down": "\ue015", "space": " "}


def missing() -> str:
    """Why there is no browser; empty where there is one."""
    names = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"no {' and no '.join(names)} (Debian: apt-get install chromium chromium-driver)" if names else ""


class Browser:
    """A window. A context manager, which closes it."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._folder = tempfile.TemporaryDirectory(prefix="fastnn-browser-", ignore_cleanup_errors=True)
        self._driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._root = f"http://127.0.0.1:{port}"
        options = {"args": [*FLAGS, f"--user-data-dir={self._folder.name}"], "binary": shutil.which("chromium")}
        capabilities = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
        deadline = time.monotonic() + 30
        while True:
            try:
                session = self._send("POST", "/session", {"capabilities": capabilities})
                break
            except OSError:
                if time.monotonic() > deadline:
                    self.close()
                    raise
                time.sleep(0.1)
        self._root += f"/session/{session['sessionId']}"

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._send("DELETE", "", None)
        finally:
            self.close()

    def close(self) -> None:
        """End the driver, and the browser with it."""
        self._driver.terminate()
        self._driver.wait(10)
        self._folder.cleanup()

    def _send(self, method: str, path: str, values: Any) -> Any:
        data = None if values is None else json.dumps(values).encode()
        request = urllib.request.Request(self._root + path, data, {"Content-Type": "application/json"}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from None

    def open(self, url: str) -> None:
        """Go to a page."""
        self._send("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a function with this body returns, or the one that its promise comes to."""
        return self._send("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, condition: str, seconds: float = 30) -> Any:
        """Wait until an expression is true, and return its value."""
        deadline = time.monotonic() + seconds
        while not (value := self.run(f"return {condition}")):
            if time.monotonic() > deadline:
                raise TimeoutError(condition)
            time.sleep(0.02)
        return value

    def look(self, width: int, height: int, *, dark: bool = False, touch: bool = False, still: bool = False) -> None:
        """Give the window a size and the person a taste."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch}
        self.devtools("Emulation.setDeviceMetricsOverride", **metrics)
        self.devtools("Emulation.setTouchEmulationEnabled", enabled=touch)
        media = {"prefers-color-scheme": "dark" if dark else "light"}
        media["prefers-reduced-motion"] = "reduce" if still else ""
        if touch:
            media["hover"] = "none"
        features = [{"name": name, "value": value} for name, value in media.items()]
        self.devtools("Emulation.setEmulatedMedia", features=features)

    def devtools(self, command: str, **parameters: Any) -> Any:
        """A command of Chromium's DevTools protocol."""
        return self._send("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def stroke(self, points: list[tuple[float, float]], kind: str = "mouse") -> None:
        """Draw through points of the window with a "mouse", a finger ("touch") or a "pen"."""
        (x, y), *others = points
        moves = [{"type": "pointerMove", "duration": 8, "x": round(x), "y": round(y)} for x, y in others]
        actions = [
            {"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y)},
            {"type": "pointerDown", "button": 0},
            *moves,
            {"type": "pointerUp", "button": 0},
        ]
        pointer = {"type": "pointer", "id": kind, "parameters": {"pointerType": kind}, "actions": actions}
        self._send("POST", "/actions", {"actions": [pointer]})

    def press(self, *keys: str) -> None:
        """Press keys one after the other; "shift+tab" holds one of them."""
        actions = []
        for key in keys:
            held = [KEYS.get(part, part) for part in (key.split("+") if len(key) > 1 else [key])]
            actions += [{"type": "keyDown", "value": value} for value in held]
            actions += [{"type": "keyUp", "value": value} for value in reversed(held)]
        self._send("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def picture(self, path: str | os.PathLike[str] | None = None, *, whole: bool = False) -> bytes:
        """A screenshot, of what is in the window or of the whole page, as PNG."""
        found = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        data = base64.b64decode(found["data"])
        if path is not None:
            Path(path).write_bytes(data)
        return data
