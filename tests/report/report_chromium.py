"""A real Chromium, driven by its driver's protocol, for tests of pages that kezuri writes."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The name under which the protocol hands out elements."""

KEYS = {
    "Backspace": "\ue003",
    "Tab": "\ue004",
    "Enter": "\ue007",
    "Escape": "\ue00c",
    "PageDown": "\ue00f",
    "End": "\ue010",
    "Home": "\ue011",
    "Left": "\ue012",
    "Up": "\ue013",
    "Right": "\ue014",
    "Down": "\ue015",
}


def found() -> bool:
    """Whether Chromium and its driver are on this machine."""
    return bool(shutil.which("chromedriver") and (shutil.which("chromium") or shutil.which("google-chrome")))


class Failed(Exception):
    """The browser did not do what it was told."""


class Chromium:
    """One window."""

    def __init__(self, port: int, options: dict[str, Any]) -> None:
        self._base = f"http://127.0.0.1:{port}"
        answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": options}})
        self._session = f"/session/{answer['sessionId']}"

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, {"Content-Type": "application/json"}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise Failed(json.loads(error.read())["value"]["message"]) from error

    def _do(self, command: str, **body: object) -> Any:
        return self._ask("POST", f"{self._session}/{command}", body)

    def _devtools(self, command: str, **parameters: object) -> Any:
        return self._do("goog/cdp/execute", cmd=command, params=parameters)

    def open(self, file: Path) -> Self:
        """Go to a page and wait until it has drawn itself."""
        self._do("url", url=file.as_uri())
        self.until("return document.documentElement.dataset.ready === 'true'")
        return self

    def run(self, script: str, *arguments: object) -> Any:
        """What a script of the page's returns."""
        return self._do("execute/sync", script=script, args=list(arguments))

    def until(self, script: str, *arguments: object) -> Any:
        """Wait until a script returns something that is true; that."""
        for _ in range(400):
            value = self.run(script, *arguments)
            if value:
                return value
            time.sleep(0.05)
        raise Failed(f"never came true: {script}; the console has {self.logged()}")

    def drawn(self) -> Self:
        """Wait until every chart is drawn."""
        self.until("return [...document.querySelectorAll('.chart')].every((box) => box.dataset.drawn)")
        return self

    def element(self, selector: str) -> dict[str, str]:
        """The first element that a selector finds."""
        found: dict[str, str] = self._do("element", using="css selector", value=selector)
        return found

    def click(self, selector: str) -> None:
        """Click, as a user does, on the middle of an element."""
        self._do(f"element/{self.element(selector)[ELEMENT]}/click")

    def click_at(self, x: int, y: int) -> None:
        """Click on a place of the window."""
        pointer = [
            {"type": "pointerMove", "x": x, "y": y, "duration": 0},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": pointer}
        self._do("actions", actions=[mouse])

    def press(self, *keys: str) -> None:
        """Press keys, by their names or as characters."""
        actions = []
        for key in keys:
            value = KEYS.get(key, key)
            actions += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self._do("actions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def choose(self, selector: str, value: str) -> None:
        """Choose an option of a list by its value."""
        self.click(f"{selector} option[value={json.dumps(value)}]")

    def text(self, selector: str) -> str:
        """What one can read in an element."""
        said: str = self.run("return document.querySelector(arguments[0]).innerText", selector)
        return said

    def size(self, width: int, height: int) -> None:
        """Make the page's view so large, as a phone's is, whatever windows may be at least."""
        self._devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def scheme(self, name: str) -> None:
        """Prefer light or dark colours, as the reader's system does, and nothing that glides: where it is would be old
        when it is clicked on."""
        wanted = {"prefers-color-scheme": name, "prefers-reduced-motion": "reduce"}
        self._devtools(
            "Emulation.setEmulatedMedia", features=[{"name": key, "value": value} for key, value in wanted.items()]
        )

    def picture(self, file: Path, whole: bool = False) -> None:
        """A screenshot of what is seen, or of the whole page."""
        shot = self._devtools("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))

    def printed(self) -> bytes:
        """The page on paper, as PDF."""
        return base64.b64decode(self._do("print", background=False))

    def logged(self) -> list[str]:
        """What the console has heard since it was last asked, errors of the browser included."""
        return [f"{entry['level']} {entry['message']}" for entry in self._do("se/log", type="browser")]

    def asked(self) -> list[str]:
        """Every address that files which were opened asked for since it was last looked; their own come first."""
        events = [json.loads(entry["message"])["message"] for entry in self._do("se/log", type="performance")]
        sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [each["request"]["url"] for each in sent if each["documentURL"].startswith("file:")]

    def quit(self) -> None:
        """Close the window."""
        self._ask("DELETE", self._session)


@contextmanager
def chromium(scratch: Path, language: str = "en-US") -> Iterator[Chromium]:
    """A window without a screen, whose profile lies in `scratch`; it and its driver end with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
    arguments += ["--no-first-run", "--hide-scrollbars", f"--lang={language}", f"--user-data-dir={scratch / 'profile'}"]
    arguments += ["--window-size=1280,900", "--force-color-profile=srgb"]
    # Its own sandbox needs what root, containers and some machines do not have; the pages are ours.
    arguments.append("--no-sandbox")
    options = {
        "browserName": "chrome",
        "goog:chromeOptions": {"args": arguments, "perfLoggingPrefs": {"enableNetwork": True}},
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    }
    if path := shutil.which("chromium"):
        options["goog:chromeOptions"]["binary"] = path  # type: ignore[index]
    environ = {**os.environ, "HOME": str(scratch), "TMPDIR": str(scratch), "LANGUAGE": language}
    with open(scratch / "driver.log", "wb") as log:
        driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"], stdout=log, stderr=log, env=environ, start_new_session=True
        )
    try:
        _until(lambda: _answers(port), driver)
        window = Chromium(port, options)
        try:
            yield window
        finally:
            window.quit()
    finally:
        # The driver's group is ours alone: the browser is in it.
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def _until(true: Callable[[], bool], driver: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        if true():
            return
        if driver.poll() is not None:
            raise Failed(f"chromedriver ended with {driver.returncode}")
        time.sleep(0.05)
    raise Failed("chromedriver does not answer")
