//! HTTP/1.1 on loopback, with or without TLS, with the two things axum's own server cannot do: tell a handler who the TLS client is,
//! and close a connection without an answer.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// How long a client may take for its TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A port of its own on 127.0.0.1, and on \[::1\] where the machine has it: `localhost` may mean either.
pub(crate) struct Door {
    listeners: Vec<TcpListener>,
    pub(crate) port: u16,
}

impl Door {
    pub(crate) async fn open() -> io::Result<Self> {
        let mut attempts = 0;
        loop {
            let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let port = v4.local_addr()?.port();
            match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
                Ok(v6) => {
                    return Ok(Self {
                        listeners: vec![v4, v6],
                        port,
                    });
                }
                // Somebody else's `localhost:port`: another port, so that nobody talks to the wrong program.
                Err(e) if e.kind() == io::ErrorKind::AddrInUse && attempts < 20 => attempts += 1,
                Err(_) => return Ok(Self { listeners: vec![v4], port }),
            }
        }
    }

    pub(crate) fn serve(self, tls: Option<Arc<ServerConfig>>, router: Router) -> Serving {
        Serving(
            self.listeners
                .into_iter()
                .map(|listener| tokio::spawn(accept(listener, tls.clone(), router.clone())))
                .collect(),
        )
    }
}

/// A door being served; it closes when dropped.
pub(crate) struct Serving(Vec<JoinHandle<()>>);

impl Serving {
    /// Closes the door and waits until its port is free.
    pub(crate) async fn stop(mut self) {
        for task in self.0.drain(..) {
            task.abort();
            let _ = task.await;
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Who is at the other end.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) certificate: Option<CertificateDer<'static>>,
    pub(crate) encrypted: bool,
}

/// Response extension: close the connection instead of sending this response.
#[derive(Clone)]
pub(crate) struct Cut;

#[derive(Debug, thiserror::Error)]
#[error("the line was cut on purpose")]
struct CutOnPurpose;

async fn accept(listener: TcpListener, tls: Option<Arc<ServerConfig>>, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(converse(stream, tls.clone(), router.clone())); }
                // Out of file descriptors, most likely: wait until some are free.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn converse(stream: TcpStream, tls: Option<Arc<ServerConfig>>, router: Router) {
    let _ = stream.set_nodelay(true);
    let Some(config) = tls else {
        return talk(
            stream,
            Peer {
                certificate: None,
                encrypted: false,
            },
            router,
        )
        .await;
    };
    match tokio::time::timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream)).await {
        Ok(Ok(stream)) => {
            let certificate = stream
                .get_ref()
                .1
                .peer_certificates()
                .and_then(<[_]>::first)
                .map(|c| c.clone().into_owned());
            talk(
                stream,
                Peer {
                    certificate,
                    encrypted: true,
                },
                router,
            )
            .await;
        }
        Ok(Err(e)) => tracing::debug!(error = %e, "TLS handshake refused"),
        Err(_) => tracing::debug!("TLS handshake too slow"),
    }
}

async fn talk<S>(stream: S, peer: Peer, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let router = router.clone();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        async move {
            let response: Response = match router.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            if response.extensions().get::<Cut>().is_some() {
                Err(CutOnPurpose)
            } else {
                Ok(response)
            }
        }
    });
    if let Err(e) = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await
    {
        tracing::debug!(error = %e, "connection ended");
    }
}
