use std::collections::BTreeMap;
use std::sync::OnceLock;

use econnector_base::{AuthorityWords, Explain, Fault};
use econnector_forms::Lang;
use serde::{Deserialize, Serialize};

use crate::{Error, FindingView};

/// What went wrong, for people and programs (RFC 9457, `application/problem+json`).
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Where the code is explained: a fragment of docs/problems.md.
    pub r#type: String,
    /// A short sentence, in the caller's language.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, in the caller's language.
    pub detail: String,
    /// Stable code.
    pub code: String,
    /// Whose fault it is.
    pub fault: Fault,
    /// What to do next, in the caller's language.
    pub next: String,
    /// What is wrong with the values, when that is the problem.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FindingView>,
    /// The Correlation-ID under which the authority can find the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The authority's own words, in its language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<AuthorityWords>,
    /// For the engineer: host, TLS reason, parser message. English, without patient data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub technical: Option<String>,
}

#[derive(Deserialize)]
struct Text {
    title: String,
    detail: String,
    next: String,
}

type Texts = BTreeMap<String, Text>;

/// The four languages of the problem texts do not say the same codes, or one cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("problem texts: {0}")]
pub struct TextsError(String);

impl Problem {
    /// Says an error in the caller's language.
    #[must_use]
    pub fn of(error: &Error, lang: Lang) -> Self {
        let findings = match error {
            Error::Findings(findings) | Error::ProfileWrong(findings) => findings.clone(),
            _ => Vec::new(),
        };
        let mut problem = Self::explain(error, lang);
        problem.findings = findings;
        if let (Error::PhysicianOnly { physician }, Some(text)) = (error, text(error.code(), lang)) {
            problem.detail = text.detail.replace(PHYSICIAN, physician);
        }
        problem
    }

    /// Says any explained error.
    #[must_use]
    pub fn explain(error: &dyn Explain, lang: Lang) -> Self {
        let mut problem = Self::of_code(error.code(), error.fault(), lang);
        problem.correlation_id = error.correlation_id();
        problem.authority = error.authority();
        problem.technical = Some(error.to_string());
        problem
    }

    /// Says a code that was recorded earlier.
    #[must_use]
    pub fn of_code(code: &str, fault: Fault, lang: Lang) -> Self {
        let known = text(code, lang);
        let (title, detail, next) = known.map_or(("", "", ""), |text| (text.title.as_str(), text.detail.as_str(), text.next.as_str()));
        Self {
            r#type: format!("https://econnector.lu/problems#{code}"),
            title: title.to_owned(),
            status: status(code, fault),
            detail: detail.replace(PHYSICIAN, some_physician(lang)),
            code: code.to_owned(),
            fault,
            next: next.to_owned(),
            findings: Vec::new(),
            correlation_id: None,
            authority: None,
            technical: None,
        }
    }
}

/// Every code that has texts, with title and next step in one language: the source of docs/problems.md.
///
/// # Errors
/// [`TextsError`] when the languages differ.
pub fn problem_codes(lang: Lang) -> Result<Vec<(String, String, String, String)>, TextsError> {
    let of = |lang| texts(lang).ok_or_else(|| TextsError(format!("{lang:?} cannot be read")));
    let reference = of(Lang::Fr)?;
    for other in [Lang::De, Lang::En, Lang::Lb] {
        if let Some(code) = reference
            .keys()
            .find(|code| !of(other).is_ok_and(|texts| texts.contains_key(*code)))
        {
            return Err(TextsError(format!("{code} is missing in {other:?}")));
        }
        if of(other)?.len() != reference.len() {
            return Err(TextsError(format!("{other:?} has codes that French has not")));
        }
    }
    Ok(of(lang)?
        .iter()
        .map(|(code, text)| {
            let detail = text.detail.replace(PHYSICIAN, some_physician(lang));
            (code.clone(), text.title.clone(), detail, text.next.clone())
        })
        .collect())
}

/// Stands in a text for the physician whom it is about.
const PHYSICIAN: &str = "{physician}";

/// In place of her name where it is not known.
const fn some_physician(lang: Lang) -> &'static str {
    match lang {
        Lang::Fr => "le médecin",
        Lang::De => "die Ärztin oder der Arzt",
        Lang::En => "the physician",
        Lang::Lb => "den Dokter",
    }
}

fn text(code: &str, lang: Lang) -> Option<&'static Text> {
    let texts = texts(lang)?;
    texts.get(code).or_else(|| texts.get("internal"))
}

