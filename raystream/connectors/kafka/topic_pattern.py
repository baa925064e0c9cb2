"""`rs.pattern("orders-.*")`: every topic with such a name, also those created later."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from raystream.errors import ConfigurationError
from raystream.graph.origin import at_call


@dataclass(frozen=True, slots=True)
class TopicPattern:
    """Topics by a regular expression.

    Args:
        regex: Must match whole names. Internal topics (`__consumer_offsets`) are excluded.

    Raises:
        ConfigurationError: not a valid regular expression.

    >>> list(TopicPattern("orders-.*").among(["orders-eu", "my-orders-us", "__orders-x"]))
    ['orders-eu']
    """

    regex: str

    def __post_init__(self) -> None:
        """Refuse an invalid regular expression."""
        with at_call():
            if not isinstance(self.regex, str) or not self.regex:
                what = f"a pattern of topics is a regular expression, not {self.regex!r}"
                raise ConfigurationError(what, what_to_do="write rs.pattern('orders-.*')")
            try:
                re.compile(self.regex)
            except re.error as error:
                what = f"{self.regex!r} is not a regular expression: {error}"
                raise ConfigurationError(what, what_to_do="for example 'orders-.*'") from None

    def matches(self, topic: str) -> bool:
        """Whether a topic matches."""
        return not topic.startswith("__") and re.fullmatch(self.regex, topic) is not None

    def among(self, topics: Iterable[str]) -> Iterable[str]:
        """The matching topics, sorted."""
        return sorted(filter(self.matches, topics))


def described(topics: Sequence[str], pattern: TopicPattern | None) -> str:
    """Topics, for people.

    >>> described(["a", "b"], None), described([], TopicPattern("a.*"))
    ('kafka topics a, b', 'kafka topics like a.*')
    """
    if pattern is not None:
        return f"kafka topics like {pattern.regex}"
    return f"{'kafka topic' if len(topics) == 1 else 'kafka topics'} {', '.join(topics)}"


def pattern(regex: str) -> TopicPattern:
    """Topics by a regular expression, for `Kafka.topic`: new ones are found while the job runs.

    Args:
        regex: Must match whole names.

    Raises:
        ConfigurationError: not a valid regular expression.

    >>> pattern("orders-.*").matches("orders-eu")
    True
    """
    return TopicPattern(regex)
