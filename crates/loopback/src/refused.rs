//! The last requests that were refused: enough to find the reason, nothing of a patient.

use std::collections::VecDeque;

use axum::http::{HeaderMap, HeaderName, Method, header};
use econnector_base::{Explain as _, Fault};
use econnector_connector::Problem;
use econnector_forms::Lang;
use time::OffsetDateTime;

use crate::software::Software;
use crate::view::RefusedView;
use crate::{LinkError, guard};

/// As many as a page shows.
const KEPT: usize = 50;
/// Nobody reads more of a header that was refused.
const LONGEST: usize = 100;

#[derive(Default)]
pub(crate) struct Refusals(VecDeque<Refusal>);

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    at: OffsetDateTime,
    times: u32,
    code: &'static str,
    fault: Fault,
    method: String,
    path: String,
    origin: Option<String>,
    host: Option<String>,
    software: Option<String>,
}

impl Refusals {
    /// Remembers one. Whether that is news: the same again within a second is none, or a page could keep the window busy.
    pub(crate) fn add(&mut self, refusal: Refusal) -> bool {
        if let Some(last) = self.0.front_mut()
            && last.same(&refusal)
        {
            let news = refusal.at - last.at >= time::Duration::SECOND;
            last.times = last.times.saturating_add(1);
            if news {
                last.at = refusal.at;
            }
            return news;
        }
        self.0.push_front(refusal);
        self.0.truncate(KEPT);
        true
    }

    pub(crate) fn view(&self, most: usize, lang: Lang) -> Vec<RefusedView> {
        self.0.iter().take(most).map(|refusal| refusal.view(lang)).collect()
    }
}

impl Refusal {
    pub(crate) fn new(at: OffsetDateTime, error: &LinkError, method: &Method, path: &str, headers: &HeaderMap) -> Self {
        let said = |name: HeaderName| headers.get(name).map(|value| printable(value.as_bytes()));
        Self {
            at,
            times: 1,
            code: error.code(),
            fault: error.fault(),
            method: known_method(method).to_owned(),
            path: masked(path),
            origin: said(header::ORIGIN),
            host: said(header::HOST).filter(|_| matches!(error, LinkError::HostWrong)),
            software: headers
                .get(guard::SOFTWARE)
                .and_then(|value| value.to_str().ok())
                .and_then(Software::read)
                .map(|software| software.name),
        }
    }

    fn same(&self, other: &Self) -> bool {
        let mut twin = other.clone();
        (twin.at, twin.times) = (self.at, self.times);
        *self == twin
    }

    fn view(&self, lang: Lang) -> RefusedView {
        let problem = Problem::of_code(self.code, self.fault, lang);
        RefusedView {
            at: self.at,
            times: self.times,
            reason: self.code.to_owned(),
            title: problem.title,
            next: problem.next,
            method: self.method.clone(),
            path: self.path.clone(),
            origin: self.origin.clone(),
            host: self.host.clone(),
            software: self.software.clone(),
        }
    }
}

fn known_method(method: &Method) -> &str {
    match method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
        _ => "…",
    }
}

/// A path of ours with everything masked that is not part of a route's name: an id tells which document, and a wrong path may hold
/// anything.
fn masked(path: &str) -> String {
    const WORDS: [&str; 30] = [
        "econnector",
        "v1",
        "status",
        "openapi.json",
        "session",
        "login",
        "forms",
        "schema",
        "check",
        "preview",
        "documents",
        "volets",
        "print",
        "cancellation",
        "paper",
        "signatures",
        "verifications",
        "pid",
        "simulations",
        "validation",
        "contestation",
        "journal",
        "profile",
        "printers",
        "link",
        "show",
        "software",
        "origins",
        "approvals",
        "pages",
    ];
    if path == "/swagger-ui" || path.starts_with("/swagger-ui/") {
        return "/swagger-ui/".to_owned();
    }
    if path != "/econnector" && !path.starts_with("/econnector/") {
        return "…".to_owned();
    }
    let part = |part: &'_ str| if WORDS.contains(&part) { part.to_owned() } else { "…".to_owned() };
    let parts: Vec<String> = path.split('/').skip(1).take(8).map(part).collect();
    format!("/{}", parts.join("/"))
}

fn printable(value: &[u8]) -> String {
    value
        .iter()
        .take(LONGEST)
        .map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '…' })
        .collect()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_path_keeps_only_the_names_of_routes() {
        for (path, kept) in [
            ("/econnector/v1/documents", "/econnector/v1/documents"),
            (
                "/econnector/v1/documents/6f9619ff-8b86-4d11-b42d-00c04fc964ff/print",
                "/econnector/v1/documents/…/print",
            ),
            ("/econnector/v1/forms/a/check", "/econnector/v1/forms/…/check"),
            ("/econnector/v1/journal/Weber%20Anne", "/econnector/v1/journal/…"),
            ("/econnector/", "/econnector/…"),
            ("/econnectors/v1", "…"),
            ("/Weber/1950010112345", "…"),
            ("*", "…"),
            ("/swagger-ui/Weber", "/swagger-ui/"),
        ] {
            assert_eq!(masked(path), kept, "{path}");
        }
    }

    #[test]
    fn headers_are_cut_and_made_printable() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_bytes(b"https://\xe2\x80\xaeevil").unwrap());
        headers.insert(header::HOST, HeaderValue::from_str(&"h".repeat(500)).unwrap());
        headers.insert(guard::SOFTWARE, HeaderValue::from_static("Medistar/4"));
        let at = datetime!(2026-03-02 10:00 UTC);
        let of = |error| Refusal::new(at, &error, &Method::from_bytes(b"BREW").unwrap(), "/x", &headers).view(Lang::En);
        let view = of(LinkError::HostWrong);
        assert_eq!(view.origin.as_deref(), Some("https://………evil"));
        assert_eq!(view.host.map(|host| host.len()), Some(100));
        assert_eq!((view.method.as_str(), view.path.as_str()), ("…", "…"));
        assert_eq!(view.software.as_deref(), Some("Medistar"));
        assert_eq!(view.reason, "link-host-wrong");
        assert!(!view.title.is_empty() && !view.next.is_empty());
        assert!(of(LinkError::KeyWrong).host.is_none());
    }

    #[test]
    fn the_same_again_is_counted_and_fifty_are_kept() {
        let mut refusals = Refusals::default();
        let start = datetime!(2026-03-02 10:00 UTC);
        let refusal = |at, path: &str| Refusal::new(at, &LinkError::KeyWrong, &Method::GET, path, &HeaderMap::new());
        assert!(refusals.add(refusal(start, "/econnector/v1/forms")));
        assert!(!refusals.add(refusal(start + time::Duration::milliseconds(10), "/econnector/v1/forms")));
        assert!(refusals.add(refusal(start + time::Duration::seconds(2), "/econnector/v1/forms")));
        let view = refusals.view(50, Lang::Fr);
        assert_eq!((view.len(), view[0].times, view[0].at), (1, 3, start + time::Duration::seconds(2)));
        for turn in 0..60 {
            let path = if turn % 2 == 0 {
                "/econnector/v1/journal"
            } else {
                "/econnector/v1/forms"
            };
            assert!(refusals.add(refusal(start + time::Duration::seconds(10 + turn), path)));
        }
        let view = refusals.view(50, Lang::Fr);
        assert_eq!(view.len(), 50);
        assert!(view[0].at > view[49].at, "newest first");
    }
}
