"""Deploying: open every subtask with its state, connect and start them."""

from __future__ import annotations

from raystream.errors import RaystreamError
from raystream.ids import SubtaskId
from raystream.job.deployment import open_requests
from raystream.job.life import Life
from raystream.job.messages import (
    Address,
    Connect,
    Connected,
    Died,
    JobCommand,
    JobEvent,
    Open,
    Opened,
    Start,
    StopKind,
    StopRequested,
    Tick,
)
from raystream.job.states import ended, failing, running
from raystream.job.states.state import Step


class Deploying:
    """All Opened -> Connect; all Connected -> Start."""

    name = "deploying"

    def __init__(self) -> None:
        self._addresses: dict[SubtaskId, Address] = {}
        self._connected: set[SubtaskId] = set()

    def enter(self, life: Life) -> Step:
        """Reset survivors, replace dead subtasks, and place none on a suspect node."""
        try:
            requests = open_requests(life)
        except RaystreamError as error:  # e.g. a step of the checkpoint is not in the plan
            return ended.failed(error), []
        life.opened = life.attempt
        life.report.opening()
        life.liveness.watch(life.spec.plan.subtasks(), life.now)
        return self, [Open(requests, life.suspects)]

    def handle(self, life: Life, event: JobEvent) -> Step:
        """Handle one event; a subtask that dies while others open fails the attempt at once."""
        match event:
            case Opened(subtask, _, address, node):
                return self._opened(life, subtask, address, node)
            case Connected(subtask, _):
                return self._is_connected(life, subtask)
            case Died(subtask, _, failure):
                return failing.Failing([(subtask, failure)]), []
            case Tick():
                return self._tick(life)
            case StopRequested(StopKind.STOP) if life.may_end_now:  # nothing runs to be committed
                return ended.Ended("stopped"), []
        return self, []

    def _opened(self, life: Life, subtask: SubtaskId, address: Address, node: str) -> Step:
        life.liveness.opened(subtask, life.now)
        life.nodes[subtask] = node
        life.suspects -= {node}
        self._addresses[subtask] = address
        commands: list[JobCommand] = []
        if len(self._addresses) == len(life.spec.plan.subtasks()):
            commands.append(Connect(life.opened, dict(self._addresses)))
        return self, commands

    def _is_connected(self, life: Life, subtask: SubtaskId) -> Step:
        self._connected.add(subtask)
        if len(self._connected) < len(life.spec.plan.subtasks()):
            return self, []
        return running.Running(), [Start(life.opened)]

    def _tick(self, life: Life) -> Step:
        silent = life.silent()
        if silent:
            return failing.Failing([(died.subtask, died.failure) for died in silent]), []
        return self, life.pings()
