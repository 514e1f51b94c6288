use std::collections::BTreeSet;
use std::convert::Infallible;
use std::error::Error as StdError;
use std::sync::Arc;

use axum::RequestExt as _;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use econnector_answers::language;
use econnector_base::Secret;
use econnector_connector::{Caller, Error, RequestError};
use econnector_forms::Lang;
use econnector_identity::SessionState;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use uuid::{Uuid, Variant, Version};

use crate::fail::Fail;
use crate::{Door, Refusal, Shared};

/// A form with its values is a few kilobytes; this is generous and still no memory hole.
pub(crate) const FORM_LIMIT: usize = 2 * 1024 * 1024;
/// A body that carries a PDF.
pub(crate) const PDF_LIMIT: usize = econnector_answers::LARGEST_BODY;

/// A caller whom the hospital's door knows by API key or client certificate, as an extension of the request. It says with each request
/// in whose name it calls.
#[derive(Clone, Debug)]
pub struct TrustedClient {
    /// Its name in the clients file.
    pub name: String,
    /// The eHealthIDs in whose name it may call; all when absent.
    pub physicians: Option<Arc<BTreeSet<String>>>,
}

const PHYSICIAN: &str = "x-econnector-physician";

/// The caller's language.
pub(crate) struct Language(pub(crate) Lang);

impl<S: Send + Sync> FromRequestParts<S> for Language {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(language(&parts.headers)))
    }
}

/// Who calls: a token when there is one, else a client that the hospital's door knows with the physician it names, else the desktop's
/// session where the door has one.
pub(crate) struct Who(pub(crate) Caller);

impl FromRequestParts<Shared> for Who {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Fail> {
        let refuse = || Fail::new(RequestError::TokenMissing, language(&parts.headers));
        match parts.headers.get(header::AUTHORIZATION) {
            Some(value) => {
                let value = value.to_str().map_err(|_| refuse())?;
                let (scheme, token) = value.split_once(' ').ok_or_else(refuse)?;
                if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
                    return Err(refuse());
                }
                let token = Arc::new(Secret::new(token.trim()));
                let physician = physician(&parts.headers)?;
                Ok(Self(Caller::Bearer { token, physician }))
            }
            None => match (&shared.door, parts.extensions.get::<TrustedClient>()) {
                (Door::Hospital, Some(client)) => delegate(client, &parts.headers).map(Self),
                (Door::Hospital, None) => Err(refuse()),
                (Door::Desktop(_) | Door::Loopback(_), _) => in_session(shared, &parts.headers).await.map(Self),
            },
        }
    }
}

/// The eHealthID of the physician in whose name a caller says that it calls.
fn physician(headers: &HeaderMap) -> Result<Option<String>, Fail> {
    let mut named = headers.get_all(PHYSICIAN).iter();
    match (named.next().map(|value| value.to_str()), named.next()) {
        (None, _) => Ok(None),
        (Some(Ok(id)), None) if is_ehealth_id(id) => Ok(Some(id.to_owned())),
        _ => Err(Fail::explained(&Refusal::PhysicianHeader, language(headers))),
    }
}

/// Whether a text has the form of an eHealthID.
pub(crate) fn is_ehealth_id(text: &str) -> bool {
    text.len() == 10 && text.bytes().all(|digit| digit.is_ascii_digit())
}

/// A caller in the desktop's session. For whom it works it need not say; when it does, the session must work for the same.
async fn in_session(shared: &Shared, headers: &HeaderMap) -> Result<Caller, Fail> {
    let Some(named) = physician(headers)? else {
        return Ok(Caller::OwnSession);
    };
    match shared.connector.session().await.standing {
        SessionState::LoggedIn {
            physician: Some(physician),
            ..
        } if physician.ehealth_id != named => Err(Fail::new(Error::SessionChanged, language(headers))),
        // Where there is nobody yet, what is asked for says so.
        _ => Ok(Caller::OwnSession),
    }
}

/// The caller in the name of the physician that it says.
fn delegate(client: &TrustedClient, headers: &HeaderMap) -> Result<Caller, Fail> {
    let refuse = |refusal| Fail::explained(&refusal, language(headers));
    let ehealth_id = physician(headers)?.ok_or_else(|| refuse(Refusal::PhysicianHeader))?;
    if client.physicians.as_ref().is_some_and(|allowed| !allowed.contains(&ehealth_id)) {
        return Err(refuse(Refusal::PhysicianNotAllowed));
    }
    Ok(Caller::Delegate {
        client: client.name.clone(),
        ehealth_id,
    })
}

/// Who calls, where the door has a desk: profile and printers are those of one machine.
pub(crate) struct AtDesk(pub(crate) Caller);

impl FromRequestParts<Shared> for AtDesk {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Fail> {
        if matches!(shared.door, Door::Hospital) {
            return Err(Fail::new(RequestError::NoSessionHere, language(&parts.headers)));
        }
        let Who(caller) = Who::from_request_parts(parts, shared).await?;
        Ok(Self(caller))
    }
}

/// Who calls, for what practice software may not decide in the desktop's session. With a token of its own it acts in no session.
pub(crate) struct ByPerson(pub(crate) Caller);

impl FromRequestParts<Shared> for ByPerson {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Fail> {
        let AtDesk(caller) = AtDesk::from_request_parts(parts, shared).await?;
        match (&shared.door, &caller) {
            (Door::Loopback(_), Caller::OwnSession) => Err(Fail::new(RequestError::WindowOnly, language(&parts.headers))),
            _ => Ok(Self(caller)),
        }
    }
}

