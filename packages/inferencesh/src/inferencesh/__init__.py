"""The inference.sh Python SDK: client, agents, app framework and local engine in one install.

    from inferencesh import inference

    client = inference(api_key="...")
    task = client.tasks.run({"app": "namespace/name", "input": {}})

Each name is loaded when it is first used. One that belongs to a package which is not installed says so.
"""

from __future__ import annotations

from sys import modules
from types import ModuleType
from typing import TYPE_CHECKING

from inferencesh_core.lazy import lazy_names

if TYPE_CHECKING:
    from inferencesh_agents import (
        Agent,
        AgentAPIError,
        AgentConfig,
        AgentError,
        AgentsAPI,
        ApprovalRequest,
        AsyncAgent,
        AsyncAgentsAPI,
        ChatNotFoundError,
        ClientTool,
        ClientToolHandler,
        Decision,
        Delta,
        OutputError,
        ReasoningDelta,
        Rejection,
        TextDelta,
        ToolCalled,
        ToolCallInfo,
        ToolReturned,
        TurnCancelledError,
        TurnDone,
        TurnFailedError,
        TurnTimeoutError,
        agent_tool,
        app_tool,
        array,
        boolean,
        call_tool,
        enum_of,
        function_tool,
        http_tool,
        integer,
        internal_tools,
        mcp_tool,
        number,
        obj,
        optional,
        string,
        tool,
        webhook_tool,
    )
    from inferencesh_app.base import (
        BaseApp,
        BaseAppInput,
        BaseAppOutput,
        BaseAppSetup,
        Metadata,
    )
    from inferencesh_app.llm import (
        ContextMessage,
        ContextMessageRole,
        LLMInput,
        LLMOutput,
        Message,
        build_messages,
        stream_generate,
        timing_context,
    )
    from inferencesh_app.output_meta import (
        AudioMeta,
        ImageMeta,
        MetaItem,
        MetaItemType,
        OutputMeta,
        RawMeta,
        TextMeta,
        VideoMeta,
        VideoResolution,
    )
    from inferencesh_async.client import (
        AsyncInference,
        async_inference,
    )
    from inferencesh_core.client import (
        Inference,
        inference,
    )
    from inferencesh_core.errors import (
        APIError,
        CertificateError,
        ConfigurationError,
        ConnectError,
        InferenceError,
        InputError,
        PluginError,
        ReadTimeoutError,
        RequirementsNotMetError,
        ResponseTooLongError,
        SessionEndedError,
        SessionError,
        SessionExpiredError,
        SessionNotFoundError,
        StreamError,
        TaskCancelledError,
        TaskError,
        TaskFailedError,
        TaskTimeoutError,
        TransportError,
        UploadError,
        WorkerLostError,
    )
    from inferencesh_core.fetch import download
    from inferencesh_core.file import File
    from inferencesh_core.files import (
        AsyncFilesAPI,
        FilesAPI,
        UploadFileOptions,
    )
    from inferencesh_core.requirements import (
        RequirementError,
        SetupAction,
    )
    from inferencesh_core.statuses import (
        TaskStatus,
        is_message_ready,
        is_terminal_status,
        parse_status,
    )
    from inferencesh_core.storage import StorageDir
    from inferencesh_core.streamable import (
        StreamableMessage,
        iter_ndjson,
        stream_get,
        stream_post,
        streamable,
        streamable_raw,
    )
    from inferencesh_core.task_streams import (
        AsyncTaskStream,
        TaskStream,
    )
    from inferencesh_core.tasks import (
        AsyncTasksAPI,
        TasksAPI,
    )
    from inferencesh_core.types import (
        AgentTool,
        AgentToolDTO,
        ChatData,
        ChatDTO,
        ChatMessageContent,
        ChatMessageContentType,
        ChatMessageDTO,
        ChatMessageRole,
        ChatMessageStatus,
        ChatStatus,
        ChatTaskContextMessage,
        ChatTaskInput,
        InternalToolsConfig,
        Tool,
        ToolCall,
        ToolCallFunction,
        ToolFunction,
        ToolInvocationDTO,
        ToolInvocationStatus,
        ToolParameters,
        ToolResultRequest,
        ToolType,
    )
    from inferencesh_sessions.handles import (
        AsyncSessionHandle,
        SessionHandle,
    )
    from inferencesh_sessions.sessions import (
        AsyncSessionsAPI,
        SessionsAPI,
    )

