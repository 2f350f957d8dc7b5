"""A real Chromium in the hand of a test, by its own protocol over a pipe: no driver, no library, no port.

Standard: Chrome DevTools Protocol 1.3
"""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers import need

_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--lang=vi",
    "--accept-lang=vi",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)
_LONGEST_S = 30.0


class Tab:
    """One page."""

    def __init__(self, pipe: _Pipe, session: str) -> None:
        self._pipe = pipe
        self._session = session
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol."""
        return self._pipe.call(method, self._session, **parameters)

    def size(self, width: int, height: int = 800, *, dark: bool = False) -> None:
        """Be a screen of this size."""
        mobile = width < 600
        metrics = {"width": width, "height": height, "screenWidth": width, "screenHeight": height}
        self.call("Emulation.setDeviceMetricsOverride", **metrics, deviceScaleFactor=2 if mobile else 1, mobile=mobile)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def languages(self, accept: str) -> None:
        """Prefer these languages."""
        self.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": accept})

    def scripts(self, *, allowed: bool) -> None:
        """Run scripts of pages, or none."""
        self.call("Emulation.setScriptExecutionDisabled", value=not allowed)

    def open(self, address: str) -> None:
        """Go to an address and wait until it is there."""
        self.call("Page.navigate", url=address)
        self.until(f"location.href !== 'about:blank' && document.readyState === 'complete' && {json.dumps(address)}")

    def run(self, script: str) -> Any:
        """Give the value of an expression in the page, awaited."""
        said = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in said:
            raise AssertionError(said["exceptionDetails"])
        return said["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until an expression is true; a page that is just being left answers nothing."""
        end = time.monotonic() + _LONGEST_S
        while time.monotonic() < end:
            try:
                if self.run(f"!!({script})"):
                    return
            except AssertionError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"{script} did not come true; the page says: {self.run('document.body.innerText')}")

    def text(self, selector: str = "main") -> str:
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def type(self, selector: str, text: str) -> None:
        """Put text into a field, as if it was typed."""
        self.run(
            f"{{const f = document.querySelector({json.dumps(selector)}); f.value = {json.dumps(text)};"
            " f.dispatchEvent(new Event('input', {bubbles: true})) }"
        )

    def choose_file(self, selector: str, path: Path) -> None:
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def picture(self, path: Path) -> None:
        """Keep what is seen, the whole page."""
        taken = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))

    def complaints(self) -> list[str]:
        """Say what the browser did not like: policies that were broken, scripts that failed, files that are not there."""
        found = []
        for event in self._pipe.events:
            said = event.get("params", {})
            if event.get("sessionId") != self._session:
                continue
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(said["exceptionDetails"].get("exception", {}).get("description", "exception")))
            elif event["method"] == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
                found.append(said["entry"]["text"])
        return found

    def asked(self) -> set[str]:
        """Name every origin that the page asked for anything."""
        return {
            "/".join(event["params"]["request"]["url"].split("/")[:3])
            for event in self._pipe.events
            if event["method"] == "Network.requestWillBeSent" and event.get("sessionId") == self._session
        } - {"data:"}


class _Pipe:
    def __init__(self, to: int, out: int) -> None:
        self._to, self._from = to, out
        self._numbers = itertools.count(1)
        self._read = b""
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str = "", **parameters: Any) -> Any:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        sent = json.dumps(message).encode() + b"\0"
        while sent:
            sent = sent[os.write(self._to, sent) :]
        while True:
            answer = self._next()
            if answer.get("id") == number:
                if "error" in answer:
                    raise AssertionError(answer["error"])
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            chunk = os.read(self._from, 1 << 16)
            if not chunk:
                raise AssertionError("Chromium went away")
            self._read += chunk
        message, _, self._read = self._read.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer


@contextmanager
def chromium(folder: Path) -> Iterator[Tab]:
    """Start a Chromium of its own in `folder`, with one empty page."""
    program = shutil.which("chromium")
    need(program, "chromium")
    ends = [end for pair in (os.pipe(), os.pipe()) for end in pair]
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in ends]
    for end in ends:
        os.close(end)
    theirs_in, to, out, theirs_out = high
    command = [str(program), *_ARGUMENTS, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(
        ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", *command],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        pipe = _Pipe(to, out)
        target = pipe.call("Target.createTarget", url="about:blank")["targetId"]
        session = pipe.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        yield Tab(pipe, session)
    finally:
        process.terminate()
        process.wait(20)
        os.close(to)
        os.close(out)
