"""Command-line options made of the settings, and the settings that were given by them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

from msgspec import Meta

from crawler.settings.groups import GROUPS, Settings

_SHORT = {"--header": "-H", "--output": "-o"}
_METAVARS = {
    "--run": "DIR",
    "--replay": "PATH",
    "--output": "FILE",
    "--proxy": "URL",
    "--include": "REGEX",
    "--exclude": "REGEX",
    "--header": "FIELD",
    "--allow-private": "NETWORK",
    "--resolve": "NAME:ADDR",
    "--max-body": "BYTES",
    "--drop-param": "NAME",
    "--dashboard": "PORT",
    "--dashboard-host": "ADDRESS",
}


def add_settings(
    parser: argparse.ArgumentParser,
    groups: Sequence[str] = GROUPS,
    *,
    shows_defaults: bool = True,
    without: Sequence[str] = (),
    choices: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Add an option for every setting that has a flag.

    Args:
        parser: Where to.
        groups: The groups whose settings are wanted.
        shows_defaults: Whether the help texts show the defaults.
        without: Flags that are left out.
        choices: The values that settings may have which their type does not say, by flag.
    """
    for group in groups:
        kind = type(getattr(Settings(), group))
        section = parser.add_argument_group(f"{group} options", kind.__doc__)
        for name, hint in get_type_hints(kind, include_extras=True).items():
            meta: Meta = hint.__metadata__[0]
            flag = (meta.extra or {})["flag"]
            if flag is None or flag in without:
                continue
            flags = [_SHORT[flag], flag] if flag in _SHORT else [flag]
            default = getattr(getattr(Settings(), group), name) if shows_defaults else ""
            arguments = _argument(get_args(hint)[0], default, meta.description or "", _METAVARS.get(flag))
            if (bare := (meta.extra or {})["bare"]) is not None:
                arguments |= {"nargs": "?", "const": bare}
            if flag in (choices or {}):
                arguments |= {"choices": tuple((choices or {})[flag]), "metavar": None}
            section.add_argument(*flags, dest=f"{group}.{name}", default=None, **arguments)


def _argument(kind: Any, default: Any, help_text: str, metavar: str | None) -> dict[str, Any]:
    shown = "" if default in ("", ()) else f" [{_plain(default)}]"
    arguments: dict[str, Any] = {"help": (help_text + shown).replace("%", "%%")}
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction, **arguments}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind), **arguments}
    metavar = metavar or {int: "N", float: "SECONDS"}.get(kind, "TEXT")
    if get_origin(kind) is tuple:
        arguments["action"] = "append"
    return {"metavar": metavar, **arguments}


def _plain(default: Any) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    return f"{default:g}" if isinstance(default, float) else str(default)


def overrides(arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The settings that were given on the command line, by group and key."""
    tables: dict[str, dict[str, Any]] = {}
    for name, value in vars(arguments).items():
        group, dot, key = name.partition(".")
        if dot and value is not None:
            tables.setdefault(group, {})[key] = value
    return tables
