//! Bodies in parts and PDFs in JSON: what can be used, and everything that cannot.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stand;

use axum::Router;
use axum::http::{Request, StatusCode};
use econnector_api::Door;
use serde_json::{Value, json};
use stand::{ID, Stand, call, in_parts, json_of, part, parts, pdf, send};

const BOUNDARY: &str = "frontier";
const MIB: usize = 1024 * 1024;

async fn answer(router: &Router, request: Request<Vec<u8>>) -> (StatusCode, Value) {
    let answer = send(router, request).await;
    (answer.status(), json_of(&answer))
}

/// A body of the parts given, and how it ends.
fn body(parts: &[Vec<u8>], end: &str) -> Vec<u8> {
    let mut body = parts.concat();
    body.extend_from_slice(end.as_bytes());
    body
}

#[tokio::test]
async fn a_pdf_in_parts_reaches_the_signature() {
    let stand = Stand::new().await;
    let router = stand.router(Door::Hospital);
    let pdf = pdf();
    for (nth, request) in [
        in_parts("/v1/signatures", BOUNDARY, parts(BOUNDARY, &[("id", ID.as_bytes()), ("pdf", &pdf)])),
        in_parts("/v1/signatures", BOUNDARY, parts(BOUNDARY, &[("pdf", &pdf), ("id", ID.as_bytes())])),
        // A boundary in quotation marks, a file name and a media type of the part, as programs send them.
        Request::post("/econnector/v1/signatures")
            .header("authorization", "Bearer good")
            .header("content-type", "Multipart/Form-Data; charset=utf-8; boundary=\"frontier\"")
            .body(body(
                &[
                    part(BOUNDARY, "name=\"id\"", ID.as_bytes()),
                    part(
                        BOUNDARY,
                        "name=\"pdf\"; filename=\"Müller.pdf\"\r\nContent-Type: application/pdf",
                        &pdf,
                    ),
                ],
                "--frontier--\r\n",
            ))
            .unwrap(),
    ]
    .into_iter()
    .enumerate()
    {
        let (_, problem) = answer(&router, request).await;
        assert_eq!(stand.signatures_asked(), nth + 1, "{problem}");
    }
    use base64::Engine as _;
    let content = base64::engine::general_purpose::STANDARD.encode(&pdf);
    let mut request = Request::post("/econnector/v1/signatures")
        .header("content-type", "application/json")
        .body(json!({ "id": ID, "content": content }).to_string().into_bytes())
        .unwrap();
    request.headers_mut().insert("authorization", "Bearer good".parse().unwrap());
    answer(&router, request).await;
    assert_eq!(stand.signatures_asked(), 4);
}

