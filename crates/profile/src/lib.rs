//! What a practice types once: name, address, codes, bank text, favourites. One small JSON file for each physician, or memory
//! alone. About practitioners only: nothing of a patient has a field here.

mod store;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use store::{ProfileError, Profiles};

/// A physician's own data, as printed on forms and sent in their headers. Empty texts mean: not given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// `Dr`, …; 50 characters.
    pub title: String,
    /// 150 characters.
    pub last_name: String,
    /// 100 characters.
    pub first_name: String,
    /// House number; 20 characters.
    pub number: String,
    /// 80 characters.
    pub street: String,
    /// 15 characters.
    pub postal_code: String,
    /// 80 characters.
    pub locality: String,
    /// Two letters, `LU`.
    pub country: String,
    /// 24 characters.
    pub phone: String,
    /// 24 characters.
    pub fax: String,
    /// 100 characters.
    pub email: String,
    /// What the payer reads below a fee note; may hold line breaks, 2500 characters.
    pub bank_text: String,
    /// To whom money goes: the physician, an association, a hospital. At most 20.
    pub billing_codes: Vec<BillingCode>,
    /// By code list (`diagnosis`, `tariff`), the codes this physician uses most. Codes alone, never with a patient.
    pub favourites: BTreeMap<String, Vec<String>>,
    /// The printer to use; the system's default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub printer: Option<String>,
    /// Whose profile it is, as the last login said; what a caller sends here is ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub physician: Option<Practitioner>,
}

/// What a login says of a physician. Kept, so that a form on paper needs no login: nobody knows her eHealthID by heart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Practitioner {
    /// 10 digits.
    pub ehealth_id: String,
    /// As in the token.
    pub name: String,
    /// 8 digits each.
    pub provider_codes: Vec<String>,
}

/// One account that money can go to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BillingCode {
    /// Provider code, 8 digits.
    pub code: String,
    /// What the physician calls it; 60 characters.
    pub label: String,
}

/// One field that cannot be kept as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Longer than so many characters.
    TooLong(usize),
    /// Holds a control character, or a line break where none belongs.
    NotPrintable,
    /// No provider code: 8 digits, the first not 0.
    NoProviderCode,
    /// No two capital letters.
    NoCountry,
    /// No e-mail address.
    NoEmail,
    /// More entries than so many.
    TooMany(usize),
    /// No code: letters, digits, point and dash, at most 20 characters.
    NoCode,
    /// The same entry twice.
    Twice,
}

const MOST_BILLING_CODES: usize = 20;
const MOST_LISTS: usize = 20;
const MOST_FAVOURITES: usize = 200;
const LONGEST_CODE: usize = 20;

impl Profile {
    /// Fills what was never typed from what the login said: the name, split, and the provider codes.
    #[must_use]
    pub fn filled(mut self) -> Self {
        if let Some(physician) = self.physician.clone() {
            self.fill(&physician.name, &physician.provider_codes);
        }
        self
    }

    fn fill(&mut self, name: &str, provider_codes: &[String]) {
        if self.last_name.is_empty() && self.first_name.is_empty() {
            let mut words: Vec<&str> = name.split_whitespace().collect();
            let titles = words.iter().take_while(|word| is_title(word)).count();
            let rest = words.split_off(titles);
            if self.title.is_empty() {
                self.title = words.join(" ");
            }
            match rest.split_first() {
                Some((only, [])) => self.last_name = (*only).to_owned(),
                Some((first, last)) => {
                    self.first_name = (*first).to_owned();
                    self.last_name = last.join(" ");
                }
                None => {}
            }
        }
        if self.billing_codes.is_empty() {
            let billing = |code: &String| BillingCode {
                code: code.clone(),
                label: String::new(),
            };
            self.billing_codes = provider_codes.iter().map(billing).collect();
        }
    }

