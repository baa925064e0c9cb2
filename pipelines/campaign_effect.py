"""What a campaign brings: app events per campaign and ten minutes, every minute.

Input `app-events`: {"ts": epoch ms, "campaign": .., "event": impression | click | install |
purchase, "amount": of a purchase}.
"""

from __future__ import annotations

import raystream as rs

p = rs.Pipeline("campaign-effect", checkpoint_interval="10s")
kafka = rs.Kafka("kafka:9092")

(
    p.read(
        kafka.topic("app-events"),
        event_time="ts",
        schema={"ts": int, "campaign": str, "event": str, "amount": float},
        name="events",
    )
    .key_by("campaign")
    .window(rs.hopping("10m", "1m"), name="effect")
    .agg(
        impressions=rs.count(where="event = 'impression'"),
        clicks=rs.count(where="event = 'click'"),
        installs=rs.count(where="event = 'install'"),
        purchases=rs.count(where="event = 'purchase'"),
        revenue=rs.sum("amount", where="event = 'purchase'"),
    )
    .with_columns(
        click_rate="case when impressions > 0 then clicks / impressions end",
        conversion_rate="case when clicks > 0 then purchases / clicks end",
        name="rates",
    )
    .write(kafka.topic("campaign-effect"), name="write-effect")
)

if __name__ == "__main__":
    p.run()
