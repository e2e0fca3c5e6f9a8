"""Why an object is alive, in the words of who wrote it."""

from __future__ import annotations

import functools
import gc
import sys
import threading
import weakref
from typing import Any

import pytest

from nbprobe import graphs

HELD: dict[str, Any] = {}


class Big:
    pass


@pytest.fixture
def big() -> Any:
    yield Big
    HELD.clear()


def expressions(why: graphs.Why) -> list[str]:
    return [holder.expression for holder in why.holders]


def test_a_module_variable_is_named_with_what_lets_go(big: Any) -> None:
    HELD["rows"] = [big()]
    why = graphs.why(HELD["rows"][0])
    assert expressions(why) == [f"{__name__}.HELD['rows'][0]"]
    assert why.holders[0].origin == "module"
    assert why.holders[0].advice == f"del {__name__}.HELD['rows'][0]"
    assert "Big" in str(why) and "to let go" in str(why)


def test_attributes_closures_and_partials_are_named(big: Any) -> None:
    def closed() -> object:
        return HELD

    holder = HELD["holder"] = big()
    holder.inner = functools.partial(print, closed)
    names = expressions(graphs.why(closed))
    assert f"{__name__}.HELD['holder'].inner.args[0]" in names


def test_a_running_function_is_named_with_its_variable() -> None:
    local = Big()
    why = graphs.why(local)
    assert expressions(why)[0] == "local"
    assert why.holders[0].origin == "frame"
    assert (
        "test_a_running_function_is_named_with_its_variable()" in why.holders[0].place
    )


def test_a_weak_reference_holds_nothing(big: Any) -> None:
    HELD["it"] = big()
    HELD["weak"] = weakref.ref(HELD["it"])
    why = graphs.why(HELD["it"])  # not in the assert, whose own variables hold it
    assert expressions(why) == [f"{__name__}.HELD['it']"]


def test_a_holder_that_the_object_itself_holds_is_no_reason(big: Any) -> None:
    it = HELD["it"] = big()
    it.back = [it]
    del it
    why = graphs.why(HELD["it"])
    assert expressions(why) == [f"{__name__}.HELD['it']"]


def test_only_as_many_as_asked_for_and_the_rest_is_counted(big: Any) -> None:
    it = big()
    HELD["lists"] = [[it] for _ in range(9)]
    why = graphs.why(it, limit=3)
    assert len(why.holders) == 3
    assert why.total == 10
    assert "and 7 more" in str(why)
    with pytest.raises(ValueError, match="limit"):
        graphs.why(it, limit=0)


def test_what_is_no_code_is_no_advice() -> None:
    for why in (graphs.why(None), graphs.why("abc")):
        for holder in why.holders:
            assert " -> " not in holder.advice and "(key)" not in holder.advice
            if holder.advice:
                compile(holder.advice, "advice", "exec")


def test_a_long_way_is_cut_in_the_middle(big: Any) -> None:
    it = big()
    last = it
    for _ in range(100_000):
        it.next = big()
        it = it.next
    HELD["first"] = last
    del last
    why = graphs.why(it)
    cut = next(holder for holder in why.holders if "first" in holder.expression)
    assert cut.expression.startswith(f"{__name__}.HELD['first'].next")
    assert " more … .next" in cut.expression and len(cut.expression) < 400
    assert len(cut.steps) < 40 and any("more" in step for step in cut.steps)
    while HELD:  # link by link: the stack may be short
        HELD["first"] = vars(HELD["first"]).pop("next", None)
        if HELD["first"] is None:
            del HELD["first"]


def test_a_cache_is_emptied_and_not_deleted(big: Any) -> None:
    HELD["answer"] = functools.cache(lambda it: 1)
    it = big()
    HELD["answer"](it)
    (held,) = [row for row in graphs.why(it).holders if "answer" in row.expression]
    assert held.advice == f"{__name__}.HELD['answer'].cache_clear()"


def test_a_thread_that_runs_holds_its_arguments(big: Any) -> None:
    go = threading.Event()
    it = big()
    thread = HELD["thread"] = threading.Thread(target=go.wait, args=(60,))
    thread.payload = it  # type: ignore[attr-defined]
    thread.start()
    try:
        rows = graphs.why(it, limit=20).holders
    finally:
        go.set()
        thread.join()
    advice = {row.advice for row in rows if "thread" in row.expression}
    assert any(lines.partition("\n")[0].endswith(".join()") for lines in advice)


def test_a_figure_is_closed() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    before = matplotlib.get_backend()
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure = plt.figure(4711)
    try:
        rows = graphs.why(figure).holders
    finally:
        plt.close(figure)
        matplotlib.use(before)
    assert any(row.advice.endswith("matplotlib.pyplot.close(4711)") for row in rows)


def test_garbage_is_said_to_be_garbage(big: Any) -> None:
    gc.collect()
    gc.disable()
    try:
        it = big()
        it.me = it
        ghost = weakref.ref(it)
        del it
        why = graphs.why(ghost())
        (held,) = why.holders
        assert held.expression in ("(tests.graphs.test_why.Big).me", "(dict)['me']")
        assert held.origin == "garbage" and held.advice == "import gc; gc.collect()"
        assert "is garbage: nothing leads to it" in str(why)
    finally:
        gc.enable()
    exec(held.advice, {})
    assert ghost() is None
    why = graphs.why([1, 2])  # not in the assert, whose own variables hold it
    assert why.holders == () and "nothing that can be found" in str(why)


def test_what_is_one_to_the_user_counts_as_one(big: Any) -> None:
    it = big()
    why = graphs.why(it, limit=50)
    assert why.left_out == 0 or why.total > 50


def test_the_last_error_holds_the_variables_of_its_frames(big: Any) -> None:
    def fail() -> None:
        kept = HELD["it"]
        raise RuntimeError(kept)

    HELD["it"] = big()
    try:
        fail()
    except RuntimeError as error:
        sys.last_value = error
    try:
        why = graphs.why(HELD["it"])
    finally:
        del sys.last_value
    origins = {holder.origin for holder in why.holders}
    assert "traceback" in origins
    lost = next(it for it in why.holders if it.origin == "traceback")
    assert "sys.last_value = " in lost.advice


def test_the_answer_changes_nothing(big: Any) -> None:
    HELD["it"] = big()
    before = sys.getrefcount(HELD["it"])
    graphs.why(HELD["it"])
    gc.collect()
    after = sys.getrefcount(HELD["it"])
    assert after == before


def test_html_is_escaped(big: Any) -> None:
    HELD["<script>"] = big()
    why = graphs.why(HELD["<script>"])
    html = why._repr_mimebundle_()["text/html"]
    assert "<script" not in html
