"""A database that a session has for itself: what one call stores, the next one finds."""

import sqlite3

from pydantic import Field

from inferencesh import BaseApp, BaseAppInput, BaseAppOutput


class AppInput(BaseAppInput):
    sql: str = Field(description="One SQL statement, with a ? for each value")
    values: list[str | int | float | None] = Field(default=[], description="The values, in order")


class AppOutput(BaseAppOutput):
    columns: list[str]
    rows: list[list[str | int | float | None]]


class TablesInput(BaseAppInput):
    prefix: str = Field(default="", description="Only tables whose names begin with this")


class TablesOutput(BaseAppOutput):
    rows_of: dict[str, int] = Field(description="Each table, and how many rows it has")


class App(BaseApp):
    async def setup(self) -> None:
        self.database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)

    async def run(self, input_data: AppInput) -> AppOutput:
        """Carry out a statement."""
        found = self.database.execute(input_data.sql, input_data.values)
        columns = [column[0] for column in found.description or ()]
        return AppOutput(columns=columns, rows=[list(row) for row in found])

    async def tables(self, input_data: TablesInput) -> TablesOutput:
        """Say what there is."""
        found = self.database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        names = [name for (name,) in found if name.startswith(input_data.prefix)]
        return TablesOutput(rows_of={name: self._count(name) for name in names})

    def _count(self, table: str) -> int:
        quoted = table.replace('"', '""')
        (count,) = self.database.execute(f'SELECT COUNT(*) FROM "{quoted}"').fetchone()  # noqa: S608
        return count

    async def unload(self) -> None:
        self.database.close()
