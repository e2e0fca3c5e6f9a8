"""``%timeit`` and ``%%timeit``, through a real shell."""

from __future__ import annotations

import re

import pytest

from nbprobe.timeit.magic import TABLE

from ..cell.shells import Session, bare, session
from ..patience import at_best

__all__ = ["bare", "session"]

# A stream that does not tell its encoding gets +- from the built-in, too.
STOCK = re.compile(
    r".+ (?:±|\+-) .+ per loop "
    r"\(mean (?:±|\+-) std\. dev\. of (\d+) runs?, ([\d,]+) loops? each\)"
)


def test_line_form_prints_the_stock_line_first(session: Session) -> None:
    ran = session.run("%timeit len('abc')")
    assert STOCK.fullmatch(ran.stdout.splitlines()[0])
    assert ran.value is None
    assert ran.displayed == []


def test_cell_form_runs_the_first_line_as_setup(session: Session) -> None:
    ran = session.run("%%timeit -n3 -r2 -o x = [1, 2]\ny = x\ny.append(3)")
    assert (ran.value.setup, ran.value.statement) == (
        "x = [1, 2]",
        "y = x\ny.append(3)",
    )
    assert (ran.value.loops, ran.value.repeat, ran.value.setups) == (3, 2, 2)


@pytest.mark.parametrize(
    ("options", "loops", "repeat"),
    [("-n5 -r3", 5, 3), ("-n 5", 5, 7), ("-r2 -n 1", 1, 2)],
)
def test_number_and_repeat_are_exact(
    session: Session, options: str, loops: int, repeat: int
) -> None:
    session.run("count = 0\ndef f():\n    global count\n    count += 1")
    ran = session.run(f"%timeit {options} -o f()")
    match = STOCK.search(ran.stdout)  # a warning may stand before it
    assert match
    assert (int(match[1]), int(match[2])) == (repeat, loops)
    assert (ran.value.repeat, ran.value.loops) == (repeat, loops)
    assert session.names["count"] == loops * repeat == ran.value.executions


@pytest.mark.parametrize(
    ("options", "clock"), [("", "wall"), ("-t", "real"), ("-c", "cpu")]
)
def test_clocks(session: Session, options: str, clock: str) -> None:
    assert session.run(f"%timeit -q -o {options} -n1 pass").value.clock == clock


def test_precision(session: Session) -> None:
    ran = session.run("%timeit -p 8 -o len('abc')")
    assert ran.value.precision == 8


def test_quiet_shows_nothing(session: Session) -> None:
    ran = session.run("%timeit -q len('abc')")
    assert (ran.stdout, ran.stderr, ran.displayed, ran.value) == ("", "", [], None)


def test_variable_and_output_combine(session: Session) -> None:
    ran = session.run("%%timeit -q -o -v kept -n1\npass")
    assert session.names["kept"] is ran.value


def test_capture_has_the_text(session: Session) -> None:
    session.run("%%capture captured\n%timeit -n1 -r1 pass")
    assert STOCK.match(session.names["captured"].stdout)


@pytest.mark.parametrize("statistic", ["mean", "median", "min", "q1", "max"])
def test_statistic(session: Session, statistic: str) -> None:
    assert (
        session.run(f"%timeit -q -o --stat {statistic} len('')").value.statistic
        == statistic
    )


@at_best
def test_each_gives_every_execution_a_setup(session: Session) -> None:
    result = session.run(
        "%timeit -q -o --each 'data = [2, 1]' data.pop(); data.pop()"
    ).value
    assert result.method == "each"
    assert result.executions > 3


@at_best
def test_vs_compares(session: Session) -> None:
    session.run("x = list(range(1000))")
    ran = session.run("%timeit -o --budget 0.1 --vs \"len(x)\" --vs='x[0]' sum(x)")
    assert [result.label for result in ran.value.results] == [
        "sum(x)",
        "len(x)",
        "x[0]",
    ]
    assert ran.value.baseline == 0
    assert ran.value.ratios[1].verdict == "faster"
    assert "faster" in ran.stdout


def test_compare_divides_at_labels(session: Session) -> None:
    ran = session.run(
        "%%timeit -q -o --compare n = 10\n"
        "x = list(range(n))\n"
        "# %% one by one\n"
        "total = 0\n"
        "for number in x:\n"
        "    total += number\n"
        "# %%\n"
        "total = sum(x)  # %% not a label\n"
    )
    first, second = ran.value.results
    assert (first.label, second.label) == ("one by one", "part 2")
    assert first.setup == "n = 10\nx = list(range(n))"
    assert second.statement == "total = sum(x)  # %% not a label"


def test_compare_takes_statements_without_labels(session: Session) -> None:
    ran = session.run("%%timeit -q -o --compare x = 'a'\nlen(x); x\nx + x\n")
    assert [result.statement for result in ran.value.results] == [
        "len(x)",
        "x",
        "x + x",
    ]


def test_error_in_a_part_shows_its_line(session: Session) -> None:
    ran = session.run("%%timeit --compare\n# %% a\npass\n# %% b\n1 / 0")
    assert "----> 5 1 / 0" in ran.stdout


