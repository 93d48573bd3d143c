"""`dramatiq tests.support.old_worker`: a worker of an older release, which knows the queue of compute but not its actor."""

import actors
from otcpipe.broker.actors import broker

del broker().actors[actors.compute_metrics.actor_name]
