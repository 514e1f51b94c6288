//! Connections: so many at a time, so many of one address, and none that only takes a place. A peer without any credential must not be
//! able to shut the door by standing in it.

use std::collections::HashMap;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;
use tower::{Layer as _, Service};

use crate::metrics::Metrics;

/// Written in one go: less is a peer's ping answered, or a page that it takes drop by drop.
const PIECE: usize = 512;

/// How long a connection is kept on which nothing moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Without a request: before the first, and after the last was answered.
    pub(crate) idle: Duration,
    /// With a request under way: as long again as its answer may take.
    pub(crate) answer: Duration,
}

/// One connection: as long as one of its requests knows it, it counts.
#[derive(Clone)]
pub(crate) struct Connection {
    /// SHA-256 of the certificate that the caller showed and the handshake believed.
    pub(crate) certificate: Option<[u8; 32]>,
    _seat: Arc<Seat>,
}

/// Takes connections, and notes who showed which certificate.
#[derive(Clone)]
pub(crate) struct Acceptor<A> {
    inner: A,
    places: Arc<Places>,
    patience: Patience,
    metrics: Arc<Metrics>,
}

impl<A> Acceptor<A> {
    pub(crate) fn new(inner: A, connections: usize, patience: Patience, metrics: Arc<Metrics>) -> Self {
        Self {
            inner,
            places: Arc::new(Places::new(connections)),
            patience,
            metrics,
        }
    }
}

impl<A, S> Accept<TcpStream, S> for Acceptor<A>
where
    A: Accept<TcpStream, S, Service = S>,
    A::Stream: Shows + Send + 'static,
    A::Future: Send + 'static,
    S: Send + 'static,
{
    type Stream = Watched<A::Stream>;
    type Service = Asked<AddExtension<S, Connection>>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let (metrics, patience) = (Arc::clone(&self.metrics), self.patience);
        let seat = stream.peer_addr().ok().and_then(|peer| self.places.seat(peer.ip()));
        let Some(seat) = seat else {
            metrics.rejected("connections");
            return Box::pin(std::future::ready(Err(io::Error::other("too many connections"))));
        };
        let handshake = self.inner.accept(stream, service);
        Box::pin(async move {
            let (stream, service) = handshake.await.inspect_err(|error| {
                metrics.handshake_failed();
                tracing::debug!(%error, "no TLS connection");
            })?;
            let connection = Connection {
                certificate: stream.certificate(),
                _seat: Arc::new(seat),
            };
            let life = Arc::new(Life::new());
            let asked = Asked {
                inner: Extension(connection).layer(service),
                life: Arc::clone(&life),
            };
            Ok((Watched::new(stream, life, patience, metrics), asked))
        })
    }
}

/// A stream that knows whose certificate was shown on it.
pub(crate) trait Shows {
    /// Its SHA-256.
    fn certificate(&self) -> Option<[u8; 32]>;
}

impl Shows for TlsStream<TcpStream> {
    fn certificate(&self) -> Option<[u8; 32]> {
        let shown = self.get_ref().1.peer_certificates().and_then(<[_]>::first);
        shown.map(|certificate| Sha256::digest(certificate).into())
    }
}

impl Shows for TcpStream {
    fn certificate(&self) -> Option<[u8; 32]> {
        None
    }
}

/// How many connections there are, and how many of each address: one may have a quarter of them.
struct Places {
    most: usize,
    of_one: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// A connection's place; free again when dropped.
struct Seat {
    places: Arc<Places>,
    of: IpAddr,
}

impl Places {
    fn new(most: usize) -> Self {
        Self {
            most,
            of_one: most.div_ceil(4),
            taken: Mutex::default(),
        }
    }

    fn seat(self: &Arc<Self>, peer: IpAddr) -> Option<Seat> {
        let of = household(peer);
        let mut taken = self.taken();
        if taken.all >= self.most {
            return None;
        }
        let count = taken.of.entry(of).or_default();
        if *count >= self.of_one {
            return None;
        }
        *count += 1;
        taken.all += 1;
        Some(Seat {
            places: Arc::clone(self),
            of,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        if let Some(count) = taken.of.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                taken.of.remove(&self.of);
            }
        }
    }
}

/// An address; of the many that one IPv6 subscriber has, their common beginning.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

/// What happens on a connection.
struct Life(Mutex<Moves>);

struct Moves {
    asked: bool,
    under_way: usize,
    last: Instant,
}

impl Life {
    fn new() -> Self {
        Self(Mutex::new(Moves {
            asked: false,
            under_way: 0,
            last: Instant::now(),
        }))
    }

