"""The composition root inside a host on Ray: store, shard host, HTTP and admin endpoints.

`hosted` is named in the run's plan and called in the host's process. It imports everything, the
user's service too, and opens nothing, so that a spare host can stand by; `start` opens the store.
Errors of the store become those that `actorkalix explain` knows.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec

from actorkalix.engine import behavior_for  # noqa: F401  imported before the store is waited for
from actorkalix.errors import ActorkalixError, catalog
from actorkalix.gateway.admin import admin_app
from actorkalix.gateway.http import http_app
from actorkalix.gateway.metrics import FolderUse, Metrics
from actorkalix.gateway.server import Server
from actorkalix.runtime.composition import build_host
from actorkalix.runtime.config import HostConfig, HostFacts
from actorkalix.runtime.inspection import StoreInspection
from actorkalix.runtime.loading import load
from actorkalix_cluster.rayhost.contract import Fatal
from actorkalix_cluster.shardhost.clock import RealClock
from actorkalix_cluster.shardhost.committer import ThreadCommitter
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_storage.api import Store, StoreError
from actorkalix_storage.lmdbstore import open_store

log = logging.getLogger("actorkalix.host")
