"""LineProfiler beside line_profiler's: the same names, the same meaning."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import pickle
import sys
import threading
import time
import types
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import line_profiler
import pytest

from nbprobe.lprun import LineProfiler, ScopingPolicy

from ..patience import at_best
from . import workload
from .workload import Thing

Hits = dict[str, dict[int, int]]


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    functions = {
        each: each.__code__
        for each in gc.get_objects()
        if type(each) is types.FunctionType and each.__module__ == workload.__name__
    }
    yield
    gc.collect()
    assert sys.gettrace() is None
    for function, code in functions.items():
        function.__code__ = code


@pytest.fixture
def fresh() -> types.ModuleType:
    """The workload as a module of its own, which line_profiler may change."""
    spec = workload.__spec__
    assert spec is not None and spec.loader is not None
    module = types.ModuleType(spec.name)
    module.__file__ = workload.__file__
    spec.loader.exec_module(module)
    return module


def hits(stats: Any) -> Hits:
    return {
        name: {line: count for line, count, _ in rows}
        for (_, _, name), rows in stats.timings.items()
        if rows
    }


def drive(module: types.ModuleType) -> None:
    """Use everything of the workload once."""
    module.plain(5)
    list(module.generator(3))
    asyncio.run(module.coroutine(2))

    async def consume() -> list[int]:
        return [i async for i in module.async_generator(2)]

    asyncio.run(consume())
    thing = module.Thing()
    thing.method(1)
    thing.of_class(1)
    module.Thing.static(1)
    thing.value = 2
    assert thing.value == 2 and thing.cached == 5
    thing.partial()
    module.Thing.Inner().innermost()
    with pytest.raises(ValueError):
        module.raises(2)
    module.recursive(5)


def with_wrappers(profiler: Any, module: types.ModuleType) -> Hits:
    for name in (
        *("plain", "generator", "coroutine", "async_generator", "Thing"),
        *("raises", "recursive"),
    ):
        setattr(module, name, profiler(getattr(module, name)))
    drive(module)
    return hits(profiler.get_stats())


def with_module(profiler: Any, module: types.ModuleType) -> Hits:
    profiler.add_module(module)
    with profiler:
        drive(module)
    return hits(profiler.get_stats())


@pytest.mark.parametrize("use", [with_wrappers, with_module])
def test_hits_are_line_profilers(
    use: Callable[[Any, types.ModuleType], Hits], fresh: types.ModuleType
) -> None:
    ours = use(LineProfiler(), fresh)
    assert ours["plain"] == {11: 1, 12: 6, 13: 5, 14: 2, 16: 3, 17: 1}
    spec = workload.__spec__
    assert spec is not None and spec.loader is not None
    theirs = types.ModuleType(spec.name)
    theirs.__file__ = workload.__file__
    spec.loader.exec_module(theirs)
    assert ours == use(line_profiler.LineProfiler(), theirs)


def test_keys_and_unit_are_line_profilers(fresh: types.ModuleType) -> None:
    ours = LineProfiler(fresh.plain, fresh.Thing).get_stats()
    theirs = line_profiler.LineProfiler(fresh.plain)
    theirs.add_callable(fresh.Thing)
    assert ours.timings.keys() == theirs.get_stats().timings.keys()
    assert ours.unit == theirs.timer_unit == LineProfiler.timer_unit == 1e-9


def test_attributes() -> None:
    profiler = LineProfiler(workload.plain, Thing.method)
    assert profiler.functions == [workload.plain, Thing.method]
    assert profiler.enable_count == 0
    profiler.runcall(workload.plain, 2)
    code = workload.plain.__code__
    assert list(profiler.code_map) == [code, Thing.method.__code__]
    entry = profiler.code_map[code][11]
    assert entry["code"] is code and entry["lineno"] == 11 and entry["nhits"] == 1
    assert entry["total_time"] >= 0
    assert profiler.dupes_map[code.co_code] == [code]


def test_maps_of_codes_are_line_profilers(fresh: types.ModuleType) -> None:
    def of(profiler: Any, function: Any) -> Any:
        profiler.runcall(function, 5)
        ((code, numbers),) = profiler.code_hash_map.items()
        entries = profiler.c_code_map
        assert set(numbers) == set(entries)
        hits: Counter[int] = Counter()
        for number in numbers:
            for line, entry in entries[number].items():
                assert (entry["lineno"], entry["code"]) == (line, number)
                hits[line] += entry["nhits"]
        ((same, lines),) = profiler.code_map.items()
        assert same is code and set(lines) == set(hits)
        assert all(entry["code"] is code for entry in lines.values())
        return hits, set(entry), type(entry["total_time"])

    ours = of(LineProfiler(fresh.plain), fresh.plain)
    assert ours == of(line_profiler.LineProfiler(fresh.plain), fresh.plain)


@pytest.mark.parametrize(
    "what",
    [
        workload.plain,
        Thing().method,
        Thing.of_class,
        vars(Thing)["of_class"],
        vars(Thing)["static"],
        vars(Thing)["value"],
        vars(Thing)["cached"],
        vars(Thing)["partial"],
        functools.partial(workload.plain, 1),
        Thing,
        len,
        int,
    ],
)
def test_what_is_behind_an_object(what: Any) -> None:
    ours = LineProfiler.get_underlying_functions(what)
    theirs = line_profiler.LineProfiler.get_underlying_functions(what)
    assert ours == theirs
    assert LineProfiler().add_callable(what) == bool(theirs)


@pytest.mark.parametrize("what", [3, "text", None])
def test_what_cannot_be_called_is_refused(what: Any) -> None:
    profiler = LineProfiler()
    with pytest.raises(TypeError):
        profiler.add_callable(what)
    with pytest.raises(TypeError):
        profiler.wrap_callable(what)
    with pytest.warns(UserWarning, match="no Python code"):
        profiler.add_function(len)
    with pytest.warns(UserWarning, match="no functions in"):
        LineProfiler(what)


def test_wrapping_keeps_kind_and_name() -> None:
    profiler = LineProfiler()
    for function, is_kind in (
        (workload.plain, inspect.isfunction),
        (workload.generator, inspect.isgeneratorfunction),
        (workload.coroutine, inspect.iscoroutinefunction),
        (workload.async_generator, inspect.isasyncgenfunction),
    ):
        wrapper = profiler(function)
        assert is_kind(wrapper) and wrapper is not function
        assert wrapper.__name__ == function.__name__
        assert profiler(wrapper) is wrapper
        assert profiler.wrap_callable(wrapper) is wrapper
    assert profiler(len) is len
    other = LineProfiler()
    both = other(wrapper)
    assert both is not wrapper
    assert other.functions == [workload.async_generator]


def test_wrapped_generator_passes_everything_through() -> None:
    profiler = LineProfiler()
    make = profiler(workload.echo)

    def delegate() -> Iterator[Any]:
        return (yield from make())

    generator = delegate()
    assert next(generator) == 1
    assert generator.send("a") == "a"
    assert generator.throw(KeyError) == -1
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == 7
    closed = make()
    next(closed)
    closed.close()
    assert profiler.enable_count == 0


def test_wrapped_async_generator_passes_everything_through() -> None:
    async def echoes() -> Any:
        got = yield 1
        try:
            yield got
        except KeyError:
            yield "caught"

    profiler = LineProfiler()
    make = profiler(echoes)

    async def main() -> list[Any]:
        generator = make()
        seen = [await generator.asend(None), await generator.asend(2)]
        seen.append(await generator.athrow(KeyError))
        await generator.aclose()
        return seen

    assert asyncio.run(main()) == [1, 2, "caught"]
    assert profiler.enable_count == 0


def test_counts_nest_and_off_means_off() -> None:
    profiler = LineProfiler(workload.plain)
    code = workload.plain.__code__
    profiler.enable_by_count()
    profiler.enable_by_count()
    profiler.disable_by_count()
    assert profiler.enable_count == 1
    workload.plain(1)
    profiler.disable_by_count()
    profiler.disable_by_count()
    assert profiler.enable_count == 0
    assert workload.plain.__code__ is code
    workload.plain(1)
    assert profiler.result().functions[0].lines[0].hits == 1


def test_functions_that_are_not_wrapped_count_only_while_on() -> None:
    profiler = LineProfiler(Thing.method)
    outer = profiler(lambda: Thing().method(1))
    Thing().method(1)
    outer()
    Thing().method(1)
    outer()
    Thing().method(1)
    assert profiler.result().functions[0].lines[0].hits == 2
    profiler.disable()


def test_function_made_again_and_again_is_profiled() -> None:
    profiler = LineProfiler()

    def factory() -> Callable[[], int]:
        @profiler
        def inner() -> int:
            return 1

        return inner  # type: ignore[no-any-return]

    for _ in range(3):
        factory()()
    with profiler:
        factory()()
    (function,) = profiler.result().functions
    assert [line.hits for line in function.lines] == [4]
    profiler.disable()


def test_decorated_function_is_profiled_with_what_it_wraps() -> None:
    @functools.lru_cache
    def cached(n: int) -> int:
        return n

    @functools.wraps(workload.plain)
    def wrapper(n: int) -> int:
        return workload.plain(n)

    profiler = LineProfiler(wrapper)
    profiler.runcall(wrapper, 2)
    names = {
        function.name.rpartition(".")[2] for function in profiler.result().functions
    }
    assert names == {"plain", "wrapper"}
    assert LineProfiler().add_callable(cached) == 0


@pytest.mark.parametrize("policy", [*ScopingPolicy, None])
def test_scoping_policies_are_line_profilers(policy: Any) -> None:
    from . import policies

    theirs = line_profiler.LineProfiler()
    ours = LineProfiler()
    name = None if policy is None else str(policy).upper()
    added = ours.add_class(policies.Outer, scoping_policy=name)
    assert added == theirs.add_class(policies.Outer, scoping_policy=name)
    added = ours.add_module(policies, scoping_policy=name)
    assert added == theirs.add_module(policies, scoping_policy=name)
    names = [function.__qualname__ for function in theirs.functions]
    assert [function.__qualname__ for function in ours.functions] == names
    assert names


def test_members_are_wrapped_where_they_stand(fresh: types.ModuleType) -> None:
    profiler = LineProfiler()
    before = fresh.plain
    assert profiler.add_module(fresh, wrap=True) > 5
    assert fresh.plain is not before
    assert fresh.plain(2) == before(2)
    assert hits(profiler.get_stats())["plain"][11] == 1
    profiler.disable()


def test_policies_are_checked() -> None:
    with pytest.raises(ValueError):
        ScopingPolicy.to_policies("nearby")
    with pytest.raises(KeyError):
        ScopingPolicy.to_policies({})
    assert ScopingPolicy("Exact") is ScopingPolicy.EXACT


def test_run_and_its_kin() -> None:
    scope: dict[str, Any] = {"plain": workload.plain}
    profiler = LineProfiler(workload.plain)
    assert profiler.runctx("x = plain(3)", scope, scope) is profiler
    assert scope["x"] == workload.plain(3)
    assert profiler.runcall(workload.plain, 3) == scope["x"]
    with pytest.raises(ZeroDivisionError):
        profiler.run("1 / 0")
    assert profiler.enable_count == 0
    assert profiler.result().functions[0].lines[0].hits == 2


def test_threads_switch_it_on_and_off_without_harm() -> None:
    profiler = LineProfiler()
    wrapped = profiler(workload.plain)
    failed = []

    def work() -> None:
        try:
            for _ in range(50):
                wrapped(3)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    result = profiler.result()
    assert result.functions[0].lines[0].hits == 400
    tables = result.functions[0].threads
    assert sum(table[0].hits for table in tables if table) == 400
    profiler.disable()


def test_recursion_counts_the_outermost_call() -> None:
    profiler = LineProfiler(workload.recursive)
    start = time.perf_counter_ns()
    profiler.runcall(workload.recursive, 14)
    took = time.perf_counter_ns() - start
    (function,) = profiler.result().functions
    assert max(line.raw_total_ns for line in function.lines) <= took


@at_best
def test_awaited_time_is_kept_apart() -> None:
    async def waits() -> None:
        await asyncio.sleep(0.05)

    profiler = LineProfiler(waits)
    profiler.runcall(lambda: asyncio.run(waits()))
    (function,) = profiler.result().functions
    assert function.awaited_ns >= 40e6
    assert function.total_ns < function.awaited_ns


def test_what_has_no_lines_is_named_and_the_rest_is_profiled() -> None:
    with pytest.warns(UserWarning) as warned:
        profiler = LineProfiler(workload.plain, len, 3)
    assert [str(each.message) for each in warned] == [
        "<built-in function len> has no Python code to profile",
        "no functions in int objects: 3",
    ]
    profiler.runcall(workload.plain, 2)
    assert profiler.result().hits > 0


@at_best
def test_awaited_time_of_what_is_wrapped() -> None:
    profile = LineProfiler()

    @profile
    async def waits() -> None:
        await asyncio.sleep(0.03)

    @profile
    def items() -> Iterator[int]:
        yield 1
        yield 2

    @profile
    async def later() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(0.03)

    async def main() -> None:
        await waits()
        async for _ in later():
            await asyncio.sleep(0.03)

    # WHEN they are suspended, and nothing is profiled but they
    asyncio.run(main())
    for _ in items():
        time.sleep(0.02)
    # THEN that time is awaited, each on its line, and no part of the rest
    for function in profile.result().functions:
        assert all(line.awaited_ns >= 15e6 for line in function.lines), function.name
        assert function.total_ns < function.awaited_ns
    assert len(profile.result().functions) == 3


def test_comprehensions_belong_to_their_statement() -> None:
    def work() -> int:
        values = [i for i in range(100)]
        kept = {i: i for i in values}

        class Local:
            x = 1

        return sum(i for i in kept) + Local.x

    profiler = LineProfiler(work)
    profiler.runcall(work)
    (function,) = profiler.result().functions
    first = function.first
    assert [line.number - first for line in function.lines] == [1, 2, 4, 7]
    assert all(line.hits == 1 for line in function.lines)
    assert function.self_ns == pytest.approx(function.total_ns, rel=0.5)


def test_nested_functions_are_shown_by_themselves() -> None:
    def outer() -> list[int]:
        def inner(x: int) -> int:
            return -x

        return sorted([3, 1, 2], key=lambda x: inner(x))

    profiler = LineProfiler(outer)
    profiler.runcall(outer)
    names = [
        function.name.rpartition(".")[2] for function in profiler.result().functions
    ]
    assert names == ["outer", "inner", "<lambda>"]


def test_lambda_is_profiled() -> None:
    function = lambda x: (  # noqa: E731
        x + 1 if x else 0
    )
    profiler = LineProfiler(function)
    profiler.runcall(function, 3)
    (measured,) = profiler.result().functions
    assert [line.hits for line in measured.lines] == [1]
    assert measured.source[0].strip().startswith("function = lambda")


def test_profiled_function_is_pickled_and_inspected() -> None:
    profiler = LineProfiler(workload.plain)
    text = inspect.getsource(workload.plain)
    with profiler:
        assert pickle.loads(pickle.dumps(workload.plain)) is workload.plain
        assert inspect.getsource(workload.plain) == text
        assert inspect.signature(workload.plain).parameters.keys() == {"n"}


def test_profiled_function_profiles() -> None:
    inner = LineProfiler(Thing.method)

    def outer() -> None:
        inner.runcall(Thing().method, 1)

    profiler = LineProfiler(outer, Thing.method)
    profiler.runcall(outer)
    for each in (profiler, inner):
        by_name = {function.name: function for function in each.result().functions}
        assert by_name["Thing.method"].lines[0].hits == 1


def test_dropped_profiler_gives_the_code_back() -> None:
    code = workload.plain.__code__
    profiler = LineProfiler()
    wrapped = profiler(workload.plain)
    wrapped(1)
    assert workload.plain.__code__ is not code
    del profiler, wrapped
    gc.collect()
    assert workload.plain.__code__ is code
