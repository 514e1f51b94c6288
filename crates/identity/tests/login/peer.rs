//! Login, renewal, exchange and callers' tokens against somebody else's AeS: the certified npm `oidc-provider`.

use std::time::Duration;

use econnector_base::{Explain as _, Fault, Secret};
use econnector_identity::{Aes, AesSettings, ExchangeClient, Identity as _, SessionState, SessionView, TokenStore as _};
use serde_json::Value;

use crate::desk::{self, Desk, as_somebody_else, in_french, settled};
use crate::provider::Provider;

/// The provider and whoever sits at the desk.
struct Peer {
    provider: Provider,
    desk: Desk,
}

impl Peer {
    fn start(settings: &[(&str, &str)]) -> Self {
        let provider = Provider::start(settings);
        let desk = Desk::new(&provider.issuer, provider.ca_pem.clone());
        Self { provider, desk }
    }

    /// Somebody logged in, her refresh token in the keyring.
    async fn with(&self, username: &str) -> (Aes, String) {
        let aes = self.desk.start().await;
        let view = self.desk.log_in(&aes, username, "any").await;
        assert!(matches!(view.state, SessionState::LoggedIn { .. }), "{view:?}");
        let token = self.desk.remembered_after(None).await.unwrap();
        (aes, token)
    }

    /// What the token endpoint says to somebody who has this refresh token.
    async fn redeem(&self, refresh: &str) -> (u16, Value) {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("grant_type", "refresh_token"),
                ("client_id", "econnector"),
                ("refresh_token", refresh),
            ])
            .finish();
        let transport = desk::transport(&self.desk.ca_pem);
        let endpoint = format!("{}/protocol/openid-connect/token", self.provider.issuer);
        let request = transport.client().post(endpoint).body(form);
        let answer = transport
            .send(request.header("Content-Type", "application/x-www-form-urlencoded"))
            .await
            .unwrap();
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    fn renewals(&self) -> usize {
        self.provider.count("token refresh_token 200")
    }
}

fn who(view: &SessionView) -> &str {
    match &view.state {
        SessionState::LoggedIn { actor, .. } => &actor.id,
        _ => "nobody",
    }
}

/// An access token of 300 s has 25 s left: too few to be given out, enough to serve where nothing better is to be had.
const ALMOST_OVER: u64 = 275;

#[tokio::test]
async fn a_physician_logs_in_renews_and_logs_out() {
    let peer = Peer::start(&[]);
    let aes = peer.desk.start().await;
    let url = aes.start_login(in_french()).await.unwrap();
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
    for round in 1..=3 {
        let before = aes.authorized().await.unwrap().token;
        peer.desk.clock.pass(ALMOST_OVER);
        let callers: Vec<_> = (0..16)
            .map(|_| {
                let aes = aes.clone();
                tokio::spawn(async move { aes.authorized().await })
            })
            .collect();
        for caller in callers {
            let authorized = caller.await.unwrap().unwrap();
            assert_eq!(authorized.principal.physician.provider_codes, ["90000102"]);
            assert_ne!(authorized.token.reveal(), before.reveal());
        }
        assert_eq!(peer.renewals(), round, "sixteen callers, one renewal");
        token = peer.desk.remembered_after(token.as_deref()).await;
    }
    aes.logout().await.done().await.unwrap();
    assert_eq!(peer.desk.remembered(), None);
    let account = format!("{} econnector", peer.desk.issuer);
    peer.desk.keyring.save(&account, &Secret::new(token.unwrap())).await.unwrap();
    let next = peer.desk.start().await;
    let failure = next.session().await.failure.expect("AeS has revoked the refresh token");
    assert_eq!(failure.code(), "session-ended");
}

