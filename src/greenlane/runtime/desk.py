"""The desk: where people and pull requests come in. Each call appends to the ledger; agents do the rest.

Used by the faces. What a person may do is decided by `policy.people`; here it is only written down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from greenlane.domain import events as e
from greenlane.domain.change import Change, fold
from greenlane.domain.errors import InputError, RefusedError
from greenlane.domain.ids import CONTROL_STREAM, run_id
from greenlane.ledger.store import LedgerStore, VersionConflictError
from greenlane.policy.feedback import Verdict, assess_feedback
from greenlane.policy.lifecycle import State, assess_standing
from greenlane.policy.people import Refused, assess_approval
from greenlane.ports.clock import Clock
from greenlane.ports.code_host import CodeHost, PullRequest, SourceControl
from greenlane.runtime.journal import Journal
from greenlane.runtime.recording import Writer, read_back

ATTEMPTS = 5  # an append that keeps losing the race against agents is not worth more tries than this


class Desk:
    def __init__(
        self,
        store: LedgerStore,
        journal: Journal,
        code_host: CodeHost,
        source: SourceControl,
        clock: Clock,
        *,
        writer: Writer,
        repo: str,
    ) -> None:
        self._store = store
        self._journal = journal
        self._code_host = code_host
        self._source = source
        self._clock = clock
        self._writer = writer
        self._repo = repo

    # -------------------------------------------------------------- pull requests

    async def submit(self, ref: str) -> str:
        """Begin the run of a pull request at its present head, once; the run's name.

        An older run of the same pull request is superseded. A head that is Greenlane's own commit on a run that is
        known belongs to that run. Raises InputError for a ref that is no pull request.
        """
        try:
            pull = await self._code_host.pull_request(ref)
        except InputError:
            if (landed := await self._landed(ref)) is None:
                raise
            return landed
        run = run_id(self._repo, pull.number, pull.head_sha)
        siblings = await self._runs_of(pull)
        for change in siblings:
            if pull.head_sha in (change.head_sha, change.opened.head_sha):
                return change.run
        opened = await self._describe(pull, updated=bool(siblings))
        try:
            await self._journal.open(run, opened, writer=self._as("code-host"))
        except VersionConflictError:
            return run
        for change in siblings:
            if not assess_standing(change).ended:
                superseded = e.RunSuperseded(by_run=run, new_head_sha=pull.head_sha)
                await self._append(change.run, lambda _, event=superseded: (event,), agent="code-host")  # type: ignore[misc]
        return run

    async def _landed(self, ref: str) -> str | None:
        """The run that moved the base branch to this ref's head: there is nothing left to merge, but to ask again for
        the same pull request (after a crash, say) gives the same run."""
        names = [x.stream for x in await self._store.streams() if x.stream != CONTROL_STREAM]
        for name in reversed(names):
            change = await self.change(name)
            if ref in (change.opened.branch, str(change.opened.pr_number)) and change.last_of(e.BaseAdvancing):
                head = await self._code_host.head_of(change.opened.branch)
                return name if head == change.head_sha else None
        return None

    async def _runs_of(self, pull: PullRequest) -> list[Change]:
        """Every run of a pull request, oldest first."""
        prefix = run_id(self._repo, pull.number, "")
        names = [x.stream for x in await self._store.streams() if x.stream.startswith(prefix)]
        return [await self.change(name) for name in names]

    async def _describe(self, pull: PullRequest, *, updated: bool) -> e.PrOpened:
        diff = await self._source.diff(pull.merge_base_sha, pull.head_sha)
        kind = e.PrUpdated if updated else e.PrOpened
        return kind(
            repo=self._repo,
            pr_number=pull.number,
            title=pull.title,
            description=pull.description,
            branch=pull.branch,
            base_branch=pull.base_branch,
            head_sha=pull.head_sha,
            base_sha=pull.base_sha,
            merge_base_sha=pull.merge_base_sha,
            author=pull.author,
            coauthors=pull.coauthors,
            labels=pull.labels,
            diff_sha256=diff.sha256,
            head_writable=pull.head_writable,
        )

    # -------------------------------------------------------------- people

    async def approve(
        self, run: str, *, by: str, reason: str, head: str | None = None, gate: str | None = None
    ) -> tuple[str, ...]:
        """Answer the open gates of a run (or one of them) with yes; their names. Raises RefusedError with the rule."""

        def answer(change: Change) -> Sequence[e.Event]:
            return [
                e.HumanApproved(
                    why=self._why("approve", by, reason), gate_id=g.gate_id, by=by, head_sha=change.head_sha
                )
                for g in self._gates(change, by, head, gate)
            ]

        events = await self._append(run, answer, agent="human")
        return tuple(x.gate_id for x in events if isinstance(x, e.HumanApproved))

    async def reject(
        self, run: str, *, by: str, reason: str, head: str | None = None, gate: str | None = None
    ) -> tuple[str, ...]:
        """Answer with no: the run ends. Raises RefusedError with the rule that forbids it."""

        def answer(change: Change) -> Sequence[e.Event]:
            gates = self._gates(change, by, head, gate)
            why = self._why("reject", by, reason)
            return [e.HumanRejected(why=why, gate_id=g.gate_id, by=by, head_sha=change.head_sha) for g in gates[:1]]

        events = await self._append(run, answer, agent="human")
        return tuple(x.gate_id for x in events if isinstance(x, e.HumanRejected))

    def _gates(self, change: Change, by: str, head: str | None, gate: str | None) -> tuple[e.Gate, ...]:
        verdict = assess_approval(change, by=by, head=head, gate=gate)
        if isinstance(verdict, Refused):
            raise RefusedError(verdict.reason, hint=verdict.hint)
        return tuple(g for g in change.open_gates if g.gate_id in verdict.gate_ids)

    @staticmethod
    def _why(decision: str, by: str, reason: str) -> e.Reasoning:
        return e.Reasoning(decision=decision, rationale=f"{by}: {reason}", rules_fired=("human-decision",))

    async def rollback(self, run: str, *, by: str, reason: str) -> None:
        """Ask for the previous version back, during a canary or after a promotion."""

        def ask(change: Change) -> Sequence[e.Event]:
            newest = change.deployed is not None and change.taken_back is None
            if not newest and change.canary is None:
                raise RefusedError(
                    f"{run} is neither in production nor in a canary", hint="`greenlane list` shows what is deployed"
                )
            return (e.RollbackRequested(by=by, reason=reason),)

        await self._append(run, ask, agent="human")

    async def hotfix(self, run: str, *, by: str, reason: str) -> None:
        """Ask for a change to pass a freeze. Anybody may; the approval is another person's."""

        def ask(change: Change) -> Sequence[e.Event]:
            if assess_standing(change).ended or change.canary is not None or change.promoted:
                raise RefusedError(
                    f"{run} is not on its way to production", hint="`greenlane list` shows where every run stands"
                )
            return (e.HotfixRequested(by=by, reason=reason),)

        await self._append(run, ask, agent="human")

    async def judge(self, run: str, finding: str, verdict: Verdict, *, by: str, reason: str) -> e.FindingJudged:
        """Keep a person's word on a finding; the run goes on as it would have. Raises RefusedError with the reason."""

        def word(change: Change) -> Sequence[e.Event]:
            judged = assess_feedback(change, finding, verdict, by=by, reason=reason)
            if isinstance(judged, Refused):
                raise RefusedError(judged.reason, hint=judged.hint)
            return (judged,)

        events = await self._append(run, word, agent="human")
        return next(x for x in events if isinstance(x, e.FindingJudged))

    async def pause(self, scope: str, *, by: str, reason: str) -> None:
        """No agent begins work in this scope (`org`, or a service's name) until it is resumed."""
        await self._control(e.Paused(scope=scope, by=by, reason=reason))

    async def resume(self, scope: str, *, by: str, reason: str) -> None:
        await self._control(e.Resumed(scope=scope, by=by, reason=reason))
        for info in await self._store.streams(("paused",)):
            change = await self.change(info.stream)
            if assess_standing(change, await self._journal.pause_of(change)).state is not State.PAUSED:
                await self._append(info.stream, lambda _: (), agent="human")

    async def record_control(self, event: e.Event) -> None:
        """Append a decision that belongs to no pull request (the first installation of a service)."""
        await self._control(event)

    # -------------------------------------------------------------- reading and appending

    async def change(self, run: str) -> Change:
        """The change of a run. Raises InputError for an unknown one."""
        entries = await self._store.read_stream(run) if run != CONTROL_STREAM else []
        if not entries:
            raise InputError(f"there is no run {run}", hint="`greenlane list` shows all runs")
        return fold(run, (read_back(entry) for entry in entries))

    async def _append(
        self, run: str, decide: Callable[[Change], Sequence[e.Event]], *, agent: str
    ) -> Sequence[e.Event]:
        """Append what `decide` says of the change as it stands; decide anew if somebody else was faster."""
        for attempt in range(ATTEMPTS):
            change = await self.change(run)
            events = decide(change)
            try:
                await self._journal.write(
                    change, events, writer=self._as(agent), causation_id=change.history[-1].event_id
                )
            except VersionConflictError:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return events
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _control(self, event: e.Event) -> None:
        for attempt in range(ATTEMPTS):
            try:
                await self._journal.write_control(event, writer=self._as("human"), repo=self._repo)
            except VersionConflictError:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return

    def _as(self, agent: str) -> Writer:
        return Writer(
            agent=agent,
            agent_version=self._writer.agent_version,
            policy_digest=self._writer.policy_digest,
            config_digest=self._writer.config_digest,
        )
