"""The service that most scenarios play: whatever is lost, doubled or turned round shows in it."""

from actorkalix import Service
from tests.mutants.services import Account, Pad

service = Service("accounts", components=[Account, Pad])
