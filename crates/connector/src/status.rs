use std::time::{Duration, Instant};

use econnector_base::{Explain, Fault};
use econnector_forms::{Environment, Lang};
use econnector_identity::{IdentityError, KeyringState, LastExchange};
use serde::Serialize;
use time::OffsetDateTime;

use crate::{Connector, Problem};

/// Probing goes out to three services; whoever polls the status must not multiply that.
const FRESH: Duration = Duration::from_secs(5);
/// A certificate that ends within this time is worth a warning long before it stops the work.
const SOON: time::Duration = time::Duration::days(30);
/// More than this and tokens look expired or not yet valid.
const SKEW_LIMIT_MS: i64 = 60_000;

/// Whether the connector can do its work, and if not, why.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Status {
    /// Every check that matters is well.
    pub usable: bool,
    /// This program's version.
    pub version: String,
    /// Whether this is the real thing.
    pub environment: Environment,
    /// One by one.
    pub checks: Vec<Check>,
}

/// One dependency.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Check {
    /// `aes`, `kms`, `mysecu`, `exchange` (where tokens are exchanged), `trust_store`, `keyring`, `journal` or `forms`.
    pub name: String,
    /// Its name for people.
    pub label: String,
    /// Whether it is well.
    pub ok: bool,
    /// What was found, in the caller's language.
    pub detail: String,
    /// How long its answer took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// When the earliest certificate concerned ends.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub expires: Option<OffsetDateTime>,
    /// Its clock minus ours, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew_ms: Option<i64>,
}

/// A form pack that was found and cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its folder's name.
    pub folder: String,
    /// Which of its files, and why: for whoever edits the pack.
    pub reason: String,
}

/// What the last probe found, before it is put into words.
#[derive(Clone)]
pub(crate) struct Measured {
    at: Instant,
    services: [Service; 3],
}

#[derive(Clone)]
struct Service {
    name: &'static str,
    label: &'static str,
    outcome: Result<(Duration, Option<time::Duration>), (&'static str, Fault, String)>,
}

impl Connector {
    /// Checks every dependency; answers from the last check when that is younger than five seconds.
    pub async fn status(&self, lang: Lang) -> Status {
        let measured = self.measured().await;
        let mut checks: Vec<Check> = measured.services.iter().map(|service| service.check(lang)).collect();
        // mySecu is also the practice's own certificate, which ends one day without a word.
        if let (Some(check), Some(expires)) = (checks.iter_mut().find(|check| check.name == "mysecu"), self.deposit.expires()) {
            check.expires = Some(expires);
            if check.ok {
                (check.ok, check.detail) = validity(expires - self.clock.now(), &check.detail, lang);
            }
        }
        checks.extend(exchange_check(&self.identity.last_exchange(), lang));
        checks.push(self.trust_check(lang));
        checks.push(keyring_check(&self.identity.session().await.keyring, lang));
        checks.push(self.journal_check(lang).await);
        checks.push(self.forms_check(lang));
        Status {
            // Without the keyring or an added form, everything else still works.
            usable: checks
                .iter()
                .all(|check| check.ok || matches!(check.name.as_str(), "keyring" | "forms")),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: self.environment,
            checks,
        }
    }

    async fn measured(&self) -> Measured {
        let mut last = self.status.lock().await;
        if let Some(known) = last.as_ref().filter(|known| known.at.elapsed() < FRESH) {
            return known.clone();
        }
        let (aes, kms, mysecu) = tokio::join!(self.identity.probe(), self.signer.probe(), self.deposit.probe());
        let measured = Measured {
            at: Instant::now(),
            services: [
                Service::new("aes", "AeS", aes.map(|probe| (probe.latency, probe.clock_skew))),
                Service::new("kms", "KMS", kms.map(|probe| (probe.latency, probe.clock_skew(self.clock.now())))),
                Service::new("mysecu", "mySecu", mysecu.map(|probe| (probe.latency, probe.clock_skew))),
            ],
        };
        *last = Some(measured.clone());
        measured
    }

    fn trust_check(&self, lang: Lang) -> Check {
        let expires = self.trust.earliest_expiry();
        let valid = word(lang, ["Valide", "Gültig", "Valid", "Gëlteg"]);
        let (ok, detail) = validity(expires - self.clock.now(), valid, lang);
        Check {
            expires: Some(expires),
            ..Check::new(
                "trust_store",
                word(
                    lang,
                    ["Certificats de confiance", "Vertrauensanker", "Trust anchors", "Vertrauensanker"],
                ),
                ok,
                detail,
            )
        }
    }

    async fn journal_check(&self, lang: Lang) -> Check {
        let label = word(lang, ["Journal", "Journal", "Journal", "Journal"]);
        match self.journal.list(None, 1).await {
            Ok(_) => Check::new("journal", label, true, word(lang, ["Lisible", "Lesbar", "Readable", "Liesbar"])),
            Err(error) => Check::new("journal", label, false, Problem::explain(&error, lang).detail),
        }
    }

