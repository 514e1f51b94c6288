//! What can be said before a physician is asked.

use std::sync::Arc;

use econnector_base::Patient;
use econnector_connector::{Caller, Cancel, Contest, Error, Foreign, Intent, Issue, Prospect, SignPdf};
use econnector_forms::{Contested, Lang};
use uuid::Uuid;

use crate::desk::{Desk, Say, code, example, example_with};
use crate::elsewhere::{OTHER, PDF, xml};

impl Desk {
    async fn would(&self, intent: Intent<'_>) -> Result<Prospect, Error> {
        self.connector.would(&Caller::OwnSession, intent, Lang::En).await
    }

    async fn would_issue(&self, id: u128, values: econnector_connector::Values, replaces: Option<u128>) -> Result<Prospect, Error> {
        let issue = Issue {
            id: Uuid::from_u128(id),
            kind: "ecit".into(),
            values,
            replaces: replaces.map(Uuid::from_u128),
            reason: None,
        };
        self.would(Intent::Issue(&issue)).await
    }

    async fn would_sign(&self, id: u128, pdf: &[u8], xml: Option<String>) -> Result<Prospect, Error> {
        let sign = SignPdf {
            id: Uuid::from_u128(id),
            pdf: Arc::new(pdf.to_vec().into()),
            deposit: xml.map(|xml| Foreign {
                kind: "ecit".into(),
                xml: xml.into(),
            }),
        };
        self.would(Intent::Sign(&sign)).await
    }

    async fn would_cancel(&self, id: u128, replaced_by: Option<u128>) -> Result<Prospect, Error> {
        let cancel = Cancel {
            id: Uuid::from_u128(id),
            reason: Patient::new("Erreur".to_owned()),
            replaced_by: replaced_by.map(Uuid::from_u128),
        };
        self.would(Intent::Cancel(&cancel)).await
    }
}

fn illness() -> econnector_connector::Values {
    example("ecit", "illness")
}

#[tokio::test]
async fn what_needed_no_word_is_not_sent_once_it_has_no_outcome_any_more() {
    let desk = Desk::open().await;
    desk.authority.will(&[Say::Lose, Say::Refuse("INCONNU")]);
    assert_eq!(code(desk.issue(1, None).await), "mysecu-outcome-unknown");
    let prospect = desk.would_issue(1, illness(), None).await.unwrap();
    assert!(prospect.settled, "nobody is asked");
    // Meanwhile the authority says that it never had it.
    desk.cancel(1, None).await.unwrap();
    let issue = Issue {
        id: Uuid::from_u128(1),
        kind: "ecit".into(),
        values: illness(),
        replaces: None,
        reason: None,
    };
    let outcome = desk.connector.issue(Caller::OwnSession, issue, Some(prospect), Lang::En).await;
    assert_eq!(code(outcome), "document-not-deposited");
    assert_eq!(desk.authority.messages().len(), 2);
    desk.issue(1, None).await.unwrap();
}

#[tokio::test]
async fn a_document_that_would_be_refused_is_refused_before_anybody_is_asked() {
    let desk = Desk::open().await;
    let colleague = example_with("ecit", "illness", "physician_ehealth_id", "1900000002");
    assert_eq!(code(desk.would_issue(1, colleague, None).await), "physician-mismatch");
    let wrong = example_with("ecit", "illness", "last_day", "2020-01-01");
    assert_eq!(code(desk.would_issue(1, wrong, None).await), "values-wrong");
    assert_eq!(code(desk.would_issue(1, illness(), Some(9)).await), "document-unknown");
    let fine = desk.would_issue(1, illness(), None).await.unwrap();
    assert!(!fine.settled && fine.replaced.is_none());
    assert_eq!(fine.in_whose_name(), "anne 1900000001");

    desk.issue(1, None).await.unwrap();
    assert!(desk.would_issue(1, illness(), None).await.unwrap().settled);
    let changed = example_with("ecit", "illness", "last_day", "2026-10-29");
    assert_eq!(code(desk.would_issue(1, changed, None).await), "id-already-used");
    let replaced = desk.would_issue(2, illness(), Some(1)).await.unwrap().replaced.unwrap();
    assert!(replaced.cancels && replaced.entry.reference.is_some());
    desk.cancel(1, None).await.unwrap();
    assert!(!desk.would_issue(2, illness(), Some(1)).await.unwrap().replaced.unwrap().cancels);
    desk.issue(2, Some(1)).await.unwrap();
    assert_eq!(code(desk.would_issue(3, illness(), Some(1)).await), "document-already-replaced");

    desk.person.become_a_secretary();
    assert_eq!(code(desk.would_issue(4, illness(), None).await), "identity-no-physician");
    desk.person.leave();
    assert_eq!(code(desk.would_issue(4, illness(), None).await), "login-required");
    assert_eq!(desk.pen.calls().len(), 2 * 3, "nobody was asked for anything more");
}

