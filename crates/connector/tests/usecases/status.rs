//! Whether the connector can work, and what it says of it.

use econnector_base::AuthorityWords;
use econnector_forms::Lang;
use econnector_identity::{IdentityError, LastExchange};

use crate::desk::Desk;

const LANGS: [Lang; 4] = [Lang::Fr, Lang::De, Lang::En, Lang::Lb];

#[tokio::test]
async fn the_last_token_exchange_is_told_and_fails_only_by_our_own_fault() {
    let desk = Desk::open().await;
    let status = desk.connector.status(Lang::En).await;
    assert!(status.usable, "{status:?}");
    assert!(status.checks.iter().all(|check| check.name != "exchange"), "a desktop has none");

    let words = || AuthorityWords::new("invalid_client", "");
    let refused = || LastExchange::Failed(IdentityError::ExchangeClientRefused { words: words() });
    for (last, ok, said) in [
        (LastExchange::NotTried, true, "Not tried yet"),
        (LastExchange::Given, true, "The last one succeeded"),
        (refused(), false, "exchange-client-refused"),
        // She is not known, or the answer was AeS' own fault: others are served.
        (
            LastExchange::Failed(IdentityError::ExchangeDenied { words: words() }),
            true,
            "exchange-denied",
        ),
        (
            LastExchange::Failed(IdentityError::AesToken("the exchanged token is in somebody else's name".to_owned())),
            true,
            "aes-token-unusable",
        ),
        (
            LastExchange::Failed(IdentityError::ClientRefused { words: words() }),
            false,
            "aes-client-refused",
        ),
        (refused(), false, "exchange-client-refused"),
        (LastExchange::Given, true, "The last one succeeded"),
    ] {
        *desk.person.last_exchange.lock().unwrap() = last;
        let status = desk.connector.status(Lang::En).await;
        let check = status.checks.iter().find(|check| check.name == "exchange").unwrap();
        assert_eq!((check.ok, status.usable), (ok, ok), "{check:?}");
        assert!(check.detail.contains(said), "{said}: {check:?}");
    }

    for last in [LastExchange::NotTried, LastExchange::Given] {
        *desk.person.last_exchange.lock().unwrap() = last;
        let mut details = Vec::new();
        for lang in LANGS {
            let status = desk.connector.status(lang).await;
            let check = status.checks.into_iter().find(|check| check.name == "exchange").unwrap();
            assert!(!details.contains(&(check.label.clone(), check.detail.clone())), "{check:?}");
            details.push((check.label, check.detail));
        }
    }
}
