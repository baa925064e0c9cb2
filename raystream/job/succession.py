"""Restart without a fight: a superseded job does not supersede in return (section 8, V7)."""

from __future__ import annotations

from raystream.checkpoint.keys import ATTEMPTS, attempt_key, number_of
from raystream.checkpoint.protocol.commands import ListKeys, Read
from raystream.checkpoint.protocol.procedure import Procedure, ask
from raystream.checkpoint.protocol.recover import Recovered, recover
from raystream.checkpoint.protocol.slots import superseded
from raystream.checkpoint.records import Owner


def recover_again(last: Owner, process: str, nonce: str) -> Procedure[Recovered]:
    """Recover after a failure of our own attempt.

    The failure may be caused by a newer attempt of another process, which aborted what our sinks
    had open. Taking over from it in return would never end (V7: two supervisors that restart at
    once fence each other), so a newer attempt that is not ours ends this job. A newer attempt of
    ours is a recovery that failed half-way.

    Args:
        last: Our last attempt.
        process: Common prefix of the nonces of all our attempts.
        nonce: For the new attempt.

    Raises:
        Superseded: another process has a newer attempt; also whatever `recover` raises.
    """
    keys = yield from ask(ListKeys(ATTEMPTS, "list attempts"))
    newer = [number for key in keys if (number := number_of(ATTEMPTS, key)) > last.attempt]
    for number in sorted(newer):
        found = yield from ask(Read(attempt_key(number), "read attempt"))
        if found is None or not found.owner.nonce.startswith(process):
            raise superseded(last)
    return (yield from recover(nonce))
