"""The word that was meant."""

from __future__ import annotations

from raystream.graph.nearest import did_you_mean


def test_a_near_word_is_named() -> None:
    assert did_you_mean("intervall", ["interval", "timeout"]) == "did you mean 'interval'?"


def test_without_a_near_word_all_are_named_but_private_ones() -> None:
    assert did_you_mean("x", ["fail", "skip", "_inner"]) == "one of fail, skip"
