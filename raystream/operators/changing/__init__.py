"""What verbs share whose rows change earlier ones: pairs, differences, groups of rows."""
