//! AeS as an OpenID provider: discovery, its keys, and the requests to its endpoints.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use econnector_base::{AuthorityWords, Clock, Secret};
use econnector_net::{Answer, Transport};
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

use crate::claims::{Claims, LEEWAY, People, Rules};
use crate::error::IdentityError;
use crate::exchange::ExchangeClient;
use crate::jwt::{self, Unverified};
use crate::keys::{self, Keys};
use crate::life::{Life, Moment};

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
    measured: Mutex<Option<Measured>>,
}

/// The two clocks, compared at AeS' last answer.
#[derive(Clone, Copy)]
struct Measured {
    /// AeS' clock minus ours, as far as can be told.
    skew: time::Duration,
    /// The same, at most: by it no token is taken for fresher than AeS takes it.
    most: time::Duration,
    /// AeS' time then.
    at_aes: OffsetDateTime,
    /// [`Clock::elapsed`] then.
    elapsed: Duration,
}

impl Measured {
    /// AeS' time: by our clock, put right; and its own then, with what went by since.
    fn times(&self, now: OffsetDateTime, elapsed: Duration) -> (OffsetDateTime, OffsetDateTime) {
        let gone_by = time::Duration::try_from(elapsed.saturating_sub(self.elapsed)).unwrap_or_default();
        (now.saturating_add(self.most), self.at_aes.saturating_add(gone_by))
    }
}

impl Line {
    pub(crate) fn new(transport: Transport, clock: Arc<dyn Clock>) -> Self {
        Self {
            transport,
            clock,
            measured: Mutex::new(None),
        }
    }

    /// By the computer's clock.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// AeS' time: ours put right, or its own at the last answer and what went by since. The later of the two: the first does not
    /// notice that our clock was set back, the second that the computer slept.
    pub(crate) fn moment(&self) -> Moment {
        let (now, elapsed) = (self.clock.now(), self.clock.elapsed());
        let at_aes = self.measured().map_or(now, |measured| {
            let (put_right, counted) = measured.times(now, elapsed);
            put_right.max(counted)
        });
        Moment { at_aes, elapsed }
    }

    /// Our clock is ahead of the time that went by: the computer slept, or its clock was put right. Then AeS' time is a guess.
    fn is_in_doubt(&self) -> bool {
        self.measured().is_some_and(|measured| {
            let (put_right, counted) = measured.times(self.clock.now(), self.clock.elapsed());
            put_right - counted > LEEWAY / 2_i32
        })
    }

    /// AeS' clock minus ours at its last answer, to the second; positive when ours is slow. `None` while AeS has not told its time.
    pub(crate) fn clock_skew(&self) -> Option<time::Duration> {
        self.measured().map(|measured| measured.skew)
    }

