"""The table of the magics, and how they come to a shell and leave it.

Nothing of a magic is imported before its first use. IPython 9.17 and later have lazy magics
of their own, but a name declared there cannot be declared again once it was loaded, which
``%reload_ext`` needs, and does not take the place of a magic that is already loaded; so a
small stand-in of ours does it, the same on every IPython.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from .magic import ToolMagics

__all__ = ["MAGICS", "SETTINGS", "load", "unload"]

Kind = Literal["line", "cell"]


class Row(NamedTuple):
    """One magic: its name, its forms, and where it is (``module:class`` in nbprobe)."""

    name: str
    kinds: tuple[Kind, ...]
    place: str


MAGICS = (
    Row("dis", ("line", "cell"), ".dis.magic:Dis"),
    Row("cycles", ("line", "cell"), ".graphs.heaps.magic:CyclesMagic"),
    Row("growth", ("line", "cell"), ".graphs.heaps.magic:GrowthMagic"),
    Row("heap", ("line",), ".graphs.heaps.magic:HeapMagic"),
    Row("lprun", ("line", "cell"), ".lprun.magic:Lprun"),
    Row("lprun_all", ("cell",), ".lprun.magic:Lprun"),
    Row("memdiff", ("line", "cell"), ".memit.magic:Memdiff"),
    Row("memit", ("line", "cell"), ".memit.magic:Memit"),
    Row("memlimit", ("line",), ".memit.magic:Memwatch"),
    Row("memwatch", ("line",), ".memit.magic:Memwatch"),
    Row("mprun", ("line", "cell"), ".memit.magic:Mprun"),
    Row("prun", ("line", "cell"), ".prun.magic:Prun"),
    Row("refcount", ("line",), ".graphs.heaps.magic:RefcountMagic"),
    Row("show_backrefs", ("line",), ".graphs.magic:ShowBackrefs"),
    Row("show_refs", ("line",), ".graphs.magic:ShowRefs"),
    Row("sizes", ("line",), ".graphs.heaps.magic:SizesMagic"),
    Row("timeit", ("line", "cell"), ".timeit.magic:Timeit"),
    Row("why", ("line",), ".graphs.magic:WhyAlive"),
)

# The classes of nbprobe.settings.
SETTINGS = ("LiveDisplay", "TimeitMagics")

# The state is an attribute of the shell: it refers to the shell, and lives as long.
_STATE = "_nbprobe"

_MAGIC = re.compile(r"(?:.*=)?\s*(%{0,2})(\w+)\s+(.*)", re.DOTALL)


def load(shell: InteractiveShell) -> None:
    """Register the magics with a shell; again does nothing."""
    if _STATE not in vars(shell):
        vars(shell)[_STATE] = _Loaded(shell)


def unload(shell: InteractiveShell) -> None:
    """Give the shell the magics back that it had before `load`, working."""
    loaded: _Loaded | None = vars(shell).pop(_STATE, None)
    if loaded is not None:
        loaded.undo()
        import_module(".runs", __package__).forget_runs(shell)


class _StandIn:
    """Stands in the shell's table for a magic that is not imported yet.

    The first look at it, whatever for, puts the magic in its place.
    """

    def __init__(self, loaded: _Loaded, row: Row, kind: Kind) -> None:
        self._loaded = loaded
        self._row = row
        self._kind = kind

    def _resolve(self) -> Any:
        function = self._loaded.instance(self._row).magics[self._kind][self._row.name]
        table = self._loaded.tables[self._kind]
        if table.get(self._row.name) is self:
            table[self._row.name] = function
        return function

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        __tracebackhide__ = True
        try:
            return self._resolve()(*arguments, **keywords)
        except BaseException as error:
            import_module(".errors", __package__).leave_out_frame(error)
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._resolve(), name)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._resolve().__doc__  # type: ignore[no-any-return]


class _Loaded:
    """What `load` changed in one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._instances: dict[str, ToolMagics] = {}
        self._before: dict[tuple[Kind, str], Any] = {}
        self.tables: dict[str, dict[str, Any]] = shell.magics_manager.magics
        for row in MAGICS:
            for kind in row.kinds:
                self._before[kind, row.name] = self.tables[kind].get(row.name)
                self.tables[kind][row.name] = _StandIn(self, row, kind)
        settings = import_module(".settings", __package__)
        self._settings = [getattr(settings, name)(parent=shell) for name in SETTINGS]
        shell.configurables.extend(self._settings)
        self._matcher = self._new_matcher()
        shell.Completer.custom_matchers.append(self._matcher)

    def instance(self, row: Row) -> ToolMagics:
        """Import a magic's class, and make the shell's one object of it."""
        if row.place not in self._instances:
            module, _, name = row.place.partition(":")
            magics = getattr(import_module(module, __package__), name)
            self._instances[row.place] = magics(shell=self._shell)
        return self._instances[row.place]

    def undo(self) -> None:
        """Put everything back, except what others have put in our place since."""
        for row in MAGICS:
            for kind in row.kinds:
                if self._is_ours(row, kind):
                    self._put_back(row, kind)
        ours = [*self._settings, *self._instances.values()]
        configurables = self._shell.configurables
        configurables[:] = [other for other in configurables if other not in ours]
        if self._matcher in self._shell.Completer.custom_matchers:
            self._shell.Completer.custom_matchers.remove(self._matcher)

    def _is_ours(self, row: Row, kind: Kind) -> bool:
        function = self.tables[kind].get(row.name)
        if type(function) is _StandIn:
            return True
        instance = self._instances.get(row.place)
        return instance is not None and getattr(function, "__self__", None) is instance

    def _put_back(self, row: Row, kind: Kind) -> None:
        before = self._before[kind, row.name]
        if before is None:
            del self.tables[kind][row.name]
            return
        if type(before).__name__ == "LazyMagic":
            # IPython's own placeholder loads its class only once: if that happened while
            # we stood in its place, the magic is what the class brought.
            registry = self._shell.magics_manager.registry
            provider = registry.get(before.spec.partition(":")[2])
            if provider is not None:
                before = provider.magics[kind][row.name]
        self.tables[kind][row.name] = before

    def _new_matcher(self) -> Any:
        from IPython.core.completer import SimpleCompletion, context_matcher

        @context_matcher()  # type: ignore[untyped-decorator]
        def nbprobe_matcher(context: CompletionContext) -> SimpleMatcherResult:
            """Complete the options of our magics."""
            texts = self._complete(context.text_until_cursor)
            completions = [SimpleCompletion(text=text, type="param") for text in texts]
            # Nothing else is meant there, such as a file of that name.
            return {"completions": completions, "suppress": bool(completions)}

        return nbprobe_matcher

    def _complete(self, text: str) -> list[str]:
        match = _MAGIC.fullmatch(text)
        if match is None or (not match[1] and match[2] in self._shell.user_ns):
            return []
        for row in MAGICS:
            if row.name == match[2] and self._is_ours(row, row.kinds[0]):
                return self.instance(row).table.complete(match[3]) or []
        return []
