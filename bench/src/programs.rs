//! The stand-ins and the server, started as `cargo xtask sandbox` starts them.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::process::Process;

/// How long the programs may take to be ready.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a starting server is asked. What is measured is right to this.
const OFTEN: Duration = Duration::from_millis(2);

/// Running programs; stopped when dropped.
pub(crate) struct Programs {
    child: Child,
    server: Process,
    server_program: PathBuf,
    folder: tempfile::TempDir,
    pub(crate) ready: Ready,
    pub(crate) ready_file: PathBuf,
    pub(crate) client: reqwest::Client,
    /// Milliseconds of processor time of servers that were started to be timed, and of the peer.
    elsewhere: AtomicU64,
}

/// Of the ready file, what is needed here.
#[derive(Deserialize)]
pub(crate) struct Ready {
    pub(crate) api: String,
    /// Where the server tells about itself.
    pub(crate) management: String,
    pub(crate) ca_pem: PathBuf,
    pub(crate) token_endpoint: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) audience: String,
    pub(crate) ehealth_id: String,
    pub(crate) provider_code: String,
}

/// Why the programs do not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramsError {
    #[error("{0} is not there: cargo xtask bench builds it")]
    Missing(PathBuf),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the stand-ins did not start; their log:\n{0}")]
    NotReady(String),
    #[error("the ready file: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("the server beside the stand-ins is not found")]
    NoServer,
    #[error("a server that was started to be timed is not usable after two minutes")]
    Slow,
    #[error("HTTP: {0}")]
    Http(#[from] reqwest::Error),
}

impl Programs {
    /// Both programs beside this one.
    pub(crate) async fn start() -> Result<Self, ProgramsError> {
        let beside = std::env::current_exe()?.parent().map(Path::to_path_buf).unwrap_or_default();
        let (sandbox, server_program) = (beside.join("econnector-sandbox"), beside.join("econnector-server"));
        for program in [&sandbox, &server_program] {
            if !program.is_file() {
                return Err(ProgramsError::Missing(program.clone()));
            }
        }
        let folder = tempfile::tempdir()?;
        let ready_file = folder.path().join("ready.json");
        let log = folder.path().join("log");
        let mut child = Command::new(sandbox)
            .arg("--server")
            .arg(&server_program)
            .arg("--ready-file")
            .arg(&ready_file)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log)?)
            .spawn()?;
        let until = Instant::now() + PATIENCE;
        let ready = loop {
            if let Ok(text) = std::fs::read(&ready_file) {
                break serde_json::from_slice::<Ready>(&text)?;
            }
            if child.try_wait()?.is_some() || Instant::now() > until {
                let _ = child.kill();
                return Err(ProgramsError::NotReady(std::fs::read_to_string(&log).unwrap_or_default()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let server = Process::with_id(child.id()).child().ok_or(ProgramsError::NoServer)?;
        let client = client(&ready.ca_pem)?;
        Ok(Self {
            child,
            server,
            server_program,
            folder,
            ready,
            ready_file,
            client,
            elsewhere: AtomicU64::default(),
        })
    }

    pub(crate) const fn server(&self) -> Process {
        self.server
    }

    pub(crate) fn sandbox(&self) -> Process {
        Process::with_id(self.child.id())
    }

    /// A folder that goes with the programs.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Notes processor time of something that has ended.
    pub(crate) fn spent(&self, cpu: Duration) {
        self.elsewhere
            .fetch_add(u64::try_from(cpu.as_millis()).unwrap_or_default(), Ordering::Relaxed);
    }

    /// Seconds of processor time of what ran as part of the run and has ended.
    pub(crate) fn spent_elsewhere(&self) -> f64 {
        self.elsewhere.load(Ordering::Relaxed) as f64 / 1000.0
    }

    /// Milliseconds from the start of one more server, with the very environment the stand-ins gave theirs, to its first 200.
    pub(crate) async fn time_a_start(&self) -> Result<f64, ProgramsError> {
        let environment = self.server.environment().map_err(|_| ProgramsError::NoServer)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = Command::new(&self.server_program);
        command
            .env_clear()
            .envs(environment)
            .env("SERVER_PORT", port.to_string())
            .env_remove("ECONNECTOR_MANAGEMENT_PORT")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // A client of its own: no connection is there before.
        let client = client(&self.ready.ca_pem)?;
        let url = format!("https://localhost:{port}/econnector/status");
        let started = Instant::now();
        let mut child = Stopping(command.spawn()?);
        loop {
            if client
                .get(&url)
                .send()
                .await
                .is_ok_and(|answer| answer.status() == reqwest::StatusCode::OK)
            {
                let took = started.elapsed();
                self.spent(Process::with_id(child.0.id()).cpu().unwrap_or_default());
                return Ok(took.as_secs_f64() * 1000.0);
            }
            if child.0.try_wait()?.is_some() || started.elapsed() > PATIENCE {
                return Err(ProgramsError::Slow);
            }
            tokio::time::sleep(OFTEN).await;
        }
    }

    /// Stops both as an operator would.
    pub(crate) async fn stop(mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Its server goes with it when it is asked; killed outright it would leave it behind.
            let _ = Command::new("kill").arg(self.child.id().to_string()).status();
            let _ = self.child.wait();
        }
    }
}

struct Stopping(Child);

impl Drop for Stopping {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A client that trusts the stand-ins' authority alone, one connection for each caller, as integration engines do.
fn client(ca_pem: &Path) -> Result<reqwest::Client, ProgramsError> {
    // Another client may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let trusted = reqwest::Certificate::from_pem_bundle(&std::fs::read(ca_pem)?)?;
    Ok(reqwest::Client::builder()
        .tls_certs_only(trusted)
        .http1_only()
        .no_proxy()
        .pool_idle_timeout(Duration::from_secs(20))
        .timeout(crate::PATIENCE)
        .build()?)
}
