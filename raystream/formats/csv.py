"""CSV: one line per payload, columns by position."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from raystream.data.rows import missing_required
from raystream.data.schema import Schema, no_column
from raystream.errors import ConfigurationError
from raystream.formats.base import Decoded, RejectedRow
from raystream.formats.csv_encoder import BOM, CsvEncoder
from raystream.formats.csv_values import given, learnt, read
from raystream.formats.json_numbers import LARGEST
from raystream.formats.timestamps import without


@dataclass(frozen=True, slots=True)
class Csv:
    """Lines of fields. An empty field is null, `""` an empty string.

    A payload is exactly one record: as many fields as there are columns, line ends only between
    quotes (one behind it is taken off). docs/formats.md says how each type is written.

    Args:
        columns: Names of all fields of a line, in order; empty: the declared columns.
        delimiter: One character between fields.

    >>> Csv().decoder(Schema.of({"n": "int", "s": "string"})).decode([b"1,x"]).frame.rows()
    [(1, 'x')]
    """

    columns: tuple[str, ...] = ()
    delimiter: str = ","

    def __post_init__(self) -> None:
        """Check the delimiter."""
        if len(self.delimiter) != 1 or self.delimiter in '"\r\n':
            what = f"the delimiter of CSV is one character, not {self.delimiter!r}"
            raise ConfigurationError(what, what_to_do="for example ; or a tab")

    @property
    def name(self) -> str:
        """`csv`."""
        return "csv"

    def of_line(self, columns: Sequence[str]) -> Csv:
        """The same, of lines with these columns, unless it has columns of its own."""
        return self if self.columns else Csv(tuple(columns), self.delimiter)

    def decoder(self, schema: Schema) -> CsvDecoder:
        """Decoder for these columns of the line.

        Raises:
            ConfigurationError: a column of the schema is not in the line, or there twice, or of a
                type CSV lacks.
        """
        fields = self.columns or tuple(schema.names())
        for name in schema.columns:
            if name not in fields:
                raise no_column(name, fields)
            if fields.count(name) > 1:
                what = f"a line of CSV has the column {name!r} twice"
                raise ConfigurationError(what, what_to_do="give each its own name")
        return CsvDecoder(schema, fields, self.delimiter)

    def encoder(self, schema: Schema) -> CsvEncoder:
        """Encoder: one line per row, without line end and without header.

        Raises:
            ConfigurationError: a column has a type that CSV lacks.
        """
        _check(schema)
        return CsvEncoder(schema, self.delimiter)

    def infer(self, payloads: Sequence[bytes | None]) -> Schema | None:
        """Schema learnt from lines; those that do not fit the others tell nothing.

        Raises:
            ConfigurationError: there are no `columns`: a record is not a header.
        """
        if not self.columns:
            what = "records of CSV do not tell the names of their columns"
            advice = "declare them: p.read(.., schema={..}), or Csv(columns=(..))"
            raise ConfigurationError(what, what_to_do=advice)
        texts = Schema({name: pl.String() for name in self.columns})
        rows = self.decoder(texts).decode([payload for payload in payloads if payload]).frame
        if not rows.height:
            return None
        return Schema({name: learnt(rows.get_column(name)) for name in self.columns})

    def named_by(self, line: bytes) -> Csv:
        """The same with the columns that a header line names.

        Raises:
            ConfigurationError: it names none.
        """
        try:
            names = next(csv.reader([line.decode()], delimiter=self.delimiter), [])
        except (UnicodeDecodeError, csv.Error):
            names = []
        if not names:
            what = "the first line of CSV names no columns"
            advice = "put them there, or name them: Csv(columns=(..))"
            raise ConfigurationError(what, what_to_do=advice)
        return Csv(tuple(names), self.delimiter)


class CsvDecoder:
    """Lines -> columns of `schema`, column by column: a bad record costs the others nothing."""

    def __init__(self, schema: Schema, fields: Sequence[str], delimiter: str) -> None:
        self.schema = schema
        self._count = len(fields)
        self._places = {name: fields.index(name) for name in schema.columns}
        self._delimiter = delimiter
        _check(schema)
        self._types = {name: schema.columns.get(name, pl.String()) for name in fields}
        one_byte = len(delimiter.encode()) == 1 and len(self._types) == len(fields)
        common = all(dtype in _COMMON for dtype in schema.columns.values())
        self._common = one_byte and common and bool(schema.columns)
        mark = re.escape(delimiter)
        field = rf'(?:"(?:[^"]|"")*"|[^"{mark}\r\n]*)'
        self._whole = rf"^{field}(?:{mark}{field}){{{self._count - 1}}}$" if fields else "^$"
        self._quoted = re.compile(rf'(?:"((?:[^"]|"")*)"|([^"{mark}\r\n]*))(?:{mark}|$)')

    def decode(self, payloads: Sequence[bytes | None]) -> Decoded:
        """Decode all at once; if there is anything special, column by column."""
        frame = self._plain(payloads)
        return Decoded(frame) if frame is not None else self._by_columns(payloads)

    def _plain(self, payloads: Sequence[bytes | None]) -> pl.DataFrame | None:
        """All, if they are records of plain fields that fit: no quote, nothing missing."""
        if not self._common or not all(payloads):
            return None
        from raystream.formats.csv_lines import regular  # brings numpy

        text = b"\n".join(payloads)  # type: ignore[arg-type]
        if not regular(text, len(payloads), self._count, self._delimiter):
            return None
        try:
            frame = pl.read_csv(
                text, has_header=False, schema=self._types, separator=self._delimiter
            )
        except (pl.exceptions.PolarsError, UnicodeDecodeError):
            return None
        if frame.height != len(payloads) or missing_required(frame, self.schema):
            return None
        wanted = pl.DataFrame({name: frame.get_column(name) for name in self.schema.columns})
        return None if _large(wanted) else wanted

    def _by_columns(self, payloads: Sequence[bytes | None]) -> Decoded:
        lines = pl.Series("line", payloads, pl.Binary)
        text = _without_line_end(_text(lines))
        bad = self._shapeless(lines, text)
        rejected = [RejectedRow(index, reason) for index, reason in bad]
        if rejected:
            gone = {row.index for row in rejected}
            keep = pl.Series([i not in gone for i in range(len(lines))], dtype=pl.Boolean)
            text = text.filter(keep)
        if not self.schema.columns:
            return Decoded(pl.DataFrame(height=len(text)), tuple(rejected))
        fields = self._split(text)
        columns, reasons = dict[str, pl.Series](), dict[int, str]()
        for name, dtype in self.schema.columns.items():
            text = given(fields[self._places[name]], dtype)
            column = read(text.alias(name), dtype)
            columns[name] = column
            wrong = column.is_null() & text.is_not_null()
            for row in wrong.arg_true().to_list() if wrong.any() else ():
                reason = f"column {name!r}: {str(text[row])[:40]!r} is not {dtype}"
                reasons.setdefault(row, reason)
            if name in self.schema.required and text.null_count():
                for row in text.is_null().arg_true().to_list():
                    reasons.setdefault(row, f"null in {name}")
        frame = pl.DataFrame(columns)
        return without(frame, reasons, rejected) if reasons else Decoded(frame, tuple(rejected))

    def _shapeless(self, lines: pl.Series, text: pl.Series) -> list[tuple[int, str]]:
        good = text.str.contains(self._whole).fill_null(value=False)
        if self._count > 1:
            good &= (text.str.len_bytes() > 0).fill_null(value=False)
        if good.all():
            return []
        return [(i, self._why(lines[i], text[i])) for i in (~good).arg_true().to_list()]

    def _why(self, payload: bytes | None, text: str | None) -> str:
        if payload is None:
            return "record without a value"
        if text is None:
            return "not CSV: not UTF-8"
        if not text:
            return "not CSV: an empty record"
        fields = sum(1 for _ in _outside_quotes(text, self._delimiter)) + 1
        if text.count('"') % 2:
            return "not CSV: a quote that is not closed"
        if any(True for _ in _outside_quotes(text, "\n")):
            return "not CSV: more than one line"
        if fields != self._count:
            return f"not CSV of this schema: {fields} fields instead of {self._count}"
        return "not CSV: a quote inside a field, or behind one"

    def _split(self, text: pl.Series) -> list[pl.Series]:
        """One column of text per field; null where the field is empty."""
        if not text.str.contains('"', literal=True).any():
            parts = text.str.split_exact(self._delimiter, self._count - 1).struct.unnest()
            return [
                pl.select(pl.when(part.str.len_bytes() > 0).then(part)).to_series()
                for part in parts.get_columns()
            ]
        one_byte = len(self._delimiter.encode()) == 1
        if self._count > 1 and one_byte and not text[0].startswith(BOM):
            whole = pl.read_csv(  # drops a mark in front, which is one of a file, not of a record
                "\n".join(text.to_list()).encode(),
                has_header=False,
                schema={str(place): pl.String() for place in range(self._count)},
                separator=self._delimiter,
            )
            if whole.height == len(text):
                return whole.get_columns()
        rows = [self._fields(line) for line in text.to_list()]
        return [
            pl.Series([row[place] for row in rows], dtype=pl.String) for place in range(self._count)
        ]

    def _fields(self, line: str) -> list[str | None]:
        if '"' not in line:
            return [part or None for part in line.split(self._delimiter)]
        found = self._quoted.findall(line)[: self._count]
        starts = [m.start() for m in self._quoted.finditer(line)][: self._count]
        return [
            quoted.replace('""', '"') if line[start : start + 1] == '"' else (plain or None)
            for start, (quoted, plain) in zip(starts, found, strict=True)
        ]


def _text(lines: pl.Series) -> pl.Series:
    try:
        return lines.cast(pl.String)
    except pl.exceptions.ComputeError:  # not all of them are UTF-8
        return pl.Series(lines.name, [_utf8(line) for line in lines.to_list()], pl.String)


def _utf8(line: bytes | None) -> str | None:
    try:
        return None if line is None else line.decode()
    except UnicodeDecodeError:
        return None


def _without_line_end(text: pl.Series) -> pl.Series:
    ended = text.str.ends_with("\n").any() or text.str.ends_with("\r").any()
    return text.str.replace(r"(?:\r?\n|\r)$", "") if ended else text


def _outside_quotes(text: str, sought: str) -> list[int]:
    inside, found = False, []
    for place, letter in enumerate(text):
        if letter == '"':
            inside = not inside
        elif letter == sought and not inside:
            found.append(place)
    return found


def _check(schema: Schema) -> None:
    for name, dtype in schema.columns.items():
        if dtype.is_nested() or dtype in (pl.Object, pl.Null):
            what = f"column {name!r}: CSV has no {dtype}"
            raise ConfigurationError(what, what_to_do="write json, or select other columns")


_COMMON = (pl.Int64(), pl.Float64(), pl.String(), pl.Boolean())


def _large(frame: pl.DataFrame) -> bool:
    """Whether a float may have been another number."""
    numbers = [column for column in frame.get_columns() if column.dtype.is_float()]
    import numpy as np  # a third of the start of `raystream validate`

    return any((np.abs(column.to_numpy()) >= LARGEST).any() for column in numbers)
