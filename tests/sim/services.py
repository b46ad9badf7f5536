"""The service that most scenarios play: whatever is lost, doubled or turned round shows in it."""

from datetime import timedelta

from actorkalix import Dedicated, Service
from tests.mutants.services import Account, Pad

service = Service("accounts", components=[Account, Pad])


class FarAccount(Account, id="far-account", hosting=Dedicated(idle_stop=timedelta(seconds=2))):
    """An account whose instances run in processes of their own."""


class FarPad(Pad, id="far-pad", hosting=Dedicated(idle_stop=timedelta(milliseconds=200))):
    """A pad of that kind, whose processes hardly live."""


dedicated = Service("dedicated", components=[FarAccount, FarPad, Account])
