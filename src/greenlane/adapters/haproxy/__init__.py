"""HAProxy behind the port `Traffic`: an HAProxy that you run, moved through its runtime socket.

What it must be told once stands in `section.py`; `greenlane router SERVICE` prints it.
"""

from greenlane.adapters.haproxy.section import render_section
from greenlane.adapters.haproxy.traffic import HaproxyTraffic

__all__ = ["HaproxyTraffic", "render_section"]
