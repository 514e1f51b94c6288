use std::fmt::Write as _;
use std::path::Path;

use econnector_sandbox::{Ready, Sandbox, SandboxOptions};
use tempfile::TempDir;

use crate::Control;

/// Stand-ins in the test's own process, for a program with settings of its own: they can be other than those inside the program.
pub struct StandIns {
    sandbox: Sandbox,
    folder: TempDir,
}

/// What the program's settings say beside where the stand-ins are.
#[derive(Clone, Copy)]
pub struct Installation<'a> {
    /// `training`, `integration` or `production`.
    pub environment: &'a str,
    /// Whether the settings name the stand-ins' authority; else the computer has to know it.
    pub anchors: bool,
    /// `own`, `delegated` or `both`.
    pub logins: &'a str,
    /// Further sections.
    pub more: &'a str,
}

impl Default for Installation<'_> {
    /// A training installation that takes both logins.
    fn default() -> Self {
        Self {
            environment: "training",
            anchors: true,
            logins: "both",
            more: "",
        }
    }
}

impl StandIns {
    /// Starts them, changed by `change`; the login page is plain HTTP on loopback.
    ///
    /// # Panics
    /// When they do not start.
    pub async fn start(change: impl FnOnce(&mut SandboxOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = SandboxOptions {
            dir: folder.path().join("sandbox"),
            browser_login_over_http: true,
            ..SandboxOptions::default()
        };
        change(&mut options);
        let sandbox = Sandbox::start(options).await.unwrap();
        Self { sandbox, folder }
    }

    /// Where they are.
    #[must_use]
    pub const fn ready(&self) -> &Ready {
        self.sandbox.ready()
    }

    /// Where they are asked what they saw.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::at(&self.ready().control)
    }

    /// A folder of the test's own, gone with them.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `settings.toml` of an installation that uses them.
    ///
    /// # Panics
    /// Never: what is written goes into memory.
    #[must_use]
    pub fn settings(&self, installation: &Installation<'_>) -> String {
        let ready = self.ready();
        let file = |path: &Path| path.display().to_string();
        let mut text = format!("environment = {:?}\n", installation.environment);
        if installation.anchors {
            writeln!(text, "anchors = {:?}\nonly_these_anchors = true", file(&ready.ca_pem)).unwrap();
        }
        write!(
            text,
            "[aes]\nissuer = {:?}\nclient_id = {:?}\naudience = {:?}\nlogins = {:?}\n\
             [kms]\nget_certificate_url = \"{kms}/api/v3/get-certificate\"\nsign_url = \"{kms}/api/v3/sign-data\"\n\
             timestamp_url = \"{kms}/api/v3/sign-timestamp\"\ntrust_store = {:?}\n\
             [mysecu]\nsts_url = \"{mysecu}/ws/soap/trust\"\nexchange_url = \"{mysecu}/ws/soap/espinst/syncexchange\"\n\
             client_p12 = {:?}\nclient_p12_password = {:?}\nanswer_anchors = {:?}\n{}",
            ready.issuer,
            ready.desktop_client_id,
            ready.audience,
            installation.logins,
            file(&ready.truststore_pem),
            file(&ready.client_p12),
            ready.client_p12_password,
            file(&ready.mysecu_signing_pem),
            installation.more,
            kms = ready.kms,
            mysecu = ready.mysecu,
        )
        .unwrap();
        text
    }
}
