use econnector_base::{Explain as _, Patient};
use econnector_connector::{Caller, Cancel, Issue};
use econnector_forms::Lang;
use econnector_journal::State;
use uuid::Uuid;

use crate::desk::{Desk, Say, code, example, example_with, texts};

const DEPOSIT: &str = "2026_ECIT_DEPOT-V1";
const CANCELLATION: &str = "2026_ECIT_ANNUL-V1";

#[tokio::test]
async fn a_replacement_cancels_first_and_both_lines_name_each_other() {
    let desk = Desk::open().await;
    desk.issue(1, None).await.unwrap();
    let issue = Issue {
        id: Uuid::from_u128(2),
        kind: "ecit".into(),
        values: example("ecit", "illness"),
        replaces: Some(Uuid::from_u128(1)),
        reason: Some(Patient::new("Mauvais jour pour Madame Schmit".into())),
    };
    let replaced = desk.connector.issue(Caller::OwnSession, issue, None, Lang::En).await.unwrap();
    assert!(replaced.fresh && replaced.state == State::Deposited);
    assert_eq!(desk.authority.models(), [DEPOSIT, CANCELLATION, DEPOSIT]);
    let told = |element| desk.authority.told(CANCELLATION, element).unwrap();
    assert_eq!(told("UUIDDocumentAnnule"), Uuid::from_u128(1).to_string());
    assert_eq!(told("UUIDDocumentRemplacant"), Uuid::from_u128(2).to_string());
    assert_eq!(
        (told("TypeAnnulation"), told("Motif")),
        ("2".to_owned(), "Mauvais jour pour Madame Schmit".to_owned())
    );

    let (old, new) = (desk.entry(1).await, desk.entry(2).await);
    assert_eq!((old.state, old.replaced_by), (State::Cancelled, Some(Uuid::from_u128(2))));
    assert_eq!((new.state, new.replaces), (State::Deposited, Some(Uuid::from_u128(1))));
    assert!(old.cancellation.as_ref().is_some_and(|cancellation| cancellation.at.is_some()));
    assert!(!format!("{old:?}{new:?}").contains("Schmit"), "the reason is not kept");

    let again = desk.issue(2, Some(1)).await.unwrap();
    assert!(!again.fresh);
    assert_eq!(desk.authority.models().len(), 3, "nothing is sent twice");
    let third = desk.issue(3, Some(1)).await;
    assert_eq!(code(third), "document-already-replaced");
    assert_eq!(desk.authority.models().len(), 3);
    let corrected = Issue {
        id: Uuid::from_u128(3),
        kind: "ecit".into(),
        values: example_with("ecit", "illness", "last_day", "2026-10-29"),
        replaces: Some(Uuid::from_u128(2)),
        reason: None,
    };
    let corrected = desk.connector.issue(Caller::OwnSession, corrected, None, Lang::En).await;
    assert_eq!(code(corrected), "no error", "what was not begun binds its id to nothing");

    desk.person.become_another();
    let journal = desk.connector.journal(&Caller::OwnSession).await.unwrap();
    assert!(journal.iter().all(|line| !line.cancellable), "a colleague cancels nothing here");
}

#[tokio::test]
async fn a_lost_cancellation_holds_the_new_document_back_and_may_be_repeated() {
    let desk = Desk::open().await;
    desk.issue(1, None).await.unwrap();
    desk.authority.will(&[Say::Lose]);
    assert_eq!(code(desk.issue(2, Some(1)).await), "cancellation-outcome-unknown");
    assert_eq!(desk.authority.models(), [DEPOSIT, CANCELLATION], "the new document stays here");
    assert_eq!((desk.state(1).await, desk.state(2).await), (State::Cancelling, State::Failed));
    let lost = desk.entry(1).await;
    assert_eq!(lost.problem.map(|(code, _)| code).as_deref(), Some("cancellation-outcome-unknown"));
    assert!(lost.reference.is_some(), "the deposit's own reference stays");

    // It had arrived after all.
    desk.authority.will(&[Say::Refuse("DEJA_ANNULE")]);
    desk.issue(2, Some(1)).await.unwrap();
    assert_eq!((desk.state(1).await, desk.state(2).await), (State::Cancelled, State::Deposited));
    let cancellations: Vec<String> = desk
        .authority
        .messages()
        .into_iter()
        .filter(|(model, _)| model == CANCELLATION)
        .flat_map(|(_, xml)| texts(&xml, "UUIDPrestataire"))
        .collect();
    assert_eq!(cancellations.len(), 2);
    assert_eq!(cancellations[0], cancellations[1], "the same question bears the same id");
}

