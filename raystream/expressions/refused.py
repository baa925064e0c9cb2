"""Functions that other systems have and an expression here cannot: why, and what to do instead."""

from __future__ import annotations

from collections.abc import Mapping

AGGREGATES = frozenset(
    "count sum min max avg mean median first last any_value stddev stddev_pop stddev_samp variance "
    "var_pop var_samp corr covar_pop covar_samp array_agg list string_agg listagg group_concat mode "
    "quantile quantile_cont quantile_disc percentile_cont percentile_disc approx_count_distinct "
    "approx_quantile arg_min arg_max min_by max_by bool_and bool_or every product skewness kurtosis "
    "histogram entropy sum0 count_if countif sum_if collect n_unique regr_slope".split()
)
WINDOWS = frozenset(
    "row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value "
    "nth_value".split()
)
CHANGING = frozenset(
    "now current_timestamp current_date current_time localtimestamp localtime today random rand "
    "uuid gen_random_uuid setseed getdate sysdate unix_timestamp proctime transaction_timestamp "
    "nextval currval".split()
)
UNKNOWN_HERE: Mapping[str, str] = {
    "unnest": "it makes several rows of one: use flat_map",
    "explode": "it makes several rows of one: use flat_map",
    "generate_series": "it makes several rows of one: use flat_map",
    "row": "make a column of each value",
    "struct_pack": "make a column of each value",
}


def why_refused(name: str) -> tuple[str, str] | None:
    """Message and advice for a function that cannot be; None for others.

    >>> why_refused("lag")
    ('lag() looks beyond its row', 'an expression sees one row at a time; aggregate with a window')
    """
    if name in AGGREGATES:
        twin = {
            "min": "; of several columns it is least",
            "max": "; of several columns it is greatest",
        }
        message = f"{name}() is over many rows; it belongs to an aggregate step"
        return message + twin.get(name, ""), ""
    if name in WINDOWS or name.startswith("cum_"):
        message = f"{name}() looks beyond its row"
        return message, "an expression sees one row at a time; aggregate with a window"
    if name in CHANGING:
        message = f"{name}() differs after a replay: results would not be exactly once"
        return message, "use the event time"
    if name in UNKNOWN_HERE:
        return f"{name}() is not known here", UNKNOWN_HERE[name]
    return None
