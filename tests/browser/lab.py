"""A real JupyterLab in a real Chromium, for tests and for pictures.

    with lab.server(folder) as jupyter, lab.browser() as chromium:
        page = jupyter.open(chromium, "timeit.ipynb", theme="dark")
        page.run_all()
        page.outputs()[0].html
        page.screenshot("timeit.png")

The server listens on 127.0.0.1 with a token of its own; its settings, its kernels and its
browser profile live in a temporary folder, and its whole process group ends with it. A
notebook is untrusted when it holds outputs that this server has not signed: open it
without `run_all` to see what a reader of somebody else's notebook sees.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "google-chrome", "chromium-browser")
BROWSER_ARGUMENTS = [
    "--no-sandbox",  # root in a container has no user namespaces
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
# On a machine with much else to do, where both have never run before.
PATIENCE_S = 240


@cache
def chromium() -> str | None:
    """Path of a Chromium that runs (Ubuntu ships one that only points to a store)."""
    for name in BROWSERS:
        path = shutil.which(name)
        if path is None:
            continue
        done = subprocess.run([path, "--version"], capture_output=True)
        if done.returncode == 0:
            return path
    return None


def why_not() -> str | None:
    """One line saying why there can be no browser test here; None where there can."""
    for module in ("jupyterlab", "playwright"):
        try:
            __import__(module)
        except ImportError:
            return f"{module} is not installed: pip install 'nbprobe[browser]'"
    if chromium() is None:
        return "no Chromium was found: install the package chromium"
    return None


def notebook(*sources: str, outputs: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """A notebook of code cells, as plain data.

    Parameters
    ----------
    *sources : str
        The code of each cell.
    outputs : sequence of dict of str to str
        Mime bundles (``{"text/html": ..., "text/plain": ...}``), one for each of the first
        cells: they make it an executed notebook that nobody has signed.
    """
    cells: list[dict[str, Any]] = []
    for i, source in enumerate(sources):
        cell: dict[str, Any] = {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell-{i}",
            "metadata": {},
            "outputs": [],
            "source": source,
        }
        if i < len(outputs):
            cell["execution_count"] = i + 1
            cell["outputs"] = [
                {"output_type": "display_data", "metadata": {}, "data": outputs[i]}
            ]
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a cell as the browser shows it."""

    mime: str  # the representation that JupyterLab chose, "text/html" for example
    html: str  # the inner HTML of the element that shows it, after any sanitizing
    text: str  # what can be read there


class Page:
    """A notebook that is open in a tab."""

    def __init__(self, page: Any) -> None:
        self.page = page  # playwright's, for whatever has no method here

    def run_all(self) -> None:
        """Run every cell and wait until the kernel has nothing left to do."""
        self.page.click("li.lm-MenuBar-item:has-text('Run')")
        self.page.click('li.lm-Menu-item[data-command="runmenu:run-all"]')
        # A cell that waits or runs shows [*], one that has run its number, and one that
        # an error before it kept from running nothing.
        self.page.wait_for_function(
            """() => {
                const prompts = [...document.querySelectorAll(
                    '.jp-CodeCell .jp-InputPrompt')].map(prompt => prompt.textContent);
                return prompts.some(text => /\\d/.test(text))
                    && !prompts.some(text => text.includes('*'));
            }""",
            timeout=3 * PATIENCE_S * 1000,
        )
        self.wait_idle()

    def wait_idle(self) -> None:
        """Wait until the kernel is there and idle."""
        self.page.wait_for_selector(
            '.jp-Notebook-ExecutionIndicator[data-status="idle"]', state="attached"
        )

    def save(self) -> None:
        """Write the notebook to its file, and wait until it is there."""
        with self.page.expect_response(
            lambda answer: (
                answer.request.method == "PUT" and "/api/contents/" in answer.url
            )
        ):
            self.page.keyboard.press("Control+s")

    def outputs(self) -> list[Output]:
        """What the cells show, in the order of the notebook."""
        shown = self.page.eval_on_selector_all(
            ".jp-OutputArea-output",
            "all => all.map(e => [e.dataset.mimeType || '', e.innerHTML, e.innerText])",
        )
        return [Output(*values) for values in shown]

    def screenshot(
        self, path: Path | str, selector: str = ".jp-NotebookPanel-notebook"
    ) -> None:
        """Save what `selector` shows as a PNG file."""
        self.page.locator(selector).first.screenshot(path=str(path))

    def close(self) -> None:
        """Close the tab; the notebook and its kernel stay."""
        self.page.close()


