"""Why an object is alive, in the words of who wrote it."""

from __future__ import annotations

import functools
import gc
import sys
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
