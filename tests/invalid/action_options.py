"""Options of tasks with values that Ray has no use for."""
# expect: num_cpus is a number from 0 up, got -1
# expect: memory is a number of bytes above 0, got '1GB'
# expect: max_retries is a number from 0 up, got 1.5
# expect: runtime_env is a dict, as Ray takes it, got 'pip'
# expect: timeout is a timedelta above 0, got 30

from actorkalix import Action, handler


class Train(Action, id="train", num_cpus=-1, memory="1GB", max_retries=1.5, runtime_env="pip", timeout=30):  # here
    @handler
    def run(self) -> None: ...
