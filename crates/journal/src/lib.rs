//! The journal: SQLite, what was sent and never about whom.
//!
//! A row is written *before* the deposit leaves, so that a crash or a cut line can never lead to a second deposit: whatever was
//! under way at the last stop is `unknown` at the next start.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use econnector_base::{Explain, Fault};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Row, SqlitePool};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// How many lines a journal in memory keeps: a day of a large hospital, in some ten megabytes.
const MOST_IN_MEMORY: u32 = 20_000;
/// After how many lines begun a journal in memory looks whether it has grown too long: each time would cost more than the lines do.
const LOOK_EVERY: u32 = 256;

/// How far a document has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Values are being checked and pages set.
    Checking,
    /// The signature service has been asked.
    Signing,
    /// The signed document is on its way to mySecu.
    Depositing,
    /// mySecu confirmed it.
    Deposited,
    /// It certainly did not reach mySecu, or mySecu refused it: the same id may be sent again.
    Failed,
    /// It may have reached mySecu and no valid answer came back: never sent again.
    Unknown,
    /// The authority said what it would pay; nothing was paid.
    Simulated,
    /// What the authority said to a simulation was contested; nothing was paid.
    Contested,
    /// A cancellation is on its way, or its answer was lost: it may be asked for again.
    Cancelling,
    /// The authority cancelled it.
    Cancelled,
    /// Its pages were made for a handwritten signature; nothing was sent.
    Paper,
    /// A PDF made elsewhere was signed; nothing was sent.
    Signed,
}

impl State {
    const ALL: [Self; 12] = [
        Self::Checking,
        Self::Signing,
        Self::Depositing,
        Self::Deposited,
        Self::Failed,
        Self::Unknown,
        Self::Simulated,
        Self::Contested,
        Self::Cancelling,
        Self::Cancelled,
        Self::Paper,
        Self::Signed,
    ];

    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Signing => "signing",
            Self::Depositing => "depositing",
            Self::Deposited => "deposited",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Simulated => "simulated",
            Self::Contested => "contested",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Paper => "paper",
            Self::Signed => "signed",
        }
    }
}

impl FromStr for State {
    type Err = JournalError;

    fn from_str(word: &str) -> Result<Self, JournalError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or(JournalError::Unreadable)
    }
}

/// Who acted: the actor's subject and name, the physician's eHealthID and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The token's `sub`.
    pub actor_id: String,
    /// Name of whoever pressed the button.
    pub actor_name: String,
    /// The physician's eHealthID.
    pub physician_id: String,
    /// The physician's name.
    pub physician_name: String,
}

/// One document's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The caller's id, also on the wire.
    pub id: Uuid,
    /// The form's kind.
    pub kind: String,
    /// How far it came.
    pub state: State,
    /// When it was first sent here.
    pub created_at: OffsetDateTime,
    /// When its outcome was known.
    pub finished_at: Option<OffsetDateTime>,
    /// Who acted for whom.
    pub who: Who,
    /// The provider code in whose mySecu space it was sent; absent in lines of before it was noted.
    pub provider_code: Option<String>,
    /// mySecu's reference.
    pub reference: Option<String>,
    /// mySecu's Correlation-ID.
    pub correlation_id: Option<String>,
    /// The document this one replaces.
    pub replaces: Option<Uuid>,
    /// The document that took its place, or was meant to.
    pub replaced_by: Option<Uuid>,
    /// Its cancellation, once one was asked for.
    pub cancellation: Option<Cancellation>,
    /// Stable code of the problem that ended it, and whose fault that was.
    pub problem: Option<(String, Fault)>,
}

/// A document's cancellation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancellation {
    /// The id of the message that asks for it.
    pub id: Uuid,
    /// When the authority confirmed it.
    pub at: Option<OffsetDateTime>,
    /// mySecu's Correlation-ID of the last answer to it.
    pub correlation_id: Option<String>,
}

