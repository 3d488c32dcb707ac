"""What wants a worker, and what is to be done with workers: the words of the scheduler."""

from __future__ import annotations

from .values import value


@value(frozen=True)
class Ticket:
    """Something that needs a worker.

    Attributes:
        app: The app's id; limits and turns go by it.
        version: What must be loaded.
        setup: The canonical text of the setup values; None is a probe, served by any worker of the version.
        session: Whose worker serves it; None lets any suitable worker.
    """

    id: str
    app: str
    version: str
    setup: str | None
    session: str | None = None


@value(frozen=True)
class Start:
    """Start a worker for this ticket; it is given the ticket as soon as it is loaded."""

    worker_id: str
    ticket_id: str


@value(frozen=True)
class Dispatch:
    """Give the ticket to this idle worker."""

    worker_id: str
    ticket_id: str


@value(frozen=True)
class Stop:
    """Stop this idle worker, and say `gone` when its process has ended."""

    worker_id: str


Command = Start | Dispatch | Stop
