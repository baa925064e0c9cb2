"""KeyedTable: the newest rows of each key; a put replaces all previous rows of the key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from raystream.data.frames import constant, gathered, narrowed
from raystream.state.keys import (
    Hashes,
    Mask,
    Rows,
    continues,
    expand,
    key_hashes,
    key_ids,
    same_keys,
    stable_order,
    stable_order_small,
)
from raystream.state.run import DEFAULT, GONE, Run, RunPolicy
from raystream.state.slot_filter import Needles
from raystream.state.swept_runs import SweptRuns

_NEVER = 2**62
_OLDEST = np.iinfo(np.int16).max

Origin = npt.NDArray[np.int16]
"""Run that a row comes from; 0: the newest."""

Found = tuple[Rows, pl.DataFrame]
"""Index of the requested key (rising), and a row of it; repeated if it has several."""


@dataclass(frozen=True, slots=True)
class _Hits:
    """Keys that a run has: which of those that were asked for, and its groups."""

    run: Run
    asked: Rows
    groups: Rows


class KeyedTable(SweptRuns):
    """Mostly one row per key; sessions and top-N keep a few.

    The newest run with a key has all its rows. Deleted and expired rows are dropped in merges that
    include the oldest run.

    Args:
        keys: Names of the key columns.
        schema: All columns with their types.
        time: Int64 column for `forget`; a row without one stays.
        prefix: Start of new segment ids.
        policy: When runs are merged.

    >>> table = KeyedTable(["k"], {"k": pl.String(), "n": pl.Int64()}, prefix="0")
    >>> table.upsert(pl.DataFrame({"k": ["a", "b", "a"], "n": [1, 2, 3]}))
    >>> table.delete(pl.DataFrame({"k": ["b"]}))
    >>> found, rows = table.get(pl.DataFrame({"k": ["b", "a"]}))
    >>> found.tolist(), rows["n"].to_list()
    ([False, True], [None, 3])
    """

    def __init__(
        self,
        keys: Sequence[str],
        schema: Mapping[str, pl.DataType],
        *,
        time: str | None = None,
        prefix: str,
        policy: RunPolicy = DEFAULT,
    ) -> None:
        super().__init__(keys, schema, prefix, policy)
        self._values = [name for name in schema if name not in keys]
        self._time = time
        self._none = pl.DataFrame(schema={**schema, GONE: pl.Boolean()})

    def put(self, rows: pl.DataFrame) -> None:
        """Replace all rows of the keys of these rows."""
        if rows.height:
            self._add(self._sorted(self._known(rows)))

    def upsert(self, rows: pl.DataFrame) -> None:
        """Put one row per key; if `rows` has several, the last."""
        if rows.height:
            self._add(self._last(self._sorted(self._known(rows))))

    def delete(self, keys: pl.DataFrame) -> None:
        """Delete keys."""
        if self.runs and keys.height:
            nulls = [pl.lit(None, self.schema[name]).alias(name) for name in self._values]
            rows = keys.with_columns(nulls).select(*self.schema, pl.lit(value=True).alias(GONE))
            self._add(self._last(self._sorted(rows)))

    def find(self, keys: pl.DataFrame, columns: Sequence[str] | None = None) -> Found:
        """The rows of each key that has any.

        Args:
            keys: Rows with the key columns; keys may repeat.
            columns: Requested value columns; None: all.
        """
        keys = narrowed(keys, self.keys)
        hashes = key_hashes(keys, self.keys, self._policy.hash_bits)
        wanted = self._wanted(columns)
        who, rows = self._newest_with_hash(hashes, wanted)
        equal = same_keys(rows, gathered(keys, who), self.keys)
        if not equal.all():
            who, rows = self._told_apart(keys, hashes, who, rows, equal)
        live = self._live(rows)
        if live is not None:
            who, rows = who[live], rows.filter(pl.Series(live))
        return who, narrowed(rows, self._plain(columns))

    def get(self, keys: pl.DataFrame) -> tuple[Mask, pl.DataFrame]:
        """Whether each key is known, and its row (the last of several); nulls if it is not."""
        who, rows = self.find(keys)
        found = np.zeros(keys.height, np.bool_)
        found[who] = True
        at = np.zeros(keys.height, np.uint32)
        at[who] = np.arange(len(who), dtype=np.uint32)
        index = pl.select(pl.when(pl.Series(found)).then(pl.Series(at))).to_series()
        return found, rows.select(pl.all().gather(index))

    def scan(self) -> pl.DataFrame:
        """All rows."""
        self.compact()
        rows = pl.concat([run.frame for run in self.runs]) if self.runs else self._none
        live = self._live(rows)
        rows = rows if live is None else rows.filter(pl.Series(live))
        return rows.select(self._plain(None))

    def _count_alive(self, rows: pl.DataFrame) -> int:
        live = self._live(rows)
        return rows.height if live is None else int(live.sum())

    # --- what find is made of

    def _newest_with_hash(self, hashes: Hashes, wanted: Sequence[str]) -> Found:
        """Rows of the newest run that has the hash of each needle; needles rise."""
        asked = stable_order(hashes)
        found = [*self._in_young(asked, hashes[asked])]
        left = np.ones(len(hashes), np.bool_)
        for hits in found:
            left[hits.asked] = False
        asked = asked if not found else asked[left[asked]]
        return _gathered([*found, *self._in_pieces(asked, hashes[asked])], self._none, wanted)

    def _in_young(self, asked: Rows, needles: Hashes) -> Iterator[_Hits]:
        """Keys that the younger runs have, by rising hashes, each in the youngest of them."""
        left, count = np.ones(len(needles), np.bool_), len(needles)
        wanted = Needles(needles)
        for run in reversed(self.runs[self._pieces :]):
            if not count:
                return
            at, groups = run.rare_hits(wanted, self._policy)
            if count < len(needles):
                new = left[at]
                at, groups = at[new], groups[new]
            if len(at):
                left[at], count = False, count - len(at)
                yield _Hits(run, asked[at], groups)
            if 2 * count < len(needles):
                asked, needles = asked[left], needles[left]
                left, wanted = np.ones(count, np.bool_), Needles(needles)

    def _in_pieces(self, asked: Rows, needles: Hashes) -> Iterator[_Hits]:
        """Keys that the pieces have, by rising hashes."""
        edges = np.searchsorted(needles, self._first_hashes()).tolist()
        for run, first, end in zip(self.runs, edges, [*edges[1:], len(needles)], strict=False):
            if first < end:
                at, groups = run.hits(needles[first:end], self._policy)
                if len(at):
                    yield _Hits(run, asked[first:end][at], groups)

    def _told_apart(
        self, keys: pl.DataFrame, hashes: Hashes, who: Rows, rows: pl.DataFrame, equal: Mask
    ) -> Found:
        """Look further if the newest run with the hash of a key has only rows of other keys."""
        matched = np.zeros(keys.height, np.bool_)
        matched[who[equal]] = True
        left = np.unique(who[~matched[who]])
        whose, frames = [who[equal]], [rows.filter(pl.Series(equal))]
        for run in reversed(self.runs):
            if not len(left):
                break
            asked = left[stable_order(hashes[left])]
            group = run.search(hashes[asked], None, self._policy)
            start, count = run.ranges(group[group >= 0])
            asked = np.repeat(asked[group >= 0], count)
            found = run.frame.select(rows.columns)[expand(start, count)]
            good = same_keys(found, keys[asked], self.keys)
            whose.append(asked[good])
            frames.append(found.filter(pl.Series(good)))
            left = np.setdiff1d(left, asked[good])
        return _in_order(whose, frames)

    def _live(self, rows: pl.DataFrame) -> Mask | None:
        """Mask of rows neither deleted nor expired; None: all."""
        live: Mask | None = ~rows[GONE].to_numpy() if rows[GONE].any() else None
        if self.horizon is not None and self._time is not None:
            fresh = (rows[self._time].fill_null(_NEVER) >= self.horizon).to_numpy()
            live = fresh if live is None else live & fresh
        return live

    def _known(self, rows: pl.DataFrame) -> pl.DataFrame:
        alive = constant(GONE, False, pl.Boolean(), rows.height)
        return narrowed(rows, self.schema).hstack([alive])

    def _plain(self, columns: Sequence[str] | None) -> list[str]:
        return [*self.keys, *(self._values if columns is None else columns)]

    def _wanted(self, columns: Sequence[str] | None) -> list[str]:
        time = [self._time] if self._time and self.horizon is not None else []
        return list(dict.fromkeys([*self._plain(columns), GONE, *time]))

    # --- merges

    def _last(self, run: Run) -> Run:
        """Keep the last row of each key."""
        if run.starts is None:
            return run
        same = continues(run.hashes)
        again = np.flatnonzero(same)
        if same_keys(run.frame[again], run.frame[again + 1], self.keys).all():
            keep = np.append(~same, np.True_)
        else:
            ids = key_ids(run.frame, self.keys)
            last = np.zeros(int(ids.max()) + 1, np.int64)
            last[ids] = np.arange(len(ids))
            keep = np.zeros(len(ids), np.bool_)
            keep[last] = True
        return Run.of(run.frame.filter(pl.Series(keep)), run.hashes[keep], None)

    def _has_dead(self, run: Run) -> bool:
        live = self._live(run.frame)
        return live is not None and not live.all()

    def _reduced(self, runs: Sequence[Run], *, whole: bool) -> Run | None:
        newest = list(reversed(runs))
        frame, hashes, _ = self._joined(newest)
        order = np.argsort(hashes, kind="stable")
        origin = np.repeat(np.arange(len(newest), dtype=np.int16), [run.rows for run in newest])
        keep = self._newest(frame, order, hashes[order], origin[order])
        live = self._live(frame) if whole else None
        if live is not None:
            keep = live[order] if keep is None else keep & live[order]
        if keep is not None:
            order = order[keep]
        return Run.of(frame[order], hashes[order], None) if len(order) else None

    def _newest(
        self, frame: pl.DataFrame, order: Rows, hashes: Hashes, origin: Origin
    ) -> Mask | None:
        """Rows of the newest run that has their key; None: no key is in two runs."""
        same = continues(hashes)
        again = np.flatnonzero(same)
        if not len(again):
            return None
        if same_keys(frame[order[again]], frame[order[again + 1]], self.keys).all():
            begins = np.concatenate([[True], ~same])
            newest: Mask = origin == origin[begins][np.cumsum(begins) - 1]
            return newest
        return self._newest_told_apart(frame, order, same, origin)

    def _newest_told_apart(
        self, frame: pl.DataFrame, order: Rows, same: Mask, origin: Origin
    ) -> Mask:
        """Two keys share a hash somewhere: rows of such hashes are distinguished by key."""
        shared = np.zeros(len(order), np.bool_)
        shared[1:] |= same
        shared[:-1] |= same
        at = np.flatnonzero(shared)
        ids = key_ids(frame.select(self.keys)[order[at]], self.keys)
        newest = np.full(int(ids.max()) + 1, _OLDEST, np.int16)
        np.minimum.at(newest, ids, origin[at])
        keep = np.ones(len(order), np.bool_)
        keep[at] = origin[at] == newest[ids]
        return keep


def _gathered(found: Sequence[_Hits], empty: pl.DataFrame, wanted: Sequence[str]) -> Found:
    """The rows of all hits, in the order of the keys that were asked for."""
    whose, rows = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for hits in found:
        row, asked = hits.groups, hits.asked
        if hits.run.starts is not None:
            start, count = hits.run.ranges(row)
            row, asked = expand(start, count), np.repeat(asked, count)
        whose.append(asked)
        rows.append(row)
    index = pl.Series(np.concatenate(rows).astype(np.uint32))  # one: each costs 20 us
    frames, first = [narrowed(empty, wanted)], 0
    for hits, row in zip(found, rows[1:], strict=True):
        frames.append(hits.run.columns(wanted)[index.slice(first, len(row))])
        first += len(row)
    return _in_order(whose, frames)


def _in_order(whose: Sequence[Rows], frames: Sequence[pl.DataFrame]) -> Found:
    """Needles rise; rows of a needle keep their order. One chunk: gathers are faster."""
    who = np.concatenate(whose)
    by = stable_order_small(who)
    return who[by], gathered(pl.concat(frames, rechunk=True), by)
