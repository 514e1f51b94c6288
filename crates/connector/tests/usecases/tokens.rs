//! A living token for each call, and nobody who acts for another than when it was begun.

use std::sync::Arc;

use econnector_connector::Caller;
use econnector_forms::Lang;
use econnector_journal::State;
use econnector_net::NetError;
use econnector_profile::Profile;
use econnector_signature::{Refusal, SignatureError};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::desk::{Desk, Say, code};

const WEBER: &str = "1900000001";

fn engine() -> Caller {
    Caller::Delegate {
        client: "Mirth".into(),
        ehealth_id: WEBER.into(),
    }
}

#[tokio::test]
async fn a_call_whose_token_was_refused_is_repeated_once_with_another() {
    for caller in [Caller::OwnSession, engine()] {
        let desk = Desk::open().await;
        *desk.pen.refuses.lock().unwrap() = 1;
        desk.issue_as(caller.clone(), 1).await.unwrap();
        assert_eq!(desk.pen.calls(), ["certificate", "certificate", "sign", "timestamp"]);
        assert_eq!(*desk.person.renewals.lock().unwrap(), 1);

        *desk.pen.refuses.lock().unwrap() = 2;
        assert_eq!(code(desk.issue_as(caller, 2).await), "kms-refused-token");
        assert_eq!(desk.pen.calls().len(), 4 + 2, "never a third time");
        assert_eq!(*desk.person.renewals.lock().unwrap(), 2);
        assert_eq!(desk.state(2).await, State::Failed);
    }
    let desk = Desk::open().await;
    *desk.pen.refuses.lock().unwrap() = 1;
    assert_eq!(code(desk.issue_as(desk.bearer(None), 1).await), "kms-refused-token");
    assert_eq!(
        (desk.pen.calls().len(), *desk.person.renewals.lock().unwrap()),
        (1, 0),
        "a caller's own is not renewed"
    );
}

#[tokio::test]
async fn a_token_that_a_caller_brings_is_not_used_when_it_is_over() {
    let desk = Desk::open().await;
    // Over for half a minute: AeS' clock and ours may differ so much, and still it must not leave this program.
    desk.person.until(OffsetDateTime::now_utc() - Duration::seconds(30));
    assert_eq!(code(desk.issue_as(desk.bearer(None), 1).await), "token-expired");
    assert!(desk.pen.calls().is_empty() && desk.authority.messages().is_empty());
    assert_eq!(
        code(desk.connector.journal(&desk.bearer(None)).await),
        "no error",
        "who she is is known"
    );

    // It ends between two calls.
    desk.person.until(OffsetDateTime::now_utc() + Duration::minutes(5));
    let clock = Arc::clone(&desk.clock);
    desk.pen.after("certificate", move || clock.pass(Duration::minutes(6)));
    assert_eq!(code(desk.issue_as(desk.bearer(None), 1).await), "token-expired");
    assert_eq!(desk.pen.calls(), ["certificate"]);
    assert_eq!(*desk.pen.signatures.lock().unwrap(), 0);
}