#[tokio::test]
async fn what_is_not_cancelled_is_not_replaced() {
    let desk = Desk::open().await;
    desk.issue(1, None).await.unwrap();
    desk.authority.will(&[Say::Refuse("DELAI")]);
    let refused = desk.issue(2, Some(1)).await.err().unwrap();
    assert_eq!(refused.code(), "cancellation-refused");
    assert_eq!(refused.authority().map(|words| words.code).as_deref(), Some("DELAI"));
    desk.authority.will(&[Say::NotReached]);
    assert_eq!(code(desk.issue(2, Some(1)).await), "mysecu-status");
    desk.authority.will(&[Say::SpeakOfAnother]);
    assert_eq!(code(desk.issue(2, Some(1)).await), "cancellation-outcome-unknown");
    // An earlier try may have arrived: a later one that did not leaves that open.
    desk.authority.will(&[Say::NotReached]);
    assert_eq!(code(desk.issue(2, Some(1)).await), "mysecu-status");
    assert_eq!(desk.state(1).await, State::Cancelling);
    desk.authority.will(&[Say::Refuse("DELAI")]);
    assert_eq!(code(desk.cancel(1, None).await), "cancellation-refused");
    assert_eq!(desk.state(1).await, State::Deposited, "a genuine refusal says that it holds");
    assert_eq!(desk.entry(1).await.problem, None);
    assert_eq!(desk.state(2).await, State::Failed);
    assert_eq!(desk.authority.models().iter().filter(|model| *model == DEPOSIT).count(), 1);
}

#[tokio::test]
async fn a_signature_that_fails_leaves_the_old_document_alone() {
    let desk = Desk::open().await;
    desk.issue(1, None).await.unwrap();
    *desk.pen.broken.lock().unwrap() = true;
    assert!(desk.issue(2, Some(1)).await.is_err());
    assert_eq!(desk.authority.models(), [DEPOSIT]);
    assert_eq!((desk.state(1).await, desk.state(2).await), (State::Deposited, State::Failed));
}

#[tokio::test]
async fn a_new_document_that_is_refused_may_be_corrected_or_give_its_place_to_another() {
    let desk = Desk::open().await;
    desk.issue(1, None).await.unwrap();
    desk.authority.will(&[Say::Accept, Say::Refuse("CODE")]);
    assert_eq!(code(desk.issue(2, Some(1)).await), "mysecu-refused");
    assert_eq!((desk.state(1).await, desk.state(2).await), (State::Cancelled, State::Failed));
    // Nothing holds now, so that another may take the place; it is not cancelled twice.
    desk.issue(3, Some(1)).await.unwrap();
    assert_eq!(desk.authority.models(), [DEPOSIT, CANCELLATION, DEPOSIT, DEPOSIT]);
    assert_eq!(desk.entry(1).await.replaced_by, Some(Uuid::from_u128(3)));
    assert_eq!(code(desk.issue(2, Some(1)).await), "document-already-replaced");
}

#[tokio::test]
async fn two_who_replace_the_same_document_at_once_make_one_new_document() {
    let desk = Desk::open().await;
    desk.issue(1, None).await.unwrap();
    let (one, other) = tokio::join!(desk.issue(2, Some(1)), desk.issue(3, Some(1)));
    let outcomes = [code(one), code(other)];
    assert!(
        outcomes.contains(&"no error") && outcomes.contains(&"document-already-replaced"),
        "{outcomes:?}"
    );
    assert_eq!(desk.authority.models(), [DEPOSIT, CANCELLATION, DEPOSIT]);
}

