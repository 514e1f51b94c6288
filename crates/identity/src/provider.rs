//! AeS as an OpenID provider: discovery, its keys, and the requests to its endpoints.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use econnector_base::{AuthorityWords, Clock, Secret};
use econnector_net::Transport;
use futures::future::BoxFuture;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
    CoreGrantType, CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKey, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreSubjectIdentifierType, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalProviderMetadata, AsyncHttpClient, AuthorizationCode, ClaimsVerificationError, Client,
    ClientId, DiscoveryError, EmptyAdditionalClaims, EndpointMaybeSet, EndpointNotSet, EndpointSet, ExtraTokenFields, HttpRequest,
    HttpResponse, IdTokenFields, IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeVerifier, ProviderMetadata, RedirectUrl, RefreshToken,
    RequestTokenError, SignatureVerificationError, StandardErrorResponse, StandardTokenResponse, TokenResponse as _,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use url::Url;
use zeroize::Zeroizing;

use crate::claims::{Claims, LEEWAY, Rules};
use crate::error::IdentityError;
use crate::exchange::ExchangeClient;
use crate::jwt::{self, Unverified};

/// How AeS answers, and what its clock says.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// From before the connection to the last byte of the discovery document.
    pub latency: Duration,
    /// AeS' clock minus ours, to the second; positive when ours is slow. `None` when AeS does not say the time.
    pub clock_skew: Option<time::Duration>,
}

/// Asks AeS over the program's own transport; remembers how far our clocks are apart.
pub(crate) struct Line {
    transport: Transport,
    clock: Arc<dyn Clock>,
    /// Seconds AeS is ahead of us, as of its last answer.
    skew: AtomicI64,
}

