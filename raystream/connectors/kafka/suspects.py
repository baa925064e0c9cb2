"""Find the record that a broker refuses: the broker names the batch, we know the records."""

from __future__ import annotations

from dataclasses import replace

from raystream.connectors.kafka.clients import Messages, Undelivered

_SHOWN = 60


class Times:
    """Tracks the records with extreme timestamps."""

    def __init__(self) -> None:
        self._ends: list[tuple[int, str]] = []

    def see(self, messages: Messages, first: int, last: int) -> None:
        """Record that messages [first, last) were written."""
        if messages.timestamps is None or first >= last:
            return
        told = [time for time in messages.timestamps[first:last] if time is not None]
        if not told:
            return
        ends = [
            (time, _record(messages, messages.timestamps.index(time, first, last)))
            for time in {min(told), max(told)}
        ]
        self._ends = [min(self._ends + ends), max(self._ends + ends)]

    def placed(self, refusal: Undelivered, now_ms: int) -> Undelivered:
        """Add the record whose time is furthest from now if the time is refused."""
        if refusal.name != "INVALID_TIMESTAMP" or not self._ends:
            return refusal
        time, record = max(self._ends, key=lambda end: abs(end[0] - now_ms))
        topic = refusal.place.partition(", key")[0].partition(", no key")[0]
        return replace(refusal, place=f"{topic}, timestamp {time}, {record}")


def placed(
    topic: str | None, partition: int | None, key: bytes | str | None, value: bytes | None
) -> str:
    """Identify a record, shortened.

    >>> placed("counts", 0, b"a", b"{}")
    "topic counts, partition 0, key 'a', value '{}' of 2 bytes"
    """
    where = f"topic {topic}" + ("" if partition is None else f", partition {partition}")
    return f"{where}, {_told(key, value)}"


def _record(messages: Messages, index: int) -> str:
    return _told(None if messages.keys is None else messages.keys[index], messages.values[index])


def _told(key: bytes | str | None, value: bytes | None) -> str:
    told = "no key" if key is None else f"key {_shown(key)}"
    return told if value is None else f"{told}, value {_shown(value)} of {len(value)} bytes"


def _shown(raw: bytes | str) -> str:
    text = raw if isinstance(raw, str) else raw[: 4 * _SHOWN].decode(errors="replace")
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..")


def guilt_of(name: str, key: object, value: bytes | None) -> int:
    """How likely a record is the cause of a refused batch.

    Args:
        name: Of the error.
        key: Of the record.
        value: Its payload.

    >>> guilt_of("MSG_SIZE_TOO_LARGE", None, b"abc"), guilt_of("INVALID_RECORD", None, b"abc")
    (3, 1)
    """
    if name in ("MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"):
        return len(value or b"")
    return int(name == "INVALID_RECORD" and key is None)
