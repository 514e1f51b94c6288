//! What holds for the pages of every form, then the fee note and the receipt.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use econnector_documents::{Content, DocumentError, DocumentFacts};
use econnector_forms::{Anomaly, Cancellation, Contested, Pack, Severity, WireContext, Workflow};
use include_dir::{Dir, include_dir};
use serde_json::{Map, Value, json};
use support::{ID, checked, example, facts, golden, lines, pack, packs, run, set, simulated, text, typesetter, values, written};
use time::macros::date;
use uuid::Uuid;

mod support;

/// A page of a finished form as PDF.
fn pdf(pack: &Pack, volet: &str, name: &str, change: impl Fn(DocumentFacts) -> DocumentFacts) -> Vec<u8> {
    let checked = example(pack, name);
    let simulation = simulated(checked.rows(), &[]);
    let content = match pack.workflow() {
        Workflow::Simulate => Content::Simulated(&checked, &simulation),
        _ => Content::Checked(&checked),
    };
    let facts = change(facts(pack.example_day(name).unwrap()));
    set(pack, volet, content, &facts).unwrap().pdf().unwrap()
}

/// The bits that make an identifier one of version 4.
const V4: u128 = 0x0000_0000_0000_4000_8000_0000_0000_0000;

fn anomaly(id: &str) -> Anomaly {
    Anomaly {
        severity: Severity::Error,
        code: "ACTE".to_owned(),
        message: String::new(),
        id: Some(id.to_owned()),
        line: Some(1),
    }
}

fn memoire(values: &Map<String, Value>) -> Vec<u8> {
    let mh = pack("mh");
    let checked = checked(mh, values, date!(2026 - 10 - 30));
    set(mh, "memoire", Content::Checked(&checked), &facts(date!(2026 - 10 - 30)))
        .unwrap()
        .pdf()
        .unwrap()
}

