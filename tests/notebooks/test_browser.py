"""The drawing pad and the slider, in a real browser against a real Jupyter server.

With ``PYNQ_EE_PICTURES=docs/pictures`` the screenshots of the documentation are written there.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="pip install 'pynq_ee[dev]'")
nbformat = pytest.importorskip("nbformat", reason="pip install 'pynq_ee[dev]'")
jupyter_client = pytest.importorskip("jupyter_client", reason="pip install 'pynq_ee[dev]'")
for needed in ("notebook", "anywidget"):
    pytest.importorskip(needed, reason="pip install 'pynq_ee[dev]'")

import notebook_execution as execution  # noqa: E402, needs the lines before it

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt install chromium"),
    pytest.mark.usefixtures("digits"),
]

PICTURES = os.environ.get("PYNQ_EE_PICTURES")
LARGEST_PICTURE = 200_000

#: Longest time for the server, for a page, or for a notebook's cells.
SECONDS = 60

#: The notebook of the pad, in a kernel that has no anywidget, as that of a stock PYNQ image.
WITHOUT_ANYWIDGET = "without_anywidget.ipynb"

#: Reads ``expression`` in a page's kernel.
Kernel = Callable[[str], Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A Jupyter server of its own, with the notebooks in its folder."""
    home = tmp_path_factory.mktemp("jupyter")
    for path in execution.FOLDER.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        if path.stem == "02_trade_off":
            last = next(number for number, cell in enumerate(notebook.cells) if "tradeoff.slider(" in cell.source)
            del notebook.cells[last + 1 :]  # so that the kernel's network stays open
            execution.with_parameters(notebook, IMAGES=1000 if PICTURES else 100)
        nbformat.write(notebook, home / path.name)
        if path.stem == "03_draw_a_digit":
            notebook.cells.insert(0, nbformat.v4.new_code_cell('import sys\n\nsys.modules["anywidget"] = None'))
            nbformat.write(notebook, home / WITHOUT_ANYWIDGET)
    variables = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "notebook", "--no-browser", "--allow-root", "--expose-app-in-browser"),
            *(f"--ServerApp.root_dir={home}", "--ServerApp.port=0", "--ServerApp.ip=127.0.0.1"),
            "--LabApp.collaborative=False",
        ],
        env={**os.environ, **variables, "IPYTHONDIR": str(home / "ipython"), "HOME": str(home)}
        | {"PYNQ_EE_CACHE": os.environ.get("PYNQ_EE_CACHE", str(Path.home() / ".cache" / "pynq_ee"))},
        stdout=subprocess.DEVNULL,
        stderr=(home / "log").open("wb"),
    )
    try:
        yield {**wait_for_server(process, home), "runtime": home / "runtime"}
    finally:
        process.terminate()
        process.wait(SECONDS)


