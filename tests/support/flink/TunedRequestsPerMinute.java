import java.io.IOException;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;

/** The same job with a streaming JSON parser for the two fields that it needs, and object reuse. */
public final class TunedRequestsPerMinute {
    public static class Hit {
        public long ts;
        public String ip;
    }

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        StreamExecutionEnvironment env =
                RequestsPerMinute.environment(arguments[3], Integer.parseInt(arguments[4]));
        env.getConfig().enableObjectReuse();
        KafkaSource<Hit> source =
                KafkaSource.<Hit>builder()
                        .setBootstrapServers(bootstrap)
                        .setTopics(arguments[1])
                        .setGroupId("flink-bench")
                        .setStartingOffsets(OffsetsInitializer.earliest())
                        .setBounded(OffsetsInitializer.latest())
                        .setProperty("isolation.level", "read_committed")
                        .setValueOnlyDeserializer(new TwoFields())
                        .build();
        DataStream<Hit> hits =
                env.fromSource(
                        source,
                        WatermarkStrategy.<Hit>forBoundedOutOfOrderness(Duration.ofSeconds(5))
                                .withTimestampAssigner((hit, time) -> hit.ts),
                        "requests");
        hits.keyBy(hit -> hit.ip)
                .window(TumblingEventTimeWindows.of(Duration.ofMinutes(1)))
                .aggregate(new RequestsPerMinute.Count<>(), new RequestsPerMinute.WithWindow())
                .sinkTo(RequestsPerMinute.sink(bootstrap, arguments[2]));
        env.execute("requests-per-minute-tuned");
    }

    /** Stops parsing a record once both fields were seen. */
    static final class TwoFields extends AbstractDeserializationSchema<Hit> {
        private transient JsonFactory json;

        @Override
        public void open(InitializationContext context) {
            json = new JsonFactory();
        }

        @Override
        public Hit deserialize(byte[] value) throws IOException {
            Hit hit = new Hit();
            int missing = 2;
            try (JsonParser parser = json.createParser(value)) {
                parser.nextToken();
                while (missing > 0 && parser.nextToken() == JsonToken.FIELD_NAME) {
                    String name = parser.currentName();
                    parser.nextToken();
                    if (name.equals("ts")) {
                        hit.ts = parser.getLongValue();
                        missing--;
                    } else if (name.equals("ip")) {
                        hit.ip = parser.getText();
                        missing--;
                    } else {
                        parser.skipChildren();
                    }
                }
            }
            return hit;
        }
    }
}
