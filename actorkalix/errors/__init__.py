"""The error tree: every error says what happened, with a number that `actorkalix explain` knows.

AK1xxx definition, AK2xxx command, AK30xx not executed (anyone may send again), AK31xx outcome
unknown (send again only with an idempotency key), AK4xxx stored data, AK9xxx a bug of actorkalix.
The docstring of a class is the page that `actorkalix explain` prints: what it means, then what to
do.
"""

from .base import (
    HTTP_STATUS as HTTP_STATUS,
)
from .base import (
    AccessNotDeclared as AccessNotDeclared,
)
from .base import (
    ActorkalixError as ActorkalixError,
)
from .base import (
    Code as Code,
)
from .base import (
    CommandError as CommandError,
)
from .base import (
    DefinitionError as DefinitionError,
)
from .base import (
    ExtraMissing as ExtraMissing,
)
from .base import (
    InternalError as InternalError,
)
from .base import (
    NotInThisVersion as NotInThisVersion,
)
from .base import (
    Outcome as Outcome,
)
from .base import (
    ServiceNotLoaded as ServiceNotLoaded,
)
from .histories import (
    HistoryUnreadable as HistoryUnreadable,
)
from .histories import (
    ModelFailed as ModelFailed,
)
from .histories import (
    ScenarioUnreadable as ScenarioUnreadable,
)
from .histories import (
    WorkloadUnfit as WorkloadUnfit,
)
from .lookup import (
    catalog as catalog,
)
from .lookup import (
    family_of_command_errors as family_of_command_errors,
)
from .lookup import (
    revive as revive,
)
from .requests import (
    CallsTooDeep as CallsTooDeep,
)
from .requests import (
    EntityDeleted as EntityDeleted,
)
from .requests import (
    HandlerFailed as HandlerFailed,
)
from .requests import (
    HandlerWaits as HandlerWaits,
)
from .requests import (
    IdempotencyKeyReused as IdempotencyKeyReused,
)
from .requests import (
    InvalidEffect as InvalidEffect,
)
from .requests import (
    InvalidEntityId as InvalidEntityId,
)
from .requests import (
    InvalidIdempotencyKey as InvalidIdempotencyKey,
)
from .requests import (
    InvalidPayload as InvalidPayload,
)
from .requests import (
    InvalidTimer as InvalidTimer,
)
from .requests import (
    MethodNotAllowed as MethodNotAllowed,
)
from .requests import (
    NotEncodable as NotEncodable,
)
from .requests import (
    PayloadTooLarge as PayloadTooLarge,
)
from .requests import (
    ResultTooLarge as ResultTooLarge,
)
from .requests import (
    SlowBody as SlowBody,
)
from .requests import (
    SlowReader as SlowReader,
)
from .requests import (
    UnknownRoute as UnknownRoute,
)
from .running import (
    AdminUnreachable as AdminUnreachable,
)
from .running import (
    ComponentBlocked as ComponentBlocked,
)
from .running import (
    DeadlinePassed as DeadlinePassed,
)
from .running import (
    Draining as Draining,
)
from .running import (
    DurabilityLost as DurabilityLost,
)
from .running import (
    EntityProcessEnded as EntityProcessEnded,
)
from .running import (
    HostKeepsDying as HostKeepsDying,
)
from .running import (
    InvalidCommandLine as InvalidCommandLine,
)
from .running import (
    NoRoomForEntity as NoRoomForEntity,
)
from .running import (
    NotCommitted as NotCommitted,
)
from .running import (
    OutcomeUnknown as OutcomeUnknown,
)
from .running import (
    Overloaded as Overloaded,
)
from .running import (
    OwnerAway as OwnerAway,
)
from .running import (
    PortTaken as PortTaken,
)
from .running import (
    PreparationEnded as PreparationEnded,
)
from .running import (
    RayFailed as RayFailed,
)
from .running import (
    StoreFull as StoreFull,
)
from .steps import (
    StepCallsItself as StepCallsItself,
)
from .stored import (
    BackupDamaged as BackupDamaged,
)
from .stored import (
    BackupInProgress as BackupInProgress,
)
from .stored import (
    BackupStopped as BackupStopped,
)
from .stored import (
    FolderInUse as FolderInUse,
)
from .stored import (
    FolderUnusable as FolderUnusable,
)
from .stored import (
    ForeignFolder as ForeignFolder,
)
from .stored import (
    StoredDataDamaged as StoredDataDamaged,
)
from .stored import (
    StoredDataUnreadable as StoredDataUnreadable,
)
from .stored import (
    TargetUnusable as TargetUnusable,
)
from .stored import (
    UnsupportedFormat as UnsupportedFormat,
)
from .stored import (
    ViewFileDamaged as ViewFileDamaged,
)
from .stored import (
    ViewHistoryParted as ViewHistoryParted,
)
from .streams import (
    ServiceNotThere as ServiceNotThere,
)
from .streams import (
    StreamNotOffered as StreamNotOffered,
)
from .streams import (
    StreamSetBack as StreamSetBack,
)
from .streams import (
    UnknownStream as UnknownStream,
)
from .views import (
    NumberTooLarge as NumberTooLarge,
)
from .views import (
    QueryTooLarge as QueryTooLarge,
)
from .views import (
    QueryTooSlow as QueryTooSlow,
)
from .views import (
    RowNotFound as RowNotFound,
)
from .views import (
    SqlRefused as SqlRefused,
)
from .views import (
    SubjectParked as SubjectParked,
)
from .views import (
    TokenUnreachable as TokenUnreachable,
)
from .views import (
    ViewBehind as ViewBehind,
)
from .views import (
    ViewIncomplete as ViewIncomplete,
)
from .workflows import (
    ChildNotBegun as ChildNotBegun,
)
from .workflows import (
    NotificationsMissed as NotificationsMissed,
)
from .workflows import (
    TransitionRefused as TransitionRefused,
)
from .workflows import (
    UnknownPromise as UnknownPromise,
)
from .workflows import (
    UnknownStep as UnknownStep,
)
