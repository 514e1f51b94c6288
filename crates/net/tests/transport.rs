//! Every way a connection may fail, against servers on loopback with certificates of their own; files made by OpenSSL.

#![allow(clippy::unwrap_used)]

use std::{
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use econnector_base::{Explain, Fault, Secret};
use econnector_net::{
    AnchorsError, ClientIdentity, NetError, P12Error, ProxyReason, ProxySettings, TlsReason, Transport, TransportOptions, read_anchors,
};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{OffsetDateTime, macros::datetime};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ndate: Tue, 15 Nov 2022 12:45:26 GMT\r\nconnection: close\r\n\r\nhello";

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

impl Ca {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    fn leaf(&self, name: &str, from: OffsetDateTime, until: OffsetDateTime) -> Leaf {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.not_before = from;
        params.not_after = until;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Leaf {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            key,
        }
    }

    fn server(&self) -> Leaf {
        self.leaf("localhost", datetime!(2020-01-01 0:00 UTC), datetime!(2040-01-01 0:00 UTC))
    }
}

struct Leaf {
    der: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

#[derive(Clone, Copy)]
enum Behaviour {
    Answer(&'static [u8]),
    Endless,
    CutAfterRequest,
    CutInBody,
    Silent,
}

impl Behaviour {
    async fn play(self, mut line: TlsStream<TcpStream>) {
        let mut request = [0; 4096];
        if line.read(&mut request).await.is_err() {
            return;
        }
        match self {
            Self::Answer(bytes) => {
                let _ = line.write_all(bytes).await;
                let _ = line.shutdown().await;
            }
            Self::Endless => {
                let _ = line.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
                let chunk = [b"400\r\n".as_slice(), &[b'x'; 1024], b"\r\n"].concat();
                while line.write_all(&chunk).await.is_ok() {}
            }
            Self::CutAfterRequest => drop(line),
            Self::CutInBody => {
                let _ = line.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhalf").await;
            }
            Self::Silent => tokio::time::sleep(Duration::from_secs(60)).await,
        }
    }
}

fn acceptor(leaf: &Leaf, clients: Option<&Ca>) -> TlsAcceptor {
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(ca.der.clone()).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .unwrap(),
            )
        }
    };
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(leaf.key.serialize_der()));
    let mut config = builder.with_single_cert(vec![leaf.der.clone()], key).unwrap();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(leaf: &Leaf, clients: Option<&Ca>, behaviour: Behaviour) -> u16 {
    let acceptor = acceptor(leaf, clients);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((line, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(line) = acceptor.accept(line).await {
                    behaviour.play(line).await;
                }
            });
        }
    });
    port
}

fn trusting(ca: &Ca) -> TransportOptions {
    TransportOptions {
        anchors_pem: vec![ca.pem.clone().into_bytes()],
        only_these_anchors: true,
        timeout: Duration::from_millis(1500),
        connect_timeout: Duration::from_millis(800),
        max_answer: 10_000,
        ..TransportOptions::default()
    }
}

async fn ask(options: &TransportOptions, url: &str) -> Result<econnector_net::Answer, NetError> {
    let transport = Transport::new(options).unwrap();
    transport.send(transport.client().post(url).body("question")).await
}

async fn error(options: &TransportOptions, url: &str) -> NetError {
    ask(options, url).await.err().unwrap()
}

#[tokio::test]
async fn a_good_answer_comes_with_the_servers_clock() {
    let ca = Ca::new("CA");
    let port = serve(&ca.server(), None, Behaviour::Answer(OK)).await;
    let answer = ask(&trusting(&ca), &format!("https://localhost:{port}/")).await.ok().unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"hello".as_slice()));
    assert_eq!(answer.date, Some(datetime!(2022-11-15 12:45:26 UTC)));
}

