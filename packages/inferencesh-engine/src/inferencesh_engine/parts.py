"""What an engine is made of, in one import.

Loading this is half of an engine's start, and none of it is needed to get a worker under way.
"""

from .acceptance import Acceptance
from .catalog import Catalog
from .dispatch import Dispatch
from .files import Files
from .fresh_addresses import FreshAddresses
from .ledger import Ledger
from .marks import Marks
from .pool import Pool
from .reports import Reports
from .retention import Retention
from .sessions import Sessions
from .store import Store
from .tasks import Tasks
from .webhooks import Webhooks

__all__ = [
    "Acceptance",
    "Catalog",
    "Dispatch",
    "Files",
    "FreshAddresses",
    "Ledger",
    "Marks",
    "Pool",
    "Reports",
    "Retention",
    "Sessions",
    "Store",
    "Tasks",
    "Webhooks",
]
