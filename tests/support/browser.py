"""Look at a page in a real Chromium: `python -m tests.support.browser PAGE FOLDER SCHEME WIDTH...`.

Prints a list of JSON objects, one a width: what the page asked for, whether it fits, and texts that are hard to read.
Leaves a picture of each in the folder.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

HEIGHT = 900
# Text and what is behind it, for every text that is shown; contrast by WCAG 2.2, 1.4.3.
LOOK = """
(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = colour => rgb(colour).slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = element => {
    for (let one = element; one; one = one.parentElement)
      if (rgb(getComputedStyle(one).backgroundColor)[3] > 0) return getComputedStyle(one).backgroundColor;
    return 'white';
  };
  const faint = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length || element.closest('svg')) continue;
    texts += 1;
    const [one, other] = [light(getComputedStyle(element).color), light(behind(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) faint.push([walker.currentNode.data.trim(), contrast.toFixed(2)]);
  }
  return JSON.stringify({
    width: innerWidth, content: document.documentElement.scrollWidth, texts, faint: faint.slice(0, 9),
    page: getComputedStyle(document.body).backgroundColor, injected: String(window.injected),
    drawn: [...document.querySelectorAll('main svg')].filter(svg => svg.getBoundingClientRect().width > 0).length,
  });
})()
"""


def main() -> None:
    page, folder, scheme, *widths = sys.argv[1:]
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    dark = int(scheme == "light")  # Chromium numbers its schemes so
    os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = (
        "--no-sandbox --disable-dev-shm-usage --disable-gpu --disable-background-networking "
        f"--blink-settings=preferredColorScheme={dark}"
    )
    print(json.dumps(_looked(Path(page).absolute(), Path(folder), scheme, [int(width) for width in widths])))


def _looked(page: Path, folder: Path, scheme: str, widths: list[int]) -> list[dict[str, Any]]:
    # Qt reads its environment when it is imported
    from PyQt6.QtCore import QEventLoop, QTimer, QUrl  # noqa: PLC0415
    from PyQt6.QtWebEngineCore import QWebEngineUrlRequestInfo, QWebEngineUrlRequestInterceptor  # noqa: PLC0415
    from PyQt6.QtWebEngineWidgets import QWebEngineView  # noqa: PLC0415
    from PyQt6.QtWidgets import QApplication  # noqa: PLC0415

    requests: list[str] = []

    class Listener(QWebEngineUrlRequestInterceptor):
        def interceptRequest(self, info: QWebEngineUrlRequestInfo) -> None:  # noqa: N802 - Qt's name
            requests.append(info.requestUrl().toString())

    application = QApplication(sys.argv[:1])
    view, loop, listener = QWebEngineView(), QEventLoop(), Listener()
    opened = view.page()
    assert opened is not None
    opened.setUrlRequestInterceptor(listener)
    QTimer.singleShot(60_000, lambda: application.exit(1))
    found = []
    for width in widths:
        view.resize(width, HEIGHT)
        view.show()
        view.loadFinished.connect(loop.quit)
        view.load(QUrl.fromLocalFile(str(page)))
        loop.exec()
        view.loadFinished.disconnect(loop.quit)
        QTimer.singleShot(400, loop.quit)  # a frame is drawn after it is laid out
        loop.exec()
        answers: list[str] = []
        opened.runJavaScript(LOOK, answers.append)
        while not answers:
            application.processEvents()
        view.grab().save(str(folder / f"{scheme}-{width}.png"))
        found.append(json.loads(answers[0]) | {"requests": list(dict.fromkeys(requests))})
    return found


if __name__ == "__main__":
    main()
