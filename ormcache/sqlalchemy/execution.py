"""
What can be said of one execution without knowing its tables?
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .functions import names_relative_time

if TYPE_CHECKING:
    from sqlalchemy.engine.default import DefaultExecutionContext

__all__ = ["database_wanted", "may_be_cached", "may_be_read", "names_the_present"]


def may_be_cached(statement: Any, options: Any) -> bool:
    """
    Return whether a statement need not be sent, for all that is known before it is planned.
    """
    return not _streams(options) and may_be_read(statement)


def may_be_read(statement: Any) -> bool:
    """
    Return whether a statement is worth a plan: it is no DML or DDL of SQLAlchemy's.
    """
    if isinstance(statement, str):
        return True
    element = statement.statement
    if element is None:
        return False
    if element.is_from_statement:
        element = element.element
    return bool(element.is_select or element._is_text_clause)


def names_the_present(parameters: Any) -> bool:
    """
    Return whether a parameter is a string such as 'now'.
    """
    values = parameters.values() if isinstance(parameters, dict) else parameters
    return any(type(value) is str and names_relative_time(value) for value in values)


def database_wanted(context: DefaultExecutionContext) -> str | None:
    """
    Return what asks for the database's own answer, or None.
    """
    options = context.execution_options
    # By this execution's option, or by the engine's `server_side_cursors`.
    if _streams(options) or context._is_server_side:
        return "streamed rows"
    if options.get("populate_existing"):
        return "populate_existing"
    loading = options.get("_sa_orm_load_options")
    if loading is not None:
        if loading._populate_existing:
            return "populate_existing"
        if loading._is_user_refresh:
            return "refresh()"
    element = context.compiled.statement if context.compiled is not None else None
    if getattr(element, "_for_update_arg", None) is not None:
        return "with_for_update"
    return None


def _streams(options: Any) -> bool:
    return bool(options.get("stream_results") or options.get("yield_per"))
