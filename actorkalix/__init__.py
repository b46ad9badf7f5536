"""actorkalix: stateful services as plain Python classes, durable, on Ray.

Subclass `EventSourcedEntity` or `ValueEntity`, mark methods with `@command` and `@query`, put the
classes into a `Service`, and start it with `actorkalix run module:service`.
"""

from actorkalix import crdt as crdt
from actorkalix import http as http
from actorkalix.describe import define as _define
from actorkalix.describe import describe_service as _describe_service
from actorkalix.errors import ActorkalixError as ActorkalixError
from actorkalix.errors import CommandError as CommandError
from actorkalix.errors import DefinitionError as DefinitionError
from actorkalix.errors import NotInThisVersion as NotInThisVersion
from actorkalix.limits import Limits as Limits
from actorkalix.model import component as _component
from actorkalix.model import service as _service
from actorkalix.model.actions import Action as Action
from actorkalix.model.calls import Call as Call
from actorkalix.model.calls import Stream as Stream
from actorkalix.model.client import Calls as Calls
from actorkalix.model.client import Client as Client
from actorkalix.model.client import Ref as Ref
from actorkalix.model.component import Context as Context
from actorkalix.model.effects import Effect as Effect
from actorkalix.model.effects import RowEffect as RowEffect
from actorkalix.model.entities import EventSourcedEntity as EventSourcedEntity
from actorkalix.model.entities import ReplicatedEntity as ReplicatedEntity
from actorkalix.model.entities import ValueEntity as ValueEntity
from actorkalix.model.handlers import HandlerRef as HandlerRef
from actorkalix.model.handlers import command as command
from actorkalix.model.handlers import handler as handler
from actorkalix.model.handlers import query as query
from actorkalix.model.hosting import Dedicated as Dedicated
from actorkalix.model.metadata import Metadata as Metadata
from actorkalix.model.notifications import notifications as notifications
from actorkalix.model.parallel import branch as branch
from actorkalix.model.queries import sql as sql
from actorkalix.model.service import Service as Service
from actorkalix.model.service import allow_all as allow_all
from actorkalix.model.sources import public_stream as public_stream
from actorkalix.model.sources import publish as publish
from actorkalix.model.sources import stream as stream
from actorkalix.model.sources import subscribe as subscribe
from actorkalix.model.sources import topic as topic
from actorkalix.model.steps import compensate as compensate
from actorkalix.model.steps import failover_to as failover_to
from actorkalix.model.steps import max_retries as max_retries
from actorkalix.model.steps import step as step
from actorkalix.model.stored import migrate as migrate
from actorkalix.model.stored import type_name as type_name
from actorkalix.model.tables import on_delete as on_delete
from actorkalix.model.tables import on_snapshot as on_snapshot
from actorkalix.model.tables import table as table
from actorkalix.model.timers import Timers as Timers
from actorkalix.model.transitions import ChildEnd as ChildEnd
from actorkalix.model.transport import Reply as Reply
from actorkalix.model.transport import Update as Update
from actorkalix.model.views import View as View
from actorkalix.model.workflow_effects import Promise as Promise
from actorkalix.model.workflow_effects import StepEffect as StepEffect
from actorkalix.model.workflow_effects import WorkflowUpdate as WorkflowUpdate
from actorkalix.model.workflows import Workflow as Workflow


def _describe(service: Service) -> None:
    service.descriptor = _describe_service(service.name, service.components)


_component.on_definition.register(_define)
_service.on_service.register(_describe)