    fn measured(&self) -> Option<Measured> {
        *self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the clocks are so far apart that tokens cannot be judged.
    fn clock_wrong(&self) -> Option<IdentityError> {
        let skew = self.clock_skew()?;
        (skew.abs() > LEEWAY).then_some(IdentityError::ClockWrong(skew.whole_seconds()))
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
        Ok(Probe {
            latency: answer.elapsed,
            clock_skew: self.compare_clocks(&answer),
        })
    }

    fn compare_clocks(&self, answer: &Answer) -> Option<time::Duration> {
        let age = answer
            .headers
            .get(http::header::AGE)
            .and_then(|age| age.to_str().ok()?.parse().ok());
        // A cache on the way hands old dates on, and says how old (RFC 9111, 5.1).
        let theirs = answer.date?.saturating_add(time::Duration::seconds(age.unwrap_or_default()));
        let took = time::Duration::try_from(answer.elapsed).unwrap_or_default();
        let compared = compare(theirs, took, self.clock.now(), self.clock.elapsed());
        *self.measured.lock().unwrap_or_else(PoisonError::into_inner) = Some(compared);
        Some(compared.skew)
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, IdentityError> {
        let unusable = || IdentityError::AesGarbage("an address that cannot be used");
        let request = reqwest::Request::try_from(request).map_err(|_| unusable())?;
        if request.url().scheme() != "https" {
            return Err(IdentityError::AesGarbage("an endpoint without TLS"));
        }
        let builder = reqwest::RequestBuilder::from_parts(self.transport.client().clone(), request);
        let answer = self.transport.send(builder).await?;
        self.compare_clocks(&answer);
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

/// `Date` has no fraction, and was written at some moment between question and answer: clocks that can be the same are.
fn compare(theirs: OffsetDateTime, took: time::Duration, now: OffsetDateTime, elapsed: Duration) -> Measured {
    let least: time::Duration = theirs - now;
    let most = least + time::Duration::SECOND + took;
    let (skew, most) = if least <= time::Duration::ZERO && most >= time::Duration::ZERO {
        (time::Duration::ZERO, time::Duration::ZERO)
    } else {
        (time::Duration::seconds(((least + most) / 2_i32).whole_seconds()), most)
    };
    Measured {
        skew,
        most,
        at_aes: now.saturating_add(most),
        elapsed,
    }
}

/// AeS, discovered.
pub(crate) struct Provider {
    line: Arc<Line>,
    metadata: Metadata,
    client_id: ClientId,
    keys: Arc<Keys>,
}

/// What is redeemed for tokens.
pub(crate) enum Proof {
    Code {
        client: Box<AesClient>,
        code: Secret,
        verifier: PkceCodeVerifier,
        nonce: Nonce,
        /// AeS was told to ask for the password again, at this time by its clock.
        asked_again: Option<OffsetDateTime>,
    },
    Refresh(Arc<Secret>),
}

/// What AeS gave for a code or a refresh token.
pub(crate) struct Granted {
    pub(crate) people: People,
    pub(crate) access: Secret,
    pub(crate) life: Life,
    pub(crate) refresh: Option<Secret>,
    /// Of the refresh token, where AeS says so.
    pub(crate) refresh_life: Option<Life>,
    pub(crate) id_token: Option<Secret>,
}

/// Why nothing can be used.
pub(crate) struct NotGranted {
    pub(crate) error: IdentityError,
    /// Came with it all the same: the token that was redeemed is spent, and this one takes its place.
    pub(crate) refresh: Option<Secret>,
}

impl From<IdentityError> for NotGranted {
    fn from(error: IdentityError) -> Self {
        Self { error, refresh: None }
    }
}

/// How a token is judged.
#[derive(Clone, Copy)]
struct Measure {
    /// The time that counts.
    now: OffsetDateTime,
    /// Between two look-ups of keys on its account.
    pause: Duration,
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
        let keys = Keys::new(line.clone(), metadata.jwks_uri().clone(), metadata.jwks().clone());
        Ok(Self {
            line,
            metadata,
            client_id: ClientId::new(client_id.to_owned()),
            keys,
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

    /// Claims of an access token that a caller brings: made by this issuer for `audience`, valid now by AeS' clock; and until when.
    pub(crate) async fn check_access_token(&self, token: &str, audience: &str) -> Result<(Claims, OffsetDateTime), IdentityError> {
        if self.line.is_in_doubt() {
            // Any answer of AeS says the time. When none comes, what is known has to do.
            let _ = self.keys.newer(keys::PAUSE).await;
        }
        let measure = Measure {
            now: self.line.moment().at_aes,
            pause: keys::PAUSE,
        };
        self.check(token, audience, measure).await
    }

    async fn check(&self, token: &str, audience: &str, measure: Measure) -> Result<(Claims, OffsetDateTime), IdentityError> {
        let keys = self.keys.current().await;
        let claims = match jwt::verify(token, &keys) {
            Ok(claims) => claims,
            Err(Unverified::Bad(error)) => return Err(error),
            Err(Unverified::UnknownKey) => {
                let keys = self.keys.newer(measure.pause).await?;
                jwt::verify(token, &keys).map_err(|error| match error {
                    Unverified::Bad(error) => error,
                    Unverified::UnknownKey => IdentityError::TokenInvalid("signed by an unknown key"),
                })?
            }
        };
        let rules = Rules {
            issuer: self.issuer(),
            audience,
            now: measure.now,
        };
        let until = claims.check(&rules)?;
        Ok((claims, until))
    }

    /// Redeems a code or a refresh token and checks every token AeS gives for it.
    pub(crate) async fn redeem(&self, proof: Proof, audience: &str) -> Result<Granted, NotGranted> {
        let no_endpoint = |_| IdentityError::AesGarbage("no token endpoint");
        let asked = self.line.elapsed();
        let (tokens, login) = match proof {
            Proof::Code {
                client,
                code,
                verifier,
                nonce,
                asked_again,
            } => {
                let code = AuthorizationCode::new(code.reveal().to_owned());
                let request = client.exchange_code(code).map_err(no_endpoint)?.set_pkce_verifier(verifier);
                (request.request_async(&*self.line).await, Some((nonce, asked_again)))
            }
            Proof::Refresh(refresh) => {
                let client = self.client(None)?;
                let refresh = RefreshToken::new(refresh.reveal().to_owned());
                let request = client.exchange_refresh_token(&refresh).map_err(no_endpoint)?;
                (request.request_async(&*self.line).await, None)
            }
        };
        let tokens = tokens.map_err(token_failed)?;
        let refresh = tokens.refresh_token().map(|token| Secret::new(token.secret().as_str()));
        match self.examine(&tokens, login.as_ref(), audience, asked).await {
            Ok((people, life)) => Ok(Granted {
                people,
                life,
                access: Secret::new(tokens.access_token().secret().as_str()),
                refresh,
                refresh_life: self.refresh_life(&tokens, asked),
                id_token: tokens.id_token().map(|token| Secret::new(token.to_string())),
            }),
            Err(error) => Err(NotGranted { error, refresh }),
        }
    }

    /// Whose tokens these are, and how long the access token lives.
    async fn examine(
        &self,
        tokens: &AesTokens,
        login: Option<&(Nonce, Option<OffsetDateTime>)>,
        audience: &str,
        asked: Duration,
    ) -> Result<(People, Life), IdentityError> {
        // A wrong clock is named at the login. It must not cost anybody a session that stands: AeS has just spent its refresh token.
        let now = if login.is_some() {
            self.line.now()
        } else {
            self.line.moment().at_aes
        };
        let measure = Measure {
            now,
            pause: keys::SHORT_PAUSE,
        };
        let access = tokens.access_token();
        let checked = self.check(access.secret(), audience, measure).await;
        let (claims, until) = checked.map_err(|error| self.issued_unusable(&error))?;
        if let Some(id_token) = tokens.id_token() {
            let subject = self.check_id_token(id_token, login, access, measure).await?;
            if subject != claims.sub {
                let why = "access token and ID token name different people";
                return Err(IdentityError::AesToken(why.to_owned()));
            }
        } else if login.is_some() {
            return Err(IdentityError::AesToken("no ID token".to_owned()));
        }
        let people = claims.people().map_err(|error| IdentityError::AesToken(error.to_string()))?;
        Ok((people, self.life(&claims, tokens.expires_in(), until, asked)))
    }

    /// The shorter of what AeS says beside the token and in it.
    fn life(&self, claims: &Claims, expires_in: Option<Duration>, until: OffsetDateTime, asked: Duration) -> Life {
        let whole = [expires_in, claims.life()].into_iter().flatten().min();
        let left = || Duration::try_from(until - self.line.moment().at_aes).unwrap_or_default();
        Life::new(asked, whole.unwrap_or_else(left), until)
    }

    fn refresh_life(&self, tokens: &AesTokens, asked: Duration) -> Option<Life> {
        let seconds = tokens.extra_fields().extra_fields().refresh_expires_in?;
        let whole = Duration::from_secs(u64::try_from(seconds).ok().filter(|seconds| *seconds > 0)?);
        let until = self.line.moment().at_aes.checked_add(whole.try_into().ok()?)?;
        Some(Life::new(asked, whole, until))
    }

    /// Exchanges a client's credentials for an access token in a physician's name (RFC 8693, as AeS' Keycloak takes it), and checks it.
    pub(crate) async fn exchange(
        &self,
        client: &ExchangeClient,
        ehealth_id: &str,
        audience: &str,
    ) -> Result<(Claims, Secret, Life), IdentityError> {
        let asked = self.line.elapsed();
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
        let Exchanged { access_token, expires_in } =
            serde_json::from_slice(&body).map_err(|_| IdentityError::AesGarbage("an answer to the token exchange that is none"))?;
        let measure = Measure {
            now: self.line.now(),
            pause: keys::SHORT_PAUSE,
        };
        let checked = self.check(access_token.reveal(), audience, measure).await;
        let (claims, until) = checked.map_err(|error| self.issued_unusable(&error))?;
        let life = self.life(&claims, expires_in.map(Duration::from_secs), until, asked);
        Ok((claims, access_token, life))
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
    async fn check_id_token(
        &self,
        id_token: &CoreIdToken,
        login: Option<&(Nonce, Option<OffsetDateTime>)>,
        access: &AccessToken,
        measure: Measure,
    ) -> Result<String, IdentityError> {
        let mut keys = self.keys.current().await;
        if let Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) =
            id_token.claims(&self.id_token_verifier(&keys, measure.now), |_: Option<&Nonce>| Ok(()))
        {
            keys = self.keys.newer(measure.pause).await?;
        }
        let verifier = self.id_token_verifier(&keys, measure.now);
        let refused = |why: String| self.line.clock_wrong().unwrap_or(IdentityError::AesToken(why));
        let claims = match login {
            Some((nonce, _)) => id_token.claims(&verifier, nonce),
            // OpenID Connect Core, 12.2: the ID token of a renewal need not repeat the nonce.
            None => id_token.claims(&verifier, |_: Option<&Nonce>| Ok(())),
        }
        .map_err(|error| refused(format!("ID token: {}", id_token_words(&error))))?;
        if let Some((_, Some(asked_again))) = login {
            let typed = claims.auth_time().map(|at| at.timestamp().saturating_add(LEEWAY.whole_seconds()));
            if typed.is_none_or(|typed| typed < asked_again.unix_timestamp()) {
                return Err(IdentityError::AesToken("ID token: nobody was asked to log in again".to_owned()));
            }
        }
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

    fn id_token_verifier(&self, keys: &CoreJsonWebKeySet, now: OffsetDateTime) -> CoreIdTokenVerifier<'_> {
        CoreIdTokenVerifier::new_public_client(self.client_id.clone(), self.metadata.issuer().clone(), keys.clone())
            .set_allowed_algs([
                CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
                CoreJwsSigningAlgorithm::RsaSsaPssSha256,
                CoreJwsSigningAlgorithm::EcdsaP256Sha256,
            ])
            // The crate grants no leeway on `exp`; moving its clock back does.
            .set_time_fn(move || SystemTime::from(now - LEEWAY).into())
            .set_issue_time_verifier_fn(move |issued| {
                let fresh = match SystemTime::from(now).duration_since(SystemTime::from(issued)) {
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
    /// Seconds.
    expires_in: Option<u64>,
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

/// Bodies that cannot be read are never quoted: they may hold tokens.
pub(crate) fn discovery_failed(error: DiscoveryError<IdentityError>) -> IdentityError {
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

#[cfg(test)]
mod tests {
    use econnector_base::FixedClock;
    use econnector_net::TransportOptions;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-03-02 10:00:00.4 UTC);

    fn skew(theirs: OffsetDateTime, took: time::Duration) -> (i64, time::Duration) {
        let measured = compare(theirs, took, NOW, Duration::ZERO);
        (measured.skew.whole_seconds(), measured.most)
    }

    #[test]
    fn aes_time_goes_on_whether_our_clock_is_set_or_the_computer_sleeps() {
        let clock = Arc::new(FixedClock::new(NOW));
        let line = Line::new(Transport::new(&TransportOptions::default()).unwrap(), clock.clone());
        assert_eq!(line.moment().at_aes, NOW, "nothing better is known");
        assert_eq!(line.clock_skew(), None);
        // Our clock is an hour slow.
        let measured = compare(datetime!(2026-03-02 11:00 UTC), time::Duration::ZERO, NOW, clock.elapsed());
        *line.measured.lock().unwrap() = Some(measured);
        let start = line.moment().at_aes;
        assert_eq!(start, datetime!(2026-03-02 11:00:01 UTC));
        clock.advance(Duration::from_secs(60));
        assert_eq!(line.moment().at_aes, start + time::Duration::minutes(1));
        clock.jump(time::Duration::hours(-5));
        assert_eq!(line.moment().at_aes, start + time::Duration::minutes(1), "set back");
        clock.advance(Duration::from_secs(60));
        assert_eq!(line.moment().at_aes, start + time::Duration::minutes(2));
        clock.jump(time::Duration::hours(5));
        clock.jump(time::Duration::hours(8));
        assert_eq!(line.moment().at_aes, start + time::Duration::minutes(8 * 60 + 2), "slept");
    }

    #[test]
    fn clocks_that_can_be_the_same_are() {
        let quick = time::Duration::milliseconds(50);
        assert_eq!(skew(datetime!(2026-03-02 10:00:00 UTC), quick), (0, time::Duration::ZERO));
        assert_eq!(
            skew(datetime!(2026-03-02 09:59:59 UTC), time::Duration::milliseconds(500)),
            (0, time::Duration::ZERO)
        );
        assert_eq!(
            skew(datetime!(2026-03-02 09:59:30 UTC), time::Duration::seconds(30)),
            (0, time::Duration::ZERO)
        );
    }

    #[test]
    fn a_skew_is_shown_to_the_second_and_tokens_are_judged_by_the_most_it_can_be() {
        let quick = time::Duration::milliseconds(100);
        assert_eq!(
            skew(datetime!(2026-03-02 11:00:00 UTC), quick),
            (3600, time::Duration::milliseconds(3_600_700))
        );
        assert_eq!(
            skew(datetime!(2026-03-02 09:00:00 UTC), quick),
            (-3599, time::Duration::milliseconds(-3_599_300))
        );
        assert_eq!(
            skew(datetime!(2026-03-02 09:59:58 UTC), quick).1,
            time::Duration::milliseconds(-1_300)
        );
    }
}
