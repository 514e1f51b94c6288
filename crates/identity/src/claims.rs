use std::sync::Arc;
use std::time::Duration;

use econnector_base::Secret;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::error::IdentityError;
use crate::principal::{Actor, Authorized, Physician, Principal};

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
        let actors = self.act.iter().map(|act| &act.sub);
        if ![&self.sub].into_iter().chain(actors).all(|id| is_identifier(id)) {
            return Err(IdentityError::TokenInvalid("no usable subject"));
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

    /// From issue to expiry, where the token says both.
    pub(crate) fn life(&self) -> Option<Duration> {
        let (from, until) = (self.iat.as_ref()?.time().ok()?, self.exp.time().ok()?);
        Duration::try_from(until - from).ok()
    }

    /// Actor, physician, and those the actor may act for beside herself, each of them once.
    pub(crate) fn people(&self) -> Result<People, IdentityError> {
        let own_name = shown([self.name.as_deref(), self.preferred_username.as_deref()], &self.sub);
        let physician = match &self.ehealth_id {
            Some(id) => Some(physician(id, own_name.clone(), self.provider_codes.as_ref())?),
            None => None,
        };
        let mut acts_for: Vec<Physician> = Vec::new();
        for listed in self.acts_for.iter().flatten() {
            let listed = physician_of(listed)?;
            if !acts_for.iter().chain(&physician).any(|known| known.ehealth_id == listed.ehealth_id) {
                acts_for.push(listed);
            }
        }
        let actor = match &self.act {
            Some(act) => Actor {
                id: act.sub.clone(),
                name: shown([act.name.as_deref()], &act.sub),
            },
            None => Actor {
                id: self.sub.clone(),
                name: own_name,
            },
        };
        Ok(People {
            actor,
            physician,
            acts_for,
        })
    }
}

impl People {
    /// For whom somebody acts who has not chosen: for herself, or for the only physician who lets her.
    pub(crate) fn unchosen(&self) -> Option<&Physician> {
        match (&self.physician, self.acts_for.as_slice()) {
            (Some(own), _) => Some(own),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }

    /// The physician of an eHealthID, when this person may act for her.
    pub(crate) fn physician_with(&self, ehealth_id: &str) -> Option<&Physician> {
        let mut known = self.physician.iter().chain(&self.acts_for);
        known.find(|physician| physician.ehealth_id == ehealth_id)
    }

    /// Acting for somebody else by her leave.
    pub(crate) fn mandate(&self, physician: &Physician) -> bool {
        self.physician.as_ref().is_none_or(|own| own.ehealth_id != physician.ehealth_id)
    }

    /// Everybody to choose from; nobody where there is no choice and no mandate.
    pub(crate) fn choices(&self) -> Vec<Physician> {
        if self.acts_for.is_empty() {
            return Vec::new();
        }
        self.physician.iter().chain(&self.acts_for).cloned().collect()
    }

    /// Why there is nobody to act for yet.
    pub(crate) const fn nobody_chosen(&self) -> IdentityError {
        if self.acts_for.is_empty() && self.physician.is_none() {
            IdentityError::NoPhysician
        } else {
            IdentityError::PhysicianNotChosen
        }
    }

    /// With this token, for this physician.
    pub(crate) fn authorized(&self, physician: &Physician, until: OffsetDateTime, token: Arc<Secret>) -> Authorized {
        Authorized {
            principal: Principal {
                actor: self.actor.clone(),
                physician: physician.clone(),
                until,
                mandate: self.mandate(physician),
            },
            token,
        }
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
        shown([one.name.as_deref()], &one.ehealth_id),
        one.provider_codes.as_ref(),
    )
}

fn physician(ehealth_id: &str, name: String, codes: Option<&OneOrMany>) -> Result<Physician, IdentityError> {
    if !digits(ehealth_id, 10) {
        return Err(IdentityError::TokenInvalid("eHealthId is not 10 digits"));
    }
    // A code of another shape cannot be used anywhere; the physician types hers instead.
    let provider_codes = codes.into_iter().flat_map(OneOrMany::iter).filter(|code| digits(code, 8));
    Ok(Physician {
        ehealth_id: ehealth_id.to_owned(),
        name,
        provider_codes: provider_codes.map(str::to_owned).collect(),
    })
}

/// OpenID Connect Core, 2: a `sub` has 255 ASCII characters at most; it ends up in the journal.
fn is_identifier(id: &str) -> bool {
    !id.is_empty() && id.len() <= 255 && !id.chars().any(char::is_control)
}

/// The first name with something in it, as it can be shown: on one line, in its own direction, of a length a line holds.
fn shown<'a>(names: impl IntoIterator<Item = Option<&'a str>>, id: &'a str) -> String {
    let tidy = |name: &str| -> String {
        let steers = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let kept = name.chars().filter(|c| !c.is_control() && !steers(*c)).take(LONGEST_NAME);
        kept.collect::<String>().trim().to_owned()
    };
    let mut tidied = names.into_iter().flatten().map(tidy);
    tidied.find(|name| !name.is_empty()).unwrap_or_else(|| tidy(id))
}