#[tokio::test]
async fn a_page_made_elsewhere_says_what_goes_with_it() {
    let desk = Desk::open().await;
    let strangers = xml("ecit", "illness", 1).replace("90000101", "90000102");
    assert_eq!(code(desk.would_sign(1, PDF, Some(strangers)).await), "physician-mismatch");
    assert_eq!(code(desk.would_sign(1, PDF, Some(xml("ecit", "illness", 2))).await), "id-mismatch");
    assert!(desk.would_sign(1, PDF, None).await.unwrap().message.is_none());
    let message = desk
        .would_sign(1, PDF, Some(xml("ecit", "illness", 1)))
        .await
        .unwrap()
        .message
        .unwrap();
    assert_eq!(message.provider_codes, ["90000101"]);
    let facts: Vec<(&str, &str)> = message.facts.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let values = illness();
    let of = |field: &str| values.reveal()[field].as_str().unwrap();
    assert_eq!(
        facts,
        [
            ("matricule", of("matricule")),
            ("first_day", of("first_day")),
            ("last_day", of("last_day"))
        ]
    );
    assert_eq!(desk.connector.label("ecit", "first_day", Lang::Fr), "Premier jour");
    desk.sign(1, PDF, None).await.unwrap();
    assert!(desk.would_sign(1, PDF, None).await.unwrap().settled);
    assert_eq!(code(desk.would_sign(1, OTHER, None).await), "id-already-used");
}

#[tokio::test]
async fn a_yes_to_one_simulation_is_none_to_the_next_under_its_id() {
    let desk = Desk::open().await;
    let id = Uuid::from_u128(1);
    let pays = async |mark| desk.connector.validate(Caller::OwnSession, id, mark, Lang::En).await;
    assert_eq!(code(desk.would(Intent::Pay(id)).await), "simulation-unknown");
    desk.simulate(1).await.unwrap();
    let first = desk.would(Intent::Pay(id)).await.unwrap();
    let shown = first.simulation;
    desk.simulate(1).await.unwrap();
    assert_eq!(code(pays(Some(first)).await), "simulation-unknown");
    let second = desk.would(Intent::Pay(id)).await.unwrap();
    assert!(shown.is_some() && shown != second.simulation);
    let stale = desk.would(Intent::Pay(id)).await.unwrap();
    pays(Some(second)).await.unwrap();
    assert!(desk.would(Intent::Pay(id)).await.unwrap().settled);

    desk.authority.will(&[Say::DeclineALine]);
    desk.simulate(2).await.unwrap();
    assert_eq!(code(desk.would(Intent::Pay(Uuid::from_u128(2))).await), "pid-not-payable");
    let contest = |anomaly: &str| Contest {
        id: Uuid::from_u128(2),
        anomalies: vec![Contested {
            id: anomaly.into(),
            code: "1".into(),
        }],
    };
    let prospect = desk.would(Intent::Contest(&contest("A-1"))).await.unwrap();
    let codes: Vec<&str> = prospect.remarks.iter().map(|remark| remark.code.as_str()).collect();
    assert_eq!(
        (codes.as_slice(), prospect.simulation.is_some()),
        (["NON_ELIGIBLE"].as_slice(), true)
    );
    assert_eq!(code(desk.would(Intent::Contest(&contest("A-9"))).await), "pid-contestation-wrong");
    let outcome = desk.connector.contest(Caller::OwnSession, contest("A-1"), Some(stale)).await;
    assert_eq!(code(outcome), "simulation-unknown", "another simulation");
    desk.connector
        .contest(Caller::OwnSession, contest("A-1"), Some(prospect))
        .await
        .unwrap();
    assert_eq!(code(desk.would(Intent::Contest(&contest("A-1"))).await), "simulation-contested");
}

#[tokio::test]
async fn a_cancellation_is_done_when_its_successor_is_linked() {
    let desk = Desk::open().await;
    assert_eq!(code(desk.would_cancel(1, None).await), "document-unknown");
    desk.issue(1, None).await.unwrap();
    assert!(!desk.would_cancel(1, None).await.unwrap().settled);
    desk.cancel(1, None).await.unwrap();
    assert!(desk.would_cancel(1, None).await.unwrap().settled);
    assert!(!desk.would_cancel(1, Some(7)).await.unwrap().settled, "it gets a successor");
    desk.cancel(1, Some(7)).await.unwrap();
    assert!(desk.would_cancel(1, Some(7)).await.unwrap().settled);
    desk.sign(2, PDF, None).await.unwrap();
    assert_eq!(code(desk.would_cancel(2, None).await), "document-not-deposited");
}

