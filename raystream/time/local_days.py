"""Days as the clocks of a time zone show them, and pieces of them, as instants (epoch ms).

A local day begins at the first instant at which the clocks show its start (where that time is
skipped: at the first instant behind it) and lasts until the next one begins. So days touch, a day
may have 23 or 25 hours, one that the clocks never show has none, and minutes that the clocks show
again behind midnight stay in the day that had begun (Java's atStartOfDay). Within a day a piece
begins whenever the clocks show a multiple of its length, or jump over one: an hour that is shown
twice is two hours.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - what clocks show
_FIRST_MS = -62_135_596_800_000 + 2 * DAY_MS
_LAST_MS = 253_402_300_799_999 - 2 * DAY_MS
"""Between these Python's datetime can tell the offset of any zone; beyond it is theirs."""


class LocalDays:
    """Local days by number: 0 is 1970-01-01, as the clocks show it.

    Args:
        zone: IANA name, `Europe/Berlin`.
        offset_ms: Days begin so much behind midnight, by the clocks.

    >>> days = LocalDays("Europe/Berlin")
    >>> [(days.start(n + 1) - days.start(n)) // 3_600_000 for n in (19_812, 19_813, 20_023)]
    [24, 23, 25]
    """

    def __init__(self, zone: str, offset_ms: int = 0) -> None:
        self._zone = ZoneInfo(zone)
        self._offset = offset_ms
        self.start = lru_cache(maxsize=50_000)(self._start)

    def shown(self, time: int) -> int:
        """What the clocks show then, in ms behind the start of local day 0."""
        return time + self._ahead(time) - self._offset

    def day_of(self, time: int) -> int:
        """Number of the day that has begun at this instant."""
        day = self.shown(time) // DAY_MS
        while self.start(day + 1) <= time:
            day += 1
        return day

    def changes(self, first: int, last: int) -> list[int]:
        """Instants in (first, last) at which the clocks are put on or back."""
        found = []
        for hour in range(first, last, _HOUR_MS):
            end = min(hour + _HOUR_MS, last)
            if self._ahead(hour) != self._ahead(end):
                found.append(self._change(hour, end))
        return [time for time in found if time < last]

    def _start(self, day: int) -> int:
        return self._first_showing(day * DAY_MS + self._offset)

    def _ahead(self, time: int) -> int:
        within = min(max(time, _FIRST_MS), _LAST_MS)
        return _ms((_EPOCH + timedelta(milliseconds=within)).astimezone(self._zone).utcoffset())

    def _first_showing(self, shown: int) -> int:
        if not _FIRST_MS <= shown <= _LAST_MS:
            return shown - self._ahead(shown)
        clock = _NAIVE_EPOCH + timedelta(milliseconds=shown)
        before = _ms(clock.replace(tzinfo=self._zone).utcoffset())
        behind = _ms(clock.replace(tzinfo=self._zone, fold=1).utcoffset())
        if before >= behind:
            return shown - before
        return self._change(shown - behind, shown - before)  # the clocks jump over it

    def _change(self, low: int, high: int) -> int:
        """The instant in (low, high] from which on the offset is no longer that of `low`."""
        old = self._ahead(low)
        while high - low > 1:
            middle = (low + high) // 2
            if self._ahead(middle) == old:
                low = middle
            else:
                high = middle
        return high


class LocalGrid:
    """Instants at which pieces of local time begin.

    Args:
        zone: IANA name.
        step_ms: Whole days, or a length that divides a day.
        offset_ms: Pieces begin so much behind the multiples of `step_ms`, by the clocks.

    >>> grid = LocalGrid("Europe/Berlin", DAY_MS)
    >>> grid.floor(0), grid.next(grid.floor(0)), grid.floor(-3_600_001)
    (-3600000, 82800000, -90000000)
    """

    def __init__(self, zone: str, step_ms: int, offset_ms: int = 0) -> None:
        self._days = LocalDays(zone, offset_ms)
        self._step = step_ms
        self._per_group = max(1, step_ms // DAY_MS)
        self._pieces = lru_cache(maxsize=5_000)(self._cut)

    def group_of(self, time: int) -> int:
        """Number of the stretch of days that has begun at this instant."""
        return self._days.day_of(time) // self._per_group

    def group_start(self, group: int) -> int:
        """Where this stretch of days begins."""
        return self._days.start(group * self._per_group)

    def floor(self, time: int) -> int:
        """Begin of the piece with this instant."""
        if self._step >= DAY_MS:
            return self.group_start(self.group_of(time))
        pieces = self._pieces(self._days.day_of(time))
        return pieces[bisect_right(pieces, time) - 1]

    def next(self, time: int) -> int:
        """First begin of a piece behind this instant."""
        group = self.group_of(time)
        if self._step < DAY_MS:
            pieces = self._pieces(group)
            at = bisect_right(pieces, time)
            if at < len(pieces):
                return pieces[at]
        while (start := self.group_start(group + 1)) <= time:
            group += 1
        return start

    def near(self, day: int) -> list[int]:
        """Begins of pieces around a day of UTC (counted from the offset): those of every zone."""
        days = range(day - 2, day + 3)
        if self._step >= DAY_MS:
            groups = {each // self._per_group for each in days}
            return [self.group_start(group) for group in groups]
        return [piece for each in days for piece in self._pieces(each)]

    def _cut(self, day: int) -> tuple[int, ...]:
        first, last = self._days.start(day), self._days.start(day + 1)
        if first == last:
            return ()
        edges = [first, *self._days.changes(first, last), last]
        found = {first}
        for begin, end in zip(edges, edges[1:], strict=False):
            shown = self._days.shown(begin)
            if begin > first and self._jumped(begin, shown):
                found.add(begin)
            multiples = range(-(-shown // self._step) * self._step, shown + end - begin, self._step)
            found.update(begin + multiple - shown for multiple in multiples)
        return tuple(sorted(found))

    def _jumped(self, change: int, shown: int) -> bool:
        """Whether the clocks were put on over a multiple of the step."""
        before = self._days.shown(change - 1) + 1
        return -(-before // self._step) * self._step < shown


def _ms(offset: timedelta | None) -> int:
    assert offset is not None
    return offset // timedelta(milliseconds=1)
