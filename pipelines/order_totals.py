"""A sale, live: orders and amount per product and minute, and running totals since its start.

Input `orders`: {"ts": epoch ms, "product": .., "quantity": .., "price": ..}. Rows with `final` =
false show an open window and come every second; the row with `final` = true comes once.
"""

from __future__ import annotations

import os

import raystream as rs

SALE_START_MS = int(os.environ.get("SALE_START_MS", "1700000000000"))
MINUTE_MS = 60_000

p = rs.Pipeline("order-totals", checkpoint_interval="1s")  # what readers see is this fresh
kafka = rs.Kafka("kafka:9092")

orders = p.read(
    kafka.topic("orders"),
    event_time="ts",
    schema={"ts": int, "product": str, "quantity": int, "price": float},
    name="orders",
).with_columns(amount="quantity * price", name="amount")

per_minute = (
    orders.key_by("product")
    .window(
        rs.tumbling("1m", offset=SALE_START_MS % MINUTE_MS),
        emit=rs.early("1s"),
        name="per-minute",
    )
    .agg(orders=rs.count(), quantity=rs.sum("quantity"), amount=rs.sum("amount"))
)
per_minute.write(kafka.topic("order-totals-per-minute"), name="write-per-minute")

running = (
    orders.key_by("product")
    .window(
        rs.cumulative("1d", "1h", offset=SALE_START_MS),
        emit=rs.early("1s"),
        name="since-start",
    )
    .agg(orders=rs.count(), quantity=rs.sum("quantity"), amount=rs.sum("amount"))
)
running.write(kafka.topic("order-totals-since-start"), name="write-since-start")

if __name__ == "__main__":
    p.run()