#[tokio::test]
async fn parts_that_cannot_be_used_are_refused_without_an_echo() {
    let stand = Stand::new().await;
    let router = stand.router(Door::Hospital);
    let pdf = pdf();
    let id = part(BOUNDARY, "name=\"id\"", ID.as_bytes());
    let page = part(BOUNDARY, "name=\"pdf\"", &pdf);
    let end = "--frontier--\r\n";
    let hundred: Vec<_> = (0..100).map(|nth| part(BOUNDARY, &format!("name=\"id{nth}\""), b"x")).collect();
    let cut = |body: &[u8]| body[..body.len() / 2].to_vec();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "request-parts"),
        ("no part", end.into(), "request-parts"),
        ("no id", body(std::slice::from_ref(&page), end), "request-parts"),
        ("no pdf", body(std::slice::from_ref(&id), end), "request-parts"),
        ("id twice", body(&[id.clone(), id.clone(), page.clone()], end), "request-parts"),
        ("pdf twice", body(&[id.clone(), page.clone(), page.clone()], end), "request-parts"),
        ("a hundred", body(&hundred, end), "request-parts"),
        (
            "a stranger",
            body(&[id.clone(), page.clone(), part(BOUNDARY, "name=\"Schmit\"", b"x")], end),
            "request-parts",
        ),
        (
            "no name",
            body(&[id.clone(), part(BOUNDARY, "x=\"pdf\"", &pdf)], end),
            "request-parts",
        ),
        ("cut in a part", cut(&body(&[id.clone(), page.clone()], end)), "request-parts"),
        ("cut before the end", body(&[id.clone(), page.clone()], ""), "request-parts"),
        (
            "another boundary",
            body(&[id.clone(), page.clone()], end)
                .iter()
                .map(|byte| if *byte == b'f' { b'g' } else { *byte })
                .collect(),
            "request-parts",
        ),
        (
            "a name that is no text",
            body(
                &[
                    id.clone(),
                    [b"--frontier\r\nContent-Disposition: form-data; name=\"\xff\xfe\"\r\n\r\nx\r\n".to_vec()].concat(),
                ],
                end,
            ),
            "request-parts",
        ),
        (
            "an id that is no text",
            body(&[part(BOUNDARY, "name=\"id\"", b"\xff\xfe"), page.clone()], end),
            "request-parts",
        ),
        (
            "an id that is no UUID",
            body(&[part(BOUNDARY, "name=\"id\"", b"Schmit"), page.clone()], end),
            "request-parts",
        ),
        (
            "an id of version 1",
            body(
                &[part(BOUNDARY, "name=\"id\"", b"6f1d6a4e-9d1f-1a2e-8f57-1c2f3a4b5c6d"), page.clone()],
                end,
            ),
            "id-not-v4",
        ),
        (
            "a long id",
            body(&[part(BOUNDARY, "name=\"id\"", &[b'6'; 65]), page.clone()], end),
            "request-parts",
        ),
        (
            "a kind alone",
            body(&[id.clone(), page.clone(), part(BOUNDARY, "name=\"kind\"", b"mh")], end),
            "deposit-incomplete",
        ),
        (
            "an XML alone",
            body(&[id.clone(), page.clone(), part(BOUNDARY, "name=\"xml\"", b"<Schmit/>")], end),
            "deposit-incomplete",
        ),
        (
            "an XML that is no UTF-8",
            body(
                &[
                    id.clone(),
                    page.clone(),
                    part(BOUNDARY, "name=\"kind\"", b"mh"),
                    part(BOUNDARY, "name=\"xml\"", b"<\xe9/>"),
                ],
                end,
            ),
            "request-parts",
        ),
        (
            "a huge XML",
            body(
                &[
                    id.clone(),
                    page.clone(),
                    part(BOUNDARY, "name=\"kind\"", b"mh"),
                    part(BOUNDARY, "name=\"xml\"", &vec![b' '; 4 * MIB + 1]),
                ],
                end,
            ),
            "request-too-large",
        ),
        (
            "a huge PDF",
            body(&[id.clone(), part(BOUNDARY, "name=\"pdf\"", &vec![b' '; 17 * MIB])], end),
            "request-too-large",
        ),
        (
            "something else than a PDF",
            body(&[id.clone(), part(BOUNDARY, "name=\"pdf\"", b"Schmit")], end),
            "pdf-unusable",
        ),
        (
            "an empty PDF",
            body(&[id.clone(), part(BOUNDARY, "name=\"pdf\"", b"")], end),
            "pdf-unusable",
        ),
    ];
    for (case, body, code) in cases {
        for path in ["/v1/signatures", "/v1/documents"] {
            let (status, problem) = answer(&router, in_parts(path, BOUNDARY, body.clone())).await;
            // Of a document both of form kind and XML must come: that is said first.
            let parts_first = path == "/v1/documents" && (code.starts_with("pdf-") || code == "id-not-v4");
            let code = if parts_first { "request-parts" } else { code };
            assert_eq!(problem["code"], code, "{path}, {case}: {problem}");
            assert!(status.is_client_error(), "{path}, {case}: {status}");
            assert!(!problem.to_string().contains("Schmit"), "{problem}");
        }
    }
    assert_eq!(stand.signatures_asked(), 0);
}

#[tokio::test]
async fn a_boundary_must_be_one() {
    let stand = Stand::new().await;
    let router = stand.router(Door::Hospital);
    for media in [
        "multipart/form-data".to_owned(),
        "multipart/form-data; boundary=".to_owned(),
        format!("multipart/form-data; boundary={}", "x".repeat(71)),
        "multipart/form-data; boundary=\"".to_owned(),
    ] {
        let mut request = in_parts("/v1/documents", BOUNDARY, parts(BOUNDARY, &[("id", ID.as_bytes())]));
        request.headers_mut().insert("content-type", media.parse().unwrap());
        let (status, problem) = answer(&router, request).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::BAD_REQUEST, &json!("request-parts")),
            "{media}"
        );
    }
    for media in ["multipart/mixed; boundary=frontier", "text/plain", "application/xml"] {
        let mut request = in_parts("/v1/documents", BOUNDARY, Vec::new());
        request.headers_mut().insert("content-type", media.parse().unwrap());
        let (status, problem) = answer(&router, request).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, &json!("request-media-type")),
            "{media}"
        );
    }
}

