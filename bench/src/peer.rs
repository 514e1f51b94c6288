//! The pipeline other people build: JasperReports for the page, pyHanko around the remote signature.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::figures::Percentiles;
use crate::form::Form;
use crate::programs::Programs;

/// What the peer took. It sets one page, signs it and stamps its time; it deposits nothing.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Peer {
    /// Its parts and their versions.
    pub(crate) what: String,
    documents: usize,
    pub(crate) page_ms: Percentiles,
    /// Signing, without the time spent waiting for the services.
    pub(crate) signature_own_ms: Percentiles,
    /// Page and signature, services included.
    pub(crate) document_ms: Percentiles,
    pub(crate) per_minute: f64,
    /// Milliseconds of processor time for one document.
    cpu_ms: f64,
    pub(crate) peak_mb: f64,
    /// Of its unsigned page.
    page_bytes: usize,
    /// Seconds from its start to its first document.
    start_seconds: f64,
    /// Whether the validator of pyHanko believes a document of each.
    ours_valid: bool,
    theirs_valid: bool,
}

/// Why the peer was not measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    #[error("the peer cannot be started: {0}")]
    Io(#[from] std::io::Error),
    #[error("the peer failed:\n{0}")]
    Failed(String),
    #[error("the peer's figures: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the validator does not believe a signature: ours {ours}, the peer's {theirs}")]
    Invalid { ours: bool, theirs: bool },
}

#[derive(Deserialize)]
struct Said {
    what: String,
    page_ms: Vec<f64>,
    signature_own_ms: Vec<f64>,
    document_ms: Vec<f64>,
    seconds: f64,
    cpu_seconds: f64,
    cpu_seconds_in_all: f64,
    peak_mb: f64,
    page_bytes: usize,
    start_seconds: f64,
    ours_valid: bool,
    theirs_valid: bool,
}

/// Lets the peer make `documents`, after as many to warm up, and judge one of `ours`.
pub(crate) async fn measure(
    python: &Path,
    programs: &Programs,
    form: &Form,
    documents: usize,
    ours: Option<&[u8]>,
) -> Result<Peer, PeerError> {
    let folder = programs.folder();
    let sample = folder.join("ours.pdf");
    std::fs::write(&sample, ours.unwrap_or_default())?;
    let task = folder.join("task.json");
    let values: Vec<_> = (0..documents * 2).map(|_| form.values(Uuid::new_v4())).collect();
    std::fs::write(
        &task,
        serde_json::to_vec(&json!({ "ready": programs.ready_file, "warm_up": documents, "values": values, "ours": sample }))?,
    )?;
    let (out, log) = (folder.join("peer.json"), folder.join("peer.log"));
    let mut child = Command::new(python)
        .arg(script())
        .arg(&task)
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&out)?)
        .stderr(std::fs::File::create(&log)?)
        .spawn()?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    if !status.success() {
        return Err(PeerError::Failed(std::fs::read_to_string(&log).unwrap_or_default()));
    }
    let mut said: Said = serde_json::from_slice(&std::fs::read(&out)?)?;
    programs.spent(Duration::from_secs_f64(said.cpu_seconds_in_all));
    if !(said.ours_valid && said.theirs_valid) {
        return Err(PeerError::Invalid {
            ours: said.ours_valid,
            theirs: said.theirs_valid,
        });
    }
    Ok(Peer {
        what: said.what,
        documents,
        page_ms: Percentiles::of(&mut said.page_ms),
        signature_own_ms: Percentiles::of(&mut said.signature_own_ms),
        document_ms: Percentiles::of(&mut said.document_ms),
        per_minute: documents as f64 * 60.0 / said.seconds,
        cpu_ms: said.cpu_seconds * 1000.0 / documents.max(1) as f64,
        peak_mb: said.peak_mb,
        page_bytes: said.page_bytes,
        start_seconds: said.start_seconds,
        ours_valid: said.ours_valid,
        theirs_valid: said.theirs_valid,
    })
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peer/peer.py")
}
