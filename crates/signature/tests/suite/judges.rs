//! Other people's programs: pyHanko, poppler's pdfsig, qpdf, OpenSSL's timestamp authority. Missing programs are failures:
//! `cargo xtask test` installs them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use async_trait::async_trait;
use econnector_signature::{
    Algorithm, Bearer, Expected, FieldOptions, PdfProblem, Probe, SignatureError, Signer, SignerCertificate, check_pdf, sign_pdf, verify,
};
use rcgen::KeyPair;
use time::Duration;

use crate::{
    authority::{Authority, EHEALTH_ID, Misdeed, NAME, now, p384, physician, rsa_key, stamper},
    paper::{Style, bearer, gap, pdf, sign},
};

#[tokio::test]
async fn every_kind_of_file_and_key_is_valid_for_everybody() {
    for style in [Style::Classic, Style::Streams] {
        for (kind, key) in [("P-256", KeyPair::generate().unwrap()), ("RSA", rsa_key())] {
            let authority = Authority::with(&physician(EHEALTH_ID), key, &stamper());
            let original = pdf(style);
            let signed = sign(&original, &authority).await.unwrap();
            assert!(
                signed.bytes.starts_with(&original),
                "an incremental update leaves the document alone"
            );
            assert_eq!(signed.signer_name, NAME);
            assert_eq!(signed.timestamp, authority.stamped_at.replace_nanosecond(0).unwrap());

            let judged = verify(&signed.bytes, &authority.trust(), now()).unwrap();
            assert!(judged.is_valid(), "{style:?} {kind} {judged:?}");
            assert!(judged.intact && judged.trusted && judged.covers_whole_document);
            assert_eq!(judged.ehealth_id.as_deref(), Some(EHEALTH_ID));
            assert_eq!(judged.signed_at, Some(signed.timestamp));

            let court = Court::new(&authority, &signed.bytes);
            court.pyhanko_says_valid();
            court.pdfsig_says("Signature is Valid");
            court.qpdf_finds_nothing();
        }
    }
}

/// What the typesetter writes: PDF/A-2a and PDF/UA-1, tagged.
#[tokio::test]
async fn an_accessible_archive_document_stays_tagged_and_valid() {
    let (original, authority) = (include_bytes!("typst-a2a-ua1.pdf"), Authority::new());
    let signed = sign(original, &authority).await.unwrap().bytes;
    assert!(signed.starts_with(original));
    assert!(verify(&signed, &authority.trust(), now()).unwrap().is_valid());

    let document = lopdf::Document::load_mem(&signed).unwrap();
    let page = document.get_dictionary(document.page_iter().next().unwrap()).unwrap();
    assert_eq!(page.get(b"Tabs").unwrap().as_name().unwrap(), b"S");
    assert!(document.catalog().unwrap().has(b"StructTreeRoot"));
    let before = lopdf::Document::load_mem(original).unwrap();
    let first = |document: &lopdf::Document| document.trailer.get(b"ID").unwrap().as_array().unwrap()[0].clone();
    assert_eq!(first(&document), first(&before), "the document's permanent identifier");

    let court = Court::new(&authority, &signed);
    court.pyhanko_says_valid();
    court.pdfsig_says("Signature is Valid");
    court.qpdf_finds_nothing();
    let facts = text(&court.run("pdfinfo", &[]));
    assert!(facts.contains("Tagged:          yes"), "{facts}");
}

