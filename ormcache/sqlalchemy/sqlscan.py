"""
Where do literals, comments, placeholders and statements begin and end in a SQL text?

Every dialect has its own rules here, and a parser that follows other ones can be made to overlook
a call: this scanner rewrites the text so that nothing is left to disagree about.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

_DQUOTE = r'(?P<ident>"(?:[^"]|"")*+")'
_QUOTED_ONCE = r"'(?:[^']|'')*+'"
_BLOCK = r"(?P<block>/\*)"
_SEMICOLON = r"(?P<semi>;)"
# A quote that begins nothing complete: the text cannot be trusted.
_STRAY = r"(?P<stray>['\"`])"
_WORD = r"(?P<word>[^\W\d][\w$]*)"

_LEXICON = {
    "postgresql": (
        r"(?P<line>--[^\n\r]*)",
        _BLOCK,
        r"(?P<escaped>[eE]'(?:[^'\\]|\\.|'')*+')",
        r"(?P<string>(?:[uU]&)?" + _QUOTED_ONCE + ")",
        r"(?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)",
        _DQUOTE,
    ),
    "mysql": (
        r"(?P<line>#[^\n]*|--(?=[\s\x00-\x1f]|\Z)[^\n]*)",
        r"(?P<minus>--)",
        _BLOCK,
        r"(?P<escaped>'(?:[^'\\]|\\.|'')*+'" + r'|"(?:[^"\\]|\\.|"")*+")',
        r"(?P<ident>`(?:[^`]|``)*+`)",
    ),
    "sqlite": (
        r"(?P<line>--[^\n]*)",
        _BLOCK,
        r"(?P<string>" + _QUOTED_ONCE + ")",
        r"(?P<ident>" + r'"(?:[^"]|"")*+"' + r"|`(?:[^`]|``)*+`|\[[^\]]*\])",
    ),
}

_PERCENT = r"(?P<param>%(?:\([^()]*\))?[sbt])|(?P<percent>%%)"
_STYLES = {
    "format": _PERCENT,
    "pyformat": _PERCENT,
    "named": r"(?P<param>(?<![:\w]):(?!:)\w+)",
    "numeric": r"(?P<param>(?<![:\w]):\d+)",
    "numeric_dollar": r"(?P<param>\$\d+)",
    "qmark": r"(?P<param>\?)",
}
# SQLite itself knows all of these, whatever the driver calls its style.
_SQLITE_PARAM = r"(?P<param>\?\d*|[:@$]\w+)"
_PLACEHOLDER = {"postgresql": "$1", "mysql": "?", "sqlite": "?"}


class NotScannable(ValueError):
    """The text is not complete SQL, or hides parts of itself from a reader."""


class Statement(NamedTuple):
    """
    One statement without comments.

    Attributes:
        text: With placeholders in the dialect's own spelling and harmless literals. Long lists of
            placeholders are shortened.
        masked: As `text`, with every string literal empty: for looking for words.
    """

    text: str
    masked: str


@cache
def _lexer(dialect: str, paramstyle: str) -> re.Pattern[str]:
    style = _SQLITE_PARAM if dialect == "sqlite" else _STYLES.get(paramstyle, "")
    parts = [*_LEXICON[dialect], _WORD, style, _SEMICOLON, _STRAY]
    return re.compile("|".join(part for part in parts if part), re.DOTALL)


def scan(sql: str, dialect: str, paramstyle: str) -> list[Statement]:
    """
    The statements of a text.

    Raises:
        NotScannable: A literal or comment does not end, or MySQL would execute a comment.
    """
    pieces: list[tuple[str, str]] = []
    statements = [pieces]
    lexer, position = _lexer(dialect, paramstyle), 0
    while found := lexer.search(sql, position):
        statements[-1].append(_same(sql[position : found.start()]))
        position = found.end()
        if found.lastgroup == "stray":
            raise NotScannable("a quote is not closed")
        if found.lastgroup == "semi":
            statements.append([])
        elif found.lastgroup == "block":
            position = _end_of_comment(sql, found.start(), dialect)
            statements[-1].append((" ", " "))
        else:
            statements[-1].append(_rewritten(found, dialect))
    statements[-1].append(_same(sql[position:]))
    joined = (_joined(each, _PLACEHOLDER[dialect]) for each in statements)
    return [statement for statement in joined if statement.text]


def marked(sql: str, dialect: str, paramstyle: str) -> tuple[str, list[str]]:
    """
    A single statement with its n-th placeholder as `:p<n>`, and the placeholders as written.

    Raises:
        NotScannable: As `scan`; or it is not a single statement.
    """
    pieces: list[str] = []
    written: list[str] = []
    lexer, position = _lexer(dialect, paramstyle), 0
    while found := lexer.search(sql, position):
        pieces.append(sql[position : found.start()])
        position = found.end()
        match found.lastgroup:
            case "stray" | "semi":
                raise NotScannable("not a single statement")
            case "block":
                position = _end_of_comment(sql, found.start(), dialect)
                pieces.append(" ")
            case "param":
                pieces.append(f" :p{len(written)} ")
                written.append(found.group())
            case _:
                pieces.append(_rewritten(found, dialect)[0])
    return "".join((*pieces, sql[position:])), written


def _same(text: str) -> tuple[str, str]:
    return text, text


def _joined(pieces: list[tuple[str, str]], placeholder: str) -> Statement:
    text, masked = ("".join(column) for column in zip(*pieces, strict=True))
    return Statement(_shortened(text.strip(), placeholder), masked.strip())


_NAME = r'(?:\w++|"[^"]++")'
_PRECISION = r"(?:\s*+\(\s*+\d++(?:\s*+,\s*+\d++)?+\s*+\))?+"
_TYPE = (
    rf"{_NAME}(?:\.{_NAME})?+(?:\s++(?:precision|varying))?+{_PRECISION}"
    r"(?:\s++with(?:out)?+\s++time\s++zone)?+(?:\s++(?:day|hour|minute|month|second|to|year))*+"
    r"(?:\s*+\[\d*+\])*+"
)


@cache
def _long_lists(placeholder: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    # Where more follows than a value and its type, it stays: it may name tables.
    one = rf"{re.escape(placeholder)}(?:\s*+::\s*+{_TYPE})?+\s*+(?=[,)]|$)"
    row = rf"\(\s*+{one}(?:,\s*+{one})*+\)\s*+"
    return (
        re.compile(rf"({one})(?:,\s*+{one}){{4,}}+", re.IGNORECASE),
        re.compile(rf"({row})(?:,\s*+{row}){{2,}}+", re.IGNORECASE),
    )


def _shortened(text: str, placeholder: str) -> str:
    # A list of a thousand values says no more than a short one, and takes a second to parse.
    for pattern in _long_lists(placeholder):
        text = pattern.sub(r"\1", text)
    return text


def _rewritten(found: re.Match[str], dialect: str) -> tuple[str, str]:
    text = found.group()
    match found.lastgroup:
        case "word":
            return _same(text)
        case "ident":
            # A driver that knows `%s` is sent two percent signs for one, in names as anywhere.
            return _same(text.replace("%%", "%") if "percent" in found.re.groupindex else text)
        case "line":
            return _same("\n")
        case "minus":
            return _same("- -")
        case "percent":
            return _same("%")
        case "param":
            return _same(f" {_PLACEHOLDER[dialect]} ")
        case "dollar":
            return f"'{_harmless(text.split('$', 2)[2])}'", "''"
        case _:
            return f"'{_harmless(text[text.index(text[-1]) + 1 : -1])}'", "''"


def _harmless(content: str) -> str:
    # A parser with other escaping rules must see the literal end in the same place.
    return re.sub(r"['\"\\`]", " ", content)


def _end_of_comment(sql: str, start: int, dialect: str) -> int:
    if dialect == "mysql" and re.match(r"/\*M?!", sql[start : start + 4]):
        raise NotScannable("MySQL executes this comment")
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(sql, start):
        if mark.group() == "*/":
            depth -= 1
        elif depth == 0 or dialect == "postgresql":
            depth += 1
        if depth == 0:
            return mark.end()
    if dialect == "sqlite":
        return len(sql)
    raise NotScannable("a comment is not closed")
