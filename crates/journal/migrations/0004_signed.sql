-- PDFs made elsewhere that were signed and not sent. SQLite cannot change a CHECK: the table is made anew. Still no column may describe
-- a patient; neither the PDF nor its name is kept.
CREATE TABLE journal_4 (
    id                          TEXT PRIMARY KEY NOT NULL,
    kind                        TEXT NOT NULL,
    state                       TEXT NOT NULL CHECK (state IN ('checking', 'signing', 'depositing', 'deposited', 'failed', 'unknown',
                                    'simulated', 'contested', 'cancelling', 'cancelled', 'paper', 'signed')),
    created_at                  TEXT NOT NULL,
    finished_at                 TEXT,
    actor_id                    TEXT NOT NULL,
    actor_name                  TEXT NOT NULL,
    physician_id                TEXT NOT NULL,
    physician_name              TEXT NOT NULL,
    provider_code               TEXT,
    reference                   TEXT,
    correlation_id              TEXT,
    replaces                    TEXT,
    replaced_by                 TEXT,
    cancellation_id             TEXT,
    cancelled_at                TEXT,
    cancellation_correlation_id TEXT,
    problem_code                TEXT,
    problem_fault               TEXT CHECK (problem_fault IN ('you', 'network', 'authority', 'us')),
    on_paper                    INTEGER NOT NULL DEFAULT 0 CHECK (on_paper IN (0, 1))
) STRICT;

INSERT INTO journal_4 (id, kind, state, created_at, finished_at, actor_id, actor_name, physician_id, physician_name, provider_code,
    reference, correlation_id, replaces, replaced_by, cancellation_id, cancelled_at, cancellation_correlation_id, problem_code,
    problem_fault, on_paper)
SELECT id, kind, state, created_at, finished_at, actor_id, actor_name, physician_id, physician_name, provider_code,
    reference, correlation_id, replaces, replaced_by, cancellation_id, cancelled_at, cancellation_correlation_id, problem_code,
    problem_fault, on_paper
FROM journal ORDER BY rowid;

DROP TABLE journal;
ALTER TABLE journal_4 RENAME TO journal;

CREATE INDEX journal_by_time ON journal (created_at DESC);
CREATE INDEX journal_by_physician ON journal (physician_id, created_at DESC);
