//! Opens the doors, keeps what they show fresh, and closes them in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use econnector_api::Door;
use econnector_assembly::{AssemblyError, Host, assemble_with};
use econnector_base::SystemClock;
use econnector_connector::Connector;
use econnector_identity::{Browser, NoKeyring};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::access;
use crate::clients::Clients;
use crate::connections::{Acceptor, Patience};
use crate::environment::ServerSettings;
use crate::files::Files;
use crate::health::{self, Health};
use crate::limits::{Guards, guard};
use crate::metrics::{Metrics, Watch};
use crate::tls::{TlsFiles, fingerprint};
use crate::turns::Gate;
use crate::wrong::Wrong;

/// The head of a request arrives within this time; a connection without a request is kept as long.
const HEAD: Duration = Duration::from_secs(60);
/// A token has some kilobytes; the largest heads have two.
const HEADERS: usize = 32 * 1024;
/// Of probes and scrapes: some from each side.
const MANAGEMENT_CONNECTIONS: usize = 128;

/// Why the server ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    #[error("{settings}: {address} cannot be listened on ({error}). Choose another, or stop what has it")]
    Listen {
        settings: &'static str,
        address: SocketAddr,
        error: std::io::Error,
    },
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Serves until told to stop.
pub(crate) async fn serve(settings: ServerSettings, files: Files, processors: usize) -> Result<(), ServeError> {
    let metrics = Arc::new(Metrics::new(settings.connector.environment.as_str()));
    for (certificate, at) in files.expiries {
        metrics.expires(certificate, at);
    }
    let gate = Gate::new(&settings.limits, processors);
    let host = Host {
        browser: Arc::new(NoBrowser),
        tokens: Arc::new(NoKeyring::default()),
    };
    let watch = Watch {
        metrics: Arc::clone(&metrics),
        gate: Arc::clone(&gate),
    };
    let connector = assemble_with(&settings.connector, host, Arc::new(watch), Arc::new(SystemClock)).await?;
    let health = Health::new(Arc::clone(&connector), Arc::clone(&metrics), Arc::clone(&gate));
    let guards = Arc::new(Guards::new(
        settings.limits,
        Arc::clone(&files.clients),
        gate,
        Arc::clone(&metrics),
        Arc::clone(&connector),
    ));
    let router = econnector_api::router(Arc::clone(&connector), Door::Hospital)
        .layer(middleware::from_fn_with_state(guards, guard))
        .merge(health::router(Arc::clone(&health)))
        .layer(middleware::from_fn_with_state(Arc::clone(&metrics), access::line));

    let tls = RustlsConfig::from_config(files.tls.config);
    tokio::spawn(keep_fresh(Fresh {
        tls_files: settings.tls,
        tls: tls.clone(),
        clients_file: settings.clients_file,
        clients: files.clients,
        metrics: Arc::clone(&metrics),
        every: settings.reload_every,
    }));

    let patience = Patience {
        idle: HEAD,
        answer: settings.limits.answer,
    };
    let handle = Handle::new();
    let management_handle = Handle::new();
    let management = match settings.management_port {
        Some(port) => {
            let address = SocketAddr::new(settings.management_address, port);
            let listener = listen("ECONNECTOR_MANAGEMENT_ADDRESS, ECONNECTOR_MANAGEMENT_PORT", address)?;
            let mut server = axum_server::from_tcp(listener)?.handle(management_handle.clone());
            bounded(server.http_builder());
            let acceptor = Acceptor::new(NoDelayAcceptor::new(), MANAGEMENT_CONNECTIONS, patience, Arc::clone(&metrics));
            tokio::spawn(
                server
                    .acceptor(acceptor)
                    .serve(health::router(Arc::clone(&health)).into_make_service()),
            );
            Some(address)
        }
        None => None,
    };
    let address = SocketAddr::new(settings.bind, settings.port);
    let listener = listen("SERVER_ADDRESS, SERVER_PORT", address)?;
    let mut server = axum_server::from_tcp(listener)?.handle(handle.clone());
    bounded(server.http_builder());
    let acceptor = RustlsAcceptor::new(tls).acceptor(NoDelayAcceptor::new());
    let acceptor = Acceptor::new(acceptor, settings.limits.connections, patience, metrics);
    let (deadline, until) = watch::channel(None);
    tokio::spawn(drain_at_the_end(health, handle, settings.drain_delay, settings.drain, deadline));
    tracing::info!(%address, management = management.map(|address| address.to_string()), "listening");
    server.acceptor(acceptor).serve(router.into_make_service()).await?;
    finished(&connector, until).await;
    management_handle.shutdown();
    Ok(())
}

