use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use econnector_forms::Lang;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Sleep;
use tower::ServiceExt as _;

use crate::connection::{Told, Turn, Written};
use crate::guard::{guarded, refused};
use crate::{Link, LinkError};

/// Ports that are tried, from the first.
const PORTS: u16 = 10;
/// Connections at the same time, over both addresses.
const SEATS: usize = 64;
/// Connections that are told at the same time that there is no seat; more are closed without a word.
const TURNED_AWAY: usize = 16;
/// Headers of one request, in bytes. Tokens are two thousand.
const HEADERS: usize = 64 * 1024;
/// How long others may take.
#[derive(Clone, Copy)]
struct Pace {
    /// A request's head must be there by then, and a kept connection closes when it stays silent as long.
    head: Duration,
    /// Who takes nothing of an answer that long is gone.
    stalled: Duration,
    /// Answers that are being given once the door closes.
    farewell: Duration,
}

const PACE: Pace = Pace {
    head: Duration::from_secs(15),
    stalled: Duration::from_secs(30),
    farewell: Duration::from_secs(3),
};

/// The open door. It closes, and its connection file goes, when it is stopped or dropped.
pub struct Listening {
    link: Link,
    addresses: Vec<SocketAddr>,
    closing: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    file: Option<Written>,
}

/// Opens the door: listens on 127.0.0.1 and \[::1\] under one port, with the guard in front of the router, and writes the connection
/// file.
///
/// # Errors
/// [`LinkError::Off`], [`LinkError::InUse`], [`LinkError::NoPort`]; [`LinkError::Unusable`]: the connection file cannot be written, or
/// the link could not be opened. The view says it, too.
pub async fn listen(router: Router, link: Link) -> Result<Listening, LinkError> {
    let outcome = listen_at(router, link.clone(), PACE).await;
    if let Err(error) = &outcome {
        link.does_not_listen(error.clone());
    }
    outcome
}

async fn listen_at(router: Router, link: Link, pace: Pace) -> Result<Listening, LinkError> {
    link.works()?;
    if !link.enabled() {
        return Err(LinkError::Off);
    }
    let turn = Turn::take(link.folder()).await?;
    let listeners = bind(link.options().rules.port).await?;
    let addresses: Vec<SocketAddr> = listeners.iter().map(|(address, _)| *address).collect();
    let told: Vec<String> = addresses.iter().map(|address| format!("http://{address}")).collect();
    let options = link.options();
    let training = link.training_tokens();
    let file = turn.write(
        link.folder(),
        &Told {
            addresses: &told,
            key: link.connection_key(),
            version: options.version,
            environment: options.environment,
            started_at: link.now(),
            training: training.as_ref(),
        },
    )?;
    link.listens_at(addresses.clone());
    let router = guarded(router, link.clone());
    let (closing, closed) = watch::channel(false);
    let seats = Arc::new(Semaphore::new(SEATS));
    let tasks = listeners
        .into_iter()
        .map(|(_, listener)| tokio::spawn(accept(listener, router.clone(), closed.clone(), seats.clone(), pace)))
        .collect();
    tracing::info!(port = addresses.first().map(SocketAddr::port), "listening on loopback");
    Ok(Listening {
        link,
        addresses,
        closing,
        tasks,
        file: Some(file),
    })
}

impl Listening {
    /// Where it listens; 127.0.0.1 first.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Closes the door, lets answers that are being given finish for a few seconds, and waits until the port is free.
    pub async fn stop(mut self) {
        self.close();
        for task in self.tasks.drain(..) {
            // A task that was cut short has nothing to tell.
            let _ = task.await;
        }
    }

    fn close(&mut self) {
        // First the file: who reads it from now on finds nobody, instead of a door that closes.
        self.file = None;
        self.link.listens_at(Vec::new());
        self.closing.send_replace(true);
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if self.file.is_some() {
            self.close();
        }
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The first port that is free on both addresses. `localhost` may mean either: where somebody else has one of them, software that means
/// this program would send him its key.
async fn bind(first: u16) -> Result<Vec<(SocketAddr, TcpListener)>, LinkError> {
    let last = if first == 0 { 0 } else { first.saturating_add(PORTS - 1) };
    let mut reason = String::new();
    for turn in 0..PORTS {
        let port = if first == 0 { 0 } else { first.saturating_add(turn) };
        match bind_both(port).await {
            Ok(listeners) => return Ok(listeners),
            Err(error) => reason = error.to_string(),
        }
    }
    Err(LinkError::NoPort { first, last, reason })
}

async fn bind_both(port: u16) -> io::Result<Vec<(SocketAddr, TcpListener)>> {
    let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let port = v4.local_addr()?.port();
    let mut listeners = vec![(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port), v4)];
    match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
        Ok(v6) => listeners.push((SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port), v6)),
        Err(error) if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => return Err(error),
        // No IPv6 on this computer: nobody else has it either.
        Err(error) => tracing::info!(%error, "listening on IPv4 alone"),
    }
    Ok(listeners)
}

