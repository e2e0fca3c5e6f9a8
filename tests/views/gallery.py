"""Results made by hand, ordinary and hostile, for the tests of everything that shows them.

Deterministic: the samples come from a fixed formula, not from a generator whose numbers
may differ between versions of Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nbprobe.live.processes import Process
from nbprobe.lprun.merging import joined
from nbprobe.lprun.result import Function, Line, LineMemory, LineResult
from nbprobe.results import Result
from nbprobe.timeit.result import Comparison, Fit, Ratio, Scaling, TimeitResult

MICRO = 1_000.0
SECOND = 1e9


def scatter(centre: float, number: int, spread: float = 0.004) -> tuple[float, ...]:
    """Make samples like those of a real machine: a narrow hump with a tail to the right."""
    golden = (math.sqrt(5) - 1) / 2
    samples = []
    for index in range(number):
        even = ((index + 0.5) * golden) % 1  # evenly spread over 0..1
        hump = math.log((even + 0.002) / (1.002 - even))
        tail = 4 * max(0.0, even - 0.97) / 0.03
        samples.append(round(centre * (1 + spread * (hump / 3 + tail / 3)), 6))
    return tuple(samples)


def timing(**changes: Any) -> TimeitResult:
    """Make a result of the ordinary kind, with some fields changed."""
    centre = changes.pop("centre", 18.9)
    samples = scatter(centre, changes.pop("number", 700))
    runs = [sum(samples[start::7]) / len(samples[start::7]) for start in range(7)]
    fields: dict[str, Any] = {
        "statement": "a + b",
        "setup": "a, b = 3, 4.5",
        "label": "",
        "method": "slope",
        "statistic": "mean",
        "runs_ns": tuple(round(run, 6) for run in runs),
        "loops": 1_000_000,
        "estimate_ns": centre,
        "ci_ns": (centre * 0.99968, centre * 1.00031),
        "samples_ns": samples,
        "preempted": 23,
        "disturbed": 8,
        "warmup": 4,
        "first_ns": 1_450,
        "executions": 12_345_678,
        "setups": 2,
        "unroll": (8, 72),
        "overhead_ns": 4.21,
        "measured_ns": 287_654_321,
        "cpu_share": 0.998,
        "gc_enabled": False,
        "gc_collections": 0,
        "gc_ns": 0,
        "counters": {},
        "counters_note": "",
        "clock": "wall",
        "clock_resolution_ns": 1,
        "compile_ns": 61_000,
        "precision": 3,
        "empty": False,
        "interrupted": False,
        "python": "3.13.0",
        "created": "2026-11-21T11:00:00+00:00",
    }
    return TimeitResult(**(fields | changes))


def stock(**changes: Any) -> TimeitResult:
    """Make a result as of ``-n 10 -r 3``."""
    runs = (18.7, 18.9, 19.1)
    fields: dict[str, Any] = {
        "method": "stock",
        "runs_ns": runs,
        "samples_ns": runs,
        "loops": 10,
        "ci_ns": (18.4, 19.4),
        "estimate_ns": 18.9,
        "preempted": 0,
        "disturbed": 0,
        "warmup": 0,
        "first_ns": 1_450,
        "executions": 30,
        "setups": 3,
        "unroll": (1, 1),
        "overhead_ns": None,
    }
    return timing(**(fields | changes))


def comparison(**changes: Any) -> Comparison:
    """Make a comparison of three candidates, one of them the fastest."""
    fields: dict[str, Any] = {
        "results": (
            timing(label="sorted(x)", statement="sorted(x)", centre=12.3 * MICRO),
            timing(label="x[:].sort()", statement="x[:].sort()", centre=9.71 * MICRO),
            timing(label="np.sort(x)", statement="np.sort(x)", centre=31.2 * MICRO),
        ),
        "baseline": 0,
        "ratios": (
            Ratio(1.0, 1.0, 1.0),
            Ratio(0.789, 0.784, 0.794),
            Ratio(2.54, 2.49, 2.58),
        ),
        "rounds": 120,
        "interrupted": False,
    }
    return Comparison(**(fields | changes))


def tie() -> Comparison:
    """Make a comparison of two candidates that differ by less than noise."""
    return comparison(
        results=(
            timing(label="x * x", statement="x * x", centre=21.4),
            timing(label="x ** 2", statement="x ** 2", centre=21.5),
        ),
        ratios=(Ratio(1.0, 1.0, 1.0), Ratio(1.005, 0.991, 1.019)),
    )


def scaling(**changes: Any) -> Scaling:
    """Make a scaling of ``sorted(x)`` over five sizes."""
    values = (10.0, 100.0, 1_000.0, 10_000.0, 100_000.0)
    residuals = (0.021, -0.034, 0.012, 0.008, -0.006)
    times = [
        (210 + 4.1 * value * math.log2(value)) * (1 + residual)
        for value, residual in zip(values, residuals, strict=True)
    ]
    fields: dict[str, Any] = {
        "name": "n",
        "values": values,
        "results": tuple(
            timing(
                statement="sorted(x)",
                setup="x = [random() for _ in range(n)]",
                centre=round(time, 3),
                number=60,
                method="loop",
                unroll=(1, 1),
            )
            for time in times
        ),
        "fits": (
            Fit("O(n log n)", 4.1, 210.0, 0.019, residuals),
            Fit("O(n)", 61.0, 0.0, 0.18, (0.3, -0.2, -0.1, 0.1, 0.2)),
            Fit("O(n²)", 0.0061, 900.0, 0.71, (1.3, -0.6, -0.5, 0.5, 0.9)),
        ),
        "exponent": 1.13,
        "exponent_error": 0.02,
        "interrupted": False,
    }
    return Scaling(**(fields | changes))


# Each of these has broken some tool's output before.
SCRIPT = "</pre><script>alert('x')</script><img src=x onerror=alert(1)>"
QUOTES = """f("a", 'b', `c`) & d < e > "' style="color:red" onmouseover='x'"""
RIGHT_TO_LEFT = "שלום + '\u202e\u2066drowssap\u2069' + مرحبا"
CONTROLS = "x\x00\x07\x1b[31mred\x1b[0m\x7f\x9b2J\r\b\ufeff\u2028y"
SURROGATES = "open('\udcff\ud800')"
HOSTILE = {
    "script": SCRIPT,
    "quotes": QUOTES,
    "right_to_left": RIGHT_TO_LEFT,
    "controls": CONTROLS,
    "surrogates": SURROGATES,
    "wide": "名前 = 'ﾊﾝｶｸ' + 'é' * 3 + '👩‍💻'",
    "template": "{{ config }}{% raw %}${x}#{y}",
}


