//! The invented pack that the tests use, and variations of it.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::sync::OnceLock;

use econnector_forms::{CheckContext, Environment, MemoryFiles, Outcome, Pack, PackError, Severity, WireContext};
use include_dir::{Dir, include_dir};
use serde_json::{Map, Value};
use time::macros::date;
use uuid::Uuid;

static GLASSES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/tests/data/glasses");

pub const CONTEXT: CheckContext = CheckContext {
    today: date!(2026 - 10 - 26),
    environment: Environment::Production,
};

pub fn files() -> MemoryFiles {
    MemoryFiles::from(&GLASSES)
}

pub fn glasses() -> &'static Pack {
    static PACK: OnceLock<Pack> = OnceLock::new();
    PACK.get_or_init(|| Pack::load(&files()).unwrap())
}

/// The files with one passage of one of them replaced.
pub fn files_with(path: &str, from: &str, to: &str) -> MemoryFiles {
    let mut files = files();
    let content = String::from_utf8(files.0[path].clone()).unwrap();
    assert!(content.contains(from), "{path} does not hold {from}");
    files.0.insert(path.to_owned(), content.replacen(from, to, 1).into_bytes());
    files
}

/// The pack with one passage of one file replaced.
pub fn changed(path: &str, from: &str, to: &str) -> Result<Pack, PackError> {
    Pack::load(&files_with(path, from, to))
}

/// The same form, priced and paid by the authority instead of deposited.
pub fn simulated_files() -> MemoryFiles {
    let mut files = files_with(
        "pack.toml",
        "workflow = \"deposit\"",
        "workflow = \"simulate\"\nturns_into = \"glasses\"",
    );
    let definition = String::from_utf8(files.0["pack.toml"].clone()).unwrap();
    let (form, _) = definition.split_once("[wire]").unwrap();
    let common = "namespace = \"urn:glasses\"\nreference = \"ref\"\ndocument = \"doc\"\nanomaly = \"remark\"\nseverity = \"kind\"\n\
                  code = \"code\"\nmessage = \"says\"\nerrors = [\"E\"]\nwarnings = [\"W\"]\nanomaly_id = \"no\"\nanomaly_line = \"item\"\n";
    let tables = format!(
        "[simulation]\nmodel_uid = \"TEST_SIM\"\ntemplate = \"simulation.xml.j2\"\n[simulation.answer]\nroot = \"simulated\"\n{common}\
         totals = {{ statutory = \"fund\", personal = \"own\", total = \"sum\" }}\n\
         lines = {{ element = \"line\", id = \"item\", accepted = \"ok\", statutory = \"fund\", personal = \"own\", total = \"sum\" }}\n\
         [validation]\nmodel_uid = \"TEST_VAL\"\ntemplate = \"validation.xml.j2\"\n[validation.answer]\nroot = \"paid\"\n{common}\
         payment = {{ statutory = \"fund\", offset = \"debt\", paid = \"paid\", reason = \"why\" }}\n\
         [contestation]\nmodel_uid = \"TEST_CON\"\ntemplate = \"contestation.xml.j2\"\ncodes = \"codes/reasons.json\"\n\
         [contestation.answer]\nroot = \"contested\"\n{common}"
    );
    let texts = [
        ("pack.toml", format!("{form}{tables}")),
        (
            "simulation.xml.j2",
            "<s xmlns='urn:glasses'><id>{{ id }}</id>{% for item in values['items'] %}<i id='{{ ids[loop.index0] }}'>{{ item.code }}</i>{% endfor %}</s>"
                .to_owned(),
        ),
        ("validation.xml.j2", "<v><id>{{ id }}</id><ref>{{ reference }}</ref></v>".to_owned()),
        (
            "contestation.xml.j2",
            "<c><id>{{ id }}</id><ref>{{ reference }}</ref>{% for one in contested %}<a code='{{ one.code }}'>{{ one.id }}</a>{% endfor %}</c>"
                .to_owned(),
        ),
        (
            "codes/reasons.json",
            "{\"sample\": true, \"note\": \"Invented.\", \"codes\": [\
             {\"code\": \"R1\", \"labels\": {\"fr\": \"Erreur\", \"de\": \"Fehler\", \"en\": \"Mistake\", \"lb\": \"Feeler\"}}]}"
                .to_owned(),
        ),
    ];
    for (path, text) in texts {
        files.0.insert(path.to_owned(), text.into_bytes());
    }
    files.0.remove("examples/wood.json");
    files
}

/// What a form that may be cancelled adds to the pack.
pub fn cancellable_files() -> MemoryFiles {
    let mut files = files();
    let definition = String::from_utf8(files.0["pack.toml"].clone()).unwrap();
    let (_, wire) = definition.split_once("[wire]\n").unwrap();
    let (wire, _) = wire.split_once("[wire.foreign]").unwrap();
    let cancellation = format!("[cancellation]\n{}", wire.replace("[wire.", "[cancellation."))
        .replace("TEST_GLASSES-V1", "TEST_GLASSES-ANNUL-V1")
        .replace("message.xml.j2", "cancellation.xml.j2");
    files
        .0
        .insert("pack.toml".to_owned(), format!("{definition}\n{cancellation}").into_bytes());
    let template = "<a><id>{{ id }}</id>{% if replaced_by is not none %}<by>{{ replaced_by }}</by>{% endif %}<of>{{ cancelled }}</of>\
                    <kind>{{ kind }}</kind><why>{{ reason }}</why></a>";
    files.0.insert("cancellation.xml.j2".to_owned(), template.as_bytes().to_vec());
    files
}

pub fn refusal(pack: Result<Pack, PackError>) -> (String, String) {
    match pack {
        Ok(_) => (String::new(), "the pack opened".to_owned()),
        Err(PackError::Broken { file, reason } | PackError::Wire { file, reason }) => (file, reason),
        Err(PackError::Missing { file }) => (file, "missing".to_owned()),
        Err(other) => panic!("{other}"),
    }
}

pub fn values(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// The example with accessories, with some values changed.
pub fn extras(changes: Value) -> Map<String, Value> {
    let mut typed = glasses().example("extras").unwrap().clone();
    typed.extend(values(changes));
    typed
}

pub fn check(typed: &Map<String, Value>) -> Outcome {
    let outcome = glasses().check(typed, &CONTEXT);
    let errors = outcome.findings.iter().any(|f| f.severity == Severity::Error);
    assert_eq!(outcome.checked.is_none(), errors);
    outcome
}

/// Place and code of every finding.
pub fn found(outcome: &Outcome) -> Vec<(&str, &str)> {
    outcome.findings.iter().map(|f| (f.field.as_str(), f.code.as_str())).collect()
}

pub fn wire_context(ids: &[Uuid]) -> WireContext<'_> {
    WireContext {
        id: Uuid::nil(),
        issued: CONTEXT.today,
        document: b"%PDF",
        ids,
    }
}
