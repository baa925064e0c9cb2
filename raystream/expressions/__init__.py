"""One meaning for everything a user computes per row: text or Polars, checked, then columnar."""
