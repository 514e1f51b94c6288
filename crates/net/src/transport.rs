use std::{
    fmt,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use econnector_base::Secret;
use reqwest::{
    NoProxy, Proxy,
    header::{DATE, HeaderMap},
    redirect, retry,
};
use rustls::{
    ClientConfig, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::CryptoProvider,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::{ClientIdentity, NetError, read_anchors};

/// Whom to trust, who we are, and how long to wait.
#[derive(Clone, Debug)]
pub struct TransportOptions {
    /// Trust anchors beside the system's (or instead of them): PEM bundles or DER certificates.
    pub anchors_pem: Vec<Vec<u8>>,
    /// Trust `anchors_pem` alone, not the computer's own store.
    pub only_these_anchors: bool,
    /// The client certificate, where the service asks for one.
    pub identity: Option<ClientIdentity>,
    /// For the whole exchange, from the first byte to the last.
    pub timeout: Duration,
    /// For name, connection, proxy and TLS handshake together.
    pub connect_timeout: Duration,
    /// Bytes of body after which an answer is refused.
    pub max_answer: usize,
    /// `None`: as the computer is set up (environment, Windows or macOS settings).
    pub proxy: Option<ProxySettings>,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            anchors_pem: Vec::new(),
            only_these_anchors: false,
            identity: None,
            timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(5),
            max_answer: 8 * 1024 * 1024,
            proxy: None,
        }
    }
}

/// How the services are reached when the computer's own setting is not to be followed. Loopback never goes through a proxy.
#[derive(Clone)]
#[non_exhaustive]
pub enum ProxySettings {
    /// Directly, whatever the computer is set to.
    Direct,
    /// Through this one.
    Through {
        /// `http://host:port` or `https://host:port`.
        url: String,
        /// User name and password (Basic), when the proxy asks for them.
        credentials: Option<(String, Secret)>,
        /// Hosts reached directly, in the form of `NO_PROXY`: names, `.suffixes`, addresses, networks, comma separated.
        bypass: String,
    },
}

impl fmt::Debug for ProxySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("Direct"),
            Self::Through { .. } => f.write_str("Through(..)"),
        }
    }
}

impl ProxySettings {
    /// Host and port, without scheme and login.
    fn address(&self) -> Option<String> {
        let Self::Through { url, .. } = self else {
            return None;
        };
        let url = reqwest::Url::parse(url).ok()?;
        Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
    }
}

/// A pool of connections under one set of rules: HTTPS alone, verified certificates, no redirects, no referer, no replays. Cheap
/// to clone.
#[derive(Clone, Debug)]
pub struct Transport {
    client: reqwest::Client,
    direct: reqwest::Client,
    /// Host and port of the proxy that was set, to name it when it fails.
    proxy: Option<String>,
    max_answer: usize,
}