    /// The same without spaces around what was typed.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        let texts = [
            &mut self.title,
            &mut self.last_name,
            &mut self.first_name,
            &mut self.number,
            &mut self.street,
            &mut self.postal_code,
            &mut self.locality,
            &mut self.country,
            &mut self.phone,
            &mut self.fax,
            &mut self.email,
            &mut self.bank_text,
        ];
        let billing = self
            .billing_codes
            .iter_mut()
            .flat_map(|billing| [&mut billing.code, &mut billing.label]);
        for text in texts.into_iter().chain(billing) {
            *text = text.trim().to_owned();
        }
        self.printer = self.printer.filter(|printer| !printer.trim().is_empty());
        self
    }

    /// Everything wrong, each with the path of its field: `street`, `billing_codes.0.code`, `favourites.tariff.3`.
    #[must_use]
    pub fn faults(&self) -> Vec<(String, Fault)> {
        let mut faults = Vec::new();
        let lines = [
            ("title", &self.title, 50),
            ("last_name", &self.last_name, 150),
            ("first_name", &self.first_name, 100),
            ("number", &self.number, 20),
            ("street", &self.street, 80),
            ("postal_code", &self.postal_code, 15),
            ("locality", &self.locality, 80),
            ("phone", &self.phone, 24),
            ("fax", &self.fax, 24),
            ("email", &self.email, 100),
        ];
        for (field, text, most) in lines {
            faults.extend(line(text, most).map(|fault| (field.to_owned(), fault)));
        }
        if !self.country.is_empty() && !is_country(&self.country) {
            faults.push(("country".to_owned(), Fault::NoCountry));
        }
        if !self.email.is_empty() && !is_email(&self.email) {
            faults.push(("email".to_owned(), Fault::NoEmail));
        }
        if self.bank_text.chars().count() > 2500 {
            faults.push(("bank_text".to_owned(), Fault::TooLong(2500)));
        }
        if self.bank_text.chars().any(|c| c.is_control() && c != '\n') {
            faults.push(("bank_text".to_owned(), Fault::NotPrintable));
        }
        if let Some(printer) = &self.printer {
            faults.extend(line(printer, 127).map(|fault| ("printer".to_owned(), fault)));
        }
        self.billing_faults(&mut faults);
        self.favourite_faults(&mut faults);
        faults
    }

    fn billing_faults(&self, faults: &mut Vec<(String, Fault)>) {
        if self.billing_codes.len() > MOST_BILLING_CODES {
            faults.push(("billing_codes".to_owned(), Fault::TooMany(MOST_BILLING_CODES)));
            return;
        }
        for (index, billing) in self.billing_codes.iter().enumerate() {
            let at = |what: &str| format!("billing_codes.{index}.{what}");
            if !is_provider_code(&billing.code) {
                faults.push((at("code"), Fault::NoProviderCode));
            } else if self.billing_codes.iter().take(index).any(|earlier| earlier.code == billing.code) {
                faults.push((at("code"), Fault::Twice));
            }
            faults.extend(line(&billing.label, 60).map(|fault| (at("label"), fault)));
        }
    }

    fn favourite_faults(&self, faults: &mut Vec<(String, Fault)>) {
        if self.favourites.len() > MOST_LISTS {
            faults.push(("favourites".to_owned(), Fault::TooMany(MOST_LISTS)));
            return;
        }
        for (list, codes) in &self.favourites {
            if !is_list_name(list) {
                faults.push(("favourites".to_owned(), Fault::NoCode));
                continue;
            }
            if codes.len() > MOST_FAVOURITES {
                faults.push((format!("favourites.{list}"), Fault::TooMany(MOST_FAVOURITES)));
                continue;
            }
            for (index, code) in codes.iter().enumerate() {
                let fault = if !is_code(code) {
                    Fault::NoCode
                } else if codes.iter().take(index).any(|earlier| earlier == code) {
                    Fault::Twice
                } else {
                    continue;
                };
                faults.push((format!("favourites.{list}.{index}"), fault));
            }
        }
    }
}

