"""Map, FlatMap, FilterRows: the user's functions of rows, fused where they are neighbours."""
