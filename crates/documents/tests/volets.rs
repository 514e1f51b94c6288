//! The volets, judged by other people's programs: qpdf, poppler, dmtxread.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use econnector_base::{Explain, Fault};
use econnector_documents::{Content, Document, DocumentError, DocumentFacts};
use econnector_forms::{CheckContext, Checked, MemoryFiles, Pack};
use serde_json::{Map, Value, json};
use support::{run, text, typesetter, written};
use time::macros::date;

mod support;

const TODAY: time::Date = date!(2026 - 11 - 23);
const CONTEXT: CheckContext = CheckContext {
    today: TODAY,
    environment: econnector_forms::Environment::Production,
};

fn pack() -> &'static Pack {
    support::pack("ecit")
}

fn facts() -> DocumentFacts {
    support::facts(TODAY)
}

fn values(example: &str, changes: Value) -> Map<String, Value> {
    support::values(pack(), example, changes)
}

fn checked(values: &Map<String, Value>) -> Checked {
    support::checked(pack(), values, TODAY)
}

fn set(volet: &str, checked: &Checked) -> Result<Document, DocumentError> {
    support::set(pack(), volet, Content::Checked(checked), &facts())
}

fn pdf(volet: &str, example: &str, changes: Value) -> Vec<u8> {
    set(volet, &checked(&values(example, changes))).unwrap().pdf().unwrap()
}

#[test]
fn the_same_values_give_the_same_bytes() {
    for volet in ["caisse", "employeur", "assure"] {
        let first = pdf(volet, "illness", json!({}));
        assert!(first == pdf(volet, "illness", json!({})), "{volet}");
        assert!(first.len() < 120_000, "{volet}: {} bytes", first.len());
        assert!(first != pdf(volet, "illness", json!({"first_name": "Lea"})), "{volet}");
    }
}

#[test]
fn every_volet_is_a_clean_pdf_of_one_page() {
    for volet in ["caisse", "employeur", "assure"] {
        for example in ["illness", "long-names", "crf", "maternity"] {
            let folder = written(&pdf(volet, example, json!({})));
            assert!(run("qpdf", &["--check", "a.pdf"], folder.path()).contains("No syntax or stream encoding errors"));
            let info = run("pdfinfo", &["a.pdf"], folder.path());
            assert!(info.contains("Pages:           1\n"), "{info}");
            assert!(info.contains("Tagged:          yes") && info.contains("A4"), "{info}");
            let fonts = run("pdffonts", &["a.pdf"], folder.path());
            let fonts: Vec<&str> = fonts.lines().skip(2).collect();
            assert!(
                !fonts.is_empty() && fonts.iter().all(|f| f.contains("LiberationSans") && f.contains(" yes ")),
                "{fonts:?}"
            );
        }
    }
}

#[test]
fn the_pdf_declares_archiving_and_accessibility() {
    let folder = written(&pdf("caisse", "illness", json!({})));
    run(
        "qpdf",
        &["--qdf", "--object-streams=disable", "--stream-data=uncompress", "a.pdf", "b.pdf"],
        folder.path(),
    );
    let bytes = std::fs::read(folder.path().join("b.pdf")).unwrap();
    let plain = String::from_utf8_lossy(&bytes);
    for mark in [
        "<pdfaid:part>2</pdfaid:part>",
        "<pdfaid:conformance>A</pdfaid:conformance>",
        "<pdfuaid:part>1</pdfuaid:part>",
        "/Lang (fr)",
    ] {
        assert!(plain.contains(mark), "{mark}");
    }
    assert!(plain.contains("2026-10-26T09:30:00"));
}

#[test]
fn typed_text_is_found_on_the_page() {
    let long = text(&pdf("caisse", "long-names", json!({})));
    for word in [
        "Steinbrücker",
        "Wiśniewska-",
        "Đorđević",
        "Παπαδοπούλου",
        "Assunção",
        "Ħelena",
        "Ольга",
        "Ŵyneth",
        "Łucja",
        "Gënschteheck",
        "S52.5-X",
        "3934 05 24 924 35",
    ] {
        assert!(long.contains(word), "{word}: {long}");
    }
    let plain = text(&pdf("caisse", "illness", json!({})));
    for words in [
        "CERTIFICAT D’INCAPACITÉ DE TRAVAIL",
        "Volet caisse",
        "Schmit Léa",
        "1988 12 30 480 83",
        "26.10.2026",
        "30.10.2026",
        "5 jours",
        "du lundi 26 octobre 2026 au vendredi 30 octobre 2026",
        "× Maladie",
        "90000101",
        "1900000001",
        "Signé électroniquement par",
        "3f2a9c1e-7b54-4d0a-9e61-5c28d7f013ab",
    ] {
        assert!(plain.contains(words), "{words}: {plain}");
    }
    let assure = text(&pdf("assure", "illness", json!({})));
    assert!(
        assure.contains("12 · Infection aiguë des voies respiratoires supérieures"),
        "{assure}"
    );
    assert!(assure.contains("volet caisse n° 3f2a9c1e-7b54-4d0a-9e61-5c28d7f013ab"), "{assure}");
}

