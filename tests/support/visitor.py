"""Visit pages in a real Chromium: `python -m tests.support.visitor ORIGIN FOLDER`; prints what was seen, as JSON.

Finds a symbol by typing, changes the date, opens a proof, walks by keyboard; asks axe about each page, and looks at
it at four widths. Leaves pictures in the folder.
"""

import faulthandler
import json
import os
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from tests.support.browser import HEIGHT, LOOK

WIDTHS = (390, 768, 1280, 1920)
SECONDS = 150
AXE = """
axe.run({resultTypes: ['violations']}).then(found => {
  window.axed = JSON.stringify(found.violations.map(one => [one.impact, one.id, one.nodes[0].html]));
}); 0
"""
FOCUSED = "document.activeElement.textContent.trim().slice(0, 40) || document.activeElement.name || ''"


class Visitor:
    """A window of a browser that does what a person does."""

    def __init__(self, origin: str, folder: Path) -> None:
        # Qt reads its environment when it is imported
        from PyQt6.QtCore import QEventLoop, QTimer  # noqa: PLC0415
        from PyQt6.QtWebEngineWidgets import QWebEngineView  # noqa: PLC0415
        from PyQt6.QtWidgets import QApplication  # noqa: PLC0415

        self._application = QApplication(sys.argv[:1])
        self._view, self._loop, self._timer = QWebEngineView(), QEventLoop(), QTimer
        self._origin, self._folder = origin, folder
        self._page().renderProcessTerminated.connect(self._fail)

    def open(self, path: str) -> None:
        from PyQt6.QtCore import QUrl  # noqa: PLC0415

        self.and_wait(lambda: self._view.load(QUrl(self._origin + path)))

    def and_wait(self, act: Callable[[], object]) -> None:
        """Do what loads a page, and wait until it is loaded."""
        loaded: list[bool] = []
        self._view.loadFinished.connect(loaded.append)
        act()  # a page of this machine may be loaded before this returns
        while not loaded:
            self.rest(20)
        self._view.loadFinished.disconnect(loaded.append)

    def run(self, script: str) -> Any:
        answers: list[Any] = []
        self._page().runJavaScript(script, answers.append)
        while not answers:
            self._application.processEvents()
        return answers[0]

    def until(self, script: str) -> Any:
        """Run a script until what it returns is true."""
        while not (found := self.run(script)):
            self.rest(50)
        return found

    def rest(self, milliseconds: int) -> None:
        self._timer.singleShot(milliseconds, self._loop.quit)
        self._loop.exec()

    def press(self, key: str) -> None:
        from PyQt6.QtCore import Qt  # noqa: PLC0415
        from PyQt6.QtTest import QTest  # noqa: PLC0415

        target = self._view.focusProxy()
        assert target is not None
        code: Qt.Key = getattr(Qt.Key, f"Key_{key}")
        QTest.keyClick(target, code)  # type: ignore[call-overload]  # its types demand a QTest too
        self.rest(60)

    def look(self, name: str, width: int) -> dict[str, Any]:
        self._view.resize(width, HEIGHT)
        self._view.show()
        self.rest(300)
        self._view.grab().save(str(self._folder / f"{name}-{width}.png"))
        return dict(json.loads(self.run(LOOK)))

    def axe(self) -> list[list[str]]:
        self.run((files("axe_core_python") / "axe.min.js").read_text())
        self.run("delete window.axed; 0")
        self.run(AXE)
        return list(json.loads(self.until("window.axed")))

    def _page(self) -> Any:
        return self._view.page()

    @staticmethod
    def _fail(status: object, code: int) -> None:
        print(f"The page's process ended: {status}, {code}.", file=sys.stderr, flush=True)
        os._exit(3)


def main() -> None:
    origin, folder, scheme, *paths = sys.argv[1:]
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    dark = int(scheme == "light")  # Chromium numbers its schemes so
    os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = (
        "--no-sandbox --disable-dev-shm-usage --disable-gpu --disable-background-networking "
        f"--blink-settings=preferredColorScheme={dark}"
    )
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    visitor = Visitor(origin, Path(folder))
    seen = {"pages": {path: _examined(visitor, path, f"{scheme}-{at}") for at, path in enumerate(paths)}}
    print(json.dumps(seen | (_journey(visitor) if scheme == "light" else {})), flush=True)
    os._exit(0)  # Qt's own end waits for a display that is missing


def _examined(visitor: Visitor, path: str, name: str) -> dict[str, Any]:
    visitor.open(path)
    return {"looks": [visitor.look(name, width) for width in WIDTHS], "axe": visitor.axe()}


def _journey(visitor: Visitor) -> dict[str, Any]:
    """Find AAPL by typing, as a reader does; then an earlier date, the proof, and the way by keyboard."""
    visitor.open("/")
    visitor.run("document.getElementById('q').focus(); 0")
    for key in "AAP":
        visitor.press(key)
    suggested = visitor.until("[...document.querySelectorAll('#suggestions option')].map(one => one.value).join()")
    visitor.press("L")
    visitor.and_wait(lambda: visitor.press("Return"))
    found = visitor.run("location.pathname")
    figure = "document.querySelector('.figure').textContent"
    now = visitor.run(figure)
    visitor.run("document.querySelector('[name=as_of]').value = '2025-12-16'; 0")
    visitor.and_wait(lambda: visitor.run("document.querySelector('.controls button').click(); 0"))
    before, address = visitor.run(figure), visitor.run("location.search")
    visitor.and_wait(lambda: visitor.run("document.querySelector('a.figure').click(); 0"))
    proof = visitor.run("document.querySelector('h1').textContent")
    visitor.run("document.activeElement.blur(); 0")
    walked = []
    for _ in range(4):
        visitor.press("Tab")
        walked.append(visitor.run(FOCUSED))
    answers = {"suggested": suggested, "found": found, "now": now, "before": before}
    return answers | {"address": address, "proof": proof, "walked": walked}


if __name__ == "__main__":
    main()