class Lab:
    """A running server; `folder` is what it serves."""

    def __init__(self, folder: Path, url: str, token: str, settings: Path) -> None:
        self.folder, self.url, self.token = folder, url, token
        self._settings = settings

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Put the notebook `content` (see `notebook`) into the folder."""
        (self.folder / name).write_text(json.dumps(content), encoding="utf-8")

    def open(self, browser: Any, name: str, *, theme: str = "light") -> Page:
        """Open the notebook `name` in a new tab of `browser`; ``theme`` light or dark."""
        # Read by the server with each page it serves.
        self._settings.write_text(
            json.dumps(
                {
                    "@jupyterlab/apputils-extension:themes": {"theme": THEMES[theme]},
                    # All cells are in the document, also those below the window.
                    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
                    # The news toast covers a corner of every picture.
                    "@jupyterlab/apputils-extension:notification": {
                        "fetchNews": "false",
                        "checkForUpdates": False,
                        "doNotDisturbMode": True,
                    },
                }
            ),
            encoding="utf-8",
        )
        tab = browser.new_page()
        tab.set_default_timeout(PATIENCE_S * 1000)
        tab.goto(f"{self.url}/doc/tree/{name}?token={self.token}&reset")
        page = Page(tab)
        tab.wait_for_selector(
            f'body[data-jp-theme-name="{THEMES[theme]}"]', state="attached"
        )
        # The page says "idle" before it has a kernel, and would ask which one to start.
        deadline = time.monotonic() + PATIENCE_S
        while not self._kernel_is_ready(name):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} has no kernel after {PATIENCE_S} s")
            tab.wait_for_timeout(100)
        page.wait_idle()
        tab.wait_for_selector(".jp-CodeCell .cm-content")
        return page

    def answers(self) -> bool:
        """Whether the server is ready."""
        try:
            self._get("status")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def _get(self, resource: str) -> Any:
        address = f"{self.url}/api/{resource}?token={self.token}"
        with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def _kernel_is_ready(self, name: str) -> bool:
        """Whether the notebook's kernel waits for code and its page is connected."""
        return any(
            session["path"] == name
            and session["kernel"]["execution_state"] == "idle"
            and session["kernel"]["connections"] > 0
            for session in self._get("sessions")
        )


def _free_port() -> int:
    """Find a port below those that the system gives to whoever wants just any."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def server(folder: Path) -> Iterator[Lab]:
    """Run JupyterLab on `folder` with this interpreter's kernel, and nothing of the user's."""
    token, port = secrets.token_hex(16), _free_port()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as own:
        home = Path(own)
        environment = {
            **os.environ,
            "IPYTHONDIR": str(home / "ipython"),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        }
        (home / "app").mkdir()
        settings = home / "app" / "overrides.json"
        settings.write_text("{}")
        with open(home / "log", "wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser",
                    "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
                    f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}",
                    f"--LabServerApp.app_settings_dir={home / 'app'}",
                    f"--LabApp.app_settings_dir={home / 'app'}",
                ],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        try:
            lab = Lab(folder, f"http://127.0.0.1:{port}", token, settings)
            deadline = time.monotonic() + PATIENCE_S
            while not lab.answers():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((home / "log").read_text(errors="replace"))
                time.sleep(0.1)
            yield lab
        finally:
            _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End the server and its kernels, which it may no longer be able to end itself."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


@contextmanager
def browser(*, width: int = 1000, height: int = 800, scale: float = 1) -> Iterator[Any]:
    """Run Chromium without a window; yields playwright's browser context."""
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        sync_playwright() as p,
    ):
        context = p.chromium.launch_persistent_context(
            profile,
            executable_path=chromium(),
            headless=True,
            timeout=PATIENCE_S * 1000,
            args=BROWSER_ARGUMENTS,
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
        )
        try:
            yield context
        finally:
            context.close()
