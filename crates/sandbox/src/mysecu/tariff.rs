//! The sandbox's own tariff (data/tariff.json): what an act costs on a day, who pays which share, and which acts a PID cannot pay.

use serde::Deserialize;

use super::reply::Anomaly;
use crate::SandboxError;

/// The statutory share in percent: adults, and persons under 18 (luxembourg.md §4).
const ADULTS: i64 = 88;
const MINORS: i64 = 100;

#[derive(Deserialize)]
pub(crate) struct Tariff {
    acts: Vec<Act>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    code: String,
    /// Oldest first.
    prices: Vec<Price>,
    /// Why a PID cannot pay it.
    refusal: Option<String>,
    /// What is remarked when a PID pays it.
    warning: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    /// `YYYY-MM-DD`.
    from: String,
    cents: i64,
}

/// What a line of a simulation comes to, in cents.
pub(super) struct Quote {
    pub(super) statutory: i64,
    pub(super) personal: i64,
    pub(super) remark: Option<Anomaly>,
}

impl Quote {
    pub(super) fn is_accepted(&self) -> bool {
        !self.remark.as_ref().is_some_and(|remark| remark.refuses)
    }

    pub(super) const fn total(&self) -> i64 {
        self.statutory + self.personal
    }
}

impl Tariff {
    pub(crate) fn read() -> Result<Self, SandboxError> {
        serde_json::from_str(include_str!("../../data/tariff.json")).map_err(|e| SandboxError::Data {
            file: "tariff.json",
            why: e.to_string(),
        })
    }

    pub(super) fn knows(&self, code: &str) -> bool {
        self.act(code).is_some()
    }

    /// `day` as `YYYY-MM-DD`. What a PID cannot pay is the patient's in full.
    pub(super) fn quote(&self, code: &str, day: &str, times: i64, minor: bool) -> Quote {
        let refused = |total, code, reason: String| Quote {
            statutory: 0,
            personal: total,
            remark: Some(Anomaly::error(code, reason)),
        };
        let Some(act) = self.act(code) else {
            return refused(0, "ACTE_INCONNU", "Le code d'acte est inconnu".into());
        };
        let Some(price) = act.prices.iter().rev().find(|price| price.from.as_str() <= day) else {
            return refused(0, "TARIF_ABSENT", format!("Aucun tarif de l'acte {code} ce jour-là"));
        };
        let total = price.cents * times;
        if let Some(refusal) = &act.refusal {
            return refused(
                total,
                "ACTE_NON_ELIGIBLE",
                format!("L'acte {code} n'est pas payable par PID : {refusal}"),
            );
        }
        let rate = if minor { MINORS } else { ADULTS };
        let statutory = (total * rate + 50) / 100;
        Quote {
            statutory,
            personal: total - statutory,
            remark: act
                .warning
                .as_ref()
                .map(|warning| Anomaly::warning("ACTE_A_VERIFIER", format!("Acte {code}, {warning}"))),
        }
    }

    fn act(&self, code: &str) -> Option<&Act> {
        self.acts.iter().find(|act| act.code == code)
    }
}

#[cfg(test)]
mod tests {
    use super::Tariff;

    #[test]
    fn shares_are_rounded_to_the_cent_and_add_up() {
        let tariff = Tariff::read().unwrap();
        let share = |code: &str, day: &str, times, minor| {
            let quote = tariff.quote(code, day, times, minor);
            (quote.statutory, quote.personal, quote.is_accepted())
        };
        assert_eq!(share("C1", "2026-10-21", 1, false), (4611, 629, true));
        assert_eq!(share("C1", "2026-10-21", 1, true), (5240, 0, true));
        assert_eq!(share("C1", "2025-12-31", 1, false), (4497, 613, true), "the price of that year");
        assert_eq!(share("C3", "2026-10-21", 3, false), (6917, 943, true));
        assert_eq!(share("P50", "2026-10-21", 1, true), (0, 12000, false));
        assert_eq!(share("CP1", "2026-10-21", 2, false), (0, 5000, false));
        assert_eq!(share("C1", "2024-12-31", 1, false), (0, 0, false));
        assert_eq!(share("ZZ", "2026-10-21", 1, false), (0, 0, false));
        for act in &tariff.acts {
            for times in 1..=99 {
                let quote = tariff.quote(&act.code, "2026-10-21", times, false);
                assert_eq!(quote.total(), act.prices.last().unwrap().cents * times);
            }
        }
    }
}