#[tokio::test]
async fn a_service_that_is_not_the_one_we_know_gets_nothing() {
    let (ca, stranger) = (Ca::new("CA"), Ca::new("Stranger"));
    let (past, soon) = (datetime!(2020-01-01 0:00 UTC), datetime!(2020-02-01 0:00 UTC));
    let (future, far) = (datetime!(2090-01-01 0:00 UTC), datetime!(2095-01-01 0:00 UTC));
    for (leaf, reason, code) in [
        (stranger.server(), TlsReason::UnknownIssuer, "net-tls-unknown-issuer"),
        (ca.leaf("localhost", past, soon), TlsReason::Expired, "net-tls-expired"),
        (ca.leaf("localhost", future, far), TlsReason::NotYetValid, "net-tls-not-yet-valid"),
        (ca.leaf("other.example", past, far), TlsReason::NameMismatch, "net-tls-name"),
    ] {
        let port = serve(&leaf, None, Behaviour::Answer(OK)).await;
        let error = error(&trusting(&ca), &format!("https://localhost:{port}/")).await;
        assert_eq!(
            error,
            NetError::Tls {
                host: "localhost".into(),
                reason
            }
        );
        assert_eq!(error.code(), code);
        assert!(error.certainly_not_sent());
    }
}

#[tokio::test]
async fn the_computers_own_store_does_not_know_the_sandbox() {
    let ca = Ca::new("CA");
    let port = serve(&ca.server(), None, Behaviour::Answer(OK)).await;
    let url = format!("https://localhost:{port}/");
    let system = TransportOptions {
        only_these_anchors: false,
        anchors_pem: Vec::new(),
        ..trusting(&ca)
    };
    assert_eq!(
        error(&system, &url).await,
        NetError::Tls {
            host: "localhost".into(),
            reason: TlsReason::UnknownIssuer
        }
    );
    let both = TransportOptions {
        only_these_anchors: false,
        ..trusting(&ca)
    };
    assert_eq!(ask(&both, &url).await.ok().unwrap().status, 200);
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_its_absence_is_named() {
    let (ca, stranger) = (Ca::new("CA"), Ca::new("Stranger"));
    let port = serve(&ca.server(), Some(&ca), Behaviour::Answer(OK)).await;
    let url = format!("https://localhost:{port}/");

    let error_without = error(&trusting(&ca), &url).await;
    assert_eq!(
        error_without,
        NetError::Tls {
            host: "localhost".into(),
            reason: TlsReason::ClientCertificateRequired
        }
    );
    assert!(error_without.certainly_not_sent());

    let own = TransportOptions {
        identity: Some(identity(&ca, &ca.server())),
        ..trusting(&ca)
    };
    assert_eq!(ask(&own, &url).await.ok().unwrap().status, 200);

    let foreign = TransportOptions {
        identity: Some(identity(&stranger, &stranger.server())),
        ..trusting(&ca)
    };
    let refused = error(&foreign, &url).await;
    assert_eq!(
        refused,
        NetError::Tls {
            host: "localhost".into(),
            reason: TlsReason::ClientCertificateRefused
        }
    );
    assert_eq!(refused.code(), "net-tls-client-certificate-refused");
}

#[tokio::test]
async fn what_happens_after_the_request_left_is_never_called_harmless() {
    let ca = Ca::new("CA");
    let host = || "localhost".to_owned();
    for (behaviour, expected) in [
        (Behaviour::CutAfterRequest, NetError::Cut { host: host(), sent: true }),
        (Behaviour::CutInBody, NetError::Cut { host: host(), sent: true }),
        (Behaviour::Silent, NetError::Timeout { host: host(), sent: true }),
        (Behaviour::Endless, NetError::TooLarge { host: host() }),
        (Behaviour::Answer(b"220 mail.example ESMTP\r\n"), NetError::NotHttp { host: host() }),
        (
            Behaviour::Answer(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n"),
            NetError::TooLarge { host: host() },
        ),
    ] {
        let port = serve(&ca.server(), None, behaviour).await;
        let error = error(&trusting(&ca), &format!("https://localhost:{port}/")).await;
        assert_eq!(error, expected);
        assert!(!error.certainly_not_sent());
    }
}

#[tokio::test]
async fn what_never_left_may_be_sent_again() {
    let ca = Ca::new("CA");
    let options = trusting(&ca);

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert_eq!(
        error(&options, &format!("https://localhost:{closed}/")).await,
        NetError::Refused { host: "localhost".into() }
    );

    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", mute.local_addr().unwrap().port());
    let handshake = error(&options, &url).await;
    assert_eq!(
        handshake,
        NetError::Timeout {
            host: "localhost".into(),
            sent: false
        }
    );
    assert!(handshake.certainly_not_sent());

    let hangs_up = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", hangs_up.local_addr().unwrap().port());
    tokio::spawn(async move { while hangs_up.accept().await.is_ok() {} });
    assert_eq!(
        error(&options, &url).await,
        NetError::Cut {
            host: "localhost".into(),
            sent: false
        }
    );

    let direct = TransportOptions {
        proxy: Some(ProxySettings::Direct),
        ..options
    };
    let unknown = error(&direct, "https://kms.invalid/").await;
    assert_eq!(
        unknown,
        NetError::Resolve {
            host: "kms.invalid".into()
        }
    );
    assert!(unknown.certainly_not_sent());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let ca = Ca::new("CA");
    let moved = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: https://elsewhere.invalid/\r\ncontent-length: 0\r\n\r\n";
    let port = serve(&ca.server(), None, Behaviour::Answer(moved)).await;
    assert_eq!(
        ask(&trusting(&ca), &format!("https://localhost:{port}/"))
            .await
            .ok()
            .unwrap()
            .status,
        307
    );
}

fn through(ca: &Ca, url: String, bypass: &str) -> TransportOptions {
    TransportOptions {
        proxy: Some(ProxySettings::Through {
            url,
            credentials: Some(("user".into(), Secret::new("fictitious"))),
            bypass: bypass.to_owned(),
        }),
        ..trusting(ca)
    }
}

fn proxy_error(proxy: &str, reason: ProxyReason) -> NetError {
    NetError::Proxy {
        host: "kms.invalid".into(),
        proxy: Some(proxy.to_owned()),
        reason,
    }
}

/// A service that only a proxy knows.
async fn behind_a_proxy(ca: &Ca) -> u16 {
    let leaf = ca.leaf("kms.invalid", datetime!(2020-01-01 0:00 UTC), datetime!(2040-01-01 0:00 UTC));
    serve(&leaf, None, Behaviour::Answer(OK)).await
}

#[tokio::test]
async fn a_proxy_is_used_believed_in_nothing_and_bypassed_for_loopback() {
    let ca = Ca::new("CA");
    let target = behind_a_proxy(&ca).await;
    let through = |port: u16| through(&ca, format!("http://127.0.0.1:{port}"), "");

    let open = proxy(Some(target), None).await;
    assert_eq!(ask(&through(open.port), "https://kms.invalid/").await.ok().unwrap().status, 200);

    let closed = proxy(None, None).await;
    let refused = error(&through(closed.port), "https://kms.invalid/").await;
    assert_eq!(refused, proxy_error(&format!("127.0.0.1:{}", closed.port), ProxyReason::Refused));
    assert!(refused.certainly_not_sent());
    assert_eq!(
        refused.to_string(),
        format!("kms.invalid: the proxy 127.0.0.1:{} refuses this service", closed.port)
    );

    let unnamed = TransportOptions {
        proxy: Some(ProxySettings::Through {
            url: format!("http://127.0.0.1:{}", open.port),
            credentials: None,
            bypass: String::new(),
        }),
        ..trusting(&ca)
    };
    let login = error(&unnamed, "https://kms.invalid/").await;
    assert_eq!(login, proxy_error(&format!("127.0.0.1:{}", open.port), ProxyReason::Login));

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert_eq!(
        error(&through(nobody), "https://kms.invalid/").await,
        proxy_error(&format!("127.0.0.1:{nobody}"), ProxyReason::Unreachable)
    );

    let local = serve(&ca.server(), None, Behaviour::Answer(OK)).await;
    assert_eq!(
        ask(&through(nobody), &format!("https://localhost:{local}/"))
            .await
            .ok()
            .unwrap()
            .status,
        200
    );
}

#[tokio::test]
async fn a_host_exempted_from_the_proxy_is_never_asked_of_it() {
    let ca = Ca::new("CA");
    let proxy = proxy(Some(behind_a_proxy(&ca).await), None).await;
    let options = through(
        &ca,
        format!("http://127.0.0.1:{}", proxy.port),
        "mysecu.invalid, .intern.invalid,10.0.0.0/8",
    );
    // Directly they have no address: that is how the direct way shows.
    for host in ["mysecu.invalid", "ws.mysecu.invalid", "kms.intern.invalid"] {
        assert_eq!(
            error(&options, &format!("https://{host}/")).await,
            NetError::Resolve { host: host.into() }
        );
    }
    assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());
    assert_eq!(ask(&options, "https://kms.invalid/").await.ok().unwrap().status, 200);
    assert_eq!(proxy.asked(), ["kms.invalid:443"]);
}

#[tokio::test]
async fn the_line_to_a_proxy_is_encrypted_where_it_is_to_be_and_only_there() {
    let (ca, stranger) = (Ca::new("CA"), Ca::new("Stranger"));
    let target = behind_a_proxy(&ca).await;
    let failed = |port: u16, reason: ProxyReason| proxy_error(&format!("localhost:{port}"), reason);
    let encrypted = proxy(Some(target), Some(acceptor(&ca.server(), None))).await;
    let url = |scheme: &str, port: u16| format!("{scheme}://localhost:{port}");
    let well = ask(&through(&ca, url("https", encrypted.port), ""), "https://kms.invalid/").await;
    assert_eq!(well.ok().unwrap().status, 200);
    assert_eq!(encrypted.asked(), ["kms.invalid:443"]);
    assert_eq!(
        error(&through(&ca, url("http", encrypted.port), ""), "https://kms.invalid/").await,
        failed(encrypted.port, ProxyReason::Refused)
    );

    let plain = proxy(Some(target), None).await;
    assert_eq!(
        error(&through(&ca, url("https", plain.port), ""), "https://kms.invalid/").await,
        failed(plain.port, ProxyReason::Unreachable)
    );

    // A proxy that is not the one we know does not hear the password.
    let foreign = proxy(Some(target), Some(acceptor(&stranger.server(), None))).await;
    let error = error(&through(&ca, url("https", foreign.port), ""), "https://kms.invalid/").await;
    assert!(error.certainly_not_sent(), "{error}");
    assert!(foreign.asked().is_empty());
}

#[tokio::test]
async fn nothing_travels_in_clear() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let proxied = TransportOptions {
        proxy: Some(ProxySettings::Through {
            url: url.clone(),
            credentials: None,
            bypass: String::new(),
        }),
        ..trusting(&Ca::new("CA"))
    };
    for (options, url) in [(trusting(&Ca::new("CA")), url.as_str()), (proxied, "http://kms.invalid/")] {
        let transport = Transport::new(&options).unwrap();
        let request = || transport.client().post(url).bearer_auth("fictitious.access.token");
        let error = transport.send(request()).await.err().unwrap();
        assert_eq!((error.code(), error.fault()), ("net-settings", Fault::You));
        assert!(error.to_string().contains("https://"), "{error}");
        assert!(error.certainly_not_sent());
        // Whoever goes past `send` gets no further.
        assert!(request().send().await.unwrap_err().is_builder());
    }
    let called = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(called.is_err(), "somebody was called");
}

