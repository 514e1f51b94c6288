//! Callers that the server knows by an API key or a certificate, and in whose name they may act: the clients file.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::{HeaderMap, HeaderName};
use econnector_api::TrustedClient;
use econnector_base::{Explain, Fault};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::wrong::{Wrong, unreadable};

const NAME: &str = "ECONNECTOR_CLIENTS_FILE";
/// Where an API key stands.
pub(crate) const KEY_HEADER: HeaderName = HeaderName::from_static("x-econnector-key");

/// The callers of the clients file; read anew when it changes.
#[derive(Default)]
pub(crate) struct Clients(RwLock<Arc<Vec<Client>>>);

struct Client {
    trusted: TrustedClient,
    key: Option<[u8; 32]>,
    certificate: Option<[u8; 32]>,
}

/// A caller that shows something, and not the right thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("the API key is in no entry of the clients file")]
    Key,
    #[error("the client certificate is in no entry of the clients file")]
    Certificate,
    /// Which of the two counts would depend on who reads them.
    #[error("Authorization, X-EConnector-Key or X-Request-Id came twice")]
    HeaderRepeated,
}

impl Explain for ClientError {
    fn code(&self) -> &'static str {
        match self {
            Self::Key => "client-key-wrong",
            Self::Certificate => "client-certificate-unknown",
            Self::HeaderRepeated => "header-repeated",
        }
    }

    fn fault(&self) -> Fault {
        Fault::You
    }
}

impl Clients {
    /// Reads the file.
    ///
    /// # Errors
    /// All that is wrong with it, by entry.
    pub(crate) fn open(file: &Path, certificates_checked: bool) -> Result<Self, Vec<Wrong>> {
        let clients = Self::default();
        clients.read(file, certificates_checked)?;
        Ok(clients)
    }

    /// Reads it again; what was known before stays when it cannot be used.
    ///
    /// # Errors
    /// As [`Clients::open`].
    pub(crate) fn read(&self, file: &Path, certificates_checked: bool) -> Result<usize, Vec<Wrong>> {
        let text = std::fs::read_to_string(file).map_err(|error| vec![unreadable(NAME, file, &error)])?;
        let clients = parse(&text, certificates_checked)?;
        let count = clients.len();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(clients);
        Ok(count)
    }

    /// The callers that may act for every physician.
    pub(crate) fn unbounded(&self) -> Vec<String> {
        let clients = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let every = clients.iter().filter(|client| client.trusted.physicians.is_none());
        every.map(|client| client.trusted.name.clone()).collect()
    }

    /// Who calls, if it says so by key or certificate.
    ///
    /// # Errors
    /// [`ClientError`] when what it shows is not known here.
    pub(crate) fn identify(&self, headers: &HeaderMap, certificate: Option<[u8; 32]>) -> Result<Option<TrustedClient>, ClientError> {
        let clients = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        if let Some(key) = headers.get(KEY_HEADER) {
            let shown: [u8; 32] = Sha256::digest(key.as_bytes()).into();
            return find(&clients, &shown, |client| client.key.as_ref())
                .map(Some)
                .ok_or(ClientError::Key);
        }
        let Some(shown) = certificate else {
            return Ok(None);
        };
        find(&clients, &shown, |client| client.certificate.as_ref())
            .map(Some)
            .ok_or(ClientError::Certificate)
    }
}

fn find(clients: &[Client], shown: &[u8; 32], known: impl Fn(&Client) -> Option<&[u8; 32]>) -> Option<TrustedClient> {
    let is_it = |client: &&Client| known(client).is_some_and(|known| known.ct_eq(shown).into());
    clients.iter().find(is_it).map(|client| client.trusted.clone())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    client: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    key_sha256: Option<String>,
    certificate_sha256: Option<String>,
    physicians: Option<Vec<String>>,
}

fn parse(text: &str, certificates_checked: bool) -> Result<Vec<Client>, Vec<Wrong>> {
    let file: File = toml::from_str(text).map_err(|error| {
        // The parser's own message quotes the line, and a line may hold a key that was meant to be a hash.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        vec![Wrong::new(
            NAME,
            format!("line {line} cannot be read"),
            "Write [[client]] with name, key_sha256 or certificate_sha256, and physicians",
        )]
    })?;
    let mut wrong = Vec::new();
    let mut clients: Vec<Client> = Vec::new();
    for (index, entry) in file.client.into_iter().enumerate() {
        let mut fault = |what: &str, mend: &str| wrong.push(Wrong::new(NAME, format!("entry {}: {what}", index + 1), mend));
        let Entry {
            name,
            key_sha256,
            certificate_sha256,
            physicians,
        } = entry;
        if name.is_empty() || name.len() > 64 || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            fault("the name cannot be used", "Give 1 to 64 letters, digits, dots and dashes");
        }
        if clients.iter().any(|other| other.trusted.name == name) {
            fault("the name is taken", "Give each entry a name of its own");
        }
        let mut hash = |field: &str, value: Option<String>| {
            let read = value.as_deref().map(sha256);
            if read == Some(None) {
                fault(
                    &format!("{field} is no SHA-256"),
                    "Give its 64 hexadecimal digits: printf %s \"$KEY\" | sha256sum",
                );
            }
            read.flatten()
        };
        let key = hash("key_sha256", key_sha256.clone());
        let certificate = hash("certificate_sha256", certificate_sha256.clone());
        if key_sha256.is_none() && certificate_sha256.is_none() {
            fault("has neither key_sha256 nor certificate_sha256", "Give one of the two");
        }
        if certificate_sha256.is_some() && !certificates_checked {
            fault(
                "names a certificate, and ECONNECTOR_CLIENT_CA_FILE is not set",
                "Set it to the authority of your callers' certificates",
            );
        }
        let same = |other: &Client| (key.is_some() && other.key == key) || (certificate.is_some() && other.certificate == certificate);
        if clients.iter().any(same) {
            fault("has the key or certificate of another entry", "Give each caller its own");
        }
        let is_ehealth_id = |id: &String| id.len() == 10 && id.bytes().all(|byte| byte.is_ascii_digit());
        if physicians
            .as_ref()
            .is_some_and(|ids| ids.is_empty() || !ids.iter().all(is_ehealth_id))
        {
            fault(
                "physicians are not eHealthIDs of 10 digits",
                "Correct them, or remove the line to allow every physician",
            );
        }
        clients.push(Client {
            trusted: TrustedClient {
                name,
                physicians: physicians.map(|ids| Arc::new(BTreeSet::from_iter(ids))),
            },
            key,
            certificate,
        });
    }
    if clients.is_empty() && wrong.is_empty() {
        wrong.push(Wrong::new(NAME, "names nobody", "Add an entry [[client]], or remove the variable"));
    }
    if wrong.is_empty() { Ok(clients) } else { Err(wrong) }
}

