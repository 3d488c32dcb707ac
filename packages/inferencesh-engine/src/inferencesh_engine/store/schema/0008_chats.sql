-- A record is the whole object as JSON; the columns beside it are what is looked for.
CREATE TABLE chats (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    status TEXT NOT NULL,
    name TEXT NOT NULL,
    agent_id TEXT,
    agent_version_id TEXT,
    parent_id TEXT,
    record TEXT NOT NULL
);
CREATE INDEX chats_children ON chats (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE chat_messages (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    chat_id TEXT NOT NULL,
    status TEXT NOT NULL,
    record TEXT NOT NULL
);
CREATE INDEX chat_messages_of_chat ON chat_messages (chat_id);
CREATE INDEX chat_messages_open ON chat_messages (chat_id) WHERE status IN ('queued', 'pending');

CREATE TABLE tool_invocations (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    chat_id TEXT NOT NULL,
    record TEXT NOT NULL
);
CREATE INDEX tool_invocations_of_chat ON tool_invocations (chat_id);
