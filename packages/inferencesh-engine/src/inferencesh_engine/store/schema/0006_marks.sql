-- How a task is shown to others; the only things about a task that may change after its end.
ALTER TABLE tasks ADD COLUMN visibility TEXT NOT NULL DEFAULT 'private';
ALTER TABLE tasks ADD COLUMN is_featured INTEGER NOT NULL DEFAULT 0;
