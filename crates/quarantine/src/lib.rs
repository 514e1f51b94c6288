//! Strangers' PDFs are opened in a process of their own. What reads them is safe Rust, and a file made for it can still use up all memory,
//! all time or all stack, and an end of the stack ends the process: here it ends one that holds nothing but that file.
//!
//! The process is this very program, started again with [`WORD`]: see [`enter`]. It gets the PDF on its standard input and says what it
//! found on its standard output, without an environment, with little memory and time, and (on Unix) unable to open or write any file.

mod inside;

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use econnector_base::{Explain, Fault};
use econnector_documents::{DocumentError, LARGEST_SVG};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::inside::{Answer, Job, entered};

pub use inside::{WORD, enter};

/// A page takes some milliseconds; what takes longer than this is ended.
const LONGEST: Duration = Duration::from_secs(10);
/// How long somebody waits for others' PDFs to be done.
const PATIENCE: Duration = Duration::from_secs(4);
/// How many PDFs are open at a time: more would only take more memory.
const PLACES: usize = 2;
/// Stands before the page in the answer, in bytes.
const LONGEST_HEAD: usize = 1024;
/// The stack of every thread that reads for [`Quarantine::weigh`], in bytes: half of what a thread has where the same is done again.
const SMALL_STACK: &str = "1048576";

/// Where strangers' PDFs are opened.
#[derive(Clone, Debug)]
pub struct Quarantine {
    places: Arc<Semaphore>,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(PLACES)),
        }
    }
}

/// Why a stranger's PDF was not opened, or not to the end.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// There is no such page, or it cannot be drawn.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Opening it takes more memory or time than any document needs, or breaks what reads it.
    #[error("opening the PDF takes too much memory or time, or broke what reads it")]
    Unfit,
    /// Others' PDFs are being opened.
    #[error("too many PDFs are being opened")]
    Busy,
    /// It took too long, and it is not said that the PDF is to blame.
    #[error("opening the PDF took too long")]
    Late,
    /// The process for it cannot be started.
    #[error("the process that opens PDFs cannot be started: {0}")]
    Unavailable(#[from] io::Error),
}

impl Explain for QuarantineError {
    fn code(&self) -> &'static str {
        match self {
            Self::Document(error) => error.code(),
            Self::Unfit => "pdf-unusable",
            Self::Busy | Self::Late | Self::Unavailable(_) => "pdf-busy",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Document(error) => error.fault(),
            Self::Unfit => Fault::You,
            Self::Busy | Self::Late | Self::Unavailable(_) => Fault::Us,
        }
    }
}

impl Quarantine {
    /// One page of a PDF as SVG, and the number of pages. Pages count from 1.
    ///
    /// # Errors
    /// [`QuarantineError`].
    pub async fn draw(&self, pdf: Arc<Zeroizing<Vec<u8>>>, page: usize) -> Result<(String, usize), QuarantineError> {
        match self.opened(Job::Draw(page), pdf).await? {
            Answer::Page { svg, pages } => Ok((svg, pages)),
            Answer::NoPage { pages } => Err(DocumentError::NoSuchPage { page, pages }.into()),
            Answer::Unreadable(why) => Err(DocumentError::Unreadable(why.into()).into()),
            Answer::Weighed => Err(QuarantineError::Unfit),
        }
    }

    /// Whether a PDF can be opened to be signed or verified without harm to whoever does: what it is worth is for them to find out.
    ///
    /// # Errors
    /// [`QuarantineError::Unfit`] when it cannot.
    pub async fn weigh(&self, pdf: Arc<Zeroizing<Vec<u8>>>) -> Result<(), QuarantineError> {
        match self.opened(Job::Weigh, pdf).await? {
            Answer::Weighed => Ok(()),
            _ => Err(QuarantineError::Unfit),
        }
    }

    async fn opened(&self, job: Job, pdf: Arc<Zeroizing<Vec<u8>>>) -> Result<Answer, QuarantineError> {
        let place = tokio::time::timeout(PATIENCE, Arc::clone(&self.places).acquire_owned());
        let place = place.await.ok().and_then(Result::ok).ok_or(QuarantineError::Busy)?;
        if entered() {
            // Whoever leaves before the end, or waits too long, ends the process with it; the place is free at once.
            let _place = place;
            let told = tokio::time::timeout(LONGEST, beyond(job, &pdf)).await;
            return told.unwrap_or(Err(QuarantineError::Late));
        }
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            job.done(pdf)
        });
        let told = tokio::time::timeout(LONGEST, work).await.map_err(|_| QuarantineError::Late)?;
        told.map_err(|_| QuarantineError::Unfit)
    }
}

/// In a process of its own.
async fn beyond(job: Job, pdf: &[u8]) -> Result<Answer, QuarantineError> {
    let mut command = command()?;
    command
        .arg(WORD)
        .args(job.words())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    if matches!(job, Job::Weigh) {
        // The reader's own threads: few, for the stacks of many would be most of the memory, and small.
        command.env("RUST_MIN_STACK", SMALL_STACK).env("RAYON_NUM_THREADS", "1");
    }
    // Without it, Windows programs find no random numbers.
    if let Some(root) = std::env::var_os("SystemRoot").filter(|_| cfg!(windows)) {
        command.env("SystemRoot", root);
    }
    let mut child = command.spawn()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    if let Some(mut stdin) = stdin {
        // One that ended without reading says so by its status.
        let _ = stdin.write_all(pdf).await;
    }
    let mut said = Vec::new();
    if let Some(stdout) = stdout {
        let most = LARGEST_SVG + LONGEST_HEAD + 1;
        stdout.take(most as u64).read_to_end(&mut said).await?;
        if said.len() == most {
            return Err(QuarantineError::Unfit);
        }
    }
    let status = child.wait().await?;
    if status.code() == Some(inside::NOT_CONFINED) {
        return Err(io::Error::other("its limits cannot be set").into());
    }
    Answer::read(said).filter(|_| status.success()).ok_or_else(|| {
        tracing::warn!(%status, "a PDF broke what opened it");
        QuarantineError::Unfit
    })
}

/// This very program, also when its file was replaced by a newer one since it started.
fn command() -> io::Result<Command> {
    #[cfg(target_os = "linux")]
    let command = Command::new("/proc/self/exe");
    #[cfg(not(target_os = "linux"))]
    let command = Command::new(std::env::current_exe()?);
    #[cfg(windows)]
    let command = {
        /// `CREATE_NO_WINDOW`: no console flashes up.
        const NO_WINDOW: u32 = 0x0800_0000;
        let mut command = command;
        command.creation_flags(NO_WINDOW);
        command
    };
    Ok(command)
}
