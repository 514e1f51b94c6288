use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use econnector_base::{Explain as _, FixedClock};
use econnector_loopback::{Action, Answer, Approval, Link, LinkError, LinkOptions, Rules, Software, WaitingKind};
use serde_json::json;
use time::macros::datetime;

use crate::kit::{Ask, Door, NAME, PATIENT, WEBER, approval_of, door, door_with, options, rest, rules};

fn sign(door: &Door) -> Ask {
    door.ask("POST /econnector/v1/documents")
        .json(&json!({"values": {"last_name": PATIENT}}))
}

fn approval() -> Approval {
    approval_of(Action::Cancel, WEBER)
}

/// A secretary for the same physician, and the same person for another.
const OTHERS: [&str; 2] = ["claire 1900000001", "anne 1900000002"];

fn software(name: &str, origin: Option<&str>) -> Software {
    Software {
        name: name.into(),
        origin: origin.map(Into::into),
    }
}

#[tokio::test]
async fn what_is_signed_is_shown_first() {
    let door = door().await;
    let line = sign(&door).hold().await;
    let waiting = door.waiting(1).await;
    assert_eq!(waiting[0].kind, WaitingKind::Approval);
    assert_eq!((waiting[0].action, waiting[0].form.as_deref()), (Some(Action::Sign), Some("form")));
    assert!(door.attention.load(Ordering::SeqCst) >= 1);
    let shown = door.link.approval(waiting[0].id).unwrap();
    assert_eq!(Some(shown.document), waiting[0].document);
    assert_eq!(shown.values.as_ref().unwrap().reveal()["last_name"], PATIENT);
    assert!(!serde_json::to_string(&door.view()).unwrap().contains(PATIENT));
    door.link.answer(waiting[0].id, Answer::Once).unwrap();
    assert_eq!(rest(line).await.status, 201);
    assert!(door.link.approval(waiting[0].id).is_none(), "what was answered is gone");
    assert_eq!(Arc::strong_count(&shown), 1, "nobody else keeps it");
    assert_eq!(door.link.answer(waiting[0].id, Answer::Once).unwrap_err().code(), "link-unknown");

    let line = sign(&door).hold().await;
    let id = door.waiting(1).await[0].id;
    door.link.answer(id, Answer::Refuse).unwrap();
    let told = rest(line).await;
    assert_eq!((told.status, told.body.as_str()), (403, "approval-refused"));
    for name in ["link.json", "connection.json"] {
        assert!(!door.file(name).contains(PATIENT));
    }
}

#[tokio::test]
async fn a_question_that_nobody_answers_ends() {
    let door = door_with(Rules {
        software: vec![NAME.into()],
        approval_seconds: 1,
        ..rules()
    })
    .await;
    let told = sign(&door).send().await;
    assert_eq!((told.status, told.body.as_str()), (403, "approval-missing"));
    assert!(door.view().waiting.is_empty());
}

#[tokio::test]
async fn who_hangs_up_withdraws_the_question() {
    let door = door().await;
    let line = sign(&door).hold().await;
    let id = door.waiting(1).await[0].id;
    drop(line);
    door.waiting(0).await;
    assert!(door.link.approval(id).is_none());
    assert_eq!(door.link.answer(id, Answer::Once).unwrap_err().code(), "link-unknown");
}

#[tokio::test]
async fn trust_for_today_spares_the_questions() {
    let door = door().await;
    let (first, second) = (sign(&door).hold().await, sign(&door).hold().await);
    let waiting = door.waiting(2).await;
    door.link.answer(waiting[1].id, Answer::Today).unwrap();
    assert_eq!((rest(first).await.status, rest(second).await.status), (201, 201));
    assert_eq!(sign(&door).send().await.status, 201);
    let view = door.view();
    let until = view.software[0].trusted_until.unwrap();
    assert!(until > time::OffsetDateTime::now_utc() && until < time::OffsetDateTime::now_utc() + time::Duration::hours(24));
    assert!(!door.file("link.json").contains("trust"));
    door.link.distrust(NAME, Some(WEBER));
    assert!(door.view().software[0].trusted_until.is_none());
    let line = sign(&door).hold().await;
    let id = door.waiting(1).await[0].id;
    // A refusal of the software ends its questions, too.
    door.link.decide(NAME, false).unwrap();
    assert_eq!(rest(line).await.body, "approval-refused");
    assert!(door.link.approval(id).is_none());
}

#[tokio::test]
async fn trust_ends_at_midnight() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::new(datetime!(2026-03-02 12:00 UTC)));
    let link = Link::open(LinkOptions {
        clock: clock.clone(),
        ..options(
            folder.path(),
            Rules {
                software: vec![NAME.into()],
                approval_seconds: 0,
                ..rules()
            },
        )
    })
    .unwrap();
    link.trust_today(NAME, WEBER).unwrap();
    clock.set(datetime!(2026-03-02 22:59 UTC));
    link.approve(&software(NAME, None), approval()).await.unwrap();
    clock.set(datetime!(2026-03-02 23:00 UTC));
    assert!(matches!(
        link.approve(&software(NAME, None), approval()).await,
        Err(LinkError::ApprovalMissing)
    ));
    assert!(
        link.view(econnector_forms::Lang::En, Some(WEBER)).software[0]
            .trusted_until
            .is_none()
    );
}