/// A proxy, and for whom it was asked to open a tunnel.
struct Tunnels {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Tunnels {
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Lets every tunnel through to `target`, when the caller has named itself, and refuses it without a target. With `tls` it speaks nothing else.
async fn proxy(target: Option<u16>, tls: Option<TlsAcceptor>) -> Tunnels {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let noted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((line, _)) = listener.accept().await {
            match &tls {
                None => tunnel(line, target, &noted).await,
                Some(tls) => {
                    if let Ok(line) = tls.accept(line).await {
                        tunnel(line, target, &noted).await;
                    }
                }
            }
        }
    });
    Tunnels { port, asked }
}

async fn tunnel(mut client: impl AsyncRead + AsyncWrite + Unpin, target: Option<u16>, asked: &Mutex<Vec<String>>) {
    let mut request = [0; 2048];
    let read = client.read(&mut request).await.unwrap();
    let request = String::from_utf8_lossy(&request[..read]);
    let Some(host) = request.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()) else {
        // Somebody speaks something else.
        return;
    };
    asked.lock().unwrap().push(host.to_owned());
    let named = request.to_lowercase().contains("proxy-authorization: basic ");
    match target {
        _ if !named => client
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            .await
            .unwrap(),
        None => client.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await.unwrap(),
        Some(target) => {
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        }
    }
}

