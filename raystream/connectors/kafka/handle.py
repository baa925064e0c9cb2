"""The committable of the Kafka sink in the manifest: the identity to commit by."""

from __future__ import annotations

import json
from dataclasses import dataclass

from raystream.connectors.kafka.clients import Identity
from raystream.errors import StorageError


@dataclass(frozen=True, slots=True)
class Handle:
    """A pre-committed transaction.

    Args:
        identity: Transactional id, producer id, epoch: what EndTxn needs.
        timeout_ms: `transaction.timeout.ms` it was opened with.
    """

    identity: Identity
    timeout_ms: int

    def to_text(self) -> str:
        """As JSON.

        >>> Handle(Identity("a.00000000.1.w.0.0", 7, 0), 60000).to_text()
        '{"tid":"a.00000000.1.w.0.0","pid":7,"epoch":0,"timeout_ms":60000}'
        """
        one = self.identity
        content = {
            "tid": one.tid,
            "pid": one.pid,
            "epoch": one.epoch,
            "timeout_ms": self.timeout_ms,
        }
        return json.dumps(content, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Handle:
        """Inverse of `to_text`.

        Raises:
            StorageError: the text is not a handle.
        """
        try:
            content = json.loads(text)
            identity = Identity(str(content["tid"]), int(content["pid"]), int(content["epoch"]))
            return cls(identity, int(content["timeout_ms"]))
        except (ValueError, KeyError, TypeError) as error:
            what = f"{text!r} is not a handle of a Kafka transaction"
            raise StorageError(what) from error
