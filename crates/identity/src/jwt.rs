use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::JsonWebKey as _;
use openidconnect::core::{CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::claims::Claims;
use crate::error::IdentityError;

/// The longest token that is looked at, in bytes.
pub(crate) const LONGEST: usize = 16 * 1024;

/// Why the signature could not be vouched for.
#[derive(Debug)]
pub(crate) enum Unverified {
    /// No key of the set has the token's `kid`: the issuer may have rotated its keys.
    UnknownKey,
    /// The token is bad whatever the keys.
    Bad(IdentityError),
}

/// The claims of a compact JWS (RFC 7515) signed by one of `keys` with RS256, PS256 or ES256. Says nothing about issuer, audience
/// or time: see [`Claims::check`].
pub(crate) fn verify(token: &str, keys: &CoreJsonWebKeySet) -> Result<Claims, Unverified> {
    if token.len() > LONGEST {
        return Err(bad("longer than 16 KiB"));
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(bad("not a JWT"))?;
    let (header, payload) = signed.split_once('.').ok_or(bad("not a JWT"))?;
    let header: Header = decode(header)
        .and_then(|json| serde_json::from_slice(&json).ok())
        .ok_or(bad("unreadable header"))?;
    let algorithm = header.algorithm()?;
    let signature = decode(signature).ok_or(bad("unreadable signature"))?;

    let mut candidates = keys
        .keys()
        .iter()
        .filter(|key| header.kid.is_none() || key.key_id().map(|id| id.as_str()) == header.kid.as_deref())
        .peekable();
    if candidates.peek().is_none() {
        return Err(Unverified::UnknownKey);
    }
    // A key only verifies with the algorithms of its own type, so a public key cannot serve as an HMAC secret.
    if !candidates.any(|key| key.verify_signature(&algorithm, signed.as_bytes(), &signature).is_ok()) {
        return Err(bad("wrong signature"));
    }
    decode(payload)
        .and_then(|json| serde_json::from_slice(&json).ok())
        .ok_or(bad("unreadable claims"))
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    #[serde(default, deserialize_with = "there")]
    cty: bool,
    #[serde(default, deserialize_with = "there")]
    crit: bool,
}

/// A field is there, whatever it says: `null` too.
fn there<'de, D: serde::Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

impl Header {
    fn algorithm(&self) -> Result<CoreJwsSigningAlgorithm, Unverified> {
        // RFC 7515, 4.1.11: what is critical and not understood is refused; we understand nothing critical.
        if self.crit || self.cty {
            return Err(bad("critical or nested content"));
        }
        let kind = self.typ.as_deref().map(str::to_ascii_lowercase);
        if !matches!(kind.as_deref(), None | Some("jwt" | "at+jwt" | "application/at+jwt")) {
            return Err(bad("not an access token"));
        }
        match self.alg.as_str() {
            "RS256" => Ok(CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256),
            "PS256" => Ok(CoreJwsSigningAlgorithm::RsaSsaPssSha256),
            "ES256" => Ok(CoreJwsSigningAlgorithm::EcdsaP256Sha256),
            _ => Err(bad("signature algorithm not allowed")),
        }
    }
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

const fn bad(why: &'static str) -> Unverified {
    Unverified::Bad(IdentityError::TokenInvalid(why))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use openidconnect::core::{CoreJsonCurveType, CoreJsonWebKey, CoreRsaPrivateSigningKey};
    use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
    use proptest::prelude::*;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use rsa::pkcs1::EncodeRsaPrivateKey as _;
    use rsa::pkcs8::LineEnding;
    use serde_json::{Value, json};

    use super::*;

    struct Keys {
        rsa: CoreRsaPrivateSigningKey,
        other: CoreRsaPrivateSigningKey,
        ec: EcdsaKeyPair,
        set: CoreJsonWebKeySet,
    }

    static KEYS: LazyLock<Keys> = LazyLock::new(|| {
        let (rsa, other) = (rsa_key("k1"), rsa_key("k1"));
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        let point = ec.public_key().as_ref().to_vec();
        let ec_public = CoreJsonWebKey::new_ec(
            point[1..33].to_vec(),
            point[33..].to_vec(),
            CoreJsonCurveType::P256,
            Some(JsonWebKeyId::new("e1".into())),
        );
        let set = CoreJsonWebKeySet::new(vec![rsa.as_verification_key(), ec_public]);
        Keys { rsa, other, ec, set }
    });

    fn rsa_key(kid: &str) -> CoreRsaPrivateSigningKey {
        let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
        let pem = key.to_pkcs1_pem(LineEnding::LF).unwrap();
        CoreRsaPrivateSigningKey::from_pem(&pem, Some(JsonWebKeyId::new(kid.into()))).unwrap()
    }

    fn claims() -> Value {
        json!({"iss": "https://aes.example", "sub": "dr.weber", "aud": "https://eadmin.lu/", "exp": 4_000_000_000_u64})
    }

    fn input(header: &Value, claims: &Value) -> String {
        format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        )
    }

    fn signed(header: &Value, claims: &Value, key: &CoreRsaPrivateSigningKey, algorithm: &CoreJwsSigningAlgorithm) -> String {
        let input = input(header, claims);
        let signature = key.sign(algorithm, input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn rs256(header: &Value) -> String {
        signed(header, &claims(), &KEYS.rsa, &CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256)
    }

    fn refusal(token: &str) -> String {
        match verify(token, &KEYS.set) {
            Ok(_) => "accepted".into(),
            Err(Unverified::UnknownKey) => "unknown key".into(),
            Err(Unverified::Bad(error)) => error.to_string(),
        }
    }

    #[test]
    fn the_three_algorithms_are_accepted() {
        assert_eq!(refusal(&rs256(&json!({"alg": "RS256", "kid": "k1", "typ": "JWT"}))), "accepted");
        assert_eq!(refusal(&rs256(&json!({"alg": "RS256", "typ": "at+jwt"}))), "accepted");
        let pss = signed(
            &json!({"alg": "PS256", "kid": "k1"}),
            &claims(),
            &KEYS.rsa,
            &CoreJwsSigningAlgorithm::RsaSsaPssSha256,
        );
        assert_eq!(refusal(&pss), "accepted");
        let input = input(&json!({"alg": "ES256", "kid": "e1"}), &claims());
        let signature = KEYS.ec.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        assert_eq!(refusal(&format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))), "accepted");
    }

    #[test]
    fn no_signature_and_borrowed_secrets_are_refused() {
        for none in ["none", "None", "NONE", ""] {
            let input = input(&json!({"alg": none, "kid": "k1"}), &claims());
            assert!(refusal(&format!("{input}.")).ends_with("algorithm not allowed"), "{none}");
        }
        // HS256 with the public key as the secret (RFC 8725, 2.1).
        let public = serde_json::to_vec(&KEYS.rsa.as_verification_key()).unwrap();
        let input = input(&json!({"alg": "HS256", "kid": "k1"}), &claims());
        let mac = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &public), input.as_bytes());
        let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac.as_ref()));
        assert!(refusal(&token).ends_with("algorithm not allowed"));
        // The same MAC under an allowed name.
        let renamed = token.replacen(
            token.split('.').next().unwrap(),
            &URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"k1"}"#),
            1,
        );
        assert!(refusal(&renamed).ends_with("wrong signature"));
    }

    #[test]
    fn keys_are_the_issuers_only() {
        assert_eq!(refusal(&rs256(&json!({"alg": "RS256", "kid": "k2"}))), "unknown key");
        let forged = signed(
            &json!({"alg": "RS256", "kid": "k1"}),
            &claims(),
            &KEYS.other,
            &CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        );
        assert!(refusal(&forged).ends_with("wrong signature"));
        let own_key = json!({"alg": "RS256", "kid": "k1", "jwk": KEYS.other.as_verification_key(), "jku": "https://evil.example"});
        let forged = signed(&own_key, &claims(), &KEYS.other, &CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256);
        assert!(refusal(&forged).ends_with("wrong signature"));
        assert!(refusal(&rs256(&json!({"alg": "ES256", "kid": "k1"}))).ends_with("wrong signature"));
    }

    #[test]
    fn a_changed_claim_breaks_the_signature() {
        let good = rs256(&json!({"alg": "RS256", "kid": "k1"}));
        let mut parts: Vec<_> = good.split('.').map(str::to_owned).collect();
        let mut other = claims();
        other["sub"] = json!("dr.muller");
        parts[1] = URL_SAFE_NO_PAD.encode(other.to_string());
        assert!(refusal(&parts.join(".")).ends_with("wrong signature"));
    }

    #[test]
    fn odd_headers_and_shapes_are_refused() {
        for header in [
            json!({"alg": "RS256", "kid": "k1", "crit": ["exp"]}),
            json!({"alg": "RS256", "kid": "k1", "crit": null}),
            json!({"alg": "RS256", "kid": "k1", "cty": "JWT"}),
            json!({"alg": "RS256", "kid": "k1", "cty": null}),
            json!({"alg": "RS256", "kid": "k1", "typ": "logout+jwt"}),
            json!({"kid": "k1"}),
            json!({"alg": ["RS256"], "kid": "k1"}),
            json!([]),
        ] {
            assert_ne!(refusal(&rs256(&header)), "accepted", "{header}");
        }
        let good = rs256(&json!({"alg": "RS256", "kid": "k1"}));
        for odd in [
            String::new(),
            ".".into(),
            "..".into(),
            "opaque".into(),
            format!("{good}."),
            format!(".{good}"),
            format!("{good} "),
            format!("{good}="),
            good.replace('.', ".."),
            "é.é.é".into(),
        ] {
            assert_ne!(refusal(&odd), "accepted", "{odd}");
        }
        let twice = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"k1"}"#),
            URL_SAFE_NO_PAD.encode(r#"{"iss":"a","iss":"b","sub":"s","aud":"x","exp":4000000000}"#)
        );
        let signature = KEYS
            .rsa
            .sign(&CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256, twice.as_bytes())
            .unwrap();
        assert!(refusal(&format!("{twice}.{}", URL_SAFE_NO_PAD.encode(signature))).ends_with("unreadable claims"));
    }

    #[test]
    fn a_huge_token_is_refused_before_it_is_read() {
        let mut big = claims();
        big["filler"] = json!("x".repeat(LONGEST));
        let token = signed(
            &json!({"alg": "RS256", "kid": "k1"}),
            &big,
            &KEYS.rsa,
            &CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        );
        assert!(refusal(&token).ends_with("longer than 16 KiB"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_pass(token in r"[A-Za-z0-9_\-\.=é]{0,200}") {
            prop_assert_ne!(refusal(&token), "accepted");
        }
    }
}
