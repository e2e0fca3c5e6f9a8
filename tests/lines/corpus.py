# fmt: off
# ruff: noqa
"""Functions of every construct that moves control between lines, for n = 0, 1, 3, 7.

Each is called with n and must not depend on anything else.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any


def f_straight(n):
    a = n
    b = a + 1
    return a * b


def f_for(n):
    total = 0
    for i in range(n):
        total += i
    else:
        total += 1
    return total


def f_for_break(n):
    for i in range(n):
        if i == 2:
            break
    else:
        return -1
    return i


def f_while(n):
    while n:
        n -= 1
        if n == 3:
            continue
        n = n
    return n


def f_while_true(n):
    while True:
        n -= 1
        if n < 0:
            return n


def f_nested_for(n):
    out = []
    for i in range(n):
        for j in range(i):
            out.append(j)
    return out


def f_comprehensions(n):
    a = [i * 2 for i in range(n)]
    b = {i for i in range(n) if i % 2}
    c = {i: i for i in range(n)}
    d = sum(i for i in range(n))
    return a, b, c, d


def f_comprehension_on_lines(n):
    return [
        i * j
        for i in range(n)
        for j in range(i)
        if j
    ]


def f_multi_line_call(n):
    return max(
        n,
        abs(n),
        len(
            "abc"
        ),
    )


def f_boolean_chain(n):
    if (
        n > 0
        and n < 5
        or n == 7
    ):
        return 1
    elif n == 0:
        return 2
    return 3


def f_fstring(n):
    return f"""{n}
    {n + 1}
    {n + 2}"""


def f_display(n):
    return {
        "a": n,
        "b": [
            n,
            n + 1,
        ],
    }


def f_try_except(n):
    out = 0
    for i in range(n):
        try:
            if i % 2:
                raise ValueError(i)
            out += 1
        except KeyError:
            out += 100
        except ValueError as error:
            out += error.args[0]
        else:
            out += 10
        finally:
            out += 1000
    return out


def f_try_return(n):
    for i in range(n):
        try:
            if i == 1:
                return i
        finally:
            n += 1
    return n


def f_except_star(n):
    seen = []
    for i in range(n):
        try:
            raise ExceptionGroup("g", [ValueError(i), KeyError(i)])
        except* ValueError as group:
            seen.append(len(group.exceptions))
        except* KeyError:
            seen.append(0)
    return seen


def f_raise_through(n):
    def inner(k):
        if k == 0:
            raise LookupError
        inner(k - 1)

    try:
        inner(n)
    except LookupError:
        return n


def f_with(n):
    out = []
    for i in range(n):
        with contextlib.suppress(ValueError):
            out.append(i)
            if i == 1:
                raise ValueError
    return out


def f_with_two(n):
    with (
        contextlib.nullcontext(n) as a,
        contextlib.nullcontext(n) as b,
    ):
        a += b
    return a


def f_match(n):
    match n:
        case 0:
            return "zero"
        case 1 | 2:
            return "few"
        case int(x) if x > 5:
            return "many"
        case _:
            return "some"


def f_match_shapes(n):
    out = []
    for value in ([], [1], {"a": n}, (1, 2, n)):
        match value:
            case []:
                out.append(0)
            case [one]:
                out.append(one)
            case {"a": a}:
                out.append(a)
            case [first, *rest]:
                out.append(rest)
    return out


def f_generator(n):
    def numbers():
        for i in range(n):
            got = yield i
            if got:
                i += got

    out = []
    for value in numbers():
        out.append(value)
    return out


def f_send_and_throw(n):
    def echo():
        got = 0
        while True:
            try:
                got = yield got
            except ValueError:
                got = -1

    g = echo()
    out = [next(g)]
    for i in range(n):
        out.append(g.send(i))
        out.append(g.throw(ValueError))
    g.close()
    return out


def f_yield_from(n):
    def inner():
        yield from range(n)
        return n

    def outer():
        got = yield from inner()
        yield got

    return list(outer())


def f_coroutines(n):
    async def leaf(i):
        await asyncio.sleep(0)
        return i

    async def main():
        out = []
        for i in range(n):
            out.append(await leaf(i))
        return out

    return asyncio.run(main())


def f_async_for_and_with(n):
    @contextlib.asynccontextmanager
    async def manager():
        yield n

    async def numbers():
        for i in range(n):
            yield i

    async def main():
        out = 0
        async for i in numbers():
            out += i
        async with manager() as m:
            out += m
        out += sum([i async for i in numbers()])
        return out

    return asyncio.run(main())


def f_closures(n):
    def adder(k):
        def add(x):
            return x + k

        return add

    return sum(adder(i)(i) for i in range(n))


def f_lambda(n):
    double = lambda x: x * 2  # noqa: E731
    return [double(i) for i in range(n)]


def f_one_line(n): return n + 1


def f_one_line_loop(n):
    while n: n -= 1
    return n


def f_class(n):
    class Local:
        value = n

        def method(self):
            return self.value

        @property
        def twice(self):
            return self.value * 2

    return Local().method() + Local().twice


def f_decorated(n):
    def twice(
        function,
    ):
        def wrapper(*args):
            function(*args)
            return function(*args)

        return wrapper

    @twice
    @twice
    def work(x):
        return x

    return work(n)


def f_global_and_del(n):
    a = n
    del a
    assert n >= 0
    return None


def f_recursion(n):
    return n if n < 2 else f_recursion(n - 1) + f_recursion(n - 2)


def f_unpack(n):
    a, *b = range(n + 1)
    (
        c,
        d,
    ) = (a, b)
    return c, d


def f_string_over_lines(n):
    text = """
    a
    b
    """
    return text * n


def f_conditional_expression(n):
    return (
        "a"
        if n
        else "b"
    )


def f_assert_and_raise(n):
    try:
        assert n == 3, (
            "not",
            "three",
        )
    except AssertionError:
        return False
    return True


FUNCTIONS: dict[str, Any] = {
    name: value for name, value in list(globals().items()) if name.startswith("f_")
}