    fn forms_check(&self, lang: Lang) -> Check {
        let label = word(lang, ["Formulaires", "Formulare", "Forms", "Formulairen"]);
        if self.left_out.is_empty() {
            let kinds: Vec<&str> = self.packs.keys().map(String::as_str).collect();
            return Check::new("forms", label, true, kinds.join(", "));
        }
        let said = word(lang, ["Écarté", "Ausgelassen", "Left out", "Ausgelooss"]);
        let each = self
            .left_out
            .iter()
            .map(|pack| format!("{said}: {} ({})", pack.folder, pack.reason));
        Check::new("forms", label, false, each.collect::<Vec<_>>().join("; "))
    }
}

impl Service {
    fn new<E: Explain>(name: &'static str, label: &'static str, outcome: Result<(Duration, Option<time::Duration>), E>) -> Self {
        Self {
            name,
            label,
            outcome: outcome.map_err(|error| (error.code(), error.fault(), error.to_string())),
        }
    }

    fn check(&self, lang: Lang) -> Check {
        match &self.outcome {
            Ok((latency, skew)) => {
                let skew_ms = skew.map(|skew| i64::try_from(skew.whole_milliseconds()).unwrap_or(i64::MAX));
                let clock_ok = skew_ms.is_none_or(|skew| skew.abs() <= SKEW_LIMIT_MS);
                let detail = if clock_ok {
                    word(lang, ["Répond", "Antwortet", "Answers", "Äntwert"])
                } else {
                    word(
                        lang,
                        [
                            "L'horloge de cet ordinateur est fausse",
                            "Die Uhr dieses Computers geht falsch",
                            "This computer's clock is wrong",
                            "D'Auer vun dësem Computer geet falsch",
                        ],
                    )
                };
                Check {
                    latency_ms: Some(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX)),
                    clock_skew_ms: skew_ms,
                    ..Check::new(self.name, self.label, clock_ok, detail)
                }
            }
            Err((code, fault, technical)) => Check::new(self.name, self.label, false, said(code, *fault, technical, lang)),
        }
    }
}

impl Check {
    fn new(name: &str, label: impl Into<String>, ok: bool, detail: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            label: label.into(),
            ok,
            detail: detail.into(),
            latency_ms: None,
            expires: None,
            clock_skew_ms: None,
        }
    }
}

/// A problem in one line: for people, then for whoever looks it up.
fn said(code: &str, fault: Fault, technical: &str, lang: Lang) -> String {
    format!("{} ({code}: {technical})", Problem::of_code(code, fault, lang).title)
}

/// Client id and secret are proven by an exchange and by nothing else: the check tells how the last one went. It is for whoever watches the
/// status. Readiness does not see it: an instance that is taken out of service for it would get no more callers, and without a caller no
/// exchange would ever show that the secret was put right.
fn exchange_check(last: &LastExchange, lang: Lang) -> Option<Check> {
    let (ok, detail) = match last {
        LastExchange::NotSetUp => return None,
        LastExchange::NotTried => (
            true,
            word(
                lang,
                ["Pas encore essayé", "Noch nicht versucht", "Not tried yet", "Nach net probéiert"],
            )
            .to_owned(),
        ),
        LastExchange::Given => (
            true,
            word(
                lang,
                [
                    "Le dernier a réussi",
                    "Der letzte ist gelungen",
                    "The last one succeeded",
                    "Dee leschten ass gelongen",
                ],
            )
            .to_owned(),
        ),
        // Denied for one physician: the client itself was known, and others may have theirs.
        LastExchange::Failed(error) => (
            matches!(error, IdentityError::ExchangeDenied { .. }) || error.fault() != Fault::You,
            said(error.code(), error.fault(), &error.to_string(), lang),
        ),
    };
    let label = word(
        lang,
        ["Échange de jetons", "Austausch von Token", "Token exchange", "Austausch vun Token"],
    );
    Some(Check::new("exchange", label, ok, detail))
}

/// Whether a certificate is still good, and what to say of it.
fn validity(left: time::Duration, well: &str, lang: Lang) -> (bool, String) {
    if left.is_positive() && left >= SOON {
        return (true, well.to_owned());
    }
    let words = if left.is_positive() {
        [
            "Un certificat expire bientôt",
            "Ein Zertifikat läuft bald ab",
            "A certificate expires soon",
            "En Zertifikat leeft geschwënn of",
        ]
    } else {
        [
            "Un certificat a expiré",
            "Ein Zertifikat ist abgelaufen",
            "A certificate has expired",
            "En Zertifikat ass ofgelaf",
        ]
    };
    (left.is_positive(), word(lang, words).to_owned())
}

fn keyring_check(state: &KeyringState, lang: Lang) -> Check {
    let label = word(
        lang,
        [
            "Trousseau du système",
            "Schlüsselbund des Systems",
            "System keyring",
            "Schlësselbond vum System",
        ],
    );
    match state {
        KeyringState::Available => Check::new(
            "keyring",
            label,
            true,
            word(lang, ["Utilisable", "Verwendbar", "Usable", "Benotzbar"]),
        ),
        KeyringState::Off => Check::new(
            "keyring",
            label,
            true,
            word(lang, ["Non utilisé", "Nicht verwendet", "Not used", "Net benotzt"]),
        ),
        other => Check::new(
            "keyring",
            label,
            false,
            Problem::of_code(other.code().unwrap_or("internal"), Fault::You, lang).detail,
        ),
    }
}

fn word(lang: Lang, words: [&'static str; 4]) -> &'static str {
    let [fr, de, en, lb] = words;
    match lang {
        Lang::Fr => fr,
        Lang::De => de,
        Lang::En => en,
        Lang::Lb => lb,
    }
}
