"""Systems that do not answer: a broker or a storage that the job waits for, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raystream.observe.words import duration, listed, split_name

if TYPE_CHECKING:
    from raystream.observe.status import StatusDocument


@dataclass(frozen=True, slots=True)
class Silence:
    """A system that does not answer.

    Args:
        who: `broker kafka-2:9092`, `storage s3://bucket/state`.
        seconds: Since the last answer.
    """

    who: str
    seconds: float


def longest(silences: Iterable[Silence]) -> tuple[Silence, ...]:
    """Each system once, with its longest silence, longest first.

    >>> longest([Silence("a", 3.0), Silence("b", 9.0), Silence("a", 5.0)])
    (Silence(who='b', seconds=9.0), Silence(who='a', seconds=5.0))
    """
    found: dict[str, float] = {}
    for each in silences:
        found[each.who] = max(each.seconds, found.get(each.who, 0.0))
    return tuple(Silence(who, found[who]) for who in sorted(found, key=lambda w: (-found[w], w)))


def silence_text(silences: Sequence[Silence], most: int = 3) -> str:
    """Which systems have not answered, in a few words; empty if all answer.

    Args:
        silences: Longest first.
        most: Maximum number of names.

    >>> silence_text([Silence("broker kafka-2:9092", 12.3)])
    'broker kafka-2:9092 has not answered for 12 s'
    >>> silence_text([Silence("broker a:1", 12.3), Silence("broker b:1", 9.0)])
    'brokers a:1, b:1 have not answered for 12 s'
    """
    if not silences:
        return ""
    verb = "has" if len(silences) == 1 else "have"
    names = named([each.who for each in silences], most)
    return f"{names} {verb} not answered for {duration(silences[0].seconds)}"


def brief(silences: Sequence[Silence]) -> str:
    """Like `silence_text`, for one line: several of one kind are counted.

    >>> brief([Silence("broker a:1", 12.3), Silence("broker b:1", 9.0)])
    '2 brokers have not answered for 12 s'
    """
    kinds = {each.who.partition(" ")[0] for each in silences}
    if len(silences) < 2 or len(kinds) > 1:
        return silence_text(silences, most=1)
    return f"{len(silences)} {kinds.pop()}s have not answered for {duration(silences[0].seconds)}"


def named(names: Sequence[str], most: int = 3) -> str:
    """Names, with their kind only once if they share it.

    >>> named(["partition in/0", "partition in/1"]), named(["broker a:1", "storage /s"])
    ('partitions in/0, in/1', 'broker a:1, storage /s')
    """
    kinds = {name.partition(" ")[0] for name in names}
    if len(names) < 2 or len(kinds) > 1 or not all(" " in name for name in names):
        return listed(list(names), most)
    return f"{kinds.pop()}s {listed([name.partition(' ')[2] for name in names], most)}"


def why_silent(status: StatusDocument) -> str:
    """What has not answered, and what waits for it; empty if all answer.

    >>> from raystream.observe.status import SplitStatus, StatusDocument
    >>> held = SplitStatus("in/0", silent="broker a:1", silent_seconds=12.0)
    >>> why_silent(StatusDocument("sale", "running", splits=(held,),
    ...     silences=(Silence("broker a:1", 12.0),)))
    'broker a:1 has not answered for 12 s: partition in/0 waits for it'
    """
    text = silence_text(status.silences)
    held = [split_name(split.split) for split in status.splits if split.silent]
    if not text or not held:
        return text
    return f"{text}: {named(held)} {'waits' if len(held) == 1 else 'wait'} for it"
