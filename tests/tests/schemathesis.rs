//! schemathesis makes requests from the OpenAPI document, right ones and wrong ones, and holds every answer against it: no 5xx, nothing
//! undocumented. The same requests at every run.

mod places;

use std::process::Command;

use econnector_tests::{project_file, venv_program};
use places::{PHYSICIAN, Place};

/// How many requests are made up for each operation, besides those at the limits of every field; a caller of another kind is asked less.
const MANY: &str = "20";
const FEW: &str = "8";

/// Always said: left to itself, schemathesis makes up values of this header, and 400 is the right answer to those. Calls without it are everywhere
/// else in the tests.
const FOR_HER: (&str, &str) = ("X-EConnector-Physician", PHYSICIAN);

/// Holds the door at this address against the document; `more` are further words for schemathesis.
fn holds(what: &str, examples: &str, base: &str, headers: &[(&str, &str)], more: &[&str]) {
    let report = tempfile::tempdir().unwrap();
    let mut command = Command::new(venv_program("schemathesis"));
    command
        .current_dir(report.path())
        .arg("--config-file")
        .arg(project_file("tests/peers/schemathesis.toml"))
        .arg("--no-color")
        .arg("run")
        .arg(project_file("docs/openapi.json"))
        .args(["--url", base, "--phases", "examples,coverage,fuzzing", "--checks", "all"])
        .args(["--generation-deterministic", "--max-examples", examples, "--continue-on-failure"])
        .args(["--request-timeout", "60", "--suppress-health-check", "all", "--warnings", "off"]);
    for (name, value) in headers {
        command.args(["-H", &format!("{name}: {value}")]);
    }
    let output = command
        .args(more)
        .output()
        .unwrap_or_else(|error| panic!("schemathesis: {error}: `cargo xtask test` installs it"));
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{what}: {said}");
    let cases = said
        .split_whitespace()
        .zip(said.split_whitespace().skip(1))
        .find(|(_, word)| *word == "generated," || *word == "generated")
        .and_then(|(number, _)| number.parse::<u32>().ok());
    assert!(cases.is_some_and(|cases| cases > 100), "{what}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hospital_server_answers_as_described_to_a_token() {
    let place = Place::hospital().await;
    let bearer = format!("Bearer {}", place.token);
    holds(
        "token",
        MANY,
        place.base(),
        &[("Authorization", &bearer), FOR_HER],
        &["--tls-verify", &place.said("ca_pem")],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hospital_server_answers_as_described_to_an_api_key() {
    let place = Place::hospital().await;
    let key = place.said("api_key");
    let headers = [("X-EConnector-Key", key.as_str()), FOR_HER];
    holds("API key", FEW, place.base(), &headers, &["--tls-verify", &place.said("ca_pem")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loopback_door_answers_as_described_to_a_token() {
    let place = Place::loopback().await;
    let bearer = format!("Bearer {}", place.token);
    let mut headers = of(&place);
    headers.extend([("Authorization", bearer.as_str()), FOR_HER]);
    holds("loopback, token", FEW, place.base(), &headers, &[]);
}

/// The physician is logged in and trusts the software for today, so nothing waits for her; whoever logs her out ends the game.
#[tokio::test(flavor = "multi_thread")]
async fn the_loopback_door_answers_as_described_in_the_desktop_s_session() {
    let place = Place::loopback().await;
    place.log_in("dr.weber").await;
    let sessions = ["--exclude-operation-id", "logout", "--exclude-operation-id", "login"];
    let calling = |for_whom| [of(&place), vec![for_whom]].concat();
    holds("loopback, session", MANY, place.base(), &calling(FOR_HER), &sessions);
    // A software that is wrong about for whom it calls.
    let for_another = ("X-EConnector-Physician", "1900000002");
    holds("loopback, another's session", FEW, place.base(), &calling(for_another), &sessions);
}

/// The window's own routes, which no other door has; on a port only here, since schemathesis cannot speak to it otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn the_window_s_routes_answer_as_described() {
    let place = Place::window_on_a_port().await;
    place.log_in("dr.weber").await;
    // A question for news waits 25 seconds by design.
    let only = ["--include-tag", "link", "--exclude-operation-id", "link"];
    holds("window", MANY, place.base(), &[], &only);
}

fn of(place: &Place) -> Vec<(&str, &str)> {
    place.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}
