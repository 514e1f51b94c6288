//! Any pack opens or says why not; the pack used here is invented, so nothing in the crate can know it by name.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod glasses;

use econnector_forms::{Act, AnswerError, Lang, MemoryFiles, Pack, PackError, Severity};
use glasses::{CONTEXT, changed, files, glasses, refusal, values, wire_context};
use serde_json::{Value, json};
use uuid::Uuid;

#[test]
fn a_form_nobody_knows_is_checked_rendered_and_sent() {
    let pack = glasses();
    let outcome = pack.check(pack.example("wood").unwrap(), &CONTEXT);
    assert!(outcome.findings.is_empty(), "{:?}", outcome.findings);
    let checked = outcome.checked.unwrap();
    assert_eq!(checked.provider_code(), Some("90000101"));
    assert_eq!(checked.ehealth_id(), None);
    assert_eq!(checked.rows(), 0);

    let message = pack.wire(&checked, &wire_context(&[])).unwrap();
    assert_eq!(message.model_uid, "TEST_GLASSES-V1");
    assert!(message.xml.contains("<wood>chêne &lt;&amp;&gt;</wood>"), "{}", message.xml);

    let page = pack.page_data("receipt", &checked, None).unwrap();
    assert!(!page.values.contains_key("wearer"));
    assert_eq!(page.derived["adult"], json!(true));
    assert_eq!(page.labels["frame"], json!("Bois"));
    assert_eq!(page.datamatrix.as_deref(), Some("G2026-10-26"));

    let answer = "<ordonnanceLunettesRetour xmlns='urn:glasses'><UuidPrestataire>a</UuidPrestataire><UuidSecu>b</UuidSecu></ordonnanceLunettesRetour>";
    assert_eq!(pack.read_answer(answer, 0).unwrap().reference.as_deref(), Some("b"));
    assert!(matches!(
        pack.read_answer("<ordonnanceLunettesRetour/>", 0),
        Err(AnswerError::OtherRoot { .. })
    ));
}