async fn accept(listener: TcpListener, router: Router, mut closed: watch::Receiver<bool>, seats: Arc<Semaphore>, pace: Pace) {
    let mut connections = JoinSet::new();
    let mut turned_away = JoinSet::new();
    loop {
        tokio::select! {
            () = end(&mut closed) => break,
            Some(_) = connections.join_next() => {}
            Some(_) = turned_away.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => match seats.clone().try_acquire_owned() {
                    Ok(seat) => { connections.spawn(converse(stream, router.clone(), closed.clone(), seat, pace)); }
                    Err(_) if turned_away.len() < TURNED_AWAY => { turned_away.spawn(turn_away(stream)); }
                    Err(_) => {}
                },
                // Out of file descriptors, or gone before it was accepted.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn end(closed: &mut watch::Receiver<bool>) {
    // Gone without a word is the end as well.
    let _ = closed.wait_for(|closed| *closed).await;
}

async fn converse(stream: TcpStream, router: Router, mut closed: watch::Receiver<bool>, _seat: OwnedSemaphorePermit, pace: Pace) {
    // Answers are small: waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        async move { router.oneshot(request.map(Body::new)).await.map_err(|never: Infallible| never) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(pace.head)
        .max_buf_size(HEADERS)
        .serve_connection(TokioIo::new(Unstalled::new(stream, pace.stalled)), service);
    tokio::pin!(connection);
    tokio::select! {
        // A broken line is the caller's affair.
        _ = connection.as_mut() => {}
        () = end(&mut closed) => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(pace.farewell, connection).await;
        }
    }
}

/// Says that there is no seat, in the default language: what the caller wants is not read.
async fn turn_away(mut stream: TcpStream) {
    let (parts, body) = refused(&LinkError::Busy, Lang::Fr).into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let mut answer = format!(
        "HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: {}\r\n",
        parts.status,
        body.len()
    )
    .into_bytes();
    for (name, value) in &parts.headers {
        answer.extend_from_slice(name.as_str().as_bytes());
        answer.extend_from_slice(b": ");
        answer.extend_from_slice(value.as_bytes());
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"\r\n");
    answer.extend_from_slice(&body);
    let told = async {
        stream.write_all(&answer).await?;
        stream.shutdown().await?;
        // What was sent meanwhile is read and thrown away, or the system would take the answer back.
        tokio::io::copy(&mut stream.take(1024 * 1024), &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(Duration::from_secs(2), told).await;
}

/// A stream that breaks when the other side takes nothing for too long: it would hold a seat for ever.
struct Unstalled {
    stream: TcpStream,
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Unstalled {
    const fn new(stream: TcpStream, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            stalled: None,
        }
    }

    fn timed<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let patience = self.patience;
        let sleep = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(sleep.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Unstalled {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Unstalled {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.timed(context, outcome)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.timed(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.timed(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use axum::routing::get;
    use econnector_base::SystemClock;

    use super::*;
    use crate::{LinkOptions, Rules};

    const HASTE: Pace = Pace {
        head: Duration::from_millis(300),
        stalled: Duration::from_millis(300),
        farewell: Duration::from_millis(300),
    };

    fn link(folder: &Path, port: u16) -> Link {
        Link::open(LinkOptions {
            folder: folder.to_owned(),
            rules: Rules { port, ..Rules::default() },
            environment: "training",
            version: "1.2.3",
            clock: Arc::new(SystemClock),
        })
        .unwrap()
    }

    async fn said(stream: &mut TcpStream) -> String {
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer));
        // A reset ends an answer as well.
        let _ = read.await.expect("the door closes the connection");
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn who_is_slow_loses_the_seat() {
        let folder = tempfile::tempdir().unwrap();
        let listening = listen_at(Router::new(), link(folder.path(), 0), HASTE).await.unwrap();
        let address = listening.addresses()[0];
        for part in ["", "GET /econnector/status HTTP/1.1\r\nHost: 127.0.0.1"] {
            let start = Instant::now();
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(part.as_bytes()).await.unwrap();
            said(&mut stream).await;
            assert!(start.elapsed() < Duration::from_secs(3), "{part:?}");
        }
        let mut dripping = TcpStream::connect(address).await.unwrap();
        let start = Instant::now();
        while dripping.write_all(b"G").await.is_ok() && start.elapsed() < Duration::from_secs(5) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(start.elapsed() < Duration::from_secs(3), "one byte at a time is slow, too");
        listening.stop().await;
    }

    #[tokio::test]
    async fn who_does_not_take_the_answer_loses_the_seat() {
        let folder = tempfile::tempdir().unwrap();
        let large = Router::new().route("/swagger-ui/large", get(|| async { vec![0u8; 64 * 1024 * 1024] }));
        let listening = listen_at(large, link(folder.path(), 0), HASTE).await.unwrap();
        let address = listening.addresses()[0];
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(format!("GET /swagger-ui/large HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
        let _ = read.expect("the connection ends");
        assert!(
            answer.len() < 64 * 1024 * 1024,
            "what was not taken in time is not sent: {}",
            answer.len()
        );
        listening.stop().await;
    }

    #[tokio::test]
    async fn there_are_sixty_four_seats() {
        let folder = tempfile::tempdir().unwrap();
        let listening = listen(Router::new(), link(folder.path(), 0)).await.unwrap();
        let address = listening.addresses()[0];
        let mut seated = Vec::new();
        for _ in 0..SEATS {
            seated.push(TcpStream::connect(address).await.unwrap());
        }
        let mut late = TcpStream::connect(address).await.unwrap();
        late.write_all(format!("GET /econnector/status HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        late.shutdown().await.unwrap();
        let answer = said(&mut late).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("\"link-busy\"") && answer.contains("retry-after: 5"), "{answer}");
        seated.pop();
        let start = Instant::now();
        loop {
            let mut next = TcpStream::connect(address).await.unwrap();
            let request = format!("GET /nowhere HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
            next.write_all(request.as_bytes()).await.unwrap();
            let answer = said(&mut next).await;
            if answer.starts_with("HTTP/1.1 401 ") {
                break;
            }
            assert!(
                answer.starts_with("HTTP/1.1 503 ") && start.elapsed() < Duration::from_secs(5),
                "{answer}"
            );
        }
        listening.stop().await;
    }

    #[tokio::test]
    async fn a_port_that_is_taken_on_either_address_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let free = bind(0).await.unwrap();
        let v6 = free.len() == 2;
        let port = free[0].0.port();
        drop(free);
        let on_v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let listening = listen(Router::new(), link(folder.path(), port)).await.unwrap();
        let taken = listening.addresses()[0].port();
        assert!(taken > port && taken < port + PORTS, "{taken}");
        assert!(
            listening
                .addresses()
                .iter()
                .all(|address| address.port() == taken && address.ip().is_loopback())
        );
        assert_eq!(listening.addresses().len(), if v6 { 2 } else { 1 });
        listening.stop().await;
        drop(on_v4);
        if v6 {
            let _on_v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.unwrap();
            let listening = listen(Router::new(), link(folder.path(), port)).await.unwrap();
            assert!(listening.addresses()[0].port() > port, "somebody else's localhost");
            listening.stop().await;
        }
    }

    /// Ten ports in a row that were free, and are held. Below those that systems give to whoever asks for any.
    async fn ten_in_a_row() -> (u16, Vec<Vec<(SocketAddr, TcpListener)>>) {
        for first in (20_000..30_000).step_by(10) {
            let mut held = Vec::new();
            for port in first..first + 10 {
                held.extend(bind_both(port).await);
            }
            if held.len() == 10 {
                return (first, held);
            }
        }
        panic!("no ten free ports in a row");
    }

    #[tokio::test]
    async fn ten_ports_are_tried_and_then_it_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let (first, mut held) = ten_in_a_row().await;
        let refused = listen(Router::new(), link(folder.path(), first)).await.err();
        let Some(LinkError::NoPort { first: from, last, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!((from, last), (first, first + 9));
        assert!(!folder.path().join("connection.json").exists());

        drop(held.pop());
        let listening = listen(Router::new(), link(folder.path(), first)).await.unwrap();
        assert!(listening.addresses().iter().all(|address| address.port() == first + 9));
        listening.stop().await;
    }

    #[tokio::test]
    async fn after_the_last_port_of_all_comes_none() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 65535)).await;
        let folder = tempfile::tempdir().unwrap();
        let refused = listen(Router::new(), link(folder.path(), 65535)).await.err();
        // Whoever has it, it is not ours.
        assert!(
            matches!(
                refused,
                Some(LinkError::NoPort {
                    first: 65535,
                    last: 65535,
                    ..
                })
            ),
            "{refused:?}"
        );
        assert!(!folder.path().join("connection.json").exists());
        drop(taken);
    }
}
