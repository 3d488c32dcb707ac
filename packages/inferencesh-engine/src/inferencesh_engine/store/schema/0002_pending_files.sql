-- Files announced and not uploaded are looked for by age, to be forgotten.
CREATE INDEX files_pending ON files (created_at) WHERE state = 'pending';
