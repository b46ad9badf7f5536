"""The bags of `tokens_service` on a host that takes four commands at a time."""

from __future__ import annotations

from actorkalix import Limits, Service
from tests.e2e.tokens_service import Bag

service = Service("overload", components=[Bag], limits=Limits(commit_queue_max=4))