#[test]
fn a_reader_decodes_the_datamatrix() {
    // For leave for family reasons it is the parent's matricule, not the child's.
    for (example, content) in [
        ("illness", "DMCIT;1988123048083"),
        ("work-accident", "DMCIT;1987110803276"),
        ("crf", "DMCRF;1988123048083"),
        ("maternity", "DMMAT;1988123048083"),
    ] {
        assert_eq!(support::datamatrix(&pdf("caisse", example, json!({}))), content, "{example}");
    }
}

#[test]
fn only_the_caisse_volet_bears_a_datamatrix() {
    let images = |volet: &str| {
        let folder = written(&pdf(volet, "illness", json!({})));
        run("qpdf", &["--qdf", "--object-streams=disable", "a.pdf", "b.pdf"], folder.path());
        String::from_utf8_lossy(&std::fs::read(folder.path().join("b.pdf")).unwrap()).contains("/Figure")
    };
    assert!(images("caisse"));
    assert!(!images("employeur"));
    assert!(!images("assure"));
}

#[test]
fn the_employer_volet_holds_no_diagnosis_in_any_byte() {
    // A code that occurs nowhere by chance.
    let diagnosis = json!({"diagnosis": "QX7DIAG"});
    let employer = pdf("employeur", "illness", diagnosis.clone());
    assert!(!text(&employer).contains("QX7DIAG") && !support::holds(&support::bytes(&employer), "QX7DIAG"));
    // Two diagnoses, one employer volet: nothing at all depends on it, glyph streams and font subsets included.
    assert!(employer == pdf("employeur", "illness", json!({"diagnosis": "34"})));
    // The same search finds it where it belongs.
    assert!(text(&pdf("caisse", "illness", diagnosis)).contains("QX7DIAG"));
}

#[test]
fn the_employer_volet_holds_nothing_of_the_child_or_of_an_accident() {
    let child = json!({
        "child_matricule": "2024022912336", "child_last_name": "Qvzxjk", "child_first_name": "Wqzyx", "hospitalised": true, "diagnosis": "QX7DIAG",
    });
    let other = json!({"child_matricule": "2024022912336", "child_last_name": null, "child_first_name": null, "hospitalised": false});
    let employer = pdf("employeur", "crf", child.clone());
    assert!(employer == pdf("employeur", "crf", other));
    let words = text(&employer);
    assert!(
        words.contains("Congé pour raisons familiales") && words.contains("1988 12 30 480 83"),
        "{words}"
    );
    let found = support::bytes(&employer);
    for needle in ["Qvzxjk", "Wqzyx", "2024022912336", "2024 02 29", "QX7DIAG", "hospitalis"] {
        assert!(!words.contains(needle) && !support::holds(&found, needle), "{needle}");
    }
    let caisse = text(&pdf("caisse", "crf", child));
    for needle in ["Qvzxjk", "Wqzyx", "2024 02 29 123 36", "QX7DIAG", "× oui"] {
        assert!(caisse.contains(needle), "{needle}: {caisse}");
    }
    let accident = |number: &str, day: &str| {
        pdf(
            "employeur",
            "work-accident",
            json!({"accident_number": number, "accident_date": day}),
        )
    };
    assert!(accident("U123456789", "2026-10-23") == accident("L987654321", "2026-10-22"));
}

