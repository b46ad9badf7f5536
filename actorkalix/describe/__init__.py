"""User classes to frozen descriptors; every problem of a class at once. Pure."""

from actorkalix.describe.component import define as define
from actorkalix.describe.component import descriptor_of as descriptor_of
from actorkalix.describe.service import describe_service as describe_service
