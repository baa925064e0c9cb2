"""Phase two of the Kafka sink: raw EndTxn by handle, and the strays of dead attempts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from raystream.checkpoint.records import Committable
from raystream.connectors.base import AbortVerdict, CommitterContext, Problem, Verdict
from raystream.connectors.kafka.answers import (
    CONCURRENT_TRANSACTIONS,
    NONE,
    abort_verdict,
    commit_verdict,
    name_of,
)
from raystream.connectors.kafka.clients import (
    NO_ANSWER,
    ClientError,
    Identity,
    TransactionAdmin,
    TransactionState,
)
from raystream.connectors.kafka.handle import Handle
from raystream.connectors.kafka.markers import Ended, Markers, partition_of
from raystream.connectors.kafka.transactional_id import (
    TransactionalId,
    of_other_storage,
    parse,
)
from raystream.errors import StorageError

_REMEMBERED = 1000
"""Answers kept for `explain`, of transactions that are not committed."""

_FENCE_TRIES = 8
_DESCRIBE_TRIES = 20
_UNDECIDED = (Verdict.AGAIN, Verdict.BUSY)


class KafkaCommitter:
    """`connectors.base.Committer` of one Kafka sink step.

    Args:
        ctx: Job, store, step.
        job: Job as written in transactional ids: with the prefix of the sink.
        admin: Transaction administration, connected.
        sleep: Waits some seconds, between tries to fence or to describe.
    """

    def __init__(
        self,
        ctx: CommitterContext,
        job: str,
        admin: TransactionAdmin,
        sleep: Callable[[float], None],
    ) -> None:
        self._ctx = ctx
        self._job = job
        self._admin = admin
        self._sleep = sleep
        self._markers = Markers(admin, sleep)
        self._last_code: dict[str, int] = {}

    def check(self, committables: Sequence[Committable]) -> list[Problem]:
        """Step 5: one DescribeTransactions: open, same identity, younger than half its limit.

        Repeated for some seconds while a coordinator moves or does not answer.
        """
        handles = [self._handle(one) for one in committables]
        states = self._described([handle.identity.tid for handle in handles])
        reasons = map(_reason_against, committables, handles, states)
        return [
            Problem(one, reason)
            for one, reason in zip(committables, reasons, strict=True)
            if reason is not None
        ]

    def commit(self, committables: Sequence[Committable]) -> list[Verdict]:
        """EndTxn(commit) once for each; the same handle may be committed again at any time.

        COMMITTED means that readers can see it: the markers are on the partitions. A coordinator
        that is BUSY for minutes is stuck: `explain` then says what to do.
        """
        verdicts = [commit_verdict(code) for code in self._end(committables, commit=True)]
        ended = [
            Ended(self._handle(one).identity, tuple(map(partition_of, one.partitions)))
            for one, verdict in zip(committables, verdicts, strict=True)
            if verdict is Verdict.COMMITTED
        ]
        seen = iter(self._markers.confirm(ended))
        return [next(seen) if verdict is Verdict.COMMITTED else verdict for verdict in verdicts]

    def abort(self, committables: Sequence[Committable]) -> list[AbortVerdict]:
        """EndTxn(abort) once for each; only for a rollback."""
        return [abort_verdict(code) for code in self._end(committables, commit=False)]

    def abort_strays(self, before_attempt: int) -> int:
        """Fence every open transaction of this job and store opened by an attempt < before_attempt.

        Covers every former step and parallelism: names are parsed, not constructed.

        Returns:
            How many are still open; 1 if the brokers could not be reached.
        """
        try:
            strays = [str(one) for one in self._open_ids() if self._is_stray(one, before_attempt)]
        except ClientError:
            return 1
        were_open = zip(strays, self._admin.describe(strays), strict=True)
        for _ in range(_FENCE_TRIES):
            if not strays:
                break
            codes = self._admin.fence(strays)
            strays = [tid for tid, code in zip(strays, codes, strict=True) if code != NONE]
            if NO_ANSWER in codes:  # a broker is away: a commit may be waiting
                break
            if strays:
                self._sleep(0.05)
        left = set(strays)
        aborted = [
            Ended(Identity(tid, was.pid, was.epoch), was.partitions, commit=False)
            for tid, was in were_open
            if tid not in left and not was.code
        ]
        unmarked = [v for v in self._markers.confirm(aborted) if v is not Verdict.COMMITTED]
        return len(left) + len(unmarked)

    def explain(self, committable: Committable) -> str:
        """Describe the handle, and the broker's last answer."""
        identity = Handle.from_text(committable.handle).identity
        where = ", ".join(committable.partitions) or "no known partition"
        text = (
            f"{committable.sink}[{committable.subtask}]: {committable.n_records} records"
            f" for {where}, transaction {identity.tid}"
            f" (producer {identity.pid}, epoch {identity.epoch})"
        )
        code = self._last_code.get(committable.handle)
        if code is None:
            return text
        advice = "; restart its broker, then run again" if code == CONCURRENT_TRANSACTIONS else ""
        return f"{text}; the broker answered {name_of(code)}{advice}"

    def close(self) -> None:
        """Release connections."""
        self._admin.close()

    def _handle(self, one: Committable) -> Handle:
        """Parse the handle, if this step created it.

        Only the prefix of the sink may have changed.
        """
        handle = Handle.from_text(one.handle)
        tid = parse(handle.identity.tid)
        given = (self._ctx.store_id, one.sink, one.subtask)
        if (
            tid is None
            or (tid.store_id, tid.step, tid.subtask) != given
            or not tid.job.endswith(self._ctx.job)
        ):
            what = f"{handle.identity.tid!r} is not a transaction that step {one.sink!r} opened"
            advice = "the checkpoint storage may be damaged or tampered with"
            raise StorageError(what, f"job {self._ctx.job}", advice)
        return handle

    def _described(self, tids: Sequence[str]) -> list[TransactionState]:
        states = self._admin.describe(tids)
        for _ in range(_DESCRIBE_TRIES):
            if all(commit_verdict(state.code) not in _UNDECIDED for state in states):
                break
            self._sleep(0.25)
            states = self._admin.describe(tids)
        return states

    def _end(self, committables: Sequence[Committable], *, commit: bool) -> list[int]:
        identities = [self._handle(one).identity for one in committables]
        codes = self._admin.end(identities, commit=commit)
        for one, code in zip(committables, codes, strict=True):
            self._last_code.pop(one.handle, None)
            if code != NONE:
                self._last_code[one.handle] = code
        for handle in list(self._last_code)[:-_REMEMBERED]:
            del self._last_code[handle]
        return codes

    def _open_ids(self) -> list[TransactionalId]:
        return [one for one in map(parse, self._admin.ongoing()) if one is not None]

    def _is_stray(self, one: TransactionalId, before_attempt: int) -> bool:
        mine = one.job == self._job and one.store_id == self._ctx.store_id
        return mine and one.attempt < before_attempt


def foreign_transactions(admin: TransactionAdmin, job: str, store_id: str) -> list[str]:
    """Open transactions of the same job name with another store: a different job.

    Raises:
        ClientError: the brokers could not be reached.
    """
    return of_other_storage(admin.ongoing(), job, store_id)


def _reason_against(
    committable: Committable, handle: Handle, found: TransactionState
) -> str | None:
    if found.code:
        return f"transaction {handle.identity.tid}: the broker answers {name_of(found.code)}"
    if found.state != "Ongoing":
        return f"transaction {handle.identity.tid} is in state {found.state}, not Ongoing"
    if (found.pid, found.epoch) != (handle.identity.pid, handle.identity.epoch):
        return f"transaction {handle.identity.tid} belongs to another producer now"
    half = handle.timeout_ms / 2000
    if committable.age_s >= half:
        return (
            f"transaction {handle.identity.tid} was open for {committable.age_s:.0f} s, more than"
            f" half of transaction_timeout ({half * 2:.0f} s)"
        )
    return None
