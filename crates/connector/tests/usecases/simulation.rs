use econnector_base::Explain as _;
use econnector_connector::{Caller, Contest, Preview};
use econnector_forms::{Contested, Lang, Severity};
use econnector_journal::State;
use uuid::Uuid;

use crate::desk::{Desk, Say, code, example};

const SIMULATION: &str = "2023-CNS-PID-SIM-V1";
const VALIDATION: &str = "2023-CNS-PID-VAL-V1";
const CONTESTATION: &str = "2023-CNS-PID-CON-V1";

impl Desk {
    async fn contest(&self, id: u128, anomaly: &str, reason: &str) -> Result<String, econnector_connector::Error> {
        let contest = Contest {
            id: Uuid::from_u128(id),
            anomalies: vec![Contested {
                id: anomaly.into(),
                code: reason.into(),
            }],
        };
        let contested = self.connector.contest(Caller::OwnSession, contest, None).await?;
        Ok(contested.reference)
    }
}

#[tokio::test]
async fn what_was_simulated_is_paid_once_and_signed_before() {
    let desk = Desk::open().await;
    let simulated = desk.simulate(1).await.unwrap();
    assert!(simulated.simulation.is_payable());
    assert_eq!(
        (simulated.simulation.statutory, simulated.turns_into.as_deref()),
        (8000, Some("mh"))
    );
    assert_eq!((desk.state(1).await, *desk.pen.signatures.lock().unwrap()), (State::Simulated, 0));

    let paid = desk.validate(1).await.unwrap();
    assert!(paid.fresh && paid.state == State::Deposited);
    let receipt = paid.receipt.unwrap();
    let payment = receipt.payment.unwrap();
    assert_eq!((payment.statutory, payment.offset, payment.paid), (8000, 500, 7500));
    assert_eq!(payment.reason.as_deref(), Some("Recouvrement"));
    assert_eq!(receipt.reference, "PAY-1");
    assert!(paid.volets.iter().all(|volet| volet.signed && volet.content.starts_with(b"%PDF")));
    assert_eq!(*desk.pen.signatures.lock().unwrap(), 1);

    let again = desk.validate(1).await.unwrap();
    assert!(!again.fresh && again.receipt.is_some());
    assert_eq!(code(desk.simulate(1).await), "simulation-already-ordered");
    assert_eq!(code(desk.contest(1, "A-1", "1").await), "simulation-already-ordered");
    assert_eq!(desk.authority.models(), [SIMULATION, VALIDATION]);
}

#[tokio::test]
async fn without_a_signature_nothing_is_ordered() {
    let desk = Desk::open().await;
    desk.simulate(1).await.unwrap();
    *desk.pen.broken.lock().unwrap() = true;
    assert!(desk.validate(1).await.is_err());
    assert_eq!(desk.state(1).await, State::Simulated);
    *desk.pen.broken.lock().unwrap() = false;
    assert_eq!(code(desk.validate(1).await), "no error");
    assert_eq!(desk.authority.models(), [SIMULATION, VALIDATION]);
}

#[tokio::test]
async fn a_declined_line_is_an_outcome_and_is_not_paid() {
    let desk = Desk::open().await;
    desk.authority.will(&[Say::DeclineALine]);
    let simulated = desk.simulate(1).await.unwrap();
    assert!(!simulated.simulation.is_payable());
    let accepted: Vec<bool> = simulated.simulation.lines.iter().map(|line| line.accepted).collect();
    assert_eq!(accepted, [false, true]);
    let anomaly = simulated.simulation.anomalies.first().unwrap();
    assert_eq!((anomaly.line, anomaly.id.as_deref()), (Some(0), Some("A-1")));
    let refused = desk.validate(1).await.err().unwrap();
    assert_eq!(refused.code(), "pid-not-payable");
    assert_eq!(refused.authority().map(|words| words.code).as_deref(), Some("NON_ELIGIBLE"));
    assert_eq!((*desk.pen.signatures.lock().unwrap(), desk.authority.models().len()), (0, 1));
}

#[tokio::test]
async fn a_lost_simulation_is_harmless_and_a_lost_order_is_never_repeated() {
    let desk = Desk::open().await;
    desk.authority.will(&[Say::Lose, Say::SpeakOfAnother]);
    assert_eq!(code(desk.simulate(1).await), "simulation-answer-lost");
    assert_eq!(code(desk.simulate(1).await), "simulation-answer-lost");
    assert_eq!(code(desk.validate(1).await), "simulation-unknown");
    desk.simulate(1).await.unwrap();

    desk.authority.will(&[Say::Lose]);
    assert_eq!(code(desk.validate(1).await), "payment-outcome-unknown");
    assert_eq!(desk.state(1).await, State::Unknown);
    let again = desk.validate(1).await.unwrap();
    assert_eq!((again.state, again.fresh), (State::Unknown, false));
    assert_eq!(again.problem.map(|problem| problem.code()), Some("payment-outcome-unknown"));
    assert!(again.volets.is_empty(), "no receipt of what may not have been paid");
    assert_eq!(code(desk.volet(1, "quittance").await), "document-unknown");
    let told = desk.connector.document(&Caller::OwnSession, Uuid::from_u128(1)).await.unwrap();
    assert!(told.volets.is_empty() && told.receipt.is_none());
    assert_eq!(code(desk.simulate(1).await), "simulation-already-ordered");
    assert_eq!(desk.authority.models().iter().filter(|model| *model == VALIDATION).count(), 1);
}

