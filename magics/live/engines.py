"""Profile on the engines of ipyparallel: one snapshot each, made into one result.

Every engine runs the tool's own magic and sends its result back through ipyparallel, in
one reply. What is different from tool to tool is a row of `TOOLS`.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from time import monotonic, perf_counter_ns
from typing import TYPE_CHECKING, Any

from .. import _core
from ..errors import EnginesError, MissingPackageError
from ..results import Result
from .children import Gathered
from .processes import Process
from .reply import Replies, absent
from .waiting import Roll

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Outcome", "ask", "find_view", "profile"]

#: By tool: what makes one result of those of several processes.
TOOLS = {
    "lprun": "lprun.merging",
    "memit": "memit.engines",
    "prun": "prun.merging",
    "timeit": "timeit.merging",
}

_LOOK_S = 0.2
# After Ctrl-C, for what the engines have measured until then.
_LAST_WORDS_S = 5.0

_NO_LIBRARY = "ipyparallel is not installed; pip install 'nbprobe[ipyparallel]'"

# A view, written in one word: a name, an attribute of it, a part of it.
_VIEW = re.compile(r"([A-Za-z_]\w*)(?:\.\w+)*(?:\[[^\]\s]*\])?(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What engines gave.

    Attributes
    ----------
    gathered : Gathered
        The engines and what they measured.
    wall_ns : int
        How long it took here, from the request to the last reply.
    slowest_ns : int
        How long the slowest engine was at it.
    error : Exception or None
        What the code raised on engines, as ipyparallel raises it.
    interrupted : bool
        Whether Ctrl-C ended it.
    show_output : callable
        Shows what the code printed, as ``%px`` does.
    """

    gathered: Gathered
    wall_ns: int
    slowest_ns: int
    error: Exception | None
    interrupted: bool
    show_output: Callable[[], None]

    def result(self, tool: str, statement: str) -> Result:
        """Make one result of all.

        Raises
        ------
        EnginesError
            Where no engine gave any, saying why not.
        KeyboardInterrupt
            Where Ctrl-C came before any could.
        """
        if self.gathered.results:
            merging = import_module(f"..{TOOLS[tool]}", __package__)
            result: Result = merging.together(self.gathered, statement, self.wall_ns)
            return result
        if self.error is not None:
            raise self.error
        if self.interrupted:
            raise KeyboardInterrupt
        reasons = (f"{each.name}: {each.note}" for each in self.gathered.processes)
        raise EnginesError(f"no engine gave a result; {'; '.join(reasons)}")


def profile(
    view: Any,
    func: Callable[..., Any],
    *args: Any,
    tool: str = "prun",
    options: str = "",
) -> Any:
    """Call a function on every engine of a view, and profile it there.

    Parameters
    ----------
    view : ipyparallel.DirectView or ipyparallel.Client
        Which engines; all of them for a client.
    func : callable
        It is sent to the engines as ``view.apply`` sends it.
    *args
        Its arguments; for those with keywords take `functools.partial`.
    tool : {'prun', 'lprun', 'memit', 'timeit'}
        What to measure with.
    options : str
        As the tool's magic takes them: ``'--no-builtins'``.

    Returns
    -------
    ProfileResult, LineResult, EngineMemory or Comparison
        All engines together, after `tool`. Its `processes` say how each of them ended,
        also those that died; `by_process` gives the part of each.

    Raises
    ------
    ipyparallel.CompositeError
        The function raised. Its attribute `result` has what was measured until then.
    EnginesError
        No engine gave a result.
    MissingPackageError
        ipyparallel is not installed.

    Examples
    --------
    >>> client = ipyparallel.Client()  # doctest: +SKIP
    >>> nbprobe.live.profile(client[:], simulate, 1000)  # doctest: +SKIP
    """
    if tool not in TOOLS:
        raise ValueError(f"tool must be one of {', '.join(TOOLS)}, not {tool!r}")
    line = f"{options} -- function(*arguments)"
    outcome = ask(view, tool, line, call=(func, *args))
    name = getattr(func, "__qualname__", repr(func))
    result = outcome.result(tool, f"{name}(...)")
    if outcome.error is not None:
        outcome.error.result = result  # type: ignore[attr-defined]
        raise outcome.error
    if outcome.interrupted:
        raise KeyboardInterrupt
    return result


def ask(
    view: Any,
    tool: str,
    line: str,
    cell: str | None = None,
    *,
    call: tuple[Any, ...] = (),
    roll: Roll | None = None,
) -> Outcome:
    """Have the engines of a view run a magic, and wait for what they measured.

    Parameters
    ----------
    view : ipyparallel.DirectView or ipyparallel.Client
    tool : str
        One of `TOOLS`.
    line, cell : str
        As the magic takes them.
    call : tuple
        A function and its arguments, for a line that says ``function(*arguments)``.
    roll : Roll, optional
        Is told who has answered.
    """
    client, targets = _targets(view)
    session = secrets.randbits(63)
    request = {
        "tool": tool,
        "line": line,
        "cell": cell,
        "session": session,
        "version": _core.__version__,
    }
    ids = [target for target in targets if target in client.ids]
    gone = [
        absent("engine", _name(each), "silent", "there is no such engine")
        for each in targets
        if each not in ids
    ]
    if not ids:
        return Outcome(Gathered(tuple(gone)), 0, 0, None, False, lambda: None)
    start = perf_counter_ns()
    direct = client[ids]
    there = _library().interactive(_there)
    running = direct.apply_async(there, json.dumps(request), *call)
    interrupted = _wait(client, running, ids, roll or Roll())
    wall_ns = perf_counter_ns() - start
    if not running.ready():
        replies = [_reply_of(each) for each in running.split()]
    else:
        replies = running.get(return_exceptions=True)
    outcome = _outcome(ids, replies, gone, session, wall_ns, interrupted)
    return replace(outcome, show_output=partial(_show_output, running))


