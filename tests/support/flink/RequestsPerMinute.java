import java.io.Serializable;
import java.time.Duration;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.formats.json.JsonDeserializationSchema;
import org.apache.flink.formats.json.JsonSerializationSchema;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** Requests per IP and minute, Kafka to Kafka, exactly once, as Flink's documentation teaches it. */
public final class RequestsPerMinute {
    @JsonIgnoreProperties(ignoreUnknown = true)
    public static class Request {
        public long ts;
        public String ip;
        public int status;
        public long bytes;
        public String path;
    }

    public static class Counted {
        public String ip;
        public long window_start;
        public long window_end;
        public long count;
    }

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        StreamExecutionEnvironment env = environment(arguments[3], Integer.parseInt(arguments[4]));
        KafkaSource<Request> source =
                KafkaSource.<Request>builder()
                        .setBootstrapServers(bootstrap)
                        .setTopics(arguments[1])
                        .setGroupId("flink-bench")
                        .setStartingOffsets(OffsetsInitializer.earliest())
                        .setBounded(OffsetsInitializer.latest())
                        .setProperty("isolation.level", "read_committed")
                        .setValueOnlyDeserializer(new JsonDeserializationSchema<>(Request.class))
                        .build();
        DataStream<Request> requests =
                env.fromSource(
                        source,
                        WatermarkStrategy.<Request>forBoundedOutOfOrderness(Duration.ofSeconds(5))
                                .withTimestampAssigner((request, time) -> request.ts),
                        "requests");
        requests.keyBy(request -> request.ip)
                .window(TumblingEventTimeWindows.of(Duration.ofMinutes(1)))
                .aggregate(new Count<>(), new WithWindow())
                .sinkTo(sink(bootstrap, arguments[2]));
        env.execute("requests-per-minute");
    }

    static StreamExecutionEnvironment environment(String checkpoints, int parallelism) {
        Configuration settings = new Configuration();
        settings.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, checkpoints);
        settings.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(settings);
        env.setParallelism(parallelism);
        env.enableCheckpointing(2000, CheckpointingMode.EXACTLY_ONCE);
        return env;
    }

    static KafkaSink<Counted> sink(String bootstrap, String topic) {
        Properties producer = new Properties();
        producer.setProperty("transaction.timeout.ms", "600000");
        return KafkaSink.<Counted>builder()
                .setBootstrapServers(bootstrap)
                .setKafkaProducerConfig(producer)
                .setRecordSerializer(
                        KafkaRecordSerializationSchema.<Counted>builder()
                                .setTopic(topic)
                                .setValueSerializationSchema(new JsonSerializationSchema<Counted>())
                                .build())
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                .setTransactionalIdPrefix("flink-" + topic)
                .build();
    }

    /** Counts, in one number per key and window. */
    static final class Count<T> implements AggregateFunction<T, Long, Long>, Serializable {
        @Override
        public Long createAccumulator() {
            return 0L;
        }

        @Override
        public Long add(T value, Long sum) {
            return sum + 1;
        }

        @Override
        public Long getResult(Long sum) {
            return sum;
        }

        @Override
        public Long merge(Long one, Long other) {
            return one + other;
        }
    }

    /** Adds key and window to a count. */
    static final class WithWindow
            extends ProcessWindowFunction<Long, Counted, String, TimeWindow> {
        @Override
        public void process(
                String ip, Context context, Iterable<Long> counts, Collector<Counted> out) {
            Counted row = new Counted();
            row.ip = ip;
            row.window_start = context.window().getStart();
            row.window_end = context.window().getEnd();
            row.count = counts.iterator().next();
            out.collect(row);
        }
    }
}
