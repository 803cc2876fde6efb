-- How the content of a file was proven: believed, size, stream-hash, second-read, server-hash:<algorithm>:<hexadecimal>.
-- A file that is kept unchanged keeps the proof that it had, with the run and the moment of that proof.
ALTER TABLE files ADD COLUMN proof TEXT;
ALTER TABLE files ADD COLUMN proof_run INTEGER;
ALTER TABLE files ADD COLUMN proof_at INTEGER;
UPDATE files SET proof = CASE proven WHEN 1 THEN 'stream-hash' ELSE 'believed' END, proof_run = run, proof_at = at
    WHERE kind = 0;
-- Manifests go through a job's files in the order of their names in the target.
CREATE INDEX files_target ON files (job, target);
-- What a run proved.
ALTER TABLE items ADD COLUMN proof TEXT;
-- 1: read because the policy says so, and not the content that size and time promised.
ALTER TABLE items ADD COLUMN unseen INTEGER NOT NULL DEFAULT 0;
