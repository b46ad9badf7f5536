"""Options of tasks for what is none."""
# expect: num_gpus= is about tasks; with runs="inline" leave it out

from actorkalix import Action, handler


class Train(Action, id="train", runs="inline", num_gpus=1):  # here
    @handler
    async def run(self) -> None: ...
