//! The hospital door: HTTPS from a p12, a bearer token with every request, no state on disk.

mod environment;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use econnector_api::Door;
use econnector_assembly::{Host, assemble};
use econnector_base::Secret;
use econnector_identity::{Browser, NoKeyring};
use econnector_net::ClientIdentity;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::environment::ServerSettings;

/// How long requests under way may take to finish after SIGTERM.
const DRAIN: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    econnector_base::quiet_panics();
    tracing_subscriber::fmt()
        .json()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::INFO)
        .init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(serve()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the server does not start");
            ExitCode::FAILURE
        }
    }
}

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("settings: {}", .0.join("; "))]
    Settings(Vec<String>),
    #[error(transparent)]
    Assembly(#[from] econnector_assembly::AssemblyError),
    #[error("SAAS_KEYSTORE: {0}")]
    Keystore(#[from] econnector_net::P12Error),
    #[error("SAAS_KEYSTORE: {0}")]
    Tls(#[from] rustls::Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

async fn serve() -> Result<(), ServeError> {
    let settings = ServerSettings::from_environment(|name| std::env::var(name).ok()).map_err(ServeError::Settings)?;
    let tls = tls(&std::fs::read(&settings.keystore)?, &settings.keystore_password)?;
    let host = Host {
        browser: Arc::new(NoBrowser),
        tokens: Arc::new(NoKeyring::default()),
    };
    let connector = assemble(&settings.connector, host).await?;
    let router = econnector_api::router(connector, Door::Hospital);
    let handle = Handle::new();
    tokio::spawn(drain_at_the_end(handle.clone()));
    let address = SocketAddr::new(settings.bind, settings.port);
    tracing::info!(%address, "listening");
    axum_server::bind_rustls(address, tls)
        .handle(handle)
        .serve(router.into_make_service())
        .await?;
    Ok(())
}

fn tls(keystore: &[u8], password: &Secret) -> Result<RustlsConfig, ServeError> {
    let identity = ClientIdentity::from_p12(keystore, password)?;
    let chain = identity
        .certificates_der()
        .iter()
        .map(|der| CertificateDer::from(der.clone()))
        .collect();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.private_key_pkcs8().to_vec()));
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(config)))
}

async fn drain_at_the_end(handle: Handle<SocketAddr>) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            return;
        };
        tokio::select! { _ = terminate.recv() => {}, _ = tokio::signal::ctrl_c() => {} }
    }
    #[cfg(not(unix))]
    {
        let _ = tokio::signal::ctrl_c().await;
    }
    tracing::info!("draining");
    handle.graceful_shutdown(Some(DRAIN));
}

/// A server has nobody in front of it.
struct NoBrowser;

impl Browser for NoBrowser {
    fn open(&self, _: &str) -> bool {
        false
    }
}
