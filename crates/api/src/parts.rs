//! `multipart/form-data` bodies: for engines that hold the XML of the authority and a PDF of their own.

use axum::RequestExt as _;
use axum::extract::Request;
use axum::http::header;
use econnector_connector::RequestError;
use econnector_forms::Lang;
use multer::{Constraints, Multipart, SizeLimit};
use zeroize::Zeroizing;

use crate::fail::Fail;
use crate::input::{Id, is_media};
use crate::refusal::{PartFault, Refusal};

/// What may travel in parts, and how large each may be, in bytes. The PDF's own limit is the core's: it says more than "too large".
const ALLOWED: [(&str, u64); 4] = [("id", 64), ("kind", 64), ("xml", 4 * MIB), ("pdf", 15 * MIB)];
const MIB: u64 = 1024 * 1024;

/// The parts that came, each at most once.
#[derive(Default)]
pub(crate) struct Parts {
    id: Option<Zeroizing<Vec<u8>>>,
    kind: Option<Zeroizing<Vec<u8>>>,
    xml: Option<Zeroizing<Vec<u8>>>,
    pdf: Option<Zeroizing<Vec<u8>>>,
}

/// Whether a request says that it comes in parts.
pub(crate) fn comes_in_parts(request: &Request) -> bool {
    is_media(request.headers(), "multipart/form-data")
}

impl Parts {
    /// Reads all parts of a request; its body limit is the route's.
    pub(crate) async fn of(request: Request, lang: Lang) -> Result<Self, Fail> {
        let boundary = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| multer::parse_boundary(value).ok())
            .filter(|boundary| (1..=70).contains(&boundary.len()))
            .ok_or_else(|| refuse(PartFault::Unreadable, lang))?;
        let body = request.with_limited_body().into_body().into_data_stream();
        let sizes = ALLOWED
            .iter()
            .fold(SizeLimit::new(), |limit, (name, bytes)| limit.for_field(*name, *bytes));
        let names = ALLOWED.iter().map(|(name, _)| *name).collect();
        let constraints = Constraints::new().allowed_fields(names).size_limit(sizes);
        let mut multipart = Multipart::with_constraints(body, boundary, constraints);
        let mut parts = Self::default();
        while let Some(mut field) = multipart.next_field().await.map_err(|error| unusable(&error, lang))? {
            let known = ALLOWED.iter().find(|(name, _)| field.name() == Some(name));
            let (name, _) = known.ok_or_else(|| refuse(PartFault::Unknown, lang))?;
            let place = parts.place(name).ok_or_else(|| refuse(PartFault::Unknown, lang))?;
            if place.is_some() {
                return Err(refuse(PartFault::Twice(name), lang));
            }
            let mut content = Zeroizing::new(Vec::new());
            while let Some(chunk) = field.chunk().await.map_err(|error| unusable(&error, lang))? {
                content.extend_from_slice(&chunk);
            }
            *place = Some(content);
        }
        Ok(parts)
    }

    fn place(&mut self, name: &str) -> Option<&mut Option<Zeroizing<Vec<u8>>>> {
        match name {
            "id" => Some(&mut self.id),
            "kind" => Some(&mut self.kind),
            "xml" => Some(&mut self.xml),
            "pdf" => Some(&mut self.pdf),
            _ => None,
        }
    }

    /// The document's id.
    pub(crate) fn id(&mut self, lang: Lang) -> Result<Id, Fail> {
        let text = self.id.take().ok_or_else(|| refuse(PartFault::Missing("id"), lang))?;
        let id = std::str::from_utf8(&text).ok().and_then(|text| Id::read(text.trim()));
        id.ok_or_else(|| refuse(PartFault::Malformed("id"), lang))
    }

    /// The PDF.
    pub(crate) fn pdf(&mut self, lang: Lang) -> Result<Zeroizing<Vec<u8>>, Fail> {
        self.pdf.take().ok_or_else(|| refuse(PartFault::Missing("pdf"), lang))
    }

    /// What is to be deposited with the PDF: both of form kind and XML, or neither.
    pub(crate) fn deposit(&mut self, lang: Lang) -> Result<Option<(String, Zeroizing<String>)>, Fail> {
        let text = |name, content: Option<Zeroizing<Vec<u8>>>| {
            content
                .map(|content| {
                    std::str::from_utf8(&content)
                        .map(ToOwned::to_owned)
                        .map_err(|_| refuse(PartFault::Malformed(name), lang))
                })
                .transpose()
        };
        match (text("kind", self.kind.take())?, text("xml", self.xml.take())?) {
            (Some(kind), Some(xml)) => Ok(Some((kind.trim().to_owned(), Zeroizing::new(xml)))),
            (None, None) => Ok(None),
            (None, Some(_)) | (Some(_), None) => Err(Fail::explained(&Refusal::DepositIncomplete, lang)),
        }
    }
}

/// Refuses parts that cannot be used.
pub(crate) fn refuse(fault: PartFault, lang: Lang) -> Fail {
    Fail::explained(&Refusal::Parts(fault), lang)
}

/// Messages of the reader quote names that the caller chose: only what kind of fault it is goes on.
fn unusable(error: &multer::Error, lang: Lang) -> Fail {
    match error {
        // No id and no kind is that long: it is no question of size.
        multer::Error::FieldSizeExceeded {
            field_name: Some(name), ..
        } if name == "id" => refuse(PartFault::Malformed("id"), lang),
        multer::Error::FieldSizeExceeded {
            field_name: Some(name), ..
        } if name == "kind" => refuse(PartFault::Malformed("kind"), lang),
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => Fail::new(RequestError::TooLarge, lang),
        multer::Error::StreamReadFailed(inner) if crate::input::is_too_large(inner.as_ref()) => Fail::new(RequestError::TooLarge, lang),
        multer::Error::UnknownField { .. } => refuse(PartFault::Unknown, lang),
        _ => refuse(PartFault::Unreadable, lang),
    }
}
