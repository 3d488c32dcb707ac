-- A task's row holds what was asked for and, once it has ended, its final state. The changes in between are
-- in `events`, so the state of a running task is the fold of its events over its row.
CREATE TABLE tasks (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    status INTEGER NOT NULL,
    app TEXT NOT NULL,
    app_id TEXT NOT NULL,
    app_version_id TEXT NOT NULL,
    app_variant TEXT NOT NULL,
    function TEXT,
    infra TEXT NOT NULL,
    workers TEXT NOT NULL,
    webhook TEXT,
    run_at REAL,
    setup TEXT NOT NULL,
    input TEXT NOT NULL,
    metadata TEXT NOT NULL,
    worker_id TEXT,
    output TEXT,
    error TEXT,
    steps TEXT
);
CREATE INDEX tasks_unfinished ON tasks (number) WHERE status < 10;

-- `steps` is set in a row that stands for everything before it (a snapshot).
CREATE TABLE events (
    task_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    updated_at REAL NOT NULL,
    status INTEGER,
    worker_id TEXT,
    error TEXT,
    output TEXT,
    steps TEXT,
    PRIMARY KEY (task_id, seq)
) WITHOUT ROWID;

CREATE TABLE logs (
    task_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at REAL NOT NULL,
    log_type INTEGER NOT NULL,
    content TEXT NOT NULL
);
CREATE INDEX logs_of_task ON logs (task_id, seq);

CREATE TABLE idempotency_keys (
    number INTEGER PRIMARY KEY,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    task_id TEXT NOT NULL,
    created_at REAL NOT NULL,
    UNIQUE (scope, key)
);

CREATE TABLE files (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    filename TEXT NOT NULL,
    content_type TEXT NOT NULL,
    created_at REAL NOT NULL,
    size INTEGER,
    digest TEXT,
    public INTEGER NOT NULL,
    state TEXT NOT NULL,
    category TEXT NOT NULL,
    path TEXT NOT NULL
);