def hostile(**changes: Any) -> TimeitResult:
    """Make a result in which every string is hostile."""
    return timing(
        statement="\n".join(HOSTILE.values()),
        setup=SCRIPT,
        label=CONTROLS,
        counters={SCRIPT: 12.5, CONTROLS: math.nan, RIGHT_TO_LEFT: math.inf},
        counters_note=QUOTES + SURROGATES,
        clock=SCRIPT,
        python=QUOTES,
        created=RIGHT_TO_LEFT + CONTROLS,
        **changes,
    )


def _many() -> Comparison:
    same = timing(number=9)
    return comparison(
        results=tuple(
            replace(same, label=f"<b>candidate</b> {index}") for index in range(10_000)
        ),
        ratios=tuple(
            Ratio(1.0 + index, 0.9 + index, 1.1 + index) for index in range(10_000)
        ),
    )


def _many_sizes() -> Scaling:
    number = 10_000
    same = timing(number=9)
    return scaling(
        values=tuple(float(1 + index) for index in range(number)),
        results=(same,) * number,
        fits=(Fit("O(1)", 18.9, 0.0, 0.001, (0.001,) * number),),
        exponent=0.0,
    )


_NOT_FINITE = {
    "runs_ns": (math.nan, math.inf),
    "samples_ns": (math.nan, math.inf, -math.inf, 1e308, -1e308, 0.0, 5e-324),
    "estimate_ns": math.nan,
    "ci_ns": (-math.inf, math.inf),
    "overhead_ns": math.inf,
    "cpu_share": math.nan,
}

