"""The sandbox's implementations (port `ports/sandbox.py`) and the choice between them."""

from greenlane.adapters.sandbox.bubblewrap import BubblewrapSandbox
from greenlane.adapters.sandbox.choose import choose_sandbox, probe_sandbox
from greenlane.adapters.sandbox.landlock import BareSandbox, LandlockSandbox
from greenlane.adapters.sandbox.namespaces import NamespaceSandbox

__all__ = [
    "BareSandbox",
    "BubblewrapSandbox",
    "LandlockSandbox",
    "NamespaceSandbox",
    "choose_sandbox",
    "probe_sandbox",
]