impl Line {
    pub(crate) fn new(transport: Transport, clock: Arc<dyn Clock>) -> Self {
        Self {
            transport,
            clock,
            skew: AtomicI64::new(0),
        }
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// Our time, or AeS' where that is ahead: by it no token is taken for fresher than AeS takes it.
    pub(crate) fn now_at_aes(&self) -> OffsetDateTime {
        self.now() + time::Duration::seconds(self.skew.load(Ordering::Relaxed).max(0))
    }

    /// When the clocks are so far apart that tokens cannot be judged.
    fn clock_wrong(&self) -> Option<IdentityError> {
        let skew = self.skew.load(Ordering::Relaxed);
        (skew.unsigned_abs() > LEEWAY.whole_seconds().unsigned_abs()).then_some(IdentityError::ClockWrong(skew))
    }

    pub(crate) async fn probe(&self, issuer: &Url) -> Result<Probe, IdentityError> {
        let address = format!("{}/.well-known/openid-configuration", issuer.as_str().trim_end_matches('/'));
        let answer = self.transport.send(self.transport.client().get(address)).await?;
        if answer.status >= 500 || answer.status == 429 {
            return Err(IdentityError::AesFailed { status: answer.status });
        }
        let document = serde_json::from_slice::<Named>(&answer.body);
        if answer.status != 200 || !document.is_ok_and(|document| document.issuer == issuer.as_str()) {
            return Err(IdentityError::AesGarbage("no discovery document"));
        }
        let clock_skew = answer.date.map(|date| self.note(date));
        Ok(Probe {
            latency: answer.elapsed,
            clock_skew,
        })
    }

    fn note(&self, theirs: OffsetDateTime) -> time::Duration {
        // `Date` has no fraction.
        let skew = time::Duration::seconds(theirs.unix_timestamp() - self.now().unix_timestamp());
        self.skew.store(skew.whole_seconds(), Ordering::Relaxed);
        skew
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, IdentityError> {
        let unusable = || IdentityError::AesGarbage("an address that cannot be used");
        let request = reqwest::Request::try_from(request).map_err(|_| unusable())?;
        if request.url().scheme() != "https" {
            return Err(IdentityError::AesGarbage("an endpoint without TLS"));
        }
        let builder = reqwest::RequestBuilder::from_parts(self.transport.client().clone(), request);
        let answer = self.transport.send(builder).await?;
        if let Some(date) = answer.date {
            self.note(date);
        }
        if answer.status >= 500 || answer.status == 429 {
            return Err(IdentityError::AesFailed { status: answer.status });
        }
        if answer.body.len() > LARGEST {
            return Err(IdentityError::AesGarbage("more than 1 MiB"));
        }
        let mut response = http::Response::new(answer.body);
        *response.status_mut() = http::StatusCode::from_u16(answer.status).map_err(|_| unusable())?;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Line {
    type Error = IdentityError;
    type Future = BoxFuture<'c, Result<HttpResponse, IdentityError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

/// AeS, discovered.
pub(crate) struct Provider {
    line: Arc<Line>,
    metadata: Metadata,
    client_id: ClientId,
    keys: Mutex<Keys>,
    fetching: tokio::sync::Mutex<()>,
}

struct Keys {
    set: Arc<CoreJsonWebKeySet>,
    fetched: OffsetDateTime,
}

/// What is redeemed for tokens.
pub(crate) enum Proof {
    Code {
        client: Box<AesClient>,
        code: Secret,
        verifier: PkceCodeVerifier,
        nonce: Nonce,
    },
    Refresh(Arc<Secret>),
}

/// What AeS gave for a code or a refresh token.
pub(crate) struct Granted {
    pub(crate) claims: Claims,
    pub(crate) access: Secret,
    pub(crate) until: OffsetDateTime,
    pub(crate) refresh: Option<Secret>,
    /// When the refresh token dies, where AeS says so.
    pub(crate) refresh_until: Option<OffsetDateTime>,
    pub(crate) id_token: Option<Secret>,
}

impl Provider {
    /// Reads the discovery document and the keys.
    pub(crate) async fn discover(line: Arc<Line>, issuer: &Url, client_id: &str) -> Result<Self, IdentityError> {
        let issuer = IssuerUrl::from_url(issuer.clone());
        let metadata = Metadata::discover_async(issuer, &*line).await.map_err(discovery_failed)?;
        // Only the browser goes there: a training AeS, whose certificate no browser knows, may show its page on loopback.
        let shown = metadata.authorization_endpoint().url();
        if shown.scheme() != "https" && !matches!(shown.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")) {
            return Err(IdentityError::AesGarbage("a login page without TLS"));
        }
        let keys = Keys {
            set: Arc::new(metadata.jwks().clone()),
            fetched: line.now(),
        };
        Ok(Self {
            line,
            metadata,
            client_id: ClientId::new(client_id.to_owned()),
            keys: Mutex::new(keys),
            fetching: tokio::sync::Mutex::new(()),
        })
    }

    /// Whether the issuer always names itself in its answers (RFC 9207).
    pub(crate) fn names_itself(&self) -> bool {
        self.metadata.additional_metadata().authorization_response_iss_parameter_supported
    }

    pub(crate) fn issuer(&self) -> &str {
        self.metadata.issuer().as_str()
    }

    /// The client for one redirect address; `None` when nothing is redirected.
    pub(crate) fn client(&self, redirect: Option<&str>) -> Result<AesClient, IdentityError> {
        let client = AesClient::from_provider_metadata(self.metadata.clone(), self.client_id.clone(), None);
        Ok(match redirect {
            None => client,
            Some(redirect) => {
                client.set_redirect_uri(RedirectUrl::new(redirect.to_owned()).map_err(|_| IdentityError::Settings("the redirect address"))?)
            }
        })
    }

    /// Claims of an access token made by this issuer for `audience`, valid now; and until when.
    pub(crate) async fn check_access_token(&self, token: &str, audience: &str) -> Result<(Claims, OffsetDateTime), IdentityError> {
        let keys = self.keys().await;
        let claims = match jwt::verify(token, &keys) {
            Ok(claims) => claims,
            Err(Unverified::Bad(error)) => return Err(error),
            Err(Unverified::UnknownKey) => {
                let keys = self.newer_keys().await?;
                jwt::verify(token, &keys).map_err(|error| match error {
                    Unverified::Bad(error) => error,
                    Unverified::UnknownKey => IdentityError::TokenInvalid("signed by an unknown key"),
                })?
            }
        };
        let rules = Rules {
            issuer: self.issuer(),
            audience,
            now: self.line.now(),
        };
        let until = claims.check(&rules)?;
        Ok((claims, until))
    }

    /// Redeems a code or a refresh token and checks every token AeS gives for it.
    pub(crate) async fn redeem(&self, proof: Proof, audience: &str) -> Result<Granted, IdentityError> {
        let no_endpoint = |_| IdentityError::AesGarbage("no token endpoint");
        let (tokens, nonce) = match proof {
            Proof::Code {
                client,
                code,
                verifier,
                nonce,
            } => {
                let code = AuthorizationCode::new(code.reveal().to_owned());
                let request = client.exchange_code(code).map_err(no_endpoint)?.set_pkce_verifier(verifier);
                (request.request_async(&*self.line).await, Some(nonce))
            }
            Proof::Refresh(refresh) => {
                let client = self.client(None)?;
                let refresh = RefreshToken::new(refresh.reveal().to_owned());
                let request = client.exchange_refresh_token(&refresh).map_err(no_endpoint)?;
                (request.request_async(&*self.line).await, None)
            }
        };
        let tokens = tokens.map_err(token_failed)?;
        let access = tokens.access_token();
        let checked = self.check_access_token(access.secret(), audience).await;
        let (claims, until) = checked.map_err(|error| self.issued_unusable(&error))?;
        if let Some(id_token) = tokens.id_token() {
            let subject = self.check_id_token(id_token, nonce.as_ref(), access).await?;
            if subject != claims.sub {
                let why = "access token and ID token name different people";
                return Err(IdentityError::AesToken(why.to_owned()));
            }
        } else if nonce.is_some() {
            return Err(IdentityError::AesToken("no ID token".to_owned()));
        }
        let refresh_life = tokens
            .extra_fields()
            .extra_fields()
            .refresh_expires_in
            .filter(|seconds| *seconds > 0);
        Ok(Granted {
            until,
            access: Secret::new(access.secret().as_str()),
            refresh: tokens.refresh_token().map(|token| Secret::new(token.secret().as_str())),
            refresh_until: refresh_life.and_then(|seconds| self.line.now().checked_add(time::Duration::seconds(seconds))),
            id_token: tokens.id_token().map(|token| Secret::new(token.to_string())),
            claims,
        })
    }

    /// Exchanges a client's credentials for an access token in a physician's name (RFC 8693, as AeS' Keycloak takes it), and checks it.
    pub(crate) async fn exchange(
        &self,
        client: &ExchangeClient,
        ehealth_id: &str,
        audience: &str,
    ) -> Result<(Claims, Secret, OffsetDateTime), IdentityError> {
        let endpoint = self
            .metadata
            .token_endpoint()
            .ok_or(IdentityError::AesGarbage("no token endpoint"))?;
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("client_id", &client.client_id),
            ("client_secret", client.secret.reveal()),
            ("requested_subject", ehealth_id),
            ("audience", audience),
            // Without a refresh token nothing is left at AeS that somebody would have to end.
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ];
        let answer = self.post(endpoint.url(), &form).await?;
        let (status, body) = (answer.status().as_u16(), Zeroizing::new(answer.into_body()));
        if status != 200 {
            return Err(exchange_refused(status, &body));
        }
        let Exchanged { access_token } =
            serde_json::from_slice(&body).map_err(|_| IdentityError::AesGarbage("an answer to the token exchange that is none"))?;
        let checked = self.check_access_token(access_token.reveal(), audience).await;
        let (claims, until) = checked.map_err(|error| self.issued_unusable(&error))?;
        Ok((claims, access_token, until))
    }

    /// Ends the session at AeS: Keycloak's own logout with the refresh token, and where that is not the issuer's way (any answer
    /// other than 204), revocation (RFC 7009) as well.
    pub(crate) async fn end_session(&self, refresh: &Secret, id_token: Option<&str>) -> Result<(), IdentityError> {
        let endpoints = self.metadata.additional_metadata();
        let mut ended = false;
        if let Some(url) = &endpoints.end_session_endpoint {
            let mut form = vec![("client_id", self.client_id.as_str()), ("refresh_token", refresh.reveal())];
            form.extend(id_token.map(|id_token| ("id_token_hint", id_token)));
            let status = self.post(url, &form).await?.status().as_u16();
            if status == 204 {
                return Ok(());
            }
            ended = (200..400).contains(&status);
        }
        if let Some(url) = &endpoints.revocation_endpoint {
            let form = [
                ("client_id", self.client_id.as_str()),
                ("token", refresh.reveal()),
                ("token_type_hint", "refresh_token"),
            ];
            ended = self.post(url, &form).await?.status() == http::StatusCode::OK;
        }
        if ended {
            Ok(())
        } else {
            Err(IdentityError::AesGarbage("an answer to the logout that is none"))
        }
    }

    async fn post(&self, url: &Url, form: &[(&str, &str)]) -> Result<HttpResponse, IdentityError> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = http::Request::post(url.as_str())
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.into_bytes())
            .map_err(|_| IdentityError::AesGarbage("an address that cannot be used"))?;
        self.line.ask(request).await
    }

    /// Signature, issuer, audience, times, nonce, `azp` and `at_hash` (OpenID Connect Core, 3.1.3.7 and 3.1.3.8); returns the subject.
    async fn check_id_token(&self, id_token: &CoreIdToken, nonce: Option<&Nonce>, access: &AccessToken) -> Result<String, IdentityError> {
        let mut keys = self.keys().await;
        if let Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) =
            id_token.claims(&self.id_token_verifier(&keys), |_: Option<&Nonce>| Ok(()))
        {
            keys = self.newer_keys().await?;
        }
        let verifier = self.id_token_verifier(&keys);
        let refused = |why: String| self.line.clock_wrong().unwrap_or(IdentityError::AesToken(why));
        let claims = match nonce {
            Some(nonce) => id_token.claims(&verifier, nonce),
            // OpenID Connect Core, 12.2: the ID token of a renewal need not repeat the nonce.
            None => id_token.claims(&verifier, |_: Option<&Nonce>| Ok(())),
        }
        .map_err(|error| refused(format!("ID token: {}", id_token_words(&error))))?;
        if claims.authorized_party().is_some_and(|party| *party != self.client_id) {
            return Err(IdentityError::AesToken("ID token: issued to another client".to_owned()));
        }
        if let Some(expected) = claims.access_token_hash() {
            let hash = id_token
                .signing_alg()
                .ok()
                .zip(id_token.signing_key(&verifier).ok())
                .and_then(|(algorithm, key)| AccessTokenHash::from_token(access, algorithm, key).ok());
            if hash.as_ref() != Some(expected) {
                return Err(IdentityError::AesToken("ID token: belongs to another access token".to_owned()));
            }
        }
        Ok(claims.subject().as_str().to_owned())
    }

    fn id_token_verifier(&self, keys: &CoreJsonWebKeySet) -> CoreIdTokenVerifier<'_> {
        CoreIdTokenVerifier::new_public_client(self.client_id.clone(), self.metadata.issuer().clone(), keys.clone())
            .set_allowed_algs([
                CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
                CoreJwsSigningAlgorithm::RsaSsaPssSha256,
                CoreJwsSigningAlgorithm::EcdsaP256Sha256,
            ])
            // The crate grants no leeway on `exp`; moving its clock back does.
            .set_time_fn(move || SystemTime::from(self.line.now() - LEEWAY).into())
            .set_issue_time_verifier_fn(move |issued| {
                let fresh = match SystemTime::from(self.line.now()).duration_since(SystemTime::from(issued)) {
                    Ok(age) => age <= OLDEST_ID_TOKEN,
                    Err(ahead) => ahead.duration() <= LEEWAY.unsigned_abs(),
                };
                if fresh { Ok(()) } else { Err("issued at another time".to_owned()) }
            })
    }

