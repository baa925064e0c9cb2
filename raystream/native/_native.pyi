"""Types of the native module (crate/), which is absent where it was not built."""

from collections.abc import Sequence
from typing import Any, final

Field = tuple[str, str, bool, Sequence[Any]]
"""Name, kind, not null, fields within (of the items of a list, of an object)."""

@final
class Columns:
    """Columns by Arrow's PyCapsule interface, to be taken once: `polars.DataFrame(columns)`."""

    def __len__(self) -> int: ...
    def __arrow_c_array__(self, requested_schema: Any = None) -> tuple[Any, Any]: ...

@final
class JsonDecoder:
    """Payloads -> columns, and the indexes of those it is not sure of."""

    def __init__(self, fields: Sequence[Field]) -> None: ...
    def decode(self, payloads: list[bytes | None]) -> tuple[Columns, list[int]]: ...

@final
class Polled:
    """Result of one poll; it holds its records as long as it lives, or until close()."""

    records: int
    size: int
    """Bytes of all payloads."""
    runs: list[tuple[int, int, int, int, int, bool]]
    """Partition (as `Reader.add` numbered it), first, last, next offset, epoch or -1, overran."""
    back: list[int]
    events: list[tuple[str, int, int, str, int]]
    """Topic, partition, code, text, offset."""
    columns: Columns | None
    around: Columns | None

    def record(
        self, index: int
    ) -> tuple[str, int, int, bytes | None, bytes | None, tuple[int, int]]:
        """Topic, partition, offset, key, value, kind and epoch ms of its timestamp."""

    def values(self, indexes: Sequence[int] | None = None) -> list[bytes | None]: ...
    def headers(self, index: int) -> list[tuple[str, bytes | None]]: ...

@final
class Reader:
    """Records of a confluent_kafka.Consumer; RuntimeError where it does not know the object."""

    def __init__(
        self,
        consumer: object,
        module: str,
        client_id: str,
        fields: Sequence[Field],
        around: Sequence[str],
    ) -> None: ...
    def add(self, topic: str, partition: int, end: int | None = None) -> int: ...
    def poll(self, most: int, *, decode: bool = True) -> Polled | None: ...
    def close(self) -> None: ...

def librdkafka_version(module: str) -> int: ...
