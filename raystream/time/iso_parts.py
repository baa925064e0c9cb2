"""The parts of ISO 8601 that all its readers share, as regular expressions.

What is made of them differs by purpose, so there are three readers:

- `formats/text_types.py`: values of columns in JSON and CSV. Strict, and exact to the unit of the
  column: what is written is read back, anything else is refused.
- `formats/iso8601.py`: event time. Every form that producers use, cut to the millisecond.
- `expressions/iso.py`: casts of SQL, with the meaning that DuckDB gives them.
"""

SECOND = "[0-5][0-9]"
"""A leap second has no place among those of a day: who takes it says so."""

OFFSET = "(?:[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)"
"""Zone: less than a day, the hour as `+02`, `+0200` or `+02:00`."""
