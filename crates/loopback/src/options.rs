use std::path::PathBuf;
use std::sync::Arc;

use econnector_base::Clock;
use serde::Deserialize;

/// What a link is opened with.
pub struct LinkOptions {
    /// The user's own data folder: `link.json` and `connection.json` stand in it.
    pub folder: PathBuf,
    /// What the installation decided.
    pub rules: Rules,
    /// `training`, `integration` or `production`: goes into the connection file.
    pub environment: &'static str,
    /// The program's version: goes into the connection file.
    pub version: &'static str,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What the installation decided, from `loopback.toml`. Everything may be left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Whether anything listens at all.
    pub enabled: bool,
    /// The first port that is tried; the nine after it follow. 0: any free one.
    pub port: u16,
    /// Software that need not be asked about, by the name it sends.
    pub software: Vec<String>,
    /// Web applications that may call from the browser.
    pub origins: Vec<OriginRule>,
    /// How long a request waits for the physician to decide about its software, in seconds.
    pub consent_seconds: u64,
    /// How long a request waits until the physician has looked at what is to be signed, in seconds.
    pub approval_seconds: u64,
}

/// A web application that the installation allows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OriginRule {
    /// Its exact origin, as the browser sends it: `https://praxis.example`.
    pub origin: String,
    /// SHA-256 of the key it was given, 64 hexadecimal digits.
    pub key_sha256: String,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            enabled: true,
            port: 17943,
            software: Vec::new(),
            origins: Vec::new(),
            consent_seconds: 30,
            approval_seconds: 120,
        }
    }
}