SLOW = (
    """\
def unique(values):
    """
    + '"""Give each value once."""'
    + """
    found = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
"""
)

FETCH = """\
async def fetch(session, urls):
    pages = []
    for url in urls:
        pages.append(
            await session.get(url)
        )
    return pages
"""


def line(
    number: int, hits: int, time: float, own: float | None = None, awaited: float = 0.0
) -> Line:
    """Make the figures of a line, 15 ns of each hit being the tool's."""
    self_ns = time if own is None else own
    tool = 15.0 * hits
    return Line(number, hits, time, self_ns, awaited, time + tool, self_ns + tool)


def allocating(size: int, blocks: int, freed: int) -> LineMemory:
    """Make the memory of a line that frees `freed` bytes."""
    gone = int(freed > 0)
    return LineMemory(size, blocks, freed, gone, size, freed, size, size)


def function(source: str, *lines: Line, **changes: Any) -> Function:
    """Make a function of its text and the figures of its lines."""
    text = tuple(source.splitlines())
    name = source.partition("def ")[2].partition("(")[0] or "<module>"
    fields: dict[str, Any] = {
        "name": name,
        "file": "/home/user/project/work.py",
        "first": 10,
        "how": "probes",
        "source": text,
        "note": "",
        "lines": lines,
        "threads": (),
    }
    return Function(**{**fields, **changes})


UNIQUE = function(
    SLOW,
    line(12, 1, 120.0),
    line(13, 5001, 160_000.0),
    line(14, 5000, 61_234_567.0),
    line(15, 5000, 190_000.0),
    line(16, 1, 90.0),
)
CALLER = function(
    "def main(rows):\n    names = [row[0] for row in rows]\n    return unique(names)",
    line(21, 1, 410_000.0),
    line(22, 1, 61_600_000.0, 900.0),
    first=20,
)


def lines(*functions: Function, **changes: Any) -> LineResult:
    """Make a line profile of the ordinary kind, with some fields changed."""
    fields: dict[str, Any] = {
        "statement": "main(rows)",
        "functions": functions,
        "threads": ("MainThread",),
        "wall_ns": 63_000_000,
        "costs_ns": (15.1, 9.8, 2.2),
        "unit": None,
        "skip_zero": False,
        "sort": "",
        "top": 0,
        "by_thread": False,
        "dropped": 0,
        "problems": (),
        "ended_by": "",
        "python": "3.13.0",
        "created": "2026-01-01T00:00:00+00:00",
    }
    return LineResult(**{**fields, **changes})


def fifty() -> LineResult:
    """Fifty functions of twenty lines each, cold ones most of them."""
    functions = []
    for index in range(50):
        body = "".join(f"    step_{row} = work({row})\n" for row in range(19))
        rows = [line(11 + row, 10, 1e9 / (index + 1) ** 2 / 19) for row in range(19)]
        source = f"def function_{index}():\n{body}"
        functions.append(function(source, *rows))
    return lines(*functions, sort="self")


def endless() -> LineResult:
    """One function of 3,000 lines, of which few matter."""
    body = "".join(f"    value_{row} = table[{row}] + 1\n" for row in range(2999))
    rows = [
        line(11 + row, 100, 5e7 if row % 700 == 350 else 2_000.0) for row in range(2999)
    ]
    return lines(function(f"def endless(table):\n{body}", *rows))


def threaded() -> LineResult:
    """Two threads in one function, each shown by itself as well."""
    tables = (
        (line(13, 11, 1_000.0), line(14, 10, 10_000.0)),
        (line(13, 21, 2_000.0), line(14, 20, 90_000.0)),
    )
    whole = (line(13, 32, 3_000.0), line(14, 30, 100_000.0))
    measured = function(SLOW, *whole, threads=tables)
    return lines(measured, threads=("MainThread", "worker <1>"), by_thread=True)


