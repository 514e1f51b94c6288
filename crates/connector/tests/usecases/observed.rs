//! What whoever counts is told of each use case: never about whom.

use std::time::Duration;

use econnector_connector::{Action, Caller, Contest, Issue};
use econnector_forms::{Contested, Lang};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::desk::{Desk, Say, example, example_with};

const PDF: &[u8] = include_bytes!("../../../signature/tests/suite/elsewhere/cairo.pdf");

fn counted(desk: &Desk) -> Vec<(Action, String, &'static str)> {
    let counted = std::mem::take(&mut *desk.counted.0.lock().unwrap());
    counted.into_iter().map(|one| (one.action, one.kind, one.outcome)).collect()
}

fn one(action: Action, kind: &str, outcome: &'static str) -> Vec<(Action, String, &'static str)> {
    vec![(action, kind.to_owned(), outcome)]
}

#[tokio::test]
async fn every_use_case_is_told_with_its_outcome() {
    let desk = Desk::open().await;
    desk.issue(1, None).await.unwrap();
    assert_eq!(counted(&desk), one(Action::Deposit, "ecit", "ok"));
    desk.issue(1, None).await.unwrap();
    assert_eq!(counted(&desk), one(Action::Deposit, "ecit", "recorded"));
    let wrong = example_with("ecit", "illness", "last_day", "2026-10-01");
    desk.issue_values(2, wrong).await.err().unwrap();
    assert_eq!(counted(&desk), one(Action::Deposit, "ecit", "values-wrong"));
    desk.authority.will(&[Say::Lose]);
    desk.issue(3, None).await.err().unwrap();
    assert_eq!(counted(&desk), one(Action::Deposit, "ecit", "mysecu-outcome-unknown"));
    desk.cancel(1, None).await.unwrap();
    assert_eq!(counted(&desk), one(Action::Cancel, "ecit", "ok"));
    desk.cancel(99, None).await.err().unwrap();
    assert_eq!(counted(&desk), one(Action::Cancel, "", "document-unknown"));

    desk.sign(4, PDF, None).await.unwrap();
    assert_eq!(counted(&desk), one(Action::Sign, "pdf", "ok"));
    desk.sign(5, PDF, Some(("ecit", "<x/>".to_owned()))).await.err().unwrap();
    assert_eq!(counted(&desk), one(Action::Deposit, "ecit", "foreign-xml-invalid"));
    let judged = desk.connector.verify(&Caller::OwnSession, Zeroizing::new(PDF.to_vec())).await;
    assert!(judged.is_err());
    assert_eq!(counted(&desk), one(Action::Verify, "pdf", "pdf-not-signed"));

    desk.authority.will(&[Say::Remark]);
    desk.simulate(6).await.unwrap();
    assert_eq!(counted(&desk), one(Action::Simulate, "pid", "ok"));
    let contest = Contest {
        id: Uuid::from_u128(6),
        anomalies: vec![Contested {
            id: "A-1".into(),
            code: "no such code".into(),
        }],
    };
    desk.connector.contest(Caller::OwnSession, contest, None).await.err().unwrap();
    assert_eq!(counted(&desk), one(Action::Contest, "pid", "pid-contestation-wrong"));
    desk.validate(6).await.unwrap();
    assert_eq!(counted(&desk), one(Action::Pay, "pid", "ok"));

    *desk.pen.explodes.lock().unwrap() = true;
    desk.issue(7, None).await.err().unwrap();
    assert_eq!(counted(&desk), one(Action::Deposit, "ecit", "internal"), "even one that breaks");
}

/// What is counted by kind must not grow with what strangers invent.
#[tokio::test]
async fn only_kinds_that_there_are_are_named() {
    let desk = Desk::open().await;
    let issue = Issue {
        id: Uuid::from_u128(1),
        kind: "invented".into(),
        values: example("ecit", "illness"),
        replaces: None,
        reason: None,
    };
    desk.connector.issue(Caller::OwnSession, issue, None, Lang::En).await.err().unwrap();
    assert_eq!(counted(&desk), one(Action::Deposit, "", "form-unknown"));
    desk.sign(1, PDF, Some(("invented", String::new()))).await.err().unwrap();
    assert_eq!(counted(&desk), one(Action::Deposit, "", "form-unknown"));
}

#[tokio::test]
async fn time_spent_waiting_is_not_our_own() {
    let desk = Desk::open().await;
    desk.issue(1, None).await.unwrap();
    let observed = desk.counted.0.lock().unwrap().remove(0);
    // The authority of these tests takes 20 ms, and the signature service answers over a line.
    assert!(observed.remote >= Duration::from_millis(20), "{observed:?}");
    assert!(observed.own > Duration::ZERO, "{observed:?}");
    let receipt = desk.issue(1, None).await.unwrap().receipt.unwrap();
    let said = Duration::from_millis(receipt.remote_ms.unwrap());
    assert!(observed.remote.abs_diff(said) < Duration::from_millis(5), "{observed:?} {said:?}");
}
