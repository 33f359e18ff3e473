"""Settings from TOML and from options, checked, with a sentence for each mistake; and written back as TOML.

Defaults < TOML file < command line. An unknown key or a value out of range is an error that names it.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from crawler.errors import UsageError
from crawler.files.choice import FileChoice
from crawler.models import ExtractRule
from crawler.settings.groups import GROUPS, MIN_TOKEN_CHARS, DashboardSettings, Settings, SiteSettings, is_loopback

_EXTRACT_EXAMPLE = """\
# a value taken from every page, by css or xpath; a table for each, whose name is its key in the record's rules
# [extract.price]
# css = ".product .price"
# type = "number"
"""


def load(path: Path | None, overrides: Mapping[str, Mapping[str, Any]]) -> Settings:
    """Merge defaults, a TOML file and overrides into settings.

    Args:
        path: TOML file, or None.
        overrides: Group name → key → value, as from the command line; strings are converted.

    Raises:
        UsageError: If the file cannot be read, or a key is unknown, or a value is of the wrong type or out of range.
    """
    tables: dict[str, Any] = {}
    if path is not None:
        tables = read_toml(path)
        _convert(tables, where=str(path))  # so that a mistake is put down to the file
    for group, values in overrides.items():
        tables[group] = {**tables.get(group, {}), **values}
    try:
        settings = msgspec.convert(tables, Settings, strict=False)
    except msgspec.ValidationError as error:
        # The file was right by itself, so the fault is an option's.
        fault, key = _parts(str(error))
        group, _, name = key.partition(".")
        raise UsageError(f"{flag_of(group, name)} {overrides[group][name]}: {fault}") from None
    _check(settings)
    return settings


def flag_of(group: str, name: str) -> str:
    """How a key is called on the command line."""
    hint = get_type_hints(type(getattr(Settings(), group)), include_extras=True)[name]
    flag: str = hint.__metadata__[0].extra["flag"]
    return flag


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; UsageError names the file and the line of a mistake."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"cannot read the config file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None


def build(tables: Mapping[str, Any], where: str) -> Settings:
    """Check nested tables and make settings of them; `where` names their origin in the error."""
    settings = _convert(tables, where)
    _check(settings)
    return settings


def _convert(tables: Mapping[str, Any], where: str) -> Settings:
    try:
        return msgspec.convert(tables, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"in {where}: {_rule_fault(tables) or _plain(str(error))}") from None


def _rule_fault(tables: Mapping[str, Any]) -> str:
    """What is wrong with the first faulty `[extract.NAME]` table, by its name, which msgspec does not tell."""
    rules = tables.get("extract")
    for name, rule in rules.items() if isinstance(rules, Mapping) else ():
        try:
            msgspec.convert(rule, ExtractRule, strict=False)
        except msgspec.ValidationError as error:
            fault, key = _parts(str(error), f"extract.{name}")
            return f"{key}: {fault}"
    return ""


def _plain(message: str) -> str:
    """msgspec's sentence with the key as a TOML user writes it."""
    fault, key = _parts(message)
    return f"{key}: {fault}" if key else fault


def _parts(message: str, table: str = "") -> tuple[str, str]:
    """msgspec's sentence about the settings, or a table of them, taken apart into the fault and the key."""
    fault, _, place = message.partition(" - at `$")
    place = ".".join(filter(None, (table, place.strip("`.").replace("[...]", ""))))
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", fault, re.DOTALL):
        return f"unknown key '{unknown[1]}'{_hint(unknown[1], place)}", place
    if fault.startswith("Invalid enum value"):
        return fault.replace("Invalid enum value", "there is no").replace("`", "'") + _choices(place), place
    fault = fault.replace("`", "'")
    fault = (
        fault.replace("Expected", "expected")
        .replace("'int'", "a whole number")
        .replace("'float'", "a number")
        .replace("'str'", "text")
        .replace("'bool'", "true or false")
        .replace("'array'", "a list")
        .replace("'object'", "a table")
    )
    return fault, place


