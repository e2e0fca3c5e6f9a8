"""What programs may do while the core looks at them; each crashed the interpreter once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# Each in a process of its own, whose allocator overwrites what is freed.
SCRIPTS = {
    "a text of one zero in a picture": """
from nbprobe import _core
_core.draw([{"label": chr(0)}], [], {})
# The interpreter has one object for all strings of that byte.
assert bytes([0])[0] == bytearray(1)[0] == 0
""",
    "objects that _asyncio keeps for reuse": """
import asyncio, gc
from nbprobe._core import Allocations

async def main():
    futures = [asyncio.get_running_loop().create_future() for _ in range(50)]
    async def wait(future):
        await future
    tasks = [asyncio.create_task(wait(future)) for future in futures]
    await asyncio.sleep(0)
    for future in futures:
        future.set_result(1)
    await asyncio.gather(*tasks)

with Allocations() as counted:
    asyncio.run(main())
    found = counted.objects()
    assert "FutureIter" not in {type(one).__name__ for one in found}
    assert "FutureIter" not in {kind.__name__ for kind, _, _ in counted.types()}
    del found
    asyncio.run(main())
    gc.collect()
""",
    "finalizers that are recorded while a recording is read": """
import gc
from nbprobe._core import Calls

class Loud:
    def __init__(self):
        self.me = self
    def __del__(self):
        names = {}
        for number in range(60):
            exec(f"def f{number}(): pass\\nf{number}()", names)

calls = Calls()
gc.disable()
calls.enable()
for _ in range(30):
    Loud()
gc.set_threshold(1)
gc.enable()
for _ in range(10):
    functions, threads = calls.table()
    assert all(functions) and threads
    assert None not in calls.codes()
    Loud()
calls.disable()
""",
    "finalizers that clear what is read": """
import gc
from nbprobe._core import Calls

refused = []

class Clears:
    def __init__(self):
        self.me = self
    def __del__(self):
        try:
            calls.clear()
        except RuntimeError as error:
            refused.append(str(error))

calls = Calls()
with calls:
    exec("".join(f"def f{number}(): pass\\nf{number}()\\n" for number in range(300)))
gc.disable()
Clears()
gc.set_threshold(1)
gc.enable()
calls.table()
assert set(refused) <= {"the recording is being read"}
""",
    "finalizers that allocate while places are read": """
import gc
from nbprobe._core import Allocations

def many(first, last):
    return "".join(f"kept.append(bytes({size}))\\n" for size in range(first, last))

class Loud:
    def __init__(self):
        self.me = self
    def __del__(self):
        exec(many(1000, 1700), {"kept": []})

gc.disable()
counted = Allocations(3, frames=20)
counted.start()
exec(many(2000, 2100), {"kept": []})
for _ in range(5):
    Loud()
gc.set_threshold(1)
gc.enable()
for by in ("line", "traceback", "function", "file"):
    for _ in range(3):
        assert counted.table(by)
        Loud()
counted.stop()
""",
    "threads that end in an audit hook": """
import sys, threading
from nbprobe._core import Calls, LineEngine

armed = False

def hook(event, _):
    global armed
    if armed and event in ("sys.setprofile", "sys.settrace"):
        armed = False
        go.set()
        for thread in threads:
            thread.join()
        [bytearray(600) for _ in range(2000)]

def numbers():
    while True:
        yield 1

sys.addaudithook(hook)
left = numbers()
next(left)
for tool in (Calls, LineEngine):
    go = threading.Event()
    threads = [threading.Thread(target=go.wait) for _ in range(20)]
    for thread in threads:
        thread.start()
    used = tool()
    armed = True
    if tool is Calls:
        used.enable()
        used.disable()
    else:
        used.add(numbers)
        used.start()
        used.stop()
    go.set()
assert sys.getprofile() is sys.gettrace() is None
""",
    "a timer of the user's and an exception": """
import time
from nbprobe._core import Calls
calls = Calls(timer=time.perf_counter)
for function, argument, error in ((int, "x", ValueError), (len, 3, TypeError)):
    try:
        calls.runcall(function, argument)
    except error:
        pass
    else:
        raise AssertionError
""",
    "a name that clears the recording": """
from nbprobe._core import Calls

class cython_function_or_method:
    __name__ = "name"
    @property
    def __module__(self):
        calls.disable()
        calls.clear()
        [bytearray(300) for _ in range(2000)]
        return "module"
    def __call__(self):
        return 1

calls = Calls()
calls.enable()
assert cython_function_or_method()() == 1
calls.disable()
""",
    "one sampler started and stopped by several threads": """
import threading
from nbprobe._core import ResidentSampler

sampler = ResidentSampler(0.0001, 16, children=True)

def work():
    for _ in range(60):
        for change in (sampler.start, sampler.stop, sampler.samples):
            try:
                change()
            except RuntimeError:
                pass  # it samples already

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sampler.stop()
assert not sampler.active
""",
    "another gc.get_objects": """
import gc
from nbprobe import _core
gc.get_objects = lambda *_: (1, 2, 3)

def work():
    return 1

code = work.__code__
engine = _core.LineEngine()
engine.add(work)
for use in (engine.start, _core.functions_by_file):
    try:
        use()
    except RuntimeError as error:
        assert "somebody has replaced it" in str(error)
    else:
        raise AssertionError
engine.stop()
assert work.__code__ is code
try:
    _core.Heap(())
except RuntimeError:
    pass  # on 3.11, where it is asked
""",
    "a snapshot that is number 0": """
import os, tempfile
from nbprobe import _core
with tempfile.TemporaryDirectory() as folder:
    collector = _core.Collector(f"ipc://{folder}/socket", 7)
    courier = _core.Courier(collector.endpoint)
    message = _core.write_snapshot((7, 1, 2, 3, 0, 0, 2), [b"x"])
    assert courier.send(message, 60_000)
    while not collector.counts()["received"]:
        os.sched_yield()
    assert [peer[:3] for peer in collector.peers()] == [(0, 1, message)]
    courier.close(1000)
    collector.close()
""",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_crash(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPTS[name]],
        env={"PYTHONMALLOC": "debug"} | os.environ,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
