//! Every text there is, in every language: of the window, of problems, of findings, of each form and its code lists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process::{Outcome, root};

const LANGUAGES: [&str; 4] = ["fr", "de", "en", "lb"];

/// Nothing more needs saying in production.
const MAY_BE_EMPTY: &[&str] = &["env.production.more"];

/// The same texts in all languages.
struct Family {
    name: String,
    texts: BTreeMap<String, BTreeMap<String, String>>,
}

pub(crate) fn check() -> Outcome {
    eprintln!(
        "> texts (window, problems, findings, forms, code lists) in {}",
        LANGUAGES.join(", ")
    );
    let wrong: Vec<String> = families()?.iter().flat_map(Family::complaints).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

impl Family {
    /// What is missing, left over or empty.
    fn complaints(&self) -> Vec<String> {
        let every: BTreeSet<&String> = self.texts.values().flat_map(BTreeMap::keys).collect();
        let mut wrong = Vec::new();
        for language in LANGUAGES {
            let Some(texts) = self.texts.get(language) else {
                wrong.push(format!("{}: nothing in {language}", self.name));
                continue;
            };
            for key in &every {
                match texts.get(*key) {
                    None => wrong.push(format!("{}: {key} is missing in {language}", self.name)),
                    Some(text) if text.trim().is_empty() && !MAY_BE_EMPTY.contains(&key.as_str()) => {
                        wrong.push(format!("{}: {key} says nothing in {language}", self.name));
                    }
                    Some(_) => {}
                }
            }
        }
        let unknown = self.texts.keys().filter(|language| !LANGUAGES.contains(&language.as_str()));
        wrong.extend(unknown.map(|language| format!("{}: {language} is none of ours", self.name)));
        wrong
    }
}

fn families() -> Outcome<Vec<Family>> {
    let mut all = Vec::new();
    for folder in ["ui/src/texts", "crates/connector/texts", "crates/forms/texts"] {
        all.extend(of_folder(&root().join(folder))?);
    }
    for pack in sorted(&root().join("forms"))?.iter().filter(|pack| pack.is_dir()) {
        all.extend(of_folder(&pack.join("texts"))?);
        if pack.join("codes").is_dir() {
            for list in sorted(&pack.join("codes"))? {
                all.push(of_code_list(&list)?);
            }
        }
    }
    Ok(all)
}

/// `fr.json`, `de.json`…, or `problems.fr.json`, `problems.de.json`…
fn of_folder(folder: &Path) -> Outcome<Vec<Family>> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for file in sorted(folder)? {
        let name = name_of(&file);
        let Some(stem) = name.strip_suffix(".json") else { continue };
        let (prefix, language) = stem.rsplit_once('.').unwrap_or(("", stem));
        let family = families.entry(prefix.to_owned()).or_insert_with(|| Family {
            name: format!("{}/{prefix}", shown(folder)),
            texts: BTreeMap::new(),
        });
        let mut texts = BTreeMap::new();
        flatten("", &read(&file)?, &mut texts);
        family.texts.insert(language.to_owned(), texts);
    }
    if families.is_empty() {
        return Err(format!("{}: no texts", shown(folder)));
    }
    Ok(families.into_values().collect())
}

/// `{"codes": [{"code": …, "labels": {"fr": …}}]}`
fn of_code_list(file: &Path) -> Outcome<Family> {
    let list = read(file)?;
    let entries = list["codes"].as_array().ok_or_else(|| format!("{}: no codes", shown(file)))?;
    let mut texts: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for entry in entries {
        let code = entry["code"].as_str().unwrap_or_default();
        for (language, label) in entry["labels"].as_object().into_iter().flatten() {
            let label = label.as_str().unwrap_or_default().to_owned();
            texts.entry(language.clone()).or_default().insert(code.to_owned(), label);
        }
    }
    Ok(Family { name: shown(file), texts })
}

/// `{"a": {"b": "text"}}` as `a.b`.
fn flatten(path: &str, value: &Value, texts: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(entries) => {
            for (key, inner) in entries {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, inner, texts);
            }
        }
        other => {
            texts.insert(path.to_owned(), other.as_str().unwrap_or_default().to_owned());
        }
    }
}

fn read(file: &Path) -> Outcome<Value> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", shown(file)))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", shown(file)))
}

fn sorted(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", shown(folder)))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    Ok(files)
}

fn name_of(file: &Path) -> &str {
    file.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_taken_away_or_emptied_is_missed() {
        let all = families().unwrap();
        assert!(all.len() > 4, "window, problems, findings, a form and its codes");
        for mut family in all {
            assert_eq!(family.complaints(), Vec::<String>::new());
            for language in LANGUAGES {
                let keys: Vec<String> = family.texts[language].keys().cloned().collect();
                assert!(!keys.is_empty(), "{} in {language}", family.name);
                // Some twenty of each: the work grows with the square.
                for key in keys.iter().step_by(1 + keys.len() / 20).cloned() {
                    let texts = family.texts.get_mut(language).unwrap();
                    let text = texts.remove(&key).unwrap();
                    assert_eq!(family.complaints(), [format!("{}: {key} is missing in {language}", family.name)]);
                    if !MAY_BE_EMPTY.contains(&key.as_str()) {
                        family.texts.get_mut(language).unwrap().insert(key.clone(), " ".to_owned());
                        assert_eq!(family.complaints(), [format!("{}: {key} says nothing in {language}", family.name)]);
                    }
                    family.texts.get_mut(language).unwrap().insert(key, text);
                }
            }
        }
    }

    #[test]
    fn a_whole_language_is_missed_too() {
        let mut family = families().unwrap().remove(0);
        let texts = family.texts.remove("lb").unwrap();
        assert_eq!(family.complaints(), [format!("{}: nothing in lb", family.name)]);
        family.texts.insert("lx".to_owned(), texts);
        assert_eq!(family.complaints().last().unwrap(), &format!("{}: lx is none of ours", family.name));
    }
}
