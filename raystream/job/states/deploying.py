"""Deploying: open every subtask with its state, connect and start them."""

from __future__ import annotations

from raystream.errors import RaystreamError
from raystream.ids import SubtaskId
from raystream.job.context import JobContext
from raystream.job.deployment import open_requests
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

    def enter(self, context: JobContext) -> Step:
        """Reset survivors, replace dead subtasks, and place none on a suspect node."""
        try:
            requests = open_requests(context)
        except RaystreamError as error:  # e.g. a step of the checkpoint is not in the plan
            return ended.failed(error), []
        context.opened = context.attempt
        context.report.opening()
        context.liveness.watch(context.spec.plan.subtasks(), context.now)
        return self, [Open(requests, context.suspects)]

    def handle(self, context: JobContext, event: JobEvent) -> Step:
        """Handle one event; a subtask that dies while others open fails the attempt at once."""
        match event:
            case Opened(subtask, _, address, node):
                return self._opened(context, subtask, address, node)
            case Connected(subtask, _):
                return self._is_connected(context, subtask)
            case Died(subtask, _, failure):
                return failing.Failing([(subtask, failure)]), []
            case Tick():
                return self._tick(context)
            case StopRequested(StopKind.STOP) if context.may_end_now:  # nothing to commit
                return ended.Ended("stopped"), []
        return self, []

    def _opened(self, context: JobContext, subtask: SubtaskId, address: Address, node: str) -> Step:
        context.liveness.opened(subtask, context.now)
        context.nodes[subtask] = node
        context.suspects -= {node}
        self._addresses[subtask] = address
        commands: list[JobCommand] = []
        if len(self._addresses) == len(context.spec.plan.subtasks()):
            commands.append(Connect(context.opened, dict(self._addresses)))
        return self, commands

    def _is_connected(self, context: JobContext, subtask: SubtaskId) -> Step:
        self._connected.add(subtask)
        if len(self._connected) < len(context.spec.plan.subtasks()):
            return self, []
        return running.Running(), [Start(context.opened)]

    def _tick(self, context: JobContext) -> Step:
        silent = context.silent()
        if silent:
            return failing.Failing([(died.subtask, died.failure) for died in silent]), []
        return self, context.pings()
