//! What the tests of the pages share: the embedded packs, checked examples, and other people's programs to judge a PDF.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use econnector_documents::{Content, Document, DocumentError, DocumentFacts, Typesetter};
use econnector_forms::{CheckContext, Checked, Environment, Pack, SimulatedLine, Simulation, embedded};
use serde_json::{Map, Value};
use tempfile::TempDir;
use time::Date;
use time::macros::datetime;
use uuid::Uuid;

pub const ID: Uuid = Uuid::from_u128(0x3f2a_9c1e_7b54_4d0a_9e61_5c28_d7f0_13ab);

pub fn packs() -> &'static [Pack] {
    static PACKS: OnceLock<Vec<Pack>> = OnceLock::new();
    PACKS.get_or_init(|| embedded().unwrap())
}

pub fn pack(kind: &str) -> &'static Pack {
    packs().iter().find(|pack| pack.kind() == kind).unwrap()
}

pub fn typesetter() -> &'static Typesetter {
    static TYPESETTER: OnceLock<Typesetter> = OnceLock::new();
    TYPESETTER.get_or_init(Typesetter::new)
}

pub fn context(today: Date) -> CheckContext {
    CheckContext {
        today,
        environment: Environment::Production,
    }
}

pub fn facts(day: Date) -> DocumentFacts {
    DocumentFacts {
        id: ID,
        issued: datetime!(2026-10-26 09:30:00 UTC),
        day,
        signed_by: Some("Dr Anne Weber".to_owned()),
        reference: Some("7d1f0a52-51f7-4a5c-8d5d-2b1c9e3f4a60".to_owned()),
        training: false,
        paper: false,
        preview: false,
    }
}

/// An example's values with some replaced.
pub fn values(pack: &Pack, example: &str, changes: Value) -> Map<String, Value> {
    let mut values = pack.example(example).unwrap().clone();
    values.extend(changes.as_object().unwrap().clone());
    values
}

pub fn checked(pack: &Pack, values: &Map<String, Value>, today: Date) -> Checked {
    let outcome = pack.check(values, &context(today));
    outcome.checked.unwrap_or_else(|| panic!("{:?}", outcome.findings))
}

/// An example, checked on its own day.
pub fn example(pack: &Pack, name: &str) -> Checked {
    checked(pack, pack.example(name).unwrap(), pack.example_day(name).unwrap())
}

pub fn set(pack: &Pack, volet: &str, content: Content<'_>, facts: &DocumentFacts) -> Result<Document, DocumentError> {
    typesetter().render(pack, volet, content, facts)
}

/// What an authority might have computed: 88 % of 10 euros an act; the rows named are refused.
pub fn simulated(rows: usize, refused: &[usize]) -> Simulation {
    let lines: Vec<SimulatedLine> = (0..rows)
        .map(|row| {
            let accepted = !refused.contains(&row);
            let statutory = if accepted { 880 } else { 0 };
            SimulatedLine {
                accepted,
                statutory,
                personal: 1000 - statutory,
                total: 1000,
            }
        })
        .collect();
    Simulation {
        reference: "b1c2d3e4-5f60-4718-8293-a4b5c6d7e8f9".to_owned(),
        document: None,
        statutory: lines.iter().map(|line| line.statutory).sum(),
        personal: lines.iter().map(|line| line.personal).sum(),
        total: lines.iter().map(|line| line.total).sum(),
        lines,
        anomalies: Vec::new(),
    }
}

pub fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|e| panic!("{program} is needed: {e}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn written(pdf: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.pdf"), pdf).unwrap();
    folder
}

/// The text line by line as a reader sees it; the breaks inside long words removed.
pub fn lines(pdf: &[u8]) -> String {
    let text = run("pdftotext", &["-layout", "a.pdf", "-"], written(pdf).path());
    let text = text.replace('\u{200b}', "").replace('\u{c}', "\n--- page ---\n");
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).map(|line| line + "\n").collect()
}

/// The same in one line.
pub fn text(pdf: &[u8]) -> String {
    let text = run("pdftotext", &["-layout", "a.pdf", "-"], written(pdf).path());
    text.replace('\u{200b}', "").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The pages as pixels.
pub fn pixels(pdf: &[u8]) -> Vec<Vec<u8>> {
    let folder = written(pdf);
    run("pdftoppm", &["-r", "100", "a.pdf", "a"], folder.path());
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "ppm"));
    files.sort();
    files.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Everything a program could find in the file: as it is, and unpacked.
pub fn bytes(pdf: &[u8]) -> Vec<Vec<u8>> {
    let folder = written(pdf);
    run(
        "qpdf",
        &["--qdf", "--object-streams=disable", "--stream-data=uncompress", "a.pdf", "b.pdf"],
        folder.path(),
    );
    vec![pdf.to_vec(), std::fs::read(folder.path().join("b.pdf")).unwrap()]
}

/// Whether a text stands in the bytes in any of the encodings a PDF writes text in.
pub fn holds(bytes: &[Vec<u8>], needle: &str) -> bool {
    let wide: Vec<u8> = needle.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02X}")).collect::<String>().into_bytes();
    let forms = [needle.as_bytes().to_vec(), wide.clone(), hex(needle.as_bytes()), hex(&wide)];
    bytes.iter().any(|bytes| {
        forms
            .iter()
            .any(|form| bytes.windows(form.len()).any(|window| window == form.as_slice()))
    })
}

/// What a reader of DataMatrix codes finds in the top right corner of the first page.
pub fn datamatrix(pdf: &[u8]) -> String {
    let folder = written(pdf);
    // A reader that searches the whole page only takes longer.
    let corner = [
        "-r",
        "200",
        "-png",
        "-singlefile",
        "-x",
        "1200",
        "-y",
        "60",
        "-W",
        "400",
        "-H",
        "280",
        "a.pdf",
        "a",
    ];
    run("pdftoppm", &corner, folder.path());
    run("dmtxread", &["-N1", "-m", "30000", "a.png"], folder.path())
}

/// Compares with what stands in `tests/golden`; with GOLDEN=write in the environment it is written instead, to be looked at.
pub fn golden(name: &str, found: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("GOLDEN").is_some_and(|word| word == "write") {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(
        expected == found,
        "{name} is not what it was. Found:\n{found}\nIf this is meant: GOLDEN=write cargo test -p econnector-documents"
    );
}
