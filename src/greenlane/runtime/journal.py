"""The journal: one way to append to a run. Commits a step, keeps the held change current, hands the ids to the bus.

Called by the worker (for agents) and by the desk (for people), so that both append by the same rules.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec

from greenlane.bus.protocol import Bus, Message
from greenlane.domain import events as e
from greenlane.domain.change import Change, Recorded, apply
from greenlane.domain.ids import CONTROL_STREAM
from greenlane.ledger.entry import Entry
from greenlane.ledger.store import Handled, Lease, LedgerStore, LedgerUnavailableError, Step
from greenlane.policy.lifecycle import Standing, State, assess_standing
from greenlane.ports.clock import Clock
from greenlane.runtime.recording import Writer, make_drafts, read_back

log = logging.getLogger(__name__)
PUBLISHED_BATCH = 256  # ids whose outbox rows are removed together: one small write instead of many
FLUSH_S = 0.2  # how long a published id may stand in the outbox; a crash meanwhile only republishes it

STATUS = {State.AWAITING_HUMAN: "waiting", State.PAUSED: "paused"}
SLOT_KEEPING = frozenset({State.STAGING, State.VALIDATING, State.DEPLOYING, State.PAUSED})


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What an append left behind: the change, where it stands, and whether the run is still held."""

    change: Change
    standing: Standing
    released: bool


class Journal:
    def __init__(
        self,
        store: LedgerStore,
        clock: Clock,
        *,
        required_fields: tuple[str, ...],
        lease_ttl_s: float,
    ) -> None:
        self.store = store
        self._clock = clock
        self._required_fields = required_fields
        self._lease_ttl_s = lease_ttl_s
        self.bus: Bus | None = None
        """Where ids go once this process works on runs; before that they stay in the outbox for a worker."""
        self.committed: Callable[[Sequence[Entry]], None] = lambda _: None
        """Told of every commit, before the bus is."""
        self._published: list[int] = []
        self._paused: dict[str, e.Paused] = {}
        self._control_version = 0
        self._control_stale = True

    async def write(
        self,
        change: Change,
        events: Sequence[e.Event],
        *,
        writer: Writer,
        causation_id: str,
        handled: tuple[Handled, ...] = (),
        lease: Lease | None = None,
        release: bool = False,
    ) -> Written:
        """Append to a run: entries, inbox mark, status, lease and slots in one transaction; then publish the ids.

        With a lease, the run is released in the same transaction if nothing is due any more, or if `release` is set.
        Raises VersionConflictError, LeaseLostError, IncompleteDecisionError, LedgerUnavailableError.
        """
        now = self._clock.now()
        drafts = make_drafts(
            events,
            stream=change.run,
            change=change,
            after_version=change.version,
            causation_id=causation_id,
            now=now,
            writer=writer,
        )
        after = change
        for draft, event in zip(drafts, events, strict=True):
            foreseen = Recorded(
                seq=0,
                event_id=draft.event_id,
                agent=draft.agent,
                timestamp=draft.timestamp,
                event=event,  # type: ignore[arg-type]  # the union holds every event class
            )
            after = apply(after, foreseen, change.run)
        standing = assess_standing(after, await self.pause_of(after))
        released = lease is not None and (release or standing.due is None)
        entries = await self.store.commit(
            Step(
                stream=change.run,
                expected_version=change.version,
                drafts=drafts,
                required_fields=self._required_fields,
                handled=handled,
                status=_status_of(standing),
                lease=lease,
                lease_ttl_s=self._lease_ttl_s,
                release_lease=released,
                release_slots=standing.state not in SLOT_KEEPING,
            )
        )
        await self.publish(entries)
        return Written(change=_with_places(after, entries), standing=standing, released=released)

    async def queue(self, change: Change, lease: Lease) -> None:
        """Let go of a run that waits for a production slot; whoever frees the slot looks for it."""
        await self.store.commit(
            Step(
                stream=change.run,
                expected_version=change.version,
                drafts=(),
                status="queued",
                lease=lease,
                release_lease=True,
            )
        )

    async def open(self, run: str, event: e.PrOpened, *, writer: Writer) -> None:
        """Begin a run. Raises VersionConflictError if it has begun already."""
        drafts = make_drafts(
            (event,), stream=run, change=None, after_version=0, causation_id="", now=self._clock.now(), writer=writer
        )
        await self.publish(await self.store.commit(Step(stream=run, expected_version=0, drafts=drafts, status="open")))

    async def write_control(self, event: e.Event, *, writer: Writer, repo: str) -> None:
        """Append to the control stream (pauses, installations), which belongs to no pull request."""
        self._control_stale = True
        await self._read_control()
        drafts = make_drafts(
            (event,),
            stream=CONTROL_STREAM,
            change=None,
            after_version=self._control_version,
            causation_id="",
            now=self._clock.now(),
            writer=writer,
            repo=repo,
        )
        step = Step(stream=CONTROL_STREAM, expected_version=self._control_version, drafts=drafts, status="control")
        self._control_stale = True
        await self.publish(await self.store.commit(step))

    async def publish(self, entries: Sequence[Entry]) -> None:
        """Hand the ids of committed entries to the bus; their outbox rows go later, together."""
        if not entries:
            return
        self.committed(entries)
        if self.bus is None:
            return
        await self.bus.publish([Message(x.seq, x.type, x.stream) for x in entries])
        self._published.extend(x.seq for x in entries)
        if len(self._published) >= PUBLISHED_BATCH:
            await self._flush()

    async def relay(self) -> int:
        """Publish what the outbox still holds (after a crash, or written by another process); how many."""
        if self.bus is None:
            return 0
        await self._flush()
        items = await self.store.unpublished()
        if items:
            await self.bus.publish([Message(x.seq, x.type, x.stream) for x in items])
            await self.store.mark_published([x.seq for x in items])
        return len(items)

    async def keep_flushing(self) -> None:
        """Remove published ids from the outbox for as long as this task runs."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self._flush()

    async def _flush(self) -> None:
        seqs, self._published = self._published, []
        if seqs:
            try:
                await self.store.mark_published(seqs)
            except LedgerUnavailableError:
                self._published = seqs + self._published
                log.warning("the outbox can't be cleared right now; it is tried again")

    async def pause_of(self, change: Change) -> e.Paused | None:
        """The pause in force for this change, if there is one."""
        await self._read_control()
        if not self._paused:
            return None
        services = change.review.services if change.review else ()
        return next((self._paused[scope] for scope in ("org", *services) if scope in self._paused), None)

    def look_again(self) -> None:
        """Another process may have paused or resumed: read the control stream before the next answer."""
        self._control_stale = True

    async def _read_control(self) -> None:
        if not self._control_stale:
            return
        self._control_stale = False
        for entry in await self.store.read_stream(CONTROL_STREAM, self._control_version):
            if entry.version == self._control_version + 1:
                self._control_version = entry.version
                match read_back(entry).event:
                    case e.Paused() as event:
                        self._paused[event.scope] = event
                    case e.Resumed() as event:
                        self._paused.pop(event.scope, None)
                    case _:
                        pass


def _status_of(standing: Standing) -> str:
    return "ended" if standing.ended else STATUS.get(standing.state, "open")


def _with_places(change: Change, entries: Sequence[Entry]) -> Change:
    """The change with the places (`seq`) that its newest events were given."""
    if not entries:
        return change
    known = change.history[: -len(entries)]
    placed = (
        msgspec.structs.replace(recorded, seq=entry.seq)
        for recorded, entry in zip(change.history[-len(entries) :], entries, strict=True)
    )
    return msgspec.structs.replace(change, history=(*known, *placed))