#[tokio::test]
async fn whoever_was_asked_must_still_be_there() {
    let desk = Desk::open().await;
    let prospect = desk.would_issue(1, illness(), None).await.unwrap();
    desk.connector.still(&Caller::OwnSession, &prospect).await.unwrap();
    for changed in [
        (|desk: &Desk| desk.person.become_another()) as fn(&Desk),
        |desk| desk.person.become_a_secretary_of_dr_weber(),
        |desk| desk.person.leave(),
    ] {
        changed(&desk);
        assert_eq!(code(desk.connector.still(&Caller::OwnSession, &prospect).await), "session-changed");
    }
}

#[tokio::test]
async fn a_login_over_a_session_changes_nothing_until_somebody_has_logged_in() {
    let desk = Desk::open().await;
    let prospect = desk.would_issue(1, illness(), None).await.unwrap();
    // The browser is at AeS, and is closed there.
    for logging_in in [true, false] {
        *desk.person.logging_in.lock().unwrap() = logging_in;
        desk.would_issue(1, illness(), None).await.unwrap();
        desk.connector.still(&Caller::OwnSession, &prospect).await.unwrap();
    }
}

#[tokio::test]
async fn what_one_person_said_yes_to_is_done_by_nobody_else_and_in_no_other_name() {
    let desk = Desk::open().await;
    desk.authority.will(&[Say::Accept, Say::Accept, Say::Remark]);
    desk.issue(1, None).await.unwrap();
    desk.simulate(2).await.unwrap();
    desk.simulate(3).await.unwrap();
    let (calls, told) = (desk.pen.calls().len(), desk.authority.messages().len());
    let (own, lang) = (Caller::OwnSession, Lang::En);
    let issue = || Issue {
        id: Uuid::from_u128(4),
        kind: "ecit".into(),
        values: illness(),
        replaces: None,
        reason: None,
    };
    let sign = || SignPdf {
        id: Uuid::from_u128(5),
        pdf: Arc::new(PDF.to_vec().into()),
        deposit: None,
    };
    let cancel = || Cancel {
        id: Uuid::from_u128(1),
        reason: Patient::new("Erreur".to_owned()),
        replaced_by: None,
    };
    let contest = || Contest {
        id: Uuid::from_u128(3),
        anomalies: vec![Contested {
            id: "A-1".into(),
            code: "1".into(),
        }],
    };
    let secretary = |desk: &Desk| desk.person.become_a_secretary_of_dr_weber();
    let refused = async |intent: Intent<'_>, then: &dyn Fn(&Desk)| {
        desk.person.come_back();
        let agreed = desk.would(intent).await.unwrap();
        then(&desk);
        Some(agreed)
    };
    let (of_issue, of_sign, of_cancel, of_contest) = (issue(), sign(), cancel(), contest());
    let agreed = refused(Intent::Issue(&of_issue), &secretary).await;
    assert_eq!(
        code(desk.connector.issue(own.clone(), issue(), agreed, lang).await),
        "session-changed"
    );
    let agreed = refused(Intent::Issue(&of_issue), &|desk| desk.person.become_another()).await;
    assert_eq!(
        code(desk.connector.issue(own.clone(), issue(), agreed, lang).await),
        "session-changed"
    );
    let agreed = refused(Intent::Sign(&of_sign), &secretary).await;
    assert_eq!(code(desk.connector.sign(own.clone(), sign(), agreed).await), "session-changed");
    let agreed = refused(Intent::Cancel(&of_cancel), &secretary).await;
    assert_eq!(code(desk.connector.cancel(own.clone(), cancel(), agreed).await), "session-changed");
    assert_eq!((desk.pen.calls().len(), desk.authority.messages().len()), (calls, told));

    // Simulated again by whoever is there: with another person the memory begins anew.
    desk.person.come_back();
    desk.authority.will(&[Say::Accept, Say::Remark]);
    desk.simulate(2).await.unwrap();
    desk.simulate(3).await.unwrap();
    let told = desk.authority.messages().len();
    let agreed = refused(Intent::Pay(Uuid::from_u128(2)), &secretary).await;
    assert_eq!(
        code(desk.connector.validate(own.clone(), Uuid::from_u128(2), agreed, lang).await),
        "session-changed"
    );
    let agreed = refused(Intent::Contest(&of_contest), &secretary).await;
    assert_eq!(
        code(desk.connector.contest(own.clone(), contest(), agreed).await),
        "session-changed"
    );
    assert_eq!((desk.pen.calls().len(), desk.authority.messages().len()), (calls, told));

    let agreed = refused(Intent::Issue(&of_issue), &|_| ()).await;
    desk.connector.issue(own, issue(), agreed, lang).await.unwrap();
}