/// Files of practice software and hospitals come from everywhere.
#[tokio::test]
async fn pdfs_made_elsewhere_are_signed_as_they_are_and_valid_for_everybody() {
    for (producer, original, pages) in MADE_ELSEWHERE {
        let authority = Authority::new();
        assert_eq!(check_pdf(original, original.len()), Ok(pages), "{producer}");
        let field = FieldOptions {
            name: "Signature-pdf".into(),
            ..FieldOptions::default()
        };
        let expected = Expected { ehealth_id: EHEALTH_ID };
        let signed = sign_pdf(original, &authority, &bearer(), &expected, &authority.trust(), now(), &field).await;
        let signed = signed.unwrap_or_else(|error| panic!("{producer}: {error}")).bytes;
        assert!(signed.starts_with(original), "{producer}");
        let judged = verify(&signed, &authority.trust(), now()).unwrap();
        assert!(judged.is_valid(), "{producer}: {judged:?}");
        let court = Court::new(&authority, &signed);
        court.pyhanko_says_valid();
        court.pdfsig_says("Signature is Valid");
        court.qpdf_finds_nothing();
        assert_eq!(
            check_pdf(&signed, signed.len()),
            Err(PdfProblem::AlreadySigned.into()),
            "{producer}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_signed_is_said_before_anybody_is_asked() {
    let encrypted: &[u8] = include_bytes!("elsewhere/encrypted.pdf");
    let reportlab = MADE_ELSEWHERE[0].1;
    let cut = &reportlab[..reportlab.len() / 2];
    for (pdf, largest, problem) in [
        (encrypted, usize::MAX, PdfProblem::Encrypted),
        (reportlab, reportlab.len() - 1, PdfProblem::TooLarge),
        (cut, usize::MAX, PdfProblem::Damaged),
        (b"%PDF-1.7".as_slice(), usize::MAX, PdfProblem::Damaged),
        (b"<html>", usize::MAX, PdfProblem::Damaged),
        (b"", usize::MAX, PdfProblem::Damaged),
    ] {
        assert_eq!(check_pdf(pdf, largest), Err(problem.into()));
        let refused = sign(pdf, &Authority::new()).await.err();
        assert!(refused == Some(problem.into()) || problem == PdfProblem::TooLarge, "{refused:?}");
    }
}

/// What wrote them, and how many pages there are. `reportlab-form` has a field of the name the signature would like to have.
const MADE_ELSEWHERE: [(&str, &[u8], usize); 7] = [
    ("reportlab", include_bytes!("elsewhere/reportlab.pdf"), 2),
    ("reportlab-form", include_bytes!("elsewhere/reportlab-form.pdf"), 1),
    ("fpdf2", include_bytes!("elsewhere/fpdf2.pdf"), 1),
    ("cairo", include_bytes!("elsewhere/cairo.pdf"), 1),
    ("chromium", include_bytes!("elsewhere/chromium.pdf"), 1),
    ("qpdf, linearized", include_bytes!("elsewhere/linearized.pdf"), 1),
    ("qpdf, object streams", include_bytes!("elsewhere/object-streams.pdf"), 1),
];

#[tokio::test]
async fn a_service_that_gives_two_bare_numbers_is_understood() {
    let authority = Authority::misbehaving(Misdeed::SignatureBare);
    let signed = sign(&pdf(Style::Classic), &authority).await.unwrap();
    assert!(verify(&signed.bytes, &authority.trust(), now()).unwrap().is_valid());
    Court::new(&authority, &signed.bytes).pyhanko_says_valid();
}

#[tokio::test]
async fn one_changed_byte_is_invalid_for_everybody() {
    let authority = Authority::new();
    let mut signed = sign(&pdf(Style::Classic), &authority).await.unwrap().bytes;
    let at = signed.windows(17).position(|window| window == b"Certificat fictif").unwrap();
    signed[at] = b'K';
    let judged = verify(&signed, &authority.trust(), now()).unwrap();
    assert!(!judged.intact && !judged.is_valid());
    let court = Court::new(&authority, &signed);
    let verdict = court.pyhanko();
    assert!(!verdict.status.success());
    assert!(text(&verdict).contains("INVALID"), "{}", text(&verdict));
    court.pdfsig_says("Digest Mismatch");
}

#[tokio::test]
async fn the_same_file_is_not_trusted_under_other_roots() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let signed = sign(&pdf(Style::Streams), &authority).await.unwrap().bytes;
    let judged = verify(&signed, &stranger.trust(), now()).unwrap();
    assert!(judged.intact && !judged.trusted);
    assert!(!Court::new(&stranger, &signed).pyhanko().status.success());
}

#[tokio::test]
async fn the_certificates_may_expire_when_the_timestamp_lives_on() {
    let mut params = physician(EHEALTH_ID);
    params.not_after = now() + Duration::days(1);
    let authority = Authority::with(&params, p384(), &stamper());
    // P-384 keys of this kind sign with SHA-384, which the service was not asked for.
    assert_eq!(
        sign(&pdf(Style::Classic), &authority).await.err(),
        Some(SignatureError::SignatureWrong)
    );

    let authority = Authority::with(&params, KeyPair::generate().unwrap(), &stamper());
    let signed = sign(&pdf(Style::Classic), &authority).await.unwrap().bytes;
    let later = verify(&signed, &authority.trust(), now() + Duration::days(30)).unwrap();
    assert!(later.is_valid(), "{later:?}");
    let much_later = verify(&signed, &authority.trust(), now() + Duration::days(365 * 30)).unwrap();
    assert!(!much_later.trusted && much_later.intact);
}

/// The physician's key here, the timestamps from `openssl ts`.
struct StampedByOpenSsl {
    authority: Authority,
    folder: tempfile::TempDir,
}

#[async_trait]
impl Signer for StampedByOpenSsl {
    async fn certificate(&self, bearer: &Bearer) -> Result<SignerCertificate, SignatureError> {
        self.authority.certificate(bearer).await
    }

    async fn sign(&self, bearer: &Bearer, data: &[u8], algorithm: Algorithm) -> Result<Vec<u8>, SignatureError> {
        self.authority.sign(bearer, data, algorithm).await
    }

    async fn timestamp(&self, _: &Bearer, query: &[u8]) -> Result<Vec<u8>, SignatureError> {
        std::fs::write(self.folder.path().join("query.tsq"), query).unwrap();
        let made = Command::new("openssl")
            .args([
                "ts",
                "-reply",
                "-config",
                "tsa.cnf",
                "-queryfile",
                "query.tsq",
                "-out",
                "answer.tsr",
            ])
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", text(&made));
        Ok(std::fs::read(self.folder.path().join("answer.tsr")).unwrap())
    }

    async fn probe(&self) -> Result<Probe, SignatureError> {
        self.authority.probe().await
    }
}

#[tokio::test]
async fn timestamps_of_openssl_are_believed_with_both_generations_of_attributes() {
    for hash in ["sha1", "sha256"] {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("tsa.der", &authority.stamper.der);
        write("tsa.key", authority.stamper.key.serialize_pem().as_bytes());
        write("serial", b"01\n");
        write("tsa.cnf", format!("{TSA_CNF}ess_cert_id_alg = {hash}\n").as_bytes());
        let converted = Command::new("openssl")
            .args(["x509", "-inform", "der", "-in", "tsa.der", "-out", "tsa.pem"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(converted.status.success(), "{}", text(&converted));

        let signer = StampedByOpenSsl { authority, folder };
        let trust = signer.authority.trust();
        let expected = Expected { ehealth_id: EHEALTH_ID };
        let field = FieldOptions::default();
        let signed = sign_pdf(&pdf(Style::Streams), &signer, &bearer(), &expected, &trust, now(), &field)
            .await
            .unwrap();
        assert!(verify(&signed.bytes, &trust, now()).unwrap().is_valid());
        Court::new(&signer.authority, &signed.bytes).pyhanko_says_valid();
    }
}

const TSA_CNF: &str = "[tsa]
default_tsa = t
[t]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
clock_precision_digits = 3
accuracy = secs:1
tsa_name = yes
";

#[tokio::test]
async fn the_place_for_the_signature_is_ample() {
    let authority = Authority::new();
    let signed = sign(&pdf(Style::Classic), &authority).await.unwrap().bytes;
    let gap = gap(&signed);
    let used = signed[gap.clone()].iter().rposition(|byte| *byte != b'0' && *byte != b'>').unwrap();
    assert!(used < gap.len() / 2, "{used} of {}", gap.len());
}

struct Court {
    folder: tempfile::TempDir,
}

impl Court {
    fn new(authority: &Authority, pdf: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("signed.pdf"), pdf).unwrap();
        // The root alone: what stands between must come with the signature.
        let root = authority.root.pem.split_inclusive("-----END CERTIFICATE-----").next().unwrap();
        std::fs::write(folder.path().join("root.pem"), root).unwrap();
        let others = authority.root.pem.replacen(root, "", 1);
        std::fs::write(folder.path().join("others.pem"), others).unwrap();
        Self { folder }
    }

    fn pyhanko(&self) -> Output {
        let program = venv().join("bin").join("pyhanko");
        self.run(
            program.to_str().unwrap(),
            &[
                "sign",
                "validate",
                "--pretty-print",
                "--trust",
                "root.pem",
                "--trust-replace",
                "--other-certs",
                "others.pem",
            ],
        )
    }

    fn pyhanko_says_valid(&self) {
        let verdict = self.pyhanko();
        let said = text(&verdict);
        assert!(verdict.status.success(), "{said}");
        assert!(said.contains("The signature is judged VALID."), "{said}");
        assert!(said.contains("The timestamp token is cryptographically sound."), "{said}");
        assert!(said.contains("covers the entire file"), "{said}");
    }

    fn pdfsig_says(&self, verdict: &str) {
        let said = text(&self.run("pdfsig", &["-nocert"]));
        assert!(said.contains(&format!("Signature Validation: {verdict}")), "{said}");
        assert!(said.contains("ETSI.CAdES.detached"), "{said}");
    }

    fn qpdf_finds_nothing(&self) {
        let verdict = self.run("qpdf", &["--check"]);
        assert!(verdict.status.success(), "{}", text(&verdict));
        assert!(
            text(&verdict).contains("No syntax or stream encoding errors found"),
            "{}",
            text(&verdict)
        );
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        Command::new(program)
            .args(arguments)
            .arg("signed.pdf")
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}; `cargo xtask test` installs it"))
    }
}

fn venv() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    std::env::var_os("ECONNECTOR_VENV").map_or_else(|| workspace.join(".venv"), PathBuf::from)
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