def _show_output(running: Any) -> None:
    running.wait_for_output(1.0)
    running.display_outputs()


def _there(request: str, *call):  # type: ignore[no-untyped-def]
    """On the engine, which may not have us: nothing of this module is there."""
    import json
    from importlib import import_module

    wanted = json.loads(request)["version"]
    try:
        version = import_module("nbprobe._core").__version__
    except ImportError as error:
        return (
            f"nbprobe is not installed there ({error}); pip install nbprobe=={wanted}"
        )
    if version != wanted:
        return f"nbprobe {version} there, {wanted} here; pip install nbprobe=={wanted}"
    return import_module("nbprobe.live.engine").record(request, *call)


def _wait(client: Any, running: Any, ids: list[int], roll: Roll) -> bool:
    """Wait for all; say whether Ctrl-C ended that, which it does on the engines too."""
    every = list(zip(ids, running.split(), strict=True))
    roll.begin(map(_name, ids))
    try:
        # Not for ever: a signal that another thread got would not wake us.
        while not running.ready():
            running.wait(_LOOK_S)
            roll.answered(_name(number) for number, each in every if each.ready())
    except KeyboardInterrupt:
        waiting = [target for target, each in every if not each.ready()]
        client.send_signal("SIGINT", targets=waiting, block=False)
        end = monotonic() + _LAST_WORDS_S
        while not running.ready() and monotonic() < end:
            running.wait(0.1)
        return True
    return False


def _reply_of(one: Any) -> Any:
    if not one.ready():
        return "still running when Ctrl-C ended the profile"
    return one.get(return_exceptions=True)


def _outcome(
    ids: list[int],
    replies: list[Any],
    gone: list[Process],
    session: int,
    wall_ns: int,
    interrupted: bool,
) -> Outcome:
    errors = _library().error
    answered = Replies(session, "engine")
    raised = []
    for number, reply in zip(ids, replies, strict=True):
        name = _name(number)
        if isinstance(reply, str):
            answered.absent(name, "silent", reply)
        elif isinstance(reply, errors.RemoteError | errors.EngineError):
            is_dead = getattr(reply, "ename", "EngineError") == "EngineError"
            state = "lost" if is_dead else "silent"
            note = "" if is_dead else f"{reply.ename}: {reply.evalue}"
            answered.absent(name, state, note)
        else:
            told = answered.add(name, reply)
            if told is not None:
                place = {"engine_id": number, "engine_uuid": "", "method": "apply"}
                raised.append(errors.RemoteError(*told, place))
    gathered = answered.gathered(gone)
    slowest_ns = max((each.until_ns for each in gathered.processes), default=0)
    failure = None
    if raised and not interrupted:
        try:
            errors.collect_exceptions(raised, "profile")
        except errors.CompositeError as composite:
            failure = composite.with_traceback(None)
    return Outcome(gathered, wall_ns, slowest_ns, failure, interrupted, lambda: None)


def _name(number: int) -> str:
    return f"engine {number}"


def _targets(view: Any) -> tuple[Any, list[int]]:
    """Give the client of a view, and the numbers of the engines.

    Raises
    ------
    TypeError
        It is none, or one that does not say which engines.
    """
    parallel = _library()
    if isinstance(view, parallel.Client):
        return view, list(view.ids)
    if not isinstance(view, parallel.DirectView):
        raise TypeError(
            f"a client of ipyparallel or a view of some of its engines is needed, such as"
            f" client[:], not {type(view).__name__}"
        )
    targets = view.targets
    if isinstance(targets, int):
        return view.client, [targets]
    return view.client, list(view.client.ids if targets == "all" else targets)


def _library() -> Any:
    try:
        return import_module("ipyparallel")
    except ImportError:
        raise MissingPackageError(_NO_LIBRARY) from None


def find_view(
    shell: InteractiveShell, line: str, names: Mapping[str, Any]
) -> tuple[Any, str]:
    """Find out which engines are meant: those that the first word names, or ``%px``'s.

    Returns
    -------
    view : ipyparallel.DirectView or ipyparallel.Client
    rest : str
        The line without the word.

    Raises
    ------
    EnginesError
        There is no client.
    """
    parallel = _library()
    kinds = parallel.Client, parallel.DirectView
    word = _VIEW.match(line)
    if word and isinstance(names.get(word[1]), kinds):
        view = eval(word[0], dict(names))  # a part of the user's own view
        if isinstance(view, kinds):
            return view, line[word.end() :].lstrip()
    magic = shell.magics_manager.magics["line"].get("px")
    view = getattr(getattr(magic, "__self__", None), "view", None)
    if isinstance(view, kinds):
        return view, line
    raise EnginesError(
        "there is no client of ipyparallel; connect with"
        " rc = ipyparallel.Cluster(n=4).start_and_connect_sync()"
    )