    fn moves(&self) -> MutexGuard<'_, Moves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wrote(&self, bytes: usize) {
        let mut moves = self.moves();
        if moves.asked && bytes >= PIECE {
            moves.last = Instant::now();
        }
    }

    fn ends(&self, patience: &Patience) -> Instant {
        let moves = self.moves();
        let answer = if moves.under_way > 0 { patience.answer } else { Duration::ZERO };
        moves.last + patience.idle + answer
    }
}

/// A request under way on a connection.
struct UnderWay(Arc<Life>);

impl UnderWay {
    fn begin(life: &Arc<Life>) -> Self {
        let mut moves = life.moves();
        moves.asked = true;
        moves.under_way += 1;
        moves.last = Instant::now();
        Self(Arc::clone(life))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut moves = self.0.moves();
        moves.under_way -= 1;
        moves.last = Instant::now();
    }
}

/// The service of one connection, with its requests counted.
#[derive(Clone)]
pub(crate) struct Asked<S> {
    inner: S,
    life: Arc<Life>,
}

impl<S, R> Service<R> for Asked<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let under_way = UnderWay::begin(&self.life);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(under_way);
            answer
        })
    }
}

/// A stream that fails when its connection only takes a place. The HTTP library has clocks of its own for some of that: none before it
/// knows which version is spoken, and none for a peer that answers pings.
pub(crate) struct Watched<S> {
    stream: S,
    life: Arc<Life>,
    patience: Patience,
    alarm: Pin<Box<Sleep>>,
    over: bool,
    metrics: Arc<Metrics>,
}

impl<S> Watched<S> {
    fn new(stream: S, life: Arc<Life>, patience: Patience, metrics: Arc<Metrics>) -> Self {
        Self {
            stream,
            life,
            patience,
            alarm: Box::pin(tokio::time::sleep(patience.idle)),
            over: false,
            metrics,
        }
    }

