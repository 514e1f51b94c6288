use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::kit::{door, raw, rest};

#[tokio::test]
async fn garbage_gets_nothing_and_harms_nothing() {
    let door = door().await;
    let address = door.address();
    let host = address.to_string();
    let mut garbage: Vec<Vec<u8>> = vec![
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello tls\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"\r\n\r\n\r\n\0\0\0\r\n\r\n".to_vec(),
        b"GET /econnector/status HTTP/9.9\r\nHost: x\r\n\r\n".to_vec(),
        b"GET /econnector/status\r\n\r\n".to_vec(),
        format!("GET /econnector/status HTTP/1.1\r\nHost : {host}\r\n\r\n").into_bytes(),
        format!("GET /econnector/status HTTP/1.1\r\n Host: {host}\r\n\r\n").into_bytes(),
        format!("GET /econnector/status HTTP/1.1\r\nHost: {host}\r\nX-A: b\r\n\tfolded\r\n\r\n").into_bytes(),
        format!("GET /econnector/status HTTP/1.1\r\nHost: {host}\r\nX-A: b\0c\r\n\r\n").into_bytes(),
        format!("GET /econnector/ status HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes(),
        format!("G\u{e9}T /econnector/status HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes(),
    ];
    // Heads without an end: long, many, and one of each.
    garbage.push(format!("GET /{} HTTP/1.1\r\nHost: {host}\r\n\r\n", "a".repeat(300_000)).into_bytes());
    garbage.push(format!("GET / HTTP/1.1\r\nHost: {host}\r\nX-A: {}\r\n\r\n", "a".repeat(300_000)).into_bytes());
    let many: String = (0..5000).map(|number| format!("X-{number}: a\r\n")).collect();
    garbage.push(format!("GET / HTTP/1.1\r\nHost: {host}\r\n{many}\r\n").into_bytes());
    for bytes in &garbage {
        let told = raw(address, bytes).await;
        assert!(
            matches!(told.status, 0 | 400..=499 | 505),
            "{:?}: {told:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(60)])
        );
    }
    assert_eq!(
        door.ask("GET /econnector/v1/forms").send().await.status,
        200,
        "the door still stands"
    );
}

#[tokio::test]
async fn who_is_refused_while_still_sending_sees_why() {
    let door = door().await;
    let large = "x".repeat(8 * 1024 * 1024);
    let refused = door
        .ask("POST /econnector/v1/verifications")
        .but("X-EConnector-Key", "of an earlier start")
        .body("application/pdf", &large)
        .send()
        .await;
    refused.is(401, "link-key-wrong");
}

#[tokio::test]
async fn no_request_hides_in_another() {
    let door = door().await;
    let address = door.address();
    let key = door.key();
    let head = format!(
        "POST /econnector/v1/forms HTTP/1.1\r\nHost: {address}\r\nX-EConnector-Key: {key}\r\nX-EConnector-Software: Praxis\r\nContent-Type: application/json\r\n"
    );
    let hidden = format!("GET /econnector/v1/openapi.json HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    for framing in [
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2, 3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: 0x2\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: identity\r\n",
    ] {
        let told = raw(address, format!("{head}{framing}\r\n{{}}{hidden}").as_bytes()).await;
        let answers = format!("{}{}", told.head, told.body).matches("HTTP/1.1 ").count();
        assert!(told.status >= 400 || told.status == 0, "{framing:?}: {told:?}");
        assert!(answers <= 1, "{framing:?}: {told:?}");
    }
    // Two lengths: the chunks count, and the line ends with the answer (RFC 9112, 6.1).
    for framing in [
        "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
    ] {
        for body in ["{}", "2\r\n{}\r\n0\r\n\r\n"] {
            let told = raw(address, format!("{head}{framing}\r\n{body}{hidden}").as_bytes()).await;
            assert_eq!(told.header("connection"), Some("close"), "{framing:?}: {told:?}");
            assert!(!told.body.contains("HTTP/1.1 "), "{framing:?}: {told:?}");
        }
    }
    // Two honest requests on one line are two, each judged by itself.
    let line = format!(
        "GET /econnector/v1/forms HTTP/1.1\r\nHost: {address}\r\nX-EConnector-Key: {key}\r\nX-EConnector-Software: Praxis\r\n\r\nGET /econnector/v1/forms HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    );
    let told = raw(address, line.as_bytes()).await;
    assert_eq!(told.status, 200);
    assert!(
        told.body.contains("HTTP/1.1 401 ") && told.body.contains("link-key-missing"),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_body_is_not_waited_for_before_the_key() {
    let door = door().await;
    let address = door.address();
    let request = format!(
        "POST /econnector/v1/forms HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(5), rest(stream)).await.unwrap();
    told.is(401, "link-key-missing");
}

#[tokio::test]
async fn what_is_refused_is_not_repeated() {
    let door = door().await;
    let marked = "Zz9-secret-marker";
    for ask in [
        door.ask(&format!("GET /econnector/v1/{marked}?{marked}"))
            .without("X-EConnector-Key"),
        door.ask("GET /econnector/v1/forms").but("X-EConnector-Key", marked),
        door.ask("GET /econnector/v1/forms")
            .with("Authorization", marked)
            .with("Authorization", marked),
        door.ask("POST /econnector/v1/forms").body("text/plain", marked),
        door.ask("GET /econnector/v1/forms").but("Host", marked),
        door.ask("GET /econnector/v1/forms").with("Origin", marked),
    ] {
        let told = ask.send().await;
        assert!(told.status >= 400, "{told:?}");
        assert!(!told.head.contains(marked) && !told.body.contains(marked), "{told:?}");
    }
    let mut view = door.view();
    for refusal in &mut view.refused {
        // Host and origin are there to be seen; a key, a body, a token and a path are not.
        (refusal.host, refusal.origin) = (None, None);
    }
    assert!(!serde_json::to_string(&view).unwrap().contains(marked));
}
