"""The server.properties of one node: quick, small, and strict about transactions."""

from __future__ import annotations

from tests.support.broker.plan import ClusterPlan, NodePlan
from tests.support.broker.ports import HOST

# broker.session.timeout.ms bounds how long a restart after SIGKILL waits for the old registration:
# 9000 (default) costs 11-15 s, 1500 fences a healthy broker on a machine under load.
_FIXED = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "CLIENT",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "group.initial.rebalance.delay.ms": "0",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "200",
    "transaction.max.timeout.ms": "900000",
    "log.retention.ms": "-1",
    "auto.create.topics.enable": "false",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "log.segment.bytes": "67108864",
    "log.index.size.max.bytes": "1048576",
    "num.network.threads": "2",
    "num.io.threads": "4",
}


def server_properties(plan: ClusterPlan, node: NodePlan) -> str:
    """The text of one node's server.properties.

    Args:
        plan: The cluster.
        node: The node of the cluster it is for.
    """
    values = {
        **_FIXED,
        **_network(plan, node),
        **_replication(len(plan.nodes)),
        **(_security(plan) if plan.secure else {}),
        **plan.properties,
    }
    return "".join(f"{key}={value}\n" for key, value in values.items())


def initial_controllers(plan: ClusterPlan) -> str:
    """The first quorum, as `StorageTool format --initial-controllers` takes it."""
    return ",".join(
        f"{node.number}@{HOST}:{node.controller_port}:{node.directory_id}" for node in plan.nodes
    )


def _network(plan: ClusterPlan, node: NodePlan) -> dict[str, str]:
    protocol = "SASL_SSL" if plan.secure else "PLAINTEXT"
    controllers = ",".join(f"{HOST}:{other.controller_port}" for other in plan.nodes)
    return {
        "node.id": str(node.number),
        "listeners": f"CLIENT://{HOST}:{node.client_port},CONTROLLER://{HOST}:{node.controller_port}",
        "controller.quorum.bootstrap.servers": controllers,
        "listener.security.protocol.map": f"CLIENT:{protocol},CONTROLLER:PLAINTEXT",
        "log.dirs": str(plan.node_directory(node) / "data"),
    }


def _replication(nodes: int) -> dict[str, str]:
    copies, in_sync = str(min(nodes, 3)), str(min(nodes, 2))
    return {
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


def _security(plan: ClusterPlan) -> dict[str, str]:
    login = (
        "org.apache.kafka.common.security.scram.ScramLoginModule required "
        f'username="admin" password="{plan.passwords["admin"]}";'
    )
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(plan.tls_directory / "keystore.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(plan.tls_directory / "ca.pem"),
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "listener.name.client.scram-sha-512.sasl.jaas.config": login,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # ANONYMOUS is the controller listener, plain text on the loopback: for tests only
        "super.users": "User:admin;User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "false",
    }
