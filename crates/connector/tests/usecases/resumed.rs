//! What is signed and certainly was not sent needs no second signature.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use econnector_connector::Caller;
use econnector_journal::State;
use time::{Duration, OffsetDateTime, format_description};
use uuid::Uuid;

use crate::desk::{Desk, Say, code, example_day, example_with};

const ALL: [&str; 3] = ["certificate", "sign", "timestamp"];

/// What stands on the pages, as poppler reads it.
fn text_of(pdf: &[u8]) -> String {
    let mut reader = Command::new("pdftotext")
        .args(["-layout", "-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    reader.stdin.take().unwrap().write_all(pdf).unwrap();
    String::from_utf8(reader.wait_with_output().unwrap().stdout).unwrap()
}

/// A token that ends right after the signature.
fn ends_midway(desk: &Desk) {
    desk.person.until(OffsetDateTime::now_utc() + Duration::minutes(5));
    let clock = Arc::clone(&desk.clock);
    desk.pen.after("timestamp", move || clock.pass(Duration::minutes(6)));
}

/// The caller has got another.
fn has_a_new_one(desk: &Desk) {
    desk.person.until(OffsetDateTime::now_utc() + Duration::hours(1));
}

/// Waits until mySecu's token was given back.
async fn given_back(desk: &Desk) {
    for _ in 0..500 {
        if *desk.authority.given_back.lock().unwrap() == ["anne 1900000001"] {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{:?}", desk.authority.given_back.lock().unwrap());
}

#[tokio::test]
async fn a_token_that_mysecu_refuses_after_the_signature_costs_none_either() {
    let desk = Desk::open().await;
    *desk.authority.refuses.lock().unwrap() = 1;
    assert_eq!(
        code(desk.issue_as(desk.bearer(None), 1).await),
        "token-expired-midway",
        "whatever our clock says"
    );
    desk.issue_as(desk.bearer(None), 1).await.unwrap();
    assert_eq!(desk.pen.calls(), ALL);
    // The session's own is renewed, and tried once.
    *desk.authority.refuses.lock().unwrap() = 2;
    assert_eq!(code(desk.issue(2, None).await), "mysecu-token-refused");
}

#[tokio::test]
async fn a_token_that_ends_between_signature_and_deposit_costs_no_second_signature() {
    let desk = Desk::open().await;
    ends_midway(&desk);
    let failed = desk.issue_as(desk.bearer(None), 1).await.err().unwrap();
    let problem = econnector_connector::Problem::of(&failed, econnector_forms::Lang::En);
    assert_eq!((problem.code.as_str(), problem.status), ("token-expired-midway", 401));
    assert_eq!(desk.state(1).await, State::Failed);
    assert!(desk.authority.messages().is_empty());
    assert_eq!(desk.pen.calls(), ALL);
    assert_eq!(
        code(desk.issue_as(desk.bearer(None), 1).await),
        "token-expired-midway",
        "still the old one"
    );

    has_a_new_one(&desk);
    let issued = desk.issue_as(desk.bearer(None), 1).await.unwrap();
    assert!(issued.fresh && issued.state == State::Deposited);
    assert_eq!(desk.pen.calls(), ALL, "nothing was asked of the signature service again");
    assert_eq!(desk.authority.messages().len(), 1);
    let names: Vec<_> = issued.volets.iter().map(|volet| (volet.name.as_str(), volet.signed)).collect();
    assert_eq!(names, [("caisse", true), ("employeur", false), ("assure", false)]);
    let receipt = issued.receipt.unwrap();
    assert_eq!(receipt.signed_by.as_deref(), Some("Dr Anne Weber"));
    let judged = desk
        .connector
        .verify(&Caller::OwnSession, issued.volets[0].content.to_vec().into())
        .await
        .unwrap();
    assert!(judged.is_valid() && judged.signed_at == receipt.signed_at);
    assert!(!desk.issue_as(desk.bearer(None), 1).await.unwrap().fresh, "settled");
}

#[tokio::test]
async fn a_payment_and_a_page_made_elsewhere_go_on_in_the_same_way() {
    let desk = Desk::open().await;
    desk.simulate(1).await.unwrap();
    ends_midway(&desk);
    assert_eq!(code(desk.validate_as(desk.bearer(None), 1).await), "token-expired-midway");
    assert_eq!(desk.state(1).await, State::Simulated, "it still waits");
    has_a_new_one(&desk);
    let paid = desk.validate_as(desk.bearer(None), 1).await.unwrap();
    assert!(paid.state == State::Deposited && paid.volets[0].signed);
    assert_eq!(desk.pen.calls(), ALL);

    let desk = Desk::open().await;
    let xml = || Some(("ecit", crate::elsewhere::xml("ecit", "illness", 2)));
    ends_midway(&desk);
    let outcome = desk.sign_as(desk.bearer(None), 2, crate::elsewhere::PDF, xml()).await;
    assert_eq!(code(outcome), "token-expired-midway");
    has_a_new_one(&desk);
    let issued = desk.sign_as(desk.bearer(None), 2, crate::elsewhere::PDF, xml()).await.unwrap();
    assert_eq!((issued.state, desk.pen.calls().as_slice()), (State::Deposited, ALL.as_slice()));
    assert_eq!(desk.authority.messages().len(), 1);
}

#[tokio::test]
async fn what_is_sent_over_midnight_has_one_day_and_what_waits_for_the_next_is_signed_anew() {
    let desk = Desk::open().await;
    let clock = Arc::clone(&desk.clock);
    desk.pen.after("timestamp", move || clock.strike_midnight());
    let issued = desk.issue(1, None).await.unwrap();
    let (_, sent) = desk.authority.messages().remove(0);
    let that_day = format!("<dateEtablissement>{}<", example_day());
    assert!(sent.contains(&that_day), "{that_day}: {sent}");
    let printed = example_day()
        .format(&format_description::parse_borrowed::<2>("[day].[month].[year]").unwrap())
        .unwrap();
    for volet in issued.volets {
        let text = text_of(&volet.content);
        assert!(text.contains(&printed), "{printed} on {}: {text}", volet.name);
    }

    desk.authority.will(&[Say::NotReached]);
    assert_eq!(code(desk.issue(2, None).await), "mysecu-status");
    desk.clock.strike_midnight();
    desk.issue(2, None).await.unwrap();
    assert_eq!(desk.pen.calls().len(), 3 * 3);
}

#[tokio::test]
async fn what_a_caller_did_with_her_own_token_outlives_whoever_is_at_the_desk() {
    let desk = Desk::open().await;
    let caller = desk.bearer(None);
    let deposited = desk.issue_as(caller.clone(), 1).await.unwrap();
    let at_the_desk = desk.issue(3, None).await.unwrap();
    ends_midway(&desk);
    assert_eq!(code(desk.issue_as(caller.clone(), 2).await), "token-expired-midway");
    has_a_new_one(&desk);
    assert!(deposited.fresh && at_the_desk.fresh);
    assert_eq!(desk.pen.calls().len(), 3 * 3);

    desk.connector.logout().await.unwrap();
    desk.person.come_back();
    assert!(desk.connector.volet(&caller, Uuid::from_u128(1), "caisse").await.is_ok());
    desk.issue_as(caller.clone(), 2).await.unwrap();
    assert_eq!(desk.pen.calls().len(), 3 * 3, "not signed twice");
    assert_eq!(
        code(desk.volet(3, "caisse").await),
        "document-unknown",
        "forgotten with its session"
    );
}

#[tokio::test]
async fn what_a_secretary_had_signed_is_signed_anew_by_the_physician_herself() {
    for at_the_desk in [true, false] {
        let desk = Desk::open().await;
        let caller = || if at_the_desk { Caller::OwnSession } else { desk.bearer(None) };
        desk.person.become_a_secretary_of_dr_weber();
        desk.authority.will(&[Say::NotReached]);
        assert_eq!(code(desk.issue_as(caller(), 1).await), "mysecu-status");
        desk.person.come_back();
        desk.issue_as(caller(), 1).await.unwrap();
        assert_eq!(desk.entry(1).await.who.actor_id, "anne");
        assert_eq!(desk.pen.calls().len(), 2 * 3, "whose name is in the journal had it signed");
    }
}

#[tokio::test]
async fn whatever_kept_it_from_being_sent_the_same_is_not_signed_twice() {
    let desk = Desk::open().await;
    desk.authority.will(&[Say::NotReached, Say::Refuse("PERIODE")]);
    assert_eq!(code(desk.issue(1, None).await), "mysecu-status");
    assert_eq!(code(desk.issue(1, None).await), "mysecu-refused");
    desk.issue(1, None).await.unwrap();
    assert_eq!(desk.pen.calls(), ALL);

    // The session ends, and somebody logs in again: the physician herself.
    let person = Arc::clone(&desk.person);
    desk.pen.after("timestamp", move || person.leave());
    assert_eq!(code(desk.issue(2, None).await), "login-required");
    desk.person.come_back();
    desk.issue(2, None).await.unwrap();
    assert_eq!(desk.pen.calls().len(), 2 * 3);

    // What it replaces is not cancelled.
    desk.authority.will(&[Say::Refuse("FERME")]);
    assert_eq!(code(desk.issue(3, Some(2)).await), "cancellation-refused");
    desk.issue(3, Some(2)).await.unwrap();
    assert_eq!(desk.pen.calls().len(), 3 * 3);
}

#[tokio::test]
async fn anything_else_is_signed_anew() {
    let begun = async || {
        let desk = Desk::open().await;
        desk.authority.will(&[Say::NotReached]);
        assert_eq!(code(desk.issue(1, None).await), "mysecu-status");
        desk
    };
    let signatures = |desk: &Desk| *desk.pen.signatures.lock().unwrap();

    let desk = begun().await;
    desk.issue_changed(1).await.unwrap();
    assert_eq!(signatures(&desk), 2, "corrected");

    let desk = begun().await;
    desk.issue(2, None).await.unwrap();
    assert_eq!(signatures(&desk), 2, "under another id");

    let desk = begun().await;
    desk.clock.pass(-Duration::minutes(2));
    desk.issue(1, None).await.unwrap();
    assert_eq!(signatures(&desk), 2, "the clock was set back: nobody knows how old it is");

    let desk = begun().await;
    desk.connector.forget(&Caller::OwnSession, Uuid::from_u128(1)).await.unwrap();
    desk.issue(1, None).await.unwrap();
    assert_eq!(signatures(&desk), 2, "forgotten");

    let desk = begun().await;
    desk.person.become_another();
    let forgotten = desk.connector.forget(&Caller::OwnSession, Uuid::from_u128(1)).await;
    assert_eq!(code(forgotten), "document-unknown", "a colleague forgets what is hers");
    desk.person.come_back();
    desk.issue(1, None).await.unwrap();
    assert_eq!(signatures(&desk), 1);

    let desk = begun().await;
    *desk.person.logging_in.lock().unwrap() = true;
    desk.connector.logout().await.unwrap();
    desk.issue(1, None).await.unwrap();
    assert_eq!(signatures(&desk), 1, "a login was given up, and the session goes on");
    assert!(desk.authority.given_back.lock().unwrap().is_empty());

    // However it looked before: what the logout did counts.
    for quick in [false, true] {
        let desk = begun().await;
        *desk.person.logging_in.lock().unwrap() = quick;
        *desk.person.quick.lock().unwrap() = quick;
        desk.connector.logout().await.unwrap();
        given_back(&desk).await;
        desk.person.come_back();
        desk.issue(1, None).await.unwrap();
        assert_eq!(signatures(&desk), 2, "logged out");
    }

    let desk = begun().await;
    desk.person.become_another();
    assert_eq!(
        code(
            desk.issue_values(3, example_with("ecit", "illness", "last_day", "2026-10-29"))
                .await
        ),
        "physician-mismatch"
    );
    desk.person.come_back();
    desk.issue(1, None).await.unwrap();
    assert_eq!(signatures(&desk), 2, "a colleague was there");

    let desk = Desk::open().await;
    desk.authority.will(&[Say::Accept, Say::NotReached]);
    desk.simulate(1).await.unwrap();
    assert_eq!(code(desk.validate(1).await), "mysecu-status");
    desk.simulate(1).await.unwrap();
    desk.validate(1).await.unwrap();
    assert_eq!(signatures(&desk), 2, "simulated anew");
}

#[tokio::test]
async fn what_may_have_arrived_is_never_sent_again() {
    let desk = Desk::open().await;
    desk.authority.will(&[Say::Lose]);
    assert_eq!(code(desk.issue(1, None).await), "mysecu-outcome-unknown");
    let again = desk.issue(1, None).await.unwrap();
    assert_eq!((again.state, again.fresh), (State::Unknown, false));
    assert_eq!((desk.authority.messages().len(), desk.pen.calls().len()), (1, 3));
}
