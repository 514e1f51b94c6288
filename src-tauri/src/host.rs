//! Makes the connector beside the window, so that the window opens at once and requests wait for the core, not the eye; and opens
//! the door for practice software on the same connector.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use econnector_api::Door;
use econnector_assembly::{AssemblyError, Host, Settings, SettingsError, assemble};
use econnector_base::{Explain, Fault, SystemClock};
use econnector_connector::Connector;
use econnector_forms::Environment;
use econnector_identity::{NoKeyring, OsKeyring, TokenStore};
use econnector_loopback::doctor::Trouble;
use econnector_loopback::{Link, LinkError, LinkOptions, Listening, Rules, TrainingTokens};
use econnector_training::{Training, TrainingError};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::browser::SystemBrowser;
use crate::folders::Folders;
use crate::running::Ownership;

/// Where the services are, and who logs in.
const SETTINGS: &str = "settings.toml";
/// What the installation decided about the link, beside the settings.
const RULES: &str = "loopback.toml";

/// How long the end may take: what is being signed and sent is finished, and nothing can hold the program for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no core behind the window.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    #[error("{path}: {error}")]
    File { path: PathBuf, error: std::io::Error },
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("settings: in the training environment every service is on this computer, but {0} names another")]
    NotHere(&'static str),
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
            Self::File { .. } | Self::NotHere(_) => "settings-unreadable",
            Self::Settings(error) => error.code(),
            Self::Assembly(error) => error.code(),
            Self::Keyring(_) => "internal",
            Self::Training(error) => error.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::File { .. } | Self::NotHere(_) => Fault::You,
            Self::Settings(error) => error.fault(),
            Self::Assembly(error) => error.fault(),
            Self::Keyring(_) => Fault::Us,
            Self::Training(error) => error.fault(),
        }
    }
}

/// The core, as soon as there is one.
#[derive(Clone)]
pub(crate) struct Ready {
    runtime: Handle,
    state: watch::Receiver<Option<Result<Core, Arc<HostError>>>>,
    end: watch::Sender<bool>,
}

#[derive(Clone)]
struct Core {
    /// The window's.
    router: axum::Router,
    link: Option<Link>,
}

/// What is ended in order.
struct Running {
    listening: Option<Listening>,
    connector: Arc<Connector>,
    /// Stops when it is dropped, and answers until then.
    _training: Option<Training>,
}

impl Running {
    async fn end(self) {
        if let Some(listening) = self.listening {
            listening.stop().await;
        }
        self.connector.idle().await;
    }
}

impl Ready {
    /// Starts making the core. Where another program of this user runs, it is one without a session, a journal and a door.
    pub(crate) fn start(runtime: &Handle, folders: Folders, ownership: Ownership) -> Self {
        let (tell, state) = watch::channel(None);
        let (end, mut ended) = watch::channel(false);
        runtime.spawn(async move {
            let made = tokio::select! {
                made = make(&folders, ownership) => made,
                _ = ended.wait_for(|ended| *ended) => return,
            };
            let (core, running) = match made {
                Ok((core, running)) => (Ok(core), Some(running)),
                Err(error) => {
                    tracing::error!(%error, "the core does not start");
                    (Err(Arc::new(error)), None)
                }
            };
            tell.send_replace(Some(core));
            let _ = ended.wait_for(|ended| *ended).await;
            if let Some(running) = running {
                running.end().await;
            }
        });
        Self {
            runtime: runtime.clone(),
            state,
            end,
        }
    }

    pub(crate) const fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// The window's router, or why there is none.
    pub(crate) async fn router(&self) -> Option<Result<axum::Router, Arc<HostError>>> {
        Some(self.core().await?.map(|core| core.router))
    }

    /// Returns when there is no core and will be none.
    async fn failed(&self) {
        if !matches!(self.router().await, Some(Err(_))) {
            std::future::pending().await
        }
    }

    /// The link with practice software, when it could be opened.
    pub(crate) async fn link(&self) -> Option<Link> {
        self.core().await?.ok()?.link
    }

