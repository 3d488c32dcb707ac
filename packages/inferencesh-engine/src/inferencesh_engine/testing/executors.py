"""The tests that every executor passes.

In a pytest test module:

    class TestMyExecutor(ExecutorSuite):
        def make_executor(self):
            return MyExecutor(...)

They start a program that ships with this package and need neither an app nor a network.
"""

# ruff: noqa: S101, ASYNC240  # asserts and small files are what tests are made of

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inferencesh_app.worker import protocol

from ..executors import WorkerSpec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from ..executors import Executor, WorkerExit, WorkerHandle

PROGRAM = (sys.executable, "-S", str(Path(__file__).with_name("scripted_worker.py")))
PATIENCE_SECONDS = 10.0
MAX_MESSAGE_BYTES = 4 * 1024 * 1024


class Recorder:
    """A listener that keeps everything, and can be waited for."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[protocol.Message] = asyncio.Queue()
        self.texts: list[str] = []
        self.exits: list[WorkerExit] = []
        self.gone = asyncio.Event()

    def on_message(self, message: protocol.Message) -> None:
        """Keep a message."""
        assert not self.exits, "a message came after the exit"
        self.messages.put_nowait(message)

    def on_text(self, text: str) -> None:
        """Keep a text."""
        assert not self.exits, "text came after the exit"
        self.texts.append(text)

    def on_exit(self, exit: WorkerExit) -> None:  # noqa: A002  # the listener's signature
        """Keep the exit."""
        self.exits.append(exit)
        self.gone.set()


class Conversation:
    """A running scripted worker."""

    def __init__(self, handle: WorkerHandle, heard: Recorder) -> None:
        self.handle = handle
        self.heard = heard

    def ask(self, do: str, **details: Any) -> None:
        """Have the worker do something."""
        self.handle.send(protocol.call("1", None, {"do": do, **details}, {}))

    async def answer(self, do: str, **details: Any) -> dict[str, Any]:
        """Have the worker do something; what it made of it."""
        self.ask(do, **details)
        while True:
            message: protocol.Message = await within(self.heard.messages.get())
            if message["type"] == "result":
                return message["output"]  # type: ignore[no-any-return]  # a message is JSON

    async def end(self) -> WorkerExit:
        """Wait for the worker's end."""
        await within(self.heard.gone.wait())
        return self.heard.exits[0]


