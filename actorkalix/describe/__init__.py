"""User classes to frozen descriptors; every problem of a class at once. Pure."""

from .component import define as define
from .component import descriptor_of as descriptor_of
from .service import describe_service as describe_service
