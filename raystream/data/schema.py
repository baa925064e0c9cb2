"""The columns of a stream: names, Polars types, which may not be null."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from raystream.data import types
from raystream.data.batch import HIDDEN
from raystream.data.changes import Changes
from raystream.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Schema:
    """Columns in order.

    Args:
        columns: Name -> Polars type. Columns are nullable unless named in `required`.
        required: Columns declared not null.
        key: Columns of the key, once `key_by` said so.
        open: Behind a row function without a declared output: `columns` holds only what is known
            already (often nothing); the first rows tell the rest and are checked at run time.
        units: Units of event time that were declared of columns (`timestamp_s`: `s`).
        changes: Rows change earlier ones; None: rows are only added.

    >>> Schema.of({"ts": "int not null", "ip": str}).names()
    ['ts', 'ip']
    """

    columns: Mapping[str, pl.DataType]
    required: frozenset[str] = field(default_factory=frozenset)
    key: tuple[str, ...] = ()
    open: bool = False
    units: Mapping[str, str] = field(default_factory=dict, compare=False)
    changes: Changes | None = None

    @classmethod
    def of(cls, declared: Any) -> Schema:
        """Schema as the user declares it.

        Args:
            declared: A dict of name -> word (`"int"`, `"float"`, `"string"`, `"bool"`, `"binary"`,
                `"decimal(18,2)"`, `"date"`, `"datetime"`, ..., each with ` not null` behind it if
                null is an error), Python type or Polars type; a dataclass or TypedDict
                (`Annotated[int, "not null"]`); a Polars
                schema; or a Schema. All columns are nullable unless declared otherwise.

        Raises:
            ConfigurationError: it is none of these, or a name or type is impossible.

        >>> Schema.of({"price": "decimal(18,2)"}).columns["price"]
        Decimal(precision=18, scale=2)
        """
        if isinstance(declared, Schema):
            return declared
        items = _items(declared)
        parsed = {name: types.parse_type(kind, name) for name, kind in items}
        _check_names(parsed)
        columns = {name: dtype for name, (dtype, _) in parsed.items()}
        required = frozenset(name for name, (_, strict) in parsed.items() if strict)
        units = {n: unit for n, kind in items if (unit := types.declared_unit(kind)) is not None}
        return cls(columns, required, units=units)

    @classmethod
    def of_frame(cls, columns: Mapping[str, pl.DataType], key: tuple[str, ...] = ()) -> Schema:
        """Schema of the user columns among `columns` (hidden ones are left out).

        >>> Schema.of_frame({"n": pl.Int64()}).names()
        ['n']
        """
        return cls({n: d for n, d in columns.items() if not n.startswith(HIDDEN)}, key=key)

    def names(self) -> list[str]:
        """Column names in order.

        >>> Schema.of({"ts": "int", "ip": "string"}).names()
        ['ts', 'ip']
        """
        return list(self.columns)

    def polars(self) -> pl.Schema:
        """The same for Polars.

        >>> Schema.of({"ts": "int"}).polars()
        Schema([('ts', Int64)])
        """
        return pl.Schema(self.columns)

    def empty(self) -> pl.DataFrame:
        """A frame of these columns without rows.

        >>> Schema.of({"ts": "int"}).empty().height
        0
        """
        return pl.DataFrame(schema=self.polars())

    def project(self, names: Iterable[str]) -> Schema:
        """Only these columns, in the order of this schema.

        >>> Schema.of({"ts": "int", "ip": "string"}).project(["ip"]).names()
        ['ip']
        """
        wanted = set(names)
        columns = {name: dtype for name, dtype in self.columns.items() if name in wanted}
        key = tuple(k for k in self.key if k in wanted)
        return Schema(columns, self.required & wanted, key, self.open, changes=self.changes)

    def with_key(self, key: tuple[str, ...]) -> Schema:
        """The same columns under another key.

        >>> Schema.of({"ip": "string"}).with_key(("ip",)).key
        ('ip',)
        """
        return Schema(self.columns, self.required, key, self.open, changes=self.changes)

    def with_changes(self, changes: Changes | None) -> Schema:
        """The same columns, of rows that change others or do not.

        >>> Schema.of({"n": "int"}).with_changes(Changes(("n",))).changes
        Changes(by=('n',))
        """
        return Schema(self.columns, self.required, self.key, self.open, changes=changes)

    def to_json(self) -> dict[str, Any]:
        """JSON value, kept with every checkpoint.

        >>> Schema.of({"n": "int not null"}).to_json()["required"]
        ['n']
        """
        columns = [[name, types.to_json(dtype)] for name, dtype in self.columns.items()]
        found = {"columns": columns, "required": sorted(self.required), "key": list(self.key)}
        if self.changes is None:
            return found
        by = self.changes.by
        return {**found, "changes": {"by": None if by is None else list(by)}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Schema:
        """The inverse of `to_json`.

        >>> Schema.from_json(Schema.of({"n": "int"}).to_json()) == Schema.of({"n": "int"})
        True
        """
        columns = {name: types.from_json(dtype) for name, dtype in value["columns"]}
        changes = None
        if value.get("changes") is not None:
            by = value["changes"]["by"]
            changes = Changes(None if by is None else tuple(by))
        required, key = frozenset(value["required"]), tuple(value["key"])
        return cls(columns, required, key, changes=changes)


def no_column(name: str, names: Iterable[str]) -> ConfigurationError:
    """The error for a column that does not exist, with the nearest name that does.

    >>> print(no_column("ipp", ["ip", "ts"]))
    no column 'ipp'; did you mean 'ip'? columns: ip, ts
    """
    visible = [other for other in names if not other.startswith(HIDDEN)]
    listed = f"columns: {', '.join(visible)}" if visible else "there are no columns"
    return ConfigurationError(f"no column {name!r}", what_to_do=nearest(name, visible) + listed)


def nearest(name: str, candidates: Iterable[str]) -> str:
    """`did you mean 'ip'? ` if a candidate is near, else nothing.

    >>> nearest("ipp", ["ip"]), nearest("zzz", ["ip"])
    ("did you mean 'ip'? ", '')
    """
    found = difflib.get_close_matches(name, list(candidates), n=1, cutoff=0.6)
    return f"did you mean {found[0]!r}? " if found else ""


def _items(declared: Any) -> list[tuple[str, Any]]:
    if isinstance(declared, Mapping):
        return list(declared.items())
    if dataclasses.is_dataclass(declared) or typing.is_typeddict(declared):
        return list(typing.get_type_hints(declared, include_extras=True).items())
    what = f"{declared!r} is not a schema"
    advice = "give a dict of column name to type, a dataclass, a TypedDict or a Polars schema"
    raise ConfigurationError(what, what_to_do=advice)


def _check_names(names: Iterable[Any]) -> None:
    for name in names:
        if not isinstance(name, str) or name.startswith(HIDDEN):
            what = f"{name!r} cannot be the name of a column"
            advice = f"names are text without {HIDDEN!r} in front"
            raise ConfigurationError(what, what_to_do=advice)