    /// The same failing that is the caller's when she brings a token is the authority's when it has just issued it.
    fn issued_unusable(&self, error: &IdentityError) -> IdentityError {
        let unusable = || IdentityError::AesToken(error.to_string());
        match error {
            IdentityError::TokenExpired | IdentityError::TokenNotYetValid => self.line.clock_wrong().unwrap_or_else(unusable),
            IdentityError::TokenInvalid(_) | IdentityError::TokenWrongAudience | IdentityError::TokenOtherIssuer => unusable(),
            other => other.clone(),
        }
    }

    /// The keys, read again when they are older than [`KEYS_LIFE`]; the old ones serve while AeS does not answer.
    async fn keys(&self) -> Arc<CoreJsonWebKeySet> {
        let (set, fetched) = self.held_keys();
        if self.line.now() - fetched < KEYS_LIFE {
            return set;
        }
        self.newer_keys().await.unwrap_or(set)
    }

    /// Asks AeS for its keys, at most once in [`KEYS_PAUSE`]: an invented `kid` must not become a load on AeS.
    async fn newer_keys(&self) -> Result<Arc<CoreJsonWebKeySet>, IdentityError> {
        let _one_at_a_time = self.fetching.lock().await;
        let (set, fetched) = self.held_keys();
        let age = self.line.now() - fetched;
        if age < KEYS_PAUSE && age >= time::Duration::ZERO {
            return Ok(set);
        }
        let fetched = CoreJsonWebKeySet::fetch_async(self.metadata.jwks_uri(), &*self.line).await;
        let keys = match &fetched {
            Ok(set) => Keys {
                set: Arc::new(set.clone()),
                fetched: self.line.now(),
            },
            Err(_) => Keys {
                set,
                fetched: self.line.now() - KEYS_LIFE + KEYS_PAUSE,
            },
        };
        let held = keys.set.clone();
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = keys;
        fetched.map(|_| held).map_err(discovery_failed)
    }

