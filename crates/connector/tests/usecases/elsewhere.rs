//! Documents made elsewhere: a PDF signed as it is, alone or with the XML of the software that made it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use econnector_base::Explain as _;
use econnector_connector::{Caller, Error};
use econnector_forms::{CheckContext, Environment, WireContext};
use econnector_journal::State;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::desk::{Desk, Say, code, example};

/// By another program, of two pages.
pub(crate) const PDF: &[u8] = include_bytes!("../../../signature/tests/suite/elsewhere/reportlab.pdf");
pub(crate) const OTHER: &[u8] = include_bytes!("../../../signature/tests/suite/elsewhere/chromium.pdf");

/// The XML that software would write of an example.
pub(crate) fn xml(kind: &str, name: &str, id: u128) -> String {
    let packs = econnector_forms::embedded().unwrap();
    let pack = packs.iter().find(|pack| pack.kind() == kind).unwrap();
    let today = pack.example_day(name).unwrap();
    let context = CheckContext {
        today,
        environment: Environment::Production,
    };
    let checked = pack.check(example(kind, name).reveal(), &context).checked.unwrap();
    let context = WireContext {
        id: Uuid::from_u128(id),
        issued: today,
        document: b"%PDF-1.7 unsigned",
        ids: &vec![Uuid::nil(); checked.rows()],
    };
    pack.wire(&checked, &context).unwrap().xml
}

async fn is_valid(desk: &Desk, pdf: &[u8]) -> bool {
    let judged = desk.connector.verify(&Caller::OwnSession, Zeroizing::new(pdf.to_vec())).await;
    judged.unwrap().is_valid()
}

#[tokio::test]
async fn a_pdf_is_signed_once_and_as_it_is() {
    let desk = Desk::open().await;
    let issued = desk.sign(1, PDF, None).await.unwrap();
    assert_eq!((issued.kind.as_str(), issued.state, issued.fresh), ("pdf", State::Signed, true));
    assert!(issued.receipt.is_none(), "nothing was sent");
    let [volet] = issued.volets.as_slice() else {
        panic!("one document")
    };
    assert_eq!((volet.name.as_str(), volet.signed, volet.pages), ("document", true, 2));
    assert!(volet.content.starts_with(PDF));
    assert!(is_valid(&desk, &volet.content).await);
    let (svg, pages) = desk
        .connector
        .volet_page(&Caller::OwnSession, Uuid::from_u128(1), "document", 2)
        .await
        .unwrap();
    assert!(svg.starts_with("<svg") && pages == 2);
    let entry = desk.entry(1).await;
    assert_eq!(
        (entry.kind.as_str(), entry.state, entry.reference, entry.provider_code),
        ("pdf", State::Signed, None, None)
    );
    assert_eq!(entry.who.physician_id, "1900000001");

    let again = desk.sign(1, PDF, None).await.unwrap();
    assert!(!again.fresh && again.state == State::Signed);
    assert_eq!(again.volets[0].content, volet.content, "the same, not signed anew");
    assert_eq!(*desk.pen.signatures.lock().unwrap(), 1);
    assert_eq!(code(desk.sign(1, OTHER, None).await), "id-already-used");
    assert_eq!(
        code(desk.sign(1, PDF, Some(("ecit", xml("ecit", "illness", 1)))).await),
        "id-already-used"
    );
    assert_eq!(code(desk.issue(1, None).await), "id-already-used");
    assert_eq!(code(desk.cancel(1, None).await), "document-not-deposited");
    assert!(desk.authority.messages().is_empty());
}

#[tokio::test]
async fn what_is_not_signed_may_be_sent_again() {
    let desk = Desk::open().await;
    *desk.pen.broken.lock().unwrap() = true;
    assert_eq!(code(desk.sign(1, PDF, None).await), "kms-garbage");
    assert_eq!(desk.state(1).await, State::Failed);
    *desk.pen.broken.lock().unwrap() = false;
    *desk.pen.explodes.lock().unwrap() = true;
    assert_eq!(code(desk.sign(1, PDF, None).await), "internal");
    assert_eq!(desk.state(1).await, State::Failed);
    *desk.pen.explodes.lock().unwrap() = false;
    assert!(desk.sign(1, OTHER, None).await.unwrap().fresh, "even another PDF");
}

#[tokio::test]
async fn a_pdf_that_cannot_be_signed_leaves_no_trace() {
    let desk = Desk::open().await;
    let signed = desk.sign(1, PDF, None).await.unwrap().volets[0].content.to_vec();
    let encrypted = include_bytes!("../../../signature/tests/suite/elsewhere/encrypted.pdf");
    let mut large = PDF.to_vec();
    large.resize(10 * 1024 * 1024 + 1, b' ');
    for (pdf, expected) in [
        (signed.as_slice(), "pdf-already-signed"),
        (encrypted, "pdf-encrypted"),
        (&large, "pdf-unusable"),
        (b"<html>", "pdf-unusable"),
        (b"", "pdf-unusable"),
    ] {
        assert_eq!(code(desk.sign(2, pdf, None).await), expected);
    }
    assert!(desk.journal.find(Uuid::from_u128(2)).await.unwrap().is_none());
    assert_eq!(*desk.pen.signatures.lock().unwrap(), 1);
}

