//! RS256 tokens: made by AeS, checked by AeS, the KMS and mySecu alike.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use rcgen::{KeyPair, SigningKey};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rsa::pkcs1::der::Decode;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::SandboxError;

/// Why a token is refused that was good until its time was over.
pub(crate) const EXPIRED: &str = "token expired";

/// The realm's signing key.
pub(crate) struct TokenKey {
    pair: Arc<KeyPair>,
    kid: String,
}

/// What a service needs to know of a token it accepted.
pub(crate) struct Access {
    pub(crate) claims: Map<String, Value>,
}

impl Access {
    pub(crate) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim).and_then(Value::as_str)
    }

    /// Whether the token is this physician's, or lists her among those its holder acts for.
    pub(crate) fn acts_for(&self, ehealth_id: &str) -> bool {
        let listed = self.claims.get("actsFor").and_then(Value::as_array);
        let mut listed = listed.into_iter().flatten().filter_map(|physician| physician.get("eHealthId"));
        self.text("eHealthId") == Some(ehealth_id) || listed.any(|id| id == ehealth_id)
    }
}

impl TokenKey {
    pub(crate) fn new(pair: Arc<KeyPair>) -> Self {
        use rcgen::PublicKeyData;
        let kid = BASE64URL.encode(Sha256::digest(pair.der_bytes()));
        Self { pair, kid }
    }

    /// A compact JWT, header `typ` as Keycloak writes it.
    pub(crate) fn sign(&self, claims: &Map<String, Value>) -> Result<String, SandboxError> {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.kid});
        let body = serde_json::to_vec(claims).map_err(|e| SandboxError::Key(e.to_string()))?;
        let input = format!("{}.{}", BASE64URL.encode(header.to_string()), BASE64URL.encode(body));
        let signature = self.pair.sign(input.as_bytes())?;
        Ok(format!("{input}.{}", BASE64URL.encode(signature)))
    }

    pub(crate) fn jwks(&self) -> Result<Value, SandboxError> {
        use rcgen::PublicKeyData;
        let key = rsa::pkcs1::RsaPublicKey::from_der(self.pair.der_bytes()).map_err(|e| SandboxError::Key(e.to_string()))?;
        Ok(json!({"keys": [{
            "kid": self.kid, "kty": "RSA", "alg": "RS256", "use": "sig",
            "n": BASE64URL.encode(key.modulus.as_bytes()), "e": BASE64URL.encode(key.public_exponent.as_bytes()),
        }]}))
    }

    /// The claims of a token this realm signed, whatever its age.
    pub(crate) fn open(&self, compact: &str) -> Option<Map<String, Value>> {
        use rcgen::PublicKeyData;
        let (input, signature) = compact.rsplit_once('.')?;
        let (header, body) = input.split_once('.')?;
        let header: Value = serde_json::from_slice(&BASE64URL.decode(header).ok()?).ok()?;
        if header.get("alg")? != "RS256" || header.get("kid")? != self.kid.as_str() {
            return None;
        }
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.pair.der_bytes())
            .verify(input.as_bytes(), &BASE64URL.decode(signature).ok()?)
            .ok()?;
        serde_json::from_slice(&BASE64URL.decode(body).ok()?).ok()
    }

    /// Checks an access token as a resource server does at `now`: signature, issuer, audience, type, time.
    pub(crate) fn check(&self, compact: &str, issuer: &str, now: OffsetDateTime) -> Result<Access, &'static str> {
        let claims = self.open(compact).ok_or("signature of the token not valid")?;
        if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
            return Err("token of another issuer");
        }
        if claims.get("typ").and_then(Value::as_str) != Some("Bearer") {
            return Err("not an access token");
        }
        let for_us = match claims.get("aud") {
            Some(Value::String(audience)) => audience == crate::AUDIENCE,
            Some(Value::Array(audiences)) => audiences.iter().any(|a| a == crate::AUDIENCE),
            _ => false,
        };
        if !for_us {
            return Err("token for another audience");
        }
        if claims
            .get("exp")
            .and_then(Value::as_i64)
            .is_none_or(|exp| exp <= now.unix_timestamp())
        {
            return Err(EXPIRED);
        }
        Ok(Access { claims })
    }
}