def _hint(name: str, place: str) -> str:
    """The key or table that may have been meant by an unknown one, which may stand in another table."""
    keys = {f"{group}.{key}": key for group in GROUPS for key in getattr(Settings(), group).__struct_fields__}
    if place.startswith(("site", "extract")):
        kind: type[Struct] = SiteSettings if place.startswith("site") else ExtractRule
        keys = {key: key for key in kind.__struct_fields__}
    elif not place:
        keys |= {f"[{table}]": table for table in Settings.__struct_fields__}
    # A key in the wrong table is right but for its place; of equal ones that of this table comes first.
    for key in difflib.get_close_matches(name, set(keys.values()), n=1):
        places = [whole for whole, known in keys.items() if known == key]
        whole = f"{place}.{key}" if f"{place}.{key}" in places else places[0]
        return f"; did you mean {whole}?"
    return ""


def _choices(place: str) -> str:
    """The values that a key may have, to be put behind what is wrong with the given one."""
    group, _, name = place.partition(".")
    kind = type(getattr(Settings(), group)) if group in GROUPS else ExtractRule
    hint = get_type_hints(kind).get(name.rpartition(".")[2])
    return f"; it is one of {', '.join(map(str, get_args(hint)))}" if get_origin(hint) is Literal else ""


def _check(settings: Settings) -> None:
    """Rules that span several keys, and what no range says: TOML has nan and inf."""
    for table in (*(getattr(settings, group) for group in GROUPS), *settings.site):
        for key, value in msgspec.structs.asdict(table).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise UsageError(f"{key} has to be a number, not {value}")
    limits = settings.crawl
    for flag, patterns in (("--include", limits.include), ("--exclude", limits.exclude)):
        for pattern in patterns:
            try:
                re.compile(pattern)
            except (re.error, OverflowError, RecursionError) as error:
                raise UsageError(f"{flag} {pattern!r} is not a regular expression: {error}") from None
    FileChoice(settings.output.files)
    if limits.scope == "any" and not (limits.max_pages or limits.max_time_s or limits.max_pages_per_site):
        raise UsageError("--scope any has no border: give --max-pages, --max-pages-per-site or --max-time with it")
    _check_dashboard(settings.dashboard)


def _check_dashboard(dashboard: DashboardSettings) -> None:
    """A token that cannot be guessed or sent, and a page that is open to others without one."""
    token = dashboard.token
    if token and (len(token) < MIN_TOKEN_CHARS or not (token.isascii() and token.isprintable() and " " not in token)):
        raise UsageError(f"--dashboard-token has to be {MIN_TOKEN_CHARS} or more ASCII characters without spaces")
    if not token and not is_loopback(dashboard.host):
        raise UsageError(
            f"--dashboard-host {dashboard.host!r} would show the crawl to others: give --dashboard-token with it"
        )


def render(settings: Settings, comments: bool = False) -> str:
    """The settings as a TOML file; with `comments`, each key under its help text."""
    parts: list[str] = []
    for group in GROUPS:
        parts.append(f"[{group}]")
        values = getattr(settings, group)
        for field in msgspec.inspect.type_info(type(values)).fields:  # type: ignore[attr-defined]
            if comments:
                parts.append(f"# {field.type.extra_json_schema['description']}")
            parts.append(f"{field.name} = {_toml(getattr(values, field.name))}")
        parts.append("")
    for site in settings.site:
        parts.append("[[site]]")
        parts += [f"{k} = {_toml(v)}" for k, v in msgspec.structs.asdict(site).items() if v is not None]
        parts.append("")
    for name, rule in settings.extract.items():
        parts.append(f"[extract.{_toml(name)}]")
        usual = msgspec.structs.asdict(ExtractRule())
        parts += [f"{k} = {_toml(v)}" for k, v in msgspec.structs.asdict(rule).items() if v != usual[k]]
        parts.append("")
    if comments and not settings.extract:
        parts.append(_EXTRACT_EXAMPLE)
    return "\n".join(parts)


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    # JSON's strings, numbers and booleans are TOML's too, except that TOML wants DEL escaped.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
