//! The loopback address to which AeS sends the browser back (RFC 8252, 7.3). It lives for one login.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use econnector_base::{AuthorityWords, Secret};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use subtle::ConstantTimeEq as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::error::IdentityError;
use crate::pages::{Language, Page};

/// The open port, before the browser is sent off.
pub(crate) struct Landing {
    listeners: Vec<TcpListener>,
    redirect: String,
    hosts: Vec<String>,
    path: String,
}

impl Landing {
    /// Opens a port of the system's choice on 127.0.0.1, and on ::1 too when the address is given as `localhost`.
    pub(crate) async fn open(host: &str, path: &str) -> std::io::Result<Self> {
        let listeners = if host == "localhost" {
            both_sides().await?
        } else {
            vec![ipv4().await?]
        };
        let port = match listeners.first() {
            Some(listener) => listener.local_addr()?.port(),
            None => return Err(ErrorKind::AddrNotAvailable.into()),
        };
        Ok(Self {
            listeners,
            redirect: format!("http://{host}:{port}{path}"),
            hosts: vec![format!("{host}:{port}"), format!("127.0.0.1:{port}")],
            path: path.to_owned(),
        })
    }

    /// The redirect URI.
    pub(crate) fn redirect(&self) -> &str {
        &self.redirect
    }