#[test]
fn the_employer_volet_on_paper_is_the_same_whatever_the_diagnosis_the_child_or_the_accident_is() {
    let employer = |example: &str, changes: Value| {
        let facts = DocumentFacts { paper: true, ..facts() };
        let checked = checked(&values(example, changes));
        let document = support::set(pack(), "employeur", Content::Checked(&checked), &facts).unwrap();
        document.pdf().unwrap()
    };
    let illness = employer("illness", json!({}));
    assert!(text(&illness).contains("DOCUMENT PAPIER") && text(&illness).contains("× Maladie ou autre accident"));
    for changes in [
        json!({"diagnosis": "QX7DIAG"}),
        json!({"cause": "occupational_disease", "diagnosis": "34"}),
        json!({"cause": "other_accident", "accident_date": "2026-10-26", "accident_number": "U123456789"}),
    ] {
        assert!(illness == employer("illness", changes.clone()), "{changes}");
    }
    let accident = employer("work-accident", json!({}));
    assert!(
        accident
            == employer(
                "work-accident",
                json!({"accident_number": "L987654321", "accident_date": "2026-10-22", "diagnosis": "QX7DIAG"})
            )
    );
    assert!(accident == employer("work-accident", json!({"accident_number": null})));
    let family = employer("crf", json!({}));
    let child = json!({"child_matricule": "2024022912336", "child_last_name": "Qvzxjk", "child_first_name": "Wqzyx", "hospitalised": true, "diagnosis": "QX7DIAG"});
    assert!(family == employer("crf", child));
    assert!(family == employer("crf", json!({"child_last_name": null, "child_first_name": null})));
    let maternity = employer("maternity", json!({}));
    assert!(maternity == employer("maternity", json!({"diagnosis": "QX7DIAG"})));
    // They do differ in what the employer may know.
    assert!(illness != accident && accident != family && family != maternity);
    assert!(illness != employer("illness", json!({"first_name": "Lea"})));
}

#[test]
fn maternity_shows_leave_and_expected_date_to_all_and_the_diagnosis_to_few() {
    for volet in ["caisse", "employeur", "assure"] {
        let words = text(&pdf(volet, "maternity", json!({"diagnosis": "QX7DIAG"})));
        for needle in ["Maternité", "16.11.2026", "05.04.2027", "141 jours", "11.01.2027"] {
            assert!(words.contains(needle), "{volet}: {needle}: {words}");
        }
        assert_eq!(words.contains("QX7DIAG"), volet != "employeur", "{volet}");
    }
}

#[test]
fn the_employer_reads_of_an_accident_at_work_and_nothing_untrue_of_the_rest() {
    let illness = pdf("employeur", "illness", json!({}));
    assert!(illness == pdf("employeur", "illness", json!({"cause": "occupational_disease"})));
    let accident = json!({"cause": "other_accident", "accident_date": "2026-10-26", "accident_number": "U123456789"});
    assert!(illness == pdf("employeur", "illness", accident));
    let words = text(&illness);
    assert!(words.contains("× Maladie ou autre accident"), "{words}");
    // Of an occupational disease that would be untrue.
    assert!(!words.contains("sans lien") && !words.contains("professionnelle"), "{words}");
    let work = text(&pdf(
        "employeur",
        "illness",
        json!({"cause": "work_accident", "accident_date": "2026-10-26"}),
    ));
    assert!(work.contains("× Accident de travail"), "{work}");
}

#[test]
fn a_character_without_glyph_is_an_error() {
    for (typed, character) in [("Léa 李", '李'), ("Lé\u{1f600}a", '\u{1f600}'), ("ليلى", 'ل')] {
        let checked = checked(&values("illness", json!({ "first_name": typed })));
        for volet in ["caisse", "employeur", "assure"] {
            match set(volet, &checked).err() {
                Some(error @ DocumentError::MissingGlyph { .. }) => {
                    assert_eq!(error.fault(), Fault::You);
                    assert_eq!(
                        error.to_string(),
                        format!("the character U+{:04X} in first_name cannot be printed", u32::from(character))
                    );
                }
                other => panic!("{typed}: {:?}", other.map(|e| e.to_string())),
            }
        }
    }
}

