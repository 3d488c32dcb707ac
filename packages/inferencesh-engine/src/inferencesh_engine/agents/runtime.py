"""The agent half of an engine, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .chats import Chats
from .children import ChatsOfTools
from .decisions import Decisions
from .driving import Driving
from .ledger import ChatLedger
from .services import EngineTasks, TurnServices
from .tools.registry import ToolRegistry
from .tools.runner import ToolServices

if TYPE_CHECKING:
    from ..catalog import Catalog
    from ..config import EngineConfig
    from ..files import Files
    from ..fresh_addresses import FreshAddresses
    from ..plugins import Hooks
    from ..pool import Pool
    from ..settings import Settings
    from ..store import Store
    from ..tasks import Tasks


class AgentRuntime:
    """Chats, and what is decided about the tools in them.

    Attributes:
        chats: The chats.
        decisions: Results and approvals that people give.
    """

    def __init__(
        self,
        config: EngineConfig,
        settings: Settings,
        hooks: Hooks,
        store: Store,
        catalog: Catalog,
        pool: Pool,
        files: Files,
        tasks: Tasks,
        shown: FreshAddresses,
    ) -> None:
        self._ledger = ChatLedger(config, store)
        engine_tasks = EngineTasks(tasks)
        of_tools = ChatsOfTools(self._ledger)
        self._registry = ToolRegistry(
            hooks,
            ToolServices(
                config=config,
                catalog=catalog,
                pool=pool,
                tasks=engine_tasks,
                chats=of_tools,
                settings=settings,
                stopping=lambda: self._driving.closing,
            ),
        )
        services = TurnServices(
            config=config,
            catalog=catalog,
            pool=pool,
            tasks=engine_tasks,
            ledger=self._ledger,
            registry=self._registry,
            shown=shown,
        )
        self._driving = of_tools.driving = Driving(services)
        self.chats = of_tools.chats = Chats(services, store, files, self._driving)
        self.decisions = Decisions(services)

    async def close(self) -> None:
        """The engine stops: what is unfinished is left to the next one."""
        await self._driving.close()
        await self._registry.close()
        self._ledger.close()
