//! Nothing secret reaches the log, whatever its level.

use std::io::Write;
use std::sync::{Arc, Mutex};

use econnector_identity::{Identity as _, SessionState};
use econnector_sandbox::{Sandbox, SandboxOptions};
use tracing_subscriber::fmt::MakeWriter;

use crate::desk::{self, Desk, in_french};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_token_reaches_the_log() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone());
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let options = SandboxOptions {
        dir: folder.path().join("sandbox"),
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let desk = Desk::new(&sandbox.ready().issuer, std::fs::read(&sandbox.ready().ca_pem).unwrap());
    let aes = desk.start().await;
    let url = aes.start_login(in_french()).await.unwrap();
    let (callback, _) = desk.browse(&url, "dr.weber", "weber").await;
    assert!(matches!(desk::settled(&aes).await.state, SessionState::LoggedIn { .. }));
    let first = desk.remembered_after(None).await.unwrap();
    let held = aes.authorized().await.unwrap().token;
    desk.clock.pass(275);
    let access = aes.authorized().await.unwrap().token;
    let second = desk.remembered_after(Some(&first)).await.unwrap();
    let forged = format!("{}x", access.reveal());
    let refused = format!("{:?}", aes.bearer(&forged, None).await.err().unwrap());
    let view = format!("{:?}", aes.session().await);
    aes.logout().await.done().await.unwrap();

    let parameter = |url: &url::Url, name: &str| {
        url.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .unwrap()
    };
    let secrets = [
        first,
        second,
        held.reveal().rsplit('.').next().unwrap().to_owned(),
        access.reveal().rsplit('.').next().unwrap().to_owned(),
        parameter(&url, "state"),
        parameter(&url, "nonce"),
        parameter(&callback, "code"),
    ];
    // The sandbox, the person's browser and the other tests share this program; what they log is their own affair.
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    let ours: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("econnector_identity") || line.contains("econnector_net"))
        .collect();
    assert!(ours.iter().any(|line| line.contains("answer")), "the log was listened to");
    for secret in &secrets {
        assert!(secret.len() > 20);
        for said in ours.iter().copied().chain([refused.as_str(), view.as_str()]) {
            assert!(!said.contains(secret.as_str()), "{said}");
        }
    }
}