#[test]
fn definition_defaults_and_schema() {
    let pack = glasses();
    let definition = serde_json::to_value(pack.definition(Lang::De, CONTEXT.today)).unwrap();
    assert_eq!(definition["title"], "Brillenverordnung");
    assert_eq!(definition["defaults"], json!({"sold_on": "2026-10-26"}));
    let fields = definition["sections"][0]["fields"].as_array().unwrap();
    assert_eq!(fields[2]["options"][1], json!({"value": "wood", "label": "Holz"}));
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
fn what_only_the_physician_does_is_said_and_can_be_done_with_the_form() {
    let pack = glasses();
    let definition = serde_json::to_value(pack.definition(Lang::De, CONTEXT.today)).unwrap();
    assert_eq!(definition["physician_only"], json!(["paper"]));
    assert!(pack.is_physician_only(Act::Paper) && !pack.is_physician_only(Act::Deposit));
    let both = changed("pack.toml", "[\"paper\"]", "[\"paper\", \"deposit\"]").unwrap();
    assert!(both.is_physician_only(Act::Deposit));
    for (acts, reason) in [
        ("[\"pay\"]", "is not done with this form"),
        ("[\"contest\"]", "is not done with this form"),
        ("[\"sing\"]", "unknown variant"),
    ] {
        let (file, said) = refusal(changed("pack.toml", "[\"paper\"]", acts));
        assert!(file == "pack.toml" && said.contains(reason), "{acts}: {said}");
    }
    // Without a word on it, a mandate covers everything.
    let open = changed("pack.toml", "physician_only = [\"paper\"]", "").unwrap();
    assert!(!open.is_physician_only(Act::Paper));
    for pack in econnector_forms::embedded().unwrap() {
        let hers: Vec<Act> = pack.definition(Lang::Fr, CONTEXT.today).physician_only;
        assert_eq!(
            hers,
            if pack.kind() == "pid" { vec![Act::Contest] } else { vec![] },
            "{}",
            pack.kind()
        );
    }
}

#[test]
fn a_finished_message_shows_what_its_form_names() {
    let pack = glasses();
    let checked = pack.check(pack.example("extras").unwrap(), &CONTEXT).checked.unwrap();
    let xml = pack.wire(&checked, &wire_context(&vec![Uuid::nil(); checked.rows()])).unwrap().xml;
    let message = pack.read_foreign(&xml).unwrap();
    let shown: Vec<(&str, &str)> = message.shown().collect();
    let wearer = checked.values()["wearer"].as_str().unwrap();
    assert_eq!(shown[0], ("wearer", wearer));
    assert_eq!(shown[1].0, "to_pay");
    assert!(shown[1].1.contains('.'), "{}", shown[1].1);
    // The same element may also be one that the program looks for itself.
    assert_eq!(message.provider_codes(), [wearer]);
    assert_ne!(pack.label_of("to_pay", Lang::De), "to_pay");
    assert_eq!(pack.label_of("nothing", Lang::De), "nothing");
    for (shows, reason) in [
        ("[\"nobody\", \"who\"]", "unknown field"),
        ("[\"wearer\", \"whom\"]", "has no element"),
    ] {
        let (_, said) = refusal(changed("pack.toml", "[\"wearer\", \"who\"]", shows));
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn everything_wrong_is_found_at_once() {
    let pack = glasses();
    let typed = values(json!({
        "wearer": 1988123048083_u64,
        "sold_on": "26.10.2026",
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
    let mut typed = values(json!({"wearer": "1988 12 30 480 83", "sold_on": "2026-10-26", "frame": "wood", "optician": "80000001"}));
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
    let typed = json!({"wearer": "1988123048083", "sold_on": "2026-10-26", "frame": "metal", "tinted": true, "optician": "80000001"});
    let outcome = pack.check(&values(typed), &CONTEXT);
    assert!(outcome.checked.is_none());
    assert_eq!(pack.describe(&outcome.findings[0], Lang::En), "Metal: no tint.");
    let facts: Vec<String> = outcome.facts.iter().map(|f| pack.describe_fact(f, Lang::Fr)).collect();
    assert_eq!(facts, ["né(e) le 30.12.1988 · 37 ans", "Prêtes le 02.11.2026"]);
}

#[test]
fn values_of_one_pack_are_refused_by_another() {
    let mine = glasses();
    let other = changed("pack.toml", "version = \"1\"", "version = \"2\"").unwrap();
    let checked = mine.check(mine.example("wood").unwrap(), &CONTEXT).checked.unwrap();
    assert!(matches!(
        other.page_data("receipt", &checked, None),
        Err(PackError::ForeignValues { .. })
    ));
    assert!(matches!(mine.page_data("nothing", &checked, None), Err(PackError::UnknownVolet(_))));
}

#[test]
fn a_broken_pack_says_which_file_and_why() {
    let mut others = Vec::new();
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
            "omit = [\"wearer\",",
            "omit = [\"nobody\",",
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
        ("message.xml.j2", "{{ id }}", "{{ id", "message.xml.j2", "syntax"),
        ("message.xml.j2", "{{ id }}", "{{ number }}", "message.xml.j2", "undefined"),
        ("message.xml.j2", "</who>", "</whom>", "message.xml.j2", "well-formed"),
        (
            "message.xml.j2",
            "{%- if values.wood_kind is not none %}",
            "{% for i in range(100000) %}{% endfor %}{%- if true %}",
            "message.xml.j2",
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
        ("pack.toml", "type = \"time\"", "type = \"lines\"", "pack.toml", "at most one field"),
        ("pack.toml", "max = 12", "max_length = 12", "pack.toml", "does not fit the type"),
        (
            "pack.toml",
            "max_length = 20\nlabelled",
            "max = 20\nlabelled",
            "pack.toml",
            "does not fit the type",
        ),
        (
            "pack.toml",
            "multiline = true",
            "multiline = true\npriced = { code = \"lens\", day = \"sold_on\" }",
            "pack.toml",
            "does not fit",
        ),
        (
            "pack.toml",
            "type = \"choice\"\noptions = [\"left\"",
            "type = \"choice\"\ndefault = \"left\"\noptions = [\"left\"",
            "pack.toml",
            "no default",
        ),
        ("pack.toml", "min_length = 4", "min_length = 9", "pack.toml", "the least is more"),
        (
            "pack.toml",
            "min = 1\nmax = 20",
            "min = 21\nmax = 20",
            "pack.toml",
            "the least is more",
        ),
        (
            "pack.toml",
            "priced = { code = \"code\"",
            "priced = { code = \"label\"",
            "pack.toml",
            "priced by",
        ),
        (
            "pack.toml",
            "day = \"date\", times",
            "day = \"frame\", times",
            "pack.toml",
            "priced by",
        ),
        (
            "pack.toml",
            "labelled = \"code\"",
            "labelled = \"date\"",
            "pack.toml",
            "labelled by",
        ),
        (
            "pack.toml",
            "fill = \"1\"",
            "fill = \"'one'\"",
            "pack.toml",
            "fill of \"quantity\" cannot be evaluated",
        ),
        (
            "pack.toml",
            "fill = \"1\"",
            "fill = \"size(items)\"",
            "pack.toml",
            "filled from all rows",
        ),
        (
            "pack.toml",
            "fill = \"1\"",
            "fill = \"line.quantity\"",
            "pack.toml",
            "wait for one another",
        ),
        (
            "pack.toml",
            "fill = \"1\"",
            "fill = \"line.weight\"",
            "pack.toml",
            "unknown column \"weight\"",
        ),
        (
            "pack.toml",
            "fill = \"1\"",
            "fill = \"1\"\nlabelled = \"code\"",
            "pack.toml",
            "does not fit",
        ),
        (
            "pack.toml",
            "fill = \"add_days(sold_on, 7)\"",
            "fill = \"tinted\"",
            "pack.toml",
            "cannot be evaluated",
        ),
        (
            "pack.toml",
            "field = \"side\"",
            "field = \"frame\"",
            "pack.toml",
            "unknown field \"frame\"",
        ),
        (
            "pack.toml",
            "field = \"insurer_card\", empty = true",
            "field = \"insurer_card\"",
            "pack.toml",
            "shown_when has either",
        ),
        (
            "pack.toml",
            "field = \"insurer_card\", empty = true",
            "field = \"insurer_card\", empty = false",
            "pack.toml",
            "shown_when has either",
        ),
        (
            "pack.toml",
            "field = \"insurer_card\", empty = true",
            "field = \"insurer_name\", empty = true",
            "pack.toml",
            "wait for one another",
        ),
        (
            "pack.toml",
            "each = \"items\"",
            "each = \"frame\"",
            "pack.toml",
            "\"frame\" has no rows",
        ),
        (
            "pack.toml",
            "\"line.date\", \"sold_on\"",
            "\"line.day\", \"sold_on\"",
            "pack.toml",
            "unknown field \"line.day\"",
        ),
        (
            "pack.toml",
            "line.date < sold_on",
            "line.amount > 3",
            "pack.toml",
            "rule \"item-before-sale\" cannot be evaluated",
        ),
        (
            "pack.toml",
            "zero(i.quantity) > 1",
            "i.quantity > 1",
            "pack.toml",
            "rule \"two-cases\" cannot be evaluated",
        ),
        (
            "pack.toml",
            "sum(items, 'amount')",
            "sum(items, 'price')",
            "pack.toml",
            "no column of numbers \"price\"",
        ),
        (
            "pack.toml",
            "sum(items, 'amount')",
            "sum(items, 'amount') > 3",
            "pack.toml",
            "total \"items_total\" cannot be evaluated",
        ),
        (
            "pack.toml",
            "items_total - zero(paid_before)",
            "items_total - paid_before",
            "pack.toml",
            "total \"to_pay\" cannot be evaluated",
        ),
        (
            "pack.toml",
            "sum(items, 'amount')",
            "to_pay",
            "pack.toml",
            "unknown field \"to_pay\"",
        ),
        ("pack.toml", "name = \"to_pay\"", "name = \"tinted\"", "pack.toml", "same name"),
        ("pack.toml", "id = \"ready_at\"", "id = \"line\"", "pack.toml", "may be called line"),
        ("pack.toml", "id = \"gift\"", "id = \"side\"", "pack.toml", "same name"),
        (
            "pack.toml",
            "default = \"today\"",
            "default = \"yesterday\"",
            "pack.toml",
            "does not take its default",
        ),
        (
            "pack.toml",
            "prefill = \"profile.bank_text\"",
            "prefill = \"patient.name\"",
            "pack.toml",
            "no path into",
        ),
        (
            "texts/en.json",
            "\"label\": \"Wearer\"",
            "\"label\": \"Wearer\", \"hint\": \"Who wears them\"",
            "texts/en.json",
            "the hint of \"wearer\"",
        ),
        ("pack.toml", "workflow = \"deposit\"", "workflow = \"fax\"", "pack.toml", "fax"),
        (
            "texts/fr.json",
            "\"engraving\"",
            "\"gravure\"",
            "texts/fr.json",
            "no text for the column \"engraving\"",
        ),
        ("texts/de.json", "\"left\"", "\"links\"", "texts/de.json", "option \"left\""),
        (
            "texts/lb.json",
            "\"to_pay\"",
            "\"pay\"",
            "texts/lb.json",
            "no text for the total \"to_pay\"",
        ),
        (
            "texts/en.json",
            "{{ too_much | money }}",
            "{{ too_much | euros }}",
            "texts/en.json",
            "has no text",
        ),
        (
            "codes/items.json",
            "\"from\": \"2026-01-01\"",
            "\"from\": \"2024-01-01\"",
            "codes/items.json",
            "does not follow",
        ),
        (
            "codes/items.json",
            "\"CLOTH\"",
            "\"CASE\"",
            "codes/items.json",
            "the code CASE twice",
        ),
        (
            "message.xml.j2",
            "item.amount|cents",
            "item.price|cents",
            "message.xml.j2",
            "invalid operation",
        ),
        (
            "examples/extras.json",
            "\"09:30\"",
            "\"9h30\"",
            "examples/extras.json",
            "time-unreadable",
        ),
    ] {
        let (found_file, found_reason) = refusal(changed(path, from, to));
        if found_file != file || !found_reason.contains(reason) {
            others.push(format!("{to}: {found_file}: {found_reason}"));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}

#[test]
fn missing_and_foreign_files_are_refused() {
    for path in [
        "pack.toml",
        "texts/en.json",
        "codes/lens.json",
        "pages/receipt.typ",
        "codes/items.json",
        "message.xml.j2",
    ] {
        let mut files = files();
        files.0.remove(path);
        assert_eq!(refusal(Pack::load(&files)).1, "missing", "{path}");
    }
    let mut bare = files();
    bare.0.retain(|path, _| !path.starts_with("examples/"));
    assert_eq!(refusal(Pack::load(&bare)), ("examples/*.json".to_owned(), "missing".to_owned()));
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