/// In characters.
const LONGEST_NAME: usize = 200;

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
    fn names_are_shown_on_one_line_and_steer_nothing() {
        let named = |name: &str| with(|claims| claims["name"] = json!(name)).people().unwrap().actor.name;
        assert_eq!(named("Dr Anne\r\n Weber\u{202e}\u{0}"), "Dr Anne Weber");
        assert_eq!(named("\u{2067}\t "), "dr.weber", "nothing left: the user name");
        assert_eq!(named("Zoë 李"), "Zoë 李");
        assert_eq!(named(&"é".repeat(1000)).chars().count(), LONGEST_NAME);
        for id in ["", "a\nb", "\u{0}"] {
            assert_eq!(check(&with(|claims| claims["sub"] = json!(id))), Err("token-invalid"), "{id:?}");
            assert_eq!(
                check(&with(|claims| claims["act"] = json!({"sub": id}))),
                Err("token-invalid"),
                "{id:?}"
            );
        }
        assert!(check(&with(|claims| claims["sub"] = json!("x".repeat(255)))).is_ok());
        assert_eq!(check(&with(|claims| claims["sub"] = json!("x".repeat(256)))), Err("token-invalid"));
    }

    #[test]
    fn who_has_no_choice_has_chosen() {
        let people = |own: Option<&str>, listed: &[&str]| {
            with(|claims| {
                let listed: Vec<Value> = listed.iter().map(|id| json!({"eHealthId": id})).collect();
                claims["actsFor"] = json!(listed);
                match own {
                    Some(id) => claims["eHealthId"] = json!(id),
                    None => drop(claims.as_object_mut().unwrap().remove("eHealthId")),
                }
            })
            .people()
            .unwrap()
        };
        let unchosen = |people: &People| people.unchosen().map(|physician| physician.ehealth_id.clone());
        let ids = |people: &People| {
            people
                .choices()
                .into_iter()
                .map(|physician| physician.ehealth_id)
                .collect::<Vec<_>>()
        };

        let nobody = people(None, &[]);
        assert_eq!((unchosen(&nobody), nobody.nobody_chosen().code()), (None, "identity-no-physician"));
        let one = people(None, &["1900000002", "1900000002"]);
        assert_eq!(unchosen(&one).as_deref(), Some("1900000002"));
        assert!(one.mandate(one.unchosen().unwrap()));
        let two = people(None, &["1900000001", "1900000002"]);
        assert_eq!((unchosen(&two), two.nobody_chosen().code()), (None, "physician-not-chosen"));
        assert_eq!(ids(&two), ["1900000001", "1900000002"]);
        assert!(two.physician_with("1900000003").is_none());

        let alone = people(Some("1900000001"), &[]);
        assert!(alone.choices().is_empty() && !alone.mandate(alone.unchosen().unwrap()));
        let colleague = people(Some("1900000004"), &["1900000001", "1900000004"]);
        assert_eq!(unchosen(&colleague).as_deref(), Some("1900000004"), "she begins as herself");
        assert_eq!(ids(&colleague), ["1900000004", "1900000001"]);
        assert!(colleague.mandate(colleague.physician_with("1900000001").unwrap()));
    }

    #[test]
    fn the_life_of_a_token_is_between_its_times() {
        assert_eq!(read(&physician_claims()).life(), Some(Duration::from_secs(300)));
        assert_eq!(with(|claims| claims["iat"] = json!(NOW.unix_timestamp() + 301)).life(), None);
        assert_eq!(with(|claims| drop(claims.as_object_mut().unwrap().remove("iat"))).life(), None);
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