#[tokio::test]
async fn a_pdf_in_json_is_base64_and_nothing_else() {
    let stand = Stand::new().await;
    let desk = stand.router(Door::Desktop(None));
    for path in ["/v1/signatures", "/v1/verifications"] {
        for content in [
            json!("%%%"),
            json!("SGVsbG8"),
            json!("SGVsbG8=\n"),
            json!("SGVs bG8="),
            json!(5),
            Value::Null,
            json!(["SGVsbG8="]),
        ] {
            let body = json!({ "id": ID, "content": content });
            let (status, problem) = call(&desk, axum::http::Method::POST, path, Some(body)).await;
            assert_eq!(
                (status, &problem["code"]),
                (StatusCode::BAD_REQUEST, &json!("request-body")),
                "{path} {content}"
            );
        }
        for content in ["SGVsbG8=", ""] {
            let body = json!({ "id": ID, "content": content });
            let (status, problem) = call(&desk, axum::http::Method::POST, path, Some(body)).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {problem}");
            assert!(problem["code"].as_str().unwrap().starts_with("pdf-"), "{problem}");
        }
    }
    for deposit in [
        json!({}),
        json!({ "kind": "mh" }),
        json!({ "xml": "<a/>" }),
        json!("mh"),
        json!({ "kind": "mh", "xml": 5 }),
    ] {
        let body = json!({ "id": ID, "content": "SGVsbG8=", "deposit": deposit });
        let (_, problem) = call(&desk, axum::http::Method::POST, "/v1/signatures", Some(body)).await;
        assert_eq!(problem["code"], "request-body", "{deposit}");
    }
    let huge = json!({ "id": ID, "kind": "ecit", "values": { "last_name": "x".repeat(2 * MIB) } });
    let (status, problem) = call(&desk, axum::http::Method::POST, "/v1/documents", Some(huge)).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("request-too-large"))
    );
    assert_eq!(stand.signatures_asked(), 0);
}

#[tokio::test]
async fn a_pdf_without_a_signature_is_not_verified() {
    let stand = Stand::new().await;
    let desk = stand.router(Door::Desktop(None));
    for (media, content, status, code) in [
        ("application/pdf", pdf(), 422, "pdf-not-signed"),
        ("Application/PDF; charset=binary", pdf(), 422, "pdf-not-signed"),
        ("application/pdf", b"Schmit".to_vec(), 422, "pdf-unusable"),
        ("application/pdf", Vec::new(), 422, "pdf-unusable"),
        ("application/pdf", vec![b'%'; 17 * MIB], 413, "request-too-large"),
        ("application/octet-stream", pdf(), 415, "request-media-type"),
    ] {
        let request = Request::post("/econnector/v1/verifications").header("content-type", media);
        let (found, problem) = answer(&desk, request.body(content).unwrap()).await;
        assert_eq!((found.as_u16(), &problem["code"]), (status, &json!(code)), "{media} {problem}");
        assert!(!problem.to_string().contains("Schmit"));
    }
    let request = Request::post("/econnector/v1/verifications").header("content-type", "application/pdf");
    let (status, problem) = answer(&stand.router(Door::Hospital), request.body(pdf()).unwrap()).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNAUTHORIZED, &json!("token-missing")));
}

#[tokio::test]
async fn a_message_made_elsewhere_is_looked_at_before_anybody_signs() {
    let stand = Stand::new().await;
    let router = stand.router(Door::Hospital);
    let pdf = pdf();
    for (kind, xml, status, code) in [
        ("none", "<a/>", 404, "form-unknown"),
        ("pid", "<a/>", 422, "form-other-workflow"),
        ("mh", "", 422, "foreign-xml-invalid"),
        ("mh", "Schmit", 422, "foreign-xml-invalid"),
        ("mh", "<Schmit/>", 422, "foreign-xml-invalid"),
        ("mh", "<!DOCTYPE a [<!ENTITY e 'Schmit'>]><a>&e;</a>", 422, "foreign-xml-invalid"),
    ] {
        let body = parts(
            BOUNDARY,
            &[
                ("id", ID.as_bytes()),
                ("kind", kind.as_bytes()),
                ("xml", xml.as_bytes()),
                ("pdf", &pdf),
            ],
        );
        for path in ["/v1/signatures", "/v1/documents"] {
            let (found, problem) = answer(&router, in_parts(path, BOUNDARY, body.clone())).await;
            assert_eq!(
                (found.as_u16(), &problem["code"]),
                (status, &json!(code)),
                "{path} {kind} {xml}: {problem}"
            );
            assert!(!problem.to_string().contains("Schmit"), "{problem}");
        }
    }
    assert_eq!(stand.signatures_asked(), 0);
}
