"""Restarting without a fight: who was superseded does not supersede in return (section 8, V7)."""

from __future__ import annotations

from raystream.checkpoint.keys import ATTEMPTS, attempt_key, number_of
from raystream.checkpoint.protocol.commands import ListKeys, Read
from raystream.checkpoint.protocol.procedure import Procedure, ask
from raystream.checkpoint.protocol.recover import Recovered, recover
from raystream.checkpoint.protocol.slots import superseded
from raystream.checkpoint.records import Owner


def recover_again(last: Owner, process: str, nonce: str) -> Procedure[Recovered]:
    """Recovery after a failure of our own attempt.

    The failure may be the work of a newer attempt of somebody else: it aborted what our sinks had
    open. To take over from it in return would never end (V7: two supervisors that restart at once
    fence each other), so an attempt that is not ours ends us. One of ours is a recovery that
    failed half-way.

    Args:
        last: Our last attempt.
        process: What the nonces of all our attempts begin with.
        nonce: For the new attempt.

    Raises:
        Superseded: somebody else's newer attempt exists; and whatever `recover` raises.
    """
    keys = yield from ask(ListKeys(ATTEMPTS, "list attempts"))
    newer = [number for key in keys if (number := number_of(ATTEMPTS, key)) > last.attempt]
    for number in sorted(newer):
        found = yield from ask(Read(attempt_key(number), "read attempt"))
        if found is None or not found.owner.nonce.startswith(process):
            raise superseded(last)
    return (yield from recover(nonce))