#[test]
fn no_anchor_is_a_setting_to_repair_not_a_reason_to_trust_everybody() {
    let none = TransportOptions {
        only_these_anchors: true,
        ..TransportOptions::default()
    };
    assert!(matches!(Transport::new(&none), Err(NetError::Settings(_))));
    assert!(matches!(
        Transport::new(&TransportOptions {
            anchors_pem: vec![b"nonsense".to_vec()],
            ..none
        }),
        Err(NetError::Settings(_))
    ));
}

#[test]
fn certificate_files_of_openssl_are_read_old_and_new() {
    let (ca, folder) = (Ca::new("CA"), tempfile::tempdir().unwrap());
    let leaf = ca.server();
    write(&folder, &ca, &leaf);
    for flavour in [
        &["-export"][..],
        &["-export", "-legacy"],
        &["-export", "-certpbe", "AES-256-CBC", "-macalg", "sha512"],
    ] {
        let p12 = openssl(
            &folder,
            &[&["pkcs12", "-inkey", "key.pem", "-in", "leaf.pem", "-certfile", "ca.pem"], flavour].concat(),
        );
        let identity = ClientIdentity::from_p12(&p12, &Secret::new("fictitious")).unwrap();
        assert_eq!(identity.certificate(), leaf.der.as_ref());
        assert_eq!(identity.certificates_der().len(), 1, "the root is not sent");
        assert_eq!(identity.private_key_pkcs8(), leaf.key.serialize_der());
        assert_eq!(
            ClientIdentity::from_p12(&p12, &Secret::new("wrong")).unwrap_err(),
            P12Error::Password
        );
        assert_eq!(
            ClientIdentity::from_p12(&p12[..p12.len() / 2], &Secret::new("fictitious")).unwrap_err(),
            P12Error::Unreadable
        );
    }
    let certificates = openssl(&folder, &["pkcs12", "-export", "-nokeys", "-in", "leaf.pem"]);
    assert_eq!(
        ClientIdentity::from_p12(&certificates, &Secret::new("fictitious")).unwrap_err(),
        P12Error::NoKey
    );
    let java = b"\xFE\xED\xFE\xED\0\0\0\x02";
    let password = Secret::new("fictitious");
    for opened in [
        ClientIdentity::from_p12(java, &password),
        ClientIdentity::from_p12_with_key_password(java, &password, &password),
    ] {
        assert_eq!(opened.unwrap_err(), P12Error::JavaKeystore);
    }
    let key = openssl(&folder, &["pkcs12", "-export", "-nocerts", "-inkey", "key.pem"]);
    assert_eq!(
        ClientIdentity::from_p12(&key, &Secret::new("fictitious")).unwrap_err(),
        P12Error::NoCertificate
    );
}