#[tokio::test]
async fn xml_and_page_are_deposited_together_and_once() {
    let desk = Arc::new(Desk::open().await);
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let desk = Arc::clone(&desk);
            tokio::spawn(async move { desk.sign(7, PDF, Some(("ecit", xml("ecit", "illness", 7)))).await })
        })
        .collect();
    let mut fresh = 0;
    for task in tasks {
        let issued = task.await.unwrap().unwrap();
        assert_eq!((issued.kind.as_str(), issued.state), ("ecit", State::Deposited));
        let receipt = issued.receipt.unwrap();
        assert_eq!(receipt.signed_by.as_deref(), Some("Dr Anne Weber"));
        assert!(receipt.own_ms.is_some() && receipt.remote_ms.is_some());
        fresh += usize::from(issued.fresh);
    }
    assert_eq!(
        (fresh, desk.authority.messages().len(), *desk.pen.signatures.lock().unwrap()),
        (1, 1, 1)
    );

    let (model, sent) = desk.authority.messages().remove(0);
    assert_eq!(model, "2026_ECIT_DEPOT-V1");
    assert!(sent.contains("<UUID>00000000-0000-0000-0000-000000000007</UUID>"));
    let volet = desk.volet(7, "caisse").await.unwrap();
    let document = desk.authority.told("2026_ECIT_DEPOT-V1", "document").unwrap();
    assert_eq!(
        STANDARD.decode(document).unwrap(),
        **volet.content,
        "what was handed out is what was sent"
    );
    assert!(volet.content.starts_with(PDF) && is_valid(&desk, &volet.content).await);
    let entry = desk.entry(7).await;
    assert_eq!((entry.state, entry.provider_code.as_deref()), (State::Deposited, Some("90000101")));

    assert_eq!(
        code(desk.sign(7, OTHER, Some(("ecit", xml("ecit", "illness", 7)))).await),
        "id-already-used"
    );
    assert_eq!(
        code(desk.sign(7, PDF, Some(("ecit", xml("ecit", "crf", 7)))).await),
        "id-already-used"
    );
    // It is a deposit like any other: it can be cancelled.
    assert_eq!(desk.cancel(7, None).await.unwrap().entry.state, State::Cancelled);
}

#[tokio::test]
async fn a_fee_note_billed_by_a_hospital_goes_to_the_space_of_the_physician_who_treated() {
    let desk = Desk::open().await;
    let sent = xml("mh", "three-lines", 3).replacen("<codePrestataire>90000101<", "<codePrestataire>20000001<", 1);
    let issued = desk.sign(3, PDF, Some(("mh", sent))).await.unwrap();
    assert_eq!((issued.state, issued.volets[0].name.as_str()), (State::Deposited, "memoire"));
    assert_eq!(desk.entry(3).await.provider_code.as_deref(), Some("90000101"));
}

#[tokio::test]
async fn a_code_alone_says_nothing_where_the_token_names_none() {
    let desk = Desk::open().await;
    desk.person.has_no_codes();
    for code_in_it in ["90000101", "90000102"] {
        let sent = xml("mh", "three-lines", 3).replace("90000101", code_in_it);
        assert_eq!(code(desk.sign(3, PDF, Some(("mh", sent))).await), "physician-mismatch");
    }
    assert!(desk.pen.calls().is_empty());
    // An eCIT names its physician.
    desk.sign(7, PDF, Some(("ecit", xml("ecit", "illness", 7)))).await.unwrap();
}

#[tokio::test]
async fn nothing_is_signed_of_what_does_not_fit() {
    let desk = Desk::open().await;
    let ecit = xml("ecit", "illness", 4);
    let strangers = ecit.replace("90000101", "90000102");
    let other_physician = ecit.replace("1900000001", "1900000002");
    for (kind, xml, expected) in [
        ("ecit", xml("ecit", "illness", 5), "id-mismatch"),
        ("ecit", strangers, "physician-mismatch"),
        ("ecit", other_physician, "physician-mismatch"),
        (
            "mh",
            xml("mh", "three-lines", 4).replace("90000101", "90000102"),
            "physician-mismatch",
        ),
        (
            "ecit",
            ecit.replace("<codeDiagnostic>12</codeDiagnostic>", ""),
            "foreign-xml-invalid",
        ),
        ("ecit", format!("<!DOCTYPE a>{ecit}"), "foreign-xml-invalid"),
        ("mh", ecit.clone(), "foreign-xml-invalid"),
        ("pid", ecit.clone(), "form-other-workflow"),
        ("nothing", ecit.clone(), "form-unknown"),
        ("pdf", ecit.clone(), "form-unknown"),
    ] {
        let outcome = desk.sign(4, PDF, Some((kind, xml))).await;
        assert_eq!(code(outcome), expected, "{kind}");
    }
    desk.person.become_another();
    assert_eq!(code(desk.sign(4, PDF, Some(("ecit", ecit))).await), "physician-mismatch");
    assert_eq!((*desk.pen.signatures.lock().unwrap(), desk.authority.messages().len()), (0, 0));
    assert!(desk.journal.find(Uuid::from_u128(4)).await.unwrap().is_none());
}

