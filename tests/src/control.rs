use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::stage::browser;

/// Where the stand-ins inside the program are asked what they saw; the program tells it in its log.
#[derive(Clone)]
pub struct Control(String);

impl Control {
    /// Of the program that lives in this home, once it has said it.
    pub async fn of(home: &Path) -> Self {
        patiently(|| {
            let log = std::fs::read_to_string(home.join("state/program.log")).unwrap_or_default();
            let address = log.split("control=").nth(1)?.split_whitespace().next()?;
            Some(Self::at(address))
        })
        .await
    }

    /// At this address.
    #[must_use]
    pub fn at(address: &str) -> Self {
        Self(address.to_owned())
    }

    /// What a control route says.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn get(&self, path: &str) -> Value {
        browser(None)
            .get(format!("{}{path}", self.0))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// A list that a control route gives.
    pub async fn recorded(&self, path: &str) -> Vec<Value> {
        self.get(path).await.as_array().cloned().unwrap_or_default()
    }

    /// The business requests that reached mySecu, oldest first.
    pub async fn exchanges(&self) -> Vec<Value> {
        let mut all = self.recorded("/mysecu/exchanges").await;
        all.retain(|exchange| exchange["model_uid"].is_string());
        all
    }

    /// The one business request of this model.
    ///
    /// # Panics
    /// When there is none, or more than one.
    pub async fn exchange(&self, model: &str) -> Value {
        let mut found = self.exchanges().await;
        found.retain(|exchange| exchange["model_uid"] == model);
        assert_eq!(found.len(), 1, "requests of {model}");
        found.remove(0)
    }

    /// A token in a physician's name for somebody whom AeS lets exchange, by the real service's exchange.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn token_of(&self, ehealth_id: &str) -> String {
        let ready = self.get("/ready").await;
        let said = |name: &str| ready[name].as_str().unwrap_or_else(|| panic!("{name} in {ready}")).to_owned();
        let ca = std::fs::read(said("ca_pem")).unwrap();
        let answer = browser(Some(&ca))
            .post(said("token_endpoint"))
            .form(&[
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("client_id", &said("client_id")),
                ("client_secret", &said("client_secret")),
                ("requested_subject", ehealth_id),
                ("audience", &said("audience")),
            ])
            .send()
            .await
            .unwrap();
        let body: Value = answer.json().await.unwrap();
        body["access_token"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
    }

    /// Switches a fault on.
    ///
    /// # Panics
    /// When the control door refuses it.
    pub async fn fault(&self, fault: Value) {
        let sent = browser(None).post(format!("{}/faults", self.0)).json(&fault).send().await;
        let answer = sent.unwrap();
        assert!(answer.status().is_success(), "{fault}: {}", answer.text().await.unwrap());
    }

    /// Ends every session at AeS, as a night does; access tokens that were given out live on.
    ///
    /// # Panics
    /// When the control door does not answer.
    pub async fn end_sessions(&self) {
        let answer = browser(None).delete(format!("{}/aes/sessions", self.0)).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// Switches every fault off.
    ///
    /// # Panics
    /// When the control door does not answer.
    pub async fn no_faults(&self) {
        let answer = browser(None).delete(format!("{}/faults", self.0)).send().await.unwrap();
        assert!(answer.status().is_success());
    }
}

/// Asks again and again, for half a minute.
///
/// # Panics
/// When nothing comes.
pub async fn patiently<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..150 {
        if let Some(answer) = ask() {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("nothing came")
}
