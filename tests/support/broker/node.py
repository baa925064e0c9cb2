"""One Kafka process: formatted, started, killed, frozen, started again on the same port."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import asdict
from pathlib import Path

from tests.support.broker.failure import BrokerError
from tests.support.broker.jars import find_java, kafka_jars
from tests.support.broker.plan import ClusterPlan, NodePlan
from tests.support.broker.process import ProcessMark, kill_after_me, mark_of
from tests.support.broker.properties import initial_controllers, server_properties

READY = "Kafka Server started"
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 15.0

_SMALL_JVM = ("-Xms64m", "-Xmx256m", "-XX:TieredStopAtLevel=1")
_FAST_JVM = ("-Xms512m", "-Xmx512m")
_JVM = ("-XX:+UseSerialGC", "-Xss512k", "-XX:-UsePerfData", "-Djava.awt.headless=true")
# Unconfigured, slf4j-simple prints 2 371 lines per start; with these it prints 4.
_QUIET = tuple(
    f"-Dorg.slf4j.simpleLogger.{setting}"
    for setting in (
        "defaultLogLevel=warn",
        "showDateTime=true",
        "log.kafka.network.DataPlaneAcceptor=info",
        "log.kafka.server.KafkaRaftServer=info",
    )
)


class BrokerNode:
    """One broker of a test cluster.

    Args:
        plan: The cluster.
        node: Which of its nodes this is.
        outlive: Whether it continues after the process that started it.
        temporary: Whether its cluster's folder goes when that process ends.
    """

    def __init__(
        self, plan: ClusterPlan, node: NodePlan, *, outlive: bool = False, temporary: bool = False
    ) -> None:
        self.plan = node
        self.directory = plan.node_directory(node)
        self._cluster = plan
        self._outlive = outlive
        self._doomed = plan.directory if temporary else None
        self._child: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._mark = _load_mark(self._mark_file)
        self._log_start = 0

    @property
    def pid(self) -> int:
        """The id of the Java process.

        Raises:
            BrokerError: It does not run.
        """
        if self._mark is None or not self.alive():
            message = f"node {self.plan.number} does not run"
            raise BrokerError(message)
        return self._mark.pid

    @property
    def log_file(self) -> Path:
        """What the broker printed, over all its starts."""
        return self.directory / "broker.log"

    @property
    def _mark_file(self) -> Path:
        return self.directory / "process.json"

    def alive(self) -> bool:
        """Whether the process runs; a frozen one does."""
        return self._mark is not None and self._mark.alive()

    def format(self) -> None:
        """Writes server.properties and makes the metadata log, once in the life of a node.

        Raises:
            BrokerError: The storage tool refused.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write_properties()
        if (self.directory / "data" / "meta.properties").exists():
            return
        done = subprocess.run(
            [*_java(throughput=False), "kafka.tools.StorageTool", *self._format_arguments()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            reason = _without_stack(done.stderr)
            message = f"node {self.plan.number} could not be formatted:\n{reason}"
            raise BrokerError(message)

    def launch(self) -> None:
        """Starts the process and returns at once; `wait_ready` waits for it."""
        if self.alive():
            message = f"node {self.plan.number} runs already, as process {self.pid}"
            raise BrokerError(message)
        self._log_start = self.log_file.stat().st_size if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self._child = subprocess.Popen(
                [*_java(throughput=self._cluster.throughput), "kafka.Kafka", self._properties],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                start_new_session=True,  # Ctrl-C in a terminal is for the tests, not for Kafka
            )
        self._mark = mark_of(self._child.pid)
        if self._mark:
            self._mark_file.write_text(json.dumps(asdict(self._mark)))
        if not self._outlive:
            self._watchdog = kill_after_me(self._child.pid, self._doomed)

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Waits until the broker serves clients.

        Args:
            timeout_s: How long to wait, in seconds.

        Raises:
            BrokerError: It ended instead (its last lines are in the text), or took too long.
        """
        deadline = time.monotonic() + timeout_s
        while READY not in self._printed():
            if not self.alive() or time.monotonic() > deadline:
                reason = "took too long to start" if self.alive() else "ended while it started"
                last = _without_stack(self._printed())
                self.kill()
                message = f"node {self.plan.number} {reason}; its last lines:\n{last}"
                raise BrokerError(message)
            time.sleep(0.03)

    def kill(self) -> None:
        """SIGKILL, and waits for the end; data and port stay for a restart."""
        self.signal(signal.SIGKILL)
        self.wait_ended(STOP_TIMEOUT_S)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process if it runs.

        Args:
            number: The signal; SIGSTOP freezes the broker, SIGCONT thaws it.
        """
        if self._mark:
            self._mark.send(number)

    def terminate(self) -> None:
        """Asks for a clean stop and returns at once; a frozen broker is thawed to obey."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)

    def wait_ended(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Waits for the end of the process; kills it when it takes too long.

        Args:
            timeout_s: How long to wait, in seconds.
        """
        deadline = time.monotonic() + timeout_s
        while self.alive():
            if time.monotonic() > deadline:
                self.signal(signal.SIGKILL)
            time.sleep(0.01)
        self._forget()

    def _forget(self) -> None:
        for process in (self._watchdog, self._child):
            if process:
                process.kill()
                process.wait()
        if self._watchdog and self._watchdog.stdin:
            self._watchdog.stdin.close()
        self._child = self._watchdog = self._mark = None
        self._mark_file.unlink(missing_ok=True)

    @property
    def _properties(self) -> str:
        return str(self.directory / "server.properties")

    def _write_properties(self) -> None:
        path = Path(self._properties)
        path.touch(mode=0o600)
        path.write_text(server_properties(self._cluster, self.plan))

    def _format_arguments(self) -> list[str]:
        quorum = ["--initial-controllers", initial_controllers(self._cluster)]
        users = [
            f"--add-scram=SCRAM-SHA-512=[name={user},password={password}]"
            for user, password in self._cluster.passwords.items()
        ]
        return ["format", "-t", self._cluster.cluster_id, "-c", self._properties, *quorum, *users]

    def _printed(self) -> str:
        with self.log_file.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")


def _java(*, throughput: bool) -> list[str]:
    jars = ":".join(str(jar) for jar in kafka_jars())
    size = _FAST_JVM if throughput else _SMALL_JVM
    return [find_java(), *size, *_JVM, *_QUIET, "-cp", jars]


def _without_stack(printed: str) -> str:
    lines = [line for line in printed.splitlines() if not line.startswith("\tat ")]
    return "\n".join(lines[-8:])


def _load_mark(path: Path) -> ProcessMark | None:
    return ProcessMark(**json.loads(path.read_text())) if path.is_file() else None