    /// Serves until AeS' answer to this login arrives. Anything else gets a page and changes nothing.
    pub(crate) async fn answer(self, expected: Expected, language: Language) -> Arrival {
        let rules = Arc::new(Rules {
            hosts: self.hosts,
            path: self.path,
            expected,
            language,
        });
        let (arrivals, mut arrived) = mpsc::channel(1);
        let mut connections = JoinSet::new();
        let mut listeners = self.listeners.into_iter();
        let (Some(first), second) = (listeners.next(), listeners.next()) else {
            // Never empty: `open` puts one there.
            return std::future::pending().await;
        };
        loop {
            tokio::select! {
                Some((outcome, page)) = arrived.recv() => {
                    return Arrival { outcome, window: Window { page, connections } };
                }
                stream = accept(&first) => serve(stream, &rules, &arrivals, &mut connections),
                stream = accept_some(second.as_ref()) => serve(stream, &rules, &arrivals, &mut connections),
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

/// AeS' answer.
pub(crate) struct Arrival {
    /// The authorization code, or why there is none.
    pub(crate) outcome: Result<Secret, IdentityError>,
    pub(crate) window: Window,
}

/// The browser, waiting for its page.
pub(crate) struct Window {
    page: oneshot::Sender<Page>,
    connections: JoinSet<()>,
}

impl Window {
    /// Shows the page and closes the port once it is delivered.
    pub(crate) async fn show(mut self, page: Page) {
        let _ = self.page.send(page);
        // Browsers open lines ahead and leave them idle; those are cut.
        let delivered = async { while self.connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_secs(1), delivered).await;
    }
}

/// What AeS' answer to this very login bears.
pub(crate) struct Expected {
    pub(crate) state: Secret,
    pub(crate) issuer: String,
    /// The issuer says that it always names itself (RFC 9207, 3).
    pub(crate) issuer_required: bool,
}

struct Rules {
    hosts: Vec<String>,
    path: String,
    expected: Expected,
    language: Language,
}

impl Rules {
    /// `Err` holds the status of a visit that is not AeS' answer.
    fn read(&self, method: &Method, host: Option<&str>, uri: &Uri) -> Result<Result<Secret, IdentityError>, StatusCode> {
        // A page that had its own name pointed at this computer would come with that name.
        if !host.is_some_and(|host| self.hosts.iter().any(|own| own == host)) {
            return Err(StatusCode::MISDIRECTED_REQUEST);
        }
        if uri.path() != self.path {
            return Err(StatusCode::NOT_FOUND);
        }
        if method != Method::GET {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        let query = uri.query().unwrap_or_default();
        let mut parameters = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            // RFC 6749, 3.1: no parameter twice.
            if parameters.insert(name, value).is_some() {
                return Err(StatusCode::BAD_REQUEST);
            }
        }
        let parameter = |name: &str| parameters.get(name).map(AsRef::as_ref);
        let state: &str = parameter("state").ok_or(StatusCode::BAD_REQUEST)?;
        if !bool::from(state.as_bytes().ct_eq(self.expected.state.reveal().as_bytes())) {
            return Err(StatusCode::BAD_REQUEST);
        }
        // From here on it is the answer to our question: whatever it says ends the login.
        match parameter("iss") {
            Some(issuer) if issuer != self.expected.issuer => return Ok(Err(IdentityError::TokenOtherIssuer)),
            None if self.expected.issuer_required => return Ok(Err(IdentityError::TokenOtherIssuer)),
            _ => {}
        }
        if let Some(error) = parameter("error") {
            let words = AuthorityWords::new(error, parameter("error_description").unwrap_or_default());
            return Ok(Err(IdentityError::LoginRefused { words }));
        }
        Ok(match parameter("code") {
            Some(code) if !code.is_empty() => Ok(Secret::new(code)),
            _ => Err(IdentityError::AesGarbage("an answer to the login without a code")),
        })
    }
}

type Arrivals = mpsc::Sender<(Result<Secret, IdentityError>, oneshot::Sender<Page>)>;

async fn ipv4() -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

/// The same port on both. Where somebody else has it on ::1, browsers would bring AeS' answer to that program.
async fn both_sides() -> std::io::Result<Vec<TcpListener>> {
    for _ in 0..TRIES {
        let first = ipv4().await?;
        let port = first.local_addr()?.port();
        match TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await {
            Ok(second) => return Ok(vec![first, second]),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            // A computer without IPv6: browsers take 127.0.0.1.
            Err(_) => return Ok(vec![first]),
        }
    }
    Err(ErrorKind::AddrInUse.into())
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // Out of file descriptors, or gone before it was accepted.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn accept_some(listener: Option<&TcpListener>) -> TcpStream {
    match listener {
        Some(listener) => accept(listener).await,
        None => std::future::pending().await,
    }
}

fn serve(stream: TcpStream, rules: &Arc<Rules>, arrivals: &Arrivals, connections: &mut JoinSet<()>) {
    if connections.len() >= MOST_CONNECTIONS {
        return;
    }
    let (rules, arrivals) = (rules.clone(), arrivals.clone());
    let service = service_fn(move |request| respond(request, rules.clone(), arrivals.clone()));
    connections.spawn(async move {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(30))
            .keep_alive(false)
            .max_buf_size(32 * 1024)
            .serve_connection(TokioIo::new(stream), service);
        // A broken line is the browser's affair.
        let _ = connection.await;
    });
}

async fn respond(request: Request<Incoming>, rules: Arc<Rules>, arrivals: Arrivals) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    };
    let page = match rules.read(request.method(), host, request.uri()) {
        Err(status) => Page::Refused(status),
        Ok(outcome) => {
            let (page, shown) = oneshot::channel();
            match arrivals.try_send((outcome, page)) {
                // The page says how it ended, so it waits for the end.
                Ok(()) => shown.await.unwrap_or(Page::Failed),
                Err(_) => Page::Refused(StatusCode::CONFLICT),
            }
        }
    };
    let mut response = Response::new(Full::from(page.html(rules.language)));
    *response.status_mut() = page.status();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// Ports that are tried.
const TRIES: usize = 20;
/// Browsers open up to six; the rest is somebody else's doing.
const MOST_CONNECTIONS: usize = 32;

#[cfg(test)]
mod tests {
    use econnector_base::Explain as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const ISSUER: &str = "https://aes.example/auth/realms/default";

    fn rules(issuer_required: bool) -> Rules {
        Rules {
            hosts: vec!["127.0.0.1:4711".into()],
            path: "/callback".into(),
            expected: Expected {
                state: Secret::new("s3cret-state"),
                issuer: ISSUER.into(),
                issuer_required,
            },
            language: Language::French,
        }
    }

    fn read(rules: &Rules, uri: &str) -> String {
        match rules.read(&Method::GET, Some("127.0.0.1:4711"), &uri.parse().unwrap()) {
            Err(status) => status.as_u16().to_string(),
            Ok(Ok(code)) => format!("code {}", code.reveal()),
            Ok(Err(error)) => error.code().to_owned(),
        }
    }

    #[test]
    fn only_the_answer_to_this_login_counts() {
        let rules = rules(false);
        assert_eq!(read(&rules, "/callback?code=abc&state=s3cret-state&session_state=x"), "code abc");
        assert_eq!(read(&rules, "/callback?code=abc&state=s3cret-stat"), "400");
        assert_eq!(read(&rules, "/callback?code=abc&state="), "400");
        assert_eq!(read(&rules, "/callback?code=abc"), "400");
        assert_eq!(read(&rules, "/callback"), "400");
        assert_eq!(read(&rules, "/callback/?code=abc&state=s3cret-state"), "404");
        assert_eq!(read(&rules, "/favicon.ico"), "404");
        assert_eq!(read(&rules, "/callback?code=a&code=b&state=s3cret-state"), "400");
        assert_eq!(read(&rules, "/callback?state=s3cret-state"), "aes-garbage");
        assert_eq!(read(&rules, "/callback?state=s3cret-state&code="), "aes-garbage");
    }

    #[test]
    fn another_host_or_method_is_not_the_browser_coming_back() {
        let rules = rules(false);
        let uri: Uri = "/callback?code=abc&state=s3cret-state".parse().unwrap();
        for host in [None, Some(""), Some("127.0.0.1"), Some("127.0.0.1:4712"), Some("evil.example:4711")] {
            assert_eq!(
                rules.read(&Method::GET, host, &uri).err(),
                Some(StatusCode::MISDIRECTED_REQUEST),
                "{host:?}"
            );
        }
        let posted = rules.read(&Method::POST, Some("127.0.0.1:4711"), &uri);
        assert_eq!(posted.err(), Some(StatusCode::METHOD_NOT_ALLOWED));
    }

    #[test]
    fn the_issuer_is_checked_when_it_names_itself() {
        let iss = "iss=https%3A%2F%2Faes.example%2Fauth%2Frealms%2Fdefault";
        let other = "iss=https%3A%2F%2Fevil.example";
        let (strict, lenient) = (rules(true), rules(false));
        assert_eq!(read(&strict, &format!("/callback?code=abc&state=s3cret-state&{iss}")), "code abc");
        assert_eq!(read(&strict, "/callback?code=abc&state=s3cret-state"), "token-other-issuer");
        assert_eq!(
            read(&lenient, &format!("/callback?code=abc&state=s3cret-state&{other}")),
            "token-other-issuer"
        );
    }

    #[test]
    fn a_refusal_keeps_the_words_of_aes() {
        let uri = "/callback?error=access_denied&error_description=User%20denied&state=s3cret-state";
        let refused = rules(false).read(&Method::GET, Some("127.0.0.1:4711"), &uri.parse().unwrap());
        let error = refused.unwrap().err().unwrap();
        assert_eq!(error.code(), "login-refused");
        assert_eq!(error.authority(), Some(AuthorityWords::new("access_denied", "User denied")));
    }

    #[tokio::test]
    async fn visitors_get_pages_until_the_answer_arrives() {
        let landing = Landing::open("127.0.0.1", "/callback").await.unwrap();
        let address = landing
            .redirect()
            .trim_start_matches("http://")
            .trim_end_matches("/callback")
            .to_owned();
        let expected = Expected {
            state: Secret::new("right"),
            issuer: ISSUER.into(),
            issuer_required: false,
        };
        let login = tokio::spawn(async move {
            let arrival = landing.answer(expected, Language::German).await;
            let code = arrival.outcome.as_ref().ok().map(|code| code.reveal().to_owned());
            arrival.window.show(Page::Done).await;
            code
        });
        // A line opened ahead and never used must not hold anything up.
        let _idle = TcpStream::connect(&address).await.unwrap();
        let wrong = get(&address, "/callback?code=evil&state=wrong").await;
        assert!(wrong.starts_with("HTTP/1.1 400 ") && wrong.contains("lang=\"de\""), "{wrong}");
        assert!(!wrong.contains("evil"), "nothing of the request comes back: {wrong}");
        let mut garbage = TcpStream::connect(&address).await.unwrap();
        garbage.write_all(b"\x16\x03\x01 not http\r\n\r\n").await.unwrap();
        let right = get(&address, "/callback?code=abc&state=right").await;
        assert!(right.starts_with("HTTP/1.1 200 "), "{right}");
        assert!(
            right.contains("cache-control: no-store") && right.contains("default-src 'none'"),
            "{right}"
        );
        assert!(right.contains("Sie sind angemeldet"), "{right}");
        assert_eq!(login.await.unwrap().as_deref(), Some("abc"));
        assert!(TcpStream::connect(&address).await.is_err(), "the port is closed after the login");
    }

    async fn get(address: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}
