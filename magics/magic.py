"""What every magic of ours is: an object with a table of options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from IPython.core.error import UsageError
from IPython.core.magic import Magics

from .options import OptionError, OptionTable

__all__ = ["ToolMagics", "documented"]

F = TypeVar("F", bound=Callable[..., Any])


class ToolMagics(Magics):
    """Base of the classes that hold one magic each.

    Attributes
    ----------
    table : OptionTable
        The magic's options.
    """

    table: ClassVar[OptionTable]

    def parse_options(
        self, arg_str: str, opt_str: str, *long_opts: str, **kw: Any
    ) -> tuple[dict[str, Any], str]:
        """Tell IPython's completer where the code begins.

        It hands over the built-in magic's options (`opt_str`), which are not all of ours.
        """
        try:
            parsed = self.table.parse_line(arg_str)
        except OptionError as error:
            raise UsageError(str(error)) from None
        return parsed.values, parsed.rest


def documented(table: OptionTable, text: str) -> Callable[[F], F]:
    """Make a docstring of a text and the table's help, put where it says ``{options}``."""

    def document(function: F) -> F:
        function.__doc__ = text.replace("{options}", table.help())
        return function

    return document
