"""One attempt in a subtask process: channels, task, and the one thread that runs its steps."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from raystream.context import Points
from raystream.ids import StepName, SubtaskId
from raystream.job.messages import Failure
from raystream.job.spec import OpenRequest
from raystream.observe.json_form import to_json
from raystream.runtime.build import build_task
from raystream.runtime.channels.connection import IoThread
from raystream.runtime.channels.handshake import Membership
from raystream.runtime.channels.listener import ChannelListener, SocketAddress, connect
from raystream.runtime.channels.socket import SocketReader, SocketWriter
from raystream.runtime.collector import calm
from raystream.runtime.failure import failure_of
from raystream.runtime.pace_start import first_ahead
from raystream.runtime.stuck import stuck_in
from raystream.runtime.system_clock import SystemClock
from raystream.runtime.tail import Mark, Row
from raystream.runtime.task import Finished, Mail, Snapshot, SourceDry, Task, Waiting
from raystream.runtime.task_times import TaskTimes
from raystream.storage.base import Store

log = logging.getLogger("raystream.subtask")

BACKGROUND_THREADS = 4
_LONGEST_WAIT = 1.0


@dataclass(frozen=True, slots=True)
class Over:
    """News: the attempt was ended from outside; no more news follows."""


News = SourceDry | Failure | Over


class AttemptRun:
    """Channels and task of one subtask for one attempt. Every method except `stop` is quick.

    Args:
        request: Role and state of the subtask in this attempt.
        node: Id of this node.
        host: IP address to listen on.
        point: Named points where tests may kill.
    """

    def __init__(self, request: OpenRequest, node: str, host: str, point: Points) -> None:
        self.request = request
        self._node = node
        self._point = point
        self._woken = threading.Event()
        self._stopping = False
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._snapshots: dict[int, Snapshot] = {}
        self._reported = threading.Condition()
        self._task: Task | None = None
        self._times: TaskTimes | None = None
        self._thread: threading.Thread | None = None
        self._writers: list[SocketWriter] = []
        self._background = ThreadPoolExecutor(BACKGROUND_THREADS, "raystream-background")
        self._io = IoThread()
        self._first = first_ahead(request.job.plan)
        channels = request.job.plan.channels_into(request.subtask)
        self._readers = {
            channel: SocketReader(channel, self._woken.set, limit=self._first)
            for channel in channels
        }
        self._member = Membership(request.job.name, request.attempt, request.channel_key)
        self._listener = ChannelListener(
            self._member, self._readers, self._io, node=node, host=host
        )

    @property
    def attempt(self) -> int:
        """Number of the attempt."""
        return self.request.attempt

    @property
    def address(self) -> SocketAddress:
        """Where upstream subtasks connect."""
        return self._listener.address

    def connect(self, addresses: Mapping[SubtaskId, SocketAddress], store: Store) -> None:
        """Connect to every downstream subtask, then build the task and restore its state.

        Raises:
            Exception: a channel, the storage, user code or a broker failed.
        """
        me, writers = self.request.subtask, {}
        for channel in self.request.job.plan.channels_out_of(me):
            sock = connect(addresses[channel.target], self._node, self._member, channel)
            writers[channel] = SocketWriter(
                channel, sock, self._io, self._woken.set, limit=self._first
            )
        self._writers = list(writers.values())
        self._task = build_task(
            self.request,
            store,
            self._readers,
            writers,
            clock=SystemClock(),
            background=self._background,
            report=self._report,
            point=self._point,
            wake=self._woken.set,
        )

    def start(self) -> None:
        """Start the processing thread."""
        assert self._task is not None, "start before connect"
        if self._thread is not None:
            return
        calm()
        self._times = TaskTimes(self._task, time.monotonic)
        self._thread = threading.Thread(
            target=self._process, args=(self._times,), name="raystream-processing", daemon=True
        )
        self._thread.start()

    def mail(self, mail: Mail) -> None:
        """Put a mail into the task's mailbox and wake it."""
        assert self._task is not None, "a mail before connect"
        self._task.mail(mail)
        self._woken.set()

    def stats(self) -> Mapping[str, object]:
        """Counters of the task; empty before it is built."""
        if self._task is None:
            return {}
        found = self._task.observe().to_dict()
        since = self._times.working_since if self._times is not None else None
        if since is not None:  # on one batch, perhaps for a long time
            seconds = time.monotonic() - since
            found["busy_seconds"] += seconds
            thread = self._thread.ident if self._thread is not None else None
            stuck = stuck_in(self.request.subtask, thread, seconds)
            found["stuck"] = None if stuck is None else to_json(stuck)
        return found

    def tail(self, step: StepName, mark: Mark | None) -> tuple[list[Row], Mark | None]:
        """Rows that passed a step since the mark; see `Taps.since`."""
        return self._task.taps.since(step, mark) if self._task is not None else ([], None)

    def next_news(self) -> News:
        """Wait for the next news: dry, failed, or over."""
        return self._news.get()

    def snapshot(self, checkpoint: int) -> Snapshot | None:
        """Wait until the task reports this snapshot; None: the attempt ended before."""
        with self._reported:
            self._reported.wait_for(lambda: checkpoint in self._snapshots or self._stopping)
            return self._snapshots.pop(checkpoint, None)

    def stop(self, timeout: float) -> bool:
        """End the attempt; nothing pre-committed is aborted. False: user code does not return."""
        self._stopping = True
        self._woken.set()
        self._tell(Over())
        if self._thread is None:
            self._close()
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # -- the processing thread -----------------------------------------------------------------

    def _process(self, times: TaskTimes) -> None:
        try:
            self._loop(times)
        except Exception as error:  # noqa: BLE001 - whatever a step raises fails the attempt
            failure = failure_of(error)
            follows = failure.kind == "channel"  # a neighbour failed first, and reports it
            log.error("failed: %s", failure.message, exc_info=None if follows else error)
            self._tell(failure)
        finally:
            self._close()

    def _loop(self, times: TaskTimes) -> None:
        while not self._stopping:
            self._woken.clear()
            progress = times.step()
            if isinstance(progress, Finished):
                # Downstream may still read what we sent: keep the channels until the attempt is
                # ended.
                self._wait(None)
            elif isinstance(progress, Waiting):
                self._wait(progress.until)

    def _wait(self, until: float | None) -> None:
        pause = _LONGEST_WAIT if until is None else min(until - time.monotonic(), _LONGEST_WAIT)
        if pause > 0:
            self._woken.wait(pause)

    def _report(self, report: Snapshot | SourceDry) -> None:
        if isinstance(report, SourceDry):
            self._news.put(report)
            return
        with self._reported:
            self._snapshots[report.checkpoint] = report
            self._reported.notify_all()

    def _tell(self, news: News) -> None:
        """Post the last news, and release all that wait for a snapshot."""
        self._news.put(news)
        with self._reported:
            self._stopping = True
            self._reported.notify_all()

    def _close(self) -> None:
        self._listener.close()
        close: Callable[[], None] = self._task.close if self._task is not None else lambda: None
        # The attempt has already ended and its cause has been reported.
        with contextlib.suppress(Exception):
            close()
        for writer in self._writers:
            writer.close()
        self._io.close()
        self._background.shutdown(wait=False, cancel_futures=True)
