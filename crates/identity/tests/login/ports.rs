//! The port on which the browser comes back, where there are few and others have taken most of them.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use econnector_base::Explain as _;
use econnector_identity::{AesSettings, Identity as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::desk::in_french;
use crate::sandbox::Stage;

/// As many as a computer has in the network of this test.
const FIRST: u16 = 40_000;
const LAST: u16 = 40_127;

#[test]
fn a_port_that_somebody_holds_is_passed_over() {
    let script = format!(
        "echo '{FIRST} {LAST}' > /proc/sys/net/ipv4/ip_local_port_range && \
         exec \"$0\" --ignored --exact ports::in_a_network_of_few_ports --nocapture"
    );
    // A network of its own, in which it may set how many ports there are.
    let output = Command::new("bwrap")
        .args([
            "--dev-bind",
            "/",
            "/",
            "--unshare-user",
            "--uid",
            "0",
            "--gid",
            "0",
            "--unshare-net",
            "--",
        ])
        .args(["sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .output()
        .unwrap_or_else(|error| panic!("bwrap: {error}: `cargo xtask test` installs it"));
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "runs in a network of its own"]
async fn in_a_network_of_few_ports() {
    let stage = Stage::set().await;
    let settings = AesSettings {
        redirect_host: "localhost".into(),
        ..stage.desk.settings()
    };
    let aes = stage.desk.start_with(settings).await;
    // `localhost` is ::1 to most browsers: whoever holds that port there would get the answer.
    let strangers: Vec<_> = (FIRST..=LAST)
        .step_by(2)
        .filter_map(|port| TcpListener::bind(("::1", port)).ok())
        .collect();
    assert!(strangers.len() > 50, "{}", strangers.len());
    for _ in 0..10 {
        let url = aes.start_login(in_french()).await.unwrap();
        let redirect = url.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
        let port = redirect
            .rsplit(':')
            .next()
            .unwrap()
            .split('/')
            .next()
            .unwrap()
            .parse::<u16>()
            .unwrap();
        for address in ["127.0.0.1", "::1"] {
            let answered = tokio::time::timeout(Duration::from_secs(5), visit(address, port)).await;
            let page = answered.unwrap_or_else(|_| panic!("somebody else listens at [{address}]:{port}"));
            assert!(page.contains("n’attend rien"), "{page}");
        }
        aes.logout().await.done().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(strangers);

    // None is left: that is said, and nothing else happens.
    aes.probe().await.unwrap();
    let mut taken = Vec::new();
    while let Ok(listener) = TcpListener::bind("127.0.0.1:0") {
        taken.push(listener);
    }
    let error = aes.start_login(in_french()).await.err().unwrap();
    assert_eq!(error.code(), "login-no-port");
    taken.truncate(taken.len() - 20);
    assert!(aes.start_login(in_french()).await.is_ok());
}

async fn visit(address: &str, port: u16) -> String {
    let mut stream = TcpStream::connect((address, port)).await.unwrap();
    let request = format!("GET /callback HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    page
}
