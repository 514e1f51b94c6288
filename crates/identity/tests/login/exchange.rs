//! Tokens in a physician's name for a program of the hospital, against the sandbox's AeS.

use std::time::Duration;

use econnector_base::{Explain as _, Fault, Secret};
use econnector_identity::{Aes, AesSettings, ExchangeClient, Exchanges, Identity as _, LastExchange};
use serde_json::json;

use crate::sandbox::Stage;

const WEBER: &str = "1900000001";
const MULLER: &str = "1900000002";

async fn server(stage: &Stage, client_id: &str, secret: &str) -> Aes {
    let exchange = ExchangeClient {
        client_id: client_id.to_owned(),
        secret: Secret::new(secret),
    };
    let settings = AesSettings {
        exchange: Some(exchange),
        ..stage.desk.delegated()
    };
    assert!(!format!("{settings:?}").contains(secret));
    stage.desk.start_with(settings).await
}

#[tokio::test]
async fn a_hospital_acts_in_a_physicians_name_and_asks_once() {
    let stage = Stage::set().await;
    let aes = server(&stage, "hopital-eai", "s3cr3t").await;
    stage
        .fault(json!({"service": "aes", "kind": "delay", "ms": 200, "path": "token"}))
        .await;
    let asked = (0..20).map(|index| {
        let aes = aes.clone();
        tokio::spawn(async move { aes.on_behalf_of(if index % 2 == 0 { WEBER } else { MULLER }).await })
    });
    let mut names = Vec::new();
    for task in asked.collect::<Vec<_>>() {
        let authorized = task.await.unwrap().unwrap();
        assert_eq!(authorized.principal.actor.id, "hopital-eai");
        assert!(
            aes.bearer(authorized.token.reveal(), None).await.is_ok(),
            "it is a token like any other"
        );
        names.push(authorized.principal.physician.name);
    }
    assert_eq!((names[0].as_str(), names[1].as_str()), ("Dr Anne Weber", "Dr Luc Muller"));
    assert_eq!(stage.events("TOKEN_EXCHANGE").await, 2, "one for each physician");
    let counted = Exchanges {
        hits: 18,
        misses: 2,
        failures: 0,
        kept: 2,
    };
    assert_eq!(aes.exchanges(), counted);

    // Half a minute before its end a token is not given out any more; of a short life, a quarter before.
    stage.heal().await;
    stage.desk.clock.pass(260);
    let held = aes.on_behalf_of(WEBER).await.unwrap().token;
    assert_eq!(stage.events("TOKEN_EXCHANGE").await, 2);
    stage.desk.clock.pass(15);
    assert_ne!(aes.on_behalf_of(WEBER).await.unwrap().token.reveal(), held.reveal());
    assert_eq!(stage.events("TOKEN_EXCHANGE").await, 3);
    let short = Stage::with_life(4).await;
    let aes = server(&short, "hopital-eai", "s3cr3t").await;
    aes.on_behalf_of(WEBER).await.unwrap();
    aes.on_behalf_of(WEBER).await.unwrap();
    assert_eq!(short.events("TOKEN_EXCHANGE").await, 1);
    tokio::time::sleep(Duration::from_millis(3200)).await;
    aes.on_behalf_of(WEBER).await.unwrap();
    assert_eq!(short.events("TOKEN_EXCHANGE").await, 2);
}

#[tokio::test]
async fn a_token_that_an_authority_refused_is_exchanged_anew_once() {
    let stage = Stage::set().await;
    let aes = server(&stage, "hopital-eai", "s3cr3t").await;
    let refused = aes.on_behalf_of(WEBER).await.unwrap().token;
    let other = aes.on_behalf_of(MULLER).await.unwrap().token;
    let callers: Vec<_> = (0..12)
        .map(|_| {
            let (aes, refused) = (aes.clone(), refused.clone());
            tokio::spawn(async move { aes.exchanged_anew(WEBER, &refused).await.unwrap() })
        })
        .collect();
    for caller in callers {
        let authorized = caller.await.unwrap();
        assert_eq!(authorized.principal.physician.ehealth_id, WEBER);
        assert_ne!(authorized.token.reveal(), refused.reveal());
    }
    assert_eq!(stage.events("TOKEN_EXCHANGE").await, 3);
    assert_eq!(
        aes.on_behalf_of(MULLER).await.unwrap().token.reveal(),
        other.reveal(),
        "hers was not refused"
    );
}

#[tokio::test]
async fn why_there_is_no_token_is_told_apart() {
    let stage = Stage::set().await;
    let without = stage.desk.start().await;
    let none = without.on_behalf_of(WEBER).await.err().unwrap();
    assert_eq!((none.code(), none.fault()), ("exchange-not-set-up", Fault::You));
    assert!(matches!(without.last_exchange(), LastExchange::NotSetUp));

    for (client, secret, physician, code, said) in [
        ("hopital-eai", "wrong", WEBER, "exchange-client-refused", "invalid_client"),
        ("nobody", "s3cr3t", WEBER, "exchange-client-refused", "invalid_client"),
        ("other-eai", "s3cr3t2", WEBER, "exchange-denied", "access_denied"),
        ("hopital-eai", "s3cr3t", "1999999999", "exchange-denied", "access_denied"),
        ("hopital-eai", "s3cr3t", "1900000001&audience=x", "exchange-denied", "access_denied"),
    ] {
        let aes = server(&stage, client, secret).await;
        assert!(matches!(aes.last_exchange(), LastExchange::NotTried));
        for _ in 0..2 {
            let refused = aes.on_behalf_of(physician).await.err().unwrap();
            assert_eq!(refused.code(), code, "{client} {physician}");
            assert_eq!(refused.authority().unwrap().code, said);
            assert!(!format!("{refused:?} {refused}").contains(secret));
        }
        let counts = aes.exchanges();
        assert_eq!((counts.misses, counts.failures, counts.kept), (2, 2, 0), "a refusal is not kept");
        let last = aes.last_exchange();
        assert!(
            matches!(&last, LastExchange::Failed(error) if error.code() == code),
            "{client} {physician}: {last:?}"
        );
    }
}

#[tokio::test]
async fn an_aes_that_fails_is_asked_again_the_next_time() {
    let stage = Stage::set().await;
    let aes = server(&stage, "hopital-eai", "s3cr3t").await;
    for (kind, code) in [("error", "aes-failed"), ("garbage", "aes-garbage")] {
        let fault = if kind == "error" {
            json!({"service": "aes", "kind": "status", "status": 503, "path": "token", "count": 1})
        } else {
            json!({"service": "aes", "kind": kind, "path": "token", "count": 1})
        };
        stage.fault(fault).await;
        assert_eq!(aes.on_behalf_of(WEBER).await.err().unwrap().code(), code);
    }
    assert!(aes.on_behalf_of(WEBER).await.is_ok());
    assert!(matches!(aes.last_exchange(), LastExchange::Given));
}
