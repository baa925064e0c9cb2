"""connectors/kafka: see shared map."""
