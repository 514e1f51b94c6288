//! `econnector-sandbox [--ready-file F] [--server PROGRAM]`: the stand-ins, and the hospital server before them, until stopped.

use std::{
    error::Error,
    fs, io,
    io::Write,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use econnector_sandbox::{Ready, Sandbox, SandboxOptions};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
};
use tokio_rustls::TlsConnector;

/// How long the hospital server may take to answer.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(tracing::Level::WARN)
        .init();
    let arguments = match Arguments::parse(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(usage) => return failure(usage),
    };
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&error.to_string()),
    }
}

fn failure(why: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "econnector-sandbox: {why}");
    ExitCode::FAILURE
}

#[derive(Default)]
struct Arguments {
    ready_file: Option<PathBuf>,
    server: Option<PathBuf>,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = std::ffi::OsString>) -> Result<Self, &'static str> {
        const USAGE: &str = "usage: econnector-sandbox [--ready-file FILE] [--server PROGRAM]";
        let mut arguments = Self::default();
        while let Some(word) = words.next() {
            let place = match word.to_str() {
                Some("--ready-file") => &mut arguments.ready_file,
                Some("--server") => &mut arguments.server,
                _ => return Err(USAGE),
            };
            *place = Some(words.next().ok_or(USAGE)?.into());
        }
        Ok(arguments)
    }
}

async fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    // Whoever waits for the file must not find that of an earlier run.
    if let Some(file) = &arguments.ready_file {
        remove(file)?;
    }
    let stopped = stop_signal()?;
    let mut sandbox = Sandbox::start(SandboxOptions::default()).await?;
    let mut json = serde_json::to_value(sandbox.ready())?;
    let mut server = None;
    if let Some(program) = &arguments.server {
        let p12 = sandbox.issue_server("hospital-server")?;
        let (key, clients_file) = clients(&mut sandbox)?;
        let (port, management) = (free_port()?, free_port()?);
        let files = ServerFiles {
            p12: &p12,
            clients: &clients_file,
        };
        server = Some(HospitalServer::start(program, sandbox.ready(), &files, port, management).await?);
        if let Value::Object(fields) = &mut json {
            fields.insert("api".into(), format!("https://localhost:{port}").into());
            fields.insert("management".into(), format!("http://127.0.0.1:{management}").into());
            fields.insert("api_key".into(), key.into());
            fields.insert("clients_file".into(), clients_file.to_string_lossy().into());
        }
    }
    let text = serde_json::to_string_pretty(&json)?;
    writeln!(io::stdout(), "{text}")?;
    if let Some(file) = &arguments.ready_file {
        // Complete or not there at all.
        let partial = file.with_extension("partial");
        fs::write(&partial, &text)?;
        fs::rename(&partial, file)?;
    }

    let ended = tokio::select! {
        () = stopped => Ok(()),
        ended = ended(&mut server) => Err(format!("the hospital server ended: {ended}")),
    };
    if let Some(file) = &arguments.ready_file {
        remove(file)?;
    }
    if let Some(mut server) = server {
        server.child.kill().await.ok();
    }
    sandbox.stop().await;
    Ok(ended?)
}

/// Two callers that the hospital server lets act for every physician: one by a key made now, one by the practice's certificate.
fn clients(sandbox: &mut Sandbox) -> Result<(String, PathBuf), Box<dyn Error>> {
    let key = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let hash = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let text = format!(
        "[[client]]\nname = \"sandbox-key\"\nkey_sha256 = \"{}\"\n\n[[client]]\nname = \"sandbox-certificate\"\ncertificate_sha256 = \"{}\"\n",
        hash(key.as_bytes()),
        hash(sandbox.client_certificate()),
    );
    let file = sandbox.keep("clients.toml", &text)?;
    Ok((key, file))
}

struct ServerFiles<'a> {
    p12: &'a Path,
    clients: &'a Path,
}

struct HospitalServer {
    child: Child,
}