def on_engines() -> LineResult:
    """The lines of two engines, the second of which the first waits for."""
    engines = tuple(
        Process(
            pid=number,
            parent=1,
            name=f"engine {number}",
            state="finished",
            until_ns=60_000_000,
            snapshots=1,
            kind="engine",
            host="<node>",
        )
        for number in (7, 8)
    )
    labels = tuple(engine.label for engine in engines)
    return replace(threaded(), by_thread=False, processes=engines, process_of=labels)


def with_children() -> LineResult:
    """A pool of which one worker did nearly all, one was killed, and hostile names."""
    processes = tuple(
        Process(
            pid=100 + place,
            parent=99,
            name=name,
            state=state,
            since_ns=since * 1_000_000,
            until_ns=until * 1_000_000,
            snapshots=snapshots,
        )
        for place, (name, state, since, until, snapshots) in enumerate(
            [
                ("SpawnPoolWorker-1", "finished", 9, 60, 3),
                ("SpawnPoolWorker-2", "killed", 9, 30, 2),
                ("<script>alert(1)</script>", "running", 25, 62, 2),
                ("train.py", "silent", 0, 0, 0),
            ]
        )
    )
    parts = [
        (
            process.label,
            lines(
                function(
                    SLOW, line(13, hits + 1, 100.0 * hits), line(14, hits, 3e3 * hits)
                ),
                function("\n".join(CALLER.source), line(21, 1, 4e5), first=20),
            ),
        )
        for process, hits in zip(processes, (5000, 700, 60), strict=False)
    ]
    whole = joined(lines(UNIQUE, CALLER), parts)
    return replace(whole, processes=processes, other_programs=1)


def line_difference() -> Result:
    """What became of a function when the line that mattered was changed."""
    better = SLOW.replace("found = []", "found = {}").replace(
        "        if value not in found:\n            found.append(value)",
        "        found[value] = None",
    )
    after = function(
        better.replace("return found", "return list(found)"),
        line(12, 1, 130.0),
        line(13, 5001, 170_000.0),
        line(14, 5000, 210_000.0),
        line(15, 1, 20_000.0),
    )
    again = function(
        "\n".join(CALLER.source),
        line(21, 1, 400_000.0),
        line(22, 1, 410_000.0, 900.0),
        first=20,
    )
    return lines(UNIQUE, CALLER).diff(lines(after, again))


