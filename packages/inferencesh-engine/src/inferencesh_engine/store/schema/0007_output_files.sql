-- The task that made a file, which is kept for as long as the task is; empty for uploads.
ALTER TABLE files ADD COLUMN task_id TEXT NOT NULL DEFAULT '';
CREATE INDEX files_of_tasks ON files (created_at) WHERE task_id <> '';
