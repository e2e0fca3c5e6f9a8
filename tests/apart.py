"""Files of tests that run in a fresh process of their own.

What a walk of the heap costs, and finds, is what is in the process, and so is what a
collection costs: one that tests everything holds pandas, dask, Jupyter and what other files
have made. Nor are there other files' threads. So the items are sent to a child, which is a
pytest of one file, and its reports are passed on as if they were ours. What starts a kernel
stays here, as does everything under a debugger.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from multiprocessing import util
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FOLDERS = [HERE / name for name in ("graphs", "lprun", "memit", "memory", "lines")]
FILES = {HERE / "live" / "test_children_lines.py"}
CHANNEL = "NBPROBE_TEST_CHANNEL"  # in a child: the descriptor of its end


def is_apart(path: Path) -> bool:
    """Whether a file of tests runs in a process of its own."""
    return path in FILES or any(folder in path.parents for folder in FOLDERS)


class Child:
    """A pytest of one file that runs the items it is told to, one at a time."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self.path = path
        self.config = config
        flags = util._args_from_interpreter_flags()  # type: ignore[attr-defined]
        limit = config.getoption("timeout", None)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.process = subprocess.Popen(
                [sys.executable, *flags, "-m", "pytest", f"--rootdir={config.rootpath}"]
                + ["-p", "no:cacheprovider", "-p", "pytest_timeout"]
                + ([f"--timeout={limit}"] if limit else [])
                + [str(path)],
                cwd=config.invocation_params.dir,
                # Plugins that are not needed would be a third of its heap.
                env={
                    **os.environ,
                    CHANNEL: str(theirs.fileno()),
                    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                },
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            self.channel = ours.makefile("rw", encoding="utf-8")

    def run(self, item: pytest.Item, following: str) -> list[pytest.TestReport]:
        """Give the reports of one item; `following` is the id of the next, if any."""
        reports: list[pytest.TestReport] = []
        with contextlib.suppress(OSError):
            print(json.dumps([item.nodeid, following]), file=self.channel, flush=True)
            for line in self.channel:
                if (data := json.loads(line)) is None:
                    return reports
                if isinstance(data["longrepr"], list):  # JSON has no tuple
                    data["longrepr"] = tuple(data["longrepr"])
                reports.append(pytest.TestReport._from_json(data))
        said = self.end()
        pytest.fail(f"the child ended with {self.process.returncode}: {said}", False)

    def end(self) -> str:
        """End it, and give what it printed."""
        with contextlib.suppress(OSError):
            self.channel.close()
        try:
            said, _ = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            said, _ = self.process.communicate()
        return said.decode(errors="replace")


class Parent:
    """The hooks of a pytest that hands items on."""

    def __init__(self) -> None:
        self.child: Child | None = None

    def run(self, item: pytest.Item, following: str) -> list[pytest.TestReport]:
        """Give the reports of one item, in the child of its file."""
        if self.child is None or self.child.path != item.path:
            self.end()
            self.child = Child(item.config, item.path)
        reports = self.child.run(item, following)
        if not following:
            self.end()
        return reports

    def end(self) -> None:
        """End the child, which must not crash at its end either."""
        child, self.child = self.child, None
        if child is not None:
            said = child.end()
            assert child.process.returncode in (0, 1), said

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        if not is_apart(item.path) or item.get_closest_marker("kernel"):
            return None
        same = nextitem is not None and nextitem.path == item.path
        following = nextitem.nodeid if same and nextitem is not None else ""
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports: list[pytest.TestReport] = []
        call = pytest.CallInfo.from_call(
            lambda: reports.extend(self.run(item, following)),
            "call",
            reraise=(KeyboardInterrupt, pytest.exit.Exception),
        )
        if call.excinfo is not None:  # a timeout of ours, or the child has crashed
            reports = [pytest.TestReport.from_item_and_call(item, call)]
            if self.child is not None:
                self.child.process.send_signal(signal.SIGABRT)  # it says where it was
                reports[0].sections.append(("the child", self.child.end()))
                self.child = None
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        # What the item before left in place for this one.
        item.session._setupstate.teardown_exact(nextitem)
        return True

    def pytest_sessionfinish(self) -> None:
        if self.child is not None:
            self.child.process.kill()
            self.child.end()


class Runner:
    """The hooks of a child: the loop of its session, and where reports go."""

    def __init__(self, channel: socket.socket) -> None:
        with channel:
            self.channel = channel.makefile("rw", encoding="utf-8")

    def say(self, data: object) -> None:
        """Send one line."""
        print(json.dumps(data, default=str), file=self.channel, flush=True)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        for line in self.channel:
            this, following = json.loads(line)
            session.config.hook.pytest_runtest_protocol(
                item=items[this], nextitem=items.get(following)
            )
            self.say(None)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.say(report._to_json())


def configure(config: pytest.Config) -> None:
    """Take the part that this process has."""
    if CHANNEL in os.environ:
        descriptor = int(os.environ.pop(CHANNEL))
        os.set_inheritable(descriptor, False)
        runner = Runner(socket.socket(fileno=descriptor))
        config.pluginmanager.register(runner, "runner of one file")
    elif not config.getoption("usepdb"):
        config.pluginmanager.register(Parent(), "files in children")