impl HospitalServer {
    /// Starts it against the stand-ins and waits until it says it is usable.
    async fn start(program: &Path, ready: &Ready, files: &ServerFiles<'_>, port: u16, management: u16) -> Result<Self, Box<dyn Error>> {
        let kms = |path: &str| format!("{}/api/v3/{path}", ready.kms);
        let mysecu = |path: &str| format!("{}/ws/soap/{path}", ready.mysecu);
        let mut command = Command::new(program);
        command
            .env("ACCEPT_LICENSE", "yes")
            // As in the image: one heap for each thread would be mostly empty.
            .env("MALLOC_ARENA_MAX", "2")
            .env("SERVER_ADDRESS", "127.0.0.1")
            .env("SERVER_PORT", port.to_string())
            .env("ECONNECTOR_MANAGEMENT_ADDRESS", "127.0.0.1")
            .env("ECONNECTOR_MANAGEMENT_PORT", management.to_string())
            .env("ECONNECTOR_RELOAD_SECONDS", "1")
            .env("ECONNECTOR_DRAIN_DELAY_SECONDS", "0")
            .env("ECONNECTOR_CLIENTS_FILE", files.clients)
            .env("ECONNECTOR_CLIENT_CA_FILE", &ready.ca_pem)
            .env("ECONNECTOR_CLIENT_ID", &ready.client_id)
            .env("ECONNECTOR_CLIENT_SECRET", &ready.client_secret)
            .env("SAAS_KEYSTORE", files.p12)
            .env("SAAS_KEYSTORE_PASSWORD", &ready.client_p12_password)
            .env("ECONNECTOR_ENVIRONMENT", "training")
            .env("ECONNECTOR_CA_FILE", &ready.ca_pem)
            .env("ECONNECTOR_CA_FILE_ONLY", "true")
            .env("ECONNECTOR_ISSUER", &ready.issuer)
            .env("ECONNECTOR_AUDIENCE", &ready.audience)
            .env("KMS_GET_CERTIFICATE_URL", kms("get-certificate"))
            .env("KMS_SIGN_URL", kms("sign-data"))
            .env("KMS_TIMESTAMP_URL", kms("sign-timestamp"))
            .env("TRUSTSTORE_KMS_FILENAME", &ready.truststore_pem)
            .env("CCSS_URL", mysecu("trust"))
            .env("CCSS_SYNC_URL", mysecu("espinst/syncexchange"))
            .env("GENERIC_KEYSTORE_FILE", &ready.client_p12)
            .env("GENERIC_KEYSTORE_PWD", &ready.client_p12_password)
            .env("ECONNECTOR_MYSECU_SIGNING_FILE", &ready.mysecu_signing_pem)
            .kill_on_drop(true);
        let mut server = Self {
            child: command.spawn().map_err(|e| format!("{}: {e}", program.display()))?,
        };
        let tls = trusting(&ready.ca_pem)?;
        let usable = async {
            while status(&tls, port).await.ok() != Some(200) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            () = usable => Ok(server),
            ended = server.child.wait() => Err(format!("the hospital server does not start: {}", ended?).into()),
            () = tokio::time::sleep(PATIENCE) => Err("the hospital server is not usable".into()),
        }
    }
}

/// How the server ended; waits for ever when there is none.
async fn ended(server: &mut Option<HospitalServer>) -> String {
    match server {
        Some(server) => match server.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        },
        None => std::future::pending().await,
    }
}

/// The HTTP status of `GET /econnector/status`.
async fn status(tls: &TlsConnector, port: u16) -> io::Result<u16> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let mut stream = tls.connect(name, stream).await?;
    let request = format!("GET /econnector/status HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0_u8; 12];
    stream.read_exact(&mut line).await?;
    let line = String::from_utf8_lossy(&line).into_owned();
    line.split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| io::Error::other("not an HTTP answer"))
}

fn trusting(ca_pem: &Path) -> Result<TlsConnector, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_pem)? {
        roots.add(certificate?)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Free a moment ago; the server binds it itself.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Ends at Ctrl-C, or when asked to terminate. Listening begins with the call.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        })
    }
    #[cfg(not(unix))]
    {
        Ok(async {
            let _ = tokio::signal::ctrl_c().await;
        })
    }
}
