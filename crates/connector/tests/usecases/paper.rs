use econnector_connector::{Caller, Error, Issued, Paper, Values};
use econnector_forms::Lang;
use econnector_journal::State;
use uuid::Uuid;

use crate::desk::{Desk, Say, code, example, example_with};

impl Desk {
    async fn paper(&self, id: u128, kind: &str, values: Values) -> Result<Issued, Error> {
        let paper = Paper {
            id: Uuid::from_u128(id),
            kind: kind.into(),
            values,
        };
        self.connector.paper(Caller::OwnSession, paper, Lang::En).await
    }
}

#[tokio::test]
async fn paper_needs_nobody_but_the_physician_at_the_desk() {
    let desk = Desk::open().await;
    desk.person.leave();
    let paper = desk.paper(1, "ecit", example("ecit", "illness")).await.unwrap();
    assert_eq!((paper.state, paper.fresh, paper.receipt.is_none()), (State::Paper, true, true));
    assert_eq!(paper.volets.len(), 3);
    assert!(paper.volets.iter().all(|volet| !volet.signed && volet.content.starts_with(b"%PDF")));
    let entry = desk.entry(1).await;
    assert_eq!(
        (entry.state, entry.who.actor_name.as_str(), entry.who.physician_id.as_str()),
        (State::Paper, "", "1900000001")
    );
    let seen = desk
        .connector
        .volet(&Caller::OwnSession, Uuid::from_u128(1), "caisse")
        .await
        .unwrap();
    assert!(seen.content.starts_with(b"%PDF"), "who typed it may see it");

    // A wrong day is corrected and printed again.
    let corrected = desk
        .paper(1, "ecit", example_with("ecit", "illness", "last_day", "2026-10-29"))
        .await;
    assert_eq!(code(corrected), "no error");
    assert_eq!(
        code(
            desk.paper(2, "ecit", example_with("ecit", "illness", "last_day", "2026-10-01"))
                .await
        ),
        "values-wrong"
    );
    assert!(desk.authority.models().is_empty());

    desk.person.become_another();
    assert!(
        desk.connector
            .volet(&Caller::OwnSession, Uuid::from_u128(1), "caisse")
            .await
            .is_err()
    );
    assert_eq!(code(desk.paper(3, "ecit", example("ecit", "illness")).await), "physician-mismatch");
}

#[tokio::test]
async fn what_was_sent_or_may_have_been_is_not_put_on_paper() {
    let desk = Desk::open().await;
    desk.issue(1, None).await.unwrap();
    desk.authority.will(&[Say::Lose, Say::Refuse("CODE")]);
    assert_eq!(code(desk.issue(2, None).await), "mysecu-outcome-unknown");
    assert_eq!(code(desk.issue(3, None).await), "mysecu-refused");
    for id in [1, 2] {
        assert_eq!(
            code(desk.paper(id, "ecit", example("ecit", "illness")).await),
            "document-already-sent"
        );
    }
    let paper = desk.paper(3, "ecit", example("ecit", "illness")).await.unwrap();
    assert_eq!(paper.state, State::Paper);
    assert_eq!(desk.entry(3).await.who.actor_name, "Dr Anne Weber");
    assert_eq!(code(desk.cancel(3, None).await), "document-not-deposited");
    // The services are back: the same document, under the same id as on the paper, may be deposited after all.
    assert_eq!(desk.issue(3, None).await.unwrap().state, State::Deposited);
}

#[tokio::test]
async fn a_form_that_is_paid_at_once_is_not_put_on_paper() {
    let desk = Desk::open().await;
    assert_eq!(
        code(desk.paper(1, "pid", example("pid", "consultation")).await),
        "form-not-on-paper"
    );
    assert_eq!(code(desk.paper(1, "mh", example("mh", "three-lines")).await), "no error");
}
