"""Verbs that call the user's class for each row of a key, and their side outputs."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from raystream.api.arguments import checked
from raystream.api.key_columns import check_function
from raystream.api.origin import at_call, wrong
from raystream.api.output_verbs import OutputVerbs, check_tags
from raystream.api.pipeline import declared
from raystream.api.row_columns import returned
from raystream.api.verb_options import declared_or_annotated, policy_of
from raystream.graph.process import Process as UserProcess
from raystream.operators.process.step import Process
from raystream.operators.process_with.step import ProcessWith
from raystream.operators.reduce.step import Reduce
from raystream.units import Duration, milliseconds

if TYPE_CHECKING:
    from raystream.api.keyed import KeyedStream
    from raystream.api.stream import Stream
    from raystream.graph.logical import Edge


class ProcessVerbs(OutputVerbs):
    """Verbs of a keyed stream that are written by the user."""

    @checked
    def process(
        self,
        process: UserProcess,
        *,
        schema: Any = None,
        side_outputs: Mapping[str, Any] | Sequence[str] = (),
        errors: str = "fail",
        name: str | None = None,
        parallelism: int | None = None,
    ) -> typing.Self:
        """Call an object of your class with each row, with state and timers per key.

        State, timers and emitted rows are exactly once, over restarts and rescales. A row or timer
        that fails changes no state.

        Args:
            process: An object of a subclass of rs.Process. Each subtask has its own copy.
            schema: Columns of the emitted rows; also taken from a return annotation of `on_row`
                such as `Iterator[Order]`. Default: learnt by calling it before the run.
            side_outputs: Tag -> columns of the rows that `ctx.emit(tag, row)` emits; a list of
                tags: rows with the columns of the input. See `tagged`.

        >>> class Gaps(rs.Process):
        ...     last: rs.Value[int] = rs.state(ttl="1h")
        ...     def on_row(self, row, ctx):
        ...         before = self.last.get()
        ...         self.last.set(row["ts"])
        ...         if before is not None:
        ...             yield {"user": ctx.key, "gap": row["ts"] - before}
        >>> rows = [{"user": "a", "ts": 1000}, {"user": "b", "ts": 2000}, {"user": "a", "ts": 5000}]
        >>> clicks = rs.Pipeline("example").read(rs.Rows(rows), event_time="ts")
        >>> clicks.key_by("user").process(Gaps()).collect().to_dicts()
        [{'user': 'a', 'gap': 4000}]
        """
        _check_process(process, self._key, "process")
        columns = _columns(schema, process.on_row)
        step = Process(process, self._key, columns, _sides(side_outputs), policy_of(errors))
        return self._then(_with_states(step, broadcast=False), name, parallelism)

    @checked
    def process_with(
        self,
        other: Stream,
        process: UserProcess,
        *,
        broadcast: bool = False,
        schema: Any = None,
        side_outputs: Mapping[str, Any] | Sequence[str] = (),
        errors: str = "fail",
        name: str | None = None,
        parallelism: int | None = None,
    ) -> KeyedStream:
        """Call an object of your class with the rows of two streams, with state per key.

        `on_left` is called with the rows of this stream, `on_right` with those of the other one.
        Both are keyed, and see the same states and timers of a key. With `broadcast` the other
        stream needs no key: each of its rows goes to every subtask, to `on_right`, which keeps it
        in broadcast state for the rows of all keys.

        Args:
            other: The other stream, of the same pipeline, with a key of the same types.
            process: An object of a subclass of rs.Process with `on_left` and `on_right`.
            broadcast: Send the rows of the other stream to every subtask.
            schema: Columns of the emitted rows; also taken from the return annotation of `on_left`
                or `on_right`.
            side_outputs: As for `process`; columns of the input are those of this stream.

        >>> class Paid(rs.Process):
        ...     amount: rs.Value[int]
        ...     def on_left(self, row, ctx):
        ...         self.amount.set(row["amount"])
        ...     def on_right(self, row, ctx):
        ...         yield {"order": ctx.key, "open": self.amount.get(0) - row["sum"]}
        >>> p = rs.Pipeline("example")
        >>> orders = p.read(rs.Rows([{"id": 1, "amount": 9}]), name="orders").key_by("id")
        >>> payments = p.read(rs.Rows([{"order": 1, "sum": 7}]), name="payments").key_by("order")
        >>> columns = {"order": "int", "open": "int"}
        >>> orders.process_with(payments, Paid(), schema=columns).collect().to_dicts()
        [{'order': 1, 'open': 2}]
        """
        _check_process(process, self._key, "process_with")
        mine, theirs = self._alike([typing.cast("Stream", self), other], "process_with")
        _check_handlers(process)
        columns = _columns(schema, process.on_left) or _columns(None, process.on_right)
        if columns is None:
            text = "process_with: the columns of the rows that it gives are not known"
            raise wrong(text, 'declare them: schema={"id": "int", ..}')
        options = columns, _sides(side_outputs), policy_of(errors)
        step = ProcessWith(process, self._key, *options, broadcast=broadcast)
        step = _with_states(step, broadcast=broadcast)
        step = step.but(others=_other_keys(self._key, theirs, broadcast=broadcast))
        edges = (mine._edge, in_one_order(theirs) if broadcast else theirs._edge)
        edge = self._pipeline.add(step, edges, name=name, parallelism=parallelism)
        from raystream.api.keyed import KeyedStream

        return KeyedStream(self._pipeline, edge, self._key)

    @checked
    def reduce(
        self,
        function: Callable[[dict[str, Any], dict[str, Any]], Any],
        *,
        ttl: Duration | None = None,
        errors: str = "fail",
        name: str | None = None,
        parallelism: int | None = None,
    ) -> typing.Self:
        """Bring the rows of each key into one, step by step; each step is a row of the result.

        The first row of a key passes as it is. For every further one the function is called with
        the row so far and this one, in the order of arrival; what it returns is emitted, and is the
        row so far for the next. It has the columns of the rows, and the key of the row. The result
        is a stream to which rows are only added, as in Flink: see docs/process.md.

        Args:
            function: Called with two rows (dicts); returns a row with the same columns.
            ttl: A key without a row for so long in event time begins anew, such as "1d". Default:
                never; state grows with the number of keys.

        >>> rows = [{"k": "a", "n": 2}, {"k": "b", "n": 1}, {"k": "a", "n": 3}]
        >>> keyed = rs.Pipeline("example").read(rs.Rows(rows)).key_by("k")
        >>> keyed.reduce(lambda one, other: {"n": one["n"] + other["n"]}).collect().rows()
        [('a', 2), ('b', 1), ('a', 5)]
        """
        check_function(function, "reduce")
        if not self._key:
            text = "reduce needs a key: it brings the rows of a key into one"
            raise wrong(text, 'write .key_by("user").reduce(..)')
        reach = None if ttl is None else milliseconds(ttl, "ttl")
        step = Reduce(self._key, function, reach, policy_of(errors))
        return self._then(step, name, parallelism)

    def _alike(self, streams: Sequence[Stream], verb: str) -> Sequence[Stream]:
        """The streams, if they are of one pipeline."""
        raise NotImplementedError


S = TypeVar("S", bound=Process)


def _check_process(process: Any, key: tuple[str, ...], verb: str) -> None:
    if not isinstance(process, UserProcess):
        text = f"{verb} takes an object of a subclass of rs.Process, not {process!r}"
        called = isinstance(process, type) and issubclass(process, UserProcess)
        other = "" if verb == "process" else "other, "
        advice = f"write class MyProcess(rs.Process): .. and .{verb}({other}MyProcess())"
        raise wrong(text, f"write {process.__name__}()" if called else advice)
    if not key:
        text = f"{verb} needs a key: its state is kept per key"
        raise wrong(text, f'write .key_by("user").{verb}(..)')


def _check_handlers(process: UserProcess) -> None:
    kind = type(process)
    for name in ("on_left", "on_right"):
        if getattr(kind, name) is getattr(UserProcess, name):
            text = f"process_with: {kind.__name__} has no {name}"
            raise wrong(text, f"write def {name}(self, row, ctx): .. in it")


def _other_keys(key: tuple[str, ...], other: Stream, *, broadcast: bool) -> tuple[str, ...]:
    if broadcast:
        return ()
    theirs = other._key
    if not theirs:
        text = "process_with: the other stream has no key, so its rows belong to none"
        raise wrong(text, 'give it one: other.key_by("user"), or write broadcast=True')
    if len(theirs) != len(key):
        text = f"process_with: this stream has the key {key!r}, the other one {theirs!r}"
        raise wrong(text, "give both as many key columns")
    return theirs


def _with_states(step: S, *, broadcast: bool) -> S:
    """With the states of its class: types that are none are refused here."""
    with at_call():
        stored = step.stored()
    shared = [field.state.name for field in stored if field.is_broadcast]
    if shared and not broadcast:
        text = f"state {shared[0]!r} is broadcast, but no stream is"
        raise wrong(text, "write .process_with(rules, MyProcess(), broadcast=True)")
    if broadcast and not shared:
        text = f"{type(step.process).__name__} has no broadcast state, so it keeps no broadcast row"
        raise wrong(text, "declare it: rules: rs.Map[str, int] = rs.state(broadcast=True)")
    return step.but(states=stored)


def in_one_order(stream: Stream) -> Edge:
    """Its rows in one order for all who read them: gathered in one subtask, if they are not."""
    if stream._pipeline.node(stream._edge).parallelism == 1:
        return stream._edge
    return stream.union(parallelism=1)._edge


def _columns(schema: Any, method: Callable[..., Any]) -> Any:
    inner = typing.get_args(returned(method))
    return declared_or_annotated(schema, inner[0] if inner else None)


def _sides(outputs: Mapping[str, Any] | Sequence[str]) -> dict[str, Any]:
    if isinstance(outputs, str):
        outputs = [outputs]
    sides = dict(outputs) if isinstance(outputs, Mapping) else dict.fromkeys(outputs)
    check_tags(sides, "a side output")
    return {tag: None if kind is None else declared(kind) for tag, kind in sides.items()}
