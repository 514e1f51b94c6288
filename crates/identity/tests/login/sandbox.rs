//! Login, renewal, logout and bearer tokens against the sandbox's AeS, faults included.

use std::time::Duration;

use econnector_base::{Explain as _, Fault, Secret};
use econnector_identity::{
    Aes, AesSettings, Identity as _, KeyringState, Leaving, LoginRequest, Logins, SessionState, SessionView, TokenStore as _,
};
use econnector_sandbox::{Sandbox, SandboxOptions};
use serde_json::{Value, json};

use crate::desk::{self, Desk, as_somebody_else, in_french, login_in, settled};

pub struct Stage {
    sandbox: Sandbox,
    pub desk: Desk,
    _folder: tempfile::TempDir,
}

impl Stage {
    pub async fn set() -> Self {
        Self::with_life(300).await
    }

    /// With access tokens that live so many seconds.
    pub async fn with_life(access_ttl: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SandboxOptions {
            dir: folder.path().join("sandbox"),
            access_ttl,
            ..SandboxOptions::default()
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        let ca = std::fs::read(&sandbox.ready().ca_pem).unwrap();
        let desk = Desk::new(&sandbox.ready().issuer, ca);
        Self {
            sandbox,
            desk,
            _folder: folder,
        }
    }

    async fn weber(&self) -> Aes {
        let aes = self.desk.start().await;
        let view = self.desk.log_in(&aes, "dr.weber", "weber").await;
        assert!(matches!(view.state, SessionState::LoggedIn { .. }), "{view:?}");
        aes
    }

    pub async fn fault(&self, fault: Value) {
        let url = format!("{}/faults", self.sandbox.ready().control);
        let answer = reqwest::Client::new().post(url).json(&fault).send().await.unwrap();
        assert_eq!(answer.status(), 201);
    }

    pub async fn heal(&self) {
        let url = format!("{}/faults", self.sandbox.ready().control);
        reqwest::Client::new().delete(url).send().await.unwrap();
    }

    pub async fn events(&self, kind: &str) -> usize {
        let url = format!("{}/aes/events", self.sandbox.ready().control);
        let events: Vec<Value> = reqwest::get(url).await.unwrap().json().await.unwrap();
        events.iter().filter(|event| event["type"] == kind).count()
    }

    /// A token for the hospital's engine.
    async fn exchanged(&self, audience: &str, subject: &str) -> Result<String, u16> {
        let ready = self.sandbox.ready();
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
            .append_pair("client_id", &ready.client_id)
            .append_pair("client_secret", &ready.client_secret)
            .append_pair("requested_subject", subject)
            .append_pair("audience", audience)
            .finish();
        let transport = desk::transport(&self.desk.ca_pem);
        let request = transport.client().post(&ready.token_endpoint).body(form);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        let answer = transport.send(request).await.unwrap();
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        body["access_token"].as_str().map(str::to_owned).ok_or(answer.status)
    }
}

fn failure(view: &SessionView) -> &'static str {
    view.failure.as_ref().map_or("none", |failure| failure.code())
}

fn logged_out(view: &SessionView) -> bool {
    matches!(view.state, SessionState::LoggedOut)
}