    /// Fails when the time is over; else looks again when it may be.
    fn alive(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while !self.over && self.alarm.as_mut().poll(context).is_ready() {
            let (now, ends) = (Instant::now(), self.life.ends(&self.patience));
            // An end may come nearer meanwhile: with the answer to the last request.
            self.alarm.as_mut().reset(ends.min(now + self.patience.idle));
            self.over = ends <= now;
            if self.over && !self.life.moves().asked {
                self.metrics.rejected("silent");
            }
        }
        if self.over { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }

    fn wrote(&self, written: &io::Result<usize>) {
        if let Ok(bytes) = written {
            self.life.wrote(*bytes);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.alive(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.alive(context)?;
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.wrote(&written);
        Poll::Ready(written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.alive(context)?;
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices));
        self.wrote(&written);
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.alive(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.alive(context)?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::Router;
    use axum::routing::get;
    use axum_server::accept::NoDelayAcceptor;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const PATIENCE: Patience = Patience {
        idle: Duration::from_secs(60),
        answer: Duration::from_secs(90),
    };

    fn metrics() -> Arc<Metrics> {
        Arc::new(Metrics::new("training"))
    }

    fn watched() -> (Watched<DuplexStream>, DuplexStream, Arc<Life>) {
        let (near, far) = duplex(64 * 1024);
        let life = Arc::new(Life::new());
        (Watched::new(near, Arc::clone(&life), PATIENCE, metrics()), far, life)
    }

    /// Reads until the stream fails, and says after how many seconds that was.
    async fn ended(mut stream: Watched<DuplexStream>) -> u64 {
        let begun = Instant::now();
        let mut buffer = [0; 1024];
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) => panic!("the other end closed"),
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                    return begun.elapsed().as_secs();
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_or_only_pings_is_let_go() {
        let (silent, _far, _) = watched();
        assert_eq!(ended(silent).await, 60);
        let (pinged, mut far, life) = watched();
        drop(UnderWay::begin(&life));
        let pinging = tokio::spawn(async move {
            loop {
                if far.write_all(b"a ping").await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(7)).await;
            }
        });
        assert!((60..=67).contains(&ended(pinged).await));
        pinging.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_has_its_time_and_a_page_that_is_read_is_waited_for() {
        let (stream, _far, life) = watched();
        let _under_way = UnderWay::begin(&life);
        assert_eq!(ended(stream).await, 150, "an answer may take that long");

        let (stream, mut far, life) = watched();
        drop(UnderWay::begin(&life));
        let (mut reading, mut writing) = tokio::io::split(stream);
        let taking = tokio::spawn(async move { tokio::io::copy(&mut far, &mut tokio::io::sink()).await });
        let begun = Instant::now();
        let slowly = async {
            // Somebody at a slow line: a piece every half minute, for two and a half.
            for _ in 0..5 {
                writing.write_all(&[0; 4096]).await.unwrap();
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
            writing.write_all(&[0; 4096]).await.unwrap();
            // And now only answers to pings.
            while writing.write_all(&[0; 17]).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(7)).await;
            }
        };
        // In one task, as the HTTP library has it.
        let mut nothing = [0; 16];
        let (read, ()) = tokio::join!(reading.read(&mut nothing), slowly);
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!((210..=217).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
        taking.abort();
    }

    #[test]
    fn one_address_has_a_quarter_and_leaves_the_others_to_others() {
        let places = Arc::new(Places::new(8));
        let at = |text: &str| places.seat(text.parse().unwrap());
        let (first, second) = (at("192.0.2.1"), at("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some() && at("192.0.2.1").is_none());
        let neighbours = (at("2001:db8::1"), at("2001:db8::2:1"));
        assert!(neighbours.0.is_some() && neighbours.1.is_some());
        assert!(at("2001:db8::ffff").is_none(), "one subscriber");
        let others = [at("2001:db8:0:1::1"), at("192.0.2.2"), at("192.0.2.3"), at("192.0.2.4")];
        assert!(others.iter().all(Option::is_some) && at("192.0.2.5").is_none(), "all are taken");
        drop(first);
        assert!(at("192.0.2.1").is_some());
        drop((second, neighbours, others));
        let taken = places.taken();
        assert!(taken.all == 0 && taken.of.is_empty(), "nobody is remembered");
    }

    /// A server on a port of its own that lets go after a moment.
    async fn server() -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let patience = Patience {
            idle: Duration::from_secs(2),
            answer: Duration::from_secs(5),
        };
        let acceptor = Acceptor::new(NoDelayAcceptor::new(), 40, patience, metrics());
        let server = axum_server::from_tcp(listener).unwrap().acceptor(acceptor);
        let router = Router::new().route("/", get(async || "here"));
        tokio::spawn(server.serve(router.into_make_service()));
        address
    }

    /// Until the other end closes; how long that took.
    async fn closed(mut stream: TcpStream, mut write: impl FnMut() -> &'static [u8]) -> Duration {
        let begun = Instant::now();
        let mut buffer = [0; 1024];
        loop {
            if stream.write_all(write()).await.is_err() {
                return begun.elapsed();
            }
            let read = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut buffer)).await;
            if matches!(read, Ok(Ok(0) | Err(_))) {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "it stays forever");
        }
    }

    #[tokio::test]
    async fn a_silent_peer_and_one_that_speaks_http_2_without_a_request_are_let_go() {
        const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0eight oc";
        let address = server().await;
        let connect = async || TcpStream::connect(address).await.unwrap();
        let silent = closed(connect().await, || b"");
        let mut said = false;
        let pinging = closed(connect().await, || {
            let first = !std::mem::replace(&mut said, true);
            if first { PREFACE } else { PING }
        });
        let (silent, pinging) = tokio::join!(silent, pinging);
        for took in [silent, pinging] {
            assert!(took > Duration::from_millis(1900), "{took:?}");
        }
        let mut asking = connect().await;
        asking
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        asking.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("here"), "{answer}");
    }
}
