-- Forms that are simulated before they are paid, cancelled, replaced or signed by hand. SQLite cannot change a CHECK: the table is
-- made anew. Still no column may describe a patient; why a document was cancelled is not kept, since people write names there.
CREATE TABLE journal_2 (
    id                          TEXT PRIMARY KEY NOT NULL,
    kind                        TEXT NOT NULL,
    state                       TEXT NOT NULL CHECK (state IN ('checking', 'signing', 'depositing', 'deposited', 'failed', 'unknown',
                                    'simulated', 'contested', 'cancelling', 'cancelled', 'paper')),
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
    problem_fault               TEXT CHECK (problem_fault IN ('you', 'network', 'authority', 'us'))
) STRICT;

INSERT INTO journal_2 (id, kind, state, created_at, finished_at, actor_id, actor_name, physician_id, physician_name, reference,
    correlation_id, replaces, problem_code, problem_fault)
SELECT id, kind, state, created_at, finished_at, actor_id, actor_name, physician_id, physician_name, reference,
    correlation_id, replaces, problem_code, problem_fault
FROM journal ORDER BY rowid;

DROP TABLE journal;
ALTER TABLE journal_2 RENAME TO journal;

CREATE INDEX journal_by_time ON journal (created_at DESC);
CREATE INDEX journal_by_physician ON journal (physician_id, created_at DESC);
