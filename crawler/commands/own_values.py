"""Which of the general options have no effect, because sites have values of their own: the more specific one wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from crawler.scope.scope import SeedSite
from crawler.scope.seeds import OPTIONS
from crawler.settings import file as settings_file
from crawler.settings.groups import Settings

# A general setting, and what a site has of its own instead: its name in the settings, and what it is, one and many.
_GENERAL = (
    ("crawl", "max_pages_per_site", "max_pages", ("a limit", "limits")),
    ("crawl", "max_depth", "max_depth", ("a limit", "limits")),
    ("politeness", "delay_s", "delay_s", ("a delay", "delays")),
)
_NAMES = {key: name for name, key in OPTIONS.items()}

Tables = Mapping[str, Mapping[str, Any]]


def without_effect(options: Tables, sites: Sequence[SeedSite], place: str, config: Path | None = None) -> list[str]:
    """Say of each general option that was given how many sites it has no effect on, a sentence for each that has none.

    Args:
        options: What the command line gave, by group and key.
        sites: All sites of the crawl.
        place: Where the sites' own values stand, in words.
        config: A file of settings that was given, too; what it says like the default is nothing that anybody asked for.
    """
    in_file = settings_file.read_toml(config) if config is not None else {}
    defaults = msgspec.to_builtins(Settings())
    sentences = []
    for group, key, own, kinds in _GENERAL:
        if key in options.get(group, {}):
            what = f"{settings_file.flag_of(group, key)} {options[group][key]}"
        elif (value := in_file.get(group, {}).get(key, defaults[group][key])) != defaults[group][key]:
            what = f"{key} = {value} in {config}"
        else:
            continue
        count = sum(getattr(site, own) is not None for site in sites)
        if count:
            sentences.append(f"{what} has no effect on {_which(count, len(sites), kinds)} ({_NAMES[own]}) {place}")
    return sentences


def _which(count: int, total: int, kinds: tuple[str, str]) -> str:
    one, many = kinds
    sites = f"{count:,} of {total:,} sites" if total > 1 else "the site"
    return f"{sites}, which {f'has {one} of its own' if count == 1 else f'have {many} of their own'}"
