//! A sandbox, browsers and practice software for it, and other people's programs as judges.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::string_slice)]

use std::{collections::HashMap, path::Path, process::Command};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL},
};
use bergshamra::{DsigContext, KeysManager};
use econnector_sandbox::{Ready, Sandbox, SandboxOptions};
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use reqwest::{Certificate, Client, Identity, StatusCode, header::LOCATION, redirect::Policy};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

pub const VERIFIER: &str = "a-verifier-that-is-long-enough-for-the-rule-of-43-characters";
pub const CALLBACK: &str = "http://127.0.0.1:49152/callback";

pub async fn sandbox() -> Sandbox {
    Sandbox::start(SandboxOptions::default()).await.unwrap()
}

/// A browser or a program without a client certificate.
pub fn client(ready: &Ready) -> Client {
    builder(ready).build().unwrap()
}

/// The same, for whom `host` is at `address`.
pub fn client_that_finds(ready: &Ready, host: &str, address: std::net::SocketAddr) -> Client {
    builder(ready).resolve(host, address).build().unwrap()
}

/// Dr Weber's practice.
pub fn weber(ready: &Ready) -> Practice {
    practice(ready, &ready.client_p12)
}

/// The practice, by its p12.
pub fn practice(ready: &Ready, p12: &Path) -> Practice {
    let store = KeyStore::from_pkcs12(&std::fs::read(p12).unwrap(), &ready.client_p12_password, Pkcs12ImportPolicy::Strict).unwrap();
    let (_, chain) = store.private_key_chain().unwrap();
    let key = pem("PRIVATE KEY", chain.key().as_der());
    let certificate = chain.certs()[0].as_der().to_vec();
    let identity = Identity::from_pem(format!("{key}{}", pem("CERTIFICATE", &certificate)).as_bytes()).unwrap();
    Practice {
        client: builder(ready).identity(identity).build().unwrap(),
        key,
        certificate,
    }
}