fn listen(settings: &'static str, address: SocketAddr) -> Result<std::net::TcpListener, ServeError> {
    let failed = |error| ServeError::Listen { settings, address, error };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// What one connection may ask of us before it has asked for anything.
fn bounded(builder: &mut Builder<TokioExecutor>) {
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(100)
        .max_buf_size(HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(64)
        .max_header_list_size(HEADERS as u32)
        .max_pending_accept_reset_streams(20)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
}

/// What may change while the server runs.
struct Fresh {
    tls_files: TlsFiles,
    tls: RustlsConfig,
    clients_file: Option<std::path::PathBuf>,
    clients: Arc<Clients>,
    metrics: Arc<Metrics>,
    every: Duration,
}

/// Looks at the files from time to time, and when asked by SIGHUP. New connections get the new certificate; those that are open keep
/// theirs. What cannot be used changes nothing.
async fn keep_fresh(fresh: Fresh) {
    let fresh = Arc::new(fresh);
    let state = |fresh: &Fresh| {
        (
            fresh.tls_files.fingerprint(),
            fingerprint(fresh.clients_file.iter().map(|file| file.as_path())),
        )
    };
    let mut known = state(&fresh);
    let mut asked = Hangup::new();
    loop {
        let by_signal = tokio::select! {
            () = tokio::time::sleep(fresh.every) => false,
            () = asked.next() => true,
        };
        let reading = Arc::clone(&fresh);
        let looked = tokio::task::spawn_blocking(move || {
            let now = state(&reading);
            let wrong = (by_signal || now != known).then(|| reading.read());
            (now, wrong)
        });
        let Ok((now, read)) = looked.await else {
            continue;
        };
        known = now;
        if let Some(wrong) = read {
            fresh.metrics.reloaded(wrong.is_empty());
            for wrong in &wrong {
                tracing::error!(setting = wrong.name, "{wrong}: what was read before stays in use");
            }
        }
    }
}

impl Fresh {
    fn read(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        match self.tls_files.open(OffsetDateTime::now_utc()) {
            Ok(opened) => {
                self.tls.reload_from_config(opened.config);
                self.metrics.expires("server", opened.expires);
                tracing::info!(until = %opened.expires.date(), "the certificate was read again");
            }
            Err(found) => wrong.extend(found),
        }
        if let Some(file) = &self.clients_file {
            match self.clients.read(file, self.tls_files.client_ca.is_some()) {
                Ok(count) => tracing::info!(count, "the clients file was read again"),
                Err(found) => wrong.extend(found),
            }
        }
        wrong
    }
}

/// SIGHUP; where there is none it never comes.
struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

/// First the load balancer hears that this instance wants no more; then it stops listening and lets what is under way finish, until the
/// moment it tells to `deadline`. A second signal ends at once.
async fn drain_at_the_end(
    health: Arc<Health>,
    handle: Handle<SocketAddr>,
    delay: Duration,
    drain: Duration,
    deadline: watch::Sender<Option<Instant>>,
) {
    let mut stop = Stop::new();
    stop.next().await;
    health.drain();
    tracing::info!("draining: not ready");
    let at_once = tokio::select! {
        () = tokio::time::sleep(delay) => false,
        () = stop.next() => true,
    };
    if !at_once {
        tracing::info!("draining: no new connections");
        deadline.send_replace(Some(Instant::now() + drain));
        handle.graceful_shutdown(Some(drain));
        stop.next().await;
    }
    deadline.send_replace(Some(Instant::now()));
    handle.shutdown();
}

/// Waits for work that nobody waits for any more: its caller hung up, or was told "too slow". What was sent to mySecu and is cut off here
/// would have an outcome that nobody knows.
async fn finished(connector: &Connector, mut until: watch::Receiver<Option<Instant>>) {
    let passed = async {
        loop {
            let deadline = *until.borrow_and_update();
            let changed = match deadline {
                Some(deadline) => tokio::time::timeout_at(deadline, until.changed()).await,
                None => Ok(until.changed().await),
            };
            // The end of the time, or of whoever tells it.
            if !matches!(changed, Ok(Ok(()))) {
                return;
            }
        }
    };
    tokio::select! {
        () = connector.idle() => tracing::info!("ended: nothing is under way"),
        // Each names itself when it is cut off, which it is as the program ends.
        () = passed => tracing::warn!("ended with work under way: ask mySecu for the documents named next"),
    }
}

/// SIGTERM or Ctrl-C.
struct Stop {
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
}

impl Stop {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok(),
        }
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(terminate) = &mut self.terminate {
            tokio::select! { _ = terminate.recv() => {}, _ = tokio::signal::ctrl_c() => {} }
            return;
        }
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// A server has nobody in front of it.
struct NoBrowser;

impl Browser for NoBrowser {
    fn open(&self, _: &str) -> bool {
        false
    }
}
