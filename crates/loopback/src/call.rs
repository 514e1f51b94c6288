//! A client for this door: plain HTTP/1.1 to an address on this computer, past every proxy setting.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use econnector_base::Secret;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT_LANGUAGE, HOST, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An answer of ours is a few kilobytes.
const LARGEST: usize = 1024 * 1024;

/// What a request says about whom it means.
#[derive(Clone, Copy)]
pub(crate) enum Saying<'a> {
    /// Prove who you are: this is not told to whoever cannot.
    Challenge(&'a str),
    /// The key itself.
    Key(&'a Secret),
}

/// Reads the answer to one GET, within `patience`.
pub(crate) async fn call(
    address: SocketAddr,
    path: &str,
    saying: Saying<'_>,
    language: &'static str,
    patience: Duration,
) -> io::Result<(StatusCode, Bytes)> {
    // The key is this user's: it does not leave the computer, whatever a file says.
    if !address.ip().is_loopback() {
        return Err(io::Error::other("not an address of this computer"));
    }
    let talk = async {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = path.parse().map_err(io::Error::other)?;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(&address.to_string()).map_err(io::Error::other)?);
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(language));
        let (name, said) = match saying {
            Saying::Challenge(challenge) => (crate::guard::CHALLENGE, challenge),
            Saying::Key(key) => (crate::guard::KEY, key.reveal()),
        };
        let mut value = HeaderValue::from_str(said).map_err(io::Error::other)?;
        value.set_sensitive(true);
        headers.insert(name, value);
        let answer = async move {
            let response = sender.send_request(request).await.map_err(io::Error::other)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST)
                .collect()
                .await
                .map_err(io::Error::other)?;
            io::Result::Ok((status, body.to_bytes()))
        };
        // The connection ends once the sender is gone; a failure of it is the answer's failure.
        tokio::join!(answer, connection).0
    };
    tokio::time::timeout(patience, talk)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
