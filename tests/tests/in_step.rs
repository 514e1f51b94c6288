//! Generated files say what the code says. `cargo xtask generate` writes them anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use econnector_forms::Lang;

#[test]
fn the_openapi_document_is_the_router_s() {
    let mut document = econnector_api::openapi().to_pretty_json().unwrap();
    document.push('\n');
    same("docs/openapi.json", &document);
}

#[test]
fn the_list_of_problems_is_the_texts() {
    let mut page = String::from(
        "# Problems\n\nEvery error answer is `application/problem+json` (RFC 9457) with one of these codes. Codes are stable; texts come in the\ncaller's language (fr, de, en, lb). Generated from `crates/connector/texts/` by `cargo xtask generate`.\n",
    );
    for (code, title, detail, next) in econnector_connector::problem_codes(Lang::En).unwrap() {
        write!(page, "\n## {code}\n**{title}.** {detail}\n\nNext: {next}\n").unwrap();
    }
    same("docs/problems.md", &page);
}

#[test]
fn every_code_in_the_source_has_texts_and_no_text_is_left_over() {
    let known: BTreeSet<String> = econnector_connector::problem_codes(Lang::Fr)
        .unwrap()
        .into_iter()
        .map(|(code, ..)| code)
        .collect();
    let mut used: BTreeSet<String> = BTreeSet::from(["interrupted".to_owned()]);
    let mut sources = Vec::new();
    rust_files(&root().join("crates"), &mut sources);
    for source in sources.iter().map(|file| std::fs::read_to_string(file).unwrap()) {
        for body in bodies_of_code(&source) {
            used.extend(kebab_literals(body));
        }
    }
    assert!(used.len() > 50, "the scan finds the codes: {used:?}");
    let missing: Vec<_> = used.difference(&known).collect();
    assert!(missing.is_empty(), "codes without texts: {missing:?}");
    let idle: Vec<_> = known.difference(&used).collect();
    assert!(idle.is_empty(), "texts without code: {idle:?}");
}

#[test]
fn every_pack_opens_with_its_texts_in_four_languages() {
    let packs = econnector_forms::embedded().unwrap_or_else(|error| panic!("{error}"));
    assert!(packs.iter().any(|pack| pack.kind() == "ecit"));
}

/// The channel of an integration engine holds its scripts word for word, since it is imported as one file.
#[test]
fn the_sample_channel_holds_the_scripts_that_are_tested() {
    let mut channel = std::fs::read_to_string(root().join("samples/mirth/channel.xml")).unwrap();
    for name in ["transformer.js", "response.js"] {
        let script = std::fs::read_to_string(root().join("samples/mirth").join(name)).unwrap();
        assert!(!script.contains("]]>"), "{name} would end the CDATA section");
        let (head, end) = (format!("<![CDATA[// {name}\n"), format!("// end of {name}\n"));
        let (before, rest) = channel.split_once(&head).unwrap();
        let (_, after) = rest.split_once(&end).unwrap();
        channel = format!("{before}{head}{script}{end}{after}");
    }
    same("samples/mirth/channel.xml", &channel);
}

/// What stands in the braces of each `fn code(&self) -> …`.
fn bodies_of_code(source: &str) -> Vec<&str> {
    let mut bodies = Vec::new();
    let heads = [
        "fn code(&self) -> &'static str",
        "fn code(&self) -> Option<&'static str>",
        "fn code(self) -> &'static str",
    ];
    let starts = heads.iter().flat_map(|head| source.match_indices(head)).map(|(start, _)| start);
    for start in starts {
        let rest = source.get(start..).unwrap();
        let mut depth = 0;
        for (at, character) in rest.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth == 1 => {
                    bodies.push(rest.get(..at).unwrap());
                    break;
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    bodies
}

fn kebab_literals(body: &str) -> impl Iterator<Item = String> {
    body.split('"')
        .skip(1)
        .step_by(2)
        .filter(|word| word.contains('-') || *word == "internal")
        .map(ToOwned::to_owned)
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            rust_files(&entry, files);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
}

fn same(path: &str, wanted: &str) {
    let file = root().join(path);
    if std::env::var_os("ECONNECTOR_GENERATE").is_some() {
        std::fs::write(&file, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == wanted, "{path} is out of step: run `cargo xtask generate`");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
