"""HTML from templates, under the rules that an untrusted notebook's sanitizer sets.

Inline styles only, no script, no identifiers, no address outside the output. A template is
named by its tool: ``timeit/result.html.j2`` is the file ``result.html.j2`` in the folder
``templates`` of ``nbprobe.timeit``.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from . import colours
from .names import clean

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["page", "render"]


def render(template: str, /, **context: object) -> str:
    """Fill a template; every value is escaped, and cleaned of control characters."""
    return _environment().get_template(template).render(context)


def page(title: str, body: str) -> str:
    """Make a page that stands alone of what `render` gave, for light and dark screens."""
    from markupsafe import Markup

    return render("views/page.html.j2", title=title, body=Markup(body))


@cache
def _environment() -> Environment:
    # Imported here: the text views, which are all that a terminal needs, do without.
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    from .code import highlight

    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_neutral,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"colours": colours, "zip": zip}
    environment.filters["highlight"] = highlight
    return environment


def _source(name: str) -> str:
    tool, _, file = name.partition("/")
    # From the package's root, because the folders of templates are no packages.
    root = files(__package__.rpartition(".")[0])
    return root.joinpath(tool, "templates", file).read_text(encoding="utf-8")


def _neutral(value: Any) -> Any:
    """Clean plain strings on their way out; markup was made of clean strings."""
    return clean(value) if type(value) is str else value