#[tokio::test]
async fn an_answer_for_another_simulation_leaves_the_payment_open() {
    let desk = Desk::open().await;
    desk.simulate(1).await.unwrap();
    desk.authority.will(&[Say::SpeakOfAnother]);
    assert_eq!(code(desk.validate(1).await), "payment-outcome-unknown");
    assert_eq!(desk.state(1).await, State::Unknown);
}

#[tokio::test]
async fn an_order_that_did_not_leave_may_be_repeated_and_a_refused_one_is_simulated_anew() {
    let desk = Desk::open().await;
    desk.simulate(1).await.unwrap();
    desk.authority.will(&[Say::NotReached, Say::Refuse("CONTESTEE")]);
    assert_eq!(code(desk.validate(1).await), "mysecu-status");
    let entry = desk.entry(1).await;
    assert_eq!((entry.state, entry.reference.as_deref()), (State::Simulated, Some("SIM-1")));
    assert_eq!(code(desk.validate(1).await), "payment-refused");
    assert_eq!(desk.state(1).await, State::Failed);
    assert_eq!(code(desk.validate(1).await), "simulation-unknown");
    desk.simulate(1).await.unwrap();
    assert_eq!(code(desk.validate(1).await), "no error");
}

#[tokio::test]
async fn what_is_contested_is_not_paid() {
    let desk = Desk::open().await;
    desk.authority.will(&[Say::DeclineALine]);
    desk.simulate(1).await.unwrap();
    for (anomaly, reason) in [("A-2", "1"), ("A-1", "none")] {
        assert_eq!(code(desk.contest(1, anomaly, reason).await), "pid-contestation-wrong");
    }
    desk.authority.will(&[Say::Lose, Say::NotReached, Say::Refuse("DELAI")]);
    assert_eq!(code(desk.contest(1, "A-1", "1").await), "contestation-answer-lost");
    assert_eq!(code(desk.contest(1, "A-1", "1").await), "mysecu-status");
    let lost = desk.entry(1).await;
    assert_eq!((lost.state, lost.reference.as_deref()), (State::Simulated, Some("SIM-1")));
    assert_eq!(lost.problem.map(|(code, _)| code).as_deref(), Some("contestation-answer-lost"));
    assert_eq!(lost.correlation_id.as_deref(), Some("Id-lost"));
    assert_eq!(code(desk.contest(1, "A-1", "1").await), "contestation-refused");
    assert_eq!(desk.state(1).await, State::Simulated);
    desk.authority.will(&[Say::Refuse("DEJA_CONTESTE")]);
    assert_eq!(
        desk.contest(1, "A-1", "1").await.unwrap(),
        "CON-1",
        "what was asked for has been done before"
    );
    assert_eq!(desk.state(1).await, State::Contested);
    assert_eq!(desk.authority.told(CONTESTATION, "identifiantAnomalie").as_deref(), Some("A-1"));
    assert_eq!(code(desk.validate(1).await), "simulation-contested");
    assert_eq!(code(desk.contest(1, "A-1", "1").await), "simulation-contested");
    assert_eq!(code(desk.simulate(1).await), "no error", "a new answer may be asked for");
}

#[tokio::test]
async fn what_may_be_contested_is_not_paid_until_that_is_settled() {
    let desk = Desk::open().await;
    for (settles, says) in [
        ("a refusal", Say::Refuse("DELAI")),
        ("a contestation that was there already", Say::RefuseBarely("DEJA_CONTESTE")),
    ] {
        desk.authority.will(&[Say::Remark]);
        desk.simulate(1).await.unwrap();
        desk.authority.will(&[Say::Lose]);
        assert_eq!(code(desk.contest(1, "A-1", "1").await), "contestation-answer-lost");
        let refused = desk.validate(1).await.err().unwrap();
        assert_eq!(
            (refused.code(), refused.correlation_id().as_deref()),
            ("contestation-answer-lost", Some("Id-lost"))
        );
        desk.authority.will(&[says]);
        let again = desk.contest(1, "A-1", "1").await;
        assert_eq!(again.is_ok(), matches!(says, Say::RefuseBarely(_)), "{settles}");
        assert!(
            again.is_err() || again.unwrap() == "SIM-1",
            "known by its own name where the authority gives none"
        );
    }
    assert_eq!(*desk.pen.signatures.lock().unwrap(), 0);
    desk.simulate(1).await.unwrap();
    desk.authority.will(&[Say::Accept]);
    assert_eq!(code(desk.validate(1).await), "no error", "simulated anew");
}

