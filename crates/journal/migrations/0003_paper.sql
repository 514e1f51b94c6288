-- Whether the pages were made for a handwritten signature: a try to send the same document that fails leaves the paper where it was.
ALTER TABLE journal ADD COLUMN on_paper INTEGER NOT NULL DEFAULT 0 CHECK (on_paper IN (0, 1));

UPDATE journal SET on_paper = 1 WHERE state = 'paper';