async def within(work: Coroutine[Any, Any, Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Await with a limit: a suite that fails must not hang."""
    return await asyncio.wait_for(work, seconds)


class ExecutorSuite:
    """Derive from this and say how the executor is made."""

    def make_executor(self) -> Executor:
        """The executor under test."""
        raise NotImplementedError

    @asynccontextmanager
    async def worker(self, **environment: str) -> AsyncIterator[Conversation]:
        """A scripted worker; killed in the end, when the test has not seen to that."""
        heard = Recorder()
        with tempfile.TemporaryDirectory() as folder:
            spec = WorkerSpec(
                folder=Path(folder).resolve(),
                environment=environment,
                max_message_bytes=MAX_MESSAGE_BYTES,
                program=PROGRAM,
            )
            executor = self.make_executor()
            await executor.open()
            handle = await executor.start(spec, heard)
            try:
                yield Conversation(handle, heard)
            finally:
                handle.kill()
                await within(heard.gone.wait())
                await executor.close()
        assert len(heard.exits) == 1, "the exit was told more than once"

    def test_messages_go_both_ways_in_order(self) -> None:
        """Small, large and many."""

        async def scene() -> None:
            async with self.worker() as worker:
                first = await within(worker.heard.messages.get())
                assert first["type"] == "loaded"
                large = "ä\n" * 500_000
                assert await worker.answer("echo", text=large) == {"text": large}
                for number in range(100):
                    worker.ask("echo", text=str(number))
                answers = [await within(worker.heard.messages.get()) for _ in range(100)]
                assert [answer["output"]["text"] for answer in answers] == [str(n) for n in range(100)]

        asyncio.run(scene())

    def test_the_worker_sees_the_given_environment_and_folder_and_nothing_to_read(self) -> None:
        """Nothing of the engine's own."""

        async def scene() -> None:
            async with self.worker(ONLY="this") as worker:
                loaded = await within(worker.heard.messages.get())
                seen = await worker.answer("look around")
                assert seen["environment"].pop("ONLY") == "this"
                assert set(seen["environment"]) <= {"LC_CTYPE", "__CF_USER_TEXT_ENCODING"}
                assert seen["folder"] == loaded["description"]["folder"]
                assert seen["input"] == ""

        asyncio.run(scene())

    def test_bytes_on_standard_output_and_error_become_text_and_disturb_nothing(self) -> None:
        """Also those that are no text, and a character cut in two."""

        async def scene() -> None:
            async with self.worker() as worker:
                await worker.answer("print", fd=1, hex="ff00c3")
                await worker.answer("print", fd=1, hex="a40a")
                await worker.answer("print", fd=2, hex=b'{"type": "result"}\n'.hex(), times=50_000)
                worker.ask("exit", code=0)
                await worker.end()
                text = "".join(worker.heard.texts)
                assert "\N{REPLACEMENT CHARACTER}\0" in text
                assert "ä" in text
                assert text.count('{"type": "result"}\n') == 50_000

        asyncio.run(scene())

    def test_the_end_of_a_worker_is_told_last_with_its_code(self) -> None:
        """Its last words come before."""

        async def scene() -> None:
            async with self.worker() as worker:
                worker.ask("exit", code=7)
                ended = await worker.end()
                assert ended.code == 7
                assert str(ended) == "exit code 7"
                assert "".join(worker.heard.texts) == "last words"
                worker.ask("echo", text="to nobody")

        asyncio.run(scene())

    def test_killing_ends_a_hanging_worker_and_all_it_started(self) -> None:
        """Within a second."""

        async def scene() -> None:
            async with self.worker() as worker:
                child = (await worker.answer("start child"))["pid"]
                worker.ask("hang")
                began = time.monotonic()
                worker.handle.kill()
                ended = await worker.end()
                assert ended.code == -9
                assert str(ended) == "signal 9"
                await processes_gone(child)
                assert time.monotonic() - began < 1

        asyncio.run(scene())

    def test_what_a_worker_leaves_behind_ends_with_it(self) -> None:
        """Although the leader ended by itself."""

        async def scene() -> None:
            async with self.worker() as worker:
                child = (await worker.answer("start child"))["pid"]
                worker.ask("exit", code=0)
                await worker.end()
                await processes_gone(child)

        asyncio.run(scene())

    def test_a_message_over_the_limit_ends_the_worker_and_says_why(self) -> None:
        """One at the limit passes."""

        async def scene() -> None:
            async with self.worker() as worker:
                await within(worker.heard.messages.get())
                overhead = len('{"type": "result", "call": "1", "output": {"text": ""}}')
                await worker.answer("echo", text="x" * (MAX_MESSAGE_BYTES - overhead))
                worker.ask("echo", text="x" * (MAX_MESSAGE_BYTES - overhead + 1))
                assert str(MAX_MESSAGE_BYTES) in str(await worker.end())

        asyncio.run(scene())

    def test_what_is_no_message_ends_the_worker_and_says_why(self) -> None:
        """It cannot be trusted any more."""

        async def scene() -> None:
            for garbage in (b"\xff\xfe\n", b"[1]\n", b'{"type": "result"}\n'):
                async with self.worker() as worker:
                    worker.ask("say bytes", hex=garbage.hex())
                    assert (await worker.end()).reason is not None

        asyncio.run(scene())

    def test_a_paused_worker_is_heard_later_and_loses_nothing(self) -> None:
        """The pipe fills, and the worker waits."""

        async def scene() -> None:
            async with self.worker() as worker:
                await within(worker.heard.messages.get())
                worker.handle.pause(0.2)
                began = time.monotonic()
                worker.ask("flood", count=5000)
                heard = [await within(worker.heard.messages.get()) for _ in range(5000)]
                assert time.monotonic() - began >= 0.2
                assert [message["content"] for message in heard] == [str(n) for n in range(5000)]

        asyncio.run(scene())

    def test_a_worker_that_cannot_start_is_an_os_error_and_leaves_nothing_open(self) -> None:
        """And nobody hears of it."""

        async def scene() -> None:
            heard = Recorder()
            spec = WorkerSpec(
                folder=Path("/there/is/no/such/folder"), environment={}, max_message_bytes=1, program=PROGRAM
            )
            before = open_files()
            for _ in range(3):
                try:
                    await self.make_executor().start(spec, heard)
                except OSError:
                    continue
                raise AssertionError("a worker started in a folder that does not exist")
            await asyncio.sleep(0)
            assert open_files() <= before
            assert heard.exits == []

        asyncio.run(scene())

    def test_no_file_stays_open_and_no_process_stays_dead_but_unburied(self) -> None:
        """After many workers."""

        async def scene() -> None:
            async with self.worker() as worker:
                await worker.answer("echo", text="")
            before = open_files()
            pids = []
            for _ in range(3):
                async with self.worker() as worker:
                    await worker.answer("echo", text="")
                    pids.append(worker.handle.pid)
            assert open_files() <= before
            await processes_gone(*(pid for pid in pids if pid is not None))

        asyncio.run(scene())


def open_files() -> int:
    """How many files this process has open; 0 where the system does not tell."""
    own = Path("/proc/self/fd")
    return len(list(own.iterdir())) if own.is_dir() else 0


async def processes_gone(*pids: int) -> None:
    """Wait until none of these processes runs; raises TimeoutError after a second."""
    deadline = time.monotonic() + 1
    while any(is_running(pid) for pid in pids):
        if time.monotonic() > deadline:
            raise TimeoutError(f"of the processes {pids} some are still there")
        await asyncio.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether there is such a process; a zombie of another parent's is none."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not Path("/proc").is_dir()
