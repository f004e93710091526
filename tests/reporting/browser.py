"""A real browser for the tests of the page: headless Chromium, spoken to over WebDriver."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
MISSING = "needs chromium and chromedriver"
SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]
PATIENCE = 60


class Page:
    """An open page.

    Args:
        address: of the WebDriver session.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def open(self, path: Path, anchor: str = "") -> None:
        """Open a file, and forget what the page before logged."""
        self.call("POST", "/url", {"url": "about:blank"})
        self.call("POST", "/se/log", {"type": "browser"})
        self.call("POST", "/url", {"url": path.absolute().as_uri() + anchor})

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a function body in the page."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def text(self, selector: str) -> str:
        """The text of the first element that matches."""
        return str(self.run("return document.querySelector(arguments[0]).textContent", selector))

    def keys(self, *names: str) -> None:
        """Press keys, one after another; names such as `ArrowRight` are those of WebDriver's table."""
        codes = {"ArrowRight": "\ue014", "ArrowLeft": "\ue012", "Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004"}
        steps = [{"type": kind, "value": codes[name]} for name in names for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": steps}]})

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag the mouse from one place of the window to another."""
        (x, y), (to_x, to_y) = start, end
        steps: list[dict[str, Any]] = [
            {"type": "pointerMove", "x": round(x), "y": round(y), "duration": 0},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerMove", "x": round(to_x), "y": round(to_y), "duration": 0},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}
        self.call("POST", "/actions", {"actions": [mouse]})

    def log(self) -> list[str]:
        """What the page logged since it was opened: errors of scripts, and loads that the policy refused."""
        return [str(entry["message"]) for entry in self.call("POST", "/se/log", {"type": "browser"})]

    def picture(self, path: Path) -> None:
        """Write what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self.call("GET", "/screenshot", None)))

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """The size of the page's window, narrower than a desktop's too, and the user's scheme of colours."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._devtools("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._devtools("Emulation.setEmulatedMedia", {"features": [scheme]})

    def _devtools(self, command: str, params: dict[str, Any]) -> None:
        self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        """One command of WebDriver."""
        return _call(method, self._address + path, body)


@contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """A browser that ends with the block; its profile is new."""
    assert CHROMIUM is not None and DRIVER is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        try:
            base = f"http://127.0.0.1:{port}"
            _wait(base)
            options = {"binary": CHROMIUM, "args": [*SWITCHES, f"--user-data-dir={profile}"]}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            made = _call("POST", f"{base}/session", {"capabilities": {"alwaysMatch": wanted}})
            address = f"{base}/session/{made['sessionId']}"
            try:
                yield Page(address)
            finally:
                _call("DELETE", address, None)
        finally:
            driver.terminate()


def _wait(base: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            if _call("GET", f"{base}/status", None)["ready"]:
                return
        except urllib.error.URLError:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)


def _call(method: str, address: str, body: dict[str, Any] | None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=PATIENCE) as answer:
        return json.load(answer)["value"]