#[tokio::test]
async fn a_physician_logs_in_and_out() {
    let stage = Stage::set().await;
    let aes = stage.desk.start().await;
    assert!(logged_out(&aes.session().await));
    assert_eq!(aes.authorized().await.err().unwrap().code(), "login-required");

    let url = aes.start_login(login_in("de")).await.unwrap();
    let again = aes.start_login(login_in("de")).await.unwrap();
    assert_eq!(url, again, "a login under way is shown again, not begun twice");
    assert!(matches!(aes.session().await.state, SessionState::LoggingIn { login_url } if login_url == url));
    for needed in [
        "code_challenge_method=S256",
        "state=",
        "nonce=",
        "ui_locales=de",
        "redirect_uri=http%3A%2F%2F127.0.0.1%3A",
    ] {
        assert!(url.as_str().contains(needed), "{url}");
    }
    let (landed, page) = stage.desk.browse(&url, "dr.weber", "weber").await;
    assert_eq!((landed.host_str(), landed.path()), (Some("127.0.0.1"), "/callback"));
    assert!(page.contains("Sie sind angemeldet"), "{page}");

    let view = settled(&aes).await;
    let SessionState::LoggedIn {
        actor,
        physician,
        acts_for,
        until,
        ..
    } = view.state
    else {
        panic!("{view:?}")
    };
    let physician = physician.unwrap();
    assert_eq!(
        (physician.ehealth_id.as_str(), physician.provider_codes),
        ("1900000001", vec!["90000101".to_owned()])
    );
    assert_eq!((actor.name.as_str(), physician.name.as_str()), ("Dr Anne Weber", "Dr Anne Weber"));
    assert!(acts_for.is_empty());
    let left = until - time::OffsetDateTime::now_utc();
    assert!(
        (time::Duration::seconds(1700)..=time::Duration::seconds(1800)).contains(&left),
        "{left}"
    );
    assert!(!stage.desk.browser.0.lock().unwrap().is_empty());

    let authorized = aes.authorized().await.unwrap();
    assert_eq!(authorized.principal.physician.ehealth_id, "1900000001");
    assert!(authorized.token.reveal().starts_with("eyJ"));
    let token = stage.desk.remembered_after(None).await.unwrap();
    assert!(aes.session().await.remembered);

    aes.logout().await.done().await.unwrap();
    let view = aes.session().await;
    assert!(logged_out(&view) && !view.remembered, "{view:?}");
    assert_eq!(stage.desk.remembered(), None, "the keyring forgets");
    assert_eq!(aes.authorized().await.err().unwrap().code(), "login-required");

    // AeS ended it too: neither the refresh token nor the browser's session is worth anything.
    let account = format!("{} econnector", stage.desk.issuer);
    stage.desk.keyring.save(&account, &Secret::new(token)).await.unwrap();
    let other = stage.desk.start().await;
    assert_eq!(failure(&other.session().await), "session-ended");
    assert_eq!(stage.desk.remembered(), None);
    let url = other.start_login(in_french()).await.unwrap();
    let (_, page) = stage.desk.get(url.as_str()).await;
    assert!(page.contains("name=\"password\""), "the browser has to log in anew: {page}");
}

#[tokio::test]
async fn a_session_survives_the_program() {
    let stage = Stage::set().await;
    drop(stage.weber().await);
    let first = stage.desk.remembered_after(None).await;
    let aes = stage.desk.start().await;
    let view = aes.session().await;
    assert!(matches!(view.state, SessionState::LoggedIn { .. }) && view.remembered, "{view:?}");
    assert_eq!(aes.authorized().await.unwrap().principal.physician.ehealth_id, "1900000001");
    let second = stage.desk.remembered_after(first.as_deref()).await;
    assert!(second.is_some(), "the rotated token replaces the used one");
}

/// An access token of 300 s has 25 s left: too few to be given out, enough to serve where nothing better is to be had.
const ALMOST_OVER: u64 = 275;

#[tokio::test]
async fn parallel_callers_share_one_renewal() {
    let stage = Stage::set().await;
    let aes = stage.weber().await;
    for round in 1..=3 {
        stage.desk.clock.pass(ALMOST_OVER);
        let before = stage.events("REFRESH_TOKEN").await;
        let callers: Vec<_> = (0..16)
            .map(|_| {
                let aes = aes.clone();
                tokio::spawn(async move { aes.authorized().await.map(|authorized| authorized.token.reveal().to_owned()) })
            })
            .collect();
        for caller in callers {
            assert!(caller.await.unwrap().is_ok(), "round {round}");
        }
        let renewals = stage.events("REFRESH_TOKEN").await - before;
        assert_eq!(renewals, 1, "round {round}: sixteen callers, one renewal");
        assert_eq!(stage.events("REFRESH_TOKEN_REUSE").await, 0, "no refresh token is ever used twice");
    }
}

