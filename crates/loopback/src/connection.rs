//! `connection.json`: how software of the same user finds this program and proves whose it is.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use econnector_base::Secret;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{LinkError, private};

pub(crate) const FILE: &str = "connection.json";
const LOCK: &str = "connection.lock";
const LARGEST: u64 = 64 * 1024;

/// The file's content. Fields may be added.
#[derive(Deserialize)]
pub(crate) struct Connection {
    pub(crate) addresses: Vec<String>,
    pub(crate) key: Secret,
    pub(crate) pid: u32,
    pub(crate) version: String,
    pub(crate) environment: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) started_at: OffsetDateTime,
}

/// The file as this process wrote it. Removed with it, unless another has taken its place.
pub(crate) struct Written {
    folder: PathBuf,
    key: Secret,
    /// Held as long as the process lives: the system lets go of it even when the process is killed.
    _alive: File,
}

/// What the file says.
pub(crate) struct Told<'a> {
    pub(crate) addresses: &'a [String],
    pub(crate) key: &'a Secret,
    pub(crate) version: &'a str,
    pub(crate) environment: &'a str,
    pub(crate) started_at: OffsetDateTime,
    pub(crate) training: Option<&'a TrainingTokens>,
}

/// Where whoever tries a software out gets a token for it: stand-ins, and a physician who is none.
#[derive(Clone, Serialize)]
pub struct TrainingTokens {
    /// AeS' token endpoint.
    pub token_endpoint: String,
    /// The authority of its certificate, PEM.
    pub ca_pem: PathBuf,
    /// A client that may exchange tokens.
    pub client_id: String,
    /// Its secret, which is none.
    pub client_secret: String,
    /// The physician's eHealthID.
    pub ehealth_id: String,
}

#[derive(Serialize)]
struct Outgoing<'a> {
    url: &'a str,
    addresses: &'a [String],
    key: &'a str,
    pid: u32,
    version: &'a str,
    environment: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    training: Option<&'a TrainingTokens>,
}

impl Connection {
    /// Its addresses as far as they are of this computer.
    pub(crate) fn sockets(&self) -> Vec<SocketAddr> {
        let all = self
            .addresses
            .iter()
            .filter_map(|address| address.strip_prefix("http://")?.parse().ok());
        all.filter(|address: &SocketAddr| address.ip().is_loopback()).collect()
    }

    /// The file in a folder; none when there is none.
    pub(crate) fn read(folder: &Path) -> Result<Option<(std::fs::Metadata, Option<Self>)>, LinkError> {
        let found = private::read(&place(folder), LARGEST).map_err(|error| unusable(&error))?;
        Ok(found.map(|(metadata, content)| (metadata, serde_json::from_slice(&content).ok())))
    }
}

/// The right to write the file: one instance of a user has it at a time.
pub(crate) struct Turn(File);

impl Turn {
    /// Takes it. Whatever file lies there was left by a process that has ended.
    pub(crate) async fn take(folder: &Path) -> Result<Self, LinkError> {
        private::folder(folder).map_err(|error| unusable(&error))?;
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options.open(folder.join(LOCK)).map_err(|error| unusable(&error))?;
        let mut attempts = 0;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                // Somebody who only looks lets go at once.
                Err(std::fs::TryLockError::WouldBlock) if attempts < 10 => attempts += 1,
                Err(std::fs::TryLockError::WouldBlock) => return Err(LinkError::InUse),
                Err(std::fs::TryLockError::Error(error)) => return Err(unusable(&error)),
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Writes the file.
    pub(crate) fn write(self, folder: &Path, told: &Told<'_>) -> Result<Written, LinkError> {
        let outgoing = Outgoing {
            url: told.addresses.first().map_or("", String::as_str),
            addresses: told.addresses,
            key: told.key.reveal(),
            pid: std::process::id(),
            version: told.version,
            environment: told.environment,
            started_at: told.started_at,
            training: told.training,
        };
        let text = serde_json::to_vec_pretty(&outgoing)
            .map(zeroize::Zeroizing::new)
            .map_err(|error| unusable(&error))?;
        private::write(folder, FILE, &text).map_err(|error| unusable(&error))?;
        Ok(Written {
            folder: folder.to_owned(),
            key: told.key.clone(),
            _alive: self.0,
        })
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let ours = Connection::read(&self.folder)
            .ok()
            .flatten()
            .and_then(|(_, connection)| connection)
            .is_some_and(|connection| connection.key.reveal() == self.key.reveal());
        if ours && let Err(error) = std::fs::remove_file(place(&self.folder)) {
            tracing::warn!(%error, "the connection file could not be removed");
        }
    }
}

/// Whether a process holds the right to write the file. None where the file system cannot say.
pub(crate) fn held(folder: &Path) -> Option<bool> {
    let file = File::open(folder.join(LOCK)).ok()?;
    match file.try_lock_shared() {
        Ok(()) => Some(false),
        Err(std::fs::TryLockError::WouldBlock) => Some(true),
        Err(std::fs::TryLockError::Error(_)) => None,
    }
}

pub(crate) fn place(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

fn unusable(reason: impl ToString) -> LinkError {
    LinkError::Unusable {
        file: FILE,
        reason: reason.to_string(),
    }
}
