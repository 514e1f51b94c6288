use econnector_connector::{Caller, Error};
use econnector_forms::Lang;
use econnector_profile::Profile;

use crate::desk::{Desk, code};

#[tokio::test]
async fn a_profile_begins_with_the_login_and_is_kept_for_its_physician() {
    let desk = Desk::open().await;
    let blank = desk.connector.profile(&Caller::OwnSession).await.unwrap();
    assert_eq!(
        (blank.title.as_str(), blank.first_name.as_str(), blank.last_name.as_str()),
        ("Dr", "Anne", "Weber")
    );
    assert_eq!(blank.billing_codes.first().map(|billing| billing.code.as_str()), Some("90000101"));

    let typed = Profile {
        street: "  rue des Tilleuls ".into(),
        ..blank
    };
    let kept = desk.connector.keep_profile(&Caller::OwnSession, typed, Lang::Fr).await.unwrap();
    assert_eq!(kept.street, "rue des Tilleuls");
    assert_eq!(desk.connector.profile(&Caller::OwnSession).await.unwrap(), kept);

    desk.person.become_another();
    let other = desk.connector.profile(&Caller::OwnSession).await.unwrap();
    assert_eq!((other.last_name.as_str(), other.street.as_str()), ("Muller", ""));
    desk.person.leave();
    assert_eq!(code(desk.connector.profile(&Caller::OwnSession).await), "login-required");
}

#[tokio::test]
async fn what_is_wrong_is_said_in_each_language_and_nothing_is_kept() {
    let desk = Desk::open().await;
    let mut said = Vec::new();
    for lang in [Lang::Fr, Lang::De, Lang::En, Lang::Lb] {
        let wrong = Profile {
            country: "Luxembourg".into(),
            street: "x".repeat(81),
            ..Profile::default()
        };
        match desk.connector.keep_profile(&Caller::OwnSession, wrong, lang).await {
            Err(Error::ProfileWrong(findings)) => {
                let fields: Vec<&str> = findings.iter().map(|finding| finding.field.as_str()).collect();
                assert_eq!(fields, ["street", "country"]);
                said.push(findings.into_iter().map(|finding| finding.message).collect::<String>());
            }
            _ => panic!("it was kept"),
        }
    }
    said.sort();
    said.dedup();
    assert_eq!(said.len(), 4);
    assert!(said.iter().all(|words| words.contains("80")));
    assert_eq!(desk.connector.profile(&Caller::OwnSession).await.unwrap().street, "");
}

#[tokio::test]
async fn on_her_own_computer_a_physician_is_known_before_she_logs_in() {
    let desk = Desk::open().await;
    let known = desk.connector.profile(&Caller::OwnSession).await.unwrap();
    desk.person.leave();
    let before_login = desk.connector.profile(&Caller::OwnSession).await.unwrap();
    assert_eq!(before_login, known);
    let physician = before_login.physician.unwrap();
    assert_eq!(
        (physician.ehealth_id.as_str(), physician.name.as_str()),
        ("1900000001", "Dr Anne Weber")
    );
    let refused = desk.connector.keep_profile(&Caller::OwnSession, Profile::default(), Lang::Fr).await;
    assert_eq!(code(refused), "login-required");
}