def wait_for_server(process: subprocess.Popen[bytes], home: Path) -> dict[str, Any]:
    """Address and token of a server that answers."""
    give_up = time.monotonic() + SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        for path in (home / "runtime").glob("jpserver-*.json"):
            with contextlib.suppress(OSError, json.JSONDecodeError):
                found = json.loads(path.read_text())
                urlopen(f"{found['url']}api?token={found['token']}", timeout=5).close()
                return dict(found)
        time.sleep(0.1)
    raise AssertionError(f"the server did not start: {(home / 'log').read_text()[-2000:]}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_notebook(server: dict[str, Any], browser: Any) -> Iterator[Callable[[str, str], tuple[Any, Kernel]]]:
    """Open a notebook, run its cells until a selector is there, and return the page and its kernel."""
    with contextlib.ExitStack() as stack:

        def opened(name: str, selector: str) -> tuple[Any, Kernel]:
            page = stack.enter_context(contextlib.closing(browser.new_page(viewport={"width": 1100, "height": 1300})))
            page.set_default_timeout(1000 * SECONDS)
            page.goto(f"{server['url']}notebooks/{name}?token={server['token']}")
            page.wait_for_function(
                "window.jupyterapp && window.jupyterapp.shell.currentWidget?.sessionContext?.isReady"
            )
            page.wait_for_function(
                "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status == 'idle'"
            )
            page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
            page.wait_for_selector(selector)
            identity = page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id")
            client = jupyter_client.BlockingKernelClient()
            client.load_connection_file(str(server["runtime"] / f"kernel-{identity}.json"))
            client.start_channels()
            stack.callback(client.stop_channels)
            return page, lambda expression: value_of(client, expression)

        yield opened


def value_of(client: Any, expression: str) -> Any:
    """The value, of JSON's types, of an expression in a kernel."""
    reply = client.execute("", silent=True, user_expressions={"value": expression}, reply=True, timeout=SECONDS)
    value = reply["content"]["user_expressions"]["value"]
    assert value["status"] == "ok", value
    return ast.literal_eval(value["data"]["text/plain"])


def draw(page: Any, *corners: tuple[float, float]) -> None:
    """One stroke over the pad, through places given as shares of its sides, with the mouse."""
    pad = page.locator("canvas.pynq-ee-pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=12)
    page.mouse.up()


def bars(page: Any) -> list[tuple[str, float]]:
    """Each exit's answer and entropy, as the page shows them."""
    found = page.locator(".pynq-ee-exit")
    return [
        (bar.get_attribute("data-label"), float(bar.get_attribute("data-nats")))
        for bar in map(found.nth, range(found.count()))
    ]


def keep_picture(page: Any, selector: str, name: str, folder: Path) -> None:
    """A screenshot of what a cell shows; in the documentation's folder where that is asked for."""
    path = (Path(PICTURES) if PICTURES else folder) / name
    page.locator(".jp-OutputArea-output").filter(has=page.locator(selector)).last.screenshot(path=path)
    assert 5_000 < path.stat().st_size < LARGEST_PICTURE


def test_what_is_drawn_is_classified_by_the_fabric_at_every_stroke(open_notebook: Any, tmp_path: Path) -> None:
    page, kernel = open_notebook("03_draw_a_digit.ipynb", "canvas.pynq-ee-pad")
    assert page.locator(".pynq-ee-label").count() == 0

    images = kernel("network.accelerator.counters.images")
    draw(page, (0.5, 0.15), (0.48, 0.85))
    page.wait_for_selector('.pynq-ee-label:text-is("1")')
    for _ in range(100):  # what a part of the stroke looked like may be shown first
        one = bars(page)
        if one[0][0] == "1":
            break
        page.wait_for_timeout(100)
    assert [label for label, _ in one] == ["1", "1"] and all(0 <= nats < 2.31 for _, nats in one)
    assert kernel("network.accelerator.counters.images") > images

    page.locator("button.pynq-ee-clear").click()
    page.wait_for_selector(".pynq-ee-label", state="detached")

    draw(page, (0.25, 0.2), (0.75, 0.2), (0.45, 0.85))
    page.wait_for_selector('.pynq-ee-label:text-is("7")')
    for _ in range(100):
        if bars(page)[0][0] == "7":
            break
        page.wait_for_timeout(100)
    assert bars(page)[0][0] == "7" and bars(page) != one
    shown = page.locator("img.jupyter-widgets").evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert shown == [7 * 112 + 6 * 8, 112]
    keep_picture(page, "canvas.pynq-ee-pad", "draw.png", tmp_path)


def test_without_anywidget_what_is_drawn_is_classified_when_the_pen_rests(open_notebook: Any) -> None:
    page, kernel = open_notebook(WITHOUT_ANYWIDGET, "canvas.pynq-ee-pad")
    assert "anywidget" in page.locator("text=when the pen rests").last.inner_text()
    images = kernel("network.accelerator.counters.images")
    draw(page, (0.5, 0.15), (0.48, 0.85))
    page.wait_for_selector('.pynq-ee-label:text-is("1")')
    assert kernel("network.accelerator.counters.images") > images
    page.locator("button.pynq-ee-clear").click()
    page.wait_for_selector(".pynq-ee-label", state="detached")
    draw(page, (0.25, 0.2), (0.75, 0.2), (0.45, 0.85))
    page.wait_for_selector('.pynq-ee-label:text-is("7")')
    assert page.locator("textarea:visible").count() == 0 and page.locator("canvas.pynq-ee-pad").count() == 1


def test_the_slider_moves_the_threshold_and_the_figures_with_it(open_notebook: Any, tmp_path: Path) -> None:
    page, kernel = open_notebook("02_trade_off.ipynb", ".pynq-ee-figures")
    handle = page.locator(".noUi-handle").first
    table = page.locator(".pynq-ee-figures").first

    def threshold() -> float:
        return float(table.get_attribute("data-threshold"))

    def figures() -> dict[str, str]:
        rows = table.locator(".pynq-ee-figure")
        return {row.get_attribute("data-name"): row.inner_text() for row in map(rows.nth, range(rows.count()))}

    before, first = threshold(), figures()
    assert set(first) == {"accuracy", "left early", "throughput", "energy"}
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] - 300, box["y"] + box["height"] / 2, steps=10)
    page.mouse.up()
    page.wait_for_function(
        "before => Number(document.querySelector('.pynq-ee-figures').dataset.threshold) < before / 10", arg=before
    )
    assert figures()["left early"] != first["left early"] and figures()["throughput"] != first["throughput"]
    keep_picture(page, ".pynq-ee-figures", "tradeoff.png", tmp_path)
    assert kernel("network.threshold") == (pytest.approx(threshold(), abs=1e-6),)
