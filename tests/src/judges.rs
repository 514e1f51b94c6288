use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::project_file;

/// Which schema of crates/sandbox/xsd a request is judged by.
const SCHEMAS: [(&str, &str); 7] = [
    ("2026_ECIT_DEPOT-V1", "ecit"),
    ("2026_ECIT_ANNUL-V1", "ecit-cancellation"),
    ("2022_CNS_MEMHON_DEPOT-V1", "mh"),
    ("2022_CNS_MEMHON_ANNUL-V1", "mh-cancellation"),
    ("2023-CNS-PID-SIM-V1", "pid-simulation"),
    ("2023-CNS-PID-VAL-V1", "pid-validation"),
    ("2023-CNS-PID-CON-V1", "pid-contestation"),
];

/// Runs somebody else's program and returns what it said, both streams together.
///
/// # Panics
/// When it is not installed or says no.
#[must_use]
pub fn judge(program: impl AsRef<Path>, arguments: &[&str]) -> String {
    let (output, said) = run(program.as_ref(), arguments);
    assert!(output.status.success(), "{} {arguments:?}: {said}", program.as_ref().display());
    said
}

/// Runs somebody else's program, which must say no.
///
/// # Panics
/// When it is not installed or says yes.
#[must_use]
pub fn judge_fails(program: impl AsRef<Path>, arguments: &[&str]) -> String {
    let (output, said) = run(program.as_ref(), arguments);
    assert!(
        !output.status.success(),
        "{} {arguments:?} said yes: {said}",
        program.as_ref().display()
    );
    said
}

/// A program of the project's Python environment.
#[must_use]
pub fn venv_program(name: &str) -> PathBuf {
    let venv = std::env::var_os("ECONNECTOR_VENV").map_or_else(|| project_file(".venv"), PathBuf::from);
    venv.join("bin").join(name)
}

/// Runs a Python script of tests/peers.
///
/// # Panics
/// When it fails.
#[must_use]
pub fn python(script: &str, arguments: &[&str]) -> String {
    let script = project_file("tests/peers").join(script);
    let mut all = vec![script.to_str().unwrap_or_default()];
    all.extend(arguments);
    judge(venv_program("python"), &all)
}

/// The document of a recorded exchange: the envelope's signature is verified by xmlsec and zeep, its document cut out into `folder`
/// and judged by xmllint against the schema of its model.
///
/// # Panics
/// When one of them says no.
#[must_use]
pub fn cut_out(exchange: &Value, folder: &Path) -> PathBuf {
    let model = exchange["model_uid"].as_str().unwrap();
    let (envelope, document) = (folder.join("envelope.xml"), folder.join(format!("{model}.xml")));
    std::fs::write(&envelope, exchange["envelope"].as_str().unwrap()).unwrap();
    let said = python("judge_envelope.py", &[envelope.to_str().unwrap(), document.to_str().unwrap()]);
    assert!(said.contains("signature verified") && said.contains("Body covered"), "{said}");
    let said = judge("xmllint", &as_written(&schema_of(model), &document));
    assert!(said.contains("validates"), "{said}");
    document
}

/// The schema of a model.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn schema_of(model: &str) -> PathBuf {
    let (_, schema) = SCHEMAS
        .iter()
        .find(|(known, _)| *known == model)
        .unwrap_or_else(|| panic!("no schema for {model}"));
    project_file("crates/sandbox/xsd").join(format!("{schema}.xsd"))
}

/// What xmllint is asked about a document.
///
/// # Panics
/// When a path is not UTF-8.
#[must_use]
pub fn as_written<'a>(schema: &'a Path, document: &'a Path) -> [&'a str; 5] {
    [
        "--nonet",
        "--noout",
        "--schema",
        schema.to_str().unwrap(),
        document.to_str().unwrap(),
    ]
}

/// Adds a deposited fee note up anew with Python's decimals; `typed` are amounts typed over the tariff, as in `3=99.90`.
/// Returns subtotal and amount to pay as they stand in the XML.
///
/// # Panics
/// When an amount is not the tariff's, or a total not the sum.
#[must_use]
pub fn judge_totals(document: &Path, typed: &[&str]) -> (String, String) {
    let tariff = project_file("forms/mh/codes/tariff.json");
    let mut arguments = vec![document.to_str().unwrap(), tariff.to_str().unwrap()];
    arguments.extend(typed);
    let said = python("judge_totals.py", &arguments);
    let (subtotal, to_pay) = said.trim().split_once(' ').unwrap();
    (subtotal.to_owned(), to_pay.to_owned())
}