#[test]
fn typed_text_is_never_evaluated() {
    let hostile = [
        "#read(\"/etc/passwd\")",
        "*gras* _it_ `code` $x^2$",
        "#panic(1)",
        "= Titre",
        "\\ #[",
        "<a> @b // c /* d",
        "#import \"form.typ\": *",
    ];
    for typed in hostile {
        let set = pdf("caisse", "illness", json!({"last_name": typed, "physician_name": typed}));
        let expected: String = typed.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text(&set).contains(&expected), "{typed}: {}", text(&set));
    }
    let endless = "W".repeat(150);
    let set = pdf(
        "caisse",
        "illness",
        json!({"last_name": endless, "physician_address": "M".repeat(200)}),
    );
    let found: String = text(&set).chars().filter(|c| *c == 'W').collect();
    assert!(found.len() >= 150);
    // Nothing sticks out of the boxes: the right margin starts 17 mm before the edge of an A4 page.
    let boxes = run("pdftotext", &["-bbox", "a.pdf", "-"], written(&set).path());
    let right: Vec<f64> = boxes
        .split("xMax=\"")
        .skip(1)
        .map(|b| b.split('"').next().unwrap().parse().unwrap())
        .collect();
    assert!(right.len() > 60 && right.iter().all(|x| *x < 547.5), "{right:?}");
}

#[test]
fn drafts_are_marked_and_need_no_value() {
    for values in [Map::new(), values("illness", json!({"last_day": "demain", "matricule": "12"}))] {
        let draft = pack().draft(&values);
        for volet in ["caisse", "employeur", "assure"] {
            let document = typesetter().render(pack(), volet, Content::Draft(&draft), &facts()).unwrap();
            assert_eq!(document.pages(), 1);
            assert!(text(&document.pdf().unwrap()).contains("PROJET – NON SIGNÉ"));
            let svg = document.svg(1).unwrap();
            assert!(svg.starts_with("<svg") && !svg.contains("<script") && !svg.contains("<text"));
            assert!(matches!(document.svg(0), Err(DocumentError::NoSuchPage { .. })));
            assert!(matches!(document.svg(2), Err(DocumentError::NoSuchPage { page: 2, pages: 1 })));
        }
    }
    assert!(!text(&pdf("caisse", "illness", json!({}))).contains("PROJET"));
}

#[test]
fn training_is_marked_on_the_page_and_in_its_title() {
    let facts = DocumentFacts { training: true, ..facts() };
    let checked = checked(&values("illness", json!({})));
    let set = typesetter()
        .render(pack(), "caisse", Content::Checked(&checked), &facts)
        .unwrap()
        .pdf()
        .unwrap();
    assert!(text(&set).contains("FORMATION – SANS VALEUR"));
    assert!(run("pdfinfo", &["a.pdf"], written(&set).path()).contains("FORMATION – SANS VALEUR"));
}

#[test]
fn the_title_names_no_patient() {
    let info = run("pdfinfo", &["a.pdf"], written(&pdf("caisse", "illness", json!({}))).path());
    assert!(
        info.contains("Volet caisse") && !info.contains("Schmit") && !info.contains("1988"),
        "{info}"
    );
}

#[test]
fn a_page_that_reaches_out_or_fails_never_opens() {
    use include_dir::{Dir, include_dir};
    static ECIT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../forms/ecit");
    for (page, reason) in [
        ("#read(\"/etc/passwd\")", "not found"),
        ("#import \"@preview/cetz:0.3.0\"", "not found"),
        ("#let x = json(\"/data.json\").values.nothing", "nothing"),
        ("#set text(font: \"Comic Sans\")\nx", "unknown font family"),
        ("#let f(x) = f(x + 1)\n#f(1)", "maximum function call depth"),
        ("#set document(title: \"x\")\n#[", "unclosed"),
    ] {
        let mut files = MemoryFiles::from(&ECIT);
        files.0.insert("pages/caisse.typ".to_owned(), page.as_bytes().to_vec());
        let broken = Pack::load(&files).unwrap();
        match typesetter().check(&broken) {
            Err(DocumentError::Template { file, line, reason: found }) => {
                assert_eq!(file, "pages/caisse.typ");
                assert!(line > 0 && found.contains(reason), "{page}: line {line}: {found}");
            }
            other => panic!("{page}: {other:?}"),
        }
        let outcome = broken.check(broken.example("illness").unwrap(), &CONTEXT);
        let error = typesetter()
            .render(&broken, "caisse", Content::Checked(&outcome.checked.unwrap()), &facts())
            .err();
        assert!(matches!(error, Some(DocumentError::Template { reason, .. }) if reason.is_empty()));
    }
}

#[test]
fn documents_may_be_kept_by_a_server() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    let checked = checked(&values("illness", json!({})));
    let document = set("caisse", &checked).unwrap();
    shared(&checked);
    shared(&document);
    shared(typesetter());
    let set = std::thread::spawn(move || document.pdf().unwrap());
    assert!(set.join().unwrap() == pdf("caisse", "illness", json!({})));
}
