//! A morning in the practice: every form in the real window, by keyboard alone, its screens judged by axe-core and what it sent by
//! other people's programs.

use std::path::{Path, PathBuf};

use econnector_tests::{
    Control, Leaks, Opening, Printer, Trust, Window, cut_out, data_matrix, elements, every_file, judge_signed_pdf, judge_totals, page_text,
    project_file, today_plus, unpack,
};
use fantoccini::key::Key;
use serde_json::json;

/// What a form may cost beyond the data itself.
const MOST_PRESSES: usize = 40;

const PARENT: &str = "1988123048083";
const CHILD: &str = "2024022912336";
const DIAGNOSIS: &str = "QX7719Z";

/// A patient as she stands on the card; typed once, and nowhere else in the project's data.
const PATIENT: [(&str, &str); 3] = [
    ("matricule", "1893120105732"),
    ("last_name", "Quadflieg-Ætherström"),
    ("first_name", "Zébulonia"),
];
const WRONG_CODE: &str = "Verschriwwen: C2 amplaz C1";
const STREET: &str = "Zwischen-den-Wassern 77";

#[tokio::test(flavor = "multi_thread")]
async fn an_illness_takes_forty_presses_at_most() {
    let window = logged_in().await;
    let before = window.presses();
    window.new_form(Key::F2).await;
    window.fill(&PATIENT).await;
    window.fill(&[("last_day", "+4"), ("diagnosis", DIAGNOSIS)]).await;
    window.press(Key::Tab).await;
    window.settled().await;
    window.primary().await;
    window.wait("#receipt[data-state=deposited]").await;
    at_most_forty(&window, before);

    let deposited = Deposited::of(&window, "2026_ECIT_DEPOT-V1").await;
    assert_eq!(elements(&deposited.document, "codeDiagnostic"), [DIAGNOSIS]);
    assert_eq!(elements(&deposited.document, "dateFin"), [today_plus(4)]);
    assert_eq!(data_matrix(&deposited.pdf), "DMCIT;1893120105732");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leave_for_a_sick_child_bears_the_parent_s_matricule_and_is_printed_without_the_child() {
    let printer = Printer::start();
    let window = logged_in_at(Opening::new(1280, 720).await.printing_to(&printer)).await;
    window.new_form(Key::F2).await;
    window
        .fill(&[("matricule", PARENT), ("last_name", "Schmit"), ("first_name", "Léa")])
        .await;
    window.choose("cause", "crf").await;
    window.wait("#field-child_matricule").await;
    window.accessible("crf").await;
    window.fill(&[("last_day", "+1"), ("diagnosis", DIAGNOSIS)]).await;
    let child = [
        ("child_matricule", CHILD),
        ("child_last_name", "Quadflieg"),
        ("child_first_name", "Zébulonia"),
    ];
    window.fill(&child).await;
    window.press(Key::Tab).await;
    window.settled().await;
    window.picture("21-crf").await;
    window.primary().await;
    window.wait("#receipt[data-state=deposited]").await;

    let deposited = Deposited::of(&window, "2026_ECIT_DEPOT-V1").await;
    assert_eq!(elements(&deposited.document, "type"), ["CRF"]);
    assert_eq!(elements(&deposited.document, "matricule"), [PARENT, CHILD]);
    assert_eq!(data_matrix(&deposited.pdf), format!("DMCRF;{PARENT}"));

    // Printing employer and insured, by one chord; nothing of it is written to the disk by us.
    window.chord(&[Key::Control], 'p').await;
    let printed = printer.printed(2);
    assert!(
        printed.iter().all(|text| text.contains("Schmit") && text.contains("Léa")),
        "{printed:?}"
    );
    let employer = &printed[0];
    for hidden in [CHILD, "2024 02 29", "Quadflieg", "Zébulonia", DIAGNOSIS] {
        assert!(!employer.contains(hidden), "{hidden} on the employer's page: {employer}");
    }
    let leaks = Leaks::of(&["Quadflieg", "Zébulonia", PARENT, CHILD, "2024 02 29 123 36", DIAGNOSIS]);
    assert_eq!(leaks.below(window.home()), Vec::<PathBuf>::new());
    assert_eq!(pdfs(window.home()), Vec::<PathBuf>::new(), "printing leaves no file of ours");
    window.accessible("receipt with printer").await;
    window.picture("22-receipt-printed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maternity_certificate_keeps_the_twelve_weeks() {
    let window = logged_in().await;
    window.new_form(Key::F2).await;
    window.fill(&PATIENT).await;
    window.choose("cause", "maternity").await;
    window.wait("#field-expected_date").await;
    window.fill(&[("expected_date", "+100"), ("diagnosis", DIAGNOSIS)]).await;
    window.press(Key::Tab).await;
    // Earlier than twelve weeks before: said before sending, and nothing is sent.
    window.wait_until("document.querySelector('[aria-invalid=true]') !== null").await;
    window.accessible("maternity too early").await;
    window.primary().await;
    window.wait("#summary").await;
    let control = window.control().await;
    assert!(control.exchanges().await.is_empty());
    window.back_to("field-expected_date").await;
    window.chord(&[Key::Control], 'a').await;
    window.data("+60").await;
    window.press(Key::Tab).await;
    window.settled().await;
    window.picture("23-maternity").await;
    window.primary().await;
    window.wait("#receipt[data-state=deposited]").await;
    let deposited = Deposited::of(&window, "2026_ECIT_DEPOT-V1").await;
    assert_eq!(elements(&deposited.document, "type"), ["MATERNITE"]);
    assert_eq!(elements(&deposited.document, "datePresumeeAccouchement"), [today_plus(60)]);
    assert_eq!(elements(&deposited.document, "dateDebut"), [today_plus(60 - 56)]);
    assert_eq!(elements(&deposited.document, "dateFin"), [today_plus(60 + 84)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_note_of_three_lines_takes_forty_presses_at_most_and_leaves_no_trace() {
    let window = logged_in().await;
    let before = window.presses();
    window.new_form(Key::F3).await;
    fee_note(
        &window,
        &[
            &[("code", "C1")],
            &[("code", "N1"), ("quantity", "3")],
            &[("code", "E10"), ("amount", "41,50")],
        ],
    )
    .await;
    shows_total(&window, "138,90").await;
    window.primary().await;
    window.wait("#receipt[data-state=deposited]").await;
    at_most_forty(&window, before);
    window.accessible("fee note deposited").await;
    window.picture("24-mh-receipt").await;

    let deposited = Deposited::of(&window, "2022_CNS_MEMHON_DEPOT-V1").await;
    assert_eq!(
        judge_totals(&deposited.document, &["3=41.50"]),
        ("138.90".to_owned(), "138.90".to_owned())
    );
    let leaks = Leaks::of(&["Quadflieg", "Zébulonia", "1893120105732", "1893 12 01 057 32", STREET]);
    assert_eq!(leaks.below(window.home()), Vec::<PathBuf>::new());
    let home = window.close().await;
    assert_eq!(leaks.below(home.path()), Vec::<PathBuf>::new());
    leaks.prove(home.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_note_of_twelve_lines_has_two_pages_and_keeps_what_was_typed_in_every_language() {
    let window = logged_in().await;
    window.new_form(Key::F3).await;
    window.accessible("empty fee note").await;
    let codes = ["C1", "C2", "C3", "V1", "V2", "N1", "F11", "R1", "E10", "P50", "CP1", "CP2"];
    let lines: Vec<Vec<(&str, &str)>> = codes
        .iter()
        .map(|code| match *code {
            "CP2" => vec![("code", "CP2"), ("amount", "33,30")],
            "V1" => vec![("code", "V1"), ("date", "-2"), ("quantity", "2")],
            code => vec![("code", code)],
        })
        .collect();
    let lines: Vec<&[(&str, &str)]> = lines.iter().map(Vec::as_slice).collect();
    fee_note(&window, &lines).await;
    for language in ["de", "en", "lb", "fr"] {
        window.switch_language(language).await;
        window.settled().await;
        assert_eq!(window.value("last_name").await, PATIENT[1].1, "{language}");
        assert_eq!(window.value("lines-11-code").await, "CP2", "{language}");
        window.accessible(&format!("fee note in {language}")).await;
    }
    window.picture("25-mh-twelve").await;
    let to_pay = "610.60";
    shows_total(&window, &to_pay.replace('.', ",")).await;
    // The second page, with the amount to pay, has not been before anybody's eyes yet: it is shown first, and nothing leaves.
    window.primary().await;
    window.wait("#unseen-page").await;
    assert!(window.control().await.exchanges().await.is_empty());
    window.accessible("the page not seen yet").await;
    window.primary().await;
    window.wait("#receipt[data-state=deposited]").await;

    let deposited = Deposited::of(&window, "2022_CNS_MEMHON_DEPOT-V1").await;
    assert_eq!(elements(&deposited.document, "codeActe"), codes);
    assert_eq!(judge_totals(&deposited.document, &["12=33.30"]).1, to_pay);
    let text = page_text(&deposited.pdf);
    let pages: Vec<&str> = text.trim_end_matches('\u{c}').split('\u{c}').collect();
    assert_eq!(pages.len(), 2, "{text}");
    assert!(
        !pages[0].contains("CP1") && pages[1].contains("CP1") && pages[1].contains("610,60"),
        "{text}"
    );
    // What the first page comes to stands on it and is carried over.
    let carried = "552,30";
    assert!(pages.iter().all(|page| page.contains(carried)), "{carried}: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pid_is_simulated_validated_and_its_receipt_printed() {
    let printer = Printer::start();
    let window = logged_in_at(Opening::new(1280, 720).await.printing_to(&printer)).await;
    let before = window.presses();
    window.new_form(Key::F4).await;
    pid(&window, &["C1", "N1"]).await;
    window.primary().await;
    window.wait("#simulation[data-state=payable]").await;
    window.accessible("simulation").await;
    window.picture("26-pid-simulated").await;
    // A key pays only once what was simulated has stood there for a moment.
    window.wait("footer[data-armed=true]").await;
    window.primary().await;
    window.wait("#receipt[data-state=deposited]").await;
    at_most_forty(&window, before);
    // 88 % of 52.40 and of 15.00, rounded line by line.
    assert!(window.wait("#payment-paid").await.contains("59,31"));
    window.accessible("payment").await;
    window.picture("27-pid-paid").await;

    let control = window.control().await;
    let folder = tempfile::tempdir().unwrap();
    let simulated = cut_out(&control.exchange("2023-CNS-PID-SIM-V1").await, folder.path());
    assert_eq!(elements(&simulated, "codeActe"), ["C1", "N1"]);
    let _ = cut_out(&control.exchange("2023-CNS-PID-VAL-V1").await, folder.path());
    window.chord(&[Key::Control], 'p').await;
    let printed = printer.printed(1);
    assert!(
        printed[0].contains("Merci de ne pas envoyer ce document à votre caisse de maladie"),
        "{printed:?}"
    );
    assert!(printed[0].contains("59,31") && printed[0].contains("8,09"), "{printed:?}");
    let leaks = Leaks::of(&["Quadflieg", "Zébulonia", "1893120105732", "1893 12 01 057 32"]);
    assert_eq!(leaks.below(window.home()), Vec::<PathBuf>::new());
    assert_eq!(pdfs(window.home()), Vec::<PathBuf>::new());
    let home = window.close().await;
    assert_eq!(leaks.below(home.path()), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_that_is_not_eligible_is_contested() {
    let window = logged_in().await;
    window.new_form(Key::F4).await;
    pid(&window, &["C1", "P50"]).await;
    window.primary().await;
    window.wait("#simulation[data-state=declined]").await;
    assert!(
        window.script("document.getElementById('problem') === null").await == json!(true),
        "an outcome, not an error"
    );
    assert!(window.script("document.getElementById('validate') === null").await == json!(true));
    window.accessible("not eligible").await;
    window.picture("28-pid-declined").await;
    window.tab_until("document.activeElement?.id.startsWith('contest-')").await;
    window.press(Key::Space).await;
    window.tab_until("document.activeElement?.id.startsWith('why-')").await;
    window.press(Key::Down).await;
    window.tab_to("contest").await;
    window.press(Key::Enter).await;
    window.wait("#simulation[data-state=contested]").await;
    window.accessible("contested").await;
    let control = window.control().await;
    let folder = tempfile::tempdir().unwrap();
    let sent = cut_out(&control.exchange("2023-CNS-PID-CON-V1").await, folder.path());
    assert_eq!(elements(&sent, "contestationAnomalie").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pid_that_cannot_be_paid_becomes_a_fee_note_by_one_key() {
    let window = logged_in().await;
    window.new_form(Key::F4).await;
    pid(&window, &["C1", "P50"]).await;
    window.primary().await;
    window.wait("#simulation[data-state=declined]").await;
    window.press(Key::F9).await;
    window.wait("#field-insured_street").await;
    assert_eq!(window.value("last_name").await, PATIENT[1].1);
    assert_eq!(window.value("lines-1-code").await, "P50");
    window.back_to("field-insured_street").await;
    window.data(STREET).await;
    window.press(Key::Tab).await;
    window.settled().await;
    shows_total(&window, "172,40").await;
    window.accessible("pid turned into fee note").await;
    window.primary().await;
    window.wait("#receipt[data-state=deposited]").await;
    let deposited = Deposited::of(&window, "2022_CNS_MEMHON_DEPOT-V1").await;
    assert_eq!(judge_totals(&deposited.document, &[]).1, "172.40");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_code_is_corrected_from_the_receipt_in_one_action() {
    let window = logged_in().await;
    window.new_form(Key::F3).await;
    fee_note(&window, &[&[("code", "C2")]]).await;
    window.primary().await;
    window.wait("#receipt[data-state=deposited]").await;
    window.press(Key::F8).await;
    window.wait_until("document.activeElement?.id === 'reason'").await;
    window.wait(".reason[data-armed=true]").await;
    window.accessible("reason").await;
    window.chord(&[Key::Control], 'a').await;
    window.data(WRONG_CODE).await;
    window.press(Key::Enter).await;
    window.wait("#field-lines-0-code").await;
    assert_eq!(window.value("last_name").await, PATIENT[1].1, "everything typed is there again");
    window.replace("lines-0-code", "C1").await;
    window.press(Key::Tab).await;
    window.settled().await;
    shows_total(&window, "52,40").await;
    window.primary().await;
    window.wait("#receipt[data-state=deposited]").await;
    window.picture("29-replaced").await;

    let control = window.control().await;
    let folder = tempfile::tempdir().unwrap();
    let cancelled = cut_out(&control.exchange("2022_CNS_MEMHON_ANNUL-V1").await, folder.path());
    let deposits: Vec<_> = control
        .exchanges()
        .await
        .into_iter()
        .filter(|one| one["model_uid"] == "2022_CNS_MEMHON_DEPOT-V1")
        .collect();
    assert_eq!(deposits.len(), 2);
    let first = elements(&cut_out(&deposits[0], folder.path()), "UUID");
    let second = elements(&cut_out(&deposits[1], folder.path()), "UUID");
    assert_eq!(elements(&cancelled, "UUIDDocumentAnnule"), first);
    assert_eq!(elements(&cancelled, "UUIDDocumentRemplacant"), second);
    assert_eq!(
        (elements(&cancelled, "TypeAnnulation"), elements(&cancelled, "Motif")),
        (vec!["2".into()], vec![WRONG_CODE.into()])
    );

    window.tab_to("nav-journal").await;
    window.press(Key::Enter).await;
    window.wait(&format!("#entry-{} [id^=cancel-]", second[0])).await;
    let old = window.wait(&format!("#entry-{}", first[0])).await;
    let new = window.wait(&format!("#entry-{}", second[0])).await;
    assert!(old.contains(&second[0][..8]) && new.contains(&first[0][..8]), "linked: {old} {new}");
    window.accessible("journal with links").await;
    assert_eq!(
        Leaks::of(&[WRONG_CODE]).below(window.home()),
        Vec::<PathBuf>::new(),
        "the reason is told and not kept"
    );
    window.picture("30-journal-linked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_line_of_the_journal_is_cancelled_without_its_values_and_replaced_by_typing_again() {
    let window = logged_in().await;
    let control = window.control().await;
    for _ in 0..2 {
        window.new_form(Key::F2).await;
        window.fill(&PATIENT).await;
        window.fill(&[("last_day", "+4"), ("diagnosis", DIAGNOSIS)]).await;
        window.press(Key::Tab).await;
        window.settled().await;
        window.primary().await;
        window.wait("#receipt[data-state=deposited]").await;
        // "New" forgets what was typed.
        window.tab_to("new").await;
        window.press(Key::Enter).await;
        window.wait_until("document.activeElement?.id === 'field-matricule'").await;
    }
    window.tab_to("nav-journal").await;
    window.press(Key::Enter).await;
    window.wait("[id^=cancel-]").await;
    window.tab_until("document.activeElement?.id.startsWith('cancel-')").await;
    window.press(Key::Enter).await;
    window.wait_until("document.activeElement?.id === 'reason'").await;
    window.wait(".reason[data-armed=true]").await;
    window.accessible("reason in the journal").await;
    window.press(Key::Enter).await;
    window.wait("tr[data-state=cancelled]").await;
    let folder = tempfile::tempdir().unwrap();
    let simple = cut_out(&control.exchange("2026_ECIT_ANNUL-V1").await, folder.path());
    assert_eq!(elements(&simple, "TypeAnnulation"), ["1"]);

    window.tab_until("document.activeElement?.id.startsWith('replace-')").await;
    window.press(Key::Enter).await;
    window.wait_until("document.activeElement?.id === 'reason'").await;
    window.wait(".reason[data-armed=true]").await;
    window.press(Key::Enter).await;
    window.wait("#field-matricule").await;
    assert_eq!(window.value("matricule").await, "", "no patient data is left");
    window.wait_until("document.activeElement?.id.startsWith('field-')").await;
    window.fill(&PATIENT).await;
    window.fill(&[("last_day", "+5"), ("diagnosis", DIAGNOSIS)]).await;
    window.press(Key::Tab).await;
    window.settled().await;
    window.primary().await;
    window.wait("#receipt[data-state=deposited]").await;
    let sent: Vec<_> = control
        .exchanges()
        .await
        .into_iter()
        .filter(|one| one["model_uid"] == "2026_ECIT_ANNUL-V1")
        .collect();
    assert_eq!(sent.len(), 2);
    let replaced = cut_out(&sent[1], folder.path());
    assert_eq!(elements(&replaced, "TypeAnnulation"), ["2"]);
    assert_eq!(elements(&replaced, "UUIDDocumentRemplacant").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_paper_form_is_printed_when_nobody_can_log_in() {
    let printer = Printer::start();
    let window = Opening::new(1280, 720).await.printing_to(&printer).open().await;
    window.wait("#nav-new-ecit").await;
    let control = window.control().await;
    for service in ["aes", "kms", "mysecu"] {
        control.fault(json!({ "service": service, "kind": "drop" })).await;
    }
    window.new_form(Key::F2).await;
    window.fill(&PATIENT).await;
    window.fill(&[("last_day", "+4"), ("diagnosis", DIAGNOSIS)]).await;
    // Without a login nothing is known of the physician.
    window
        .fill(&[
            ("provider_code", "90000101"),
            ("physician_name", "Dr Anne Weber"),
            ("physician_ehealth_id", "1900000001"),
        ])
        .await;
    window.press(Key::Tab).await;
    window.settled().await;
    window.accessible("form without login").await;
    window.chord(&[Key::Control, Key::Shift], 'P').await;
    window.wait("#receipt[data-state=paper]").await;
    window.accessible("paper").await;
    window.picture("31-paper").await;
    let printed = printer.printed(3);
    for words in ["Quadflieg-Ætherström", "DOCUMENT PAPIER – À SIGNER À LA MAIN"] {
        assert!(printed.iter().all(|text| text.contains(words)), "{words}: {printed:?}");
    }
    assert!(control.exchanges().await.is_empty());
    window.tab_to("nav-journal").await;
    window.press(Key::Enter).await;
    window.wait("tr[data-state=paper]").await;
    assert_eq!(pdfs(window.home()), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_profile_fills_the_next_form_and_a_favourite_comes_first() {
    let window = Window::open(1280, 720).await;
    window.log_in().await;
    window.tab_to("nav-settings").await;
    window.press(Key::Enter).await;
    window.tab_to("profile").await;
    window.press(Key::Enter).await;
    window.wait("#profile-form").await;
    for (field, text) in [
        ("street", "rue des Tilleuls"),
        ("postal_code", "L-2345"),
        ("locality", "Luxembourg"),
        ("phone", "+352 27 00 00 12"),
    ] {
        window.replace(field, text).await;
    }
    window.tab_to("add-code").await;
    window.press(Key::Enter).await;
    window
        .wait_until("document.activeElement?.id === 'field-billing_codes-1-code'")
        .await;
    window.data("80000042").await;
    window.fill(&[("billing_codes-1-label", "Association")]).await;
    window.accessible("profile").await;
    window.picture("32-profile").await;
    window.primary().await;
    window
        .wait_until("document.getElementById('field-billing_codes-1-code') !== null && document.querySelector('#save:disabled') === null")
        .await;

    window.new_form(Key::F3).await;
    window.tab_to("more-physician").await;
    window.press(Key::Enter).await;
    assert_eq!(window.value("physician_street").await, "rue des Tilleuls");
    window.replace("billing_code", "8000").await;
    window.press(Key::Down).await;
    window.press(Key::Enter).await;
    assert_eq!(window.value("billing_code").await, "80000042", "offered from the profile");

    // A favourite is a code alone, never a patient's; it stands first from then on.
    window.new_form(Key::F2).await;
    window.fill(&[("diagnosis", "12")]).await;
    window.chord(&[Key::Control], 'd').await;
    window.wait_until("document.querySelector('.star.kept') !== null").await;
    window.chord(&[Key::Control], 'a').await;
    window.press(Key::Delete).await;
    window.press(Key::Down).await;
    window
        .wait_until("document.querySelector('[role=listbox]:not([hidden]) [role=option] .code')?.textContent.trim() === '12'")
        .await;
    window.accessible("favourites").await;
    let home = window.close().await;
    let kept = every_file(home.path()).into_iter().any(|file| {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap_or_default()).into_owned();
        text.contains("rue des Tilleuls") && text.contains("80000042")
    });
    assert!(kept, "the profile is on the disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fourth_form_is_a_folder() {
    let folder = project_file("crates/forms/tests/data/glasses");
    let window = logged_in_at(Opening::new(1280, 720).await.with_form(&folder)).await;
    window.wait("#nav-new-glasses").await;
    window.tab_to("nav-new-glasses").await;
    window.press(Key::Enter).await;
    window.wait_until("document.activeElement?.id.startsWith('field-')").await;
    window.fill(&[("wearer", PATIENT[0].1)]).await;
    // Two ways to go: buttons, of which the second is an arrow away.
    window.tab_to("field-frame").await;
    window.press(Key::Down).await;
    window.wait("#field-wood_kind").await;
    window
        .fill(&[
            ("wood_kind", "chêne <&>"),
            ("lens", "A1"),
            ("items-0-code", "CASE"),
            ("items-0-quantity", "2"),
        ])
        .await;
    window.press(Key::Tab).await;
    window.settled().await;
    window.accessible("fourth form").await;
    window.picture("33-fourth-form").await;
    window.primary().await;
    window.wait("#receipt[data-state=deposited]").await;
    let exchange = window.control().await.exchanges().await.remove(0);
    assert_eq!(exchange["model_uid"], "TEST_GLASSES-V1");
    assert!(exchange["envelope"].as_str().unwrap().contains("chêne &lt;&amp;&gt;"), "{exchange}");
    let trust = Trust::of(&window.control().await.get("/ready").await);
    let target = tempfile::tempdir().unwrap();
    judge_signed_pdf(&trust, &unpack(&exchange["document_pdf"], target.path().join("glasses.pdf")));
}

/// The one deposit of a model, judged: its envelope, its document against the schema, its signed page.
struct Deposited {
    document: PathBuf,
    pdf: PathBuf,
    _folder: tempfile::TempDir,
}

impl Deposited {
    async fn of(window: &Window, model: &str) -> Self {
        let control: Control = window.control().await;
        let exchange = control.exchange(model).await;
        let folder = tempfile::tempdir().unwrap();
        let document = cut_out(&exchange, folder.path());
        let pdf = unpack(&exchange["document_pdf"], folder.path().join("deposited.pdf"));
        judge_signed_pdf(&Trust::of(&control.get("/ready").await), &pdf);
        Self {
            document,
            pdf,
            _folder: folder,
        }
    }
}

async fn logged_in() -> Window {
    logged_in_at(Opening::new(1280, 720).await).await
}

/// A physician who has used the program before: her address is known.
async fn logged_in_at(opening: Opening) -> Window {
    let profile =
        json!({ "street": "rue des Tilleuls", "number": "12", "postal_code": "L-2345", "locality": "Luxembourg", "country": "LU" });
    let window = opening.with_profile(&profile).open().await;
    window.log_in().await;
    window
}

async fn shows_total(window: &Window, amount: &str) {
    window
        .wait_until(&format!(
            "document.getElementById('total-to_pay')?.textContent.includes('{amount}')"
        ))
        .await;
}

fn at_most_forty(window: &Window, before: usize) {
    let presses = window.presses() - before;
    assert!(presses <= MOST_PRESSES, "{presses} presses beyond the data");
}

/// Patient, address and lines of a fee note; Enter in a line's last visible column opens the next.
async fn fee_note(window: &Window, lines: &[&[(&str, &str)]]) {
    window.fill(&PATIENT).await;
    window.fill(&[("insured_street", STREET)]).await;
    window.fill_lines("amount", lines).await;
    window.press(Key::Tab).await;
    window.settled().await;
}

async fn pid(window: &Window, codes: &[&str]) {
    window.fill(&PATIENT).await;
    let lines: Vec<[(&str, &str); 1]> = codes.iter().map(|code| [("code", *code)]).collect();
    let lines: Vec<&[(&str, &str)]> = lines.iter().map(|line| &line[..]).collect();
    window.fill_lines("quantity", &lines).await;
    window.press(Key::Tab).await;
    window.settled().await;
}

fn pdfs(home: &Path) -> Vec<PathBuf> {
    let mut files = every_file(home);
    files.retain(|file| std::fs::read(file).is_ok_and(|content| content.windows(5).any(|bytes| bytes == b"%PDF-")));
    files
}
