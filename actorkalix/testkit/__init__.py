"""Test kits: one entity, or a whole service, without Ray, network and real time."""

from actorkalix.testkit.entity import EntityTestKit as EntityTestKit
from actorkalix.testkit.later import ViewTestKit as ViewTestKit
from actorkalix.testkit.later import WorkflowTestKit as WorkflowTestKit
from actorkalix.testkit.later import linearizable as linearizable
from actorkalix.testkit.later import simulate as simulate
from actorkalix.testkit.results import Result as Result
from actorkalix.testkit.service import TestService as TestService