GALLERY: dict[str, Callable[[], Result]] = {
    "timeit": timing,
    "timeit_stock": stock,
    "timeit_stock_cached": lambda: stock(
        runs_ns=(5e3, 21e3, 5e3), compile_ns=150_000_000
    ),
    "timeit_each": lambda: timing(
        statement="x.sort()",
        setup="x = data.copy()",
        method="each",
        centre=9.71 * MICRO,
        loops=100,
        unroll=(1, 1),
        overhead_ns=43.0,
        executions=812,
        setups=812,
    ),
    "timeit_memory": lambda: timing(
        statement="[list(row) for row in rows]",
        centre=41.5 * MICRO,
        allocations=2_001.0,
        allocated_bytes=153_264.0,
        gc_share=0.183,
    ),
    "timeit_once": lambda: timing(
        statement="train(model, epochs=3)",
        method="once",
        runs_ns=(93.4 * SECOND,),
        samples_ns=(93.4 * SECOND,),
        estimate_ns=93.4 * SECOND,
        ci_ns=None,
        loops=1,
        executions=1,
        setups=1,
        unroll=(1, 1),
        overhead_ns=None,
        preempted=0,
        disturbed=0,
        warmup=0,
        measured_ns=93_400_000_000,
    ),
    "timeit_wait": lambda: timing(
        statement="time.sleep(0.01)",
        method="loop",
        unroll=(1, 1),
        centre=10.06e6,
        number=28,
        loops=4,
        executions=32,
        cpu_share=0.0041,
        preempted=0,
        disturbed=0,
        warmup=0,
    ),
    "timeit_remarkable": lambda: timing(
        statistic="median",
        gc_enabled=True,
        gc_collections=12,
        gc_ns=9_780_000,
        counters={"instructions": 61.2, "cycles": 33.9, "cache-misses": 0.00213},
        counters_note="no branch-misses: this processor does not count them",
        interrupted=True,
        cpu_share=3.8,
    ),
    "timeit_folded": lambda: timing(statement="2 ** 10", centre=0.02, empty=True),
    "timeit_quoted": lambda: timing(statement='"sorted(x)"', centre=0.02, empty=True),
    "timeit_hostile": hostile,
    "timeit_enormous": lambda: timing(
        statement="\n".join(f"x{i} = [{'1 + ' * 2000}'&<>']" for i in range(5_000))
    ),
    "timeit_not_finite": lambda: timing(**_NOT_FINITE),
    "timeit_constant": lambda: timing(samples_ns=(18.9,) * 50, runs_ns=(18.9,) * 7),
    "comparison": comparison,
    "comparison_tie": tie,
    "comparison_diff": lambda: timing(centre=21.3).diff(timing(centre=18.9)),
    "comparison_unknown": lambda: timing(ci_ns=None).diff(timing(centre=11.2)),
    "comparison_hostile": lambda: comparison(
        results=tuple(hostile(number=20) for _ in HOSTILE)
        + tuple(
            timing(label=text, statement=text, number=20, empty=True)
            for text in HOSTILE.values()
        ),
        ratios=(Ratio(math.nan, -math.inf, math.inf),)
        + (Ratio(0.0, 0.0, 0.0),) * (2 * len(HOSTILE) - 1),
        interrupted=True,
    ),
    "comparison_many": _many,
    "scaling": scaling,
    "scaling_no_fit": lambda: scaling(
        values=(10.0, 20.0),
        results=scaling().results[:2],
        fits=(),
        exponent=math.nan,
        exponent_error=math.nan,
        interrupted=True,
    ),
    "scaling_hostile": lambda: scaling(
        name=SCRIPT + CONTROLS,
        values=(-1.0, 0.0, math.nan, math.inf, 1e308),
        results=tuple(hostile(number=20, **_NOT_FINITE) for _ in range(5)),
        fits=(
            Fit(
                QUOTES + CONTROLS,
                math.nan,
                -math.inf,
                math.inf,
                (-1.0, math.nan) * 2 + (1e308,),
            ),
        ),
    ),
    "scaling_many": _many_sizes,
    "lprun": lambda: lines(UNIQUE, CALLER),
    "lprun_unit": lambda: lines(UNIQUE, CALLER, unit=1e-3, sort="name", top=1),
    "lprun_waits": lambda: lines(
        function(
            FETCH,
            line(11, 1, 100.0),
            line(12, 9, 2_000.0),
            line(13, 8, 400_000.0, awaited=812_345_678.0),
            line(16, 1, 80.0),
        )
    ),
    "lprun_memory": lambda: lines(
        function(
            "def load(n):\n    table = [0] * n\n    text = str(table)\n    del table",
            replace(line(11, 1, 900_000.0), memory=allocating(800_056, 1, 0)),
            replace(line(12, 1, 7e7), memory=allocating(3_300_000, 2_000, 9)),
            replace(line(13, 1, 9_000.0), memory=allocating(0, 0, 800_056)),
        )
    ),
    "lprun_children": with_children,
    "lprun_threads": threaded,
    "lprun_engines": on_engines,
    "lprun_fifty": fifty,
    "lprun_endless": endless,
    "lprun_problems": lambda: lines(
        function(
            "",
            line(3, 7, 900.0),
            name="made_up",
            file="<string>",
            first=2,
            how="monitoring",
            note="defined by exec() or eval(), which keep no text",
        ),
        problems=("-f len: written in C, it has no lines to profile",),
        ended_by="KeyboardInterrupt",
        dropped=3,
    ),
    "lprun_nothing": lambda: lines(),
    "lprun_hostile": lambda: lines(
        function(
            "def f(x='</pre><script>alert(1)</script>'):\n    return '\u202e\x1b[31m' # \x00",
            line(11, 1, 1e17),
            name="<b>f</b>\u202e\n\x1b[31m",
            file="/tmp/<img src=x>\n.py",
            note="<i>",
        ),
        statement="<script>alert(1)</script>",
        threads=("<u>\u202e</u>",),
        problems=("<script>\x1b[2J",),
    ),
    "lprun_difference": line_difference,
}
