"""A real Kafka cluster as one object: start, break on purpose, stop."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tests.support.broker.admin import BrokerAdmin
from tests.support.broker.failure import BrokerError
from tests.support.broker.node import BrokerNode
from tests.support.broker.plan import ClusterPlan, load_plan, new_plan, save_plan
from tests.support.broker.tls import make_certificates

_ATTEMPTS = 3
_PORT_TAKEN = ("Address already in use", "BindException")


class Broker:
    """A Kafka cluster for tests; made by `start`, `open` or `attach`, and a context manager.

    Attributes:
        bootstrap: Its addresses, `host:port` with commas.
        nodes: Its brokers, counted from 0; empty for a cluster that somebody else started.
    """

    def __init__(
        self,
        bootstrap: str,
        nodes: Sequence[BrokerNode],
        plan: ClusterPlan | None,
        *,
        temporary: bool,
    ) -> None:
        self.bootstrap = bootstrap
        self.nodes = tuple(nodes)
        self._plan = plan
        self._temporary = temporary
        self._admin: BrokerAdmin | None = None

    @classmethod
    def start(
        cls,
        nodes: int = 1,
        secure: bool = False,
        directory: Path | None = None,
        *,
        properties: Mapping[str, str] | None = None,
        throughput: bool = False,
        outlive: bool = False,
    ) -> Broker:
        """Starts a cluster and waits until it serves; takes about 3 s for one node, 14 s for three.

        Args:
            nodes: 1 or 3 brokers.
            secure: SASL_SSL with SCRAM-SHA-512 users `admin` and `job`, and ACLs.
            directory: Where it lives. A cluster that lived there is started again, with its data,
                ports and passwords. Default: a temporary folder, removed at the end.
            properties: Server properties that replace the defaults.
            throughput: Larger heap and full JIT, for benchmarks.
            outlive: Whether it continues when the calling process ends.

        Raises:
            BrokerError: It could not be started.
        """
        old = load_plan(directory) if directory else None
        if old and directory:
            return cls._run(_same(old, nodes, secure=secure), outlive=outlive, temporary=False)
        for attempt in range(1, _ATTEMPTS + 1):
            home = directory or Path(tempfile.mkdtemp(prefix="raystream-kafka-"))
            plan = new_plan(
                home,
                nodes,
                secure=secure,
                properties=dict(properties or {}),
                throughput=throughput,
            )
            try:
                return cls._run(plan, outlive=outlive, temporary=directory is None)
            except BrokerError as error:
                shutil.rmtree(home)
                if attempt == _ATTEMPTS or not any(sign in str(error) for sign in _PORT_TAKEN):
                    raise
        raise AssertionError

    @classmethod
    def open(cls, directory: Path) -> Broker | None:
        """The cluster that lives in a folder, running or not; None where there is none.

        Args:
            directory: The folder given to `start`.
        """
        plan = load_plan(directory)
        if plan is None:
            return None
        nodes = [BrokerNode(plan, node, outlive=True) for node in plan.nodes]
        return cls(plan.bootstrap, nodes, plan, temporary=False)

    @classmethod
    def attach(cls, bootstrap: str) -> Broker:
        """A plain-text cluster that somebody else runs: topics can be made, nothing can be broken.

        Args:
            bootstrap: Its addresses.
        """
        return cls(bootstrap, (), None, temporary=False)

    @classmethod
    def _run(cls, plan: ClusterPlan, *, outlive: bool, temporary: bool) -> Broker:
        save_plan(plan)
        if plan.secure and not plan.tls_directory.exists():
            make_certificates(plan.tls_directory)
        nodes = [
            BrokerNode(plan, node, outlive=outlive, temporary=temporary) for node in plan.nodes
        ]
        broker = cls(plan.bootstrap, nodes, plan, temporary=temporary)
        try:
            broker._launch_all()
        except BaseException:
            broker._kill_all()
            raise
        return broker

    @property
    def directory(self) -> Path:
        """Where the cluster lives.

        Raises:
            BrokerError: Somebody else runs it.
        """
        return self._own_plan().directory

    @property
    def security(self) -> dict[str, str]:
        """Client settings (librdkafka's names) of user `job`; empty for a plain-text cluster."""
        return self.security_of("job")

    def security_of(self, user: str) -> dict[str, str]:
        """Client settings (librdkafka's names) of one user; empty for a plain-text cluster.

        Args:
            user: `admin`, who may do everything, or `job`, who may do what `allow` gives.
        """
        if self._plan is None or not self._plan.secure:
            return {}
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": self._plan.passwords[user],
            "ssl.ca.location": str(self._plan.tls_directory / "ca.pem"),
        }

    @property
    def admin(self) -> BrokerAdmin:
        """Administration, by the user who may do everything."""
        if self._admin is None:
            self._admin = BrokerAdmin(self.bootstrap, self.security_of("admin"))
        return self._admin

    def create_topic(
        self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None
    ) -> str:
        """Makes a topic and waits until each partition has a leader.

        Args:
            name: The topic.
            partitions: How many partitions.
            config: Topic settings, such as `max.message.bytes`.

        Returns:
            The name.
        """
        self.admin.create_topic(name, partitions, config or {})
        return name

    def delete_topic(self, name: str) -> None:
        """Deletes a topic.

        Args:
            name: The topic.
        """
        self.admin.delete_topic(name)

    def allow(
        self,
        user: str = "job",
        *,
        read: Sequence[str] = (),
        write: Sequence[str] = (),
        prefix: str = "",
    ) -> None:
        """Gives a user of a secured cluster what one job needs, and no more.

        Args:
            user: The SCRAM user.
            read: Topics it may read.
            write: Topics it may write.
            prefix: What its transactional ids and groups begin with.
        """
        self.admin.allow(user, read, write, prefix)

    def kill(self, node: int = 0) -> None:
        """SIGKILL to one broker.

        Args:
            node: Which, counted from 0.
        """
        self.nodes[node].kill()

    def restart(self, node: int = 0) -> None:
        """Starts one broker again on its port and data; kills it first if it still runs.

        Args:
            node: Which, counted from 0.
        """
        self.nodes[node].kill()
        self.nodes[node].launch()
        self.nodes[node].wait_ready()

    def freeze(self, node: int = 0) -> None:
        """SIGSTOP to one broker: connections stay open, nothing answers.

        Args:
            node: Which, counted from 0.
        """
        self.nodes[node].signal(signal.SIGSTOP)

    def thaw(self, node: int = 0) -> None:
        """SIGCONT to one broker.

        Args:
            node: Which, counted from 0.
        """
        self.nodes[node].signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stops every broker; the temporary folder, if it had one, goes too."""
        self._admin = None
        if self._temporary:
            self._kill_all()  # nobody reads the data again: a clean stop would only take time
            shutil.rmtree(self._own_plan().directory)
            self._temporary = False
            return
        for node in self.nodes:
            node.terminate()
        for node in self.nodes:
            node.wait_ended()

    def __enter__(self) -> Broker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _own_plan(self) -> ClusterPlan:
        if self._plan is None:
            message = "this cluster was not started here"
            raise BrokerError(message, self.bootstrap)
        return self._plan

    def _launch_all(self) -> None:
        down = [node for node in self.nodes if not node.alive()]
        for node in down:
            node.format()
            node.launch()
        _wait_all(down)

    def _kill_all(self) -> None:
        for node in self.nodes:
            node.kill()


def _wait_all(nodes: Iterable[BrokerNode]) -> None:
    for node in nodes:
        node.wait_ready()


def _same(old: ClusterPlan, nodes: int, *, secure: bool) -> ClusterPlan:
    if (len(old.nodes), old.secure) != (nodes, secure):
        kind = "secured" if old.secure else "plain"
        message = f"a {kind} cluster of {len(old.nodes)} nodes lives there already"
        raise BrokerError(message, str(old.directory), "stop it and choose another folder")
    return old
