"""Markdown as CommonMark has it, with the tables of GitHub: its signs, and blocks put together."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"\\(?=[!-/:-@\[-`{-~])|[`*\[]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|~(?=~)|&(?=#|\w+;)")
_BLOCK_START = re.compile(r"(?:#{1,6}|[-+=]+|\d{1,9}(?=[.)]))(?=[ .)]|$)|>|~~~")
_BACKTICKS = re.compile("`+")


def escape(text: str) -> str:
    """A text whose signs mean themselves in Markdown."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def escape_start(line: str) -> str:
    """A line that begins no heading, list or quotation."""
    match = _BLOCK_START.match(line)
    if match is None:
        return line
    place = match.end() if match[0].isdigit() else 0
    return f"{line[:place]}\\{line[place:]}"


def wrap(text: str, opening: str, closing: str) -> str:
    """A text between two signs; white space at its ends stays outside of them, and nothing is left as it is."""
    inner = text.strip()
    return text.replace(inner, f"{opening}{inner}{closing}", 1) if inner else text


def code_span(text: str) -> str:
    """A text as code within a line; as many backticks around it as it needs."""
    ticks = _fence(text, 1)
    padding = " " if "`" in (text.strip()[:1], text.strip()[-1:]) else ""
    return wrap(text, ticks + padding, padding + ticks)


def code_block(text: str) -> str:
    """A text as lines of code."""
    fence = _fence(text, 3)
    return f"{fence}\n{text}\n{fence}"


def _fence(text: str, least: int) -> str:
    longest = max(map(len, _BACKTICKS.findall(text)), default=0)
    return "`" * max(least, longest + 1)
