"""A plain function on the loop of a host would hold it up."""
# expect: resize is a plain def and would hold up its host's event loop; write async def, or leave runs="inline" out

from actorkalix import Action, handler


class Pictures(Action, id="pictures", runs="inline"):
    @handler  # here
    def resize(self, name: str) -> None: ...
