"""A stream whose rows have a key."""

from __future__ import annotations

from raystream.api.stream import Stream


class KeyedStream(Stream):
    """Rows with a key; verbs that keep the key columns keep the key.

    `.window(..)` groups by the key; `.write(..)` makes it the message key: one column as text,
    several as a JSON array.
    """

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the key columns.

        >>> rs.Pipeline("example").read(rs.Rows([{"shop": "a"}])).key_by("shop").key
        ('shop',)
        """
        return self._key
