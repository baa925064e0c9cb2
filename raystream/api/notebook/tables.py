"""Tables of sampled rows: HTML in a notebook, text elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from shutil import get_terminal_size

from raystream.api.notebook.cells import in_notebook
from raystream.api.samples.sample import Sample

WIDTH = 160
"""Characters per line of text if no terminal is wider."""


def show(samples: Sequence[Sample]) -> None:
    """Show the samples, each with its name if there are several."""
    tables = Tables(samples)
    if in_notebook():
        from IPython.display import display

        display(tables)  # type: ignore[no-untyped-call]
    else:
        print(tables)


@dataclass(frozen=True, slots=True)
class Tables:
    """Samples as shown to people."""

    samples: Sequence[Sample]

    def __str__(self) -> str:
        """Text for a terminal."""
        parts = [f"{_title(each)}\n{_text(each)}".rstrip("\n") for each in self.samples]
        return "\n\n".join(parts) + f"\n{self.samples[0].note}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """HTML for JupyterLab, VS Code and nbconvert."""
        parts = [f"<b>{escape(_title(each))}</b>{_html(each)}" for each in self.samples]
        return f"<div>{''.join(parts)}<small>{escape(self.samples[0].note)}</small></div>"


def _title(sample: Sample) -> str:
    rows = sample.frame.height
    counted = "1 row" if rows == 1 else f"{rows:,} rows"
    return f"{sample.label}: {f'the first {counted}' if sample.more else counted}"


def _text(sample: Sample) -> str:
    import polars as pl

    if not sample.frame.width:  # the columns are not known yet
        return ""
    wide = max(WIDTH, get_terminal_size().columns)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_hide_dataframe_shape=True, tbl_width_chars=wide):
        return str(sample.frame)


def _html(sample: Sample) -> str:
    import polars as pl

    if not sample.frame.width:
        return "<br>"
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_hide_dataframe_shape=True):
        return str(sample.frame._repr_html_())
