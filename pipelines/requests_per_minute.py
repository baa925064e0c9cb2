"""Web requests per IP and minute of event time."""

# fmt: off
import raystream as rs

p = rs.Pipeline("requests-per-minute", delivery_guarantee="exactly_once", checkpoint_interval="10s")
kafka = rs.Kafka("kafka:9092")

(p.read(kafka.topic("requests", format="json"),
        event_time="ts", watermark=rs.Watermark(out_of_orderness="10s", idle_timeout="30s"))
  .key_by("ip")
  .window(rs.tumbling("1m"))
  .agg(count=rs.count())
  .write(kafka.topic("counts", format="json")))

if __name__ == "__main__":
    p.run()