#[tokio::test]
async fn the_answer_decides_as_for_any_deposit() {
    let desk = Desk::open().await;
    let deposit = |id| Some(("ecit", xml("ecit", "illness", id)));
    desk.authority.will(&[Say::Refuse("PERIODE"), Say::NotReached]);
    assert_eq!(code(desk.sign(1, PDF, deposit(1)).await), "mysecu-refused");
    assert_eq!(desk.state(1).await, State::Failed);
    assert!(desk.sign(1, PDF, deposit(1)).await.is_err(), "it did not leave");
    assert_eq!(desk.state(1).await, State::Failed);
    assert!(desk.sign(1, OTHER, deposit(1)).await.unwrap().fresh, "corrected");

    desk.authority.will(&[Say::Lose, Say::SpeakOfAnother]);
    assert_eq!(code(desk.sign(2, PDF, deposit(2)).await), "mysecu-outcome-unknown");
    assert_eq!(desk.state(2).await, State::Unknown);
    let told = desk.authority.messages().len();
    let recorded = desk.sign(2, PDF, deposit(2)).await.unwrap();
    assert_eq!((recorded.state, recorded.fresh), (State::Unknown, false));
    assert_eq!(recorded.problem.map(|error| error.code()), Some("mysecu-outcome-unknown"));
    assert_eq!(recorded.volets.len(), 1, "the signed page is there");
    assert_eq!(desk.authority.messages().len(), told, "never sent twice");
    assert_eq!(code(desk.sign(3, PDF, deposit(3)).await), "mysecu-outcome-unknown");
}

#[tokio::test]
async fn a_program_of_the_hospital_acts_and_is_named() {
    let desk = Desk::open().await;
    let engine = || Caller::Delegate {
        client: "Mirth".into(),
        ehealth_id: "1900000001".into(),
    };
    desk.sign_as(engine(), 1, PDF, Some(("ecit", xml("ecit", "illness", 1))))
        .await
        .unwrap();
    let entry = desk.entry(1).await;
    assert_eq!(
        (entry.who.actor_name.as_str(), entry.who.physician_name.as_str()),
        ("Mirth", "Dr Anne Weber")
    );
    assert!(entry.who.actor_id.ends_with("/Mirth"), "{}", entry.who.actor_id);
    assert_eq!(desk.connector.journal(&engine()).await.unwrap().len(), 1);
    assert!(desk.connector.volet(&engine(), Uuid::from_u128(1), "caisse").await.is_ok());
    desk.person.leave();
    assert_eq!(
        code(desk.connector.volet(&engine(), Uuid::from_u128(1), "caisse").await),
        "login-required"
    );
    // A stranger learns nothing of what is wrong with the document.
    assert_eq!(code(desk.sign_as(engine(), 2, b"<html>", None).await), "login-required");
    assert_eq!(code(desk.sign(2, b"<html>", None).await), "pdf-unusable");
    assert_eq!(code(desk.sign(2, PDF, None).await), "login-required");
}

#[tokio::test]
async fn a_signature_is_judged_without_a_login_at_the_desk() {
    let desk = Desk::open().await;
    let signed = desk.sign(1, PDF, None).await.unwrap().volets[0].content.to_vec();
    desk.person.leave();
    let verify = |caller: Caller, pdf: Vec<u8>| {
        let connector = Arc::clone(&desk.connector);
        async move { connector.verify(&caller, Zeroizing::new(pdf)).await }
    };
    let judged = verify(Caller::OwnSession, signed.clone()).await.unwrap();
    assert!(judged.is_valid() && judged.ehealth_id.as_deref() == Some("1900000001"));
    let mut changed = signed.clone();
    changed[200] ^= 1;
    assert!(!verify(Caller::OwnSession, changed).await.is_ok_and(|judged| judged.is_valid()));
    assert_eq!(code(verify(Caller::OwnSession, PDF.to_vec()).await), "pdf-not-signed");
    let stranger = desk.bearer(None);
    assert!(matches!(verify(stranger, signed).await, Err(Error::Identity(_))));
}
