"""Verbs that bring rows of two streams together."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from raystream.api.arguments import checked, chosen
from raystream.api.event_time import units_at
from raystream.api.expressions import check_visible
from raystream.api.origin import at_call, wrong
from raystream.api.samples.shown import Shown
from raystream.graph.windows import Cumulative, Hopping, Tumbling, Window
from raystream.operators.asof_join.step import AsofJoin
from raystream.operators.interval_join.step import Bound, IntervalJoin
from raystream.operators.join.step import Join
from raystream.operators.joins.kinds import JoinKind
from raystream.operators.joins.step import SUFFIX, JoinStep
from raystream.operators.lookup.step import Lookup
from raystream.operators.window_join.step import WindowJoin
from raystream.units import Duration, milliseconds

if TYPE_CHECKING:
    from raystream.api.keyed import KeyedStream
    from raystream.api.pipeline import Pipeline
    from raystream.api.stream import Stream
    from raystream.graph.logical import Edge

Keys = str | Sequence[str] | Mapping[str, str]

_DURATION = re.compile(r"\s*-?\s*\d+(?:\.\d+)?\s*(?:ms|s|m|h|d)\s*")
_HOW_WITHIN = 'write within=("-5s", "10m"), or within=("0s", "expires") with a column'


class JoinVerbs(Shown):
    """Joins of a stream with another one."""

    _pipeline: Pipeline
    _edge: Edge

    @checked
    def join(
        self,
        other: Stream,
        on: Keys,
        *,
        how: str = "inner",
        within: Any = None,
        window: Window | None = None,
        ttl: Duration | None = None,
        suffix: str = SUFFIX,
        name: str | None = None,
        parallelism: int | None = None,
    ) -> KeyedStream:
        """Pair the rows of this stream with rows of another one that have the same key.

        A row of the result has the columns of this stream, then those of the other; a key of the
        same name is there once, other columns of the other stream that this one has, too, get the
        suffix. Its event time is the later one of both, its key is `on`. Null is equal to nothing,
        not even to null. Late rows are in `.late`, with the columns of both streams.

        Args:
            other: The other stream, of the same pipeline; it may be the same stream.
            on: Columns that must be equal: a name, several, or {"column here": "column there"}.
            how: `inner` (pairs), `left`, `right`, `full` (also the rows without a match, with
                nulls), `semi`, `anti` (rows of this stream that have a match, or none).
            within: How far the event time of the other row may be from that of this row:
                ("-5s", "10m"), both ends included; "10s" is ("-10s", "10s"). An end may be a column
                of this stream with a time: ("0s", "expires"). Without `within` and `window` every
                pair counts, however far apart, and both streams are kept; unless `how` is `inner`
                and rows are only added, rows of the result then change earlier ones: a row without
                a match is given at once, and taken back when its match comes.
            window: Rows meet in the same window, such as rs.tumbling("10s"); the result, which also
                has `window_start` and `window_end`, is given when the window is over.
            ttl: For a join without `within` and `window`: rows farther apart in event time than
                this do not meet, and are not kept longer. Default: they are kept for ever.
            suffix: Appended to names of the other stream that exist here, too.

        >>> p = rs.Pipeline("example")
        >>> orders = p.read(rs.Rows([{"id": 1, "at": 0}]), event_time="at", name="orders")
        >>> paid = rs.Rows([{"order": 1, "sum": 7, "at": 5_000}])
        >>> payments = p.read(paid, event_time="at", name="payments")
        >>> orders.join(payments, {"id": "order"}, within=("0s", "1h")).collect().to_dicts()
        [{'id': 1, 'at': 0, 'order': 1, 'sum': 7, 'at_right': 5000}]
        """
        kind: JoinKind = chosen(how, "how", JoinKind)
        common = _pairs(on), kind, _suffix(suffix)
        given = {"within": within, "window": window, "ttl": ttl}
        _one_of([name for name, value in given.items() if value is not None])
        if window is not None:
            step: JoinStep = WindowJoin(*common, window=_window(window))
        elif within is None:
            step = Join(*common, ttl_ms=_ttl(ttl))
        else:
            low, high = _bounds(within)
            self._check_units(low, high)
            step = IntervalJoin(*common, low=low, high=high)
        return self._joined(step, other, name, parallelism)

    @checked
    def asof_join(
        self,
        versions: Stream,
        on: Keys,
        *,
        how: str = "inner",
        within: Duration | None = None,
        suffix: str = SUFFIX,
        name: str | None = None,
        parallelism: int | None = None,
    ) -> KeyedStream:
        """Add to each row the version of another stream that held at its event time.

        The rows of the other stream are versions: each holds from its event time until the next one
        of its key. Rows wait until the watermark is past them, so that all versions are there; they
        keep their event time. Columns and keys are as for `join`; null has no version. Rows behind
        the watermark are in `.late`. A table that is read with `changes=` has versions, too: a
        record sets the version of its key from its event time on, one that removes the row ends it.

        Args:
            versions: The other stream, of the same pipeline.
            on: As for `join`.
            how: `inner`, or `left`: also rows for which there is no version, with nulls.
            within: How old a version may be. Default: any age, the last of each key is kept.
            suffix: As for `join`.

        >>> p = rs.Pipeline("example")
        >>> euro = [{"code": "EUR", "rate": 2, "at": 5}]
        >>> rates = p.read(rs.Rows(euro), event_time="at", name="rates")
        >>> sales = [{"code": "EUR", "n": 1, "at": 7}]
        >>> sold = p.read(rs.Rows(sales), event_time="at", name="sales")
        >>> sold.asof_join(rates, "code").select("code", "n", "rate").collect().to_dicts()
        [{'code': 'EUR', 'n': 1, 'rate': 2}]
        """
        kind = JoinKind(chosen(how, "how", ["inner", "left"]))
        with at_call():
            age = None if within is None else milliseconds(within, "within")
        step = AsofJoin(_pairs(on), kind, _suffix(suffix), within_ms=age)
        self._alike([typing.cast("Stream", self), versions], "join")
        records = self._records(step, versions)
        if records is not None:
            step, versions = step.but(deletes=True), records
        return self._joined(step, versions, name, parallelism)

    def _records(self, step: AsofJoin, versions: Stream) -> Stream | None:
        """The records of a table, which have their event times; None: it is no table as read."""
        from raystream.api.stream import Stream

        table = self._pipeline.node(versions._edge)
        if table.step.word != "latest" or versions._edge.tag != "main":
            return None
        keys, theirs = table.step.key(()), step.keys(1)
        if set(keys) != set(theirs):
            text = f"asof_join: rows of this table are told apart by {', '.join(keys)}, not by "
            raise wrong(text + ", ".join(theirs), "join on its key")
        (edge,) = table.inputs
        if self._pipeline.node(edge).step.event_time is not None:
            text = "asof_join: a record that removes a row has no event time in its columns"
            advice = (
                "leave event_time= of this read out: the time of the record is taken; or leave"
                " changes= out if nothing is ever removed"
            )
            raise wrong(text, advice)
        return Stream(self._pipeline, edge)

    @checked
    def lookup(
        self,
        table: Stream,
        on: Keys,
        *,
        how: str = "inner",
        suffix: str = SUFFIX,
        name: str | None = None,
        parallelism: int | None = None,
    ) -> Stream:
        """Add to each row the rows of a small table that have its key; the table is read before.

        The table is a stream that ends, such as files: it is read whole before the first row of
        this stream, and kept in every subtask, so the rows of this stream stay where they are. They
        keep their event time and their key. It is in every checkpoint and not read again after a
        restart. Columns and null are as for `join`.

        Args:
            table: The other stream, of the same pipeline.
            on: As for `join`.
            how: `inner`, `left` (also rows that the table does not have, with nulls), `semi`,
                `anti` (rows of this stream that it has, or has not).
            suffix: As for `join`.

        >>> p = rs.Pipeline("example")
        >>> names = p.read(rs.Rows([{"code": "EUR", "name": "euro"}]), name="names")
        >>> sold = p.read(rs.Rows([{"code": "EUR", "n": 1}]), name="sold")
        >>> sold.lookup(names, "code").collect().to_dicts()
        [{'code': 'EUR', 'n': 1, 'name': 'euro'}]
        """
        kind = JoinKind(chosen(how, "how", ["inner", "left", "semi", "anti"]))
        step = Lookup(_pairs(on), kind, _suffix(suffix))
        mine, theirs = self._alike([typing.cast("Stream", self), table], "lookup")
        shared = _sources(self._pipeline, mine._edge) & _sources(self._pipeline, theirs._edge)
        if shared:
            text = f"lookup: stream and table both come from {min(shared)!r}, which is one source"
            raise wrong(text, "it cannot end before it begins: read the table by a read of its own")
        edges = (mine._edge, theirs._edge)
        edge = self._pipeline.add(step, edges, name=name, parallelism=parallelism)
        return mine._like(edge, mine._key)

    def _joined(
        self, step: JoinStep, other: Stream, name: str | None, parallelism: int | None
    ) -> KeyedStream:
        from raystream.api.keyed import KeyedStream

        mine, theirs = self._alike([typing.cast("Stream", self), other], "join")
        edges = (mine._edge, theirs._edge)
        edge = self._pipeline.add(step, edges, name=name, parallelism=parallelism)
        schema = self._pipeline.schema(edge)
        from raystream.api.verb_options import key_behind

        known = None if schema is None or schema.open else schema.key
        key = key_behind(step, [mine._key, theirs._key]) if known is None else known
        return KeyedStream(self._pipeline, edge, key)

    def _alike(self, streams: Sequence[Stream], verb: str) -> Sequence[Stream]:
        """The streams, if they are of one pipeline."""
        raise NotImplementedError

    def _check_units(self, *bounds: Bound) -> None:
        units = units_at(self._pipeline, self._edge)
        for bound in bounds:
            unit = units.get(bound, "ms") if isinstance(bound, str) else "ms"
            if unit != "ms":
                text = f"join within: column {bound!r} is declared as timestamp_{unit}"
                raise wrong(text, "make it epoch ms or a datetime with with_columns")


def _sources(pipeline: Pipeline, edge: Edge) -> set[str]:
    """Names of the reads that an edge comes from."""
    node = pipeline.node(edge)
    above = [_sources(pipeline, each) for each in node.inputs]
    return set[str]().union(*above) if above else {node.name}


def _pairs(on: Any) -> tuple[tuple[str, str], ...]:
    """Key columns here and there."""
    if isinstance(on, str):
        on = [on]
    pairs = list(on.items()) if isinstance(on, Mapping) else on
    if not isinstance(pairs, list | tuple) or not pairs:
        raise _wrong_keys(on)
    found = [pair if isinstance(pair, tuple) else (pair, pair) for pair in pairs]
    for pair in found:
        if len(pair) != 2 or not all(isinstance(name, str) and name for name in pair):
            raise _wrong_keys(on)
    for port in (0, 1):
        names = [pair[port] for pair in found]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            text = f"join: column {twice!r} is there twice in on={on!r}"
            raise wrong(text, "compare each column once")
    return tuple(found)


def _wrong_keys(on: Any) -> Exception:
    text = f"join takes names of columns, not on={on!r}"
    return wrong(text, 'write on="id", on=["id", "shop"] or on={"id": "order_id"}')


def _suffix(suffix: Any) -> str:
    if not isinstance(suffix, str) or not suffix:
        text = f"join: suffix {suffix!r} is no text"
        raise wrong(text, 'write suffix="_right"')
    check_visible([suffix], "join")
    return suffix


def _one_of(given: Sequence[str]) -> None:
    if len(given) > 1:
        text = f"join: {given[0]}= says which rows meet, so it takes no {given[1]}="
        raise wrong(text, "leave out one of the two")


def _window(window: Any) -> Window:
    if not isinstance(window, Tumbling | Hopping | Cumulative):
        text = f"join takes a window with fixed ends, not {window!r}"
        raise wrong(text, 'write window=rs.tumbling("1m"), rs.hopping(..) or rs.cumulative(..)')
    return window


def _ttl(ttl: Any) -> int | None:
    if ttl is None:
        return None
    with at_call():
        return milliseconds(ttl, "ttl")


def _bounds(within: Any) -> tuple[Bound, Bound]:
    if isinstance(within, str | timedelta):
        with at_call():
            reach = milliseconds(within, "within")
        within = (timedelta(milliseconds=-reach), timedelta(milliseconds=reach))
    if not isinstance(within, list | tuple) or len(within) != 2:
        text = f"join takes two ends, not within={within!r}"
        raise wrong(text, _HOW_WITHIN)
    low, high = map(_bound, within)
    if isinstance(low, int) and isinstance(high, int) and low > high:
        text = f"join: within={tuple(within)!r} ends before it begins"
        raise wrong(text, _HOW_WITHIN)
    return low, high


def _bound(value: Any) -> Bound:
    if isinstance(value, str) and not _DURATION.fullmatch(value):
        if not value:
            text = "join: an end of within is empty"
            raise wrong(text, _HOW_WITHIN)
        return value
    if not isinstance(value, str | timedelta):
        text = f"join: an end of within is {value!r}"
        raise wrong(text, _HOW_WITHIN)
    before = isinstance(value, str) and value.strip().startswith("-")
    positive: Duration = value.strip().removeprefix("-") if isinstance(value, str) else value
    with at_call():
        found = milliseconds(positive, "within")
    return -found if before else found
