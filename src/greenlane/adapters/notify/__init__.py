"""Messages to people outside of this machine: webhook, Slack, PagerDuty. Implements `ports.notifier`."""

from greenlane.adapters.notify.courier import Courier, FanOut
from greenlane.adapters.notify.outbox import DELIVERIES, Delivery, Outbox

__all__ = ["DELIVERIES", "Courier", "Delivery", "FanOut", "Outbox"]
