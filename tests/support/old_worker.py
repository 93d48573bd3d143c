"""A worker of an older release, without the actor of compute: `dramatiq tests.support.old_worker`."""

import actors
from otcpipe.broker.actors import broker

del broker().actors[actors.compute_metrics.actor_name]
