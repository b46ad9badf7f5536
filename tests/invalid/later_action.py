"""Not in this version."""
# expect: Mail: actions come with a later version; leave it out of the service

from actorkalix import Action, Service, handler


class Mail(Action, id="mail"):  # here
    @handler
    async def send(self, to: str) -> None: ...


Service("shop", components=[Mail])
