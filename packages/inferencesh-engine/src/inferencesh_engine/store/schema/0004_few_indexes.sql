-- Kept up to date twice for every task, and asked once, when an engine starts: reading the table does for that.
DROP INDEX tasks_unfinished;
