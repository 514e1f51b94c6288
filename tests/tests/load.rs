//! The hospital's server under a load that CI can bear: every answer right, every document deposited exactly once, memory that does not
//! grow with what was sent. How fast it is and how much it takes is `cargo xtask bench`'s affair.

mod hospital;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hospital::{Hospital, Server};
use reqwest::StatusCode;
use serde_json::Value;
use uuid::Uuid;

const CALLERS: usize = 8;
/// In each half; the second is compared with the first.
const DOCUMENTS: usize = 75;
/// Every so manieth document is sent twice at the same time, as an engine does that lost its patience.
const TWICE: usize = 5;
/// What the second half may add, in kilobytes: hardly one was seen. Documents kept for good would add 130 each, with their layouts a thousand.
const GROWTH: u64 = 8 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn every_document_of_many_at_once_is_deposited_exactly_once_and_memory_does_not_grow_with_them() {
    let hospital = Arc::new(Hospital::open().await);
    let server = Server::start(&hospital, &hospital.variables()).await;
    let caller = Arc::new(Caller {
        client: hospital.client(None),
        url: format!("{}/econnector/v1/documents", server.url),
        token: hospital.token().await,
    });
    let resident = || resident_kilobytes(server.child.id());

    let mut ids = half(&hospital, &caller).await;
    let after_the_first = resident();
    ids.extend(half(&hospital, &caller).await);
    let after_the_second = resident();

    let mut deposited: BTreeMap<Uuid, usize> = ids.iter().map(|id| (*id, 0)).collect();
    assert_eq!(deposited.len(), 2 * DOCUMENTS);
    for exchange in hospital.control().exchanges().await {
        assert_eq!(exchange["outcome"], "accepted");
        let id = cut(exchange["envelope"].as_str().unwrap(), "<UUID>", "</UUID>").parse().unwrap();
        *deposited.get_mut(&id).expect("nobody sent this id") += 1;
    }
    let not_once: Vec<_> = deposited.iter().filter(|(_, times)| **times != 1).collect();
    assert!(not_once.is_empty(), "{not_once:?}");
    assert!(
        after_the_second < after_the_first + GROWTH,
        "{after_the_first} kB after {DOCUMENTS} documents, {after_the_second} kB after twice as many"
    );
}

struct Caller {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Caller {
    /// Sends one document and reads everything of the answer that must be there.
    async fn send(&self, hospital: &Hospital, id: Uuid) -> StatusCode {
        let request = self.client.post(&self.url).bearer_auth(&self.token).json(&hospital.note(id));
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let document: Value = answer.json().await.unwrap();
        assert!(matches!(status, StatusCode::CREATED | StatusCode::OK), "{status}: {document}");
        assert_eq!(document["id"], id.to_string());
        assert_eq!(document["state"], "deposited");
        assert!(
            document["receipt"]["reference"]
                .as_str()
                .is_some_and(|reference| !reference.is_empty())
        );
        let volets: Vec<_> = document["volets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|volet| (&volet["name"], &volet["signed"]))
            .collect();
        assert_eq!(
            serde_json::to_value(volets).unwrap(),
            serde_json::json!([["caisse", true], ["employeur", false], ["assure", false]])
        );
        assert!(
            document["volets"][0]["content"].as_str().unwrap().starts_with("JVBERi0"),
            "a PDF in base64"
        );
        status
    }
}

/// Documents by several callers, each sending its next when the last is answered.
async fn half(hospital: &Arc<Hospital>, caller: &Arc<Caller>) -> Vec<Uuid> {
    let next = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (hospital, caller, next) = (Arc::clone(hospital), Arc::clone(caller), Arc::clone(&next));
            tokio::spawn(async move {
                let mut ids = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= DOCUMENTS {
                        return ids;
                    }
                    let id = Uuid::new_v4();
                    if number % TWICE == 0 {
                        let mut both: [StatusCode; 2] = tokio::join!(caller.send(&hospital, id), caller.send(&hospital, id)).into();
                        both.sort();
                        assert_eq!(both, [StatusCode::OK, StatusCode::CREATED]);
                    } else {
                        assert_eq!(caller.send(&hospital, id).await, StatusCode::CREATED);
                    }
                    ids.push(id);
                }
            })
        })
        .collect();
    let mut ids = Vec::new();
    for caller in callers {
        ids.extend(caller.await.unwrap());
    }
    ids
}

/// `VmRSS`.
fn resident_kilobytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn cut<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, behind) = text.split_once(from).unwrap_or_else(|| panic!("no {from}"));
    behind.split_once(to).unwrap_or_else(|| panic!("no {to}")).0
}