    fn held_keys(&self) -> (Arc<CoreJsonWebKeySet>, OffsetDateTime) {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        (keys.set.clone(), keys.fetched)
    }
}

/// The endpoints beyond those `openidconnect` knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Endpoints {
    end_session_endpoint: Option<Url>,
    revocation_endpoint: Option<Url>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Endpoints {}

/// Keycloak's addition to RFC 6749, 5.1.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RefreshLife {
    /// Seconds; 0 means that the token does not expire.
    refresh_expires_in: Option<i64>,
}

impl ExtraTokenFields for RefreshLife {}

type Metadata = ProviderMetadata<
    Endpoints,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

pub(crate) type AesTokens = StandardTokenResponse<
    IdTokenFields<EmptyAdditionalClaims, RefreshLife, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>,
    CoreTokenType,
>;

pub(crate) type OAuthError = StandardErrorResponse<CoreErrorResponseType>;

type TokenFailure = RequestTokenError<IdentityError, OAuthError>;

pub(crate) type AesClient = Client<
    EmptyAdditionalClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    OAuthError,
    AesTokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The answer to a token exchange (RFC 8693, 2.2.1), as far as it is used.
#[derive(Deserialize)]
struct Exchanged {
    access_token: Secret,
}

/// An OAuth error (RFC 6749, 5.2).
#[derive(Deserialize)]
struct Refused {
    error: String,
    #[serde(default)]
    error_description: String,
}

