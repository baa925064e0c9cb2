"""ProcessWith: a Process with rows of two streams; those of the other one may be broadcast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from raystream.data.batch import TIME, Batch
from raystream.data.keys import canonical
from raystream.data.rows import to_rows
from raystream.graph.policies import ErrorPolicy
from raystream.graph.process import Process as UserProcess
from raystream.operators.expressions import check_columns, split_hidden
from raystream.operators.operator import Restored
from raystream.operators.process.context import BROADCAST_EMITS
from raystream.operators.process.operator import NOT_ITS_OWN, Process
from raystream.operators.process.results import NoRow, rows_of
from raystream.operators.process_with.broadcast import BroadcastMap
from raystream.operators.process_with.step import ProcessWith as Step
from raystream.operators.row_errors import BadRow, bad_rows
from raystream.operators.tables import StateTable
from raystream.state.keyed_table import KeyedTable


class ProcessWith(Process):
    """One Process of the user in one subtask, with rows of two streams."""

    def __init__(self, step: Step) -> None:
        self._two, self._maps = step, list[BroadcastMap]()
        super().__init__(step)

    def further_tables(self) -> Sequence[StateTable[KeyedTable]]:
        """Broadcast states."""
        stored = (field for field in self._two.stored() if field.is_broadcast)
        self._maps = [BroadcastMap(field, self._scope) for field in stored]
        return [each.table for each in self._maps]

    def _bind(self, user: UserProcess) -> None:
        super()._bind(user)
        for each in self._maps:
            each.bind(user)

    def restore(self, restored: Restored) -> None:
        """Restore the broadcast states, too."""
        super().restore(restored)
        for each in self._maps:
            each.load()

    def header(self) -> Mapping[str, Any]:
        """With the greatest event time of broadcast rows."""
        latest = self._scope.latest
        return {**super().header(), **({} if latest is None else {"latest": latest})}

    def resume(self, headers: Sequence[Mapping[str, Any]]) -> None:
        """It was the same in all old subtasks."""
        super().resume(headers)
        known = [header["latest"] for header in headers if "latest" in header]
        self._scope.latest = max(known, default=None)

    def _forget(self) -> None:
        super()._forget()
        known = self._scope.watermark
        if known is not None:
            for each in self._maps:
                each.forget(known)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Call `on_left` or `on_right` for each row."""
        assert self._user is not None
        if port and self._two.broadcast:
            self._broadcast(self._readable(batch))
            return
        names = list(self._two.others if port else self._keys)
        check_columns(names, batch.frame.schema)
        frame = self._readable(batch)
        method = self._user.on_right if port else self._user.on_left
        self._each(frame, self._key_columns(frame, names), method)

    def _key_columns(self, frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
        """Keys under the names, and in the types, that are the same for both streams."""
        keys = canonical(frame.select(names), names)
        keys = keys.rename(dict(zip(names, self._keys, strict=True)))
        types = self._two.types
        return keys if types is None else keys.cast(types)

    # -- broadcast rows --------------------------------------------------------------------------

    def _broadcast(self, frame: pl.DataFrame) -> None:
        failed = list[BadRow]()
        self._scope.wall = self.ctx.clock.wall_ms()
        self._scope.broadcast = True
        for index, (row, time) in enumerate(
            zip(to_rows(split_hidden(frame)[0]), frame[TIME].to_list(), strict=True)
        ):
            self._scope.enter(-1, time)
            bad = self._rule(row)
            if bad is not None:
                failed.append(self._told(bad, bad_rows(frame[[index]], [bad.reason])[0]))
        self._scope.broadcast = False
        for each in self._maps:
            each.finish()
        if failed:
            self._reject_once(failed)

    def _rule(self, row: dict[str, Any]) -> BadRow | None:
        """Call `on_right`; why it failed, or None."""
        assert self._user is not None
        method = self._user.on_right
        try:
            if rows_of(method(row, self._context)):
                raise NoRow(BROADCAST_EMITS)  # noqa: TRY301 - as any other error of the row
        except NOT_ITS_OWN:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises
            for each in self._maps:
                each.undo()
            return self._bad(method, error)
        for each in self._maps:
            each.keep()
        scope = self._scope
        scope.latest = scope.time if scope.latest is None else max(scope.latest, scope.time)
        return None

    def _reject_once(self, failed: Sequence[BadRow]) -> None:
        """Every subtask has these rows: one of them reports what failed."""
        if self.ctx.subtask.index == 0 or self._errors.policy is ErrorPolicy.FAIL:
            self._errors.reject(failed)