    /// Closes the door for practice software, finishes what is under way and stops the stand-ins.
    pub(crate) fn end(&self) {
        self.end.send_replace(true);
        let mut state = self.state.clone();
        // The task that made the core holds the sender as long as it runs.
        let ended = async move { while state.changed().await.is_ok() {} };
        if self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, ended).await })
            .is_err()
        {
            tracing::warn!("ended with work under way: the journal says what is uncertain");
        }
    }

    async fn core(&self) -> Option<Result<Core, Arc<HostError>>> {
        let mut state = self.state.clone();
        state.wait_for(Option::is_some).await.ok()?.clone()
    }
}

/// Settings of this user make a real desktop; without them it is the training mode, in which nothing leaves the machine.
async fn make(folders: &Folders, ownership: Ownership) -> Result<(Core, Running), HostError> {
    let (mut settings, training) = match settings(folders)? {
        Some(mut settings) => {
            settings.journal.get_or_insert(folders.data.join("journal.db"));
            (settings, None)
        }
        None => {
            let training = Training::start().await?;
            let journal = folders.data.join("training").join("journal.db");
            (training.settings(Some(journal))?, Some(training))
        }
    };
    settings.forms_folder.get_or_insert_with(|| folders.config.join("forms"));
    if ownership == Ownership::Elsewhere {
        // Opened twice, the journal would take what the other program is sending for something that was cut short.
        settings.journal = None;
        settings.aes.elsewhere = true;
    }
    // The stand-ins end with this process, and so do their sessions: a token of theirs in the keyring would only be litter. One of AeS' that two
    // programs take from there is spent twice, which ends the session of both.
    let tokens: Arc<dyn TokenStore> = if training.is_some() || ownership != Ownership::Sole {
        Arc::new(NoKeyring::new())
    } else {
        Arc::new(OsKeyring::new("lu.econnector").map_err(HostError::Keyring)?)
    };
    let host = Host {
        browser: Arc::new(SystemBrowser),
        tokens,
    };
    let environment = settings.environment.as_str();
    let connector = assemble(&settings, host).await?;
    let (link, listening) = if ownership == Ownership::Elsewhere {
        (
            Link::unusable(options(folders, environment, Rules::default()), LinkError::InUse).ok(),
            None,
        )
    } else {
        open_door(folders, environment, &connector, training.as_ref()).await
    };
    let core = Core {
        router: econnector_api::router(Arc::clone(&connector), Door::Desktop(link.clone())),
        link,
    };
    let running = Running {
        listening,
        connector,
        _training: training,
    };
    Ok((core, running))
}

/// A door that does not open keeps nobody from working in the window: why is said there, and in the log.
async fn open_door(
    folders: &Folders,
    environment: &'static str,
    connector: &Arc<Connector>,
    training: Option<&Training>,
) -> (Option<Link>, Option<Listening>) {
    let options = |rules| options(folders, environment, rules);
    let link = match rules(folders).and_then(|rules| Link::open(options(rules))) {
        Ok(link) => link,
        Err(error) => {
            tracing::error!(%error, "there is no link with practice software");
            return (Link::unusable(options(Rules::default()), error).ok(), None);
        }
    };
    if let Some(training) = training {
        let ready = training.sandbox().ready();
        link.offer_tokens(TrainingTokens {
            token_endpoint: ready.token_endpoint.clone(),
            ca_pem: ready.ca_pem.clone(),
            client_id: ready.client_id.clone(),
            client_secret: ready.client_secret.clone(),
            ehealth_id: ready.ehealth_id.clone(),
        });
    }
    let router = econnector_api::router(Arc::clone(connector), Door::Loopback(link.clone()));
    match econnector_loopback::listen(router, link.clone()).await {
        Ok(listening) => (Some(link), Some(listening)),
        Err(error) => {
            tracing::error!(%error, "the door for practice software does not open");
            (Some(link), None)
        }
    }
}

fn options(folders: &Folders, environment: &'static str, rules: Rules) -> LinkOptions {
    LinkOptions {
        folder: folders.data.clone(),
        rules,
        environment,
        version: env!("CARGO_PKG_VERSION"),
        clock: Arc::new(SystemClock),
    }
}