#[test]
fn trust_stores_are_read_in_every_usual_form_and_never_silently_empty() {
    let (one, two, folder) = (Ca::new("One"), Ca::new("Two"), tempfile::tempdir().unwrap());
    write(&folder, &one, &two.server());
    let both = format!("{}\n{}\n{}", one.pem, two.pem, one.pem);
    std::fs::write(folder.path().join("both.pem"), &both).unwrap();
    let anchors = vec![one.der.to_vec(), two.der.to_vec()];
    assert_eq!(read_anchors(both.as_bytes(), None).unwrap(), anchors);
    assert_eq!(read_anchors(&one.der, None).unwrap(), anchors[..1]);

    let p12 = openssl(&folder, &["pkcs12", "-export", "-nokeys", "-in", "both.pem"]);
    let mut read = read_anchors(&p12, Some(&Secret::new("fictitious"))).unwrap();
    read.sort();
    let mut sorted = anchors;
    sorted.sort();
    assert_eq!(read, sorted);
    assert_eq!(read_anchors(&p12, Some(&Secret::new("wrong"))), Err(AnchorsError::Password));
    assert_eq!(read_anchors(&p12, None), Err(AnchorsError::Password));

    let key_only = openssl(&folder, &["pkcs12", "-export", "-nocerts", "-inkey", "key.pem"]);
    assert_eq!(read_anchors(&key_only, Some(&Secret::new("fictitious"))), Err(AnchorsError::Empty));
    let key_pem = std::fs::read(folder.path().join("key.pem")).unwrap();
    assert_eq!(read_anchors(&key_pem, None), Err(AnchorsError::Empty));
    assert_eq!(read_anchors(b"", None), Err(AnchorsError::Unreadable));
    assert_eq!(read_anchors(b"\xFE\xED\xFE\xED\0\0\0\x02", None), Err(AnchorsError::JavaKeystore));
    let broken = one.pem.replacen('M', "A", 3);
    assert_eq!(read_anchors(broken.as_bytes(), None), Err(AnchorsError::Unreadable));
}

