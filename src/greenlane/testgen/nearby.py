"""What was seen near something open, with what the code asks for there: each kind of change to such a call in a row of
its own. Pure; for `search.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from greenlane.testgen.afterwards import afterwards
from greenlane.testgen.amended import amended
from greenlane.testgen.answered import answered
from greenlane.testgen.entered import entered
from greenlane.testgen.explore import Observed
from greenlane.testgen.failing import failing
from greenlane.testgen.handed import handed
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.itemwise import itemwise
from greenlane.testgen.lettercase import in_other_case
from greenlane.testgen.logged import logged
from greenlane.testgen.managed import managed
from greenlane.testgen.offered import offered
from greenlane.testgen.onward import onward
from greenlane.testgen.own_class import own_class
from greenlane.testgen.passed_on import passed_on
from greenlane.testgen.peeled import peeled
from greenlane.testgen.pretended import pretended
from greenlane.testgen.readied import readied
from greenlane.testgen.recast import recast
from greenlane.testgen.repeated import repeated
from greenlane.testgen.retyped import retyped
from greenlane.testgen.sequels import sequels
from greenlane.testgen.source import Source
from greenlane.testgen.standins import with_stand_ins
from greenlane.testgen.steadied import steadied
from greenlane.testgen.surrounded import surrounded
from greenlane.testgen.switched import switched
from greenlane.testgen.targets import Targets
from greenlane.testgen.thrown import thrown
from greenlane.testgen.turned_on import turned_on
from greenlane.testgen.unanswered import reanswered
from greenlane.testgen.unsaid import unsaid
from greenlane.testgen.withheld import withheld

_PLAIN = (
    switched, readied, managed, passed_on, amended, with_stand_ins, answered, handed, recast, retyped, thrown,
    own_class, itemwise, reanswered, entered, unsaid, peeled,
    in_other_case, sequels,
)  # fmt: skip
_PATCHING = (logged, pretended, failing, steadied, surrounded, withheld)


def asked_near(
    seen: Sequence[Observed], source: Source, places: Targets, beside: Sequence[Source], *, unittest: bool
) -> list[list[Case]]:
    """The rows; `beside` are the other files of the change, `unittest`: without fixtures."""
    found = [find(seen, source, places) for find in _PLAIN]
    found += [turned_on(seen, source, places, beside), offered(seen, source, places, beside)]
    return [*found, *(find(seen, source, places, unittest=unittest) for find in _PATCHING)]


def gone_on(
    seen: Sequence[Observed], source: Source, places: Targets, known: Sequence[Script]
) -> tuple[list[Case], ...]:
    """What ran something open and shows nothing, with a look at something else after it; and with a call made twice,
    as these `known` scripts make it."""
    twice = repeated(seen, source, places, known)
    return afterwards(seen, source, places, known), onward(seen, source.path, places, known), twice
