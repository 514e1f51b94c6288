//! An AeS that gives out something else than it should: to whoever logs in, and at a renewal.

use econnector_base::Explain as _;
use econnector_identity::{Aes, Identity as _, SessionState, SessionView};
use openidconnect::core::CoreJwsSigningAlgorithm;
use serde_json::{Value, json};
use url::Url;

use crate::desk::{in_french, settled};
use crate::realm::{Answer, Realm, encode, foreign_signed, input, rs256, rsa_signed};

/// An access token of 300 s has 25 s left.
const ALMOST_OVER: u64 = 275;

fn header() -> Value {
    json!({"alg": "RS256", "kid": "k1"})
}

/// What an ID token of Dr Weber says, with some claims changed; `null` takes one away.
fn identity(realm: &Realm, changes: &Value) -> Value {
    let mut claims = realm.claims_but(&json!({"aud": "econnector", "azp": "econnector", "typ": "ID"}));
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn answer(access: &str, id_token: Option<String>) -> Value {
    let mut answer =
        json!({"access_token": access, "token_type": "Bearer", "expires_in": 300, "refresh_token": "r1", "refresh_expires_in": 1800});
    if let Some(id_token) = id_token {
        answer["id_token"] = id_token.into();
    }
    answer
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
}

/// Begins a login, and comes back with what the realm then has to give for the code.
async fn come_back(realm: &Realm, aes: &Aes, gives: impl Fn(&str) -> Answer) -> SessionView {
    let url = aes.start_login(in_french()).await.unwrap();
    realm.answers("token", Some(gives(&parameter(&url, "nonce"))));
    let back = format!("{}?code=c&state={}", parameter(&url, "redirect_uri"), parameter(&url, "state"));
    realm.desk.get(&back).await;
    settled(aes).await
}

async fn logged_in(realm: &Realm, access: &Value) -> Aes {
    let aes = realm.desk.start().await;
    let view = come_back(realm, &aes, |nonce| {
        let sub = &access["sub"];
        let id_token = rs256(&header(), &identity(realm, &json!({"nonce": nonce, "sub": sub})));
        Answer::json(&answer(&rs256(&header(), access), Some(id_token)))
    })
    .await;
    assert!(matches!(view.state, SessionState::LoggedIn { .. }), "{view:?}");
    aes
}

#[tokio::test]
async fn nobody_is_logged_in_by_a_token_that_is_not_for_this_login() {
    let realm = Realm::open().await;
    logged_in(&realm, &realm.claims()).await.logout().await.done().await.unwrap_err();
    let aes = realm.desk.start().await;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let good = realm.token(&json!({}));
    let signed = |claims: &Value| rs256(&header(), claims);

    // ID tokens, beside a good access token.
    for (changes, what) in [
        (json!({"nonce": "another"}), "of another login"),
        (json!({"nonce": null}), "of no login"),
        (json!({"aud": "another-client", "azp": "another-client"}), "for another client"),
        (
            json!({"aud": ["econnector", "another"], "azp": "another"}),
            "issued to another client",
        ),
        (json!({"iss": "https://evil.example"}), "of another issuer"),
        (json!({"sub": "dr.muller"}), "of somebody else"),
        (json!({"sub": null}), "of nobody"),
        (json!({"exp": now - 120}), "that is over"),
        (json!({"exp": null}), "without an end"),
        (json!({"iat": now - 600}), "of ten minutes ago"),
        (json!({"iat": now + 180}), "of the future"),
        (json!({"at_hash": encode([0; 16])}), "that belongs to another access token"),
    ] {
        let view = come_back(&realm, &aes, |nonce| {
            let mut claims = identity(&realm, &changes);
            if changes.get("nonce").is_none() {
                claims["nonce"] = json!(nonce);
            }
            Answer::json(&answer(&good, Some(signed(&claims))))
        })
        .await;
        refused(&view, what);
    }
    // Their signatures.
    type Signing = fn(&Value) -> String;
    let signings: [(Signing, &str); 4] = [
        (|claims| foreign_signed(&input(&header(), claims)), "signed by nobody's key"),
        (
            |claims| format!("{}.", input(&json!({"alg": "none"}), claims)),
            "without a signature",
        ),
        (
            |claims| {
                rsa_signed(
                    &input(&json!({"alg": "RS512", "kid": "k1"}), claims),
                    &CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
                )
            },
            "signed in another way",
        ),
        (
            |claims| rs256(&json!({"alg": "RS256", "kid": "k7"}), claims),
            "under an unknown key",
        ),
    ];
    for (sign, what) in signings {
        let view = come_back(&realm, &aes, |nonce| {
            Answer::json(&answer(&good, Some(sign(&identity(&realm, &json!({"nonce": nonce}))))))
        })
        .await;
        refused(&view, what);
    }
    // Access tokens, beside a good ID token; and no ID token at all.
    for (access, what) in [
        (realm.token(&json!({"aud": "https://other.example/"})), "for another service"),
        (realm.token(&json!({"iss": "https://evil.example"})), "of another issuer"),
        (realm.token(&json!({"exp": now - 120})), "that is over"),
        (realm.token(&json!({"typ": "Refresh"})), "that is none"),
        (realm.token(&json!({"sub": "dr.muller"})), "of somebody else"),
        (realm.token(&json!({"eHealthId": "19000000010"})), "of a physician that cannot be"),
        (foreign_signed(&input(&header(), &realm.claims())), "signed by nobody's key"),
        ("opaque".to_owned(), "that nobody can read"),
    ] {
        let view = come_back(&realm, &aes, |nonce| {
            Answer::json(&answer(&access, Some(signed(&identity(&realm, &json!({"nonce": nonce}))))))
        })
        .await;
        refused(&view, what);
    }
    let view = come_back(&realm, &aes, |_| Answer::json(&answer(&good, None))).await;
    refused(&view, "beside which no ID token is");

    // Answers that are none.
    for (given, code) in [
        (Answer::json(&json!({"error": "invalid_grant"})), "aes-garbage"),
        (
            Answer::bytes(400, r#"{"error":"invalid_grant","error_description":"Code not valid"}"#),
            "login-refused",
        ),
        (Answer::bytes(401, r#"{"error":"invalid_client"}"#), "aes-client-refused"),
        (Answer::bytes(200, "<html>"), "aes-garbage"),
        (Answer::bytes(302, ""), "aes-garbage"),
        (Answer::bytes(503, ""), "aes-failed"),
        (Answer::bytes(200, vec![b' '; 2 * 1024 * 1024]), "aes-garbage"),
    ] {
        let view = come_back(&realm, &aes, |_| given.clone()).await;
        assert!(matches!(view.state, SessionState::LoggedOut), "{code}");
        assert_eq!(view.failure.unwrap().code(), code);
    }
    assert_eq!(realm.desk.remembered(), None);
}

fn refused(view: &SessionView, what: &str) {
    assert!(matches!(view.state, SessionState::LoggedOut), "a token {what}");
    // What lacks a claim that every token has is no answer at all.
    let code = view.failure.as_ref().unwrap().code();
    assert!(matches!(code, "aes-token-unusable" | "aes-garbage"), "a token {what}: {code}");
}

#[tokio::test]
async fn a_renewal_never_makes_somebody_of_somebody_else() {
    let realm = Realm::open().await;
    let muller = json!({"sub": "dr.muller", "name": "Dr Luc Muller", "eHealthId": "1900000002", "providerCodes": ["90000102"]});
    for (access, id_token) in [
        (realm.token(&muller), None),
        (
            realm.token(&muller),
            Some(rs256(&header(), &identity(&realm, &json!({"sub": "dr.muller"})))),
        ),
        (
            realm.token(&json!({})),
            Some(rs256(&header(), &identity(&realm, &json!({"sub": "dr.muller"})))),
        ),
        (foreign_signed(&input(&header(), &realm.claims())), None),
    ] {
        let aes = logged_in(&realm, &realm.claims()).await;
        realm.answers("token", Some(Answer::json(&answer(&access, id_token))));
        realm.desk.clock.pass(ALMOST_OVER);
        let error = aes.authorized().await.err().unwrap();
        assert_eq!(error.code(), "aes-token-unusable");
        assert!(matches!(aes.session().await.state, SessionState::LoggedOut));
    }
}

#[tokio::test]
async fn for_whom_she_may_no_longer_act_a_secretary_has_not_chosen() {
    let realm = Realm::open().await;
    let secretary = |ids: &[&str]| {
        let listed: Vec<Value> = ids.iter().map(|id| json!({"eHealthId": id})).collect();
        realm.claims_but(&json!({"sub": "sec.klein", "name": "Claire Klein", "eHealthId": null, "actsFor": listed}))
    };
    let aes = logged_in(&realm, &secretary(&["1900000001", "1900000002"])).await;
    aes.choose("1900000002").await.unwrap();
    let renew = |ids: &[&str]| {
        // Without a new refresh token the old one stays (RFC 6749, 6).
        let mut renewed = answer(&rs256(&header(), &secretary(ids)), None);
        renewed.as_object_mut().unwrap().remove("refresh_token");
        realm.answers("token", Some(Answer::json(&renewed)));
        realm.desk.clock.pass(ALMOST_OVER);
    };
    renew(&["1900000002", "1900000003"]);
    assert_eq!(aes.authorized().await.unwrap().principal.physician.ehealth_id, "1900000002");
    // Nobody else takes her place of herself, not even where one alone is left: what is typed was begun for the one before.
    renew(&["1900000003"]);
    assert_eq!(aes.authorized().await.err().unwrap().code(), "physician-not-chosen");
    let SessionState::LoggedIn { physician, mandate, .. } = aes.session().await.state else {
        panic!("logged out")
    };
    assert_eq!((physician, mandate), (None, false));
    aes.choose("1900000003").await.unwrap();
    assert!(aes.authorized().await.unwrap().principal.mandate);
    let renewals: Vec<_> = realm
        .redeemed()
        .into_iter()
        .filter(|form| form.contains("grant_type=refresh_token"))
        .collect();
    assert_eq!(renewals.len(), 2);
    assert!(renewals.iter().all(|form| form.contains("refresh_token=r1")), "{renewals:?}");
}

#[tokio::test]
async fn a_session_that_may_come_back_is_told_from_one_that_is_over_here() {
    for (stubborn, code) in [(false, "logout-incomplete"), (true, "logout-not-forgotten")] {
        let realm = Realm::open().await;
        let aes = logged_in(&realm, &realm.claims()).await;
        realm.desk.remembered_after(None).await;
        realm.desk.keyring.be_stubborn(stubborn);
        // This realm has nothing where a session could be ended.
        let error = aes.logout().await.done().await.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(matches!(aes.session().await.state, SessionState::LoggedOut), "here it is over");
        assert_eq!(realm.desk.remembered().is_some(), stubborn);
    }
}