#[tokio::test]
async fn what_was_paid_before_is_paid() {
    for (says, reference, paid) in [
        (Say::Refuse("DEJA_VALIDE"), "PAY-1", Some(7500)),
        (Say::RefuseBarely("DEJA_VALIDE"), "SIM-1", None),
    ] {
        let desk = Desk::open().await;
        desk.simulate(1).await.unwrap();
        desk.authority.will(&[says]);
        let settled = desk.validate(1).await.unwrap();
        let receipt = settled.receipt.unwrap();
        assert_eq!((settled.state, receipt.reference.as_str()), (State::Deposited, reference));
        assert_eq!(
            receipt.payment.map(|payment| payment.paid),
            paid,
            "an amount that was not said is not nothing"
        );
        let remark = receipt.anomalies.first().unwrap();
        assert_eq!((remark.code.as_str(), remark.severity), ("DEJA_VALIDE", Severity::Warning));
        let own = receipt.anomalies.get(1).map(|remark| remark.code.as_str());
        assert_eq!(own, paid.is_none().then_some("paid-amount-unsaid"));
        assert_eq!(desk.state(1).await, State::Deposited);
    }
}

#[tokio::test]
async fn a_payment_of_another_share_than_simulated_is_pointed_out() {
    let desk = Desk::open().await;
    let mut said = Vec::new();
    for (id, lang) in [(1, Lang::Fr), (2, Lang::De), (3, Lang::En), (4, Lang::Lb)] {
        desk.simulate(id).await.unwrap();
        desk.authority.will(&[Say::PayLess]);
        let paid = desk
            .connector
            .validate(Caller::OwnSession, Uuid::from_u128(id), None, lang)
            .await
            .unwrap();
        let remarks = paid.receipt.unwrap().anomalies;
        let [remark] = remarks.as_slice() else {
            panic!("{remarks:?}");
        };
        assert_eq!((remark.code.as_str(), remark.severity), ("paid-share-differs", Severity::Warning));
        assert!(remark.message.contains("70") && remark.message.contains("80"), "{}", remark.message);
        said.push(remark.message.clone());
    }
    assert!(said[2].contains("€70.00"), "{said:?}");
    said.sort();
    said.dedup();
    assert_eq!(said.len(), 4);
    desk.simulate(5).await.unwrap();
    assert!(desk.validate(5).await.unwrap().receipt.unwrap().anomalies.is_empty());
}

#[tokio::test]
async fn a_simulation_is_forgotten_with_its_form_its_session_and_its_physician() {
    let desk = Desk::open().await;
    for id in 1..=3 {
        desk.simulate(id).await.unwrap();
    }
    desk.connector.forget(&Caller::OwnSession, Uuid::from_u128(1)).await.unwrap();
    assert_eq!(code(desk.validate(1).await), "simulation-unknown");
    desk.person.become_another();
    assert_eq!(code(desk.validate(2).await), "simulation-unknown", "another physician's");
    let desk = Desk::open().await;
    desk.simulate(1).await.unwrap();
    desk.connector.logout().await.unwrap();
    assert_eq!(code(desk.validate(1).await), "login-required");
}

#[tokio::test]
async fn no_more_than_sixteen_simulations_wait() {
    let desk = Desk::open().await;
    for id in 1..=17 {
        desk.simulate(id).await.unwrap();
    }
    assert_eq!(code(desk.validate(1).await), "simulation-unknown");
    assert_eq!(code(desk.validate(2).await), "no error");
}

#[tokio::test]
async fn the_page_before_the_signature_shows_what_would_be_paid() {
    let desk = Desk::open().await;
    desk.simulate(1).await.unwrap();
    let page = async |simulation: Option<u128>, kind: &str| {
        let preview = Preview {
            kind: kind.into(),
            volet: "quittance".into(),
            values: example("pid", "consultation"),
            simulation: simulation.map(Uuid::from_u128),
            mark: None,
        };
        let document = desk.connector.preview(&Caller::OwnSession, preview).await.unwrap();
        document.svg(1).unwrap()
    };
    let plain = page(None, "pid").await;
    assert_ne!(page(Some(1), "pid").await, plain);
    assert_eq!(page(Some(2), "pid").await, plain, "an unknown simulation shows the draft");
    desk.person.become_another();
    assert_eq!(page(Some(1), "pid").await, plain, "and so does another physician's");
}

#[tokio::test]
async fn each_form_goes_its_own_way() {
    let desk = Desk::open().await;
    let issue = econnector_connector::Issue {
        id: Uuid::from_u128(1),
        kind: "pid".into(),
        values: example("pid", "consultation"),
        replaces: None,
        reason: None,
    };
    let outcome = desk.connector.issue(Caller::OwnSession, issue, None, Lang::En).await;
    assert_eq!(code(outcome), "form-other-workflow");
    let simulate = econnector_connector::Simulate {
        id: Uuid::from_u128(1),
        kind: Some("ecit".into()),
        values: example("ecit", "illness"),
    };
    let outcome = desk.connector.simulate(Caller::OwnSession, simulate, Lang::En).await;
    assert_eq!(code(outcome), "form-other-workflow");
    desk.issue(2, None).await.unwrap();
    assert_eq!(code(desk.validate(2).await), "simulation-unknown");
}
