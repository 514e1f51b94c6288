use serde::Deserialize;
use time::OffsetDateTime;

use crate::error::IdentityError;
use crate::principal::{Actor, Physician};

/// The claims of an AeS access token: our reading, see docs/wire.md.
#[derive(Debug, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    aud: OneOrMany,
    exp: NumericDate,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    /// Keycloak's kind of token: `Bearer`, `ID`, `Refresh`, `Logout`.
    typ: Option<String>,
    name: Option<String>,
    preferred_username: Option<String>,
    #[serde(rename = "eHealthId")]
    ehealth_id: Option<String>,
    #[serde(rename = "providerCodes")]
    provider_codes: Option<OneOrMany>,
    #[serde(rename = "actsFor")]
    acts_for: Option<Vec<Represented>>,
    act: Option<Act>,
}

/// Who a token says is acting, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct People {
    pub(crate) actor: Actor,
    pub(crate) physician: Option<Physician>,
    pub(crate) acts_for: Vec<Physician>,
}

/// What a token has to say to be accepted.
pub(crate) struct Rules<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) now: OffsetDateTime,
}

impl Claims {
    /// Issuer, audience, kind and times; [`LEEWAY`] is granted on each time. Returns the end of the token's life.
    pub(crate) fn check(&self, rules: &Rules<'_>) -> Result<OffsetDateTime, IdentityError> {
        if self.iss != rules.issuer {
            return Err(IdentityError::TokenOtherIssuer);
        }
        if self.typ.as_deref().is_some_and(|kind| !kind.eq_ignore_ascii_case("Bearer")) {
            return Err(IdentityError::TokenInvalid("not an access token"));
        }
        if !self.aud.iter().any(|audience| audience == rules.audience) {
            return Err(IdentityError::TokenWrongAudience);
        }
        if self.sub.is_empty() {
            return Err(IdentityError::TokenInvalid("no subject"));
        }
        let until = self.exp.time()?;
        if rules.now >= until + LEEWAY {
            return Err(IdentityError::TokenExpired);
        }
        for start in [&self.nbf, &self.iat].into_iter().flatten() {
            if start.time()? > rules.now + LEEWAY {
                return Err(IdentityError::TokenNotYetValid);
            }
        }
        Ok(until)
    }

    /// Actor, physician, and those a secretary may act for.
    pub(crate) fn people(&self) -> Result<People, IdentityError> {
        let own_name = self.name.as_deref().or(self.preferred_username.as_deref()).unwrap_or(&self.sub);
        let physician = match &self.ehealth_id {
            Some(id) => Some(physician(id, own_name, self.provider_codes.as_ref())?),
            None => None,
        };
        let acts_for = self.acts_for.iter().flatten().map(physician_of).collect::<Result<_, _>>()?;
        let actor = match &self.act {
            Some(act) => Actor {
                id: act.sub.clone(),
                name: act.name.clone().unwrap_or_else(|| act.sub.clone()),
            },
            None => Actor {
                id: self.sub.clone(),
                name: own_name.to_owned(),
            },
        };
        Ok(People {
            actor,
            physician,
            acts_for,
        })
    }
}

/// How far clocks may differ.
pub(crate) const LEEWAY: time::Duration = time::Duration::seconds(60);

#[derive(Debug, Deserialize)]
struct Represented {
    #[serde(rename = "eHealthId")]
    ehealth_id: String,
    name: Option<String>,
    #[serde(rename = "providerCodes")]
    provider_codes: Option<OneOrMany>,
}

/// RFC 8693, 4.1: the outermost `act` is the current actor.
#[derive(Debug, Deserialize)]
struct Act {
    sub: String,
    name: Option<String>,
}

/// Keycloak writes a claim with one value as a string, with several as an array.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
        .iter()
        .map(String::as_str)
    }
}

/// RFC 7519, 2: seconds since 1970, possibly with a fraction.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct NumericDate(serde_json::Number);

impl NumericDate {
    fn time(&self) -> Result<OffsetDateTime, IdentityError> {
        #[expect(clippy::cast_possible_truncation, reason = "saturates, and the range is checked right after")]
        let seconds = self.0.as_i64().or_else(|| self.0.as_f64().map(|seconds| seconds as i64));
        seconds
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
            .filter(|time| (1970..3000).contains(&time.year()))
            .ok_or(IdentityError::TokenInvalid("impossible time"))
    }
}

fn physician_of(one: &Represented) -> Result<Physician, IdentityError> {
    physician(
        &one.ehealth_id,
        one.name.as_deref().unwrap_or(&one.ehealth_id),
        one.provider_codes.as_ref(),
    )
}

fn physician(ehealth_id: &str, name: &str, codes: Option<&OneOrMany>) -> Result<Physician, IdentityError> {
    if !digits(ehealth_id, 10) {
        return Err(IdentityError::TokenInvalid("eHealthId is not 10 digits"));
    }
    // A code of another shape cannot be used anywhere; the physician types hers instead.
    let provider_codes = codes.into_iter().flat_map(OneOrMany::iter).filter(|code| digits(code, 8));
    Ok(Physician {
        ehealth_id: ehealth_id.to_owned(),
        name: name.to_owned(),
        provider_codes: provider_codes.map(str::to_owned).collect(),
    })
}

