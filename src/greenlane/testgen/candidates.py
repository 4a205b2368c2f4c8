"""Of what was seen, the calls that a test could be made of: those that mutants are tried on. Pure; for `search.py`."""

from __future__ import annotations

from collections.abc import Sequence, Set

from greenlane.testgen.choose import is_tellable, reached, taste
from greenlane.testgen.explore import Observed
from greenlane.testgen.targets import Gap, Lines, Target, Targets
from greenlane.testgen.turns import in_turn

_MOST, _A_TARGET, _LOOKS = 160, (2, 8), 3
"""So many in all, and for each open line and branch: first so many for every one, then so many for any. Of looks at
something else than what the call gives so many more."""


def candidates_of(observed: Sequence[Observed], gap: Gap, known: Set[str] = frozenset()) -> list[Observed]:
    """Calls that a test could be made of: the best for each open line and branch, and for each line with a mutant
    that is open, in the order they were seen. `known`: code (`Case.made`) that is a candidate already."""
    useful = [
        o for o in observed if o.case.made not in known and is_tellable(o) and (o.reached or faulty_lines(o, gap))
    ]
    best: dict[str, Observed] = {}
    for one in sorted(useful, key=taste, reverse=True):
        best.setdefault(one.case.made, one)  # of the same code, which may be about several functions
    useful = list(best.values())
    chosen: dict[str, Observed] = {}
    looks: dict[Target, set[str]] = {}
    for most in _A_TARGET:  # a few for every target before more for any
        counts: dict[Target, int] = {}
        for one in useful:
            near = reached(one, gap.covering) | faulty_lines(one, gap)
            look = _further_look(one)
            wanted = any(counts.get(target, 0) < most or _is_new(look, looks.get(target, set())) for target in near)
            if wanted and len(chosen) < _MOST:
                chosen[one.case.key] = one
                for target in near:
                    looks.setdefault(target, set()).update({look} if look else ())
                    counts[target] = counts.get(target, 0) + 1
    proposed = [best[o.case.made] for o in observed if o.case.made in best]  # what was asked for comes before the rest
    for one in in_turn([useful, proposed]):  # then whatever there is room for
        if len(chosen) >= _MOST:
            break
        chosen.setdefault(one.case.key, one)
    return list(chosen.values())[:_MOST]


def _further_look(observed: Observed) -> str:
    """What a script looks at, if that is something else than what the call gives: `asked.call_args.args`."""
    script = observed.case.script
    return script.look if script is not None and observed.case.entry.called not in script.look else ""


def _is_new(look: str, known: Set[str]) -> bool:
    return bool(look) and look not in known and len(known) < _LOOKS


def faulty_lines(observed: Observed, gap: Gap) -> Lines:
    """The lines it ran that have a mutant which existing tests do not notice."""
    ran = observed.lines.get(gap.path, frozenset())
    return frozenset((gap.path, mutant.line) for mutant in gap.mutants if mutant.line in ran)


def run_in_vain(seen: Sequence[Observed], candidates: Sequence[Observed], gap: Gap) -> Targets:
    """What was run by calls that show something, but nothing by which a fault near there is noticed: none of them is a
    candidate any more."""
    told = frozenset(target for one in seen if is_tellable(one) for target in one.reached)
    return (told & gap.covering) - frozenset(target for one in candidates for target in one.reached)
