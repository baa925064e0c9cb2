"""Names of cells outside a notebook: nothing changes; in one, see tests/notebooks."""

from __future__ import annotations

import pytest

from raystream.cell_names import in_cells, rendered
from raystream.errors import ConfigurationError


@pytest.mark.parametrize("text", ["job.py:3: NameError: name 'x'", "/tmp/a b.py:3", "at In[3]:2"])
def test_places_that_are_no_cells_stay(text: str) -> None:
    assert in_cells(text) == text


def test_an_error_is_shown_with_the_users_lines_only() -> None:
    with pytest.raises(ConfigurationError) as caught:
        raise ConfigurationError("no column 'ipp'", "job.py:9", "did you mean 'ip'?")
    shown = rendered(caught.value)
    place, source = shown[0].splitlines()
    assert place.startswith(__file__ + ":")
    assert source.startswith("    raise ConfigurationError(")
    assert shown[1:] == ["ConfigurationError: job.py:9: no column 'ipp'; did you mean 'ip'?"]
