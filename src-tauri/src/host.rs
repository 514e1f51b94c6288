//! Makes the connector beside the window, so that the window opens at once and requests wait for the core, not the eye.

use std::path::PathBuf;
use std::sync::Arc;

use econnector_api::Door;
use econnector_assembly::{AssemblyError, Host, Settings, SettingsError, assemble};
use econnector_base::{Explain, Fault};
use econnector_identity::{NoKeyring, OsKeyring, TokenStore};
use econnector_training::{Training, TrainingError};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::browser::SystemBrowser;

/// Why there is no core behind the window.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    #[error("{path}: {error}")]
    File { path: PathBuf, error: std::io::Error },
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    #[error("keyring: {0}")]
    Keyring(std::io::Error),
    #[error(transparent)]
    Training(#[from] TrainingError),
}

impl Explain for HostError {
    fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "settings-unreadable",
            Self::Settings(error) => error.code(),
            Self::Assembly(error) => error.code(),
            Self::Keyring(_) => "internal",
            Self::Training(error) => error.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::File { .. } => Fault::You,
            Self::Settings(error) => error.fault(),
            Self::Assembly(error) => error.fault(),
            Self::Keyring(_) => Fault::Us,
            Self::Training(error) => error.fault(),
        }
    }
}

/// Folders of this user, given by the shell.
pub(crate) struct Folders {
    pub(crate) config: PathBuf,
    pub(crate) data: PathBuf,
}

/// The router, as soon as there is one.
#[derive(Clone)]
pub(crate) struct Ready {
    runtime: Handle,
    state: watch::Receiver<Option<Result<Core, Arc<HostError>>>>,
}

#[derive(Clone)]
struct Core {
    router: axum::Router,
    /// Lives as long as the router: dropping it stops the stand-ins.
    _training: Option<Arc<Training>>,
}

impl Ready {
    /// Starts making the core.
    pub(crate) fn start(runtime: &Handle, folders: Folders) -> Self {
        let (tell, state) = watch::channel(None);
        runtime.spawn(async move {
            let core = make(folders).await.map_err(|error| {
                tracing::error!(%error, "the core does not start");
                Arc::new(error)
            });
            tell.send_replace(Some(core));
            tell.closed().await;
        });
        Self {
            runtime: runtime.clone(),
            state,
        }
    }

    pub(crate) const fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// The router, or why there is none.
    pub(crate) async fn router(&self) -> Option<Result<axum::Router, Arc<HostError>>> {
        let mut state = self.state.clone();
        let made = state.wait_for(Option::is_some).await.ok()?;
        made.as_ref()
            .map(|core| core.as_ref().map(|core| core.router.clone()).map_err(Arc::clone))
    }
}

/// Settings of this user make a real desktop; without them it is the training mode, in which nothing leaves the machine.
async fn make(folders: Folders) -> Result<Core, HostError> {
    let file = folders.config.join("settings.toml");
    let (mut settings, training) = match std::fs::read_to_string(&file) {
        Ok(text) => {
            let mut settings = Settings::from_toml(&text)?;
            settings.journal.get_or_insert(folders.data.join("journal.db"));
            (settings, None)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let training = Training::start().await?;
            (
                training.settings(Some(folders.data.join("training").join("journal.db")))?,
                Some(Arc::new(training)),
            )
        }
        Err(error) => return Err(HostError::File { path: file, error }),
    };
    settings.forms_folder.get_or_insert_with(|| folders.config.join("forms"));
    // The stand-ins end with this process, and so do their sessions: a token of theirs in the keyring would only be litter.
    let tokens: Arc<dyn TokenStore> = if training.is_some() {
        Arc::new(NoKeyring::new())
    } else {
        Arc::new(OsKeyring::new("lu.econnector").map_err(HostError::Keyring)?)
    };
    let host = Host {
        browser: Arc::new(SystemBrowser),
        tokens,
    };
    let connector = assemble(&settings, host).await?;
    Ok(Core {
        router: econnector_api::router(connector, Door::Desktop),
        _training: training,
    })
}