#[tokio::test]
async fn a_refresh_token_that_somebody_used_before_ends_the_session_for_everybody() {
    let peer = Peer::start(&[]);
    let (aes, first) = peer.with("dr.weber").await;
    peer.desk.clock.pass(ALMOST_OVER);
    aes.authorized().await.unwrap();
    let second = peer.desk.remembered_after(Some(&first)).await.unwrap();

    // A thief has the old one: the provider refuses him, and the one that was had for it dies too.
    let (status, said) = peer.redeem(&first).await;
    assert_eq!((status, said["error"].as_str()), (400, Some("invalid_grant")));
    peer.desk.clock.pass(ALMOST_OVER);
    // The access token has some life left, so the next step of a form may still go out with it; then it is over, and said so.
    let mut ended = None;
    for _ in 0..2 {
        ended = aes.authorized().await.err().or(ended);
    }
    let error = ended.expect("the session is over");
    assert_eq!((error.code(), error.fault()), ("session-ended", Fault::Authority));
    assert_eq!(error.authority().unwrap().code, "invalid_grant");
    assert_eq!(who(&aes.session().await), "nobody");
    assert_eq!(peer.desk.remembered_after(Some(&second)).await, None);
    assert_eq!(peer.renewals(), 1);
    let tries = peer.provider.count("token refresh_token");
    assert!(aes.authorized().await.is_err());
    assert_eq!(
        peer.provider.count("token refresh_token"),
        tries,
        "a dead session is not tried again"
    );

    // Logging in again, as the same person, is all it takes.
    let view = peer.desk.log_in(&aes, "dr.weber", "any").await;
    assert_eq!((who(&view), view.failure.is_none()), ("dr.weber", true));
}

#[tokio::test]
async fn a_lost_answer_costs_a_login_and_never_a_form() {
    let peer = Peer::start(&[]);
    let (aes, first) = peer.with("dr.weber").await;
    let held = aes.authorized().await.unwrap().token;
    peer.desk.clock.pass(ALMOST_OVER);
    peer.provider.order("lose");
    // The provider has processed it and turned the token over; nobody here knows the new one. The old access token still serves.
    assert_eq!(aes.authorized().await.unwrap().token.reveal(), held.reveal());
    assert_eq!(peer.renewals(), 1);
    assert_eq!(aes.session().await.failure.unwrap().code(), "net-cut");
    assert_eq!(peer.desk.remembered().as_deref(), Some(first.as_str()));
    // Tried once more, refused, over.
    let error = aes.authorized().await.err().expect("the old token is spent");
    assert_eq!(error.code(), "session-ended");
    assert_eq!(error.authority().unwrap().message, "grant request is invalid");
    assert_eq!(peer.provider.count("token refresh_token 400"), 1);
    assert_eq!(peer.desk.remembered_after(Some(&first)).await, None);
}

