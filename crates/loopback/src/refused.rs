//! The last requests that were refused: enough to find the reason, nothing of a patient.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

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

/// The window is told of refusals this often at most.
const PACE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Refusals {
    list: VecDeque<Refusal>,
    /// When the window was told last.
    told: Option<Instant>,
    /// Somebody is about to tell it.
    due: bool,
}

/// When the window is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    Now,
    /// Once, after this pause.
    Later(Duration),
    /// Somebody does it already.
    Told,
}

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
    /// Remembers one.
    pub(crate) fn add(&mut self, refusal: Refusal, now: Instant) -> News {
        match self.list.front_mut() {
            Some(last) if last.same(&refusal) => {
                last.times = last.times.saturating_add(1);
                last.at = refusal.at;
            }
            _ => {
                self.list.push_front(refusal);
                self.list.truncate(KEPT);
            }
        }
        let pause = self
            .told
            .map_or(Duration::ZERO, |told| PACE.saturating_sub(now.saturating_duration_since(told)));
        if self.due {
            News::Told
        } else if pause.is_zero() {
            self.told = Some(now);
            News::Now
        } else {
            self.due = true;
            News::Later(pause)
        }
    }

    /// The window is being told.
    pub(crate) fn told(&mut self, now: Instant) {
        (self.told, self.due) = (Some(now), false);
    }

    pub(crate) fn view(&self, most: usize, lang: Lang) -> Vec<RefusedView> {
        self.list.iter().take(most).map(|refusal| refusal.view(lang)).collect()
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
        "physician",
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
    fn every_route_keeps_its_name() {
        for path in openapi().as_object().unwrap()["paths"].as_object().unwrap().keys() {
            let shown = path.replace(['{', '}'], "");
            let own: Vec<&str> = path.split('/').filter(|part| !part.contains('{')).collect();
            let masked = masked(&shown);
            let kept: Vec<&str> = masked.split('/').filter(|part| *part != "…").collect();
            assert_eq!(kept, own, "{path}");
        }
    }

    fn openapi() -> serde_json::Value {
        serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap()
    }

    #[test]
    fn the_same_again_is_counted_and_fifty_are_kept() {
        let mut refusals = Refusals::default();
        let start = datetime!(2026-03-02 10:00 UTC);
        let refusal = |at, path: &str| Refusal::new(at, &LinkError::KeyWrong, &Method::GET, path, &HeaderMap::new());
        for turn in 0..3 {
            refusals.add(
                refusal(start + time::Duration::seconds(turn), "/econnector/v1/forms"),
                Instant::now(),
            );
        }
        let view = refusals.view(50, Lang::Fr);
        assert_eq!((view.len(), view[0].times, view[0].at), (1, 3, start + time::Duration::seconds(2)));
        for turn in 0..60 {
            let path = if turn % 2 == 0 {
                "/econnector/v1/journal"
            } else {
                "/econnector/v1/forms"
            };
            refusals.add(refusal(start + time::Duration::seconds(10 + turn), path), Instant::now());
        }
        let view = refusals.view(50, Lang::Fr);
        assert_eq!(view.len(), 50);
        assert!(view[0].at > view[49].at, "newest first");
    }

    #[test]
    fn the_window_is_told_once_a_second_and_of_the_last_one_too() {
        let mut refusals = Refusals::default();
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut add = |milliseconds, path: &str| {
            let refusal = Refusal::new(
                datetime!(2026-03-02 10:00 UTC),
                &LinkError::KeyWrong,
                &Method::GET,
                path,
                &HeaderMap::new(),
            );
            refusals.add(refusal, after(milliseconds))
        };
        assert_eq!(add(0, "/econnector/v1/forms"), News::Now);
        assert_eq!(add(300, "/econnector/v1/journal"), News::Later(Duration::from_millis(700)));
        assert_eq!(add(400, "/econnector/v1/forms"), News::Told);
        assert_eq!(add(2000, "/econnector/v1/forms"), News::Told, "whoever is about to, does");
        refusals.told(after(2000));
        let again = Refusal::new(
            datetime!(2026-03-02 10:00 UTC),
            &LinkError::KeyWrong,
            &Method::GET,
            "*",
            &HeaderMap::new(),
        );
        assert_eq!(refusals.add(again.clone(), after(2500)), News::Later(Duration::from_millis(500)));
        refusals.told(after(3000));
        assert_eq!(refusals.add(again, after(4000)), News::Now);
    }
}
