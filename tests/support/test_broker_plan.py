"""The written side of the test broker: its plan, its ports, its server.properties."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

from tests.support.broker.plan import PLAN_FILE, load_plan, new_plan, save_plan
from tests.support.broker.ports import HOST, free_ports, is_free
from tests.support.broker.properties import initial_controllers, server_properties


def as_dict(text: str) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in text.splitlines())
    return {key: value for key, value in pairs}


def test_plan_survives_its_file_and_is_private(tmp_path: Path) -> None:
    plan = new_plan(tmp_path, 3, secure=True, properties={"log.retention.ms": "5"})
    save_plan(plan)
    assert load_plan(tmp_path) == plan
    assert stat.S_IMODE((tmp_path / PLAN_FILE).stat().st_mode) == 0o600


def test_folder_without_plan_has_none(tmp_path: Path) -> None:
    assert load_plan(tmp_path) is None


def test_ports_are_distinct_free_and_below_the_ephemeral_range() -> None:
    ports = free_ports(6)
    assert len(set(ports)) == 6
    assert all(12_000 <= port < 32_000 and is_free(port) for port in ports)


def test_port_in_use_is_not_free() -> None:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        assert not is_free(listener.getsockname()[1])


def test_three_nodes_replicate_and_survive_one(tmp_path: Path) -> None:
    plan = new_plan(tmp_path, 3)
    values = as_dict(server_properties(plan, plan.nodes[1]))
    assert values["node.id"] == "2"
    assert values["transaction.state.log.replication.factor"] == "3"
    assert values["transaction.state.log.min.isr"] == "2"
    assert initial_controllers(plan).count(",") == 2


def test_given_properties_win(tmp_path: Path) -> None:
    plan = new_plan(tmp_path, 1, properties={"transaction.max.timeout.ms": "1000"})
    values = as_dict(server_properties(plan, plan.nodes[0]))
    assert values["transaction.max.timeout.ms"] == "1000"
    assert values["default.replication.factor"] == "1"


def test_only_a_secured_cluster_asks_for_a_login(tmp_path: Path) -> None:
    plain = new_plan(tmp_path, 1)
    secured = new_plan(tmp_path, 1, secure=True)
    assert "CLIENT:PLAINTEXT" in server_properties(plain, plain.nodes[0])
    assert "CLIENT:SASL_SSL" in server_properties(secured, secured.nodes[0])
    assert plain.passwords == {}
    assert secured.passwords.keys() == {"admin", "job"}
    assert secured.passwords["job"] not in repr(secured)
