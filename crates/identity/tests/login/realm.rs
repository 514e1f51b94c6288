//! An AeS that consists of a discovery document and keys, whose private halves and whose manners the test has in its hand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreJwsSigningAlgorithm, CoreRsaPrivateSigningKey};
use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair as _,
};
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::pkcs8::{EncodePublicKey as _, LineEnding};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::desk::Desk;

pub const AUDIENCE: &str = "https://eadmin.lu/";

/// The realm, serving until it is dropped.
pub struct Realm {
    pub desk: Desk,
    pub issuer: String,
    manners: Arc<Manners>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Manners {
    /// What is answered for each path's last word; nothing at all where it is `None`.
    answers: Mutex<Vec<(&'static str, Option<Answer>)>>,
    /// The last words of the paths that were asked for.
    asked: Mutex<Vec<String>>,
    /// The forms that came to the token endpoint.
    redeemed: Mutex<Vec<String>>,
    tells_the_time: AtomicBool,
}

#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// Ends the line after the first half.
    pub cut: bool,
}

impl Answer {
    pub fn json(value: &Value) -> Self {
        Self::bytes(200, value.to_string())
    }

    pub fn bytes(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            body: body.into(),
            cut: false,
        }
    }
}

impl Realm {
    /// With the keys `k1` (RSA) and `e1` (P-256).
    pub async fn open() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("https://localhost:{}/auth/realms/default", listener.local_addr().unwrap().port());
        // Also puts the TLS provider in its place.
        let desk = Desk::new(&issuer, made.cert.pem().into_bytes());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let manners = Arc::<Manners>::default();
        let server = tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), manners.clone()));
        let realm = Self {
            desk,
            issuer,
            manners,
            server,
        };
        realm.answers("openid-configuration", Some(Answer::json(&realm.discovery())));
        realm.publishes(&[&RSA.0, &P256.1]);
        realm
    }

    /// What it says of itself.
    pub fn discovery(&self) -> Value {
        let at = |name: &str| format!("{}/{name}", self.issuer);
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("auth"),
            "token_endpoint": at("token"),
            "jwks_uri": at("certs"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    }

    /// From now on it answers so at a path's last word; `None`: it takes the request and is silent.
    pub fn answers(&self, path: &'static str, answer: Option<Answer>) {
        let mut answers = self.manners.answers.lock().unwrap();
        answers.retain(|(known, _)| *known != path);
        answers.push((path, answer));
    }

    /// From now on its answers are dated.
    pub fn tells_the_time(&self) {
        self.manners.tells_the_time.store(true, Ordering::SeqCst);
    }

    pub fn publishes(&self, keys: &[&Value]) {
        self.answers("certs", Some(Answer::json(&json!({ "keys": keys }))));
    }

    /// How often it was asked for its keys.
    pub fn keys_asked(&self) -> usize {
        self.asked("certs")
    }

    /// How often something was asked of it, by a path's last word.
    pub fn asked(&self, word: &str) -> usize {
        self.manners.asked.lock().unwrap().iter().filter(|asked| *asked == word).count()
    }

    /// What was redeemed at its token endpoint so far.
    pub fn redeemed(&self) -> Vec<String> {
        self.manners.redeemed.lock().unwrap().clone()
    }

    /// What an access token of Dr Weber says.
    pub fn claims(&self) -> Value {
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        json!({
            "iss": self.issuer, "sub": "dr.weber", "aud": [AUDIENCE, "account"], "exp": now + 300, "iat": now, "typ": "Bearer",
            "name": "Dr Anne Weber", "eHealthId": "1900000001", "providerCodes": ["90000101"],
        })
    }

    /// The same with some claims changed; `null` takes one away.
    pub fn claims_but(&self, changes: &Value) -> Value {
        let mut claims = self.claims();
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }

    /// As the realm itself issues it.
    pub fn token(&self, changes: &Value) -> String {
        rs256(&json!({"alg": "RS256", "kid": "k1", "typ": "JWT"}), &self.claims_but(changes))
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An RSA key: what is published of it, and the key itself.
pub static RSA: LazyLock<(Value, CoreRsaPrivateSigningKey, rsa::RsaPublicKey)> = LazyLock::new(|| rsa_key("k1"));
/// Nobody's key, under the name of the realm's.
pub static FOREIGN: LazyLock<(Value, CoreRsaPrivateSigningKey, rsa::RsaPublicKey)> = LazyLock::new(|| rsa_key("k1"));
pub static P256: LazyLock<(Vec<u8>, Value)> = LazyLock::new(|| ec_key(&ECDSA_P256_SHA256_FIXED_SIGNING, "e1", "P-256"));
pub static P384: LazyLock<(Vec<u8>, Value)> = LazyLock::new(|| ec_key(&ECDSA_P384_SHA384_FIXED_SIGNING, "e3", "P-384"));

fn rsa_key(kid: &str) -> (Value, CoreRsaPrivateSigningKey, rsa::RsaPublicKey) {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    let public = key.to_public_key();
    let pem = key.to_pkcs1_pem(LineEnding::LF).unwrap();
    let key = CoreRsaPrivateSigningKey::from_pem(&pem, Some(JsonWebKeyId::new(kid.into()))).unwrap();
    (serde_json::to_value(key.as_verification_key()).unwrap(), key, public)
}

fn ec_key(algorithm: &'static EcdsaSigningAlgorithm, kid: &str, curve: &str) -> (Vec<u8>, Value) {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap().as_ref().to_vec();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8, &random).unwrap();
    let point = &pair.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    let jwk = json!({"kty": "EC", "use": "sig", "kid": kid, "crv": curve, "x": encode(x), "y": encode(y)});
    (pkcs8, jwk)
}

/// The public key in every form in which somebody might mistake it for a shared secret.
pub fn public_bytes() -> Vec<Vec<u8>> {
    let (jwk, _, key) = &*RSA;
    vec![
        key.to_public_key_pem(LineEnding::LF).unwrap().into_bytes(),
        key.to_public_key_pem(LineEnding::LF).unwrap().trim_end().as_bytes().to_vec(),
        key.to_public_key_der().unwrap().as_bytes().to_vec(),
        jwk.to_string().into_bytes(),
        jwk["n"].as_str().unwrap().as_bytes().to_vec(),
        URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap(),
        Vec::new(),
    ]
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Header and claims, ready to be signed.
pub fn input(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encode(header.to_string()), encode(claims.to_string()))
}

pub fn rs256(header: &Value, claims: &Value) -> String {
    rsa_signed(&input(header, claims), &CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256)
}

/// A good signature of the realm's RSA key under whatever stands there.
pub fn rsa_signed(input: &str, algorithm: &CoreJwsSigningAlgorithm) -> String {
    let signature = RSA.1.sign(algorithm, input.as_bytes()).unwrap();
    format!("{input}.{}", encode(signature))
}

pub fn foreign_signed(input: &str) -> String {
    let signature = FOREIGN.1.sign(&CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256, input.as_bytes());
    format!("{input}.{}", encode(signature.unwrap()))
}

/// With a curve's key; as ASN.1, which JWS does not allow, where asked.
pub fn ec_signed(input: &str, algorithm: &'static EcdsaSigningAlgorithm, pkcs8: &[u8]) -> String {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, &random).unwrap();
    format!("{input}.{}", encode(key.sign(&random, input.as_bytes()).unwrap()))
}

pub fn es256(input: &str) -> String {
    ec_signed(input, &ECDSA_P256_SHA256_FIXED_SIGNING, &P256.0)
}

pub fn es256_asn1(input: &str) -> String {
    ec_signed(input, &ECDSA_P256_SHA256_ASN1_SIGNING, &P256.0)
}

pub fn es384(input: &str) -> String {
    ec_signed(input, &ECDSA_P384_SHA384_FIXED_SIGNING, &P384.0)
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, manners: Arc<Manners>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, manners) = (tls.clone(), manners.clone());
        tokio::spawn(async move {
            let Ok(mut stream) = tls.accept(stream).await else { return };
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => return,
                    Ok(count) => request.extend_from_slice(&buffer[..count]),
                }
            }
            let head = String::from_utf8_lossy(&request).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let word = path.rsplit('/').next().unwrap_or_default();
            if word == "token" {
                let (head, body) = head.split_once("\r\n\r\n").unwrap();
                let length = head
                    .to_ascii_lowercase()
                    .split("content-length: ")
                    .nth(1)
                    .map(str::to_owned)
                    .unwrap();
                let length: usize = length.lines().next().unwrap().parse().unwrap();
                let mut body = body.as_bytes().to_vec();
                while body.len() < length {
                    let count = stream.read(&mut buffer).await.unwrap();
                    body.extend_from_slice(&buffer[..count]);
                }
                manners.redeemed.lock().unwrap().push(String::from_utf8(body).unwrap());
            }
            manners.asked.lock().unwrap().push(word.to_owned());
            let known = manners.answers.lock().unwrap().iter().find(|(known, _)| *known == word).cloned();
            let Some((_, answer)) = known else { return };
            let Some(answer) = answer else {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return;
            };
            let date = if manners.tells_the_time.load(Ordering::SeqCst) {
                date()
            } else {
                String::new()
            };
            let head = format!(
                "HTTP/1.1 {} X\r\n{date}Content-Type: application/json\r\nLocation: https://localhost:1/\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                answer.status,
                answer.body.len()
            );
            let body = if answer.cut {
                &answer.body[..answer.body.len() / 2]
            } else {
                &answer.body
            };
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(body).await;
            let _ = stream.shutdown().await;
        });
    }
}

/// The line of an answer that says when it was given.
fn date() -> String {
    let form = time::macros::format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    format!("Date: {}\r\n", time::OffsetDateTime::now_utc().format(&form).unwrap())
}
