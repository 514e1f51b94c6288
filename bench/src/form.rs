//! What is sent: a pack's example, dated today, another patient each time.

use std::path::Path;

use econnector_base::{Clock as _, SystemClock};
use serde_json::{Map, Value};
use time::Duration;
use uuid::Uuid;

use crate::programs::Programs;

/// Fictitious, with right check digits.
const MATRICULES: [&str; 6] = [
    "1893120105732",
    "1987110803276",
    "1988123048083",
    "1980010145728",
    "1970050299902",
    "1985061501293",
];

/// One kind of document.
pub(crate) struct Form {
    pub(crate) kind: &'static str,
    pub(crate) values: Map<String, Value>,
    /// Names of the volets and whether each is signed.
    pub(crate) volets: &'static [(&'static str, bool)],
}

/// The example cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

impl Form {
    /// An example of a pack. Days that must be near today are today.
    pub(crate) fn read(kind: &'static str, example: &str, programs: &Programs) -> Result<Self, FormError> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../forms/{kind}/examples/{example}.json"));
        let mut values: Map<String, Value> = serde_json::from_slice(&std::fs::read(file)?)?;
        let today = SystemClock.today();
        for (field, days) in [
            ("first_day", 0),
            ("finding_date", 0),
            ("last_day", 4),
            ("statement_date", 0),
            ("accident_date", -7),
        ] {
            if values.contains_key(field) {
                values.insert(field.to_owned(), (today + Duration::days(days)).to_string().into());
            }
        }
        if let Some(Value::Array(lines)) = values.get_mut("lines") {
            for line in lines.iter_mut().filter_map(Value::as_object_mut) {
                line.insert("date".to_owned(), (today - Duration::days(1)).to_string().into());
            }
        }
        for (field, value) in [
            ("physician_ehealth_id", &programs.ready.ehealth_id),
            ("provider_code", &programs.ready.provider_code),
        ] {
            values.insert(field.to_owned(), value.as_str().into());
        }
        Ok(Self {
            kind,
            values,
            volets: if kind == "ecit" {
                &[("caisse", true), ("employeur", false), ("assure", false)]
            } else {
                &[("memoire", true)]
            },
        })
    }

    /// The values for this document. Nobody has the same name twice: what is set once must not serve again.
    pub(crate) fn values(&self, id: Uuid) -> Map<String, Value> {
        let mut values = self.values.clone();
        let (high, low) = id.as_u64_pair();
        let name = |number: u64| format!("M{}", letters(number));
        values.insert("last_name".to_owned(), name(high).into());
        values.insert("first_name".to_owned(), name(low).into());
        let chosen = usize::from(id.as_bytes()[0]) % MATRICULES.len();
        if values.contains_key("matricule") {
            values.insert("matricule".to_owned(), MATRICULES[chosen].into());
        }
        values
    }
}

/// Nine letters that stand for nobody.
fn letters(mut number: u64) -> String {
    let mut letters = String::new();
    for _ in 0..9 {
        letters.extend(char::from_digit(u32::try_from(number % 26).unwrap_or_default() + 10, 36));
        number /= 26;
    }
    letters
}