/// The last thing known of a document.
#[derive(Clone, Debug, Default)]
pub struct Settlement {
    /// mySecu's reference.
    pub reference: Option<String>,
    /// mySecu's Correlation-ID.
    pub correlation_id: Option<String>,
    /// Stable code of the problem that ended it, and whose fault that was.
    pub problem: Option<(String, Fault)>,
}

/// The journal of one user, or of one server process.
#[derive(Clone, Debug)]
pub struct Journal {
    pool: SqlitePool,
    /// How many lines are kept; all when `None`.
    most: Option<u32>,
    /// How many lines were begun since the start.
    begun: Arc<AtomicU32>,
    /// Held while the journal is open: whoever opens it settles what an earlier process left, so there must be one.
    _lock: Option<Arc<File>>,
}

impl Journal {
    /// Opens or makes the journal in a file that only its owner may read; rows left under way become `unknown`, `failed` or `paper`.
    ///
    /// # Errors
    /// [`JournalError::Storage`] when the file cannot be opened, is no journal, or is of a newer version.
    pub async fn open(file: &Path) -> Result<Self, JournalError> {
        if let Some(folder) = file.parent() {
            make_private_folder(folder)?;
        }
        let lock = private_file(&file.with_extension("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::InUse),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // SQLite gives its companions the mode of the file itself.
        private_file(file)?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("secure_delete", "ON");
        Self::connect(options, None, Some(Arc::new(lock))).await
    }

    /// A journal that ends with the process: the stateless server's.
    ///
    /// # Errors
    /// [`JournalError::Storage`] when SQLite refuses.
    pub async fn in_memory() -> Result<Self, JournalError> {
        Self::connect(SqliteConnectOptions::from_str("sqlite::memory:")?, Some(MOST_IN_MEMORY), None).await
    }

    async fn connect(options: SqliteConnectOptions, most: Option<u32>, lock: Option<Arc<File>>) -> Result<Self, JournalError> {
        // One connection: a row a document is no load, and an in-memory database lives in its connection.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.disable_statement_logging())
            .await?;
        sqlx::migrate!().run(&pool).await.map_err(sqlx::Error::from)?;
        sqlx::query("UPDATE journal SET state = CASE WHEN state = 'depositing' THEN 'unknown' WHEN on_paper = 1 THEN 'paper' ELSE 'failed' END, problem_code = 'interrupted', problem_fault = 'us' WHERE state IN ('checking', 'signing', 'depositing')")
            .execute(&pool)
            .await?;
        Ok(Self {
            pool,
            most,
            begun: Arc::default(),
            _lock: lock,
        })
    }

    /// Begins a document, or begins one again whose state is one of `over`. The links of a replacement stay.
    ///
    /// # Errors
    /// [`JournalError::Settled`] when the id is there in any other state or as another kind.
    pub async fn begin(&self, entry: &Entry, over: &[State]) -> Result<(), JournalError> {
        let over: String = over.iter().flat_map(|state| [" ", state.as_str(), " "]).collect();
        let done = sqlx::query(
            "INSERT INTO journal (id, kind, state, created_at, finished_at, actor_id, actor_name, physician_id, physician_name, provider_code, replaces, on_paper) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, finished_at = excluded.finished_at, reference = NULL, correlation_id = NULL, problem_code = NULL, problem_fault = NULL, \
             actor_id = excluded.actor_id, actor_name = excluded.actor_name, physician_id = excluded.physician_id, physician_name = excluded.physician_name, \
             provider_code = excluded.provider_code, replaces = excluded.replaces, on_paper = max(journal.on_paper, excluded.on_paper) WHERE instr(?, ' ' || journal.state || ' ') > 0 AND journal.kind = excluded.kind",
        )
        .bind(entry.id.to_string())
        .bind(&entry.kind)
        .bind(entry.state.as_str())
        .bind(stamp(entry.created_at)?)
        .bind(entry.finished_at.map(stamp).transpose()?)
        .bind(&entry.who.actor_id)
        .bind(&entry.who.actor_name)
        .bind(&entry.who.physician_id)
        .bind(&entry.who.physician_name)
        .bind(&entry.provider_code)
        .bind(entry.replaces.map(|id| id.to_string()))
        .bind(entry.state == State::Paper)
        .bind(over)
        .execute(&self.pool)
        .await?;
        if done.rows_affected() != 1 {
            return Err(JournalError::Settled);
        }
        if let Some(most) = self.most {
            // A line begun again is as new as any: its age is what is forgotten by.
            sqlx::query(
                "UPDATE journal SET rowid = (SELECT max(rowid) + 1 FROM journal) WHERE id = ? AND rowid < (SELECT max(rowid) FROM journal)",
            )
            .bind(entry.id.to_string())
            .execute(&self.pool)
            .await?;
            if self.begun.fetch_add(1, Ordering::Relaxed) % LOOK_EVERY == LOOK_EVERY - 1 {
                self.forget_beyond(most).await?;
            }
        }
        Ok(())
    }

    /// Forgets what is too much: never what is under way or not known, what was settled for good only when nothing else is left to forget,
    /// and first the oldest of the physician who has the most lines. So nobody's lines push out another's, and with them the knowledge
    /// of what must not be sent twice.
    async fn forget_beyond(&self, most: u32) -> Result<(), JournalError> {
        sqlx::query(
            "DELETE FROM journal WHERE rowid IN ( \
             SELECT line.rowid FROM journal AS line JOIN (SELECT physician_id, count(*) AS lines FROM journal GROUP BY physician_id) AS share USING (physician_id) \
             WHERE line.state NOT IN ('checking', 'signing', 'depositing', 'unknown', 'cancelling') \
             ORDER BY line.state NOT IN ('failed', 'paper', 'simulated'), share.lines DESC, line.rowid \
             LIMIT max(0, (SELECT count(*) FROM journal) - ?))",
        )
        .bind(most)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes that a document has reached a stage that is not its last.
    ///
    /// # Errors
    /// [`JournalError::Storage`]: then the document must not go on.
    pub async fn advance(&self, id: Uuid, state: State) -> Result<(), JournalError> {
        let done = sqlx::query("UPDATE journal SET state = ? WHERE id = ?")
            .bind(state.as_str())
            .bind(id.to_string())
            .execute(&self.pool)
            .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(JournalError::Unreadable)
        }
    }

    /// Notes a document's outcome. What is on paper and `Failed` to be sent is on paper still.
    ///
    /// # Errors
    /// [`JournalError::Storage`].
    pub async fn settle(&self, id: Uuid, state: State, at: OffsetDateTime, settlement: &Settlement) -> Result<(), JournalError> {
        sqlx::query("UPDATE journal SET state = CASE WHEN ?1 = 'failed' AND on_paper = 1 THEN 'paper' ELSE ?1 END, finished_at = ?2, reference = ?3, correlation_id = ?4, problem_code = ?5, problem_fault = ?6 WHERE id = ?7")
            .bind(state.as_str())
            .bind(stamp(at)?)
            .bind(&settlement.reference)
            .bind(&settlement.correlation_id)
            .bind(settlement.problem.as_ref().map(|(code, _)| code))
            .bind(settlement.problem.as_ref().map(|(_, fault)| fault.as_str()))
            .bind(id.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Notes that a cancellation is about to leave: under which message id, and which document takes the place.
    ///
    /// # Errors
    /// [`JournalError::Settled`] when the document is not in a state that can be cancelled: then nothing may leave.
    pub async fn begin_cancellation(&self, id: Uuid, cancellation_id: Uuid, replaced_by: Option<Uuid>) -> Result<(), JournalError> {
        let done = sqlx::query(
            "UPDATE journal SET state = 'cancelling', cancellation_id = ?, replaced_by = ? WHERE id = ? AND state IN ('deposited', 'unknown', 'cancelling')",
        )
        .bind(cancellation_id.to_string())
        .bind(replaced_by.map(|id| id.to_string()))
        .bind(id.to_string())
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(JournalError::Settled)
        }
    }

    /// Notes what became of a cancellation: `Cancelled` at a time, `Cancelling` while its answer is lost, or the state of before when
    /// it certainly did not happen; `Failed` when the document never arrived, or `Paper` if it is there. The document's own reference and Correlation-ID stay.
    ///
    /// # Errors
    /// [`JournalError::Storage`].
    pub async fn settle_cancellation(
        &self,
        id: Uuid,
        state: State,
        cancelled_at: Option<OffsetDateTime>,
        settlement: &Settlement,
    ) -> Result<(), JournalError> {
        sqlx::query(
            "UPDATE journal SET state = CASE WHEN ?1 = 'failed' AND on_paper = 1 THEN 'paper' ELSE ?1 END, cancelled_at = ?2, cancellation_correlation_id = ?3, problem_code = ?4, problem_fault = ?5 WHERE id = ?6",
        )
        .bind(state.as_str())
        .bind(cancelled_at.map(stamp).transpose()?)
        .bind(&settlement.correlation_id)
        .bind(settlement.problem.as_ref().map(|(code, _)| code))
        .bind(settlement.problem.as_ref().map(|(_, fault)| fault.as_str()))
        .bind(id.to_string())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes which document takes the place of one that needs no cancellation any more.
    ///
    /// # Errors
    /// [`JournalError::Storage`].
    pub async fn link(&self, id: Uuid, replaced_by: Uuid) -> Result<(), JournalError> {
        sqlx::query("UPDATE journal SET replaced_by = ? WHERE id = ?")
            .bind(replaced_by.to_string())
            .bind(id.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// One document's line.
    ///
    /// # Errors
    /// [`JournalError::Storage`], [`JournalError::Unreadable`].
    pub async fn find(&self, id: Uuid) -> Result<Option<Entry>, JournalError> {
        let row = sqlx::query("SELECT * FROM journal WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(entry).transpose()
    }

    /// The newest lines, newest first; of one physician when `physician_id` is given.
    ///
    /// # Errors
    /// [`JournalError::Storage`], [`JournalError::Unreadable`].
    pub async fn list(&self, physician_id: Option<&str>, limit: u32) -> Result<Vec<Entry>, JournalError> {
        let rows = sqlx::query("SELECT * FROM journal WHERE ?1 IS NULL OR physician_id = ?1 ORDER BY created_at DESC, rowid DESC LIMIT ?2")
            .bind(physician_id)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(entry).collect()
    }

    /// Closes the file and empties the write-ahead log into it.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Why the journal could not do its work.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read or written.
    #[error("journal: {0}")]
    Storage(#[from] sqlx::Error),
    /// The folder cannot be made private.
    #[error("journal folder: {0}")]
    Folder(#[from] std::io::Error),
    /// A row that this version did not write.
    #[error("journal: unreadable row")]
    Unreadable,
    /// Another process of this user has it open.
    #[error("journal: in use by another process")]
    InUse,
    /// The id is already there and its outcome stands.
    #[error("journal: the id is already settled")]
    Settled,
}

impl Explain for JournalError {
    fn code(&self) -> &'static str {
        match self {
            Self::Storage(_) | Self::Folder(_) | Self::Unreadable => "journal-unusable",
            Self::InUse => "journal-in-use",
            Self::Settled => "id-already-used",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::InUse | Self::Settled => Fault::You,
            _ => Fault::Us,
        }
    }
}

fn entry(row: &SqliteRow) -> Result<Entry, JournalError> {
    let text = |name: &str| row.try_get::<Option<String>, _>(name);
    let uuid = |word: String| Uuid::parse_str(&word).map_err(|_| JournalError::Unreadable);
    let moment = |word: String| OffsetDateTime::parse(&word, &Rfc3339).map_err(|_| JournalError::Unreadable);
    Ok(Entry {
        id: uuid(row.try_get("id")?)?,
        kind: row.try_get("kind")?,
        state: row.try_get::<String, _>("state")?.parse()?,
        created_at: moment(row.try_get("created_at")?)?,
        finished_at: text("finished_at")?.map(moment).transpose()?,
        who: Who {
            actor_id: row.try_get("actor_id")?,
            actor_name: row.try_get("actor_name")?,
            physician_id: row.try_get("physician_id")?,
            physician_name: row.try_get("physician_name")?,
        },
        provider_code: text("provider_code")?,
        reference: text("reference")?,
        correlation_id: text("correlation_id")?,
        replaces: text("replaces")?.map(uuid).transpose()?,
        replaced_by: text("replaced_by")?.map(uuid).transpose()?,
        cancellation: match text("cancellation_id")? {
            Some(id) => Some(Cancellation {
                id: uuid(id)?,
                at: text("cancelled_at")?.map(moment).transpose()?,
                correlation_id: text("cancellation_correlation_id")?,
            }),
            None => None,
        },
        problem: text("problem_code")?.zip(text("problem_fault")?.and_then(|word| Fault::from_word(&word))),
    })
}

fn stamp(at: OffsetDateTime) -> Result<String, JournalError> {
    at.to_offset(time::UtcOffset::UTC)
        .truncate_to_microsecond()
        .format(&Rfc3339)
        .map_err(|_| JournalError::Unreadable)
}

/// Opens or makes a file that only its owner may read.
fn private_file(file: &Path) -> Result<File, std::io::Error> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(file)
}

fn make_private_folder(folder: &Path) -> Result<(), std::io::Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn sample(id: Uuid) -> Entry {
        Entry {
            id,
            kind: "ecit".into(),
            state: State::Signing,
            created_at: datetime!(2026-11-21 10:00 UTC),
            finished_at: None,
            who: Who {
                actor_id: "a".into(),
                actor_name: "Claire".into(),
                physician_id: "1900000001".into(),
                physician_name: "Dr Weber".into(),
            },
            provider_code: Some("90000101".into()),
            reference: None,
            correlation_id: None,
            replaces: None,
            replaced_by: None,
            cancellation: None,
            problem: None,
        }
    }

    const AGAIN: &[State] = &[State::Failed];

    #[tokio::test]
    async fn a_failed_document_may_begin_again_and_a_deposited_one_may_not() {
        let journal = Journal::in_memory().await.unwrap();
        let id = Uuid::from_u128(1);
        journal.begin(&sample(id), AGAIN).await.unwrap();
        assert!(matches!(journal.begin(&sample(id), AGAIN).await, Err(JournalError::Settled)));
        journal
            .settle(
                id,
                State::Failed,
                datetime!(2026-11-21 10:01 UTC),
                &Settlement {
                    problem: Some(("kms-failed".into(), Fault::Authority)),
                    ..Settlement::default()
                },
            )
            .await
            .unwrap();
        journal.begin(&sample(id), AGAIN).await.unwrap();
        journal.advance(id, State::Depositing).await.unwrap();
        journal
            .settle(
                id,
                State::Deposited,
                datetime!(2026-11-21 10:02 UTC),
                &Settlement {
                    reference: Some("R".into()),
                    ..Settlement::default()
                },
            )
            .await
            .unwrap();
        assert!(matches!(journal.begin(&sample(id), AGAIN).await, Err(JournalError::Settled)));
        let entry = journal.find(id).await.unwrap().unwrap();
        assert_eq!(
            (entry.state, entry.reference.as_deref(), entry.problem),
            (State::Deposited, Some("R"), None)
        );
        assert_eq!(entry.finished_at, Some(datetime!(2026-11-21 10:02 UTC)));
    }

    #[tokio::test]
    async fn what_was_on_its_way_at_a_crash_is_unknown_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("private").join("journal.db");
        let (sent, unsent) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let journal = Journal::open(&file).await.unwrap();
        journal.begin(&sample(sent), AGAIN).await.unwrap();
        journal.advance(sent, State::Depositing).await.unwrap();
        journal.begin(&sample(unsent), AGAIN).await.unwrap();
        assert!(
            matches!(Journal::open(&file).await, Err(JournalError::InUse)),
            "one process at a time"
        );
        #[cfg(unix)]
        for name in ["journal.db", "journal.db-wal", "journal.lock"] {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(file.with_file_name(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name} is the owner's alone");
        }
        journal.close().await;
        drop(journal);
        let journal = Journal::open(&file).await.unwrap();
        assert_eq!(journal.find(sent).await.unwrap().unwrap().state, State::Unknown);
        assert_eq!(journal.find(unsent).await.unwrap().unwrap().state, State::Failed);
        assert_eq!(journal.list(Some("1900000001"), 10).await.unwrap().len(), 2);
        assert!(journal.list(Some("1900000002"), 10).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_file_that_is_no_journal_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.db");
        std::fs::write(&file, b"not a database, but somebody's only copy of something").unwrap();
        assert!(Journal::open(&file).await.is_err());
        assert!(std::fs::read(&file).unwrap().starts_with(b"not a database"));
    }

    #[tokio::test]
    async fn a_line_is_begun_again_only_over_the_states_named() {
        let journal = Journal::in_memory().await.unwrap();
        let id = Uuid::from_u128(1);
        journal.begin(&sample(id), &[]).await.unwrap();
        let now = datetime!(2026-11-21 10:01 UTC);
        let reference = Settlement {
            reference: Some("SIM-1".into()),
            ..Settlement::default()
        };
        journal.settle(id, State::Simulated, now, &reference).await.unwrap();
        assert!(matches!(journal.begin(&sample(id), AGAIN).await, Err(JournalError::Settled)));
        // "simulated" is no part of another word, and no word is part of it.
        assert!(matches!(
            journal.begin(&sample(id), &[State::Paper, State::Contested]).await,
            Err(JournalError::Settled)
        ));
        let other_kind = Entry {
            kind: "mh".into(),
            ..sample(id)
        };
        assert!(matches!(
            journal.begin(&other_kind, &[State::Simulated]).await,
            Err(JournalError::Settled)
        ));
        journal.begin(&sample(id), &[State::Failed, State::Simulated]).await.unwrap();
        let entry = journal.find(id).await.unwrap().unwrap();
        assert_eq!((entry.state, entry.reference), (State::Signing, None));
    }

    #[tokio::test]
    async fn a_cancellation_is_noted_before_it_leaves_and_survives_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.db");
        let (old, new, message) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let journal = Journal::open(&file).await.unwrap();
        journal.begin(&sample(old), AGAIN).await.unwrap();
        assert!(
            matches!(journal.begin_cancellation(old, message, None).await, Err(JournalError::Settled)),
            "what was never deposited is not cancelled"
        );
        let now = datetime!(2026-11-21 10:01 UTC);
        let deposited = Settlement {
            reference: Some("R".into()),
            correlation_id: Some("Id-1".into()),
            problem: None,
        };
        journal.settle(old, State::Deposited, now, &deposited).await.unwrap();
        journal.begin_cancellation(old, message, Some(new)).await.unwrap();
        journal.close().await;
        drop(journal);

        let journal = Journal::open(&file).await.unwrap();
        let entry = journal.find(old).await.unwrap().unwrap();
        assert_eq!((entry.state, entry.replaced_by), (State::Cancelling, Some(new)));
        assert_eq!(entry.cancellation.map(|cancellation| cancellation.id), Some(message));
        let answer = Settlement {
            correlation_id: Some("Id-2".into()),
            ..Settlement::default()
        };
        journal
            .settle_cancellation(old, State::Cancelled, Some(now), &answer)
            .await
            .unwrap();
        let entry = journal.find(old).await.unwrap().unwrap();
        assert_eq!(entry.reference.as_deref(), Some("R"));
        assert_eq!(entry.correlation_id.as_deref(), Some("Id-1"), "the deposit's own stays");
        let cancellation = Cancellation {
            id: message,
            at: Some(now),
            correlation_id: Some("Id-2".into()),
        };
        assert_eq!((entry.state, entry.cancellation), (State::Cancelled, Some(cancellation)));
        assert!(matches!(
            journal.begin_cancellation(old, message, None).await,
            Err(JournalError::Settled)
        ));
    }

    #[tokio::test]
    async fn what_is_on_paper_stays_on_paper_when_sending_it_fails() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.db");
        let (id, now) = (Uuid::from_u128(1), datetime!(2026-11-21 10:01 UTC));
        let over = &[State::Failed, State::Paper];
        let paper = Entry {
            state: State::Paper,
            ..sample(id)
        };
        let journal = Journal::open(&file).await.unwrap();
        journal.begin(&paper, over).await.unwrap();
        journal.begin(&sample(id), over).await.unwrap();
        let failed = Settlement {
            problem: Some(("kms-failed".into(), Fault::Authority)),
            ..Settlement::default()
        };
        journal.settle(id, State::Failed, now, &failed).await.unwrap();
        let entry = journal.find(id).await.unwrap().unwrap();
        assert_eq!((entry.state, entry.problem), (State::Paper, failed.problem));

        journal.begin(&sample(id), over).await.unwrap();
        journal.close().await;
        drop(journal);
        let journal = Journal::open(&file).await.unwrap();
        let entry = journal.find(id).await.unwrap().unwrap();
        assert_eq!(
            (entry.state, entry.problem.map(|(code, _)| code).as_deref()),
            (State::Paper, Some("interrupted"))
        );
        journal.begin(&sample(id), over).await.unwrap();
        journal.settle(id, State::Deposited, now, &Settlement::default()).await.unwrap();
        assert_eq!(journal.find(id).await.unwrap().unwrap().state, State::Deposited);
    }

    #[tokio::test]
    async fn a_pdf_is_signed_once_and_an_older_journal_learns_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.db");
        let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        let mut before = sqlx::migrate!();
        before.migrations = before.migrations.iter().take(3).cloned().collect::<Vec<_>>().into();
        before.run(&pool).await.unwrap();
        pool.close().await;
        let journal = Journal::open(&file).await.unwrap();
        let (paper, signed) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let now = datetime!(2026-11-21 10:01 UTC);
        journal
            .begin(
                &Entry {
                    state: State::Paper,
                    ..sample(paper)
                },
                AGAIN,
            )
            .await
            .unwrap();
        let pdf = Entry {
            kind: "pdf".into(),
            provider_code: None,
            ..sample(signed)
        };
        journal.begin(&pdf, AGAIN).await.unwrap();
        journal.settle(signed, State::Signed, now, &Settlement::default()).await.unwrap();
        assert!(matches!(journal.begin(&pdf, AGAIN).await, Err(JournalError::Settled)));
        assert!(matches!(
            journal.begin_cancellation(signed, Uuid::from_u128(3), None).await,
            Err(JournalError::Settled)
        ));
        journal.close().await;
        drop(journal);
        let journal = Journal::open(&file).await.unwrap();
        assert_eq!(journal.find(signed).await.unwrap().unwrap().state, State::Signed);
        assert_eq!(journal.find(paper).await.unwrap().unwrap().state, State::Paper);
    }

    #[tokio::test]
    async fn a_journal_of_the_first_version_opens_with_its_lines() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.db");
        let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        let mut first = sqlx::migrate!();
        first.migrations = first.migrations.iter().take(1).cloned().collect::<Vec<_>>().into();
        first.run(&pool).await.unwrap();
        for (id, state) in [(1_u128, "deposited"), (2, "depositing")] {
            sqlx::query("INSERT INTO journal (id, kind, state, created_at, actor_id, actor_name, physician_id, physician_name, reference) VALUES (?, 'ecit', ?, '2026-11-21T10:00:00Z', 'a', 'Claire', '1900000001', 'Dr Weber', 'R')")
                .bind(Uuid::from_u128(id).to_string())
                .bind(state)
                .execute(&pool)
                .await
                .unwrap();
        }
        pool.close().await;

        let journal = Journal::open(&file).await.unwrap();
        let lines = journal.list(None, 10).await.unwrap();
        let states: Vec<_> = lines.iter().map(|line| (line.id.as_u128(), line.state)).collect();
        assert_eq!(
            states,
            [(2, State::Unknown), (1, State::Deposited)],
            "order and outcome are those of before"
        );
        let deposited = lines.last().unwrap();
        assert_eq!(
            (deposited.reference.as_deref(), deposited.provider_code.as_deref()),
            (Some("R"), None)
        );
        journal.begin_cancellation(deposited.id, Uuid::from_u128(3), None).await.unwrap();
    }

    fn of(physician: &str, id: u128, state: State) -> Entry {
        let mut entry = Entry {
            state,
            ..sample(Uuid::from_u128(id))
        };
        physician.clone_into(&mut entry.who.physician_id);
        entry
    }

    #[tokio::test]
    async fn nobody_pushes_out_what_another_must_not_send_twice() {
        let journal = Journal::in_memory().await.unwrap();
        let now = datetime!(2026-11-21 10:01 UTC);
        let (a, b) = ("1900000001", "1900000002");
        let outcomes = [State::Deposited, State::Unknown, State::Signed, State::Contested];
        for (id, outcome) in (1..).zip(outcomes) {
            journal.begin(&of(b, id, State::Signing), AGAIN).await.unwrap();
            journal
                .settle(Uuid::from_u128(id), outcome, now, &Settlement::default())
                .await
                .unwrap();
        }
        journal.begin(&of(b, 5, State::Signing), AGAIN).await.unwrap();
        journal.begin(&of(b, 6, State::Paper), AGAIN).await.unwrap();
        journal.begin(&of(a, 7, State::Signing), AGAIN).await.unwrap();
        let deposited = Uuid::from_u128(7);
        journal
            .settle(deposited, State::Deposited, now, &Settlement::default())
            .await
            .unwrap();

        let flood = 1_000_000..1_025_000;
        for id in flood.clone() {
            journal.begin(&of(a, id, State::Paper), &[]).await.unwrap();
        }
        for id in 1..=7 {
            assert!(
                matches!(journal.begin(&of(b, id, State::Signing), &[]).await, Err(JournalError::Settled)),
                "{id} is remembered"
            );
        }
        let kept = journal.list(None, u32::MAX).await.unwrap();
        assert!(kept.len() <= (MOST_IN_MEMORY + LOOK_EVERY) as usize, "{}", kept.len());
        assert!(
            kept.iter().any(|line| line.id == Uuid::from_u128(flood.end - 1)),
            "the newest stays"
        );
        assert!(!kept.iter().any(|line| line.id == Uuid::from_u128(flood.start)), "the oldest went");
    }

    #[tokio::test]
    async fn a_line_begun_again_is_new_and_the_deposited_go_last() {
        let journal = Journal {
            most: Some(3),
            ..Journal::in_memory().await.unwrap()
        };
        let (a, b) = ("1900000001", "1900000002");
        for id in 1..=4 {
            journal.begin(&of(a, id, State::Failed), &[]).await.unwrap();
        }
        journal.begin(&of(a, 1, State::Failed), AGAIN).await.unwrap();
        journal.begin(&of(b, 5, State::Failed), &[]).await.unwrap();
        journal.forget_beyond(3).await.unwrap();
        let ids = async || {
            let mut ids: Vec<u128> = journal.list(None, 10).await.unwrap().iter().map(|line| line.id.as_u128()).collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(ids().await, [1, 4, 5], "the oldest of whoever has the most, and 1 is not old");

        let now = datetime!(2026-11-21 10:01 UTC);
        for id in [1, 4] {
            journal
                .settle(Uuid::from_u128(id), State::Deposited, now, &Settlement::default())
                .await
                .unwrap();
        }
        journal.begin(&of(a, 6, State::Deposited), &[]).await.unwrap();
        journal.begin(&of(a, 7, State::Cancelling), &[]).await.unwrap();
        journal.forget_beyond(4).await.unwrap();
        assert_eq!(
            ids().await,
            [1, 4, 6, 7],
            "what failed goes before what was deposited, though its physician has one line"
        );
        journal.forget_beyond(0).await.unwrap();
        assert_eq!(ids().await, [7], "what is under way is never forgotten");
    }
}
