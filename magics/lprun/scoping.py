"""Which members of a class or module are profiled with it: line_profiler's policies."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Literal

__all__ = ["Policies", "ScopingPolicy"]

Kind = Literal["func", "class", "module"]
Policies = dict[Kind, "ScopingPolicy"]
Namespace = type | ModuleType

_KINDS: tuple[Kind, ...] = ("func", "class", "module")


class ScopingPolicy(enum.StrEnum):
    """How near to a class or module its members must be defined to be profiled with it.

    Attributes
    ----------
    EXACT
        Functions that are defined in it; no class or module in it is entered.
    CHILDREN
        Functions and classes that are defined in it, and direct submodules.
    DESCENDANTS
        What is defined in it at any depth.
    SIBLINGS
        That, and what is defined beside it: in the same module for a class, in the same
        package for a module.
    NONE
        Everything that is found in it, wherever it was defined.
    """

    EXACT = enum.auto()
    CHILDREN = enum.auto()
    DESCENDANTS = enum.auto()
    SIBLINGS = enum.auto()
    NONE = enum.auto()

    @classmethod
    def _missing_(cls, value: object) -> ScopingPolicy | None:
        known = {member.value: member for member in cls}
        return known.get(value.casefold()) if isinstance(value, str) else None

    @classmethod
    def to_policies(
        cls, policies: str | ScopingPolicy | Mapping[str, Any] | None = None
    ) -> Policies:
        """Give the policy for functions, for classes and for modules.

        Parameters
        ----------
        policies : str, ScopingPolicy, mapping or None
            One for all; one each under the keys ``'func'``, ``'class'`` and ``'module'``;
            or the default: siblings, siblings, exact.
        """
        if policies is None:
            policies = {"func": "siblings", "class": "siblings", "module": "exact"}
        if isinstance(policies, str):
            return dict.fromkeys(_KINDS, cls(policies))
        return {kind: cls(policies[kind]) for kind in _KINDS}

    def get_filter(self, namespace: Namespace, obj_type: str) -> Callable[[Any], bool]:
        """Give the test that a member of a class or module must pass.

        Parameters
        ----------
        namespace : type or module
            Where the member was found.
        obj_type : str
            What the member is: ``'func'``, ``'class'`` or ``'module'``.
        """
        if isinstance(namespace, type):
            if obj_type == "module":
                return _never
            return self._in_class(namespace, obj_type)
        if obj_type == "module":
            return self._submodule(namespace)
        return self._in_module(namespace, obj_type)

    def _in_class(self, cls: type, obj_type: str) -> Callable[[Any], bool]:
        module, name = cls.__module__, cls.__qualname__

        def is_sibling(other: Any) -> bool:
            return bool(other.__module__ == module)

        def is_child(other: Any) -> bool:
            own = f"{name}.{other.__name__}"
            return is_sibling(other) and bool(other.__qualname__ == own)

        def is_descendant(other: Any) -> bool:
            return is_sibling(other) and other.__qualname__.startswith(f"{name}.")

        return {
            "exact": _never if obj_type == "class" else is_child,
            "children": is_child,
            "descendants": is_descendant,
            "siblings": is_sibling,
            "none": _always,
        }[self.value]

    def _in_module(self, module: ModuleType, obj_type: str) -> Callable[[Any], bool]:
        name = module.__name__
        package = name.rpartition(".")[0]

        def is_child(other: Any) -> bool:
            return bool(other.__module__ == name)

        def is_descendant(other: Any) -> bool:
            return _is_within(other.__module__, name)

        def is_sibling(other: Any) -> bool:
            return is_descendant(other) or (
                bool(package) and _is_within(other.__module__, package)
            )

        return {
            "exact": _never if obj_type == "class" else is_child,
            "children": is_child,
            "descendants": is_descendant,
            "siblings": is_sibling,
            "none": _always,
        }[self.value]

    def _submodule(self, module: ModuleType) -> Callable[[Any], bool]:
        name = module.__name__
        package = name.rpartition(".")[0]

        def is_child(other: Any) -> bool:
            return bool(other.__name__.rpartition(".")[0] == name)

        def is_descendant(other: Any) -> bool:
            return bool(other.__name__.startswith(f"{name}."))

        def is_sibling(other: Any) -> bool:
            return bool(package) and other.__name__.startswith(f"{package}.")

        return {
            "exact": _never,
            "children": is_child,
            "descendants": is_descendant,
            "siblings": is_sibling,
            "none": _always,
        }[self.value]


def _never(_: Any) -> bool:
    return False


def _always(_: Any) -> bool:
    return True


def _is_within(name: str | None, package: str) -> bool:
    return name is not None and (name == package or name.startswith(f"{package}."))
