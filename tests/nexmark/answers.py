"""What each query of Nexmark answers, by DuckDB: SQL on whole tables, without streams.

Every text gives the golden answer of Flink SQL 2.3 on the 51,800 events from which the ones kept
here are cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from tests.nexmark.jobs import SCHEMAS

_DAY = "strftime(make_timestamp(dateTime * 1000), '%Y-%m-%d')"
_MINUTE = "strftime(make_timestamp(dateTime * 1000), '%H:%M')"
_HOUR = "hour(make_timestamp(dateTime * 1000))"
_RANKS = ("price < 10000", "price >= 10000 AND price < 1000000", "price >= 1000000")
_EUROS = "0.908 * price"
_VALID = "auction a JOIN bid b ON a.id = b.auction AND b.dateTime BETWEEN a.dateTime AND a.expires"
_WINNER = f"""SELECT a.*, b.auction, b.bidder, b.price, b.dateTime AS bid_dateTime,
    b.extra AS bid_extra FROM {_VALID}
    QUALIFY row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.dateTime) = 1"""


def _ranked(what: str, name: str) -> str:
    filtered = [
        f"{what} FILTER (WHERE {rank}) AS rank{n}_{name}" for n, rank in enumerate(_RANKS, 1)
    ]
    return ", ".join([f"{what} AS total_{name}", *filtered])


_STATISTICS = ", ".join(
    [
        _ranked("count(*)", "bids"),
        _ranked("count(DISTINCT bidder)", "bidders"),
        _ranked("count(DISTINCT auction)", "auctions"),
    ]
)
_CHANNEL = """CASE lower(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN '1'
    WHEN 'facebook' THEN '2' WHEN 'baidu' THEN '3'
    ELSE nullif(regexp_extract(url, '(&|^)channel_id=([^&]*)', 2), '') END"""

SQL: Mapping[str, str] = {
    "q0": "SELECT auction, bidder, price, dateTime, extra FROM bid",
    "q1": f"SELECT auction, bidder, {_EUROS} AS price, dateTime, extra FROM bid",
    "q2": "SELECT auction, price FROM bid WHERE auction % 123 = 0",
    "q3": """SELECT name, city, state, a.id FROM auction a JOIN person p ON a.seller = p.id
        WHERE category = 10 AND state IN ('OR', 'ID', 'CA')""",
    "q4": f"""SELECT category AS id, sum(final) // count(*) AS final FROM
        (SELECT a.id, category, max(price) AS final FROM {_VALID} GROUP BY ALL) GROUP BY category""",
    "q5": """WITH counts AS (SELECT auction, w, count(*) AS num FROM
            (SELECT auction, unnest(range(dateTime - dateTime % 2000 - 8000, dateTime + 1, 2000)) AS w
             FROM bid) GROUP BY ALL)
        SELECT auction, num FROM counts QUALIFY num = max(num) OVER (PARTITION BY w)""",
    "q6": f"""SELECT seller, sum(price) OVER last // count(*) OVER last AS avg_price
        FROM ({_WINNER}) WINDOW last AS
        (PARTITION BY seller ORDER BY bid_dateTime ROWS BETWEEN 10 PRECEDING AND CURRENT ROW)""",
    "q7": """SELECT auction, bidder, price, dateTime, extra FROM bid
        QUALIFY price = max(price) OVER (PARTITION BY dateTime // 10000)""",
    "q8": """SELECT DISTINCT p.id, p.name, p.dateTime // 10000 * 10000 AS stime
        FROM person p JOIN auction a ON p.id = a.seller AND p.dateTime // 10000 = a.dateTime // 10000""",
    "q9": _WINNER,
    "q10": f"SELECT auction, bidder, price, dateTime, extra, {_DAY} AS dt, {_MINUTE} AS hm FROM bid",
    "q11": """SELECT bidder, count(*) AS bid_count, min(dateTime) AS starttime,
            max(dateTime) + 10000 AS endtime FROM
            (SELECT *, sum(new) OVER (PARTITION BY bidder ORDER BY dateTime) AS session FROM
                (SELECT *, CASE WHEN dateTime - lag(dateTime) OVER
                    (PARTITION BY bidder ORDER BY dateTime) <= 10000 THEN 0 ELSE 1 END AS new
                 FROM bid))
        GROUP BY bidder, session""",
    "q12": """SELECT bidder, count(*) AS bid_count, dateTime // 10000 * 10000 AS starttime,
        starttime + 10000 AS endtime FROM bid GROUP BY ALL""",
    "q13": """SELECT auction, bidder, price, dateTime, CAST(auction % 10000 AS VARCHAR) AS value
        FROM bid""",
    "q14": f"""SELECT auction, bidder, {_EUROS} AS price, CASE WHEN {_HOUR} BETWEEN 8 AND 18
            THEN 'dayTime' WHEN {_HOUR} <= 6 OR {_HOUR} >= 20 THEN 'nightTime' ELSE 'otherTime' END
            AS bidTimeType, dateTime, extra, length(extra) - length(replace(extra, 'c', '')) AS c_counts
        FROM bid WHERE {_EUROS} > 1000000 AND {_EUROS} < 50000000""",
    "q15": f"SELECT {_DAY} AS day, {_STATISTICS} FROM bid GROUP BY day",
    "q16": f"""SELECT channel, {_DAY} AS day, max({_MINUTE}) AS minute, {_STATISTICS}
        FROM bid GROUP BY channel, day""",
    "q17": f"""SELECT auction, {_DAY} AS day, {_ranked("count(*)", "bids")}, min(price) AS min_price,
            max(price) AS max_price, sum(price) // count(*) AS avg_price, sum(price) AS sum_price
        FROM bid GROUP BY auction, day""",
    "q18": """SELECT * FROM bid
        QUALIFY row_number() OVER (PARTITION BY bidder, auction ORDER BY dateTime DESC) = 1""",
    "q19": """SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC, dateTime)
            AS rank_number FROM bid QUALIFY rank_number <= 10""",
    "q20": """SELECT auction, bidder, price, channel, url, b.dateTime AS bid_dateTime,
            b.extra AS bid_extra, itemName, description, initialBid, reserve,
            a.dateTime AS auction_dateTime, expires, seller, category, a.extra AS auction_extra
        FROM bid b JOIN auction a ON b.auction = a.id WHERE category = 10""",
    "q21": f"""SELECT auction, bidder, price, channel, {_CHANNEL} AS channel_id FROM bid
        WHERE channel_id IS NOT NULL""",
    "q22": """SELECT auction, bidder, price, channel, split_part(url, '/', 4) AS dir1,
        split_part(url, '/', 5) AS dir2, split_part(url, '/', 6) AS dir3 FROM bid""",
    "q23": """SELECT bidder, price, channel, url, b.extra AS bid_extra, p.id AS person_id, name,
            emailAddress, creditCard, city, state, p.extra AS person_extra, itemName, description,
            initialBid, reserve, a.dateTime AS auction_dateTime, expires, seller, category,
            a.extra AS auction_extra
        FROM bid b JOIN person p ON p.id = b.bidder JOIN auction a ON a.seller = b.bidder""",
}

KEYS: Mapping[str, Sequence[str]] = {
    "q4": ["id"],
    "q9": ["id"],
    "q15": ["day"],
    "q16": ["channel", "day"],
    "q17": ["auction", "day"],
    "q18": ["bidder", "auction"],
    "q19": ["auction", "rank_number"],
}
"""Key of the queries whose rows may replace each other; the last row of a key is the answer."""

WHOLE = ("avg_price", "final")
"""Averages of whole numbers: the fraction is cut off."""


def answer(query: str, events: Mapping[str, Path]) -> list[dict[str, Any]]:
    """The rows of the right answer, in any order.

    Args:
        query: `q0` to `q23`.
        events: Files of JSON lines: person, auction and bid.
    """
    with duckdb.connect(config={"threads": 1}) as connection:
        for name, file in events.items():
            types = {n: {"int": "BIGINT"}.get(kind, "VARCHAR") for n, kind in SCHEMAS[name].items()}
            read = f"read_json('{file}', format='newline_delimited', columns={types})"
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {read}")
        found = connection.execute(SQL[query])
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
