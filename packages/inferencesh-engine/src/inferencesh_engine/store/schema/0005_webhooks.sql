-- Tasks whose end somebody asked to be told of, from their acceptance until they are told or given up.
CREATE TABLE webhooks (
    task_id TEXT NOT NULL PRIMARY KEY,
    tries INTEGER NOT NULL,
    due_at REAL NOT NULL
);
