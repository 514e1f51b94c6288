//! Login against somebody else's AeS: the certified npm `oidc-provider`, in tests/peers.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use econnector_base::{Explain as _, Secret};
use econnector_identity::{Identity as _, SessionState, TokenStore as _};

use crate::desk::{Desk, settled};

/// The provider's process; it ends with its standard input.
struct Peer {
    process: Child,
    desk: Desk,
    _pki: tempfile::TempDir,
}

impl Peer {
    fn start(settings: &[(&str, &str)]) -> Self {
        let pki = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(pki.path().join("server.crt"), made.cert.pem()).unwrap();
        std::fs::write(pki.path().join("server.key"), made.signing_key.serialize_pem()).unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers");
        assert!(
            folder.join("node_modules").is_dir(),
            "run `npm ci` in tests/peers (cargo xtask test does)"
        );
        let mut process = Command::new("node")
            .arg("oidc-provider.mjs")
            .current_dir(folder)
            .env("PKI", pki.path())
            .envs(settings.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = said
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ready ").map(str::to_owned));
        let desk = Desk::new(&issuer.expect("the provider starts"), made.cert.pem().into_bytes());
        Self { process, desk, _pki: pki }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_physician_logs_in_renews_and_logs_out() {
    let peer = Peer::start(&[("AT_TTL", "25")]);
    let aes = peer.desk.start().await;
    let url = aes.start_login("fr").await.unwrap();
    let (landed, page) = peer.desk.browse(&url, "dr.muller", "any").await;
    assert_eq!(landed.path(), "/callback", "{page}");
    assert!(page.contains("Connexion réussie"), "{page}");
    let view = settled(&aes).await;
    let SessionState::LoggedIn { actor, physician, .. } = view.state else {
        panic!("{view:?}")
    };
    assert_eq!(
        (actor.id.as_str(), physician.unwrap().ehealth_id.as_str()),
        ("dr.muller", "1900000002")
    );

    let mut token = peer.desk.remembered_after(None).await;
    for _ in 0..3 {
        let authorized = aes.authorized().await.unwrap();
        assert_eq!(authorized.principal.physician.provider_codes, ["90000102"]);
        token = peer.desk.remembered_after(token.as_deref()).await;
    }
    assert!(aes.bearer(aes.authorized().await.unwrap().token.reveal()).await.is_ok());

    let token = peer.desk.remembered_after(token.as_deref()).await.unwrap();
    aes.logout().await.unwrap();
    assert_eq!(peer.desk.remembered(), None);
    let account = format!("{} econnector", peer.desk.issuer);
    peer.desk.keyring.save(&account, &Secret::new(token)).await.unwrap();
    let next = peer.desk.start().await;
    let failure = next.session().await.failure.expect("AeS has revoked the refresh token");
    assert_eq!(failure.code(), "session-ended");
}

#[tokio::test]
async fn tokens_under_an_unpublished_key_are_refused() {
    for forged in ["id_token", "access_token"] {
        let peer = Peer::start(&[("FORGED", forged)]);
        let aes = peer.desk.start().await;
        let view = peer.desk.log_in(&aes, "dr.weber", "any").await;
        assert!(matches!(view.state, SessionState::LoggedOut));
        let failure = view.failure.unwrap();
        assert_eq!(failure.code(), "aes-token-unusable", "{forged}");
        assert!(failure.to_string().contains("signature"), "{failure}");
        assert_eq!(peer.desk.remembered(), None);
    }
}

#[tokio::test]
async fn declining_at_the_provider_is_a_refusal() {
    let peer = Peer::start(&[]);
    let aes = peer.desk.start().await;
    let mut url = aes.start_login("fr").await.unwrap();
    // Asking for silence where nobody is logged in makes the provider answer with an error at once.
    url.query_pairs_mut().append_pair("prompt", "none");
    let (_, page) = peer.desk.browse(&url, "", "").await;
    assert!(page.contains("n’a pas abouti"), "{page}");
    let failure = settled(&aes).await.failure.unwrap();
    assert_eq!(
        (failure.code(), failure.authority().unwrap().code.as_str()),
        ("login-refused", "login_required")
    );
}