fn pages(pdf: &[u8]) -> usize {
    let info = run("pdfinfo", &["a.pdf"], written(pdf).path());
    info.lines()
        .find_map(|line| line.strip_prefix("Pages:"))
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

/// The right and lower edges of all words, in points; an A4 page is 595 by 842.
fn edges(pdf: &[u8]) -> (f64, f64) {
    let boxes = run("pdftotext", &["-bbox", "a.pdf", "-"], written(pdf).path());
    let greatest = |mark: &str| {
        let found = boxes
            .split(mark)
            .skip(1)
            .map(|b| b.split('"').next().unwrap().parse::<f64>().unwrap());
        found.fold(0.0, f64::max)
    };
    (greatest("xMax=\""), greatest("yMax=\""))
}

#[test]
fn every_pack_passes_with_all_its_examples() {
    for pack in packs() {
        typesetter().check(pack).unwrap();
    }
}

#[test]
fn every_page_of_every_example_reads_as_it_did() {
    for pack in packs() {
        for name in pack.examples() {
            for volet in pack.volets() {
                let pdf = pdf(pack, &volet.name, name, |facts| facts);
                golden(&format!("{}-{name}-{}.txt", pack.kind(), volet.name), &lines(&pdf));
            }
        }
    }
}

/// Compares a message with what it was, and lets xmllint judge it by the schema the stand-in of the authority was written with.
fn message(name: &str, xml: &str, schema: &str) {
    golden(&format!("{name}.xml"), xml);
    let schema = format!("{}/../sandbox/xsd/{schema}.xsd", env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.xml"), xml).unwrap();
    run("xmllint", &["--noout", "--schema", &schema, "a.xml"], folder.path());
}

#[test]
fn every_message_of_every_example_is_as_it_was_and_fits_its_schema() {
    let ids: Vec<Uuid> = (1..=99).map(|n| Uuid::from_u128(V4 + n)).collect();
    for pack in packs() {
        for name in pack.examples() {
            let checked = example(pack, name);
            let context = WireContext {
                id: ID,
                issued: pack.example_day(name).unwrap(),
                document: b"%PDF-",
                ids: ids.get(..checked.rows()).unwrap(),
            };
            let kind = pack.kind();
            if pack.is_deposited() {
                message(&format!("{kind}-{name}"), &pack.wire(&checked, &context).unwrap().xml, kind);
            }
            if pack.workflow() == Workflow::Simulate {
                let xml = pack.simulation(&checked, &context).unwrap().xml;
                message(&format!("{kind}-{name}"), &xml, &format!("{kind}-simulation"));
            }
        }
        let kind = pack.kind();
        if pack.is_cancellable() {
            for (name, replaced_by) in [("cancelled", None), ("replaced", Some(Uuid::from_u128(V4 + 2)))] {
                let cancellation = Cancellation {
                    id: ID,
                    cancelled: Uuid::from_u128(V4 + 1),
                    replaced_by,
                    reason: "Code erroné : « C1 » & non <C2>",
                };
                let xml = pack.cancellation(&cancellation).unwrap().xml;
                message(&format!("{kind}-{name}"), &xml, &format!("{kind}-cancellation"));
            }
        }
        if pack.workflow() == Workflow::Simulate {
            let payable = simulated(2, &[]);
            let xml = pack.validation(ID, &payable).unwrap().xml;
            message(&format!("{kind}-validated"), &xml, &format!("{kind}-validation"));
            let mut refused = simulated(2, &[1]);
            refused.anomalies = ["A-1", "A-2"].map(anomaly).to_vec();
            let contested = ["A-1", "A-2"].map(|id| Contested {
                id: id.to_owned(),
                code: "1".to_owned(),
            });
            let xml = pack.contestation(ID, &refused, &contested).unwrap().xml;
            message(&format!("{kind}-contested"), &xml, &format!("{kind}-contestation"));
        }
    }
}

#[test]
fn no_page_sticks_out_and_every_file_is_clean() {
    for (kind, volet, name) in [
        ("ecit", "caisse", "long-names"),
        ("mh", "memoire", "long-names"),
        ("mh", "memoire", "twelve-lines"),
        ("mh", "memoire", "hospital"),
        ("pid", "quittance", "consultation"),
    ] {
        for paper in [false, true] {
            let pack = pack(kind);
            let pdf = pdf(pack, volet, name, |facts| DocumentFacts { paper, ..facts });
            let folder = written(&pdf);
            assert!(run("qpdf", &["--check", "a.pdf"], folder.path()).contains("No syntax or stream encoding errors"));
            let info = run("pdfinfo", &["a.pdf"], folder.path());
            assert!(info.contains("Tagged:          yes") && info.contains("A4"), "{info}");
            let fonts = run("pdffonts", &["a.pdf"], folder.path());
            let fonts: Vec<&str> = fonts.lines().skip(2).collect();
            assert!(
                !fonts.is_empty() && fonts.iter().all(|f| f.contains("LiberationSans") && f.contains(" yes ")),
                "{fonts:?}"
            );
            let (right, lower) = edges(&pdf);
            assert!(right < 556.0 && lower < 842.0, "{kind} {name}: {right} {lower}");
        }
    }
}

/// An example with every text as long as it may be: of one word, or of many.
fn longest(pack: &Pack, example: &str, words: &str) -> Map<String, Value> {
    let definition = serde_json::to_value(pack.definition(econnector_forms::Lang::Fr, date!(2026 - 10 - 30))).unwrap();
    let mut values = pack.example(example).unwrap().clone();
    let long = |field: &Value| {
        let length = usize::try_from(field.get("max_length")?.as_u64()?).unwrap();
        let typed = field.get("type")?.as_str()? == "text" || field.get("free_entry") == Some(&Value::Bool(true));
        // A longer text would get a page of its own; a short one may be a code.
        let words = if length < 8 { "W" } else { words };
        typed.then(|| words.chars().cycle().take(length.min(420)).collect::<String>())
    };
    let full_row = json!({"amount": 99_999_999, "personal_share": 99_999_999, "quantity": 99, "prescriber": "90000202", "operator": "90000202",
        "time_from": "08:00", "date_to": "2026-10-30", "time_to": "09:00", "hospital_class": "A"});
    let fields = definition.get("sections").unwrap().as_array().unwrap().iter();
    for field in fields.flat_map(|section| section.get("fields").unwrap().as_array().unwrap()) {
        let id = field.get("id").unwrap().as_str().unwrap();
        if let Some(text) = long(field) {
            values.insert(id.to_owned(), Value::String(text));
        }
        for column in field.get("columns").and_then(Value::as_array).into_iter().flatten() {
            for row in values.get_mut(id).unwrap().as_array_mut().unwrap() {
                if let Some(text) = long(column) {
                    let row = row.as_object_mut().unwrap();
                    row.insert(column.get("id").unwrap().as_str().unwrap().to_owned(), Value::String(text));
                    if pack.kind() == "mh" {
                        row.extend(full_row.as_object().unwrap().clone());
                    }
                }
            }
        }
    }
    values
}

/// A pack whose pages are changed.
fn changed(dir: &Dir<'_>, changes: &[(&str, &str)]) -> Pack {
    let mut files = econnector_forms::MemoryFiles::from(dir);
    for (from, to) in changes {
        let mut found = false;
        for (path, content) in &mut files.0 {
            if path.starts_with("pages/") {
                let page = String::from_utf8(content.clone()).unwrap();
                found |= page.contains(from);
                *content = page.replace(from, to).into_bytes();
            }
        }
        assert!(found, "{from}");
    }
    Pack::load(&files).unwrap()
}

static MH: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../forms/mh");
static PID: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../forms/pid");

/// Makes a page that does not shrink what does not fit, to show that a test would see it.
const CRAMPED: (&str, &str) = ("while chosen > 1pt and", "while false and");

#[test]
fn no_box_cuts_what_is_typed_into_it() {
    // Every box cut at its edge: a page that looks the same without has nothing beyond it. Letters reach a little above their line.
    let cut = (
        "width: 100%, height: height,",
        "width: 100%, height: height, outset: (y: 0.5mm), clip: true,",
    );
    for (dir, example, volet) in [(&MH, "hospital", "memoire"), (&PID, "consultation", "quittance")] {
        let (open, closed) = (changed(dir, &[]), changed(dir, &[cut]));
        // A page that does not make room shows that the comparison sees it.
        let too_small = [changed(dir, &[CRAMPED]), changed(dir, &[CRAMPED, cut])];
        for words in ["W", "Wilhelmine ", "Ŵy-Ðŏ. "] {
            let look = |pack: &Pack| {
                let values = longest(pack, example, words);
                let checked = checked(pack, &values, date!(2026 - 10 - 30));
                let document = set(pack, volet, Content::Checked(&checked), &facts(date!(2026 - 10 - 30))).unwrap();
                support::pixels(&document.pdf().unwrap())
            };
            assert!(look(&open) == look(&closed), "{volet}, {words}");
            if words == "W" {
                let [open, closed] = too_small.each_ref().map(look);
                assert!(open != closed, "{volet}");
            }
        }
    }
}

/// The words of each page with their boxes in points: left, upper, right, lower edge.
fn boxes(pdf: &[u8]) -> Vec<Vec<(String, [f64; 4])>> {
    let found = run("pdftotext", &["-bbox", "a.pdf", "-"], written(pdf).path());
    let word = |line: &str| {
        let edge = |mark: &str| line.split(mark).nth(1)?.split('"').next()?.parse::<f64>().ok();
        let edges = [edge("xMin=\"")?, edge("yMin=\"")?, edge("xMax=\"")?, edge("yMax=\"")?];
        Some((line.split('>').nth(1)?.split('<').next()?.to_owned(), edges))
    };
    found
        .split("<page")
        .skip(1)
        .map(|page| page.lines().filter_map(word).collect())
        .collect()
}

/// The words that stand on another, or beyond the sheet.
fn collisions(pdf: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for page in boxes(pdf) {
        assert!(page.len() > 20);
        for (index, (word, [left, upper, right, lower])) in page.iter().enumerate() {
            if *right > 595.0 || *lower > 842.0 {
                found.push(format!("{word} beyond the sheet"));
            }
            for (other, [left2, upper2, right2, lower2]) in page.iter().skip(index + 1) {
                let beside = left.max(*left2) + 0.3 > right.min(*right2);
                // The boxes of a font are higher than its letters.
                let common = lower.min(*lower2) - upper.max(*upper2);
                let apart = common < 0.35 * (lower - upper).min(lower2 - upper2);
                if !beside && !apart {
                    found.push(format!("{word} on {other}"));
                }
            }
        }
    }
    found
}

#[test]
fn no_word_stands_on_another_however_long_the_texts_are() {
    let collided = |pack: &Pack, example: &str, volet: &str, words: &str| {
        let checked = checked(pack, &longest(pack, example, words), date!(2026 - 10 - 30));
        let document = set(pack, volet, Content::Checked(&checked), &facts(date!(2026 - 10 - 30))).unwrap();
        collisions(&document.pdf().unwrap())
    };
    for (kind, example) in [
        ("mh", "hospital"),
        ("pid", "consultation"),
        ("ecit", "work-accident"),
        ("ecit", "crf"),
        ("ecit", "maternity"),
    ] {
        for words in ["W", "Wilhelmine "] {
            for volet in pack(kind).volets() {
                let found = collided(pack(kind), example, &volet.name, words);
                assert!(found.is_empty(), "{kind} {}: {found:?}", volet.name);
            }
        }
    }
    // Lines too high for their row are seen.
    let high = changed(&MH, &[CRAMPED, ("(7.5pt, 7pt, 6.5pt, 6pt, 5.5pt, 5pt, 4.5pt)", "(10pt,)")]);
    assert!(!collided(&high, "hospital", "memoire", "W").is_empty());
}

#[test]
fn the_same_house_stands_in_every_pack() {
    let house = |pack: &'static Pack| pack.page_files().get("pages/house.typ").unwrap();
    assert!(packs().len() >= 3);
    for pack in packs() {
        assert!(house(pack) == house(packs().first().unwrap()), "{}", pack.kind());
    }
    let tariff = |kind: &str| std::fs::read(format!("{}/../../forms/{kind}/codes/tariff.json", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert!(tariff("mh") == tariff("pid"));
}

#[test]
fn a_paper_document_is_signed_by_hand_and_names_no_electronic_signature() {
    let papers: Vec<&Pack> = packs().iter().filter(|pack| pack.allows_paper()).collect();
    assert_eq!(papers.iter().map(|pack| pack.kind()).collect::<Vec<_>>(), ["ecit", "mh"]);
    for pack in papers {
        for volet in pack.volets() {
            let name = pack.examples().next().unwrap();
            let pdf = pdf(pack, &volet.name, name, |facts| DocumentFacts { paper: true, ..facts });
            let words = text(&pdf);
            for needle in [
                "DOCUMENT PAPIER – À SIGNER À LA MAIN",
                "Signature manuscrite du médecin",
                "Cachet du médecin",
                "Lieu et date",
            ] {
                assert!(words.contains(needle), "{} {}: {needle}: {words}", pack.kind(), volet.name);
            }
            for needle in ["électroniquement", "7d1f0a52", "PROJET"] {
                assert!(!words.contains(needle), "{} {}: {needle}: {words}", pack.kind(), volet.name);
            }
            assert!(run("pdfinfo", &["a.pdf"], written(&pdf).path()).contains("DOCUMENT PAPIER – À SIGNER À LA MAIN"));
            let plain = text(&self::pdf(pack, &volet.name, name, |facts| facts));
            assert!(!plain.contains("DOCUMENT PAPIER") && plain.contains("électroniquement"), "{plain}");
        }
    }
}

#[test]
fn drafts_of_every_form_are_marked_and_need_no_value() {
    let broken_row = json!({"lines": [{}, {"code": 7, "date": "demain", "amount": -3, "quantity": 0}, "Zeile", null]});
    for pack in packs() {
        for values in [Map::new(), broken_row.as_object().unwrap().clone()] {
            let draft = pack.draft(&values);
            for volet in pack.volets() {
                for paper in [false, true] {
                    let facts = DocumentFacts {
                        paper,
                        ..facts(date!(2026 - 10 - 26))
                    };
                    let document = set(pack, &volet.name, Content::Draft(&draft), &facts).unwrap();
                    let words = text(&document.pdf().unwrap());
                    assert!(
                        words.contains("PROJET – NON SIGNÉ") && !words.contains("Signé électroniquement"),
                        "{words}"
                    );
                    assert!(document.svg(1).unwrap().starts_with("<svg"));
                }
            }
        }
    }
}

#[test]
fn a_preview_of_checked_values_is_marked_and_names_no_document() {
    for pack in packs() {
        let name = pack.examples().next().unwrap();
        for volet in pack.volets() {
            let read = |preview| text(&pdf(pack, &volet.name, name, |facts| DocumentFacts { preview, ..facts }));
            let (shown, signed) = (read(true), read(false));
            assert!(
                shown.contains("PROJET – NON SIGNÉ") && !shown.contains("Signé électroniquement"),
                "{shown}"
            );
            assert!(!shown.contains(&ID.to_string()), "{shown}");
            assert!(!signed.contains("PROJET") && signed.contains(&ID.to_string()), "{signed}");
        }
    }
}

#[test]
fn every_text_that_cannot_be_printed_is_told_with_its_place() {
    let typed = json!({"last_name": "Ōe 大江", "first_name": "Jiří", "text_transfer": "a\nb", "paid": true, "deposit_paid": 5,
        "lines": [{"code": "C1", "label": "Straße"}, null, {"label": "Akt 李"}]});
    let found = typesetter().unprintable(typed.as_object().unwrap());
    assert_eq!(found, [("last_name".to_owned(), '大'), ("lines.2.label".to_owned(), '李')]);
}

#[test]
fn a_character_without_glyph_is_found_in_a_row() {
    let mh = pack("mh");
    let changed = values(mh, "minimal", json!({"lines": [{"code": "C1"}, {"code": "C1", "label": "Akt 李"}]}));
    let checked = checked(mh, &changed, date!(2026 - 10 - 26));
    let error = set(mh, "memoire", Content::Checked(&checked), &facts(date!(2026 - 10 - 26)))
        .err()
        .unwrap();
    assert!(
        matches!(&error, DocumentError::MissingGlyph { field, character: '李' } if field == "lines.1.label"),
        "{error}"
    );
}

// --- The fee note ----------------------------------------------------------------------------------------------------------

#[test]
fn twelve_acts_take_two_pages_with_carried_totals() {
    let pdf = pdf(pack("mh"), "memoire", "twelve-lines", |facts| facts);
    assert_eq!(pages(&pdf), 2);
    let read = lines(&pdf);
    let (first, second) = read.split_once("--- page ---").unwrap();
    let numbered = |page: &str, n: usize| page.lines().any(|line| line == n.to_string() || line.starts_with(&format!("{n} ")));
    for n in 1..=10 {
        assert!(numbered(first, n) && !numbered(second, n), "{n}: {read}");
    }
    for n in 11..=20 {
        assert!(numbered(second, n) && !numbered(first, n), "{n}: {read}");
    }
    // 5 × 52,40 + 68,10 + 79,50 + 15,00 + 44,00 + 120,00
    assert!(first.contains("À reporter 588,60") && !first.contains("À PAYER"), "{first}");
    for words in [
        "Report page précédente 588,60",
        "668,80 €",
        "REPORT 120,50 €",
        "ACOMPTE À DÉDUIRE 50,00 €",
        "À PAYER 739,30 €",
        "POUR ACQUIT, LE",
        "LU28 0019 4006 4475 0000",
        "page 2 / 2",
    ] {
        assert!(second.contains(words), "{words}: {second}");
    }
    assert!(
        first.contains("ABCP50XY") && first.contains("MÉMOIRE D’HONORAIRES N° 2026-00418 du 26.10.2026"),
        "{first}"
    );
}

#[test]
fn acts_that_are_never_reimbursed_say_so() {
    let read = text(&pdf(pack("mh"), "memoire", "convenience", |facts| facts));
    assert_eq!(read.matches("convenance personnelle – non remboursé").count(), 2, "{read}");
    let read = text(&pdf(pack("mh"), "memoire", "three-lines", |facts| facts));
    assert!(!read.contains("non remboursé"), "{read}");
}

#[test]
fn ten_acts_stand_on_a_page_whatever_is_typed_and_the_message_counts_the_pages() {
    let mh = pack("mh");
    let act = mh.example("long-names").unwrap().get("lines").unwrap().get(0).unwrap().clone();
    let five_lines = vec!["x".repeat(80); 5].join("\n");
    let texts = [
        (Value::Null, 0),
        (json!("x".repeat(420)), 0),
        (json!("é".repeat(421)), 1),
        (json!(five_lines), 0),
        (json!(format!("{five_lines}\nx")), 1),
        (json!("Wort ".repeat(500)), 1),
        (json!("x\n".repeat(1250)), 1),
    ];
    for (acts, (bank, annex)) in [1, 11, 99]
        .into_iter()
        .zip(texts.iter().cycle())
        .chain([10; 7].into_iter().zip(&texts))
    {
        let changed = values(
            mh,
            "long-names",
            json!({"lines": vec![act.clone(); acts], "text_transfer": bank, "text_medical": "x\n".repeat(99), "deposit_paid": null,
                "last_name": "W".repeat(150), "first_name": "M".repeat(100), "physician_last_name": "Wolfensberger ".repeat(10)}),
        );
        let checked = checked(mh, &changed, date!(2026 - 10 - 30));
        let facts = DocumentFacts {
            paper: true,
            ..facts(date!(2026 - 10 - 30))
        };
        let document = set(mh, "memoire", Content::Checked(&checked), &facts).unwrap();
        let expected = acts.div_ceil(10) + annex;
        assert_eq!(document.pages(), expected, "{acts} acts, annex {annex}");
        let (right, lower) = edges(&document.pdf().unwrap());
        assert!(right < 556.0 && lower < 842.0, "{right} {lower}");
        let context = WireContext {
            id: ID,
            issued: date!(2026 - 10 - 30),
            document: b"%PDF-",
            ids: &[],
        };
        let xml = mh.wire(&checked, &context).unwrap().xml;
        assert!(
            xml.contains(&format!("<nombreDePage>{expected}</nombreDePage>")),
            "{acts} acts, annex {annex}"
        );
    }
}

#[test]
fn a_patient_without_matricule_is_named_by_birth_date() {
    let read = text(&pdf(pack("mh"), "memoire", "birth-date", |facts| facts));
    for words in [
        "Date de naissance (sans matricule)",
        "17.04.1991",
        "Novák Jiří",
        "Na Příkopě",
        "CZ-110 00 Praha",
        "Autre",
    ] {
        assert!(read.contains(words), "{words}: {read}");
    }
    assert!(!read.contains("Matricule"), "{read}");
}

#[test]
fn an_unpaid_fee_note_leaves_the_day_to_be_written() {
    let mh = pack("mh");
    let paid = text(&memoire(&values(
        mh,
        "three-lines",
        json!({"paid": true, "paid_date": "2026-10-27"}),
    )));
    assert!(paid.contains("POUR ACQUIT, LE 27.10.2026"), "{paid}");
    let open = text(&memoire(&values(mh, "three-lines", json!({"paid": false}))));
    assert!(open.contains("POUR ACQUIT, LE") && !open.contains("POUR ACQUIT, LE 2"), "{open}");
}

// --- The receipt of an immediate payment -----------------------------------------------------------------------------------

#[test]
fn the_receipt_has_its_prescribed_words_columns_and_totals() {
    let pid = pack("pid");
    let checked = example(pid, "consultation");
    let simulation = simulated(checked.rows(), &[1]);
    let facts = facts(date!(2026 - 10 - 26));
    let read = text(
        &set(pid, "quittance", Content::Simulated(&checked, &simulation), &facts)
            .unwrap()
            .pdf()
            .unwrap(),
    );
    for words in [
        "Merci de ne pas envoyer ce document à votre caisse de maladie",
        "Code acte",
        "Libellé",
        "Nbre",
        "Montant pris en charge par",
        "l’AMM",
        "Participation personnelle",
        "8,80 € 1,20 €",
        "non accepté 10,00 €",
        "Total dû 20,00 €",
        "Total payé par l’AMM 8,80 €",
        "Participation personnelle 11,20 €",
        "Identifiant de l’émetteur",
        "1900000001",
        "Signé électroniquement par",
        "b1c2d3e4-5f60-4718-8293-a4b5c6d7e8f9",
    ] {
        assert!(read.contains(words), "{words}: {read}");
    }
    // Nobody computed anything yet: no amount is on the page.
    let before = text(&set(pid, "quittance", Content::Checked(&checked), &facts).unwrap().pdf().unwrap());
    assert!(!before.contains('€'), "{before}");
}

#[test]
fn a_receipt_of_many_acts_repeats_its_columns() {
    let pid = pack("pid");
    let changed = values(pid, "consultation", json!({"lines": vec![json!({"code": "C1"}); 60]}));
    let checked = checked(pid, &changed, date!(2026 - 10 - 26));
    let simulation = simulated(60, &[]);
    let document = set(
        pid,
        "quittance",
        Content::Simulated(&checked, &simulation),
        &facts(date!(2026 - 10 - 26)),
    )
    .unwrap();
    assert!(document.pages() > 1);
    let read = text(&document.pdf().unwrap());
    assert_eq!(read.matches("Code acte").count(), document.pages());
    assert!(read.contains("Total dû 600,00 €"), "{read}");
}
