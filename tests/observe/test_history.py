"""Fifteen minutes of points, five seconds apart."""

from __future__ import annotations

from raystream.observe.history import SPAN_MS, STEP_MS, History
from tests.ui.documents import running


def test_points_are_apart_and_old_ones_go() -> None:
    history = History()
    for second in range(1200):
        history.add(running(float(second), rows=500))
    points = history.points
    assert len(points) == SPAN_MS // STEP_MS + 1
    assert all(b.at_ms - a.at_ms == STEP_MS for a, b in zip(points, points[1:], strict=False))
    assert {point.rows_in for point in points} == {500.0}
    assert points[-1].lag_rows == 17
