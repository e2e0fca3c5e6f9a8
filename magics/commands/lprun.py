"""``nbprobe lprun``: kernprof with its command line and files, and the files shown."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import CodeType
from typing import Any

from .. import script
from ..code import register_source
from ..errors import NbprobeError
from ..live.children import Children
from ..live.following import following
from ..live.processes import describe
from ..lprun import LineProfiler, LineResult, LineStats, load_stats
from ..lprun.arguments import program_options, show_options, wants_to_show
from ..lprun.autoprofile import Targets
from ..lprun.calls import ContextualProfile
from ..lprun.config import ConfigError
from ..lprun.kernprof import RepeatedTimer
from ..lprun.merging import with_children
from ..lprun.recorder import bequeath, options_for
from ..source import source_of
from ..views.names import clean

SUMMARY = "which lines take the time of a program; every flag of kernprof"


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    if wants_to_show(arguments):
        return show(arguments)
    return _guarded(lambda: _Run(program_options(arguments)).run())


def show(arguments: Sequence[str]) -> int:
    """Run the command line of ``python -m line_profiler``, and return the exit code."""
    return _guarded(lambda: _show(show_options(arguments)))


def _guarded(work: Callable[[], int]) -> int:
    """Say in one line what is wrong with files and configuration."""
    try:
        return work()
    except (ConfigError, NbprobeError, FileNotFoundError) as error:
        print(f"nbprobe lprun: {error}", file=sys.stderr)
        return 1


def _show(options: argparse.Namespace) -> int:
    """Show line profiles, added up."""
    load_stats(*options.profile_output).print(
        output_unit=options.unit,
        stripzeros=options.skip_zero,
        rich=options.rich,
        sort=options.sort,
        summarize=options.summarize,
        config=options.config,
    )
    return 0


class _Run:
    """One program under a profiler."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._level = options.verbose - options.quiet
        self._profiler: LineProfiler | ContextualProfile
        self._profiler = LineProfiler() if options.line_by_line else ContextualProfile()
        self._targets = Targets(options.prof_mod if options.line_by_line else [])
        self._children: Children | None = None
        self._text = ""
        self._file = ""
        self._module: str | None = None

    def run(self) -> int:
        """Run it, write the results, show them; give its exit code."""
        options = self._options
        with contextlib.ExitStack() as stack:
            stdout = sys.stdout
            for level, redirect in (
                (-1, contextlib.redirect_stdout),
                (-2, contextlib.redirect_stderr),
            ):
                if self._level < level:
                    null = stack.enter_context(open(os.devnull, "w"))
                    stack.enter_context(redirect(null))
            words = self._program()
            stack.enter_context(self._installed())
            if options.setup:
                self._execute_setup(options.setup)
            try:
                with self._written_meanwhile():
                    code = self._execute(words)
            finally:
                self._profiler.enable_count = 0
                self._profiler.disable()
                self._write()
            self._tell(stdout)
        return code

    def _program(self) -> list[str]:
        """Find the program, and name the file for the results."""
        options = self._options
        words: list[str] = list(options.words)
        kind: str = options.kind
        ending = "lprof" if options.line_by_line else "prof"
        if kind in ("command", "stdin"):
            text = words[0] if kind == "command" else sys.stdin.read()
            self._text = textwrap.dedent(text)
            self._file = register_source(self._text)
            if not options.outfile:
                handle, options.outfile = tempfile.mkstemp(
                    f".{ending}", f"kernprof-{kind}-", os.curdir
                )
                os.close(handle)
            words[0] = "-c" if kind == "command" else "-"
        elif kind == "module":
            self._module = words[0]
        if not options.outfile:
            options.outfile = f"{os.path.basename(words[0])}.{ending}"
        return words

    @contextlib.contextmanager
    def _installed(self) -> Iterator[None]:
        """Have ``profile`` be this profiler wherever a program looks for it."""
        # It reads the configuration, whose errors our options have told by now.
        from ..lprun.explicit import install

        install(self._profiler)
        try:
            yield
        finally:
            install(None)

    def _execute_setup(self, file: str) -> None:
        with open(file, "rb") as stream:
            code = compile(stream.read(), file, "exec", dont_inherit=True)
        sys.path.insert(0, os.path.dirname(os.path.abspath(file)))
        exec(code, {"__file__": file, "__name__": "__main__"})

    def _execute(self, words: list[str]) -> int:
        options = self._options
        known = {}
        if options.builtin or options.line_by_line:
            known["profile"] = self._profiler
        try:
            if self._text:
                self._execute_text(words, known)
            else:
                script.run(
                    words,
                    known,
                    module=self._module is not None,
                    execute=self._execute_code,
                )
        except script.ScriptError:
            raise
        except BaseException as error:
            return script.report(error)
        return 0

    def _execute_text(self, words: list[str], known: dict[str, Any]) -> None:
        """Run what ``-c`` or standard input gave, as a script of that text."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "program.py")
            with open(path, "w", encoding="utf-8") as stream:
                stream.write("")

            def execute(_: CodeType, names: dict[str, Any]) -> None:
                sys.argv[0] = words[0]
                sys.path[0] = ""
                del names["__file__"]
                code = compile(self._text, self._file, "exec", dont_inherit=True)
                self._execute_code(code, names)

            script.run([path, *words[1:]], known, execute=execute)

    def _execute_code(self, code: CodeType, names: dict[str, Any]) -> None:
        options, profiler = self._options, self._profiler
        names["__name__"] = "__main__"
        if not isinstance(profiler, LineProfiler):
            if options.builtin:
                exec(code, names)
            else:
                profiler.runctx(code, names, names)
            return
        file = code.co_filename
        is_whole = bool(self._text) or self._targets.has_script(file, self._module)
        if self._targets.names:
            if options.preimports:
                for problem in self._targets.preimport(profiler, file):
                    print(f"nbprobe lprun: {problem}", file=sys.stderr)
            if options.prof_imports or not options.preimports:
                text = "\n".join(source_of(code).lines)
                everything = is_whole and options.prof_imports
                code = self._targets.transform(file, text, everything=everything)
        if is_whole:
            profiler.recording.add(code)
            profiler.enable_by_count()
            code = profiler.recording.engine.replacement(code)
        if options.children:
            whole = [(os.path.realpath(file), "")] if is_whole else []
            places = self._targets.places() + whole
            recorded = options_for(profiler, places, as_builtin=True)
            self._children = Children("lprun", recorded)
        with following(self._children, partial(bequeath, profiler)):
            exec(code, names)

    # ---- results ----

    def _write(self) -> None:
        """Write the results, without what is in no file that can be read later."""
        if not isinstance(self._profiler, LineProfiler):
            self._profiler.dump_stats(self._options.outfile)
            return
        stats = self._stats()
        stats.timings = {
            key: rows for key, rows in stats.timings.items() if key[0] != self._file
        }
        stats.to_file(self._options.outfile)

    def _stats(self) -> LineStats:
        """Give the statistics of functions: kernprof has none of a program's own lines."""
        assert isinstance(self._profiler, LineProfiler)
        stats = self._result().stats()
        stats.timings = {
            key: rows for key, rows in stats.timings.items() if key[2] != "<module>"
        }
        return stats

    def _result(self) -> LineResult:
        """Give what was counted until now, that of child processes when all has ended."""
        assert isinstance(self._profiler, LineProfiler)
        has_ended = not self._profiler.recording.engine.running
        own = self._profiler.result()
        return with_children(own, self._children if has_ended else None)

    @contextlib.contextmanager
    def _written_meanwhile(self) -> Iterator[None]:
        """Write the results every so many seconds, if that was asked for."""
        interval = self._options.output_interval
        if not interval:
            yield
            return
        timer = RepeatedTimer(
            max(interval, 1), lambda _: self._write(), self._options.outfile
        )
        try:
            yield
        finally:
            timer.stop()

    def _tell(self, stdout: Any) -> None:
        """Say where the results are, and show them if that was asked for."""
        options = self._options
        path = min(options.outfile, os.path.relpath(options.outfile), key=len)
        if self._level > -1:
            print(f"Wrote profile results to {path!r}")
            if self._children is not None:
                gathered = self._children.stop()
                print(clean(describe(gathered.processes, gathered.others)))
        if self._level > 0:
            if isinstance(self._profiler, LineProfiler):
                self._stats().print(
                    stdout,
                    output_unit=options.unit,
                    stripzeros=options.skip_zero,
                    summarize=options.summarize,
                    rich=options.rich,
                    config=options.config,
                )
            else:
                self._profiler.print_stats()
        elif self._level > -1:
            command = "nbprobe lprun -rmt" if options.line_by_line else "nbprobe prun"
            print(f"Inspect results with:\n{command} {path!r}")
