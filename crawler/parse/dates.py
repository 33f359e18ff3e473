"""Dates as pages write them, read into ISO 8601 where only one reading makes sense."""

from __future__ import annotations

import re
from datetime import date, datetime
from email.utils import parsedate_to_datetime

from crawler.parse.text import fold

MAX_DATE_CHARS = 100  # longer text is no date; whatever is read below is read in time that grows with it

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_EARLIEST = "1000"
_FLAGS = re.ASCII | re.IGNORECASE
_ISO = re.compile(
    r"(?<!\d)(?<!\d[.-])(\d{4}-\d\d-\d\d(?![\d-])|\d{8}(?=T))"
    r"(?:[T ]+(\d\d:?\d\d(?::?\d\d(?:[.,]\d{1,9})?)?)\s?((?:Z|UTC|GMT)(?!\w| ?[+-])|[+-]\d\d(?::?\d\d)?(?!\d))?)?",
    _FLAGS,
)
_MAIL = re.compile(r"\d{1,2} [a-z]{3} \d{4} \d\d:\d\d", _FLAGS)
_REDUCED = re.compile(r"\d{4}(?:-(?:0[1-9]|1[0-2]))?", _FLAGS)  # a year, a year and a month
# Longer numbers with points are versions, 1.2.3.2020, and so is what is called one, `v2023.1.2`.
_YEAR_FIRST = re.compile(r"(?<![\d.])(\d{4})[/.](\d{1,2})[/.](\d{1,2})(?!\.?\d)", _FLAGS)
_DAY_FIRST = re.compile(r"(?<![\d.])(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})(?!\.?\d)", _FLAGS)
_VERSION = re.compile(r"\b(?:v|ver|version|build)[.:]?\s?\d+(?:[.-]\w+)+", _FLAGS)
_SLASHES = re.compile(r"(?<!\d)(\d{1,2})/(\d{1,2})/(\d{4})(?!\d)", _FLAGS)
_DAY_MONTH = re.compile(rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|\.)?[ -]{_MONTH},?[ -](\d{{4}})(?!\d)", _FLAGS)
_MONTH_DAY = re.compile(rf"\b{_MONTH} (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}})(?!\d)", _FLAGS)

_NAMED = re.compile(
    r"(?<!\d)(\d{1,2})(?:er|º|°|\.)?[ -](?:de )?([^\W\d_]{3,10})\.?,?[ -](?:de )?(\d{4})(?!\d)", re.IGNORECASE
)
_SIGNED = re.compile(r"(?<!\d)(\d{4})\s?[年년]\s?(\d{1,2})\s?[月월]\s?(\d{1,2})\s?[日일]")
_OTHER_MONTHS = {  # name → number, in German, French, Spanish, Italian, Portuguese, Dutch
    name: number
    for number, names in enumerate(
        (
            "januar jänner janvier enero gennaio janeiro januari",
            "februar février febrero febbraio fevereiro februari",
            "märz mars marzo março maart",
            "april avril abril aprile",
            "mai mayo maggio maio mei",
            "juni juin junio giugno junho",
            "juli juillet julio luglio julho",
            "august août agosto augustus",
            "september septembre septiembre settembre setembro",
            "oktober octobre octubre ottobre outubro",
            "november novembre noviembre novembro",
            "dezember décembre diciembre dicembre dezembro december",
        ),
        1,
    )
    for name in names.split()
}


def iso_date(text: str) -> str | None:
    """The date in a text as ISO 8601, with its time where it has one; None if there is none or it is ambiguous.

    Month names are read in English, German, French, Spanish, Italian, Portuguese and Dutch. `02.01.2024` is the second
    of January; `02/01/2024` means one day to some and another to others, and is not read. Nor are versions, `v2024.1.2`
    and `1.2.3.2024`.

    Source: ISO 8601, RFC 5322 3.3.
    """
    text = fold(text[: MAX_DATE_CHARS + 1])
    if len(text) > MAX_DATE_CHARS:
        return None
    if _REDUCED.fullmatch(text):
        return text
    for read in (_iso, _mail, _words_and_figures):
        try:
            if (found := read(text)) and found >= _EARLIEST:  # programs write 0001-01-01 for want of a date
                return found
        except (ValueError, OverflowError):  # 30 February, hour 25
            continue
    return None


def _iso(text: str) -> str | None:
    match = _ISO.search(text)
    if match is None:
        return None
    day, time, zone = match.groups()
    if time is None:
        return date.fromisoformat(day).isoformat()
    zone = "Z" if zone and zone[0].isalpha() else zone or ""
    moment = datetime.fromisoformat(f"{day}T{time.replace(',', '.')}{zone}")
    return moment.isoformat().replace("+00:00", "Z")


def _mail(text: str) -> str | None:
    if not _MAIL.search(text):
        return None
    return parsedate_to_datetime(text).isoformat().replace("+00:00", "Z")


def _words_and_figures(text: str) -> str | None:
    text = _VERSION.sub(" ", text)
    if match := _YEAR_FIRST.search(text):
        year, month, day = map(int, match.groups())
    elif match := _DAY_FIRST.search(text):
        day, month, year = map(int, match.groups())
    elif match := _SLASHES.search(text):
        day, month, year = map(int, match.groups())
        if day <= 12 and month <= 12 and day != month:
            return None
        if month > 12:
            day, month = month, day
    elif match := _DAY_MONTH.search(text):
        day, month, year = int(match[1]), _month(match[2]), int(match[3])
    elif match := _MONTH_DAY.search(text):
        day, month, year = int(match[2]), _month(match[1]), int(match[3])
    elif match := _SIGNED.search(text):
        year, month, day = map(int, match.groups())
    elif (match := _NAMED.search(text)) and (known := _OTHER_MONTHS.get(match[2].lower())):
        day, month, year = int(match[1]), known, int(match[3])
    else:
        return None
    return date(year, month, day).isoformat()


def _month(name: str) -> int:
    return _MONTHS.index(name[:3].lower()) + 1
