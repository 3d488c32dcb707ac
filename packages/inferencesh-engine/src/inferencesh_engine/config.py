"""Every limit and place of an engine, in one frozen record."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from inferencesh_core.addresses import AddressPolicy

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """What an engine may be told. Sizes are bytes and times seconds, as the names say.

    Attributes:
        apps_dir: The folder whose sub-folders with an `inf.yml` are the apps.
        state_dir: Where tasks, files and tokens are kept, mode 0700; None means `.inferencesh` in apps_dir.
        host: The address to bind; anything but loopback is reachable by others.
        port: The port to bind; 0 takes a free one.
        token: The key callers must send; None makes a random one, kept in `state_dir/token`, mode 0600.
        allow_hosts: Values of `Host` accepted besides loopback names and the bound address.
        max_log_bytes: Log text kept per task; what comes after is dropped, and the log says so.
        max_logs_in_state_bytes: The newest log text that travels in each task state; `logs` has all of it.
        max_history_bytes: Partial outputs of a running task kept for resuming a stream; older ones are
            superseded by newer and may be skipped then.
        max_stream_backlog_bytes: What one slow stream may lag behind before it skips to the newest state.
        max_queued_tasks: Tasks not yet finished; one more is refused with 429.
        max_workers: Worker processes in all, those of sessions aside.
        max_workers_per_app: Worker processes of one app, likewise.
        max_sessions: Sessions at once; each has a worker process of its own. One more is refused with 429.
        max_sessions_per_app: Sessions of one app at once.
        max_ended_sessions: Records kept of sessions that are over; the oldest go first.
        describe_wait_seconds: How long accepting a task waits for an app that is loaded for the first
            time, to check the input against its schema. The worker checks again in any case.
        task_timeout_seconds: How long a function may run; None is for ever.
        repeat_seconds: A silent stream repeats its state this often, for clients that count heartbeats out.
        max_attempts: How often a task is started at most, when workers or engines die under it. An engine
            that stops in order is no death; yet with 1 a task is started once, whatever happens.
        idempotency_hours: How long an `Idempotency-Key` is remembered.
        max_finished_tasks: Finished tasks kept; the oldest go first.
        event_retention_seconds: How long a finished task keeps the events that led to its final state.
        max_chats: Chats kept, those below others aside; the oldest go first, unless something goes on there.
        max_chat_messages: Messages of one chat; one more is refused with 409.
        max_queued_messages: Messages of one chat that wait for the turn before them; one more is a 429.
        max_turn_steps: How often the model is called in one turn; an agent may set itself a lower limit.
        max_turn_seconds: How long model and tools may work in one turn; waiting for people does not count.
            None is for ever.
        max_turn_tokens: Tokens a turn may take, as the core app counts them; None is any number.
        max_tool_calls_at_once: Tool calls of one message; the model is told of those it has too many.
        tool_timeout_seconds: How long an HTTP, webhook or MCP tool may take to answer.
        max_tool_result_bytes: The largest result a tool may give a model; of a larger one it is told.
        max_agent_depth: How many chats deep agents may call agents; 0 forbids it.
        output_file_seconds: How long a file that a task made is kept at least; after that it goes when the
            task does.
        max_cache_bytes: Input files that workers downloaded and keep; the longest unused go first.
        cache_seconds: How long one of them is kept unused.
        webhook_tries: How often a task's end is told at most, until its webhook answers with success.
        webhook_retry_seconds: The pause after the first try; each further one is six times as long.
        executor: The name of the way to place workers.
        secrets: Where the values of secrets that apps declare come from.
        allow_private_addresses: Whether URLs in inputs, and webhooks, may name private, loopback or
            link-local addresses.
    """

    apps_dir: Path
    state_dir: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = field(default=None, repr=False)
    allow_hosts: tuple[str, ...] = ()
    max_body_bytes: int = 10 * MIB
    max_file_bytes: int = 16 * GIB
    max_event_bytes: int = 64 * MIB
    max_log_bytes: int = 1 * MIB
    max_logs_in_state_bytes: int = 64 * KIB
    max_history_bytes: int = 32 * MIB
    max_stream_backlog_bytes: int = 8 * MIB
    max_queued_tasks: int = 10_000
    max_workers: int = field(default_factory=lambda: os.cpu_count() or 4)
    max_workers_per_app: int = 4
    max_sessions: int = 400
    max_sessions_per_app: int = 200
    max_ended_sessions: int = 1000
    worker_idle_seconds: float = 300
    cancel_grace_seconds: float = 3
    setup_timeout_seconds: float = 600
    describe_wait_seconds: float = 5
    task_timeout_seconds: float | None = None
    heartbeat_seconds: float = 10
    repeat_seconds: float = 20
    max_attempts: int = 3
    idempotency_hours: float = 24
    max_finished_tasks: int = 10_000
    event_retention_seconds: float = 60
    upload_url_seconds: float = 3600
    file_url_seconds: float = 7 * 24 * 3600
    max_chats: int = 10_000
    max_chat_messages: int = 10_000
    max_queued_messages: int = 100
    max_turn_steps: int = 50
    max_turn_seconds: float | None = None
    max_turn_tokens: int | None = None
    max_tool_calls_at_once: int = 64
    tool_timeout_seconds: float = 60
    max_tool_result_bytes: int = 1 * MIB
    max_agent_depth: int = 5
    output_file_seconds: float = 7 * 24 * 3600
    max_cache_bytes: int = 10 * GIB
    cache_seconds: float = 7 * 24 * 3600
    webhook_tries: int = 6
    webhook_retry_seconds: float = 5
    webhook_timeout_seconds: float = 15
    executor: str = "subprocess"
    secrets: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    allow_private_addresses: bool = False

    def address_policy(self, base_url: str | None) -> AddressPolicy:
        """Where addresses that callers name may lead; an engine that listens at `base_url` may be reached."""
        from inferencesh_core.addresses import AddressPolicy  # noqa: PLC0415 - an engine's start does not need it

        own = frozenset(filter(None, [base_url]))
        return AddressPolicy(allow_private=self.allow_private_addresses, allowed_origins=own)

    @property
    def state_path(self) -> Path:
        """The state folder, settled."""
        return self.state_dir if self.state_dir is not None else self.usual_state_path

    @property
    def usual_state_path(self) -> Path:
        """Where the state is unless it was settled otherwise, and where programs look for the engine."""
        return self.apps_dir / ".inferencesh"