/// Whether nobody real is concerned: the stand-ins inside this program, or settings that say so of others.
pub(crate) fn is_for_training(folders: &Folders) -> bool {
    settings(folders).is_ok_and(|settings| settings.is_none_or(|settings| matches!(settings.environment, Environment::Training)))
}

/// What keeps the program from starting.
pub(crate) fn trouble_with_settings(folders: &Folders) -> Option<Trouble> {
    let examined = settings(folders).and_then(|settings| match settings {
        Some(settings) => Ok(econnector_assembly::examine(&settings)?),
        None => Ok(()),
    });
    let error = examined.err()?;
    Some(Trouble::SettingsBroken {
        file: folders.config.join(SETTINGS),
        reason: error.to_string(),
    })
}

/// What keeps the door shut, and is decided elsewhere than in the data folder.
pub(crate) fn trouble_with_rules(folders: &Folders) -> Option<Trouble> {
    let file = folders.config.join(RULES);
    match rules(folders) {
        Ok(rules) if rules.enabled => None,
        Ok(_) => Some(Trouble::LinkOff { file }),
        Err(error) => Some(Trouble::RulesBroken {
            file,
            reason: error.to_string(),
        }),
    }
}

fn settings(folders: &Folders) -> Result<Option<Settings>, HostError> {
    let Some(text) = read(folders.config.join(SETTINGS))? else {
        return Ok(None);
    };
    let mut settings = Settings::from_toml(&text)?;
    settings.find_files_in(&folders.config);
    // The window says of it that nothing leaves the computer, and lets itself be driven.
    match settings
        .elsewhere()
        .filter(|_| matches!(settings.environment, Environment::Training))
    {
        Some(setting) => Err(HostError::NotHere(setting)),
        None => Ok(Some(settings)),
    }
}

/// What the installation decided. A file that cannot be read may have closed the door, so it does not open.
fn rules(folders: &Folders) -> Result<Rules, LinkError> {
    let unusable = |reason: String| LinkError::Unusable { file: RULES, reason };
    match std::fs::read_to_string(folders.config.join(RULES)) {
        Ok(text) => toml::from_str(&text).map_err(|error| unusable(error.message().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Rules::default()),
        Err(error) => Err(unusable(error.to_string())),
    }
}

fn read(file: PathBuf) -> Result<Option<String>, HostError> {
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(HostError::File { path: file, error }),
    }
}

/// The program where there is no screen: it serves practice software until it is told to end, and can ask nobody.
pub(crate) fn run(folders: Folders, ownership: Ownership) -> std::process::ExitCode {
    let ready = Ready::start(tauri::async_runtime::handle().inner(), folders, ownership);
    let served = tauri::async_runtime::block_on(async {
        tokio::select! {
            () = crate::ending::told() => true,
            () = ready.failed() => false,
        }
    });
    ready.end();
    if served {
        std::process::ExitCode::SUCCESS
    } else {
        std::process::ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the page hears of the session.
    async fn session(folder: &std::path::Path, ownership: Ownership) -> serde_json::Value {
        let folders = Folders {
            config: folder.join("config"),
            data: folder.join("data"),
        };
        std::fs::create_dir_all(&folders.data).unwrap();
        let (core, running) = make(&folders, ownership).await.unwrap();
        let request = http::Request::get("/econnector/v1/session").body(Vec::new()).unwrap();
        let answer = econnector_api::answer(core.router, request).await;
        running.end().await;
        serde_json::from_slice(answer.body()).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn where_another_program_runs_there_is_no_session_no_journal_and_no_door() {
        let folder = tempfile::tempdir().unwrap();
        let second = session(folder.path(), Ownership::Elsewhere).await;
        assert_eq!(second["problem"]["code"], "session-elsewhere", "{second}");
        let written = |file: &str| folder.path().join("data").join(file).exists();
        assert!(!written("training/journal.db") && !written("connection.json"));

        let first = session(folder.path(), Ownership::Sole).await;
        assert!(first["state"] == "logged_out" && first.get("problem").is_none(), "{first}");
        assert!(written("training/journal.db"));
    }
}
