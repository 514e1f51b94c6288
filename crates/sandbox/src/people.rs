//! The fictitious people and programs of the sandbox: whoever logs in, whoever may exchange a token.

use serde_json::{Map, Value, json};

/// Somebody with an account at AeS.
pub(crate) struct Person {
    /// `sub`.
    pub(crate) subject: &'static str,
    pub(crate) username: &'static str,
    pub(crate) password: &'static str,
    pub(crate) given_name: &'static str,
    pub(crate) family_name: &'static str,
    /// As it stands on documents and in the signer's certificate.
    pub(crate) name: &'static str,
    /// Physicians have one, secretaries do not.
    pub(crate) ehealth_id: Option<&'static str>,
    pub(crate) provider_codes: &'static [&'static str],
    /// eHealthIDs of the physicians, herself aside, for whom somebody may act.
    pub(crate) acts_for: &'static [&'static str],
    /// Whether the spaces of this physician have web services activated at mySecu.
    pub(crate) activated: bool,
    /// Which kind of key the KMS keeps for this physician.
    pub(crate) rsa_signature: bool,
}

pub(crate) const PEOPLE: [Person; 5] = [
    Person {
        subject: "6b1f7c52-3f3e-4a53-9a53-1d5c0b6f0001",
        username: "dr.weber",
        password: "weber",
        given_name: "Anne",
        family_name: "Weber",
        name: "Dr Anne Weber",
        ehealth_id: Some("1900000001"),
        provider_codes: &["90000101"],
        acts_for: &[],
        activated: true,
        rsa_signature: true,
    },
    Person {
        subject: "6b1f7c52-3f3e-4a53-9a53-1d5c0b6f0002",
        username: "dr.muller",
        password: "muller",
        given_name: "Luc",
        family_name: "Muller",
        name: "Dr Luc Muller",
        ehealth_id: Some("1900000002"),
        provider_codes: &["90000102"],
        acts_for: &[],
        activated: true,
        rsa_signature: false,
    },
    Person {
        subject: "6b1f7c52-3f3e-4a53-9a53-1d5c0b6f0003",
        username: "dr.dacosta",
        password: "dacosta",
        given_name: "Inês",
        family_name: "da Costa",
        name: "Dr Inês da Costa",
        ehealth_id: Some("1900000003"),
        provider_codes: &["90000103"],
        acts_for: &[],
        activated: false,
        rsa_signature: true,
    },
    Person {
        subject: "6b1f7c52-3f3e-4a53-9a53-1d5c0b6f0004",
        username: "sec.klein",
        password: "klein",
        given_name: "Claire",
        family_name: "Klein",
        name: "Claire Klein",
        ehealth_id: None,
        provider_codes: &[],
        acts_for: &["1900000001", "1900000002"],
        activated: false,
        rsa_signature: false,
    },
    Person {
        subject: "6b1f7c52-3f3e-4a53-9a53-1d5c0b6f0005",
        username: "dr.schmit",
        password: "schmit",
        given_name: "Paul",
        family_name: "Schmit",
        name: "Dr Paul Schmit",
        ehealth_id: Some("1900000004"),
        provider_codes: &["90000104"],
        acts_for: &["1900000001"],
        activated: true,
        rsa_signature: false,
    },
];

impl Person {
    pub(crate) fn named(username: &str) -> Option<&'static Self> {
        PEOPLE.iter().find(|person| person.username == username)
    }

    pub(crate) fn with_ehealth_id(id: &str) -> Option<&'static Self> {
        PEOPLE.iter().find(|person| person.ehealth_id == Some(id))
    }

    pub(crate) fn with_subject(subject: &str) -> Option<&'static Self> {
        PEOPLE.iter().find(|person| person.subject == subject)
    }

    /// The claims that describe the person, in access and ID tokens alike (docs/wire.md).
    pub(crate) fn claims(&self) -> Map<String, Value> {
        let mut claims = Map::new();
        claims.insert("name".into(), self.name.into());
        claims.insert("given_name".into(), self.given_name.into());
        claims.insert("family_name".into(), self.family_name.into());
        claims.insert("preferred_username".into(), self.username.into());
        if let Some(id) = self.ehealth_id {
            claims.insert("eHealthId".into(), id.into());
            claims.insert("providerCodes".into(), json!(self.provider_codes));
        }
        if !self.acts_for.is_empty() {
            let physicians: Vec<Value> = self
                .acts_for
                .iter()
                .filter_map(|id| Self::with_ehealth_id(id))
                .map(|p| json!({"eHealthId": p.ehealth_id, "name": p.name, "providerCodes": p.provider_codes}))
                .collect();
            claims.insert("actsFor".into(), physicians.into());
        }
        claims
    }
}

/// An OAuth client registered at AeS.
pub(crate) struct Client {
    pub(crate) id: &'static str,
    /// Public clients have none and must use PKCE.
    pub(crate) secret: Option<&'static str>,
    pub(crate) may_exchange: bool,
}

pub(crate) const DESKTOP_CLIENT: &str = "econnector";
pub(crate) const HOSPITAL_CLIENT: &str = "hopital-eai";
pub(crate) const HOSPITAL_SECRET: &str = "s3cr3t";

pub(crate) const CLIENTS: [Client; 3] = [
    Client {
        id: DESKTOP_CLIENT,
        secret: None,
        may_exchange: false,
    },
    Client {
        id: HOSPITAL_CLIENT,
        secret: Some(HOSPITAL_SECRET),
        may_exchange: true,
    },
    Client {
        id: "other-eai",
        secret: Some("s3cr3t2"),
        may_exchange: false,
    },
];

impl Client {
    pub(crate) fn with_id(id: &str) -> Option<&'static Self> {
        CLIENTS.iter().find(|client| client.id == id)
    }
}
