"""Loading gives the magics, lazily; unloading gives back what was there, alive."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from IPython.core.magic import Magics, line_magic, magics_class

from nbprobe import registry

from ..patience import at_best
from .shells import Session, bare, session

__all__ = ["bare", "session"]

STOCK_LINE = "1 run, 1 loop each)\n"
OURS = "%timeit --budget 0.001 len('a')"


def _is_ours(session: Session) -> bool:
    return session.run(OURS).stderr == ""


def test_load_unload_and_load_again(bare: Session) -> None:
    assert not _is_ours(bare)
    bare.run("%load_ext nbprobe")
    assert _is_ours(bare)
    bare.run("%unload_ext nbprobe")
    assert not _is_ours(bare)
    bare.run("%load_ext nbprobe")
    assert _is_ours(bare)


def test_reload_works(session: Session) -> None:
    assert _is_ours(session)
    assert session.run("%reload_ext nbprobe").error is None
    assert _is_ours(session)


def test_loading_twice_does_nothing(session: Session) -> None:
    before = dict(session.shell.magics_manager.magics["line"])
    registry.load(session.shell)
    assert session.shell.magics_manager.magics["line"] == before
    assert len(session.shell.Completer.custom_matchers) == 1


@pytest.mark.parametrize(
    "meanwhile", ["pass", "%time 1", OURS], ids=["none", "stock", "ours"]
)
def test_unload_gives_a_living_magic_back(bare: Session, meanwhile: str) -> None:
    # GIVEN that the class of the built-in was, or was not, imported while we were there
    bare.run("%load_ext nbprobe")
    bare.run(meanwhile)
    # WHEN we leave
    bare.run("%unload_ext nbprobe")
    # THEN the built-in times, in both forms
    assert bare.run("%timeit -n1 -r1 pass").stdout.endswith(STOCK_LINE)
    assert bare.run("%%timeit -n1 -r1 x = 1\nx").stdout.endswith(STOCK_LINE)
    assert not _is_ours(bare)


@magics_class
class _Other(Magics):
    @line_magic
    def timeit(self, line: str) -> str:
        return "other"


def test_an_earlier_override_comes_back(bare: Session) -> None:
    bare.shell.register_magics(_Other)
    bare.run("%load_ext nbprobe")
    assert _is_ours(bare)
    bare.run("%unload_ext nbprobe")
    assert bare.run("%timeit 1").value == "other"


def test_a_later_override_stays(session: Session) -> None:
    session.shell.register_magics(_Other)
    session.run("%unload_ext nbprobe")
    assert session.run("%timeit 1").value == "other"


def test_unload_leaves_nothing(session: Session) -> None:
    assert _is_ours(session)
    session.run("%unload_ext nbprobe")
    shell: Any = session.shell
    assert shell.Completer.custom_matchers == []
    modules = {type(one).__module__ for one in shell.configurables}
    assert not {module for module in modules if module.startswith("nbprobe")}
    assert session.complete("%timeit --bu") == []


@at_best
def test_settings_can_be_set_before_the_magic_is_used(bare: Session) -> None:
    bare.run("%load_ext nbprobe")
    bare.run("%config TimeitMagics.budget = 0.002")
    bare.run("%config TimeitMagics.statistic = 'median'")
    result = bare.run("%timeit -o -q len('a')").value
    assert result.statistic == "median"
    assert result.measured_ns < 0.1e9


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("%timeit --bu", ["--budget"]),
        ("%%timeit --com", ["--compare"]),
        ("x = %timeit -o --sc", ["--scale"]),
        ("%timeit --stat med", ["median"]),
        ("timeit --na", ["--name"]),
        ("%timeit --stat=q", ["q1"]),
    ],
)
def test_tab_completes_our_options(
    session: Session, text: str, offered: list[str]
) -> None:
    assert session.complete(text) == offered


@pytest.mark.parametrize(
    "options", ["", "-n 1", "--budget 1", "--stat=min -q --budget 0.1"]
)
def test_tab_completes_code_after_options(session: Session, options: str) -> None:
    (offered,) = session.complete(f"%timeit {options} float.as_integer")
    assert offered.endswith("as_integer_ratio")


def test_tab_after_other_magics_is_theirs(session: Session) -> None:
    assert "--budget" not in session.complete("%time --bu")
    session.names["timeit"] = 1
    assert session.complete("timeit --bu") == []


def test_the_table_names_real_magics(session: Session) -> None:
    for row in registry.MAGICS:
        for kind in row.kinds:
            function = session.shell.find_magic(row.name, kind)
            assert function.__self__.magics[kind][row.name].__name__ == row.name


def test_loading_imports_little() -> None:
    # GIVEN a shell; WHEN the extension is loaded
    script = (
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "before = set(sys.modules)\n"
        "shell.extension_manager.load_extension('nbprobe')\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    # THEN what it needs to know the magics' names is imported, and no more
    names = run.stdout.split()
    assert {name.partition(".")[0] for name in names} == {"nbprobe"}
    assert len(names) < 10
