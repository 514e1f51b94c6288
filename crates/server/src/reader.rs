//! Reads variables one by one and collects what is wrong with them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;

use econnector_base::Secret;
use url::Url;

use crate::wrong::{SecretSource, Wrong};

/// The variables, and what was wrong with those that were asked for.
pub(crate) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    /// Stands in for a wrong address until everything wrong has been named; never used.
    unset: Url,
    asked: RefCell<BTreeSet<String>>,
    wrong: RefCell<Vec<Wrong>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Result<Self, Wrong> {
        let unset = Url::parse("https://unset.invalid/").map_err(|error| Wrong::new("", error.to_string(), ""))?;
        Ok(Self {
            lookup,
            unset,
            asked: RefCell::default(),
            wrong: RefCell::default(),
        })
    }

    /// Everything that was wrong.
    pub(crate) fn into_wrong(self) -> Vec<Wrong> {
        self.wrong.into_inner()
    }

    pub(crate) fn wrong(&self, name: &str, what: impl Into<String>, mend: impl Into<String>) {
        self.wrong.borrow_mut().push(Wrong::new(name, what, mend));
    }

    pub(crate) fn optional(&self, name: &str) -> Option<String> {
        self.asked.borrow_mut().insert(name.to_owned());
        (self.lookup)(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn file(&self, name: &str, what: &str) -> PathBuf {
        self.optional(name)
            .unwrap_or_else(|| {
                self.wrong(name, "is not set", format!("Give the path of {what}"));
                String::new()
            })
            .into()
    }

    pub(crate) fn optional_secret(&self, name: &str) -> Option<SecretSource> {
        let variable = format!("{name}_FILE");
        let file = self.optional(&variable);
        self.asked.borrow_mut().insert(name.to_owned());
        // A password is taken as it is: a blank at its end belongs to it.
        let value = (self.lookup)(name).filter(|value| !value.is_empty());
        match (value, file) {
            (Some(_), Some(_)) => {
                self.wrong(name, format!("is set, and {variable} as well"), "Keep one of the two");
                None
            }
            (Some(value), None) => Some(SecretSource::Value(Secret::new(value))),
            (None, Some(path)) => Some(SecretSource::File {
                variable,
                path: path.into(),
            }),
            (None, None) => None,
        }
    }

    pub(crate) fn secret(&self, name: &str) -> SecretSource {
        let before = self.wrong.borrow().len();
        self.optional_secret(name).unwrap_or_else(|| {
            if self.wrong.borrow().len() == before {
                self.wrong(name, "is not set", format!("Set it, or {name}_FILE to a file that holds it"));
            }
            SecretSource::Value(Secret::new(""))
        })
    }

    pub(crate) fn now(&self, source: &SecretSource) -> Option<Secret> {
        source.read().map_err(|wrong| self.wrong.borrow_mut().push(wrong)).ok()
    }

    pub(crate) fn url(&self, name: &str, default: Option<&str>) -> Url {
        let Some(value) = self.optional(name).or_else(|| default.map(ToOwned::to_owned)) else {
            let profiles = if matches!(name, "ECONNECTOR_ISSUER" | "CCSS_URL" | "CCSS_SYNC_URL") {
                ", or SPRING_PROFILES_ACTIVE to docker-integration or docker-prod"
            } else {
                ""
            };
            self.wrong(name, "is not set", format!("Set it to the service's https address{profiles}"));
            return self.unset.clone();
        };
        if self.holds_example(
            name,
            &value,
            "KMS-HOST",
            "Put the signature service's host in its place, as INCERT gave it",
        ) {
            return self.unset.clone();
        }
        match Url::parse(&value) {
            Ok(url) if url.scheme() == "https" && url.host().is_some() && url.username().is_empty() && url.password().is_none() => url,
            _ => {
                self.wrong(
                    name,
                    "is not an https URL",
                    "Give the whole address, beginning with https://, without a login in it",
                );
                self.unset.clone()
            }
        }
    }

    /// The address of a service that is more than a host. A bare host would be taken here, and be answered by somebody else's front page.
    pub(crate) fn service(&self, name: &str, path: &str, default: Option<&str>) -> Url {
        let before = self.wrong.borrow().len();
        let url = self.url(name, default);
        if url.path().contains("//") {
            let mend = if name.starts_with("KMS_") {
                "Write one; where it is made from KMS_URL, that ends without /"
            } else {
                "Write one"
            };
            self.wrong(name, "has // in its path", mend);
        }
        if url.path() == "/" && self.wrong.borrow().len() == before {
            self.wrong(
                name,
                "names a host without a path",
                format!("Give the whole address: https://HOST{path}"),
            );
        }
        url
    }

    /// What stands in the templates where an administrator's own belongs.
    pub(crate) fn holds_example(&self, name: &str, value: &str, example: &str, mend: &str) -> bool {
        let holds = value.contains(example);
        if holds {
            self.wrong(name, format!("still holds the example's {example}"), mend);
        }
        holds
    }

    pub(crate) fn parsed<T: std::str::FromStr>(&self, name: &str, default: T, what: &str) -> T {
        match self.optional(name).map(|value| value.parse()) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(_)) => {
                self.wrong(name, format!("is not {what}"), "Correct it, or remove it to have the default");
                default
            }
        }
    }

    pub(crate) fn number<T: std::str::FromStr + PartialOrd + std::fmt::Display + Copy>(
        &self,
        name: &str,
        default: T,
        least: T,
        most: T,
    ) -> T {
        let what = format!("a number from {least} to {most}");
        let value = self.parsed(name, default, &what);
        if value < least || value > most {
            self.wrong(
                name,
                format!("is not {what}"),
                format!("Correct it, or remove it to have {default}"),
            );
        }
        value
    }

    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        match self.optional(name).map(|value| yes_or_no(&value)) {
            None => default,
            Some(Some(value)) => value,
            Some(None) => {
                self.wrong(name, "is neither true nor false", "Set it to true or false");
                default
            }
        }
    }

    /// Variables of ours that nobody reads: a slip of the pen would pass in silence.
    pub(crate) fn unknown(&self, names: &[String]) -> Vec<String> {
        let asked = self.asked.borrow();
        let ours = |name: &&String| name.starts_with("ECONNECTOR_") && !asked.contains(*name);
        names
            .iter()
            .filter(ours)
            .map(|name| format!("{name} is not known: nothing reads it"))
            .collect()
    }
}

/// `true` and `yes`, `false` and `no`, in any case.
pub(crate) fn yes_or_no(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "on" => Some(true),
        "false" | "no" | "0" | "off" => Some(false),
        _ => None,
    }
}
