"""The RayJob manifest holds to the fields and types of KubeRay's and Kubernetes' own schemas.

FIELDS names what such a manifest may say, closed at every level: a misspelt or misplaced field is
refused, as `kubectl apply --dry-run=server` would. Names and types are those of KubeRay 1.7.0
(`rayjobs.ray.io`, v1), against whose whole definition, closed in the same way, the manifest was
checked when it was written; that definition is 1.4 MB and not kept here.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml

from raystream.api.environment import doubts
from raystream.cli.app import app
from raystream.graph.logical import LogicalGraph
from raystream.storage.obstore import ObjectStore
from raystream.storage.open import open_store

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "configs" / "kuberay" / "rayjob.yaml"

TEXT, FLAG = {"type": "string"}, {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 0}
TEXTS = {"type": "object", "additionalProperties": TEXT}


def closed(required: str = "", **fields: Any) -> dict[str, Any]:
    """A map with these fields and no others."""
    shape = {"type": "object", "properties": fields, "additionalProperties": False}
    return {**shape, "required": required.split()}


def several(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


RESOURCES = {"type": "object", "additionalProperties": {"type": ["string", "integer"]}}
CONTAINER = closed(
    "name image",
    name=TEXT,
    image=TEXT,
    ports=several(closed("containerPort", name=TEXT, containerPort=COUNT)),
    env=several(closed("name value", name=TEXT, value=TEXT)),
    envFrom=several(closed("secretRef", secretRef=closed("name", name=TEXT))),
    resources=closed(requests=RESOURCES, limits=RESOURCES),
)
POD = closed(
    "spec",
    metadata=closed(labels=TEXTS, annotations=TEXTS),
    spec=closed("containers", containers=several(CONTAINER), terminationGracePeriodSeconds=COUNT),
)
HEAD = closed("template", rayStartParams=TEXTS, template=POD, serviceType=TEXT)
WORKERS = closed(
    "groupName minReplicas maxReplicas template",
    groupName=TEXT,
    replicas=COUNT,
    minReplicas=COUNT,
    maxReplicas=COUNT,
    rayStartParams=TEXTS,
    template=POD,
)
CLUSTER = closed(
    "headGroupSpec",
    rayVersion=TEXT,
    authOptions=closed(mode={"enum": ["disabled", "token"]}, secretName=TEXT),
    headGroupSpec=HEAD,
    workerGroupSpecs=several(WORKERS),
)
JOB = closed(
    entrypoint=TEXT,
    submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
    backoffLimit=COUNT,
    activeDeadlineSeconds=COUNT,
    shutdownAfterJobFinishes=FLAG,
    ttlSecondsAfterFinished=COUNT,
    suspend=FLAG,
    runtimeEnvYAML=TEXT,
    rayClusterSpec=CLUSTER,
)
FIELDS = closed(
    "apiVersion kind metadata spec",
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=closed("name", name=TEXT, namespace=TEXT, labels=TEXTS, annotations=TEXTS),
    spec=JOB,
)


@pytest.fixture
def manifest() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(MANIFEST.read_text())
    return loaded


def pods(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = manifest["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"]["spec"]["containers"][0] for group in groups]


def test_the_manifest_says_only_what_kuberay_knows(manifest: dict[str, Any]) -> None:
    jsonschema.validate(manifest, FIELDS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("shutdownAfterJobFinishes", "shutdownAfterJobFinish"),
        ("backoffLimit: 2", 'backoffLimit: "2"'),
        ("mode: token", "mode: tokens"),
        ('num-cpus: "1"', "num-cpus: 1"),
        ("secretRef", "secret"),
    ],
)
def test_a_slip_would_be_seen(old: str, new: str) -> None:
    text = MANIFEST.read_text()
    assert old in text
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text.replace(old, new)), FIELDS)


def test_the_command_is_one_of_ours(manifest: dict[str, Any]) -> None:
    shell, command, *arguments = shlex.split(manifest["spec"]["entrypoint"])
    assert (shell, command) == ("exec", "raystream")
    verb = app().commands[arguments[0]]
    with click.Context(verb) as context:
        verb.parse_args(context, arguments[1:])
    assert (ROOT / "configs" / Path(arguments[1]).name).is_file()


def test_every_pod_has_what_a_subtask_needs(
    manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any node may run any subtask: the same image, settings and credentials everywhere."""
    head, *workers = pods(manifest)
    assert workers
    for pod in workers:
        assert {k: pod[k] for k in ("image", "env", "envFrom")} == {
            k: head[k] for k in ("image", "env", "envFrom")
        }
    settings = {one["name"]: one["value"] for one in head["env"]}
    assert doubts(LogicalGraph(()), settings) == []
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert isinstance(open_store(settings["RAYSTREAM_CHECKPOINT_STORAGE"]), ObjectStore)


def test_the_version_of_ray_is_the_one_that_is_tested(manifest: dict[str, Any]) -> None:
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    assert f"ray=={manifest['spec']['rayClusterSpec']['rayVersion']}" in pinned
