"""Options: what is read, what is left alone, and how a mistake is answered."""

from __future__ import annotations

import pytest

from nbprobe.options import Option, OptionError, OptionTable
from nbprobe.timeit.options import SCALE, VS, whole

TABLE = OptionTable(
    "%tool",
    [
        Option("number", ("-n", "--number"), "Do it N times.", "N", whole(1), 7),
        Option("quiet", ("-q",), "Say nothing."),
        Option("output", ("-o",), "Return it."),
        Option("budget", ("--budget",), "Seconds.", "S", float),
        Option(
            "statistic",
            ("--stat",),
            "Which.",
            "STAT",
            choices=("mean", "median", "min"),
        ),
        VS,
        SCALE,
    ],
    "statement",
)


@pytest.mark.parametrize(
    ("line", "values", "rest"),
    [
        ("-n1 x", {"number": 1}, "x"),
        ("-n 1 x", {"number": 1}, "x"),
        ("  -qo   x", {"quiet": True, "output": True}, "x"),
        ("-qon5 x", {"quiet": True, "output": True, "number": 5}, "x"),
        ("-n 1 -n 2 x", {"number": 2}, "x"),
        ("--number 3 --budget=2 x", {"number": 3, "budget": 2.0}, "x"),
        ('--vs "a b" x', {"vs": ("a b",)}, "x"),
        ("--vs='a b' --vs c x", {"vs": ("a b", "c")}, "x"),
        (r'--vs "print(\"a\")" x', {"vs": ('print("a")',)}, "x"),
        ('--vs f("a b") x', {"vs": ('f("a b")',)}, "x"),
        ("-q -- -x", {"quiet": True}, "-x"),
        ("-q - x", {"quiet": True}, "- x"),
        ("-q", {"quiet": True}, ""),
        (
            "--scale n=10,1e3,2**14,1_000 x",
            {"scale": ("n", (10, 1000, 16384, 1000))},
            "x",
        ),
    ],
)
def test_options_at_the_front_are_read(
    line: str, values: dict[str, object], rest: str
) -> None:
    parsed = TABLE.parse_line(line)
    assert {name: parsed.values[name] for name in parsed.given} == values
    assert parsed.rest == rest


@pytest.mark.parametrize(
    "code",
    ['f( "a  b" )  # -n 3 ', "a -n", "x = '--budget 2'", "a\t-  b\\n", "'", "  # '"],
)
def test_code_is_left_byte_for_byte(code: str) -> None:
    assert TABLE.parse_line(f"-n1 {code}").rest == code.lstrip()


def test_defaults_are_given_for_what_is_not_written() -> None:
    parsed = TABLE.parse_line("x")
    assert parsed.number == 7
    assert parsed.quiet is False
    assert parsed.vs == ()
    assert not parsed.given


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "--budgt 2 f()",
            "unknown option --budgt; did you mean --budget? %tool --budget 2 f()",
        ),
        ("-n -1 x", "-n takes a whole number from 1, not '-1'"),
        ("-n0 x", "-n takes a whole number from 1, not '0'"),
        ("-n abc", "-n takes a whole number from 1, not 'abc'"),
        ("-n=5 x", "-n takes a whole number from 1, not '=5'; write -n 5"),
        ("-n", "-n needs a value: %tool -n N"),
        ("-qn", "-n needs a value: %tool -n N"),
        ("--stat", "--stat needs a value: %tool --stat mean|median|min"),
        (
            "--stat meen x",
            "--stat takes one of mean, median, min, not 'meen'; did you mean mean?",
        ),
        ("--stat= x", "--stat needs a value: %tool --stat mean|median|min"),
        ('--vs "a b', '--vs: the quote " in its value is not closed'),
        (
            "--vs f(a, b) x",
            "--vs takes one statement, in quotes when there is a blank in it, not 'f(a,'",
        ),
        (
            "--scale 10,100 x",
            "--scale takes a name and two or more sizes above 0, without blanks, as in "
            "n=10,1e3,2**14, not '10,100'",
        ),
    ],
)
def test_a_mistake_is_answered_in_one_line(line: str, message: str) -> None:
    with pytest.raises(OptionError) as raised:
        TABLE.parse_line(line)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    "value", ["n=", "n=10", "n=10,0", "n=10,-1", "n=10,9**9**9", "1=2,3"]
)
def test_sizes_are_checked(value: str) -> None:
    with pytest.raises(OptionError, match=r"^--scale takes a name"):
        TABLE.parse_line(f"--scale {value} x")


def test_a_statement_that_begins_with_a_dash_is_helped() -> None:
    with pytest.raises(OptionError, match=r"needs -- before it: %tool -q -- -x \+ 1$"):
        TABLE.parse_line("-q -x + 1")


def test_a_switch_takes_no_value() -> None:
    table = OptionTable("%tool", [Option("all", ("--all",), "All.")], "statement")
    with pytest.raises(OptionError, match=r"^--all takes no value$"):
        table.parse_line("--all=1 x")


def test_arguments_of_a_command_are_read_as_getopt_does() -> None:
    parsed = TABLE.parse_arguments(["--num", "5", "-qo", "--vs=a b", "x y", "-n"])
    assert (parsed.number, parsed.quiet, parsed.output, parsed.vs) == (
        5,
        True,
        True,
        ("a b",),
    )
    assert parsed.arguments == ("x y", "-n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--budgt", "2"],
            "unknown option --budgt; did you mean --budget? %tool --budget 2",
        ),
        (["-n"], "-n needs a value: %tool -n N"),
        (["-n", "0"], "-n takes a whole number from 1, not '0'"),
    ],
)
def test_a_wrong_argument_is_answered_in_one_line(
    arguments: list[str], message: str
) -> None:
    with pytest.raises(OptionError) as raised:
        TABLE.parse_arguments(arguments)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("--bu", ["--budget"]),
        ("-q --s", ["--stat", "--scale"]),
        ("-n 1 --bu", ["--budget"]),
        ("--stat ", ["mean", "median", "min"]),
        ("--stat me", ["mean", "median"]),
        ("--stat=mi", ["min"]),
        ("--stat mean --bu", ["--budget"]),
        ('--vs "a b', []),
        ("--budget 1 --unknown", []),
        ("--budget 1 float.as", None),
        ("-n1 float.as", None),
        ("--stat mean ", None),
        ("-- --bu", None),
        ("", None),
    ],
)
def test_completion(line: str, offered: list[str] | None) -> None:
    assert TABLE.complete(line) == offered


def test_help_names_every_option_and_its_choices() -> None:
    text = TABLE.help()
    assert "-n, --number N\n    Do it N times." in text
    assert "--stat {mean,median,min}" in text
    assert all(flag in text for option in TABLE.options for flag in option.flags)


def test_a_line_is_written_again_without_some_options() -> None:
    table = OptionTable(
        "%magic",
        [
            Option("quiet", ("-q",), ""),
            Option("each", ("--each",), "", "CODE"),
            Option("rate", ("--rate",), "", "HZ", float, implied="10"),
            Option("limits", ("-l",), "", "LIMIT", repeatable=True),
        ],
        "statement",
    )
    line = """-ql3 --each "d = 'a\\\\b'" -l 'x y' --rate code()"""
    parsed = table.parse_line(line)
    again = table.parse_line(f"{parsed.line()} -- {parsed.rest}")
    assert again.values == parsed.values and again.rest == parsed.rest
    assert parsed.each == "d = 'a\\b'"
    less = table.parse_line(parsed.line("quiet", "limits") + " code()")
    assert less.given == {"each", "rate"}
