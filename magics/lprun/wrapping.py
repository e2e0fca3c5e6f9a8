"""Wrappers that switch a profiler on while a function runs, for everything that is called.

The names are line_profiler's.
"""

from __future__ import annotations

import functools
import inspect
import types
import warnings
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from types import FunctionType
from typing import Any, NamedTuple

from .scoping import ScopingPolicy

__all__ = ["Wrapped", "Wrapping"]

# Callables that are written in C.
_NATIVE = (
    types.BuiltinFunctionType,
    types.ClassMethodDescriptorType,
    types.MethodDescriptorType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
)

_MARK = "__nbprobe_wrapped__"


class Wrapped(NamedTuple):
    """What a wrapper carries: the function in it, and whose wrapper it is."""

    function: Any
    profiler: int

    @classmethod
    def of(cls, function: Any) -> Wrapped | None:
        """Give what a function carries, if it is a wrapper."""
        mark = getattr(function, _MARK, None)
        return mark if isinstance(mark, Wrapped) else None


class Wrapping:
    """Base of profilers that are switched on by `enable_by_count` and off again."""

    def enable_by_count(self) -> None:
        """Switch on, unless it is on already; as often as this, it has to be switched off."""
        raise NotImplementedError

    def disable_by_count(self) -> None:
        """Switch off, when this is the last of as many calls as switched it on."""
        raise NotImplementedError

    # ---- what is behind an object ----

    @classmethod
    def get_underlying_functions(cls, func: Any) -> list[FunctionType]:
        """Give the Python functions that calling, getting or setting an object runs.

        Raises
        ------
        TypeError
            It can be none of that.
        """
        found = _underlying(func, set(), stop_at_classes=False)
        return [each for each in found if isinstance(each, FunctionType)]

    # ---- wrapping ----

    def wrap_callable(self, func: Any) -> Any:
        """Give a wrapper of the kind of `func` that profiles while it runs.

        A class is given back itself, with its members wrapped; what is written in C as it
        is.

        Raises
        ------
        TypeError
            It cannot be called, and holds nothing that can.
        """
        if isinstance(func, _NATIVE):
            return func
        for kind, wrap in _WRAPPERS.items():
            if isinstance(func, kind):
                return wrap(self, func)
        if inspect.isasyncgenfunction(func):
            return self.wrap_async_generator(func)
        if inspect.iscoroutinefunction(func):
            return self.wrap_coroutine(func)
        if inspect.isgeneratorfunction(func):
            return self.wrap_generator(func)
        if isinstance(func, type):
            return self.wrap_class(func)
        if callable(func):
            return self.wrap_function(func)
        raise TypeError(f"{func!r} cannot be called, and holds nothing that can")

    def wrap_function(self, func: Callable[..., Any]) -> Any:
        """Wrap a function."""
        if self._already_a_wrapper(func):
            return func

        @functools.wraps(func)
        def wrapper(*args: Any, **kwds: Any) -> Any:
            self.enable_by_count()
            try:
                return func(*args, **kwds)
            finally:
                self.disable_by_count()

        return self._mark_wrapper(wrapper, func)

    def wrap_generator(self, func: Callable[..., Any]) -> Any:
        """Wrap a generator function: on while it runs, off while it is suspended."""
        if self._already_a_wrapper(func):
            return func

        @functools.wraps(func)
        def wrapper(*args: Any, **kwds: Any) -> Generator[Any, Any, Any]:
            generator = func(*args, **kwds)
            step, value = generator.send, None
            while True:
                self.enable_by_count()
                try:
                    item = step(value)
                except StopIteration as stop:
                    return stop.value
                finally:
                    self.disable_by_count()
                try:
                    value = yield item
                    step = generator.send
                except GeneratorExit:
                    self._while_on(generator.close)
                    raise
                except BaseException as error:
                    step, value = generator.throw, error

        return self._mark_wrapper(wrapper, func)

    def wrap_async_generator(self, func: Callable[..., Any]) -> Any:
        """Wrap an asynchronous generator function: on from each start to the next item."""
        if self._already_a_wrapper(func):
            return func

        @functools.wraps(func)
        async def wrapper(*args: Any, **kwds: Any) -> AsyncGenerator[Any, Any]:
            generator = func(*args, **kwds)
            step, value = generator.asend, None
            while True:
                self.enable_by_count()
                try:
                    item = await step(value)
                except StopAsyncIteration:
                    return
                finally:
                    self.disable_by_count()
                try:
                    value = yield item
                    step = generator.asend
                except GeneratorExit:
                    await generator.aclose()
                    raise
                except BaseException as error:
                    step, value = generator.athrow, error

        return self._mark_wrapper(wrapper, func)

    def wrap_coroutine(self, func: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
        """Wrap a coroutine function: on from its start to its end, also while it waits."""
        if self._already_a_wrapper(func):
            return func

        @functools.wraps(func)
        async def wrapper(*args: Any, **kwds: Any) -> Any:
            self.enable_by_count()
            try:
                return await func(*args, **kwds)
            finally:
                self.disable_by_count()

        return self._mark_wrapper(wrapper, func)

    def wrap_class(self, func: type) -> type:
        """Wrap the functions that are defined in a class, and give the class."""
        members = {}
        for name, member in vars(func).items():
            try:
                inner = _underlying(member, set(), stop_at_classes=True)
            except TypeError:
                continue
            if any(_is_child(func, each) for each in inner):
                members[name] = member
        self._wrap_members(func, members)
        return func

    def wrap_classmethod(self, func: Any) -> Any:
        """Wrap a class method or static method."""
        return _keeping(func, type(func)(self.wrap_callable(func.__func__)))

    wrap_staticmethod = wrap_classmethod

    def wrap_boundmethod(self, func: types.MethodType) -> types.MethodType:
        """Wrap a method of an object."""
        return types.MethodType(self.wrap_callable(func.__func__), func.__self__)

    def wrap_partial(self, func: Any) -> Any:
        """Wrap a `functools.partial` or `partialmethod`."""
        inner = self.wrap_callable(func.func)
        return _keeping(func, type(func)(inner, *func.args, **func.keywords))

    wrap_partialmethod = wrap_partial

    def wrap_property(self, func: property) -> property:
        """Wrap what gets, sets and deletes a property."""
        getter, setter, deleter = (
            None if part is None else self.wrap_callable(part)
            for part in (func.fget, func.fset, func.fdel)
        )
        return type(func)(getter, setter, deleter, func.__doc__)

    def wrap_cached_property(self, func: Any) -> Any:
        """Wrap a `functools.cached_property`."""
        wrapped = type(func)(self.wrap_callable(func.func))
        wrapped.attrname = func.attrname
        return _keeping(func, wrapped)

    def _wrap_members(self, namespace: Any, members: dict[str, Any]) -> None:
        failed = []
        for name, member in members.items():
            wrapper = self.wrap_callable(member)
            if wrapper is member:
                continue
            try:
                setattr(namespace, name, wrapper)
            except (TypeError, AttributeError):
                failed.append(name)
        if failed:
            warnings.warn(
                f"{namespace!r} does not let its {', '.join(failed)} be wrapped",
                stacklevel=3,
            )

    def _while_on(self, call: Callable[[], Any]) -> None:
        self.enable_by_count()
        try:
            call()
        finally:
            self.disable_by_count()

    def _already_a_wrapper(self, func: Any) -> bool:
        mark = Wrapped.of(func)
        return mark is not None and mark.profiler == id(self)

    def _mark_wrapper(self, wrapper: Any, func: Any) -> Any:
        mark = Wrapped.of(func)
        inner = mark.function if mark is not None else func
        setattr(wrapper, _MARK, Wrapped(inner, id(self)))
        return wrapper


_WRAPPERS: dict[type, Callable[[Wrapping, Any], Any]] = {
    classmethod: Wrapping.wrap_classmethod,
    staticmethod: Wrapping.wrap_staticmethod,
    types.MethodType: Wrapping.wrap_boundmethod,
    functools.partialmethod: Wrapping.wrap_partialmethod,
    functools.partial: Wrapping.wrap_partial,
    property: Wrapping.wrap_property,
    functools.cached_property: Wrapping.wrap_cached_property,
}


def _keeping(old: Any, new: Any) -> Any:
    """Give a wrapper the attributes of what it takes the place of."""
    try:
        ours, theirs = vars(new), vars(old)
    except TypeError:
        return new
    for name, value in theirs.items():
        ours.setdefault(name, value)
    return new


def _is_child(cls: type, member: Any) -> bool:
    kind = "class" if isinstance(member, type) else "func"
    return ScopingPolicy.CHILDREN.get_filter(cls, kind)(member)


_INNER = (
    ((types.MethodType, classmethod, staticmethod), "__func__"),
    ((functools.partial, functools.partialmethod, functools.cached_property), "func"),
)


def _underlying(func: Any, seen: set[int], *, stop_at_classes: bool) -> list[Any]:
    """Give the functions behind an object, and classes as they are when asked to."""
    for kinds, name in _INNER:
        if isinstance(func, kinds):
            inner = getattr(func, name)
            return _underlying(inner, seen, stop_at_classes=stop_at_classes)
    if isinstance(func, property):
        return [
            each
            for part in (func.fget, func.fset, func.fdel)
            if part is not None
            for each in _underlying(part, seen, stop_at_classes=stop_at_classes)
        ]
    if isinstance(func, type):
        return [func] if stop_at_classes else _members(func, seen)
    if not callable(func):
        raise TypeError(f"no functions in {type(func).__name__} objects: {func!r}")
    if id(func) in seen or isinstance(func, _NATIVE):
        return []
    seen.add(id(func))
    if isinstance(func, FunctionType):
        return [func]
    call = inspect.getattr_static(type(func), "__call__", None)
    return [call] if isinstance(call, FunctionType) else []


def _members(cls: type, seen: set[int]) -> list[Any]:
    found: list[Any] = []
    for member in vars(cls).values():
        try:
            inner = _underlying(member, seen, stop_at_classes=True)
        except TypeError:
            continue
        for each in inner:
            if not _is_child(cls, each):
                continue
            found += _members(each, seen) if isinstance(each, type) else [each]
    return found
