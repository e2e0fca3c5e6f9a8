"""`LineProfiler`: line_profiler's class on the engine of inline probes."""

from __future__ import annotations

import os
import platform
import threading
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from time import perf_counter_ns
from types import CodeType, FunctionType, ModuleType
from typing import Any, Literal, Self

from ..source import functions_in, is_users
from .maps import CodeMaps
from .recording import Recording
from .result import LineResult
from .scoping import Policies, ScopingPolicy
from .stats import LineStats
from .wrapping import Wrapped, Wrapping

__all__ = ["LineProfiler"]


class LineProfiler(CodeMaps, Wrapping):
    """Counts and times the lines of functions.

    Parameters
    ----------
    *functions : callable
        What to profile from the beginning; see `add_callable`.
    wrap_trace, set_frame_local_trace : bool, optional
        Accepted for line_profiler's sake: no trace function is needed, so that those of
        others go on in any case.
    memory : bool
        Measure what lines allocate too.
    native : bool
        Also what libraries allocate past Python's allocators.

    Attributes
    ----------
    functions : list
        What was registered.
    timer_unit : float
        Seconds in which times are counted.

    Notes
    -----
    It is on in all threads of the process, or in none. Inclusive time under recursion is
    that of the outermost call; line_profiler adds up every level.

    Functions in functions are profiled with them.

    See Also
    --------
    line_profiler.LineProfiler

    Examples
    --------
    >>> profile = LineProfiler()
    >>> @profile
    ... def work():
    ...     return sum(range(10))
    >>> work()
    45
    >>> profile.result().hits
    1
    """

    timer_unit = 1e-9

    def __init__(
        self,
        *functions: Any,
        wrap_trace: bool | None = None,
        set_frame_local_trace: bool | None = None,
        memory: bool = False,
        native: bool = False,
    ) -> None:
        self.functions: list[Any] = []
        self.enable_count = 0
        self.wrap_trace = bool(wrap_trace)
        self.set_frame_local_trace = bool(set_frame_local_trace)
        self.recording = Recording(memory=memory, native=native)
        self._has_wrappers = False
        # Wrapped functions of all threads switch the one engine on and off.
        self._lock = threading.RLock()
        self._on_since = 0
        self._on_ns = 0
        for function in functions:
            try:
                if not self.get_underlying_functions(function):
                    warnings.warn(
                        f"{function!r} has no Python code to profile", stacklevel=2
                    )
                self.add_callable(function)
            except TypeError as error:
                warnings.warn(str(error), stacklevel=2)

    # ---- registering ----

    def __call__(self, func: Any) -> Any:
        """Register a function, method, property, class or the like, and wrap it."""
        self.add_callable(func)
        return self.wrap_callable(func)

    def wrap_callable(self, func: Any) -> Any:
        """Give a wrapper of the kind of `func` that profiles while it runs."""
        self._has_wrappers = True
        return super().wrap_callable(func)

    def add_function(self, func: Any) -> None:
        """Register a function, and what it wraps where it is a decorated one.

        What has no Python code is left out with a warning.
        """
        function = getattr(func, "__func__", func)
        if not isinstance(getattr(function, "__code__", None), CodeType):
            warnings.warn(f"no Python code to profile in {func!r}", stacklevel=2)
            return
        with self._lock:
            self.functions.append(func)
            if isinstance(function, FunctionType):
                for inner in functions_in(function):
                    # What others wrapped round it is not what was meant.
                    if inner is function or is_users(inner.__code__):
                        self.recording.add(inner)
            else:
                self.recording.add(function.__code__)

    def add_callable(
        self,
        func: Any,
        guard: Callable[[Any], bool] | None = None,
        name: str | None = None,
    ) -> Literal[0, 1]:
        """Register the Python functions behind an object.

        Parameters
        ----------
        func : object
            A function, method, property, partial, class...
        guard : callable, optional
            Says of a function that it should *not* be registered; without it, those are
            not that this profiler wrapped itself.
        name : str, optional
            Accepted for line_profiler's sake.

        Returns
        -------
        int
            1 if any was registered, else 0.

        Raises
        ------
        TypeError
            It cannot be called, and holds nothing that can.
        """
        guard = self._already_a_wrapper if guard is None else guard
        added = 0
        for function in self.get_underlying_functions(func):
            if guard(function):
                continue
            mark = Wrapped.of(function)
            self.add_function(mark.function if mark is not None else function)
            added = 1
        return 1 if added else 0

    def add_class(
        self,
        cls: type,
        *,
        scoping_policy: str | ScopingPolicy | Mapping[str, Any] | None = None,
        wrap: bool = False,
    ) -> int:
        """Register the members of a class.

        Parameters
        ----------
        cls : type
        scoping_policy : ScopingPolicy, str, mapping or None
            See `ScopingPolicy.to_policies`.
        wrap : bool
            Put wrappers in the members' places, that profile while they run.

        Returns
        -------
        int
            How many members were registered.
        """
        policies = ScopingPolicy.to_policies(scoping_policy)
        return self._add_namespace(cls, policies, wrap, set())

    def add_module(
        self,
        mod: ModuleType,
        *,
        scoping_policy: str | ScopingPolicy | Mapping[str, Any] | None = None,
        wrap: bool = False,
    ) -> int:
        """Register the members of a module; as `add_class` does."""
        policies = ScopingPolicy.to_policies(scoping_policy)
        return self._add_namespace(mod, policies, wrap, set())

    def _add_namespace(
        self,
        namespace: type | ModuleType,
        policies: Policies,
        wrap: bool,
        seen: set[int],
    ) -> int:
        added = 0
        to_wrap = {}
        for name, member in list(vars(namespace).items()):
            if id(member) in seen:
                continue
            seen.add(id(member))
            if isinstance(member, type | ModuleType):
                kind = "class" if isinstance(member, type) else "module"
                if policies[kind].get_filter(namespace, kind)(  # type: ignore[index]
                    member
                ) and self._add_namespace(member, policies, wrap, seen):
                    added += 1
            elif self._add_member(namespace, member, policies["func"]):
                added += 1
                to_wrap[name] = member
        if wrap:
            self._has_wrappers = True
            self._wrap_members(namespace, to_wrap)
        return added

    def _add_member(
        self, namespace: type | ModuleType, member: Any, policy: ScopingPolicy
    ) -> bool:
        is_near = policy.get_filter(namespace, "func")

        def guard(function: Any) -> bool:
            return self._already_a_wrapper(function) or not is_near(function)

        try:
            return bool(self.add_callable(member, guard))
        except TypeError:
            return False

    def add_imported_function_or_module(
        self,
        item: Any,
        *,
        scoping_policy: str | ScopingPolicy | Mapping[str, Any] | None = None,
        wrap: bool = False,
    ) -> Literal[0, 1]:
        """Register a function, class or module, and profile from now on."""
        if isinstance(item, type):
            added = self.add_class(item, scoping_policy=scoping_policy, wrap=wrap)
        elif isinstance(item, ModuleType):
            added = self.add_module(item, scoping_policy=scoping_policy, wrap=wrap)
        else:
            try:
                added = self.add_callable(item)
            except TypeError:
                added = 0
        if added:
            self.enable_by_count()
        return 1 if added else 0

    # ---- on and off ----

    def enable(self) -> None:
        """Switch on, in all threads."""
        with self._lock:
            if self.recording.engine.running:
                self.recording.engine.resume()
            else:
                self.recording.start()
            if not self._on_since:
                self._on_since = perf_counter_ns()

    def disable(self) -> None:
        """Switch off, and give every function its own code back."""
        with self._lock:
            self._count_time()
            self.recording.stop()

    def pause(self) -> None:
        """Count no more; the probes stay in the code until `disable`."""
        with self._lock:
            self._count_time()
            self.recording.engine.pause()

    def start_afresh(self) -> None:
        """In the child of a fork: what was counted, and what ran, is the parent's."""
        # A thread that is not here may have held it.
        self._lock = threading.RLock()
        engine = self.recording.engine
        is_on = bool(self._on_since)
        self._on_ns = 0
        self._on_since = perf_counter_ns() if is_on else 0
        if engine.running:
            engine.pause()
            engine.reset()
            if is_on:
                engine.resume()

    def _count_time(self) -> None:
        if self._on_since:
            self._on_ns += perf_counter_ns() - self._on_since
            self._on_since = 0

    def enable_by_count(self) -> None:
        """Switch on, unless it is on already."""
        with self._lock:
            self.enable_count += 1
            if self.enable_count == 1:
                self.enable()

    def disable_by_count(self) -> None:
        """Switch off, when as often called as `enable_by_count`.

        Once functions are wrapped, their code keeps the probes, switched off: they will
        be needed again at the next call. `disable` takes them out.
        """
        with self._lock:
            if self.enable_count:
                self.enable_count -= 1
                if not self.enable_count:
                    if self._has_wrappers:
                        self.pause()
                    else:
                        self.disable()

    def __enter__(self) -> Self:
        self.enable_by_count()
        return self

    def __exit__(self, *_: object) -> None:
        self.disable_by_count()

    def run(self, cmd: str | CodeType) -> Self:
        """Profile a statement in the namespace of ``__main__``."""
        import __main__

        return self.runctx(cmd, vars(__main__), vars(__main__))

    def runctx(self, cmd: str | CodeType, globals: dict[str, Any], locals: Any) -> Self:
        """Profile a statement in the given namespaces."""
        with self:
            exec(cmd, globals, locals)
        return self

    def runcall(self, func: Callable[..., Any], /, *args: Any, **kw: Any) -> Any:
        """Profile one call, and give what it returns."""
        with self:
            return func(*args, **kw)

    # ---- reading ----

    def result(
        self,
        statement: str = "",
        *,
        only_hit: bool = False,
        unit: float | None = None,
        skip_zero: bool = False,
        sort: str = "",
        top: int = 0,
        by_thread: bool = False,
        problems: tuple[str, ...] = (),
        ended_by: str = "",
    ) -> LineResult:
        """Give what was counted until now.

        Parameters
        ----------
        statement : str
            The code, for display.
        only_hit : bool
            Leave out functions that were not called.
        unit, skip_zero, sort, top, by_thread, problems, ended_by
            See `LineResult`.
        """
        engine = self.recording.engine
        running = perf_counter_ns() - self._on_since if self._on_since else 0
        return LineResult(
            statement=statement,
            functions=self.recording.functions(only_hit=only_hit),
            threads=tuple(self.recording.threads().values()),
            wall_ns=self._on_ns + running,
            costs_ns=engine.subtracted,
            unit=unit,
            skip_zero=skip_zero,
            sort=sort,
            top=top,
            by_thread=by_thread,
            dropped=engine.dropped,
            problems=problems,
            ended_by=ended_by,
            python=platform.python_version(),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def get_stats(self) -> LineStats:
        """Give what was counted until now as line_profiler does."""
        return LineStats.of_result(self.result())

    def print_stats(self, *args: Any, **options: Any) -> None:
        """Print the table of every function; takes what `LineStats.print` takes."""
        self.get_stats().print(*args, **options)

    def dump_stats(self, filename: str | os.PathLike[str]) -> None:
        """Write a ``.lprof`` file."""
        self.get_stats().to_file(filename)
