"""The lease of a claim, renewed while the stage works."""

import logging
import threading
from contextvars import copy_context

from otcpipe.errors import OnHold, OtcpipeError, TooSoon
from otcpipe.pipeline.claims import Claim
from otcpipe.pipeline.failures import reason_of
from otcpipe.storage.postgres import Database

log = logging.getLogger(__name__)
RENEWALS = 3  # within one lease


class Lease:
    """A context manager that renews a claim from its own thread; if the body raises, the claim is released."""

    def __init__(self, database: Database, claim: Claim) -> None:
        self._database = database
        self._claim = claim
        self._is_over = threading.Event()
        self._renewal = threading.Thread(target=copy_context().run, args=(self._renew,), daemon=True)

    def __enter__(self) -> None:
        self._renewal.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._is_over.set()
        self._renewal.join()
        if error:
            self._release(error)

    def _release(self, error: BaseException) -> None:
        values = {
            "state": "held" if isinstance(error, OnHold) else "queued",
            "reason": reason_of(error),
            "is_put_off": isinstance(error, TooSoon),
        }
        with self._database.transaction() as transaction:
            transaction.run("give_back_run", **self._claim.run.identity(), worker=self._claim.worker, **values)

    def _renew(self) -> None:
        while not self._is_over.wait(self._claim.lease.total_seconds() / RENEWALS):
            try:
                with self._database.transaction() as transaction:
                    transaction.run("renew_lease", worker=self._claim.worker, lease=self._claim.lease)
            except OtcpipeError as error:
                log.warning("A lease could not be renewed: %s", error)