/// A JSON body. What is wrong with it is never echoed: parser messages quote values, and values describe patients.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Fail;

    async fn from_request(request: Request, _: &S) -> Result<Self, Fail> {
        Self::of(request, FORM_LIMIT).await
    }
}

impl<T: DeserializeOwned> Json<T> {
    /// Reads a body of at most so many bytes, and of no more than its route takes.
    pub(crate) async fn of(request: Request, limit: usize) -> Result<Self, Fail> {
        let lang = language(request.headers());
        if !is_media(request.headers(), "application/json") {
            return Err(Fail::new(RequestError::MediaType, lang));
        }
        Self::read(&whole_body(request, limit, lang).await?, lang)
    }

    fn read(body: &[u8], lang: Lang) -> Result<Self, Fail> {
        serde_json::from_slice(body)
            .map(Self)
            .map_err(|error| Fail::new(RequestError::Json(complaint(&error)), lang))
    }
}

/// Where and what, in words of our own: those of the parser quote what it found.
fn complaint(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let missing = said.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
    let what = match (missing, error.classify()) {
        // The parser names a field of ours.
        (Some((field, _)), _) => format!("the field {field} is missing"),
        (None, Category::Data) if said.starts_with("unknown field ") => "a field that this route does not know".to_owned(),
        (None, Category::Data) if said.starts_with(NO_UUID) => "an id that is no UUID".to_owned(),
        (None, Category::Data) => "a value of another type or form".to_owned(),
        (None, _) => "no JSON in UTF-8".to_owned(),
    };
    format!("line {}, column {}: {what}", error.line(), error.column())
}

/// A JSON body that may be left out.
pub(crate) struct JsonOrNothing<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for JsonOrNothing<T> {
    type Rejection = Fail;

    async fn from_request(request: Request, _: &S) -> Result<Self, Fail> {
        let lang = language(request.headers());
        let is_json = is_media(request.headers(), "application/json");
        let body = whole_body(request, FORM_LIMIT, lang).await?;
        match (body.is_empty(), is_json) {
            (true, _) => Ok(Self(T::default())),
            (false, true) => Json::read(&body, lang).map(|Json(body)| Self(body)),
            (false, false) => Err(Fail::new(RequestError::MediaType, lang)),
        }
    }
}

/// The body of a request.
pub(crate) async fn whole_body(request: Request, limit: usize, lang: Lang) -> Result<axum::body::Bytes, Fail> {
    let body = request.with_limited_body().into_body();
    axum::body::to_bytes(body, limit).await.map_err(|error| {
        let too_large = is_too_large(&error);
        Fail::new(if too_large { RequestError::TooLarge } else { RequestError::Body }, lang)
    })
}

/// Whether reading stopped because there was more than allowed.
pub(crate) fn is_too_large(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether the body says that it is of this media type.
pub(crate) fn is_media(headers: &HeaderMap, media: &str) -> bool {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    said.and_then(|value| value.split(';').next())
        .is_some_and(|said| said.trim().eq_ignore_ascii_case(media))
}

/// Path parameters, refused with a problem.
pub(crate) struct InPath<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fail> {
        let lang = language(&parts.headers);
        Path::from_request_parts(parts, state)
            .await
            .map(|Path(value)| Self(value))
            .map_err(|_| Fail::new(RequestError::Parameter, lang))
    }
}

/// Query parameters, refused with a problem.
pub(crate) struct InQuery<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InQuery<T> {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fail> {
        let lang = language(&parts.headers);
        Query::from_request_parts(parts, state)
            .await
            .map(|Query(value)| Self(value))
            .map_err(|_| Fail::new(RequestError::Parameter, lang))
    }
}

/// A UUID as RFC 9562 writes it, with hyphens: the description promises no other spelling.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) Uuid);

impl Id {
    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.len() == 36 {
            Uuid::try_parse(text).ok().map(Self)
        } else {
            None
        }
    }
}

const NO_UUID: &str = "no UUID";

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        Self::read(&text).ok_or_else(|| D::Error::custom(NO_UUID))
    }
}

/// The number of a page, from a path or query.
#[derive(Clone, Copy)]
pub(crate) struct PageNumber(pub(crate) u32);

impl<'de> Deserialize<'de> for PageNumber {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let number = whole(source)?.and_then(|number| u32::try_from(number).ok());
        number.map(Self).ok_or_else(|| D::Error::custom("no page"))
    }
}

/// A whole number of a path or query, also as JSON Schema counts it: `2.0` is one.
pub(crate) fn whole<'de, D: Deserializer<'de>>(source: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(source)?;
    let (digits, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    let number = digits
        .parse()
        .ok()
        .filter(|_| !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0'));
    number.map(Some).ok_or_else(|| D::Error::custom("no whole number"))
}

/// The id of a new document. Made at random it says nothing and meets no other; whatever else it was made of might say something of a
/// patient, and it goes into journals and to the authority.
pub(crate) fn new_id(Id(id): Id) -> Result<Uuid, RequestError> {
    if id.get_version() == Some(Version::Random) && id.get_variant() == Variant::RFC4122 {
        Ok(id)
    } else {
        Err(RequestError::Id)
    }
}

/// What form of a page the caller takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageFormat {
    Pdf,
    Svg,
}

impl<S: Send + Sync> FromRequestParts<S> for PageFormat {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let accept = parts
            .headers
            .get(header::ACCEPT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let svg = accept
            .split(',')
            .next()
            .and_then(|first| first.split(';').next())
            .is_some_and(|media| media.trim().eq_ignore_ascii_case("image/svg+xml"));
        Ok(if svg { Self::Svg } else { Self::Pdf })
    }
}
