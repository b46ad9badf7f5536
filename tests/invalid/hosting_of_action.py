"""A hosting where there are no instances."""
# expect: unknown class option hosting=

from actorkalix import Action, Dedicated, handler


class Train(Action, id="train", hosting=Dedicated()):  # here
    @handler
    def run(self) -> None: ...