@at_best
def test_name_compares_with_the_earlier_run(session: Session) -> None:
    session.run("x = list(range(10))")
    first = session.run("%timeit --budget 0.1 --name sum sum(x)").stdout
    assert "before" not in first
    session.run("x = list(range(10000))")
    second = session.run("%timeit --budget 0.1 --name sum sum(x)").stdout
    assert re.search(r"^after .*slower", second, re.MULTILINE)
    # Another name has nothing to be compared with.
    assert "before" not in session.run("%timeit --name other sum(x)").stdout


def test_scale_sees_the_sizes(session: Session) -> None:
    ran = session.run("%timeit -o --scale n=10,100,1_000,1e4 sum(range(n))")
    assert ran.value.values == (10, 100, 1000, 10000)
    assert ran.value.name == "n"
    assert "n" not in session.names


def test_scale_sees_the_sizes_in_setup(session: Session) -> None:
    ran = session.run("%%timeit -q -o --scale n=2,3,4 x = [0] * n\nassert len(x) == n")
    assert ran.error is None


def test_counters_or_why_not(session: Session) -> None:
    result = session.run("%timeit -q -o --counters len('')").value
    assert result.counters or result.counters_note


def test_partial_result_is_shown_before_the_error(session: Session) -> None:
    session.run("left = 350\ndef f():\n    global left\n    left -= 1\n    1 / left")
    ran = session.run("%timeit -n100 f()")
    assert isinstance(ran.error, ZeroDivisionError)
    assert "partial" in ran.stdout
    assert ran.stdout.index("partial") < ran.stdout.index("ZeroDivisionError")


def test_nothing_partial_when_nothing_was_measured(session: Session) -> None:
    ran = session.run("%timeit 1 / 0")
    assert "partial" not in ran.stdout


def test_quiet_holds_for_partial_results(session: Session) -> None:
    session.run("left = 350\ndef f():\n    global left\n    left -= 1\n    1 / left")
    ran = session.run("%timeit -q -n100 f()")
    assert "partial" not in ran.stdout


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (
            "%timeit --budgt 2 f()",
            "%timeit: unknown option --budgt; did you mean --budget? %timeit --budget 2 f()",
        ),
        ("%timeit -n -1 f()", "%timeit: -n takes a whole number from 0, not '-1'"),
        ("%timeit -r0 f()", "%timeit: -r takes a whole number from 1, not '0'"),
        ("%timeit -n abc f()", "%timeit: -n takes a whole number from 0, not 'abc'"),
        (
            "%timeit -n 9999999999999999999 f()",
            "%timeit: -n takes 10^15 loops at the most, not '9999999999999999999'",
        ),
        (
            "%timeit -p 101 f()",
            "%timeit: -p takes a whole number from 0 to 100, not '101'",
        ),
        ("%timeit -v 1a f()", "%timeit: -v takes the name of a variable, not '1a'"),
        ("%timeit --budget", "%timeit: --budget needs a value: %timeit --budget S"),
        (
            "%timeit --budget 0 f()",
            "%timeit: --budget takes a number of seconds above 0, not '0'",
        ),
        (
            "%timeit --scale 10,100 f(n)",
            "%timeit: --scale takes a name and two or more sizes above 0, without blanks, as in "
            "n=10,1e3,2**14, not '10,100'",
        ),
        (
            "%timeit -n1 --budget 1 f()",
            "%timeit: -n and -r fix how often it runs: leave out them or --budget",
        ),
        (
            "%timeit --scale n=1,2 --vs g(n) f(n)",
            "%timeit: --scale measures one statement: leave out --vs",
        ),
        (
            "%timeit --compare f()",
            "%timeit: --compare is for the parts of a cell: use %%timeit --compare, without "
            "--vs and --scale",
        ),
        (
            "%%timeit --compare\nf()",
            "%timeit: --compare needs two or more parts in the cell; begin each with a comment "
            "line # %% LABEL",
        ),
        (
            "%timeit --name a --vs g() f()",
            "%timeit: --name keeps one timing: leave out --vs, --compare and --scale",
        ),
        (
            "%%timeit",
            "%%timeit is a cell magic, but the cell body is empty. Did you mean the line magic "
            "%timeit (single %)?",
        ),
    ],
)
def test_bad_input_is_answered_in_one_line(
    session: Session, cell: str, message: str
) -> None:
    assert session.run(cell).usage_error == message


@pytest.mark.parametrize(
    "cell", ["%timeit", "%timeit -n1", "%timeit # x", "%%timeit\n\n# x\n"]
)
def test_without_a_statement_it_says_so(session: Session, cell: str) -> None:
    message = session.run(cell).usage_error
    assert message.startswith(
        "%timeit: there is no statement to time; write %timeit STATEMENT"
    )


def test_a_setup_that_raises_is_shown(session: Session) -> None:
    ran = session.run("%%timeit x = nowhere\nx")
    assert isinstance(ran.error, NameError)
    assert "----> 1 %%timeit x = nowhere" in ran.stdout


def test_help_is_complete(session: Session) -> None:
    text = session.shell.find_line_magic("timeit").__doc__
    assert all(option.usage in text for option in TABLE.options)
    assert "{options}" not in text
