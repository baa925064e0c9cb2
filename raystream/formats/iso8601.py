"""Moments written as ISO 8601, a column at a time, to epoch milliseconds.

Read are: a day and a time of day, extended (`2024-03-01T10:15:30.5Z`) or basic
(`20240301T101530,5Z`), with `T` or a blank between, without seconds or minutes, any number of
decimals (cut behind the millisecond), `24:00`, and a zone `Z`, `+02`, `+0200`, `+02:00`. A leap
second, 23:59:60 of UTC, is the second behind it, as for POSIX. Text without zone is read by
`time_zone`; a time that its clocks show twice is the first of the two. Why there are other readers,
too, says time/iso_parts.py.
"""

from __future__ import annotations

import re

import polars as pl

from raystream.time.iso_parts import SECOND

_DAY = (
    "(?:(?<y>[0-9]{4})-(?<m>[0-9]{2})-(?<d>[0-9]{2})|(?<by>[0-9]{4})(?<bm>[0-9]{2})(?<bd>[0-9]{2}))"
)
_TIME = (
    r"(?<h>[0-9]{2})(?::(?<mi>[0-9]{2})(?::(?<s>[0-9]{2})(?:[.,](?<f>[0-9]+))?)?"
    r"|(?<bmi>[0-9]{2})(?:(?<bs>[0-9]{2})(?:[.,](?<bf>[0-9]+))?)?)?"
)
_ZONE = r"(?<z>[Zz]|(?<sign>[+\-−])(?<zh>[0-9]{2})(?::?(?<zm>[0-9]{2}))?)?"
_PATTERN = rf"^\s*{_DAY}[Tt ]{_TIME}\s?{_ZONE}\s*$"
_USUAL = (
    rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:{SECOND}(?:\.[0-9]{{1,9}})?"
    "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""What nearly everybody writes, and Polars reads at once."""

_DAY_ALONE = re.compile(r"\s*[0-9]{4}-?[0-9]{2}-?[0-9]{2}\s*")
_DAY_MS = 86_400_000


def epoch_ms(texts: pl.Series, time_zone: str | None) -> pl.Series:
    """Int64, null where a text is not a moment; `reason` says why.

    >>> epoch_ms(pl.Series(["1970-01-01T01:00+01", "19700101T000000,25Z", "soon"]), None).to_list()
    [0, 250, None]
    """
    moments = texts.str.to_datetime("%+", time_unit="ms", time_zone="UTC", strict=False)
    usual = texts.str.contains(_USUAL).fill_null(value=False)
    found = moments.dt.epoch("ms").set(~usual, None)
    odd = found.is_null() & texts.is_not_null()
    if odd.any():
        found = found.scatter(odd.arg_true(), _odd(texts.filter(odd), time_zone))
    return found.alias(texts.name)


def _odd(texts: pl.Series, time_zone: str | None) -> pl.Series:
    parts = texts.alias("t").str.extract_groups(_PATTERN).struct.unnest()
    fields = parts.select(
        _number("y", "by"),
        _number("m", "bm"),
        _number("d", "bd"),
        _number("h"),
        _number("mi", "bmi").fill_null(0),
        _number("s", "bs").fill_null(0),
        pl.coalesce("f", "bf").fill_null("0").str.head(3).str.pad_end(3, "0").cast(pl.Int64)
        .alias("f"),
        pl.coalesce("f", "bf").fill_null("0").str.strip_chars("0").eq("").alias("whole"),
        (_number("zh") * 60 + _number("zm").fill_null(0)).alias("ahead"),
        _number("zm").fill_null(0),
        pl.when(pl.col("sign") == "+").then(1).otherwise(-1).alias("sign"),
        pl.col("z").is_not_null().alias("zoned"),
    )  # fmt: skip
    shown = fields.select(
        pl.when(_possible()).then(_shown()).alias("shown"),
        (pl.col("ahead").fill_null(0) * pl.col("sign") * 60_000).alias("ahead"),
        "zoned",
    )
    local = shown.get_column("shown")
    zoned = shown.get_column("zoned")
    told = local - shown.get_column("ahead")
    if zoned.all():
        return told
    return told.zip_with(zoned, in_zone(local, time_zone))


def in_zone(shown: pl.Series, time_zone: str | None) -> pl.Series:
    """Epoch ms of what the clocks of a zone show (ms as if it were UTC); null if they never do."""
    if time_zone is None:
        return pl.Series(shown.name, [None] * len(shown), dtype=pl.Int64)
    clock = shown.cast(pl.Datetime("ms"))
    moments = clock.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
    return moments.dt.epoch("ms")


def reason(text: str, time_zone: str | None) -> str:
    """Why this text is not a moment.

    >>> reason("2024-03-01T10:00", None)
    "'2024-03-01T10:00' has no zone; write time_zone=, or Z or +02:00 behind it"
    """
    quoted = repr(text if len(text) <= 40 else f"{text[:37]}...")  # noqa: PLR2004
    if _DAY_ALONE.fullmatch(text):
        return f"{quoted} has no time of day"
    found = re.fullmatch(_PATTERN.strip("^$").replace("(?<", "(?P<"), text)
    if found is None:
        return f"{quoted} is not ISO 8601, as 2024-03-01T10:15:30.5Z is"
    if found["z"] is None and epoch_ms(pl.Series([f"{text}Z"]), None)[0] is not None:
        if time_zone is None:
            return f"{quoted} has no zone; write time_zone=, or Z or +02:00 behind it"
        return f"{quoted} is a time that the clocks of {time_zone} skip"
    return f"{quoted} is not a valid date and time of day"


def _number(*names: str) -> pl.Expr:
    return pl.coalesce(*names).cast(pl.Int64).alias(names[0])


def _possible() -> pl.Expr:
    y, m, d = (pl.col(name) for name in ("y", "m", "d"))
    leap = ((y % 4 == 0) & (y % 100 != 0)) | (y % 400 == 0)
    february = pl.when(leap).then(29).otherwise(28)
    days = pl.when(m == 2).then(february).when(m.is_in([4, 6, 9, 11])).then(30).otherwise(31)  # noqa: PLR2004
    h, mi, s = (pl.col(name) for name in ("h", "mi", "s"))
    midnight = (h == 24) & (mi == 0) & (s == 0) & pl.col("whole")  # noqa: PLR2004
    zone = pl.col("ahead").fill_null(0) * pl.col("sign")
    leap_second = (s == 60) & ((h * 60 + mi - zone) % 1440 == 1439) & pl.col("zoned")  # noqa: PLR2004
    time = (h <= 23) & (mi <= 59) & ((s <= 59) | leap_second)  # noqa: PLR2004
    ahead = pl.col("ahead").fill_null(0)
    return (
        m.is_between(1, 12)
        & (d >= 1)
        & (d <= days)
        & (time | midnight)
        & (ahead < 24 * 60)
        & (pl.col("zm") < 60)
    )


def _shown() -> pl.Expr:
    """Days of the civil calendar since 1970 (Hinnant), and the time of day, in ms."""
    month = pl.col("m")
    year = pl.col("y") - (month <= 2).cast(pl.Int64)  # noqa: PLR2004
    shifted = month + pl.when(month > 2).then(-3).otherwise(9)  # noqa: PLR2004
    of_year = (shifted * 153 + 2) // 5 + pl.col("d") - 1
    days = year * 365 + year // 4 - year // 100 + year // 400 + of_year - 719_468
    seconds = (pl.col("h") * 60 + pl.col("mi")) * 60 + pl.col("s")
    return days * _DAY_MS + seconds * 1000 + pl.col("f")
