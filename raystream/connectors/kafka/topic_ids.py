"""Check in the background that topics are still those that the positions were taken from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future

from raystream.connectors.kafka.clients import ClientError, Cluster
from raystream.connectors.kafka.failures import KafkaFailure
from raystream.connectors.kafka.read_errors import topic_changed, topic_gone

PATIENCE_S = 120.0
"""How long a query may be unanswered, while rows wait for it, before that is reported."""

GONE_S = 3.0
"""How long a topic must be missing: a broker may not know yet of one that is new."""

Ids = Mapping[str, str]


class TopicIds:
    """Compares ids of topics with expected ones, one query at a time.

    Args:
        cluster: Connects; called in the background, once.
        background: Runs the queries.
        now: Monotonic seconds.
    """

    def __init__(
        self,
        cluster: Callable[[], Cluster],
        background: Executor,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = cluster
        self._background = background
        self._cluster: Cluster | None = None
        self._expected: dict[str, str] = {}
        self._confirmed: set[str] = set()
        self._answer: Future[Ids] | None = None
        self._asked: Ids = {}
        self._wanted = False
        self._now = now
        self._unanswered_since: float | None = None
        self._missing_since: float | None = None

    def expect(self, topic: str, topic_id: str | None) -> None:
        """From now on `topic` must have this id (None: any)."""
        if topic_id is not None and self._expected.get(topic) != topic_id:
            self._expected[topic] = topic_id
            self._confirmed.discard(topic)
            self._wanted = True

    def ask_again(self) -> None:
        """Compare once more, without blocking the read."""
        self._wanted = bool(self._expected)

    def known(self) -> bool:
        """True if every expected topic was compared at least once."""
        return self._confirmed >= self._expected.keys()

    def check(self) -> None:
        """Start a query if one is due, and check the answer if there is one; never blocks.

        Raises:
            RaystreamError: a topic was deleted or re-created; or the brokers have not answered
                for too long.
        """
        if self._answer is None:
            if self._wanted:
                self._wanted = False
                self._asked = dict(self._expected)
                self._answer = self._background.submit(self._ask, tuple(self._asked))
        elif self._answer.done():
            answer, self._answer = self._answer, None
            self._compare(answer)

    def _compare(self, answer: Future[Ids]) -> None:
        try:
            ids = answer.result()
        except ClientError as error:
            self._wanted = not self.known()
            self._not_answered(error)
            return
        self._unanswered_since = None
        missing = self._asked.keys() - ids.keys()
        self._confirm(ids)
        if not missing:
            self._missing_since = None
        elif self._gone_for_long():
            raise topic_gone(min(missing))

    def _confirm(self, ids: Ids) -> None:
        """Compare what was asked for: more may be expected since."""
        for topic, expected in self._asked.items():
            if expected != self._expected[topic] or topic not in ids:
                continue
            if ids[topic] != expected:
                raise topic_changed(topic)
            self._confirmed.add(topic)

    def _gone_for_long(self) -> bool:
        """A new topic is not known to every broker at once: ask again for a while."""
        now = self._now()
        since = self._missing_since = now if self._missing_since is None else self._missing_since
        self._wanted = True
        return now - since >= GONE_S

    def _not_answered(self, error: ClientError) -> None:
        """Not reported for a while: a broker that pauses or moves is normal."""
        now = self._now()
        since = self._unanswered_since
        self._unanswered_since = now if since is None else since
        if since is not None and now - since >= PATIENCE_S and not self.known():
            unsaid = sorted(self._expected.keys() - self._confirmed)
            what = f"the brokers do not say for {now - since:.0f} s which topic it is: {error}"
            raise KafkaFailure(what, f"topic {', '.join(unsaid)}")

    def _ask(self, topics: tuple[str, ...]) -> Ids:
        if self._cluster is None:
            self._cluster = self._connect()
        return self._cluster.topic_ids(topics)
