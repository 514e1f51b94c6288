//! The Postman collection: docs/postman_collection.json, made of docs/openapi.json by a program that Postman publishes.

use std::fs;
use std::process::{Command, Stdio};

use crate::process::{Outcome, root};

const COLLECTION: &str = "docs/postman_collection.json";

/// Writes the collection anew.
pub(crate) fn write() -> Outcome {
    let collection = converted()?;
    fs::write(root().join(COLLECTION), collection).map_err(|error| format!("{COLLECTION}: {error}"))
}

/// The collection says what the description says.
pub(crate) fn check() -> Outcome {
    let found = fs::read_to_string(root().join(COLLECTION)).unwrap_or_default();
    if found == converted()? {
        Ok(())
    } else {
        Err(format!("{COLLECTION} is out of step: run `cargo xtask generate`"))
    }
}

fn converted() -> Outcome<String> {
    eprintln!("> node tests/peers/postman.mjs docs/openapi.json");
    let output = Command::new("node")
        .current_dir(root())
        .args(["tests/peers/postman.mjs", "docs/openapi.json"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("node: {error}"))?;
    if !output.status.success() {
        return Err(format!("tests/peers/postman.mjs failed ({})", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("tests/peers/postman.mjs: {error}"))
}
