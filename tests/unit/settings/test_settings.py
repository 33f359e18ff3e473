"""Settings: defaults < file < command line, and mistakes that are named."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crawler.errors import UsageError
from crawler.settings import file as settings_file
from crawler.settings.groups import GROUPS, Settings, cores

DEFAULT_FILE = Path(__file__).parents[3] / "config" / "default.toml"


@pytest.fixture
def toml(tmp_path: Path) -> Any:
    """Writes a config file and gives its path."""

    def write(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "crawl.toml"
        path.write_text(text, encoding=encoding)
        return path

    return write


def fault_of(path: Path | None, **overrides: dict[str, Any]) -> str:
    with pytest.raises(UsageError) as caught:
        settings_file.load(path, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nothing_given_means_the_defaults() -> None:
    assert settings_file.load(None, {}) == Settings()


def test_the_command_line_wins_over_the_file_and_the_file_over_the_defaults(toml: Any) -> None:
    path = toml("[crawl]\nmax_pages = 5\nmax_depth = 3\n[fetch]\nstrategy = 'threads'\n")
    loaded = settings_file.load(path, {"crawl": {"max_pages": 7}, "politeness": {"delay_s": 0.5}})
    assert (loaded.crawl.max_pages, loaded.crawl.max_depth, loaded.crawl.scope) == (7, 3, "host")
    assert (loaded.fetch.strategy, loaded.politeness.delay_s) == ("threads", 0.5)


def test_values_of_the_command_line_may_be_text() -> None:
    overrides = {"crawl": {"max_pages": "7", "max_time_s": "1.5", "robots": "false"}}
    loaded = settings_file.load(None, overrides)
    assert (loaded.crawl.max_pages, loaded.crawl.max_time_s, loaded.crawl.robots) == (7, 1.5, False)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[crawl]\nmax_page = 3\n", ["crawl", "'max_page'"]),
        ("[crwal]\n", ["'crwal'"]),
        ("max_pages = 3\n", ["'max_pages'"]),
        ("[[site]]\nurl = 'https://a.example/'\nspeed = 1\n", ["site", "'speed'"]),
        ("[[site]]\nmax_pages = 1\n", ["site", "'url'"]),
        ("[crawl]\nmax_depth = -1\n", ["crawl.max_depth", "0"]),
        ("[crawl]\nmax_depth = 1001\n", ["crawl.max_depth", "1000"]),
        ("[fetch]\ntimeout_s = 0\n", ["fetch.timeout_s", "0"]),
        ("[fetch]\nconcurrency = 'many'\n", ["fetch.concurrency", "whole number"]),
        ("[parse]\nmode = 'fibers'\n", ["parse.mode", "fibers"]),
        ("[crawl]\ninclude = 'a'\n", ["crawl.include"]),
        ("crawl = 3\n", ["crawl"]),
        ("[[site]]\nurl = 'a'\ndelay_s = -1\n", ["delay_s"]),
    ],
)
def test_a_mistake_in_a_file_is_named_with_file_and_key(toml: Any, text: str, named: list[str]) -> None:
    path = toml(text)
    message = fault_of(path)
    for name in [str(path), *named]:
        assert name in message


def test_a_mistake_on_the_command_line_is_put_down_to_it(toml: Any) -> None:
    assert fault_of(None, crawl={"max_pages": "x"}) == "--max-pages x: expected a whole number, got text"
    assert "--max-pages -1:" in fault_of(toml("[crawl]\nmax_pages = 1\n"), crawl={"max_pages": -1})


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("table", ["[politeness]", "[[site]]\nurl = 'https://a.example/'"])
def test_numbers_are_finite(toml: Any, table: str, value: str) -> None:
    """TOML has nan and inf; a delay of either would never end, and run.toml could not hold it."""
    assert "delay_s" in fault_of(toml(f"{table}\ndelay_s = {value}\n"))


def test_a_syntax_error_names_the_line(toml: Any) -> None:
    path = toml("[crawl]\nmax_pages = 3\nmax_depth = = 4\n")
    message = fault_of(path)
    assert str(path) in message
    assert "line 3" in message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert (
        fault_of(tmp_path / "none.toml")
        == f"cannot read the config file {tmp_path}/none.toml: No such file or directory"
    )
    assert fault_of(tmp_path) == f"cannot read the config file {tmp_path}: Is a directory"
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"# caf\xe9\n")
    assert fault_of(latin).startswith(f"{latin} is not valid TOML")


def test_a_byte_order_mark_does_not_matter(toml: Any) -> None:
    assert settings_file.load(toml("[crawl]\nmax_pages = 3\n", "utf-8-sig"), {}).crawl.max_pages == 3


def test_any_scope_needs_a_limit_from_wherever(toml: Any) -> None:
    path = toml("[crawl]\nscope = 'any'\n")
    assert "--max-pages" in fault_of(path)
    for key in ("max_pages", "max_pages_per_site", "max_time_s"):
        assert settings_file.load(path, {"crawl": {key: 10}}).crawl.scope == "any"


@pytest.mark.parametrize("key", ["include", "exclude"])
def test_a_faulty_regular_expression_is_named(key: str) -> None:
    message = fault_of(None, crawl={key: ["fine", "[a-"]})
    assert message.startswith(f"--{key} '[a-' is not a regular expression")


ODD = 'a "quoted" \\ back\\\\slash \x7f\x01 tab\t line\n é \u2028 🕷'


def test_settings_survive_being_written_and_read() -> None:
    odd = settings_file.build(
        {
            "crawl": {"include": [ODD.replace("\\", ""), "b"], "robots": False, "max_time_s": 0.1},
            "fetch": {"headers": [f"X: {ODD}"], "user_agent": ODD, "timeout_s": 1e-7, "max_body_bytes": 2**40},
            "site": [{"url": ODD, "max_pages": 0, "delay_s": 1e22}, {"url": "b"}],
        },
        "the test",
    )
    for comments in (False, True):
        assert settings_file.build(tomllib.loads(settings_file.render(odd, comments)), "the test") == odd


def test_the_default_file_is_what_the_program_would_do_without_it() -> None:
    assert settings_file.load(DEFAULT_FILE, {}) == Settings()


def test_the_default_file_is_the_settings_with_their_help_under_a_short_head() -> None:
    text = DEFAULT_FILE.read_text(encoding="utf-8")
    head, _, body = text.partition("\n\n")
    assert all(line.startswith("# ") for line in head.splitlines())
    assert len(head.splitlines()) <= 5
    assert body == settings_file.render(Settings(), comments=True)


def test_every_key_has_a_help_text_and_every_flag_is_its_own() -> None:
    flags = []
    for group in GROUPS:
        for field in msgspec.inspect.type_info(type(getattr(Settings(), group))).fields:  # type: ignore[attr-defined]
            assert field.type.extra_json_schema["description"], field.name
            flags.append(field.type.extra["flag"])
    named = [flag for flag in flags if flag is not None]
    assert len(named) == len(set(named)) > 10
    assert all(flag.startswith("--") for flag in named)


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Settings().crawl.max_pages = 3  # type: ignore[misc]


def test_the_processors_are_counted_where_the_system_does_not_say_which_this_process_may_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on macOS."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert cores() == os.cpu_count()