/// The authorities by which a signed page is judged.
pub struct Trust {
    root: String,
    timestamp: String,
}

impl Trust {
    /// The sandbox's, as its `/ready` names them.
    ///
    /// # Panics
    /// When it names none.
    #[must_use]
    pub fn of(ready: &Value) -> Self {
        let file = |name: &str| ready[name].as_str().unwrap_or_else(|| panic!("{name} in {ready}")).to_owned();
        Self {
            root: file("kms_root_pem"),
            timestamp: file("kms_timestamp_ca_pem"),
        }
    }

    fn validate<'a>(&'a self, pdf: &'a str) -> [&'a str; 9] {
        [
            "sign",
            "validate",
            "--trust",
            &self.root,
            "--trust",
            &self.timestamp,
            "--trust-replace",
            "--pretty-print",
            pdf,
        ]
    }
}

/// A signed page as others see it: pyHanko and pdfsig believe the signature, qpdf the file.
///
/// # Panics
/// When one of them says otherwise.
pub fn judge_signed_pdf(trust: &Trust, pdf: &Path) {
    let file = pdf.to_str().unwrap();
    let said = judge(venv_program("pyhanko"), &trust.validate(file));
    for sentence in ["judged VALID", "The TSA certificate is trusted", "covers the entire file"] {
        assert!(said.contains(sentence), "{sentence}: {said}");
    }
    let said = judge("pdfsig", &["-nocert", file]);
    assert!(
        said.contains("Signature is Valid") && said.contains("Total document signed"),
        "{said}"
    );
    assert!(judge("qpdf", &["--check", file]).contains("No syntax or stream encoding errors"));
}

/// One changed digit, and pyHanko believes a signed page no more.
///
/// # Panics
/// When it does.
pub fn judge_tampered(trust: &Trust, pdf: &Path) {
    let mut changed = std::fs::read(pdf).unwrap();
    // A digit of the document's date in the metadata: the file stays readable, and says something else.
    let place = changed.windows(15).position(|window| window == b"<xmp:CreateDate").unwrap() + 16;
    changed[place] = if changed[place] == b'1' { b'2' } else { b'1' };
    let tampered = pdf.with_extension("tampered.pdf");
    std::fs::write(&tampered, changed).unwrap();
    let said = judge_fails(venv_program("pyhanko"), &trust.validate(tampered.to_str().unwrap()));
    assert!(said.contains("judged INVALID"), "{said}");
}

/// The text of every element of this local name in an XML document, as xmllint reads it.
#[must_use]
pub fn elements(document: &Path, name: &str) -> Vec<String> {
    let file = document.to_str().unwrap_or_default();
    let nodes = format!("//*[local-name()='{name}']");
    let count = judge("xmllint", &["--nonet", "--xpath", &format!("count({nodes})"), file]);
    (1..=count.trim().parse::<usize>().unwrap_or_default())
        .map(|number| {
            let node = format!("string(({nodes})[{number}])");
            judge("xmllint", &["--nonet", "--xpath", &node, file])
                .trim_end_matches('\n')
                .to_owned()
        })
        .collect()
}

/// The text of a page, laid out as on paper.
#[must_use]
pub fn page_text(pdf: &Path) -> String {
    judge("pdftotext", &["-layout", pdf.to_str().unwrap_or_default(), "-"])
}

/// What a scanner reads out of the DataMatrix on the first page.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn data_matrix(pdf: &Path) -> String {
    let picture = pdf.with_extension("");
    let _ = judge(
        "pdftoppm",
        &["-r", "200", "-png", "-singlefile", pdf.to_str().unwrap(), picture.to_str().unwrap()],
    );
    judge("dmtxread", &["-N1", "-m3000", picture.with_extension("png").to_str().unwrap()])
}

/// Writes base64 content into a file.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn unpack(content: &Value, file: PathBuf) -> PathBuf {
    std::fs::write(&file, STANDARD.decode(content.as_str().unwrap()).unwrap()).unwrap();
    file
}

fn run(program: &Path, arguments: &[&str]) -> (Output, String) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{} cannot be run ({error}): `cargo xtask test` installs it", program.display()));
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output, said)
}
