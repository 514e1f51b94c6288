//! PDFs that somebody else made are opened in a process of their own, by both programs: what breaks there breaks nothing else.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use econnector_tests::{Programs, browser, project_file};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

const WORD: &str = "open-pdf";

#[test]
fn both_programs_draw_a_page_and_know_no_more() {
    let pdf = good();
    for program in ["econnector-server", "econnector"] {
        let drawn = opened(program, &["draw", "1"], &pdf);
        assert!(drawn.status.success(), "{program}: {:?}", drawn.status);
        assert!(drawn.stdout.starts_with(b"page 1\n<svg "), "{program}");
        assert!(drawn.stderr.is_empty(), "{program}");
        assert_eq!(opened(program, &["weigh"], &pdf).stdout, b"weighed\n", "{program}");
        for words in [&["draw"][..], &["draw", "x"], &["--version"], &[]] {
            let refused = opened(program, words, &pdf);
            assert!(!refused.status.success() && refused.stdout.is_empty(), "{program} {words:?}");
        }
    }
}

#[test]
fn a_page_that_ends_the_process_says_nothing() {
    let pdf = nested();
    for program in ["econnector-server", "econnector"] {
        let broken = opened(program, &["draw", "1"], &pdf);
        let status = broken.status;
        assert!(status.signal().is_some() && !status.core_dumped(), "{program}: {status:?}");
        assert!(broken.stdout.is_empty(), "{program}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hospitals_server_goes_on_whatever_its_callers_send() {
    let programs = Programs::with_server().await;
    let client = browser(Some(&std::fs::read(programs.field("ca_pem")).unwrap()));
    let request = |method: reqwest::Method, path: &str| {
        client
            .request(method, format!("{}/econnector/v1/{path}", programs.field("api")))
            .header("X-EConnector-Key", programs.field("api_key"))
            .header("X-EConnector-Physician", programs.field("ehealth_id"))
    };
    let sign = async |pdf: &[u8]| {
        let id = Uuid::new_v4();
        let body = json!({ "id": id, "content": STANDARD.encode(pdf) });
        let answer = request(reqwest::Method::POST, "signatures").json(&body).send().await.unwrap();
        (answer.status(), id)
    };
    let page = async |id: Uuid| {
        let path = format!("documents/{id}/volets/document");
        request(reqwest::Method::GET, &path)
            .header("Accept", "image/svg+xml")
            .send()
            .await
            .unwrap()
    };

    // It can be signed; to show it is another thing.
    let (status, id) = sign(&nested()).await;
    assert_eq!(status, StatusCode::CREATED);
    for _ in 0..3 {
        let answer = page(id).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], "pdf-unusable");
    }
    // It cannot even be read.
    let chain = chained();
    assert_eq!(sign(&chain).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let verified = request(reqwest::Method::POST, "verifications")
        .header("Content-Type", "application/pdf")
        .body(chain)
        .send()
        .await
        .unwrap();
    assert_eq!(verified.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(verified.json::<Value>().await.unwrap()["code"], "pdf-unusable");

    let (status, id) = sign(&good()).await;
    assert_eq!(status, StatusCode::CREATED);
    let shown = page(id).await;
    assert_eq!(shown.status(), StatusCode::OK);
    assert_eq!(shown.headers()["X-Page-Count"], "1");
    assert!(shown.text().await.unwrap().starts_with("<svg "));
}

fn opened(program: &str, words: &[&str], pdf: &[u8]) -> Output {
    let mut child = Command::new(project_file("target/debug").join(program))
        .arg(WORD)
        .args(words)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may have ended without reading.
    let _ = stdin.write_all(pdf);
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn good() -> Vec<u8> {
    std::fs::read(project_file("crates/signature/tests/suite/elsewhere/chromium.pdf")).unwrap()
}

/// A page whose content uses up the stack of whoever draws it.
fn nested() -> Vec<u8> {
    let content = "[".repeat(400_000);
    pdf(&[format!("<</Length {}>>stream\n{content}\nendstream", content.len())])
}

/// Streams, each as long as the next one says, which uses up the stack of whoever reads them.
fn chained() -> Vec<u8> {
    let streams: Vec<String> = (5..60_000)
        .map(|next| format!("<</Length {next} 0 R>>stream\n\nendstream"))
        .collect();
    pdf(&streams)
}

/// One page, whose content is the first of these objects.
fn pdf(others: &[String]) -> Vec<u8> {
    let page = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R>>",
    ];
    let (mut text, mut table) = ("%PDF-1.7\n".to_owned(), "0000000000 65535 f \n".to_owned());
    let objects = page.into_iter().chain(others.iter().map(String::as_str));
    for (object, number) in objects.zip(1..) {
        table.push_str(&format!("{:010} 00000 n \n", text.len()));
        text.push_str(&format!("{number} 0 obj{object}endobj\n"));
    }
    let size = others.len() + 4;
    let start = text.len();
    text.push_str(&format!(
        "xref\n0 {size}\n{table}trailer<</Root 1 0 R/Size {size}>>\nstartxref\n{start}\n%%EOF\n"
    ));
    text.into_bytes()
}