fn status(code: &str, fault: Fault) -> u16 {
    match code {
        "client-key-wrong"
        | "login-required"
        | "login-cancelled"
        | "login-timeout"
        | "session-ended"
        | "kms-refused-token"
        | "mysecu-token-refused"
        | "link-key-missing"
        | "link-key-wrong" => 401,
        "physician-mismatch"
        | "physician-only"
        | "window-only"
        | "client-certificate-unknown"
        | "identity-no-physician"
        | "identity-no-own-login"
        | "identity-no-delegated"
        | "physician-not-represented"
        | "login-refused"
        | "kms-no-signature-right"
        | "mysecu-space-refused"
        | "physician-not-allowed"
        | "exchange-denied"
        | "link-origin-refused"
        | "link-cross-site"
        | "software-waiting"
        | "software-refused"
        | "approval-missing"
        | "approval-refused" => 403,
        "form-unknown"
        | "volet-unknown"
        | "form-volet-unknown"
        | "document-unknown"
        | "document-page-unknown"
        | "printer-unknown"
        | "simulation-unknown"
        | "route-unknown"
        | "no-session-here"
        | "link-unknown" => 404,
        "method-not-allowed" => 405,
        "id-already-used"
        | "document-not-deposited"
        | "document-already-replaced"
        | "document-already-sent"
        | "simulation-already-ordered"
        | "simulation-contested"
        | "session-changed"
        | "session-elsewhere"
        | "physician-not-chosen"
        | "link-preset" => 409,
        "request-too-slow" => 408,
        "request-too-large" => 413,
        "request-media-type" => 415,
        "link-host-wrong" => 421,
        "too-many-requests" => 429,
        // The content is refused: sending the same again changes nothing.
        "values-wrong"
        | "profile-wrong"
        | "printer-none"
        | "cancellation-reason-wrong"
        | "cancellation-refused"
        | "contestation-refused"
        | "document-character-unprintable"
        | "document-replaces-other"
        | "foreign-xml-invalid"
        | "form-no-foreign"
        | "form-not-cancellable"
        | "form-not-on-paper"
        | "form-other-workflow"
        | "mysecu-refused"
        | "payment-refused"
        | "pid-contestation-wrong"
        | "pid-not-payable"
        | "id-mismatch"
        | "link-origin-invalid"
        | "deposit-incomplete" => 422,
        // This installation is set up wrongly or cannot work: another try later may succeed, and the caller did nothing wrong.
        "clock-wrong"
        | "journal-unusable"
        | "journal-in-use"
        | "printer-failed"
        | "printing-unavailable"
        | "settings-unreadable"
        | "net-settings"
        | "identity-settings"
        | "aes-client-refused"
        | "exchange-not-set-up"
        | "exchange-client-refused"
        | "mysecu-client-certificate"
        | "mysecu-client-key"
        | "net-tls-client-certificate-required"
        | "net-tls-client-certificate-refused"
        | "server-busy"
        | "pdf-busy"
        | "link-busy"
        | "link-in-use"
        | "link-no-port"
        | "link-off"
        | "link-unusable" => 503,
        // One status whatever cut the line: engines must not take it for a failure they may repeat.
        "mysecu-outcome-unknown"
        | "payment-outcome-unknown"
        | "cancellation-outcome-unknown"
        | "simulation-answer-lost"
        | "contestation-answer-lost"
        | "answer-too-slow" => 504,
        _ if code.starts_with("token-") => 401,
        _ if code.starts_with("pdf-") => 422,
        _ if ["p12-", "truststore-", "mysecu-trust-"]
            .iter()
            .any(|prefix| code.starts_with(prefix)) =>
        {
            503
        }
        _ => match fault {
            Fault::You => 400,
            Fault::Network => 504,
            Fault::Authority => 502,
            Fault::Us => 500,
        },
    }
}

fn texts(lang: Lang) -> Option<&'static Texts> {
    static TEXTS: OnceLock<[Option<Texts>; 4]> = OnceLock::new();
    let all = TEXTS.get_or_init(|| {
        [
            include_str!("../texts/problems.fr.json"),
            include_str!("../texts/problems.de.json"),
            include_str!("../texts/problems.en.json"),
            include_str!("../texts/problems.lb.json"),
        ]
        .map(|text| serde_json::from_str(text).ok())
    });
    let index = match lang {
        Lang::Fr => 0,
        Lang::De => 1,
        Lang::En => 2,
        Lang::Lb => 3,
    };
    all.get(index).and_then(Option::as_ref)
}