else:
    __getattr__ = lazy_names(
        __name__,
        {
            "inferencesh_agents": (
                "Agent AgentAPIError AgentConfig AgentError AgentsAPI ApprovalRequest AsyncAgent "
                "AsyncAgentsAPI ChatNotFoundError ClientTool ClientToolHandler Decision Delta "
                "OutputError ReasoningDelta Rejection TextDelta ToolCallInfo ToolCalled ToolReturned "
                "TurnCancelledError TurnDone TurnFailedError TurnTimeoutError agent_tool app_tool array "
                "boolean call_tool enum_of function_tool http_tool integer internal_tools mcp_tool "
                "number obj optional string tool webhook_tool"
            ),
            "inferencesh_app.base": "BaseApp BaseAppInput BaseAppOutput BaseAppSetup Metadata",
            "inferencesh_app.llm": (
                "ContextMessage ContextMessageRole LLMInput LLMOutput Message build_messages "
                "stream_generate timing_context"
            ),
            "inferencesh_app.output_meta": (
                "AudioMeta ImageMeta MetaItem MetaItemType OutputMeta RawMeta TextMeta VideoMeta "
                "VideoResolution"
            ),
            "inferencesh_async.client": "AsyncInference async_inference",
            "inferencesh_core.client": "Inference inference",
            "inferencesh_core.errors": (
                "APIError CertificateError ConfigurationError ConnectError InferenceError InputError "
                "PluginError ReadTimeoutError RequirementsNotMetError ResponseTooLongError "
                "SessionEndedError SessionError SessionExpiredError SessionNotFoundError StreamError "
                "TaskCancelledError TaskError TaskFailedError TaskTimeoutError TransportError UploadError "
                "WorkerLostError"
            ),
            "inferencesh_core.fetch": "download",
            "inferencesh_core.file": "File",
            "inferencesh_core.files": "AsyncFilesAPI FilesAPI UploadFileOptions",
            "inferencesh_core.requirements": "RequirementError SetupAction",
            "inferencesh_core.statuses": "TaskStatus is_message_ready is_terminal_status parse_status",
            "inferencesh_core.storage": "StorageDir",
            "inferencesh_core.streamable": (
                "StreamableMessage iter_ndjson stream_get stream_post streamable streamable_raw"
            ),
            "inferencesh_core.task_streams": "AsyncTaskStream TaskStream",
            "inferencesh_core.tasks": "AsyncTasksAPI TasksAPI",
            "inferencesh_core.types": (
                "AgentTool AgentToolDTO ChatDTO ChatData ChatMessageContent ChatMessageContentType "
                "ChatMessageDTO ChatMessageRole ChatMessageStatus ChatStatus ChatTaskContextMessage "
                "ChatTaskInput InternalToolsConfig Tool ToolCall ToolCallFunction ToolFunction "
                "ToolInvocationDTO ToolInvocationStatus ToolParameters ToolResultRequest ToolType"
            ),
            "inferencesh_sessions.handles": "AsyncSessionHandle SessionHandle",
            "inferencesh_sessions.sessions": "AsyncSessionsAPI SessionsAPI",
        },
        submodules="agent api client models tools types utils",
    )

__all__ = [
    "APIError",
    "Agent",
    "AgentAPIError",
    "AgentConfig",
    "AgentError",
    "AgentTool",
    "AgentToolDTO",
    "AgentsAPI",
    "ApprovalRequest",
    "AsyncAgent",
    "AsyncAgentsAPI",
    "AsyncFilesAPI",
    "AsyncInference",
    "AsyncSessionHandle",
    "AsyncSessionsAPI",
    "AsyncTaskStream",
    "AsyncTasksAPI",
    "AudioMeta",
    "BaseApp",
    "BaseAppInput",
    "BaseAppOutput",
    "BaseAppSetup",
    "CertificateError",
    "ChatDTO",
    "ChatData",
    "ChatMessageContent",
    "ChatMessageContentType",
    "ChatMessageDTO",
    "ChatMessageRole",
    "ChatMessageStatus",
    "ChatNotFoundError",
    "ChatStatus",
    "ChatTaskContextMessage",
    "ChatTaskInput",
    "ClientTool",
    "ClientToolHandler",
    "ConfigurationError",
    "ConnectError",
    "ContextMessage",
    "ContextMessageRole",
    "Decision",
    "Delta",
    "File",
    "FilesAPI",
    "ImageMeta",
    "Inference",
    "InferenceError",
    "InputError",
    "InternalToolsConfig",
    "LLMInput",
    "LLMOutput",
    "Message",
    "MetaItem",
    "MetaItemType",
    "Metadata",
    "OutputError",
    "OutputMeta",
    "PluginError",
    "RawMeta",
    "ReadTimeoutError",
    "ReasoningDelta",
    "Rejection",
    "RequirementError",
    "RequirementsNotMetError",
    "ResponseTooLongError",
    "SessionEndedError",
    "SessionError",
    "SessionExpiredError",
    "SessionHandle",
    "SessionNotFoundError",
    "SessionsAPI",
    "SetupAction",
    "StorageDir",
    "StreamError",
    "StreamableMessage",
    "TaskCancelledError",
    "TaskError",
    "TaskFailedError",
    "TaskStatus",
    "TaskStream",
    "TaskTimeoutError",
    "TasksAPI",
    "TextDelta",
    "TextMeta",
    "Tool",
    "ToolCall",
    "ToolCallFunction",
    "ToolCallInfo",
    "ToolCalled",
    "ToolFunction",
    "ToolInvocationDTO",
    "ToolInvocationStatus",
    "ToolParameters",
    "ToolResultRequest",
    "ToolReturned",
    "ToolType",
    "TransportError",
    "TurnCancelledError",
    "TurnDone",
    "TurnFailedError",
    "TurnTimeoutError",
    "UploadError",
    "UploadFileOptions",
    "VideoMeta",
    "VideoResolution",
    "WorkerLostError",
    "agent_tool",
    "app_tool",
    "array",
    "async_inference",
    "boolean",
    "build_messages",
    "call_tool",
    "download",
    "enum_of",
    "function_tool",
    "http_tool",
    "inference",
    "integer",
    "internal_tools",
    "is_message_ready",
    "is_terminal_status",
    "iter_ndjson",
    "mcp_tool",
    "number",
    "obj",
    "optional",
    "parse_status",
    "stream_generate",
    "stream_get",
    "stream_post",
    "streamable",
    "streamable_raw",
    "string",
    "timing_context",
    "tool",
    "webhook_tool",
]


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """Keeps `streamable` the function: importing the submodule of that name would put the module there."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "streamable" and isinstance(value, ModuleType):
            value = value.streamable
        super().__setattr__(name, value)


modules[__name__].__class__ = _Package