/// 64 hexadecimal digits, also with the colons that OpenSSL writes.
fn sha256(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.trim().bytes().filter(|byte| *byte != b':').collect();
    let mut hash = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().try_fold(0, |value, digit| {
            Some(value << 4 | u8::try_from((*digit as char).to_digit(16)?).ok()?)
        })?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// SHA-256 of "mirth's key".
    fn of(key: &str) -> String {
        Sha256::digest(key.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect::<Vec<_>>()
            .join(":")
    }

    fn clients(text: &str) -> Clients {
        Clients(RwLock::new(Arc::new(parse(text, true).unwrap())))
    }

    #[test]
    fn a_key_names_its_caller_and_a_wrong_one_is_refused_even_beside_a_right_certificate() {
        let clients = clients(&format!(
            "[[client]]\nname = \"mirth\"\nkey_sha256 = \"{}\"\nphysicians = [\"1900000001\"]\n[[client]]\nname = \"lab\"\ncertificate_sha256 = \"{}\"\n",
            of("mirth's key"),
            of("a certificate"),
        ));
        let with = |key: &str| HeaderMap::from_iter([("x-econnector-key".parse().unwrap(), HeaderValue::from_str(key).unwrap())]);
        let certificate: [u8; 32] = Sha256::digest(b"a certificate").into();
        let known = clients.identify(&with("mirth's key"), None).unwrap().unwrap();
        assert_eq!(known.name, "mirth");
        assert!(known.physicians.unwrap().contains("1900000001"));
        assert_eq!(clients.identify(&HeaderMap::new(), Some(certificate)).unwrap().unwrap().name, "lab");
        assert!(clients.identify(&HeaderMap::new(), None).unwrap().is_none());
        assert_eq!(clients.unbounded(), ["lab"]);
        assert_eq!(clients.identify(&with("guess"), Some(certificate)).err(), Some(ClientError::Key));
        assert_eq!(clients.identify(&with(""), None).err(), Some(ClientError::Key));
        assert_eq!(
            clients.identify(&HeaderMap::new(), Some([0; 32])).err(),
            Some(ClientError::Certificate)
        );
    }

    #[test]
    fn an_entry_with_key_and_certificate_is_opened_by_either() {
        let clients = clients(&format!(
            "[[client]]\nname = \"mirth\"\nkey_sha256 = \"{}\"\ncertificate_sha256 = \"{}\"\n",
            of("mirth's key"),
            of("a certificate"),
        ));
        let with_key = HeaderMap::from_iter([(KEY_HEADER, HeaderValue::from_static("mirth's key"))]);
        let certificate: [u8; 32] = Sha256::digest(b"a certificate").into();
        for (headers, certificate) in [
            (&with_key, None),
            (&HeaderMap::new(), Some(certificate)),
            (&with_key, Some([0; 32])),
        ] {
            assert_eq!(clients.identify(headers, certificate).unwrap().unwrap().name, "mirth");
        }
    }

    #[test]
    fn everything_wrong_with_the_file_is_said_and_no_key_is_quoted() {
        let text = "[[client]]\nname = \"a b\"\nkey_sha256 = \"plain-key\"\n[[client]]\nname = \"x\"\nphysicians = [\"12\"]\n";
        let wrong = parse(text, true).err().unwrap();
        assert_eq!(wrong.len(), 4, "{wrong:?}");
        let unknown = parse("[[client]]\nname = \"x\"\nkey = \"plain-key\"\n", true).err().unwrap();
        assert!(unknown[0].what.contains("line 3"), "{unknown:?}");
        for wrong in wrong.iter().chain(&unknown) {
            assert!(!wrong.to_string().contains("plain-key"));
        }
        let certificate = format!("[[client]]\nname = \"x\"\ncertificate_sha256 = \"{}\"\n", of("c"));
        assert!(parse(&certificate, true).is_ok());
        assert!(
            parse(&certificate, false).err().unwrap()[0]
                .what
                .contains("ECONNECTOR_CLIENT_CA_FILE")
        );
        let twice = format!("{certificate}{}", certificate.replace("\"x\"", "\"y\""));
        assert_eq!(parse(&twice, true).err().unwrap().len(), 1);
        assert!(parse("", true).is_err());
    }
}
