"""Directories named after values, as in Hive, Flink and Spark: `dt=2026-11-28/hm=10%3A00`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from raystream.data.schema import Schema, no_column
from raystream.errors import ConfigurationError, DataError
from raystream.ids import HIDDEN

DEFAULT = "__HIVE_DEFAULT_PARTITION__"
"""In place of a null."""

_LONGEST = 255
"""Bytes of the name of a directory."""

_ESCAPED = frozenset("\"#%'*/:=?\\{}[]^\x7f") | {chr(code) for code in range(32)}

_FORMS = {pl.Datetime: "%Y-%m-%d %H:%M:%S%.f", pl.Time: "%H:%M:%S%.f"}
"""How times are written: with as many digits as there are, so that no two are one."""

_PLAIN = (pl.String, pl.Boolean, pl.Date, pl.Categorical, pl.Enum, pl.Decimal, pl.Null)


def check_partitions(columns: Sequence[str], schema: Schema) -> None:
    """Refuse columns that cannot name directories.

    Raises:
        ConfigurationError: a column is not there, of a type whose text is not exact or not short,
            or no other is left.
    """
    kinds = schema.columns
    for name in columns:
        if name not in kinds:
            error = no_column(name, kinds)
            what = f"partition_by: {error.what}"
            raise ConfigurationError(what, what_to_do=error.what_to_do)
        kind = kinds[name]
        if not (kind.is_integer() or isinstance(kind, (*_PLAIN, *_FORMS))):
            what = f"partition_by: column {name!r} of type {kind} cannot name a directory"
            advice = "use whole numbers, text, booleans, decimals, dates or times: "
            advice += "make one of them with with_columns"
            raise ConfigurationError(what, what_to_do=advice)
    if not set(kinds) - set(columns):
        what = "partition_by: no column is left for the files: these are named by directories alone"
        raise ConfigurationError(what, what_to_do="leave a column out of partition_by")


def without(columns: Sequence[str], schema: Schema) -> Schema:
    """The columns of the files: a directory names the others."""
    return Schema({name: kind for name, kind in schema.columns.items() if name not in columns})


def divided(frame: pl.DataFrame, columns: Sequence[str]) -> Iterator[tuple[str, pl.DataFrame]]:
    """Relative directories, and the rows of each without these columns, in their order.

    Raises:
        DataError: a value makes a longer name than a directory may have.

    >>> frame = pl.DataFrame({"shop": ["a/b", None, "a/b"], "n": [1, 2, 3]})
    >>> [(where, rows["n"].to_list()) for where, rows in divided(frame, ["shop"])]
    [('shop=a%2Fb', [1, 3]), ('shop=__HIVE_DEFAULT_PARTITION__', [2])]
    """
    texts = {f"{HIDDEN}of {name}": _text(name, frame.schema[name]) for name in columns}
    rows = frame.with_columns(**texts).drop(columns)
    parts = rows.partition_by(list(texts), maintain_order=True, include_key=False, as_dict=True)
    for values, part in parts.items():
        yield "/".join(map(_directory, columns, values)), part


def _text(name: str, kind: pl.DataType) -> pl.Expr:
    form = _FORMS.get(type(kind))
    if form is None:
        return pl.col(name).cast(pl.String)
    zoned = isinstance(kind, pl.Datetime) and kind.time_zone is not None
    return pl.col(name).dt.strftime(f"{form}%:z" if zoned else form)


def _directory(name: str, value: str | None) -> str:
    text = DEFAULT if value is None else _escaped(value)
    if value == DEFAULT:  # a text, not a null
        text = f"%5F{DEFAULT[1:]}"
    whole = f"{_visible(_escaped(name))}={text}"
    size = len(whole.encode())
    if size > _LONGEST:
        what = f"a value of {name!r} cannot name a directory: {whole[:40]}.. has {size} bytes"
        advice = f"at most {_LONGEST}: shorten it with with_columns, or partition by another column"
        raise DataError(what, what_to_do=advice)
    return whole


def _escaped(text: str) -> str:
    if _ESCAPED.isdisjoint(text):
        return text
    return "".join(f"%{ord(c):02X}" if c in _ESCAPED else c for c in text)


def _visible(name: str) -> str:
    """Readers skip names that begin with `.` or `_`."""
    return f"%{ord(name[0]):02X}{name[1:]}" if name.startswith((".", "_")) else name
