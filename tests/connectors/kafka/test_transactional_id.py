"""Transactional ids are parsed whole or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.connectors.kafka.transactional_id import TransactionalId, parse

NAMES = st.text("abcXYZ019_-", min_size=1, max_size=60)


@given(
    st.builds(
        TransactionalId,
        NAMES,
        st.text("0123456789abcdef", min_size=8, max_size=8),
        st.integers(0, 10**9),
        NAMES,
        st.integers(0, 10**4),
        st.integers(0, 2),
    )
)
def test_parse_is_the_inverse(one):
    assert parse(str(one)) == one


@pytest.mark.parametrize(
    "text",
    [
        "",
        "job",
        "job.0a1b2c3d.1.write.0",
        "job.0a1b2c3d.1.write.0.3",
        "job.0a1b2c3d.1.write.0.0.0",
        "job.0A1B2C3D.1.write.0.0",
        "job.0a1b2c3d.01.write.0.0",
        "job.0a1b2c3d.-1.write.0.0",
        "jo b.0a1b2c3d.1.write.0.0",
        "job.0a1b2c3d.1.write.0.0\n",
        "other-job-0-1",
    ],
)
def test_anything_else_is_nobodys(text):
    assert parse(text) is None
