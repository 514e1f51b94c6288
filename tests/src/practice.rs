use std::path::{Path, PathBuf};

use http::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::stage::browser;
use crate::{Answer, patiently, sick_note};

/// A practice software on the physician's computer: it knows what stands in the connection file, and speaks HTTP.
#[derive(Clone)]
pub struct Practice {
    http: reqwest::Client,
    url: String,
    headers: Vec<(String, String)>,
}

impl Practice {
    /// Calls itself by this name; waits until the program that lives in this home listens.
    ///
    /// # Panics
    /// When the connection file says something else than it should.
    pub async fn of(home: &Path, software: &str) -> Self {
        let connection = patiently(|| read(home)).await;
        let key = connection["key"].as_str().unwrap();
        Self::at(connection["url"].as_str().unwrap())
            .with("X-EConnector-Key", key)
            .with("X-EConnector-Software", software)
    }

    /// Somebody who knows only the address.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self {
            http: browser(None),
            url: url.to_owned(),
            headers: Vec::new(),
        }
    }

    /// Sends this header with every request, in place of an earlier one of its name.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Acts with this token, not in the session of the window.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        self.with("Authorization", &format!("Bearer {token}"))
    }

    /// Where the program listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Issues the pack's illness example under an id, with some values changed.
    pub async fn issue(&self, id: Uuid, changes: Value) -> Answer {
        let body = serde_json::json!({ "id": id, "kind": "ecit", "values": sick_note(changes) });
        self.post("/econnector/v1/documents", &body).await
    }

    /// One request.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap().to_vec(),
        }
    }
}

/// The connection file of the program that lives in this home.
#[must_use]
pub fn connection_file(home: &Path) -> PathBuf {
    home.join("data/lu.econnector.desktop/connection.json")
}

fn read(home: &Path) -> Option<Value> {
    let text = std::fs::read(connection_file(home)).ok()?;
    serde_json::from_slice(&text).ok()
}
