"""A field deep inside that cannot travel, named by its path."""
# expect: put cannot take its parameters: order.lines[].connection: objects of type Connection cannot be encoded

from dataclasses import dataclass

from actorkalix import Effect, ValueEntity, command


class Connection:
    pass


@dataclass
class Line:
    connection: Connection


@dataclass
class Order:
    lines: list[Line]


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @command  # here
    def put(self, order: Order) -> Effect[None]:
        return self.effects.reply(None)
