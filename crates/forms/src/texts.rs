//! Sentences with values in them, in four languages: minijinja templates named by language and code.

use std::collections::BTreeMap;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, State, UndefinedBehavior};
use serde_json::{Map, Value};

use crate::{Lang, PackError, amount, values};

/// What the program itself says about a field, whatever the pack.
const OWN: [(Lang, &str); 4] = [
    (Lang::Fr, include_str!("../texts/fr.json")),
    (Lang::De, include_str!("../texts/de.json")),
    (Lang::En, include_str!("../texts/en.json")),
    (Lang::Lb, include_str!("../texts/lb.json")),
];

/// Every sentence about findings and facts.
pub(crate) struct Sentences(Environment<'static>);

impl Sentences {
    /// Starts with the program's own sentences.
    pub(crate) fn new() -> Result<Self, PackError> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(10_000));
        environment.add_filter("date", |day: String| values::parse_iso(&day).map_or(day, values::shown));
        environment.add_filter("money", |state: &State<'_, '_>, cents: i64| {
            amount::shown(cents, language(state.name()).unwrap_or_default())
        });
        let mut sentences = Self(environment);
        for (lang, texts) in OWN {
            let texts: BTreeMap<String, String> =
                serde_json::from_str(texts).map_err(|e| PackError::broken(format!("{}.json", lang.code()), e))?;
            for (code, text) in texts {
                sentences
                    .add(lang, &code, text)
                    .map_err(|e| PackError::broken(format!("{}.json", lang.code()), e))?;
            }
        }
        Ok(sentences)
    }

    /// Adds one; a pack may put its own words in the place of the program's.
    pub(crate) fn add(&mut self, lang: Lang, code: &str, text: String) -> Result<(), String> {
        self.0
            .add_template_owned(name(lang, code), text)
            .map_err(|e| format!("text of \"{code}\": {e}"))
    }

    /// The sentence with its values; `None` when it is missing or asks for a value that is not there.
    pub(crate) fn say(&self, lang: Lang, code: &str, params: &Map<String, Value>) -> Option<String> {
        let template = self.0.get_template(&name(lang, code)).ok()?;
        template.render(Serde(params)).ok()
    }
}

fn name(lang: Lang, code: &str) -> String {
    format!("{}/{code}", lang.code())
}

fn language(name: &str) -> Option<Lang> {
    Lang::of_tag(name.split('/').next()?)
}