#[tokio::test]
async fn short_lives_are_renewed_in_time_and_one_by_one() {
    let peer = Peer::start(&[("AT_TTL", "3")]);
    let (aes, _) = peer.with("dr.weber").await;
    let until = std::time::Instant::now() + Duration::from_secs(9);
    while std::time::Instant::now() < until {
        let authorized = aes.authorized().await.unwrap();
        let left = authorized.principal.until - time::OffsetDateTime::now_utc();
        assert!(left > time::Duration::ZERO, "{left}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!((3..=12).contains(&peer.renewals()), "{}", peer.renewals());
    assert_eq!(peer.provider.count("token refresh_token 400"), 0);
}

#[tokio::test]
async fn keys_are_changed_in_the_middle_of_a_session() {
    let peer = Peer::start(&[]);
    let (aes, first) = peer.with("dr.weber").await;
    let old = aes.authorized().await.unwrap().token;
    peer.provider.order("rotate");
    peer.desk.clock.pass(ALMOST_OVER);
    let new = aes.authorized().await.unwrap().token;
    assert_ne!(new.reveal(), old.reveal());
    peer.desk.remembered_after(Some(&first)).await;
    assert_eq!(peer.provider.count("certs"), 2, "at the discovery, and for the new key");

    // A caller's token under either key is good while both are published.
    let hospital = peer.desk.start_with(peer.desk.delegated()).await;
    for token in [&old, &new] {
        assert!(hospital.bearer(token.reveal(), None).await.is_ok());
    }
    peer.provider.order("retire");
    let later = peer.desk.start_with(peer.desk.delegated()).await;
    assert!(later.bearer(new.reveal(), None).await.is_ok());
    assert_eq!(later.bearer(old.reveal(), None).await.err().unwrap().code(), "token-invalid");
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
async fn a_token_that_nobody_can_read_is_no_login() {
    let peer = Peer::start(&[("AT_FORMAT", "opaque")]);
    let aes = peer.desk.start().await;
    let view = peer.desk.log_in(&aes, "dr.weber", "any").await;
    assert_eq!(who(&view), "nobody");
    let failure = view.failure.unwrap();
    assert_eq!((failure.code(), failure.fault()), ("aes-token-unusable", Fault::Authority));
    assert_eq!(peer.desk.remembered(), None);
}

#[tokio::test]
async fn the_issuer_names_itself_on_the_way_back() {
    for (manner, accepted) in [("silent", true), ("missing", false), ("other", false)] {
        let peer = Peer::start(&[("ISS", manner)]);
        let aes = peer.desk.start().await;
        let url = aes.start_login(in_french()).await.unwrap();
        let (_, page) = peer.desk.browse(&url, "dr.weber", "any").await;
        let view = settled(&aes).await;
        if accepted {
            assert_eq!((who(&view), page.contains("Connexion réussie")), ("dr.weber", true), "{manner}");
        } else {
            assert_eq!((who(&view), page.contains("n’a pas abouti")), ("nobody", true), "{manner}");
            assert_eq!(view.failure.unwrap().code(), "token-other-issuer", "{manner}");
            assert_eq!(peer.provider.count("token"), 0, "{manner}: the code was not redeemed with anybody");
        }
    }
}

#[tokio::test]
async fn declining_at_the_provider_is_a_refusal() {
    let peer = Peer::start(&[]);
    let aes = peer.desk.start().await;
    let mut url = aes.start_login(in_french()).await.unwrap();
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

#[tokio::test]
async fn somebody_else_logs_in_though_the_browser_remembers_the_first() {
    let peer = Peer::start(&[]);
    let (aes, first) = peer.with("dr.weber").await;
    // The browser is logged in at the provider: without asking for another account, she comes back by herself.
    let view = peer.desk.log_in(&aes, "dr.muller", "any").await;
    assert_eq!(who(&view), "dr.weber");
    let url = aes.start_login(as_somebody_else()).await.unwrap();
    assert!(url.as_str().contains("prompt=login"), "{url}");
    peer.desk.browse(&url, "dr.muller", "any").await;
    let view = settled(&aes).await;
    assert_eq!((who(&view), view.failure.is_none()), ("dr.muller", true));
    assert_eq!(aes.authorized().await.unwrap().principal.physician.ehealth_id, "1900000002");
    assert_ne!(peer.desk.remembered_after(Some(&first)).await, None);
    // Nobody is left behind: what the first one had is worth nothing any more.
    assert_eq!(peer.redeem(&first).await.0, 400);

    // A provider that was asked for the password and did not ask gives nobody somebody else's session.
    let mut url = aes.start_login(as_somebody_else()).await.unwrap();
    let asked: Vec<_> = url
        .query_pairs()
        .into_owned()
        .filter(|(name, _)| name != "prompt" && name != "max_age")
        .collect();
    url.query_pairs_mut().clear().extend_pairs(asked);
    peer.desk.browse(&url, "dr.weber", "any").await;
    let view = settled(&aes).await;
    assert_eq!(
        (who(&view), view.failure.as_ref().unwrap().code()),
        ("dr.muller", "aes-token-unusable")
    );
}

#[tokio::test]
async fn a_secretary_chooses_and_the_choice_survives_renewals() {
    let peer = Peer::start(&[]);
    let (aes, _) = peer.with("sec.klein").await;
    assert_eq!(aes.authorized().await.err().unwrap().code(), "physician-not-chosen");
    assert_eq!(aes.choose("1900000003").await.err().unwrap().code(), "physician-not-represented");
    aes.choose("1900000002").await.unwrap();
    for _ in 0..2 {
        let principal = aes.authorized().await.unwrap().principal;
        assert_eq!((principal.actor.id.as_str(), principal.mandate), ("sec.klein", true));
        assert_eq!(principal.physician.ehealth_id, "1900000002");
        assert_eq!(principal.physician.provider_codes, ["90000102"]);
        peer.desk.clock.pass(ALMOST_OVER);
    }
    assert_eq!(peer.renewals(), 1);

    // Of one physician alone there is nothing to choose; a physician with a colleague begins as herself.
    let alone = Peer::start(&[]);
    let (aes, _) = alone.with("sec.thill").await;
    let principal = aes.authorized().await.unwrap().principal;
    assert_eq!((principal.physician.ehealth_id.as_str(), principal.mandate), ("1900000001", true));
    alone.desk.log_in(&aes, "sec.thill", "any").await;
    let url = aes.start_login(as_somebody_else()).await.unwrap();
    alone.desk.browse(&url, "dr.schmit", "any").await;
    settled(&aes).await;
    let principal = aes.authorized().await.unwrap().principal;
    assert_eq!((principal.physician.ehealth_id.as_str(), principal.mandate), ("1900000004", false));
    aes.choose("1900000001").await.unwrap();
    let principal = aes.authorized().await.unwrap().principal;
    assert_eq!((principal.actor.id.as_str(), principal.mandate), ("dr.schmit", true));
    aes.choose("1900000004").await.unwrap();
    assert!(!aes.authorized().await.unwrap().principal.mandate);
}

#[tokio::test]
async fn callers_bring_tokens_of_the_right_kind() {
    let peer = Peer::start(&[]);
    let (desktop, refresh) = peer.with("dr.weber").await;
    let access = desktop.authorized().await.unwrap().token;
    let hospital = peer.desk.start_with(peer.desk.delegated()).await;
    let authorized = hospital.bearer(access.reveal(), None).await.unwrap();
    assert_eq!(
        (authorized.principal.actor.id.as_str(), authorized.principal.mandate),
        ("dr.weber", false)
    );
    assert_eq!(
        hospital.bearer(access.reveal(), Some("1900000002")).await.err().unwrap().code(),
        "physician-not-represented"
    );
    // What else the provider gives out is not for services.
    assert_eq!(hospital.bearer(&refresh, None).await.err().unwrap().code(), "token-invalid");
    let (status, answer) = peer.redeem(&refresh).await;
    assert_eq!(status, 200);
    let identity = hospital.bearer(answer["id_token"].as_str().unwrap(), None).await.err().unwrap();
    assert_eq!(identity.code(), "token-wrong-audience");
    assert!(hospital.bearer(answer["access_token"].as_str().unwrap(), None).await.is_ok());
    // Another provider of the same shape.
    let other = Peer::start(&[]);
    let (stranger, _) = other.with("dr.weber").await;
    let foreign = stranger.authorized().await.unwrap().token;
    let code = hospital.bearer(foreign.reveal(), None).await.err().unwrap().code();
    assert_eq!(code, "token-invalid", "the same kid, another key");
}

#[tokio::test]
async fn a_hospital_exchanges_and_is_told_why_not() {
    let peer = Peer::start(&[("AT_TTL", "120")]);
    let exchanging = |client_id: &str, secret: &str| AesSettings {
        exchange: Some(ExchangeClient {
            client_id: client_id.to_owned(),
            secret: Secret::new(secret),
        }),
        ..peer.desk.delegated()
    };
    let hospital = peer.desk.start_with(exchanging("hopital-eai", "s3cr3t")).await;
    let asked: Vec<_> = (0..10)
        .map(|_| {
            let hospital = hospital.clone();
            tokio::spawn(async move { hospital.on_behalf_of("1900000002").await })
        })
        .collect();
    let mut tokens = Vec::new();
    for task in asked {
        let authorized = task.await.unwrap().unwrap();
        assert_eq!(authorized.principal.actor.id, "hopital-eai");
        assert_eq!(authorized.principal.physician.ehealth_id, "1900000002");
        tokens.push(authorized.token);
    }
    let exchanges = || peer.provider.count("token urn:ietf:params:oauth:grant-type:token-exchange 200");
    assert_eq!(exchanges(), 1);
    // An authority refuses that one: ten callers who were refused get one new token between them.
    let refused = tokens[0].clone();
    let again: Vec<_> = (0..10)
        .map(|_| {
            let (hospital, refused) = (hospital.clone(), refused.clone());
            tokio::spawn(async move { hospital.exchanged_anew("1900000002", &refused).await.unwrap().token })
        })
        .collect();
    for task in again {
        assert_ne!(task.await.unwrap().reveal(), refused.reveal());
    }
    assert_eq!(exchanges(), 2);
    // Shortly before its end it is exchanged anew.
    peer.desk.clock.pass(80);
    hospital.on_behalf_of("1900000002").await.unwrap();
    assert_eq!(exchanges(), 2);
    peer.desk.clock.pass(20);
    hospital.on_behalf_of("1900000002").await.unwrap();
    assert_eq!(exchanges(), 3);

    for (client, secret, physician, code, said) in [
        ("hopital-eai", "wrong", "1900000002", "exchange-client-refused", "invalid_client"),
        ("nobody", "s3cr3t", "1900000002", "exchange-client-refused", "invalid_client"),
        ("other-eai", "s3cr3t2", "1900000002", "exchange-denied", "access_denied"),
        ("hopital-eai", "s3cr3t", "1999999999", "exchange-denied", "access_denied"),
    ] {
        let hospital = peer.desk.start_with(exchanging(client, secret)).await;
        let refused = hospital.on_behalf_of(physician).await.err().unwrap();
        assert_eq!(
            (refused.code(), refused.authority().unwrap().code.as_str()),
            (code, said),
            "{client} {physician}"
        );
    }
}
