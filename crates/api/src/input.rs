use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use econnector_base::Secret;
use econnector_connector::{Caller, RequestError};
use econnector_forms::Lang;
use serde::de::DeserializeOwned;
use uuid::{Uuid, Variant, Version};

use crate::fail::Fail;
use crate::{Door, Shared};

/// The caller's language.
pub(crate) struct Language(pub(crate) Lang);

impl<S: Send + Sync> FromRequestParts<S> for Language {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(language(&parts.headers)))
    }
}

/// Who calls: a token when there is one, else the desktop's session where the door has one.
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
                Ok(Self(Caller::Bearer(Arc::new(Secret::new(token.trim())))))
            }
            None if shared.door == Door::Desktop => Ok(Self(Caller::OwnSession)),
            None => Err(refuse()),
        }
    }
}

/// Who calls, where the door has a desk: profile and printers are those of one machine.
pub(crate) struct AtDesk(pub(crate) Caller);

impl FromRequestParts<Shared> for AtDesk {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Fail> {
        if shared.door != Door::Desktop {
            return Err(Fail::new(RequestError::NoSessionHere, language(&parts.headers)));
        }
        let Who(caller) = Who::from_request_parts(parts, shared).await?;
        Ok(Self(caller))
    }
}

/// A JSON body. What is wrong with it is never echoed: parser messages quote values, and values describe patients.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Fail;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fail> {
        let lang = language(request.headers());
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"));
        if !is_json {
            return Err(Fail::new(RequestError::MediaType, lang));
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            let too_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
            Fail::new(if too_large { RequestError::TooLarge } else { RequestError::Body }, lang)
        })?;
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|_| Fail::new(RequestError::Body, lang))
    }
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

/// The id of a new document. Made at random it says nothing and meets no other; whatever else it was made of might say something of a
/// patient, and it goes into journals and to the authority.
pub(crate) fn new_id(id: Uuid) -> Result<Uuid, RequestError> {
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

pub(crate) fn language(headers: &HeaderMap) -> Lang {
    headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .map_or(Lang::Fr, Lang::negotiate)
}
