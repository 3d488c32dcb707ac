ALTER TABLE tasks ADD COLUMN session_id TEXT;
ALTER TABLE tasks ADD COLUMN session_timeout INTEGER;

CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    app_id TEXT NOT NULL,
    app_version_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    idle_timeout INTEGER NOT NULL,
    expires_at REAL NOT NULL,
    worker_id TEXT NOT NULL,
    status TEXT NOT NULL,
    ended_at REAL,
    call_count INTEGER NOT NULL,
    last_call_at REAL
);
CREATE INDEX sessions_active ON sessions (number) WHERE status = 'active';
