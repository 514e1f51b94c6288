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
async fn a_try_to_send_that_fails_leaves_the_paper_and_says_why() {
    let desk = Desk::open().await;
    desk.paper(1, "ecit", example("ecit", "illness")).await.unwrap();
    *desk.pen.broken.lock().unwrap() = true;
    assert_eq!(code(desk.issue(1, None).await), "kms-garbage");
    let entry = desk.entry(1).await;
    assert_eq!(
        (entry.state, entry.problem.map(|(code, _)| code).as_deref()),
        (State::Paper, Some("kms-garbage"))
    );
    *desk.pen.broken.lock().unwrap() = false;
    // What the patient holds is what is deposited; corrected, it is printed again first.
    assert_eq!(code(desk.issue_changed(1).await), "id-already-used");
    let corrected = example_with("ecit", "illness", "last_day", "2026-10-29");
    desk.paper(1, "ecit", corrected).await.unwrap();
    assert_eq!(desk.entry(1).await.problem, None);
    assert_eq!(code(desk.issue(1, None).await), "id-already-used");
    assert_eq!(desk.issue_changed(1).await.unwrap().state, State::Deposited);
}

#[tokio::test]
async fn paper_made_without_a_login_is_deposited_only_by_the_physician_it_names() {
    let desk = Desk::open().await;
    desk.person.leave();
    desk.paper(1, "ecit", example("ecit", "illness")).await.unwrap();
    let journal = async || desk.connector.journal(&Caller::OwnSession).await.unwrap().remove(0);
    assert!(journal().await.has_pages, "who stands there may print it");
    desk.person.become_another();
    assert!(!journal().await.has_pages, "another physician has no pages of hers");
    let colleagues = ["provider_code", "physician_ehealth_id"]
        .into_iter()
        .zip(["90000102", "1900000002"]);
    let mut values = example("ecit", "illness").reveal().clone();
    values.extend(colleagues.map(|(field, value)| (field.to_owned(), value.into())));
    let outcome = desk.issue_values(1, econnector_base::Patient::new(values)).await;
    assert_eq!(code(outcome), "id-already-used");
    desk.person.come_back();
    assert_eq!(desk.issue(1, None).await.unwrap().state, State::Deposited);
    assert_eq!(desk.entry(1).await.who.actor_name, "Dr Anne Weber");
}

#[tokio::test]
async fn who_made_the_paper_stays_its_maker() {
    let desk = Desk::open().await;
    desk.person.become_a_secretary();
    desk.paper(1, "ecit", example("ecit", "illness")).await.unwrap();
    let who = desk.entry(1).await.who;
    assert_eq!(
        (who.actor_name.as_str(), who.physician_id.as_str()),
        ("Claire Hoffmann", "1900000001")
    );
    assert_eq!(code(desk.volet(1, "caisse").await), "no error", "she may print it");
    desk.person.leave();
    desk.paper(1, "ecit", example("ecit", "illness")).await.unwrap();
    assert_eq!(desk.entry(1).await.who.actor_name, "Claire Hoffmann");
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