#[tokio::test]
async fn a_document_is_cancelled_once() {
    let desk = Desk::open().await;
    desk.issue(1, None).await.unwrap();
    let journal = desk.connector.journal(&Caller::OwnSession).await.unwrap();
    assert!(journal.first().is_some_and(|line| line.cancellable && line.has_pages));
    let line = desk.cancel(1, None).await.unwrap();
    assert_eq!(
        (line.entry.state, line.cancellable, line.has_pages),
        (State::Cancelled, false, false)
    );
    assert_eq!(desk.authority.told(CANCELLATION, "TypeAnnulation").as_deref(), Some("1"));
    let told = desk.connector.document(&Caller::OwnSession, Uuid::from_u128(1)).await.unwrap();
    assert!(told.receipt.is_some() && told.volets.is_empty());
    assert_eq!(
        code(desk.volet(1, "caisse").await),
        "document-unknown",
        "what does not hold is not handed out"
    );
    assert!(desk.issue(1, None).await.unwrap().volets.is_empty());
    assert_eq!(desk.authority.told(CANCELLATION, "UUIDDocumentRemplacant"), None);

    let again = desk.cancel(1, Some(2)).await.unwrap();
    assert_eq!(again.entry.replaced_by, Some(Uuid::from_u128(2)));
    assert_eq!(desk.authority.models(), [DEPOSIT, CANCELLATION]);
    desk.issue(2, Some(1)).await.unwrap();
    assert_eq!(desk.authority.models(), [DEPOSIT, CANCELLATION, DEPOSIT]);
    assert_eq!(code(desk.cancel(1, Some(3)).await), "document-already-replaced");
    assert_eq!(code(desk.cancel(2, Some(2)).await), "document-replaces-other");
}

/// A server that was started anew is asked to send once more what the one before it had sent.
#[tokio::test]
async fn a_document_that_was_deposited_before_is_not_said_to_be_refused() {
    let desk = Desk::open().await;
    desk.authority.will(&[Say::Refuse("DOUBLON"), Say::Accept]);
    let error = desk.issue(1, None).await.err().unwrap();
    assert_eq!(error.code(), "mysecu-outcome-unknown");
    assert_eq!(error.authority().unwrap().code, "DOUBLON");
    assert_eq!(desk.state(1).await, State::Unknown);
    desk.cancel(1, None).await.unwrap();
    assert_eq!(desk.state(1).await, State::Cancelled);
}

#[tokio::test]
async fn only_what_may_hold_is_cancelled_and_only_by_its_physician() {
    let desk = Desk::open().await;
    assert_eq!(code(desk.cancel(1, None).await), "document-unknown");
    desk.authority.will(&[Say::Refuse("CODE")]);
    assert_eq!(code(desk.issue(1, None).await), "mysecu-refused");
    assert_eq!(code(desk.cancel(1, None).await), "document-not-deposited");
    desk.issue(1, None).await.unwrap();
    for reason in ["", "  ", "deux\nlignes", "caché\u{200b}", &"x".repeat(201)] {
        let cancel = Cancel {
            id: Uuid::from_u128(1),
            reason: Patient::new(reason.to_owned()),
            replaced_by: None,
        };
        let outcome = desk.connector.cancel(Caller::OwnSession, cancel, None).await;
        assert_eq!(code(outcome), "cancellation-reason-wrong");
    }
    let signatures = *desk.pen.signatures.lock().unwrap();
    let hidden = Issue {
        id: Uuid::from_u128(2),
        kind: "ecit".into(),
        values: example("ecit", "illness"),
        replaces: Some(Uuid::from_u128(1)),
        reason: Some(Patient::new("caché\u{200b}".to_owned())),
    };
    let outcome = desk.connector.issue(Caller::OwnSession, hidden, None, Lang::En).await;
    assert_eq!(code(outcome), "cancellation-reason-wrong");
    assert_eq!(*desk.pen.signatures.lock().unwrap(), signatures, "nothing is signed for it");
    desk.person.become_another();
    assert_eq!(code(desk.cancel(1, None).await), "document-unknown");
    desk.person.leave();
    assert_eq!(code(desk.cancel(1, None).await), "login-required");
    assert_eq!(desk.authority.models(), [DEPOSIT, DEPOSIT]);
}

#[tokio::test]
async fn a_document_of_unknown_outcome_can_be_cancelled_to_be_sure() {
    let desk = Desk::open().await;
    desk.authority.will(&[Say::Lose]);
    assert_eq!(code(desk.issue(1, None).await), "mysecu-outcome-unknown");
    desk.authority.will(&[Say::Refuse("DELAI")]);
    assert_eq!(code(desk.cancel(1, None).await), "cancellation-refused");
    let entry = desk.entry(1).await;
    assert_eq!(
        (entry.state, entry.problem.map(|(code, _)| code).as_deref()),
        (State::Unknown, Some("mysecu-outcome-unknown"))
    );
    assert_eq!(code(desk.issue(2, Some(1)).await), "no error");
    assert_eq!((desk.state(1).await, desk.state(2).await), (State::Cancelled, State::Deposited));
    assert_eq!(desk.authority.models(), [DEPOSIT, CANCELLATION, CANCELLATION, DEPOSIT]);
}