fn is_title(word: &str) -> bool {
    word.ends_with('.') || ["Dr", "Drs", "Prof", "PD"].contains(&word)
}

fn line(text: &str, most: usize) -> Option<Fault> {
    if text.chars().count() > most {
        Some(Fault::TooLong(most))
    } else if text.chars().any(char::is_control) {
        Some(Fault::NotPrintable)
    } else {
        None
    }
}

fn is_provider_code(code: &str) -> bool {
    code.len() == 8 && code.bytes().all(|b| b.is_ascii_digit()) && !code.starts_with('0')
}

fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase())
}

/// Enough to catch what was typed into the wrong field; whether the address exists only a letter can tell.
fn is_email(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains('@')) && !text.contains(char::is_whitespace)
}

fn is_code(code: &str) -> bool {
    (1..=LONGEST_CODE).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}

fn is_list_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weber() -> Profile {
        Profile {
            title: "Dr".into(),
            last_name: "Weber".into(),
            first_name: "Anne".into(),
            country: "LU".into(),
            email: "cabinet@weber.example".into(),
            bank_text: "IBAN LU00 0000\nBIC XXXX".into(),
            billing_codes: vec![BillingCode {
                code: "90000101".into(),
                label: "Cabinet".into(),
            }],
            favourites: BTreeMap::from([("tariff".into(), vec!["C1".into(), "E10".into()])]),
            ..Profile::default()
        }
    }

    #[test]
    fn what_fits_on_a_form_is_kept() {
        assert_eq!(weber().faults(), []);
        assert_eq!(Profile::default().faults(), [], "an empty profile is a beginning, not a fault");
    }

    #[test]
    fn what_was_never_typed_comes_from_the_login() {
        let codes = ["90000101".to_owned()];
        for (name, title, first, last) in [
            ("Dr Anne Weber", "Dr", "Anne", "Weber"),
            ("Prof. Dr. Jean de la Croix", "Prof. Dr.", "Jean", "de la Croix"),
            ("Weber", "", "", "Weber"),
            ("", "", "", ""),
        ] {
            let mut profile = Profile::default();
            profile.fill(name, &codes);
            assert_eq!(
                (profile.title.as_str(), profile.first_name.as_str(), profile.last_name.as_str()),
                (title, first, last)
            );
            assert_eq!(profile.billing_codes.len(), 1);
        }
        let mut typed = Profile {
            title: String::new(),
            ..weber()
        };
        typed.fill("Dr Somebody Else", &["90000999".to_owned()]);
        assert_eq!(
            typed,
            Profile {
                title: String::new(),
                ..weber()
            },
            "what was typed stands"
        );
    }

    #[test]
    fn everything_wrong_is_named_with_its_field() {
        let wrong = Profile {
            street: "x".repeat(81),
            phone: "1\n2".into(),
            country: "lu".into(),
            email: "weber".into(),
            billing_codes: vec![
                BillingCode {
                    code: "90000101".into(),
                    ..BillingCode::default()
                },
                BillingCode {
                    code: "90000101".into(),
                    ..BillingCode::default()
                },
                BillingCode {
                    code: "9000010".into(),
                    ..BillingCode::default()
                },
            ],
            favourites: BTreeMap::from([("tariff".into(), vec!["C1".into(), "C 1".into(), "C1".into()])]),
            ..weber()
        };
        let expected = [
            ("street", Fault::TooLong(80)),
            ("phone", Fault::NotPrintable),
            ("country", Fault::NoCountry),
            ("email", Fault::NoEmail),
            ("billing_codes.1.code", Fault::Twice),
            ("billing_codes.2.code", Fault::NoProviderCode),
            ("favourites.tariff.1", Fault::NoCode),
            ("favourites.tariff.2", Fault::Twice),
        ];
        assert_eq!(wrong.faults(), expected.map(|(field, fault)| (field.to_owned(), fault)));
    }
}
