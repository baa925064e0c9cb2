"""The times that event time can have: the years 1 to 9999.

Every moment that ISO 8601 and Python can write is in it. No length is longer than that (see
`units`), so that nothing that is reckoned with event time (ends of windows, lateness, watermarks)
comes near the ends of 64 bits.
"""

EARLIEST_MS = -62_135_596_800_000
"""0001-01-01T00:00:00.000Z."""

LATEST_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z."""

PLAUSIBLE_MS = (631_152_000_000, 4_102_444_800_000)
"""1990 to 2100: where event time of real jobs is."""