#[tokio::test]
async fn a_session_is_kept_alive_while_nobody_asks() {
    let stage = Stage::with_life(4).await;
    let aes = stage.weber().await;
    tokio::time::sleep(Duration::from_millis(5500)).await;
    assert!(stage.events("REFRESH_TOKEN").await >= 2);
    assert!(matches!(aes.session().await.state, SessionState::LoggedIn { .. }));
    drop(aes);
    let after = stage.events("REFRESH_TOKEN").await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(
        stage.events("REFRESH_TOKEN").await <= after + 1,
        "nobody renews for a program that is gone"
    );
}

#[tokio::test]
async fn a_renewal_whose_answer_is_lost_ends_in_a_clear_logout() {
    let stage = Stage::set().await;
    let aes = stage.weber().await;
    stage.desk.remembered_after(None).await;
    stage.desk.clock.pass(ALMOST_OVER);
    stage
        .fault(json!({"service": "aes", "kind": "drop", "after": true, "count": 1, "path": "token"}))
        .await;
    // The old token still lives for some seconds, so the caller is served.
    assert!(aes.authorized().await.is_ok());
    assert_eq!(failure(&aes.session().await), "net-cut");
    // The next attempt uses a refresh token AeS has seen used: AeS ends the session, and so do we.
    let error = aes.authorized().await.err().unwrap();
    assert_eq!((error.code(), error.fault()), ("session-ended", Fault::Authority));
    assert_eq!(error.authority().unwrap().code, "invalid_grant");
    let view = aes.session().await;
    assert!(logged_out(&view) && !view.remembered, "{view:?}");
    assert_eq!(failure(&view), "session-ended");
    assert_eq!(stage.desk.remembered(), None);
    assert_eq!(aes.authorized().await.err().unwrap().code(), "session-ended");
    // Logging in again clears it.
    let view = stage.desk.log_in(&aes, "dr.weber", "weber").await;
    assert_eq!(failure(&view), "none");
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_lose_the_session() {
    let stage = Stage::set().await;
    let aes = stage.weber().await;
    stage.desk.clock.pass(ALMOST_OVER);
    stage
        .fault(json!({"service": "aes", "kind": "delay", "ms": 600, "count": 1, "path": "token"}))
        .await;
    let gone = tokio::time::timeout(Duration::from_millis(200), aes.authorized()).await;
    assert!(gone.is_err());
    assert!(aes.authorized().await.is_ok());
    assert_eq!(stage.events("REFRESH_TOKEN_REUSE").await, 0);
}

#[tokio::test]
async fn aes_being_down_costs_nobody_the_session() {
    let stage = Stage::set().await;
    drop(stage.weber().await);
    let token = stage.desk.remembered_after(None).await;
    stage.fault(json!({"service": "aes", "kind": "status", "status": 503})).await;
    let aes = stage.desk.start().await;
    let view = aes.session().await;
    assert!(logged_out(&view), "{view:?}");
    assert_eq!(failure(&view), "aes-failed");
    assert_eq!(aes.authorized().await.err().unwrap().code(), "aes-failed");
    assert_eq!(aes.start_login(in_french()).await.err().unwrap().code(), "aes-failed");
    assert_eq!(aes.probe().await.err().unwrap().code(), "aes-failed");
    assert_eq!(stage.desk.remembered(), token, "kept for when AeS is back");
    stage.heal().await;
    assert!(aes.authorized().await.is_ok());
    assert_eq!(failure(&aes.session().await), "none");
    assert!(aes.probe().await.unwrap().latency > Duration::ZERO);
}

#[tokio::test]
async fn garbage_and_strangers_are_not_aes() {
    let stage = Stage::set().await;
    let aes = stage.desk.start().await;
    stage.fault(json!({"service": "aes", "kind": "garbage"})).await;
    assert_eq!(aes.start_login(in_french()).await.err().unwrap().code(), "aes-garbage");
    assert_eq!(aes.probe().await.err().unwrap().code(), "aes-garbage");
    assert_eq!(aes.bearer("a.b.c", None).await.err().unwrap().code(), "aes-garbage");
    stage.heal().await;
    stage
        .fault(json!({"service": "aes", "kind": "garbage", "path": "token", "count": 1}))
        .await;
    let view = stage.desk.log_in(&aes, "dr.weber", "weber").await;
    assert_eq!(failure(&view), "aes-garbage");

    // The sandbox's certificate without its authority in the trust store.
    let stranger = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let desk = Desk::new(stage.desk.issuer.as_str(), stranger.cert.pem().into_bytes());
    let aes = desk.start().await;
    assert_eq!(aes.start_login(in_french()).await.err().unwrap().code(), "net-tls-unknown-issuer");
    assert_eq!(aes.probe().await.err().unwrap().code(), "net-tls-unknown-issuer");

    // The same server under another issuer's name.
    let other: url::Url = stage.desk.issuer.as_str().replace("/default", "/default/").parse().unwrap();
    let aes = stage
        .desk
        .start_with(AesSettings {
            issuer: other,
            ..stage.desk.settings()
        })
        .await;
    assert_eq!(aes.probe().await.err().unwrap().code(), "aes-garbage");
    assert_eq!(aes.start_login(in_french()).await.err().unwrap().code(), "aes-garbage");
}

#[tokio::test]
async fn a_refusal_at_aes_is_said_with_its_words() {
    let stage = Stage::set().await;
    let aes = stage.desk.start().await;
    stage
        .fault(json!({"service": "aes", "kind": "refuse", "count": 1, "path": "openid-connect/auth"}))
        .await;
    let url = aes.start_login(login_in("lb")).await.unwrap();
    let (_, page) = stage.desk.browse(&url, "dr.weber", "weber").await;
    assert!(page.contains("huet net geklappt"), "{page}");
    let view = settled(&aes).await;
    assert!(logged_out(&view));
    let error = view.failure.unwrap();
    assert_eq!(
        (error.code(), error.authority().unwrap().code.as_str()),
        ("login-refused", "access_denied")
    );

    stage
        .fault(json!({"service": "aes", "kind": "expired", "count": 1, "path": "token"}))
        .await;
    let view = stage.desk.log_in(&aes, "dr.weber", "weber").await;
    assert_eq!(failure(&view), "login-refused");
}

#[tokio::test]
async fn a_stranger_at_the_callback_changes_nothing() {
    let stage = Stage::set().await;
    let aes = stage.desk.start().await;
    let url = aes.start_login(in_french()).await.unwrap();
    let redirect = url.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
    for query in ["", "?code=stolen&state=guessed", "?error=access_denied&state=guessed"] {
        let (status, _) = stage.desk.get(&format!("{redirect}{query}")).await;
        assert_eq!(status, 400, "{query}");
        assert!(matches!(aes.session().await.state, SessionState::LoggingIn { .. }));
    }
    stage.desk.browse(&url, "dr.weber", "weber").await;
    assert!(matches!(settled(&aes).await.state, SessionState::LoggedIn { .. }));
}

#[tokio::test]
async fn a_login_is_given_up_or_times_out() {
    let stage = Stage::set().await;
    let aes = stage.desk.start().await;
    let url = aes.start_login(in_french()).await.unwrap();
    assert!(matches!(aes.logout().await, Leaving::GaveUp));
    assert!(matches!(aes.logout().await, Leaving::Ended(_)), "nothing is left to give up");
    let view = aes.session().await;
    assert!(logged_out(&view));
    assert_eq!(failure(&view), "none", "who gives up knows why");
    let redirect = url.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(reqwest::get(redirect).await.unwrap_err().is_connect(), "the port is closed");

    let settings = AesSettings {
        login_timeout: Duration::from_millis(200),
        ..stage.desk.settings()
    };
    let hasty = stage.desk.start_with(settings).await;
    hasty.start_login(in_french()).await.unwrap();
    assert_eq!(failure(&settled(&hasty).await), "login-timeout");
}

#[tokio::test]
async fn a_secretary_says_for_whom_she_works() {
    let stage = Stage::set().await;
    let aes = stage.desk.start().await;
    assert_eq!(aes.choose("1900000001").await.err().unwrap().code(), "login-required");
    let view = stage.desk.log_in(&aes, "sec.klein", "klein").await;
    let SessionState::LoggedIn {
        actor,
        physician,
        acts_for,
        mandate,
        ..
    } = view.state
    else {
        panic!("{view:?}")
    };
    assert_eq!((actor.name.as_str(), physician, mandate), ("Claire Klein", None, false));
    let ids: Vec<_> = acts_for.iter().map(|physician| physician.ehealth_id.as_str()).collect();
    assert_eq!(ids, ["1900000001", "1900000002"]);
    assert_eq!(aes.authorized().await.err().unwrap().code(), "physician-not-chosen");
    for stranger in ["1900000003", "1900000004", "190000000", "", "sec.klein"] {
        assert_eq!(
            aes.choose(stranger).await.err().unwrap().code(),
            "physician-not-represented",
            "{stranger}"
        );
    }

    for chosen in ["1900000002", "1900000001", "1900000002"] {
        aes.choose(chosen).await.unwrap();
        let principal = aes.authorized().await.unwrap().principal;
        assert_eq!((principal.physician.ehealth_id.as_str(), principal.mandate), (chosen, true));
        assert_eq!(principal.actor.name, "Claire Klein");
        let SessionState::LoggedIn { physician, mandate, .. } = aes.session().await.state else {
            panic!("logged out")
        };
        assert_eq!((physician.unwrap().ehealth_id.as_str(), mandate), (chosen, true));
    }
    // Renewals leave the choice alone; the next person begins without it.
    stage.desk.clock.pass(ALMOST_OVER);
    assert_eq!(aes.authorized().await.unwrap().principal.physician.ehealth_id, "1900000002");
    assert_eq!(stage.events("REFRESH_TOKEN").await, 1);
    aes.logout().await.done().await.unwrap();
    stage.desk.log_in(&aes, "sec.klein", "klein").await;
    assert_eq!(aes.authorized().await.err().unwrap().code(), "physician-not-chosen");
}

#[tokio::test]
async fn a_physician_may_stand_in_for_a_colleague() {
    let stage = Stage::set().await;
    let aes = stage.desk.start().await;
    let view = stage.desk.log_in(&aes, "dr.schmit", "schmit").await;
    let SessionState::LoggedIn {
        physician,
        acts_for,
        mandate,
        ..
    } = view.state
    else {
        panic!("{view:?}")
    };
    assert_eq!(
        (physician.unwrap().ehealth_id.as_str(), mandate),
        ("1900000004", false),
        "she begins as herself"
    );
    let ids: Vec<_> = acts_for.iter().map(|physician| physician.ehealth_id.as_str()).collect();
    assert_eq!(ids, ["1900000004", "1900000001"], "and finds the way back to herself");
    for (chosen, mandate, codes) in [("1900000001", true, "90000101"), ("1900000004", false, "90000104")] {
        aes.choose(chosen).await.unwrap();
        let principal = aes.authorized().await.unwrap().principal;
        assert_eq!((principal.physician.ehealth_id.as_str(), principal.mandate), (chosen, mandate));
        assert_eq!(principal.physician.provider_codes, [codes]);
    }
    aes.choose("1900000001").await.unwrap();
    // As a caller's token the same one stands for herself, unless the caller says for whom.
    let token = aes.authorized().await.unwrap().token;
    for (asked, physician, mandate) in [(None, "1900000004", false), (Some("1900000001"), "1900000001", true)] {
        let principal = aes.bearer(token.reveal(), asked).await.unwrap().principal;
        assert_eq!((principal.physician.ehealth_id.as_str(), principal.mandate), (physician, mandate));
    }
}

#[tokio::test]
async fn who_comes_back_may_be_somebody_else() {
    let stage = Stage::set().await;
    let aes = stage.weber().await;
    let first = aes.authorized().await.unwrap().token;
    let remembered = stage.desk.remembered_after(None).await;
    // The browser is still logged in at AeS: another account has to be asked for.
    let view = stage.desk.log_in(&aes, "dr.muller", "muller").await;
    assert!(
        matches!(&view.state, SessionState::LoggedIn { actor, .. } if actor.name == "Dr Anne Weber"),
        "{view:?}"
    );
    let remembered = stage.desk.remembered_after(remembered.as_deref()).await;
    let url = aes.start_login(as_somebody_else()).await.unwrap();
    let (_, page) = stage.desk.browse(&url, "dr.muller", "muller").await;
    assert!(page.contains("Connexion réussie"), "{page}");
    let view = settled(&aes).await;
    assert!(
        matches!(&view.state, SessionState::LoggedIn { actor, .. } if actor.name == "Dr Luc Muller"),
        "{view:?}"
    );
    let second = aes.authorized().await.unwrap();
    assert_eq!(second.principal.physician.ehealth_id, "1900000002");
    assert_ne!(second.token.reveal(), first.reveal());
    stage.desk.remembered_after(remembered.as_deref()).await;

    // Giving up such a login leaves the session as it was.
    aes.start_login(as_somebody_else()).await.unwrap();
    assert!(aes.authorized().await.is_ok(), "it goes on meanwhile");
    let meanwhile = aes.session().await;
    assert!(
        matches!(meanwhile.state, SessionState::LoggingIn { .. })
            && matches!(&meanwhile.standing, SessionState::LoggedIn { actor, .. } if actor.name == "Dr Luc Muller"),
        "{meanwhile:?}"
    );
    aes.logout().await.done().await.unwrap();
    let view = settled(&aes).await;
    assert!(
        matches!(&view.state, SessionState::LoggedIn { actor, .. } if actor.name == "Dr Luc Muller"),
        "{view:?}"
    );
    assert!(aes.authorized().await.is_ok());
    // An ordinary login under way gives way to one with another account.
    let ordinary = aes.start_login(in_french()).await.unwrap();
    let other = aes.start_login(as_somebody_else()).await.unwrap();
    assert_ne!(ordinary, other);
    stage.desk.browse(&other, "sec.klein", "klein").await;
    let view = settled(&aes).await;
    assert!(
        matches!(&view.state, SessionState::LoggedIn { actor, .. } if actor.name == "Claire Klein"),
        "{view:?}"
    );
}

#[tokio::test]
async fn a_token_that_an_authority_refused_is_replaced_once() {
    let stage = Stage::set().await;
    let aes = stage.weber().await;
    let refused = aes.authorized().await.unwrap().token;
    let callers: Vec<_> = (0..12)
        .map(|_| {
            let (aes, refused) = (aes.clone(), refused.clone());
            tokio::spawn(async move { aes.renewed(&refused).await.unwrap().token })
        })
        .collect();
    let mut given = Vec::new();
    for caller in callers {
        given.push(caller.await.unwrap().reveal().to_owned());
    }
    given.dedup();
    assert_eq!(given.len(), 1);
    assert_ne!(given[0], refused.reveal());
    assert_eq!(stage.events("REFRESH_TOKEN").await, 1);
    // Whoever still has the one before it gets the newest, and nothing is asked.
    assert_eq!(aes.renewed(&refused).await.unwrap().token.reveal(), given[0]);
    assert_eq!(stage.events("REFRESH_TOKEN").await, 1);
    aes.logout().await.done().await.unwrap();
    assert_eq!(aes.renewed(&refused).await.err().unwrap().code(), "login-required");
    assert_eq!(stage.events("REFRESH_TOKEN_REUSE").await, 0);
}

#[tokio::test]
async fn what_an_installation_does_not_do_it_does_not_begin() {
    let stage = Stage::set().await;
    let token = stage.weber().await.authorized().await.unwrap().token;
    stage.desk.remembered_after(None).await;

    let delegated = stage.desk.start_with(stage.desk.delegated()).await;
    let asked = stage.desk.keyring.asked();
    for code in [
        delegated.start_login(in_french()).await.err().unwrap().code(),
        delegated.authorized().await.err().unwrap().code(),
        delegated.choose("1900000001").await.err().unwrap().code(),
        delegated.renewed(&token).await.err().unwrap().code(),
    ] {
        assert_eq!(code, "identity-no-own-login");
    }
    assert!(delegated.bearer(token.reveal(), None).await.is_ok());
    let view = delegated.session().await;
    assert!(logged_out(&view), "{view:?}");
    assert_eq!(
        (view.logins, view.keyring, view.remembered),
        (Logins::Delegated, KeyringState::Off, false)
    );
    assert_eq!(stage.desk.keyring.asked(), asked, "nobody looked for a session to take up");

    let own = AesSettings {
        logins: Logins::Own,
        ..stage.desk.settings()
    };
    let own = stage.desk.start_with(own).await;
    assert_eq!(
        own.bearer(token.reveal(), None).await.err().unwrap().code(),
        "identity-no-delegated"
    );
    assert_eq!(
        own.bearer("not even a token", None).await.err().unwrap().code(),
        "identity-no-delegated"
    );
    assert!(own.authorized().await.is_ok(), "the remembered session is taken up");

    // Another program of the same user holds the session: this one leaves it alone.
    let renewals = stage.events("REFRESH_TOKEN").await;
    let asked = stage.desk.keyring.asked();
    let elsewhere = AesSettings {
        elsewhere: true,
        ..stage.desk.settings()
    };
    let elsewhere = stage.desk.start_with(elsewhere).await;
    let view = elsewhere.session().await;
    assert_eq!((logged_out(&view), failure(&view)), (true, "session-elsewhere"));
    for code in [
        elsewhere.start_login(LoginRequest::default()).await.err().unwrap().code(),
        elsewhere.authorized().await.err().unwrap().code(),
        elsewhere.choose("1900000001").await.err().unwrap().code(),
    ] {
        assert_eq!(code, "session-elsewhere");
    }
    assert!(elsewhere.bearer(token.reveal(), None).await.is_ok());
    assert_eq!((stage.events("REFRESH_TOKEN").await, stage.desk.keyring.asked()), (renewals, asked));
    assert!(stage.desk.browser.0.lock().unwrap().len() == 1, "no browser was opened");
}

#[tokio::test]
async fn a_wrong_clock_is_named_as_such() {
    let stage = Stage::set().await;
    let aes = stage.desk.start().await;
    assert_eq!(aes.session().await.clock_skew, None, "nobody has looked yet");
    stage.desk.clock.by(-3600);
    let skew = aes.probe().await.unwrap().clock_skew.unwrap();
    assert!((3598..=3602).contains(&skew.whole_seconds()), "{skew}");
    assert_eq!(aes.session().await.clock_skew, Some(skew), "positive: this computer is slow");
    let view = stage.desk.log_in(&aes, "dr.weber", "weber").await;
    let failure = view.failure.unwrap();
    assert_eq!((failure.code(), failure.fault()), ("clock-wrong", Fault::You));
    stage.desk.clock.by(-55);
    let view = stage.desk.log_in(&aes, "dr.weber", "weber").await;
    assert!(
        matches!(view.state, SessionState::LoggedIn { .. }),
        "less than a minute is granted: {view:?}"
    );
}

#[tokio::test]
async fn a_session_that_stands_outlives_a_clock_that_is_set() {
    let stage = Stage::set().await;
    let aes = stage.weber().await;
    let token = aes.authorized().await.unwrap().token;
    // Set back by a day, time goes on: the token is renewed when its time has gone by.
    stage.desk.clock.by(-86_400);
    assert_eq!(aes.authorized().await.unwrap().token.reveal(), token.reveal());
    stage.desk.clock.pass(ALMOST_OVER);
    let next = aes.authorized().await.unwrap().token;
    assert_ne!(next.reveal(), token.reveal());
    // Put forward by a day, or the computer slept: what was held is not trusted, and renewed.
    stage.desk.clock.by(86_400);
    let after = aes.authorized().await.unwrap().token;
    assert_ne!(after.reveal(), next.reveal());
    assert_eq!(stage.events("REFRESH_TOKEN").await, 2);
    let skew = aes.session().await.clock_skew.unwrap();
    assert!((skew.whole_seconds() + 86_400).abs() <= 2, "{skew}");
    stage.desk.clock.by(0);
    assert!(aes.authorized().await.is_ok());
    assert_eq!(stage.events("REFRESH_TOKEN_REUSE").await, 0);
}

#[tokio::test]
async fn tokens_of_callers_are_checked() {
    let stage = Stage::set().await;
    let aes = stage.desk.start_with(stage.desk.delegated()).await;
    let token = stage.exchanged("https://eadmin.lu/", "1900000002").await.unwrap();
    let authorized = aes.bearer(&token, None).await.unwrap();
    assert_eq!(authorized.principal.actor.id, "hopital-eai");
    assert_eq!(authorized.principal.physician.name, "Dr Luc Muller");
    assert_eq!(authorized.token.reveal(), token);

    for (odd, code) in [
        (String::new(), "token-invalid"),
        ("opaque".to_owned(), "token-invalid"),
        (format!("{token}x"), "token-invalid"),
        (token.replacen("eyJ", "eyK", 1), "token-invalid"),
        (token.clone() + &"A".repeat(16 * 1024), "token-invalid"),
        (token.rsplit_once('.').unwrap().0.to_owned() + ".", "token-invalid"),
    ] {
        assert_eq!(aes.bearer(&odd, None).await.err().unwrap().code(), code);
    }
    // Somebody sets the computer's clock; what counts is AeS' time.
    for seconds in [-400, 400, 0] {
        stage.desk.clock.by(seconds);
        stage.desk.clock.pass(31);
        assert!(aes.bearer(&token, None).await.is_ok(), "{seconds}");
    }

    // Another sandbox: same names, other keys, other issuer.
    let other = Stage::set().await;
    let foreign = other.exchanged("https://eadmin.lu/", "1900000002").await.unwrap();
    let code = aes.bearer(&foreign, None).await.err().unwrap().code();
    assert!(matches!(code, "token-invalid" | "token-other-issuer"), "{code}");
}

#[tokio::test]
async fn an_unknown_key_is_looked_up_but_not_each_time() {
    let stage = Stage::set().await;
    let aes = stage.desk.start().await;
    let token = stage.exchanged("https://eadmin.lu/", "1900000001").await.unwrap();
    assert!(aes.bearer(&token, None).await.is_ok());
    // {"alg":"RS256","kid":"invented"}
    let (_, rest) = token.split_once('.').unwrap();
    let invented = format!("eyJhbGciOiJSUzI1NiIsImtpZCI6ImludmVudGVkIn0.{rest}");
    stage.desk.clock.pass(40);
    stage
        .fault(json!({"service": "aes", "kind": "delay", "ms": 500, "path": "certs"}))
        .await;
    let started = std::time::Instant::now();
    for _ in 0..10 {
        assert_eq!(aes.bearer(&invented, None).await.err().unwrap().code(), "token-invalid");
    }
    let elapsed = started.elapsed();
    assert!(
        (Duration::from_millis(500)..Duration::from_secs(4)).contains(&elapsed),
        "one look-up: {elapsed:?}"
    );
}
