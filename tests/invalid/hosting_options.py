"""A hosting with values that Ray has no use for."""
# expect: hosting=Dedicated(...): num_cpus is a number from 0 up, got -1
# expect: hosting=Dedicated(...): num_gpus is a number from 0 up, got True
# expect: hosting=Dedicated(...): memory is a number of bytes above 0, got 0
# expect: hosting=Dedicated(...): runtime_env has values that are no plain JSON
# expect: hosting=Dedicated(...): idle_stop is a timedelta above 0, got 30

from actorkalix import Dedicated, Effect, ValueEntity, command

NEEDS = Dedicated(num_cpus=-1, num_gpus=True, memory=0, runtime_env={"pip": object}, idle_stop=30)


class Model(ValueEntity[int], id="model", hosting=NEEDS):  # here
    def empty_state(self) -> int:
        return 0

    @command
    def train(self) -> Effect[int]:
        return self.effects.reply(1)