#[derive(Deserialize)]
struct Named {
    issuer: String,
}

/// The largest answer an OpenID provider has a reason to give, in bytes.
const LARGEST: usize = 1024 * 1024;
/// An ID token is checked the moment it is issued.
const OLDEST_ID_TOKEN: Duration = Duration::from_secs(5 * 60);
const KEYS_LIFE: time::Duration = time::Duration::minutes(15);
const KEYS_PAUSE: time::Duration = time::Duration::seconds(30);

/// Bodies that cannot be read are never quoted: they may hold tokens.
fn discovery_failed(error: DiscoveryError<IdentityError>) -> IdentityError {
    match error {
        DiscoveryError::Request(error) => error,
        DiscoveryError::Validation(_) => IdentityError::AesGarbage("a discovery document of another issuer"),
        _ => IdentityError::AesGarbage("no discovery document or keys"),
    }
}

fn token_failed(error: TokenFailure) -> IdentityError {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(response) => {
            let words = AuthorityWords::new(
                response.error().as_ref(),
                response.error_description().map(String::as_str).unwrap_or_default(),
            );
            match response.error() {
                CoreErrorResponseType::InvalidGrant => IdentityError::SessionEnded { words },
                _ => IdentityError::ClientRefused { words },
            }
        }
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            IdentityError::AesGarbage("an answer of the token endpoint that is none")
        }
    }
}

/// 401 says that id or secret are wrong, 403 `access_denied` that this client gets no token for this physician.
fn exchange_refused(status: u16, body: &[u8]) -> IdentityError {
    let refused = serde_json::from_slice::<Refused>(body).ok();
    let words = match &refused {
        Some(refused) => AuthorityWords::new(&refused.error, &refused.error_description),
        None => AuthorityWords::new("HTTP", status.to_string()),
    };
    match (status, words.code.as_str()) {
        (401, _) => IdentityError::ExchangeClientRefused { words },
        (403, _) | (_, "access_denied") => IdentityError::ExchangeDenied { words },
        (400..500, _) if refused.is_some() => IdentityError::ClientRefused { words },
        _ => IdentityError::AesGarbage("an answer to the token exchange that is none"),
    }
}

/// The kind of failing, without the values found in the token.
const fn id_token_words(error: &ClaimsVerificationError) -> &'static str {
    match error {
        ClaimsVerificationError::Expired(_) => "expired, or issued at an odd time",
        ClaimsVerificationError::InvalidAudience(_) => "for another client",
        ClaimsVerificationError::InvalidIssuer(_) => "from another issuer",
        ClaimsVerificationError::InvalidNonce(_) => "for another login",
        ClaimsVerificationError::SignatureVerification(_) => "its signature does not hold",
        _ => "not usable",
    }
}
