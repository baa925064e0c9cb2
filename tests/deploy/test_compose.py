"""The compose file: services that name one another, our own commands, a page that is scraped.

It has not been run: no Docker daemon runs on machines of CI.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import yaml

from raystream.api.environment import doubts
from raystream.cli.app import app
from raystream.graph.logical import LogicalGraph

COMPOSE = Path(__file__).parents[2] / "configs" / "compose"
LOADED: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = LOADED["services"]


def test_services_wait_for_services_that_are_there_and_volumes_are_declared() -> None:
    declared = set(LOADED["volumes"])
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", ())) <= SERVICES.keys(), name
        shared = service.get("network_mode", "service:ray").partition(":")[2]
        assert shared in SERVICES
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            known = (COMPOSE / source).is_file() if source.startswith(".") else source in declared
            assert known, volume
    for waited in {n for s in SERVICES.values() for n in s.get("depends_on", ())} - {"topics"}:
        assert "healthcheck" in SERVICES[waited]


def test_commands_and_variables_are_ours() -> None:
    for name in ("job", "page"):
        program, verb, *arguments = shlex.split(SERVICES[name]["command"])
        assert program == "raystream"
        command = app().commands[verb]
        with click.Context(command) as context:
            command.parse_args(context, arguments)
        assert doubts(LogicalGraph(()), SERVICES[name]["environment"]) == []


def test_everything_that_reads_rows_has_the_same_image_storage_and_brokers() -> None:
    ours = [SERVICES[name] for name in ("ray", "job", "page")]
    for key in ("image", "volumes", "environment"):
        assert all(service[key] == ours[0][key] for service in ours)


def test_nothing_is_published_beyond_this_machine_and_the_page_asks_for_its_token() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    scraped = yaml.safe_load((COMPOSE / "prometheus.yaml").read_text())["scrape_configs"][0]
    assert scraped["honor_labels"] is True
    assert scraped["authorization"]["credentials_file"] == "/run/secrets/page-token"
    assert SERVICES["prometheus"]["secrets"] == ["page-token"]


def test_a_failure_that_repeats_is_not_restarted_for_ever() -> None:
    assert SERVICES["job"]["restart"] == "on-failure:3"


def test_the_image_holds_what_the_job_runs() -> None:
    image = (COMPOSE / "Dockerfile").read_text()
    root = COMPOSE.parents[1]
    for line in re.findall(r"^COPY (.*) \S+$", image, re.MULTILINE):
        assert all((root / source).exists() for source in line.split()), line
    target = shlex.split(SERVICES["job"]["command"])[2]
    assert f"configs/{target} /app/" in image