impl Transport {
    /// Prepares the connections; nothing is sent.
    ///
    /// # Errors
    /// [`NetError::Settings`] when the anchors, the client certificate or the proxy cannot be used.
    pub fn new(options: &TransportOptions) -> Result<Self, NetError> {
        let tls = tls_config(options)?;
        let builder = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .https_only(true)
                .http1_only()
                .redirect(redirect::Policy::none())
                .referer(false)
                .retry(retry::never())
                .timeout(options.timeout)
                .connect_timeout(options.connect_timeout)
                // Shorter than what servers keep: a request sent into a line being closed would be of unknown fate.
                .pool_idle_timeout(Duration::from_secs(10))
                .user_agent(concat!("eConnector/", env!("CARGO_PKG_VERSION")))
        };
        let unusable = |_| NetError::Settings("the HTTP client cannot be built".to_owned());
        let direct = builder().no_proxy().build().map_err(unusable)?;
        let client = match &options.proxy {
            None => builder().build().map_err(unusable)?,
            Some(ProxySettings::Direct) => direct.clone(),
            Some(ProxySettings::Through { url, credentials, bypass }) => {
                let mut proxy = Proxy::all(url.as_str()).map_err(|_| NetError::Settings("the proxy's address is not usable".to_owned()))?;
                if let Some((user, password)) = credentials {
                    proxy = proxy.basic_auth(user, password.reveal());
                }
                builder()
                    .proxy(proxy.no_proxy(NoProxy::from_string(bypass)))
                    .build()
                    .map_err(unusable)?
            }
        };
        Ok(Self {
            client,
            direct,
            proxy: options.proxy.as_ref().and_then(ProxySettings::address),
            max_answer: options.max_answer,
        })
    }

    /// Builds requests; [`Transport::send`] sends them.
    #[must_use]
    pub const fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Sends once and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// See [`NetError`]; [`NetError::certainly_not_sent`] tells whether sending again is harmless. An address without TLS is
    /// [`NetError::Settings`]: a login must never travel in clear.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, NetError> {
        let request = request
            .build()
            .map_err(|_| NetError::Settings("the service's address or the login cannot be used".to_owned()))?;
        let host = request.url().host_str().unwrap_or_default().to_owned();
        if request.url().scheme() != "https" {
            return Err(NetError::Settings(format!("{host}: the address does not begin with https://")));
        }
        let client = if is_loopback(&host) { &self.direct } else { &self.client };
        let failed = |error: reqwest::Error| {
            let error = NetError::from_reqwest(&error, &host, self.proxy.as_deref());
            // Whoever mends a proxy reads the log, not what its callers are answered.
            if matches!(error, NetError::Proxy { .. }) {
                tracing::warn!(%error, "not through the proxy");
            }
            error
        };

        let started = Instant::now();
        let mut response = client.execute(request).await.map_err(failed)?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        if response.content_length().is_some_and(|length| length > self.max_answer as u64) {
            return Err(NetError::TooLarge { host });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.max_answer {
                return Err(NetError::TooLarge { host });
            }
            body.extend_from_slice(&chunk);
        }
        let elapsed = started.elapsed();
        tracing::debug!(host, status, bytes = body.len(), elapsed_ms = elapsed.as_millis(), "answer");

        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        let date = date.and_then(|value| OffsetDateTime::parse(value, &Rfc2822).ok());
        Ok(Answer {
            status,
            headers,
            body,
            elapsed,
            date,
        })
    }
}

/// What came back. No `Debug`: bodies carry tokens and patients.
#[derive(Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// HTTP headers.
    pub headers: HeaderMap,
    /// The body, at most `max_answer` bytes.
    pub body: Vec<u8>,
    /// From before the connection until the last byte.
    pub elapsed: Duration,
    /// The server's clock (header `Date`), to notice when ours is wrong.
    pub date: Option<OffsetDateTime>,
}

fn tls_config(options: &TransportOptions) -> Result<ClientConfig, NetError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // Libraries that build their own TLS find the same provider; an error only says that it is there already.
    let _ = CryptoProvider::install_default((*provider).clone());

    let mut anchors = Vec::new();
    for bundle in &options.anchors_pem {
        let read = read_anchors(bundle, None).map_err(|error| NetError::Settings(error.to_string()))?;
        anchors.extend(read.into_iter().map(CertificateDer::from));
    }
    let verifier: Arc<dyn ServerCertVerifier> = if options.only_these_anchors {
        let mut roots = RootCertStore::empty();
        for anchor in anchors {
            roots
                .add(anchor)
                .map_err(|_| NetError::Settings("a trust anchor cannot be read".to_owned()))?;
        }
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|_| NetError::Settings("there is no trust anchor".to_owned()))?
    } else {
        let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(anchors, provider.clone())
            .map_err(|_| NetError::Settings("the computer's trust store cannot be used".to_owned()))?;
        Arc::new(verifier)
    };

    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| NetError::Settings(error.to_string()))?
        // "dangerous" for rustls is any verifier that is handed in; both of these verify chain, dates and name.
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &options.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = identity
                .certificates_der()
                .iter()
                .map(|der| CertificateDer::from(der.clone()))
                .collect();
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.private_key_pkcs8().to_vec()));
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|_| NetError::Settings("the client certificate cannot be used".to_owned()))?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
