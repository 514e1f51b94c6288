//! Any pack opens or says why not; the pack used here is invented, so nothing in the crate can know it by name.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use econnector_forms::{AnswerError, CheckContext, Environment, Lang, MemoryFiles, Pack, PackError, Severity, WireContext};
use include_dir::{Dir, include_dir};
use serde_json::{Map, Value, json};
use time::macros::date;
use uuid::Uuid;

static GLASSES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/tests/data/glasses");

const CONTEXT: CheckContext = CheckContext {
    today: date!(2026 - 11 - 21),
    environment: Environment::Production,
};

fn files() -> MemoryFiles {
    MemoryFiles::from(&GLASSES)
}

fn glasses() -> Pack {
    Pack::load(&files()).unwrap()
}

/// The pack with one passage of one file replaced.
fn changed(path: &str, from: &str, to: &str) -> Result<Pack, PackError> {
    let mut files = files();
    let content = String::from_utf8(files.0[path].clone()).unwrap();
    assert!(content.contains(from), "{path} does not hold {from}");
    files.0.insert(path.to_owned(), content.replacen(from, to, 1).into_bytes());
    Pack::load(&files)
}

fn refusal(pack: Result<Pack, PackError>) -> (String, String) {
    match pack.err().expect("the pack opened") {
        PackError::Broken { file, reason } | PackError::Wire { file, reason } => (file, reason),
        PackError::Missing { file } => (file, "missing".to_owned()),
        other => panic!("{other}"),
    }
}

