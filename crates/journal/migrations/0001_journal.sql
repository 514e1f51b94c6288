-- What was sent, when, by whom, with which outcome. Never about whom: no column of this table may describe a patient.
CREATE TABLE journal (
    id             TEXT PRIMARY KEY NOT NULL,
    kind           TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('checking', 'signing', 'depositing', 'deposited', 'failed', 'unknown')),
    created_at     TEXT NOT NULL,
    finished_at    TEXT,
    actor_id       TEXT NOT NULL,
    actor_name     TEXT NOT NULL,
    physician_id   TEXT NOT NULL,
    physician_name TEXT NOT NULL,
    reference      TEXT,
    correlation_id TEXT,
    replaces       TEXT,
    problem_code   TEXT,
    problem_fault  TEXT CHECK (problem_fault IN ('you', 'network', 'authority', 'us'))
) STRICT;

CREATE INDEX journal_by_time ON journal (created_at DESC);
CREATE INDEX journal_by_physician ON journal (physician_id, created_at DESC);