#[tokio::test]
async fn a_document_the_authority_never_had_is_failed_and_its_place_is_free() {
    let desk = Desk::open().await;
    desk.authority.will(&[Say::Lose, Say::Refuse("INCONNU")]);
    assert_eq!(code(desk.issue(1, None).await), "mysecu-outcome-unknown");
    let line = desk.cancel(1, None).await.unwrap();
    let problem = line.entry.problem.map(|(code, _)| code);
    assert_eq!(
        (line.entry.state, problem.as_deref(), line.cancellable, line.has_pages),
        (State::Failed, Some("document-not-deposited"), false, false)
    );
    assert_eq!(code(desk.issue_changed(1).await), "no error", "it may be corrected and sent");

    // Its cancellation may be lost as well, and asking again clears both.
    desk.authority.will(&[Say::Lose, Say::Lose, Say::RefuseBarely("INCONNU")]);
    assert_eq!(code(desk.issue(3, None).await), "mysecu-outcome-unknown");
    assert_eq!(code(desk.issue(4, Some(3)).await), "cancellation-outcome-unknown");
    assert_eq!(desk.state(3).await, State::Cancelling);
    desk.issue(4, Some(3)).await.unwrap();
    let (old, new) = (desk.entry(3).await, desk.entry(4).await);
    assert_eq!((old.state, old.replaced_by), (State::Failed, Some(Uuid::from_u128(4))));
    assert_eq!((new.state, new.replaces), (State::Deposited, Some(Uuid::from_u128(3))));
    assert_eq!(
        code(desk.issue(3, None).await),
        "document-already-replaced",
        "not a second one beside it"
    );

    // What the authority confirmed it had is not failed by a later word.
    desk.authority.will(&[Say::Refuse("INCONNU")]);
    assert_eq!(code(desk.cancel(4, None).await), "cancellation-refused");
    assert_eq!(desk.state(4).await, State::Deposited);
}

#[tokio::test]
async fn a_place_is_taken_only_by_what_was_not_sent() {
    let desk = Desk::open().await;
    for id in [1, 2] {
        desk.issue(id, None).await.unwrap();
    }
    assert_eq!(code(desk.cancel(1, Some(2)).await), "document-replaces-other", "deposited already");
    let fee_note = econnector_connector::Paper {
        id: Uuid::from_u128(3),
        kind: "mh".into(),
        values: example("mh", "minimal"),
    };
    desk.connector.paper(Caller::OwnSession, fee_note, Lang::En).await.unwrap();
    assert_eq!(code(desk.cancel(1, Some(3)).await), "document-replaces-other", "another kind");
    assert_eq!(desk.authority.models(), [DEPOSIT, DEPOSIT]);
    desk.authority.will(&[Say::Refuse("CODE")]);
    assert_eq!(code(desk.issue(4, None).await), "mysecu-refused");
    desk.authority.will(&[Say::Lose]);
    assert_eq!(code(desk.cancel(1, Some(4)).await), "cancellation-outcome-unknown");
    desk.authority.will(&[Say::RefuseBarely("DEJA_ANNULE")]);
    let line = desk.cancel(1, Some(4)).await.unwrap();
    assert_eq!(line.entry.state, State::Cancelled, "done before is done, even without a reference");
}

#[tokio::test]
async fn a_task_that_dies_binds_its_id_to_nothing() {
    let desk = Desk::open().await;
    *desk.pen.explodes.lock().unwrap() = true;
    assert_eq!(code(desk.issue(1, None).await), "internal");
    assert_eq!(desk.state(1).await, State::Failed);
    *desk.pen.explodes.lock().unwrap() = false;
    assert_eq!(code(desk.issue_changed(1).await), "no error");
}

#[tokio::test]
async fn a_document_replaces_one_of_its_own_kind() {
    let desk = Desk::open().await;
    desk.issue(1, None).await.unwrap();
    let issue = Issue {
        id: Uuid::from_u128(2),
        kind: "mh".into(),
        values: example("mh", "minimal"),
        replaces: Some(Uuid::from_u128(1)),
        reason: None,
    };
    let outcome = desk.connector.issue(Caller::OwnSession, issue, None, Lang::En).await;
    assert_eq!(code(outcome), "document-replaces-other");
    assert_eq!(code(desk.issue(1, Some(1)).await), "no error", "the recorded outcome");
    assert_eq!(code(desk.issue(3, Some(3)).await), "document-unknown");
    assert_eq!(desk.authority.models(), [DEPOSIT]);
}
