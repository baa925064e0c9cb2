from __future__ import annotations

from raystream.job.placement import avoidable


def test_suspects_are_avoided_unless_nobody_is_left() -> None:
    assert avoidable({"n1"}, {"n1", "n2"}) == {"n1"}
    assert avoidable({"n1", "n2"}, {"n1", "n2"}) == frozenset()
    assert avoidable({"n1"}, ()) == {"n1"}
