"""The command behind scripts/kafka: a broker that outlives it, and topics to play with."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from raystream.errors import RaystreamError
from tests.support.broker.cluster import Broker
from tests.support.broker.failure import BrokerError
from tests.support.broker.jars import exclusive
from tests.support.broker.ports import HOST


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: Command line without the program's name; default: the process's own.

    Returns:
        Exit code: 0 done, 1 failed or (status) nothing runs, 2 usage.
    """
    options = _parser().parse_args(arguments)
    commands = {
        "start": _start,
        "stop": _stop,
        "status": _status,
        "fill": _fill,
        "read": _read,
    }
    try:
        with exclusive(options.dir.with_name(options.dir.name + ".lock")):
            return commands[options.command](options)
    except (BrokerError, RaystreamError) as error:
        print(f"scripts/kafka: {error}", file=sys.stderr)
        return 1


def default_directory() -> Path:
    """Where the cluster lives without --dir: under `$XDG_STATE_HOME`, else `~/.local/state`."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "raystream" / "kafka"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/kafka", description="A real Apache Kafka for development."
    )
    parser.add_argument("command", choices=("start", "stop", "status", "fill", "read"))
    parser.add_argument("topic", nargs="?", default="counts", help="read: of which topic")
    parser.add_argument("-n", type=int, default=5, help="read: how many records")
    parser.add_argument("--nodes", type=int, choices=(1, 3), default=1)
    parser.add_argument("--secure", action="store_true", help="SASL_SSL, SCRAM-SHA-512, ACLs")
    parser.add_argument("--throughput", action="store_true", help="larger heap, for benchmarks")
    parser.add_argument("--dir", type=Path, default=default_directory(), help="where it lives")
    return parser


def _start(options: argparse.Namespace) -> int:
    broker = Broker.start(
        options.nodes,
        options.secure,
        options.dir,
        throughput=options.throughput,
        outlive=True,
    )
    for user in ("admin", "job") if options.secure else ():
        path = options.dir / f"{user}.properties"
        _write_client_settings(path, broker.security_of(user))
        print(f"client settings of user {user}: {path}", file=sys.stderr)
    print(broker.bootstrap)
    return 0


def _write_client_settings(path: Path, settings: dict[str, str]) -> None:
    path.touch(mode=0o600)
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))


def _stop(options: argparse.Namespace) -> int:
    broker = Broker.open(options.dir)
    if broker:
        broker.stop()
    return 0


def _status(options: argparse.Namespace) -> int:
    broker = Broker.open(options.dir)
    if broker is None:
        print(f"no cluster in {options.dir}")
        return 1
    for node in broker.nodes:
        state = f"running as process {node.pid}" if node.alive() else "stopped"
        print(f"node {node.plan.number}: {HOST}:{node.plan.client_port} {state}")
    return 0 if all(node.alive() for node in broker.nodes) else 1


def _running(options: argparse.Namespace) -> str:
    broker = Broker.open(options.dir)
    if broker is None or not all(node.alive() for node in broker.nodes):
        text = f"no cluster runs in {options.dir}; `scripts/kafka start` first"
        raise BrokerError(text)
    return broker.bootstrap


def _fill(options: argparse.Namespace) -> int:
    from tests.support.play import fill

    fill(_running(options))
    return 0


def _read(options: argparse.Namespace) -> int:
    from tests.support.play import read

    read(_running(options), options.topic, options.n)
    return 0


if __name__ == "__main__":
    sys.exit(main())
