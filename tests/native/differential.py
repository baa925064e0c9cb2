"""Native against Python, on the same payloads: any difference is a wrong answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from raystream.data.schema import Schema
from raystream.formats.base import Decoded
from raystream.formats.json import Json
from raystream.formats.native_json import Trust


@dataclass
class Tally:
    """How many records native took, and how many it handed back that Python takes, or refuses."""

    taken: int = 0
    back_taken: int = 0
    back_refused: int = 0


class AlwaysTrust(Trust):
    """Decodes natively whatever comes back."""

    def tries(self) -> bool:
        return True


@dataclass
class Differential:
    """Both decoders of one schema."""

    schema: Schema
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._decoder = Json().decoder(self.schema)
        assert self._decoder.native is not None, self._decoder.not_native
        self._decoder.native.trust = AlwaysTrust()
        self._python = self._decoder.decode_here
        self._decoder.native.python = self._noted

    def check(self, payloads: Sequence[bytes | None]) -> None:
        """Raise AssertionError with the smallest batch that differs."""
        if self._differs(payloads):
            alone = [each for each in payloads if self._differs([each])]
            raise AssertionError(self.schema, alone or payloads)
        self.tally.taken += len(payloads)

    def _differs(self, payloads: Sequence[bytes | None]) -> bool:
        return told(self._decoder.decode(payloads)) != told(self._python(payloads))

    def _noted(self, payloads: Sequence[bytes | None]) -> Decoded:
        decoded = self._python(payloads)
        self.tally.taken -= len(payloads)
        self.tally.back_taken += decoded.frame.height
        self.tally.back_refused += len(decoded.rejected)
        return decoded


def told(decoded: Decoded) -> str:
    """Everything of the answer: -0.0 is not 0.0, a null object is not one of nulls."""
    frame = decoded.frame
    nulls = [frame[name].is_null().to_list() for name in frame.columns]
    return repr((frame.height, frame.schema, frame.rows(), nulls, decoded.rejected))