#[tokio::test]
async fn a_token_is_over_when_the_clock_of_aes_says_so() {
    // The computer's clock is five minutes slow, then fast.
    let desk = Desk::open().await;
    *desk.person.skew.lock().unwrap() = Duration::minutes(5);
    desk.person.until(OffsetDateTime::now_utc() + Duration::minutes(4));
    assert_eq!(code(desk.issue_as(desk.bearer(None), 1).await), "token-expired");
    assert!(desk.pen.calls().is_empty());
    *desk.person.skew.lock().unwrap() = -Duration::minutes(5);
    desk.person.until(OffsetDateTime::now_utc() - Duration::minutes(4));
    desk.issue_as(desk.bearer(None), 1).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_no_token_live_longer() {
    let desk = Desk::open().await;
    desk.person.until(OffsetDateTime::now_utc() + Duration::minutes(5));
    let clock = Arc::clone(&desk.clock);
    desk.pen
        .after("certificate", move || clock.pass_unseen(std::time::Duration::from_secs(360)));
    assert_eq!(code(desk.issue_as(desk.bearer(None), 1).await), "token-expired");
    assert_eq!(desk.pen.calls(), ["certificate"]);
}

#[tokio::test]
async fn nothing_is_signed_with_a_token_that_would_not_last_to_the_timestamp() {
    let desk = Desk::open().await;
    desk.person.until(OffsetDateTime::now_utc() + Duration::minutes(5));
    let clock = Arc::clone(&desk.clock);
    desk.pen
        .after("certificate", move || clock.pass(Duration::minutes(5) - Duration::seconds(9)));
    assert_eq!(code(desk.issue_as(desk.bearer(None), 1).await), "token-expired");
    assert_eq!(desk.pen.calls(), ["certificate"]);
    desk.person.until(OffsetDateTime::now_utc() + Duration::hours(1));
    desk.issue_as(desk.bearer(None), 1).await.unwrap();
}

#[tokio::test]
async fn a_timestamp_that_did_not_come_is_asked_for_again_and_the_signature_is_not_lost() {
    let cut = || SignatureError::Net {
        error: NetError::Cut {
            host: "kms.example".to_owned(),
            sent: true,
        },
        correlation_id: None,
    };
    let failed = |status| SignatureError::Failed {
        host: "kms.example".to_owned(),
        status,
        refusal: Refusal::default(),
    };
    for passing in [cut(), failed(503)] {
        let desk = Desk::open().await;
        desk.pen.lost_stamps.lock().unwrap().push_back(passing);
        desk.issue(1, None).await.unwrap();
        assert_eq!(desk.pen.calls(), ["certificate", "sign", "timestamp", "timestamp"]);
    }
    for (lost, stamps, outcome) in [(vec![cut(), failed(500)], 2, "kms-failed"), (vec![failed(400)], 1, "kms-failed")] {
        let desk = Desk::open().await;
        desk.pen.lost_stamps.lock().unwrap().extend(lost);
        assert_eq!(code(desk.issue(1, None).await), outcome);
        assert_eq!(desk.pen.calls().len(), 2 + stamps);
        assert_eq!(desk.state(1).await, State::Failed);
    }
}

#[tokio::test]
async fn a_caller_says_for_whom() {
    let desk = Desk::open().await;
    desk.issue_as(desk.bearer(Some(WEBER)), 1).await.unwrap();
    assert_eq!(
        code(desk.issue_as(desk.bearer(Some("1900000002")), 2).await),
        "physician-not-represented"
    );
    assert_eq!(desk.entry(1).await.who.physician_id, WEBER);
}

#[tokio::test]
async fn whoever_logs_in_meanwhile_signs_and_sends_nothing_of_another() {
    for (after, signatures) in [("certificate", 0), ("sign", 1), ("timestamp", 1)] {
        let desk = Desk::open().await;
        let person = Arc::clone(&desk.person);
        desk.pen.after(after, move || person.become_another());
        assert_eq!(code(desk.issue(1, None).await), "session-changed", "{after}");
        assert_eq!(
            (desk.state(1).await, *desk.pen.signatures.lock().unwrap()),
            (State::Failed, signatures)
        );
        assert!(desk.authority.messages().is_empty());
    }
    // Another person in the name of the same physician is another too; and mySecu's own token hides nobody.
    let desk = Desk::open().await;
    *desk.authority.has_token.lock().unwrap() = true;
    let person = Arc::clone(&desk.person);
    desk.pen.after("timestamp", move || person.become_a_secretary_of_dr_weber());
    assert_eq!(code(desk.issue(1, None).await), "session-changed");
    assert!(desk.authority.messages().is_empty());
}

#[tokio::test]
async fn a_login_that_is_begun_ends_nothing_and_hides_nobody() {
    // Somebody is at AeS: who was there before works on.
    let desk = Desk::open().await;
    *desk.person.logging_in.lock().unwrap() = true;
    desk.issue(1, None).await.unwrap();
    desk.volet(1, "caisse").await.unwrap();
    // Another person logged in meanwhile, and then somebody began again: it is not the first one's any more.
    let desk = Desk::open().await;
    *desk.authority.has_token.lock().unwrap() = true;
    let person = Arc::clone(&desk.person);
    desk.pen.after("timestamp", move || {
        person.become_another();
        *person.logging_in.lock().unwrap() = true;
    });
    assert_eq!(code(desk.issue(1, None).await), "session-changed");
    assert!(desk.authority.messages().is_empty());
}

#[tokio::test]
async fn a_secretary_works_in_the_name_of_her_physician_and_both_are_noted() {
    let desk = Desk::open().await;
    desk.person.become_a_secretary_of_dr_weber();
    desk.issue(1, None).await.unwrap();
    let who = desk.entry(1).await.who;
    assert_eq!(
        [who.actor_id.as_str(), &who.actor_name, &who.physician_id, &who.physician_name],
        ["claire", "Claire Hoffmann", WEBER, "Dr Anne Weber"]
    );
    let subjects = desk.pen.subjects.lock().unwrap().clone();
    assert_eq!(subjects, vec![Some(WEBER.to_owned()); 3], "her token, the physician's signature");
    desk.simulate(2).await.unwrap();
    desk.validate(2).await.unwrap();
    assert_eq!(desk.cancel(1, None).await.unwrap().entry.state, State::Cancelled);

    desk.person.come_back();
    desk.issue(3, None).await.unwrap();
    assert!(desk.pen.subjects.lock().unwrap().ends_with(&[None, None, None]));
}

#[tokio::test]
async fn what_no_mandate_covers_is_refused_and_names_the_physician() {
    const PDF: &[u8] = include_bytes!("../../../signature/tests/suite/elsewhere/reportlab.pdf");
    let desk = Desk::open().await;
    desk.person.become_a_secretary_of_dr_weber();
    desk.authority.will(&[Say::Remark]);
    desk.simulate(1).await.unwrap();
    let contest = |id: u128| econnector_connector::Contest {
        id: Uuid::from_u128(id),
        anomalies: vec![econnector_forms::Contested {
            id: "A-1".into(),
            code: "1".into(),
        }],
    };
    let told = desk.authority.messages().len();
    let refused = desk.connector.contest(Caller::OwnSession, contest(1), None).await.err().unwrap();
    for lang in Lang::ALL {
        let problem = econnector_connector::Problem::of(&refused, lang);
        assert_eq!((problem.code.as_str(), problem.status), ("physician-only", 403));
        assert!(
            problem.detail.contains("Dr Anne Weber") && !problem.detail.contains('{'),
            "{}",
            problem.detail
        );
        let unnamed = econnector_connector::Problem::of_code("physician-only", problem.fault, lang);
        assert!(!unnamed.detail.contains('{'), "{}", unnamed.detail);
    }
    for message in [None, Some(("ecit", crate::elsewhere::xml("ecit", "illness", 2)))] {
        assert_eq!(code(desk.sign(2, PDF, message).await), "physician-only", "whatever comes with it");
    }
    let profile = desk.connector.profile(&Caller::OwnSession).await.unwrap();
    assert_eq!(
        code(desk.connector.keep_profile(&Caller::OwnSession, profile.clone(), Lang::En).await),
        "physician-only"
    );
    assert_eq!(desk.authority.messages().len(), told);
    assert!(desk.pen.calls().is_empty());

    desk.person.come_back();
    desk.connector.contest(Caller::OwnSession, contest(1), None).await.unwrap();
    desk.sign(2, PDF, None).await.unwrap();
    let kept: Profile = desk.connector.keep_profile(&Caller::OwnSession, profile, Lang::En).await.unwrap();
    assert_eq!(kept.physician.unwrap().ehealth_id, WEBER);
}

#[tokio::test]
async fn who_has_not_chosen_sends_nothing_and_who_chooses_another_sees_nothing_of_the_first() {
    let desk = Desk::open().await;
    desk.person.become_a_secretary_of_dr_weber();
    desk.issue(1, None).await.unwrap();
    desk.authority.will(&[Say::Accept, Say::NotReached]);
    desk.simulate(2).await.unwrap();
    assert_eq!(code(desk.issue(4, None).await), "mysecu-status");
    let signatures = *desk.pen.signatures.lock().unwrap();

    desk.person.become_a_secretary();
    assert_eq!(code(desk.issue(3, None).await), "physician-not-chosen");
    desk.connector.choose("1900000002").await.unwrap();
    assert_eq!(code(desk.volet(1, "caisse").await), "document-unknown");
    assert_eq!(code(desk.validate(2).await), "simulation-unknown");
    assert_eq!(code(desk.issue(3, None).await), "physician-mismatch", "the form names the first");

    desk.connector.choose(WEBER).await.unwrap();
    desk.volet(1, "caisse").await.unwrap();
    desk.issue(4, None).await.unwrap();
    assert_eq!(*desk.pen.signatures.lock().unwrap(), signatures, "nor is anything signed twice");
    desk.validate(2).await.unwrap();

    // Somebody else logs in: what the secretary did is gone.
    desk.person.become_another();
    assert_eq!(code(desk.issue(5, None).await), "physician-mismatch");
    desk.person.become_a_secretary_of_dr_weber();
    assert_eq!(code(desk.volet(1, "caisse").await), "document-unknown");
}

#[tokio::test]
async fn a_program_that_ends_waits_for_what_is_under_way() {
    let desk = Arc::new(Desk::open().await);
    desk.connector.idle().await;
    let sending = {
        let desk = Arc::clone(&desk);
        tokio::spawn(async move { desk.issue(1, None).await })
    };
    while desk.pen.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    // Whoever asked has hung up: it goes on, and is waited for.
    sending.abort();
    desk.connector.idle().await;
    assert_eq!(desk.state(1).await, State::Deposited);
    *desk.pen.explodes.lock().unwrap() = true;
    assert_eq!(code(desk.issue(2, None).await), "internal");
    desk.connector.idle().await;
}

#[tokio::test]
async fn a_token_is_known_whoever_its_bearer_acts_for() {
    let desk = Desk::open().await;
    let Caller::Bearer { token, .. } = desk.bearer(None) else {
        panic!("a bearer")
    };
    desk.connector.knows(&token).await.unwrap();
    desk.person.become_a_secretary();
    desk.connector.knows(&token).await.unwrap();
    desk.person.come_back();
    desk.person.leave();
    assert_eq!(code(desk.connector.knows(&token).await), "login-required");
}