fn values(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn a_form_nobody_knows_is_checked_rendered_and_sent() {
    let pack = glasses();
    let outcome = pack.check(pack.example("wood").unwrap(), &CONTEXT);
    assert!(outcome.findings.is_empty(), "{:?}", outcome.findings);
    let checked = outcome.checked.unwrap();
    assert_eq!(checked.provider_code(), Some("80000001"));
    assert_eq!(checked.ehealth_id(), None);

    let context = WireContext {
        id: Uuid::nil(),
        issued: CONTEXT.today,
        document: b"%PDF",
    };
    let message = pack.wire(&checked, &context).unwrap();
    assert_eq!(message.model_uid, "GLASSES-V1");
    assert_eq!(
        message.xml.trim_end(),
        "<g:sale xmlns:g=\"urn:glasses\" day=\"2026-11-21\"><id>00000000-0000-0000-0000-000000000000</id>\
         <who>1988123048083</who><wood>chêne &lt;&amp;&gt;</wood><tinted>true</tinted><pdf>JVBERg==</pdf></g:sale>"
    );

    let page = pack.page_data("receipt", &checked).unwrap();
    assert!(!page.values.contains_key("wearer"));
    assert_eq!(page.derived["adult"], json!(true));
    assert_eq!(page.labels["frame"], json!("Bois"));
    assert_eq!(page.datamatrix.as_deref(), Some("G2026-11-21"));

    let answer = "<done xmlns='urn:glasses'><yours>a</yours><id>b</id></done>";
    assert_eq!(pack.read_answer(answer).unwrap().reference.as_deref(), Some("b"));
    assert!(matches!(pack.read_answer("<done/>"), Err(AnswerError::OtherRoot { .. })));
}

#[test]
fn definition_defaults_and_schema() {
    let pack = glasses();
    let definition = serde_json::to_value(pack.definition(Lang::De, CONTEXT.today)).unwrap();
    assert_eq!(definition["title"], "Brille");
    assert_eq!(definition["defaults"], json!({"sold_on": "2026-11-21"}));
    let fields = definition["sections"][0]["fields"].as_array().unwrap();
    assert_eq!(fields[2]["options"][1], json!({"value": "wood", "label": "Bois"}));
    assert_eq!(fields[3]["shown_when"], json!({"field": "frame", "any_of": ["wood"]}));
    assert_eq!(fields[4]["options"][0]["label"], "Einstärke");
    assert_eq!(
        definition["volets"],
        json!([{"name": "receipt", "title": "Brille", "signed": true}])
    );

    let schema = pack.json_schema();
    assert_eq!(schema["required"], json!(["wearer", "sold_on", "frame", "optician"]));
    assert_eq!(schema["properties"]["lens"]["enum"], json!(["A1"]));
    assert_eq!(schema["additionalProperties"], json!(false));
}

#[test]
fn everything_wrong_is_found_at_once() {
    let pack = glasses();
    let typed = values(json!({
        "wearer": 1988123048083_u64,
        "sold_on": "21.11.2026",
        "frame": "stone",
        "lens": "Z9",
        "tinted": "perhaps",
        "optician": "0123",
        "price": 12,
    }));
    let outcome = pack.check(&typed, &CONTEXT);
    let found: Vec<(&str, &str)> = outcome.findings.iter().map(|f| (f.field.as_str(), f.code.as_str())).collect();
    assert_eq!(
        found,
        [
            ("wearer", "value-not-text"),
            ("sold_on", "date-unreadable"),
            ("frame", "choice-unknown"),
            ("lens", "code-unknown"),
            ("tinted", "value-not-yes-no"),
            ("optician", "provider-code-format"),
            ("price", "value-unknown-field"),
        ]
    );
    assert!(outcome.checked.is_none());
    for lang in Lang::ALL {
        for finding in &outcome.findings {
            let words = pack.describe(finding, lang);
            assert!(words.contains(' ') && !words.contains("{{"), "{}: {words}", finding.code);
        }
    }
}

#[test]
fn a_field_is_asked_for_only_when_it_is_shown() {
    let pack = glasses();
    let mut typed = values(json!({"wearer": "1988 12 30 480 83", "sold_on": "2026-11-21", "frame": "wood", "optician": "80000001"}));
    let missing = pack.check(&typed, &CONTEXT);
    assert_eq!(missing.findings.len(), 1);
    assert_eq!(
        (missing.findings[0].field.as_str(), missing.findings[0].code.as_str()),
        ("wood_kind", "value-required")
    );

    typed.insert("frame".to_owned(), json!("metal"));
    assert!(pack.check(&typed, &CONTEXT).findings.is_empty());

    typed.insert("wood_kind".to_owned(), json!("a wood with far too long a name"));
    let hidden = pack.check(&typed, &CONTEXT);
    assert_eq!(hidden.findings.len(), 1);
    assert_eq!(hidden.findings[0].code, "value-not-applicable");
    assert_eq!(hidden.findings[0].severity, Severity::Warning);
    assert_eq!(hidden.checked.unwrap().values()["wood_kind"], Value::Null);
}

#[test]
fn rules_stop_the_form_and_facts_speak() {
    let pack = glasses();
    let typed = json!({"wearer": "1988123048083", "sold_on": "2026-11-21", "frame": "metal", "tinted": true, "optician": "80000001"});
    let outcome = pack.check(&values(typed), &CONTEXT);
    assert!(outcome.checked.is_none());
    assert_eq!(pack.describe(&outcome.findings[0], Lang::En), "Metal: no tint.");
    let facts: Vec<String> = outcome.facts.iter().map(|f| pack.describe_fact(f, Lang::Fr)).collect();
    assert_eq!(facts, ["né(e) le 30.12.1988 · 37 ans", "Prêtes le 28.11.2026"]);
}

#[test]
fn values_of_one_pack_are_refused_by_another() {
    let mine = glasses();
    let other = changed("pack.toml", "version = \"1\"", "version = \"2\"").unwrap();
    let checked = mine.check(mine.example("wood").unwrap(), &CONTEXT).checked.unwrap();
    assert!(matches!(other.page_data("receipt", &checked), Err(PackError::ForeignValues { .. })));
    assert!(matches!(mine.page_data("nothing", &checked), Err(PackError::UnknownVolet(_))));
}

#[test]
fn a_broken_pack_says_which_file_and_why() {
    for (path, from, to, file, reason) in [
        (
            "pack.toml",
            "tinted && frame",
            "tinted && shape",
            "pack.toml",
            "unknown field \"shape\"",
        ),
        ("pack.toml", "tinted && frame == 'metal'", "tinted &&", "pack.toml", "tinted &&"),
        (
            "pack.toml",
            "tinted && frame == 'metal'",
            "days(frame) > 3",
            "pack.toml",
            "cannot be evaluated",
        ),
        (
            "pack.toml",
            "tinted && frame == 'metal'",
            "frame",
            "pack.toml",
            "cannot be evaluated",
        ),
        (
            "pack.toml",
            "tinted && frame == 'metal'",
            "system(frame)",
            "pack.toml",
            "unknown function \"system\"",
        ),
        (
            "pack.toml",
            "omit = [\"wearer\"]",
            "omit = [\"nobody\"]",
            "pack.toml",
            "unknown field \"nobody\"",
        ),
        (
            "pack.toml",
            "field = \"frame\"",
            "field = \"shape\"",
            "pack.toml",
            "unknown field \"shape\"",
        ),
        ("pack.toml", "type = \"matricule\"", "type = \"passport\"", "pack.toml", "passport"),
        ("pack.toml", "required = true", "requried = true", "pack.toml", "requried"),
        (
            "pack.toml",
            "options = [\"metal\", \"wood\"]",
            "options = []",
            "pack.toml",
            "do not fit",
        ),
        ("pack.toml", "signed = true", "signed = false", "pack.toml", "exactly one volet"),
        ("pack.toml", "GLASSES-V1", "GLASSES V1", "pack.toml", "modelUID"),
        ("pack.toml", "kind = \"glasses\"", "kind = \"../glasses\"", "pack.toml", "no name"),
        ("pack.toml", "id = \"lens\"", "id = \"frame\"", "pack.toml", "same name"),
        ("pack.toml", "codes/lens.json", "../lens.json", "../lens.json", "not a path inside"),
        ("pack.toml", "pages/receipt.typ", "pages/other.typ", "pages/other.typ", "missing"),
        (
            "texts/lb.json",
            "\"tinted-metal\"",
            "\"tinted-wood\"",
            "texts/lb.json",
            "no text for the rule \"tinted-metal\"",
        ),
        (
            "texts/de.json",
            "\"lens\"",
            "\"lense\"",
            "texts/de.json",
            "no text for the field \"lens\"",
        ),
        ("texts/en.json", "{{ day", "{{ night", "texts/en.json", "asks for a value"),
        ("texts/fr.json", "\"wood\"", "\"stone\"", "texts/fr.json", "option \"wood\""),
        ("codes/lens.json", "\"lb\"", "\"en\"", "codes/lens.json", "no label in lb"),
        ("message.xml", "{{ id }}", "{{ id", "message.xml", "syntax"),
        ("message.xml", "{{ id }}", "{{ number }}", "message.xml", "undefined"),
        ("message.xml", "</who>", "</whom>", "message.xml", "well-formed"),
        (
            "message.xml",
            "{% if values.wood_kind is not none %}",
            "{% for i in range(100000) %}{% endfor %}{% if true %}",
            "message.xml",
            "",
        ),
        (
            "examples/wood.json",
            "\"chêne",
            "\"bois de chêne",
            "examples/wood.json",
            "value-too-long",
        ),
        ("examples/wood.json", "\"sold_on\"", "\"sold\"", "examples/wood.json", "day"),
    ] {
        let (found_file, found_reason) = refusal(changed(path, from, to));
        assert_eq!(found_file, file, "{to}: {found_reason}");
        assert!(found_reason.contains(reason), "{to}: {found_reason}");
    }
}

#[test]
fn missing_and_foreign_files_are_refused() {
    for path in [
        "pack.toml",
        "texts/en.json",
        "codes/lens.json",
        "pages/receipt.typ",
        "message.xml",
        "examples/wood.json",
    ] {
        let mut files = files();
        files.0.remove(path);
        assert_eq!(refusal(Pack::load(&files)).1, "missing", "{path}");
    }
    let mut binary = files();
    binary.0.insert("pages/receipt.typ".to_owned(), vec![0xff, 0xfe, 0x00]);
    assert_eq!(
        refusal(Pack::load(&binary)),
        ("pages/receipt.typ".to_owned(), "not UTF-8".to_owned())
    );
    let mut huge = files();
    huge.0.insert("texts/fr.json".to_owned(), vec![b' '; 5 * 1024 * 1024]);
    assert_eq!(refusal(Pack::load(&huge)).1, "too large");
    assert!(Pack::load(&MemoryFiles::default()).is_err());
}

proptest::proptest! {
    #[test]
    fn any_typed_text_is_answered(text in "\\PC{0,60}|[\\x00-\\x1f\u{200b}\u{202e}]{1,5}") {
        let pack = glasses_once();
        for field in ["wearer", "sold_on", "frame", "wood_kind", "lens", "tinted", "optician"] {
            let mut typed = pack.example("wood").unwrap().clone();
            typed.insert(field.to_owned(), Value::String(text.clone()));
            let outcome = pack.check(&typed, &CONTEXT);
            proptest::prop_assert_eq!(
                outcome.checked.is_some(),
                outcome.findings.iter().all(|f| f.severity == Severity::Warning)
            );
            if let Some(checked) = outcome.checked {
                let context = WireContext { id: Uuid::nil(), issued: CONTEXT.today, document: b"" };
                proptest::prop_assert!(pack.wire(&checked, &context).is_ok());
            }
            proptest::prop_assert_eq!(pack.draft(&typed).values().len(), 7);
        }
    }
}

fn glasses_once() -> &'static Pack {
    static PACK: std::sync::OnceLock<Pack> = std::sync::OnceLock::new();
    PACK.get_or_init(glasses)
}