fn digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use econnector_base::Explain;
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-03-02 10:00 UTC);

    fn physician_claims() -> Value {
        json!({
            "iss": "https://aes.example/auth/realms/default", "sub": "dr.weber", "aud": ["https://eadmin.lu/", "account"],
            "exp": NOW.unix_timestamp() + 300, "iat": NOW.unix_timestamp(), "typ": "Bearer", "name": "Dr Anne Weber",
            "preferred_username": "dr.weber", "eHealthId": "1900000001", "providerCodes": ["90000101"],
        })
    }

    fn read(value: &Value) -> Claims {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn with(change: impl FnOnce(&mut Value)) -> Claims {
        let mut value = physician_claims();
        change(&mut value);
        read(&value)
    }

    fn check(claims: &Claims) -> Result<OffsetDateTime, &'static str> {
        let rules = Rules {
            issuer: "https://aes.example/auth/realms/default",
            audience: "https://eadmin.lu/",
            now: NOW,
        };
        claims.check(&rules).map_err(|error| error.code())
    }

    #[test]
    fn a_physician_acts_for_herself() {
        let claims = read(&physician_claims());
        assert_eq!(check(&claims), Ok(NOW + time::Duration::minutes(5)));
        let people = claims.people().unwrap();
        assert_eq!(
            people.actor,
            Actor {
                id: "dr.weber".into(),
                name: "Dr Anne Weber".into()
            }
        );
        let physician = people.physician.unwrap();
        assert_eq!(
            (
                physician.ehealth_id.as_str(),
                physician.name.as_str(),
                physician.provider_codes.as_slice()
            ),
            ("1900000001", "Dr Anne Weber", ["90000101".to_owned()].as_slice())
        );
    }

    #[test]
    fn an_exchanged_token_names_the_engine_as_actor() {
        let people = with(|claims| claims["act"] = json!({"sub": "hopital-eai"})).people().unwrap();
        assert_eq!(
            people.actor,
            Actor {
                id: "hopital-eai".into(),
                name: "hopital-eai".into()
            }
        );
        assert_eq!(people.physician.unwrap().ehealth_id, "1900000001");
    }

    #[test]
    fn a_secretary_has_no_physician_of_her_own() {
        let people = with(|claims| {
            claims.as_object_mut().unwrap().remove("eHealthId");
            claims["sub"] = json!("sec.klein");
            claims["name"] = json!("Claire Klein");
            claims["actsFor"] = json!([{"eHealthId": "1900000002", "name": "Dr Luc Muller", "providerCodes": "90000102"}]);
        })
        .people()
        .unwrap();
        assert_eq!(people.physician, None);
        assert_eq!(people.actor.name, "Claire Klein");
        assert_eq!(people.acts_for[0].provider_codes, ["90000102"]);
    }

    #[test]
    fn times_are_checked_with_a_minute_of_leeway() {
        let at = |key: &'static str, seconds: i64| with(move |claims| claims[key] = json!(NOW.unix_timestamp() + seconds));
        assert!(check(&at("exp", -59)).is_ok());
        assert_eq!(check(&at("exp", -60)), Err("token-expired"));
        assert!(check(&at("nbf", 60)).is_ok());
        assert_eq!(check(&at("nbf", 61)), Err("token-not-yet-valid"));
        assert_eq!(check(&at("iat", 61)), Err("token-not-yet-valid"));
        assert!(check(&with(|claims| claims["exp"] = json!(NOW.unix_timestamp() as f64 + 10.5))).is_ok());
        for odd in [json!(1e300), json!(-1), json!(i64::MAX), json!(u64::MAX)] {
            assert_eq!(check(&with(|claims| claims["exp"] = odd.clone())), Err("token-invalid"), "{odd}");
        }
    }

    #[test]
    fn other_issuers_audiences_and_kinds_are_refused() {
        let other = |key: &'static str, value: Value| check(&with(move |claims| claims[key] = value));
        assert_eq!(
            other("iss", json!("https://aes.example/auth/realms/default/")),
            Err("token-other-issuer")
        );
        assert_eq!(other("aud", json!("https://eadmin.lu")), Err("token-wrong-audience"));
        assert_eq!(other("aud", json!([])), Err("token-wrong-audience"));
        assert_eq!(other("typ", json!("ID")), Err("token-invalid"));
        assert_eq!(other("typ", json!("Refresh")), Err("token-invalid"));
        assert_eq!(other("sub", json!("")), Err("token-invalid"));
        assert!(other("aud", json!("https://eadmin.lu/")).is_ok());
    }

    #[test]
    fn identifiers_of_another_shape_never_pass() {
        for id in ["190000000", "19000000011", "190000000a", "", " 1900000001", "１９０００００００１"] {
            let claims = with(|claims| claims["eHealthId"] = json!(id));
            assert_eq!(claims.people().unwrap_err().code(), "token-invalid", "{id:?}");
        }
        let claims = with(|claims| claims["providerCodes"] = json!(["9000010", "90000101", "x"]));
        assert_eq!(claims.people().unwrap().physician.unwrap().provider_codes, ["90000101"]);
    }
}