fn builder(ready: &Ready) -> reqwest::ClientBuilder {
    rustls::crypto::ring::default_provider().install_default().ok();
    let ca = Certificate::from_pem(&std::fs::read(&ready.ca_pem).unwrap()).unwrap();
    Client::builder()
        .tls_certs_only([ca])
        .no_proxy()
        .redirect(Policy::none())
        .cookie_store(true)
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = BASE64.encode(der);
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

// AeS.

pub fn challenge() -> String {
    BASE64URL.encode(Sha256::digest(VERIFIER))
}

pub async fn discovery(ready: &Ready, client: &Client) -> Value {
    client
        .get(format!("{}/.well-known/openid-configuration", ready.issuer))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

pub async fn authorization_url(ready: &Ready, client: &Client, extra: &[(&str, &str)]) -> Url {
    let endpoint = discovery(ready, client).await["authorization_endpoint"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut parameters: Vec<(&str, String)> = vec![
        ("response_type", "code".into()),
        ("client_id", "econnector".into()),
        ("redirect_uri", CALLBACK.into()),
        ("scope", "openid profile".into()),
        ("state", "the-state".into()),
        ("nonce", "the-nonce".into()),
        ("code_challenge", challenge()),
        ("code_challenge_method", "S256".into()),
    ];
    for (name, value) in extra {
        parameters.retain(|(other, _)| other != name);
        if !value.is_empty() {
            parameters.push((name, (*value).into()));
        }
    }
    Url::parse_with_params(&endpoint, parameters).unwrap()
}

/// The address the login form posts to.
pub fn form_action(page: &Url, html: &str) -> Url {
    page.join(
        &html
            .split_once("action=\"")
            .unwrap()
            .1
            .split_once('"')
            .unwrap()
            .0
            .replace("&amp;", "&"),
    )
    .unwrap()
}

/// Logs in through the page; answers the callback's parameters.
pub async fn log_in(ready: &Ready, client: &Client, username: &str, password: &str) -> HashMap<String, String> {
    let url = authorization_url(ready, client, &[]).await;
    let html = client.get(url.clone()).send().await.unwrap().text().await.unwrap();
    let answer = client
        .post(form_action(&url, &html))
        .form(&[("username", username), ("password", password)])
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND);
    callback(&answer)
}

pub fn callback(answer: &reqwest::Response) -> HashMap<String, String> {
    let location = Url::parse(answer.headers()[LOCATION].to_str().unwrap()).unwrap();
    assert!(location.as_str().starts_with(CALLBACK), "{location}");
    location.query_pairs().into_owned().collect()
}

pub async fn token(ready: &Ready, client: &Client, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let answer = client.post(&ready.token_endpoint).form(form).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

pub async fn by_code(ready: &Ready, client: &Client, code: &str, verifier: &str) -> (StatusCode, Value) {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "econnector"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", verifier),
    ];
    token(ready, client, &form).await
}

pub async fn refresh(ready: &Ready, client: &Client, refresh_token: &str) -> (StatusCode, Value) {
    token(
        ready,
        client,
        &[
            ("grant_type", "refresh_token"),
            ("client_id", "econnector"),
            ("refresh_token", refresh_token),
        ],
    )
    .await
}

/// An access token, the long way.
pub async fn access_token(ready: &Ready, username: &str, password: &str) -> String {
    let client = client(ready);
    let code = log_in(ready, &client, username, password).await["code"].clone();
    let (status, tokens) = by_code(ready, &client, &code, VERIFIER).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    tokens["access_token"].as_str().unwrap().to_owned()
}

pub fn claims(token: &str) -> Value {
    serde_json::from_slice(&BASE64URL.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

// KMS.

pub async fn kms(ready: &Ready, path: &str, token: &str, body: Value) -> (StatusCode, Value) {
    let url = format!("{}/api/v3/{path}", ready.kms);
    let answer = client(ready)
        .post(url)
        .bearer_auth(token)
        .header("X-Correlation-Id", "abc")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["x-correlation-id"], "abc");
    (answer.status(), answer.json().await.unwrap())
}

pub fn data(answer: &Value) -> Vec<u8> {
    BASE64.decode(answer["data"].as_str().unwrap()).unwrap()
}

// mySecu.

pub const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
pub const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
pub const ECIT_DEPOSIT: &str = "2026_ECIT_DEPOT-V1";
pub const ECIT_CANCELLATION: &str = "2026_ECIT_ANNUL-V1";
pub const MH_DEPOSIT: &str = "2022_CNS_MEMHON_DEPOT-V1";
pub const MH_CANCELLATION: &str = "2022_CNS_MEMHON_ANNUL-V1";
pub const PID_SIMULATION: &str = "2023-CNS-PID-SIM-V1";
pub const PID_VALIDATION: &str = "2023-CNS-PID-VAL-V1";
pub const PID_CONTESTATION: &str = "2023-CNS-PID-CON-V1";
const X509V3: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3";
const BASE64_BINARY: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary";
const WST: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";

pub struct Practice {
    pub client: Client,
    pub key: String,
    pub certificate: Vec<u8>,
}

/// Unsigned envelope, ready for a signature over Body and Timestamp (`%now%`…`%then%`).
pub fn template(certificate: &[u8], before: &str, body: &str) -> String {
    let reference = |id: &str| {
        format!(
            "<ds:Reference URI=\"#{id}\"><ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\">\
             <ec:InclusiveNamespaces xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"soapenv\"/></ds:Transform></ds:Transforms>\
             <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue/></ds:Reference>"
        )
    };
    format!(
        "<soapenv:Envelope xmlns:soapenv=\"{SOAP}\" xmlns:wsse=\"{WSSE}\" xmlns:wsu=\"{WSU}\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">\
         <soapenv:Header><wsse:Security soapenv:mustUnderstand=\"1\">{before}\
         <wsse:BinarySecurityToken wsu:Id=\"X509\" ValueType=\"{X509V3}\" EncodingType=\"{BASE64_BINARY}\">{}</wsse:BinarySecurityToken>\
         <wsu:Timestamp wsu:Id=\"TS\"><wsu:Created>{}</wsu:Created><wsu:Expires>{}</wsu:Expires></wsu:Timestamp>\
         <ds:Signature><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>\
         <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/>{}{}</ds:SignedInfo><ds:SignatureValue/>\
         <ds:KeyInfo><wsse:SecurityTokenReference><wsse:Reference URI=\"#X509\" ValueType=\"{X509V3}\"/></wsse:SecurityTokenReference></ds:KeyInfo>\
         </ds:Signature></wsse:Security></soapenv:Header><soapenv:Body wsu:Id=\"Body\">{body}</soapenv:Body></soapenv:Envelope>",
        BASE64.encode(certificate),
        instant(0),
        instant(300),
        reference("TS"),
        reference("Body"),
    )
}

pub fn instant(seconds: i64) -> String {
    let at = time::OffsetDateTime::now_utc().replace_nanosecond(0).unwrap() + time::Duration::seconds(seconds);
    at.format(&time::format_description::well_known::Rfc3339).unwrap()
}

impl Practice {
    pub fn sign(&self, template: &str) -> String {
        let mut keys = KeysManager::new();
        keys.add_key(bergshamra::keys::loader::load_rsa_private_pem(self.key.as_bytes()).unwrap());
        bergshamra::sign(&DsigContext::new_permissive(keys), template).unwrap()
    }

    pub fn envelope(&self, before: &str, body: &str) -> String {
        self.sign(&template(&self.certificate, before, body))
    }

    pub async fn post(&self, ready: &Ready, path: &str, action: &str, envelope: String) -> (StatusCode, String) {
        let request = self.client.post(format!("{}{path}", ready.mysecu)).header("SOAPAction", action);
        let answer = request
            .header("Content-Type", "text/xml;charset=UTF-8")
            .body(envelope)
            .send()
            .await
            .unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    pub async fn trust(&self, ready: &Ready, body: &str) -> (StatusCode, String) {
        self.post(ready, "/ws/soap/trust", "\"\"", self.envelope("", body)).await
    }

    pub async fn exchange(&self, ready: &Ready, bst: &str, body: &str) -> (StatusCode, String) {
        self.post(ready, "/ws/soap/espinst/syncexchange", "\"exchange\"", self.envelope(bst, body))
            .await
    }

    /// A security token for Dr Weber's space, byte for byte.
    pub async fn bst(&self, ready: &Ready) -> String {
        self.bst_of(ready, "dr.weber", "weber", "90000101").await
    }

    pub async fn bst_of(&self, ready: &Ready, username: &str, password: &str, code: &str) -> String {
        let token = access_token(ready, username, password).await;
        let (status, answer) = self.trust(ready, &issue(ready, &token, code)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let start = answer.find("<wsse:BinarySecurityToken").unwrap();
        let end = answer.find("</wsse:BinarySecurityToken>").unwrap() + "</wsse:BinarySecurityToken>".len();
        answer[start..end].to_owned()
    }

    /// Sends a document that mySecu reads, whatever it says of it.
    pub async fn send(&self, ready: &Ready, bst: &str, model: &str, content: &str) -> Said {
        let (status, answer) = self.exchange(ready, bst, &deposit(model, content)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        Said::read(answer)
    }
}

/// A business answer.
pub struct Said {
    pub text: String,
    /// Anomalies as `E CODE`, in order.
    pub anomalies: Vec<String>,
}

impl Said {
    fn read(text: String) -> Self {
        let anomaly = |part: &str| format!("{} {}", between(part, "<cns:type>", "<"), between(part, "<cns:code>", "<"));
        let anomalies = text.split("<cns:anomalies>").skip(1).map(anomaly).collect();
        Self { text, anomalies }
    }

    pub fn value(&self, name: &str) -> &str {
        between(&self.text, &format!("<cns:{name}>"), "<")
    }

    /// The values of all elements of this name.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let tag = format!("<cns:{name}>");
        self.text.split(&tag).skip(1).map(|part| part.split_once('<').unwrap().0).collect()
    }
}

pub fn issue(ready: &Ready, token: &str, space: &str) -> String {
    format!(
        "<wst:RequestSecurityToken xmlns:wst=\"{WST}\"><wst:TokenType>http://ws.mySecu.lu/trust/token/bst</wst:TokenType>\
         <wst:RequestType>{WST}/Issue</wst:RequestType>\
         <wsp:AppliesTo xmlns:wsp=\"http://schemas.xmlsoap.org/ws/2004/09/policy\"><wsa:EndpointReference xmlns:wsa=\"http://www.w3.org/2005/08/addressing\">\
         <wsa:Address>{}/ws/soap/espinst/syncexchange</wsa:Address></wsa:EndpointReference></wsp:AppliesTo>\
         <wst:Claims Dialect=\"http://schemas.xmlsoap.org/ws/2006/12/authorization/authclaims\">\
         <auth:ClaimType xmlns:auth=\"http://schemas.xmlsoap.org/ws/2006/12/authorization\" Uri=\"http://ws.mysecu.lu/trust/prodo/espaceid\">\
         <auth:Value>{space}</auth:Value></auth:ClaimType></wst:Claims>\
         <wst:OnBehalfOf><wsse:BinarySecurityToken ValueType=\"urn:ietf:params:oauth:token-type:jwt\" EncodingType=\"{BASE64_BINARY}\">{}\
         </wsse:BinarySecurityToken></wst:OnBehalfOf></wst:RequestSecurityToken>",
        ready.mysecu,
        BASE64.encode(token)
    )
}

pub fn cancel(bst: &str) -> String {
    format!(
        "<wst:RequestSecurityToken xmlns:wst=\"{WST}\"><wst:RequestType>{WST}/Cancel</wst:RequestType><wst:CancelTarget>{bst}</wst:CancelTarget>\
         </wst:RequestSecurityToken>"
    )
}

pub fn deposit(model: &str, content: &str) -> String {
    format!("<syn:RequestInfo xmlns:syn=\"http://ws.mysecu.lu/generic/sync\" modelUID=\"{model}\">{content}</syn:RequestInfo>")
}

/// A file of tests/data.
pub fn example(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// An example with UUIDs of its own.
pub fn fresh(name: &str) -> String {
    let mut text = example(name);
    for tag in ["UUID", "f:UUID", "cns:UUIDPrestataire", "cns:idMemoireHonoraire"] {
        if let Some((_, rest)) = text.split_once(&format!("<{tag}>")) {
            let old = rest.split_once('<').unwrap().0.to_owned();
            text = text.replace(&old, &uuid::Uuid::new_v4().to_string());
        }
    }
    text
}

/// An eCIT nobody deposited yet.
pub fn fresh_ecit() -> String {
    fresh("ecit.xml")
}

pub fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    text.split_once(before)
        .unwrap_or_else(|| panic!("no {before} in {text}"))
        .1
        .split_once(after)
        .unwrap()
        .0
}

pub fn fault_code(answer: &(StatusCode, String)) -> (&str, &str) {
    assert_eq!(answer.0, StatusCode::INTERNAL_SERVER_ERROR, "{}", answer.1);
    (between(&answer.1, "<faultcode>", "<"), between(&answer.1, "<err:code>", "<"))
}

// Control.

pub async fn control(ready: &Ready, path: &str) -> Value {
    client(ready)
        .get(format!("{}{path}", ready.control))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

pub async fn fault(ready: &Ready, fault: Value) -> StatusCode {
    client(ready)
        .post(format!("{}/faults", ready.control))
        .json(&fault)
        .send()
        .await
        .unwrap()
        .status()
}

pub async fn once(ready: &Ready, service: &str, kind: &str) {
    assert_eq!(
        fault(ready, json!({"service": service, "kind": kind, "count": 1})).await,
        StatusCode::CREATED
    );
}

// Judges.

/// Runs a program; whether it was content, and all it said.
pub fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said)
}