#[tokio::test]
async fn trust_in_a_program_is_no_trust_in_a_page_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let rules = Rules {
        software: vec![NAME.into()],
        approval_seconds: 0,
        ..rules()
    };
    let link = Link::open(options(folder.path(), rules)).unwrap();
    link.trust_today(NAME, WEBER).unwrap();
    link.approve(&software(NAME, None), approval()).await.unwrap();
    let page = software(NAME, Some("https://praxis.example"));
    assert!(matches!(link.approve(&page, approval()).await, Err(LinkError::ApprovalMissing)));
    assert!(matches!(
        link.approve(&software("Other", None), approval()).await,
        Err(LinkError::ApprovalMissing)
    ));
}

#[tokio::test]
async fn trust_in_one_name_is_none_in_another() {
    let folder = tempfile::tempdir().unwrap();
    let rules = Rules {
        software: vec![NAME.into()],
        approval_seconds: 0,
        ..rules()
    };
    let link = Link::open(options(folder.path(), rules)).unwrap();
    link.trust_today(NAME, WEBER).unwrap();
    link.approve(&software(NAME, None), approval()).await.unwrap();
    for other in OTHERS {
        let approved = link.approve(&software(NAME, None), approval_of(Action::Cancel, other)).await;
        assert!(matches!(approved, Err(LinkError::ApprovalMissing)), "{other}");
    }
    for name in OTHERS {
        link.trust_today(NAME, name).unwrap();
        link.approve(&software(NAME, None), approval_of(Action::Cancel, name))
            .await
            .unwrap();
    }
    link.approve(&software(NAME, None), approval()).await.unwrap();
    let until = |name| link.view(econnector_forms::Lang::En, name).software[0].trusted_until;
    link.distrust(NAME, Some(OTHERS[0]));
    assert!(until(Some(OTHERS[0])).is_none() && until(None).is_none());
    assert!(until(Some(WEBER)).is_some(), "whoever ends her trust ends no colleague's");
    link.distrust(NAME, None);
    for name in [WEBER, OTHERS[0], OTHERS[1]] {
        let approved = link.approve(&software(NAME, None), approval_of(Action::Cancel, name)).await;
        assert!(matches!(approved, Err(LinkError::ApprovalMissing)), "{name}");
    }
}

#[tokio::test]
async fn yes_to_all_of_today_answers_in_one_name() {
    let door = door().await;
    let ask = |name: &'static str| {
        let link = door.link.clone();
        tokio::spawn(async move { link.approve(&software(NAME, None), approval_of(Action::Cancel, name)).await })
    };
    let first = ask(WEBER);
    door.waiting(1).await;
    let (second, others) = (ask(WEBER), OTHERS.map(ask));
    let waiting = door.waiting(4).await;
    door.link.answer(waiting[0].id, Answer::Today).unwrap();
    assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
    for left in door.waiting(2).await {
        door.link.answer(left.id, Answer::Refuse).unwrap();
    }
    for other in others {
        assert!(matches!(other.await.unwrap(), Err(LinkError::ApprovalRefused)));
    }
}

#[tokio::test]
async fn trust_in_a_page_that_was_just_allowed_is_no_trust_in_the_program_of_its_name() {
    const PAGE: &str = "https://praxis.example";
    let door = door_with(Rules {
        approval_seconds: 0,
        ..rules()
    })
    .await;
    let key = door.link.allow_origin(PAGE).unwrap().key;
    let line = door
        .ask("GET /econnector/v1/forms")
        .with("Origin", PAGE)
        .but("X-EConnector-Key", &key)
        .hold()
        .await;
    door.waiting(1).await;
    door.link.decide(NAME, true).unwrap();
    door.link.trust_today(NAME, WEBER).unwrap();
    assert_eq!(rest(line).await.status, 200);
    door.link.approve(&software(NAME, Some(PAGE)), approval()).await.unwrap();
    assert!(matches!(
        door.link.approve(&software(NAME, None), approval()).await,
        Err(LinkError::ApprovalMissing)
    ));
}

#[tokio::test]
async fn the_waiting_list_of_approvals_is_short() {
    let door = door().await;
    let mut questions = Vec::new();
    let mut ask = |name: &str| {
        let (link, software) = (door.link.clone(), software(name, None));
        questions.push(tokio::spawn(async move { link.approve(&software, approval()).await }));
    };
    for _ in 0..4 {
        ask("One");
    }
    door.waiting(4).await;
    assert!(matches!(
        door.link.approve(&software("One", None), approval()).await,
        Err(LinkError::Busy)
    ));
    for _ in 0..4 {
        ask("Two");
    }
    door.waiting(8).await;
    assert!(matches!(
        door.link.approve(&software("Three", None), approval()).await,
        Err(LinkError::Busy)
    ));
    for question in &questions {
        question.abort();
    }
    door.waiting(0).await;
    tokio::time::timeout(Duration::from_secs(5), async {
        for question in questions {
            assert!(question.await.unwrap_err().is_cancelled());
        }
    })
    .await
    .unwrap();
}