#[test]
fn nothing_secret_is_printed() {
    let ca = Ca::new("CA");
    let identity = identity(&ca, &ca.server());
    let options = TransportOptions {
        identity: Some(identity.clone()),
        proxy: Some(ProxySettings::Through {
            url: "http://proxy.invalid".into(),
            credentials: Some(("user".into(), Secret::new("hunter2"))),
            bypass: String::new(),
        }),
        ..TransportOptions::default()
    };
    let printed = format!("{options:?}");
    assert!(printed.contains("ClientIdentity"));
    assert!(!printed.contains("hunter2"));
    assert!(!printed.contains(&format!("{:?}", &identity.private_key_pkcs8()[..8]).replace(['[', ']'], "")));
}

fn identity(ca: &Ca, leaf: &Leaf) -> ClientIdentity {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, ca, leaf);
    let p12 = openssl(
        &folder,
        &["pkcs12", "-export", "-inkey", "key.pem", "-in", "leaf.pem", "-certfile", "ca.pem"],
    );
    ClientIdentity::from_p12(&p12, &Secret::new("fictitious")).unwrap()
}

fn write(folder: &tempfile::TempDir, ca: &Ca, leaf: &Leaf) {
    std::fs::write(folder.path().join("ca.pem"), &ca.pem).unwrap();
    std::fs::write(folder.path().join("leaf.pem"), &leaf.pem).unwrap();
    std::fs::write(folder.path().join("key.pem"), leaf.key.serialize_pem()).unwrap();
}

fn openssl(folder: &tempfile::TempDir, arguments: &[&str]) -> Vec<u8> {
    let made = Command::new("openssl")
        .args(arguments)
        .args(["-passout", "pass:fictitious", "-out", "made.p12"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::read(folder.path().join("made.p12")).unwrap()
}
