//! The files that settings name, opened before anything starts: what is wrong with them is named with the settings' own names, all of it
//! at once.

use std::sync::Arc;

use econnector_assembly::{AssemblyError, KmsPart};
use econnector_net::{AnchorsError, read_anchors, validity};
use time::OffsetDateTime;

use crate::clients::Clients;
use crate::environment::ServerSettings;
use crate::tls::{Opened, open_p12, valid_now};
use crate::wrong::{FROM_JAVA, Wrong, unreadable};

/// The three that choose entries of the KMS's trust store.
const ALIASES: &str = "ROOT_SIGNING_CA_ALIAS, SIGNING_CA_ALIAS, TIMESTAMP_CA_ALIAS";

/// What the files hold.
pub(crate) struct Files {
    pub(crate) tls: Opened,
    pub(crate) clients: Arc<Clients>,
    /// Which certificate ends when.
    pub(crate) expiries: Vec<(&'static str, OffsetDateTime)>,
    /// What can be used and should be looked at.
    pub(crate) notes: Vec<String>,
}

/// Opens every file.
///
/// # Errors
/// Everything wrong.
pub(crate) fn open(settings: &ServerSettings, now: OffsetDateTime) -> Result<Files, Vec<Wrong>> {
    let mut wrong = Vec::new();
    let mut notes = Vec::new();
    let mut expiries = Vec::new();
    let tls = settings.tls.open(now).map_err(|found| wrong.extend(found)).ok();
    if let Some(tls) = &tls {
        expiries.push(("server", tls.expires));
    }

    let mysecu = &settings.connector.mysecu;
    let client = open_p12(
        "GENERIC_KEYSTORE_FILE",
        "GENERIC_KEYSTORE_PWD",
        &mysecu.client_p12,
        &mysecu.client_p12_password,
        None,
    );
    match client.and_then(|identity| valid_now("GENERIC_KEYSTORE_FILE", &identity, now)) {
        Ok(until) => expiries.push(("mysecu_client", until)),
        Err(found) => wrong.push(found),
    }
    match econnector_assembly::trust_store(&settings.connector.kms) {
        Ok(trust) => {
            let until = trust.store.earliest_expiry();
            if until <= now {
                wrong.push(Wrong::new(
                    "TRUSTSTORE_KMS_FILENAME",
                    format!("a certificate in it ended on {}", until.date()),
                    format!("Get the present trust store of the KMS, or choose its entries by {ALIASES}"),
                ));
            }
            if trust.aliases_ignored {
                notes.push(format!(
                    "{ALIASES} change nothing: the entries of TRUSTSTORE_KMS_FILENAME have no names (PEM), and all of them count"
                ));
            }
            expiries.push(("trust_store", until));
        }
        Err(error) => wrong.push(trust_store(&error, &settings.connector.kms)),
    }
    match anchors("ECONNECTOR_MYSECU_SIGNING_FILE", &mysecu.answer_anchors) {
        // Several authorities may stand there, old and new: what counts is that one is left.
        Ok(certificates) => match certificates.iter().filter_map(|der| validity(der)).map(|(_, until)| until).max() {
            Some(until) if until > now => expiries.push(("mysecu_answers", until)),
            _ => wrong.push(Wrong::new(
                "ECONNECTOR_MYSECU_SIGNING_FILE",
                "every certificate in it has ended",
                "Get the present certificate of mySecu's signature",
            )),
        },
        Err(found) => wrong.push(found),
    }
    if let Some(path) = &settings.connector.anchors
        && let Err(found) = anchors("ECONNECTOR_CA_FILE", path)
    {
        wrong.push(found);
    }
    if settings.connector.only_these_anchors && settings.connector.anchors.is_none() {
        wrong.push(Wrong::new(
            "ECONNECTOR_CA_FILE_ONLY",
            "is true, and ECONNECTOR_CA_FILE is not set",
            "Name the file of authorities, or set it to false",
        ));
    }
    if let Some(folder) = &settings.connector.forms_folder
        && let Err(error) = std::fs::read_dir(folder)
    {
        wrong.push(unreadable("ECONNECTOR_FORMS_FOLDER", folder, &error));
    }
    let clients = match &settings.clients_file {
        Some(file) => Clients::open(file, settings.tls.client_ca.is_some())
            .map_err(|found| wrong.extend(found))
            .unwrap_or_default(),
        None => Clients::default(),
    };
    notes.extend(clients.unbounded().iter().map(|name| acts_for_all(name)));
    match tls {
        Some(tls) if wrong.is_empty() => Ok(Files {
            tls,
            notes,
            clients: Arc::new(clients),
            expiries,
        }),
        _ => Err(wrong),
    }
}

/// The packs of the folder of forms that cannot be used. The server starts without them, and whoever asks first wants to know.
pub(crate) fn broken_packs(settings: &ServerSettings) -> Vec<Wrong> {
    const NAME: &str = "ECONNECTOR_FORMS_FOLDER";
    const MEND: &str = "Mend the pack, or take its folder away";
    let Some(folder) = &settings.connector.forms_folder else {
        return Vec::new();
    };
    match econnector_assembly::broken_packs(folder) {
        Ok(broken) => broken
            .into_iter()
            .map(|pack| Wrong::new(NAME, format!("{} is left out ({})", pack.folder, pack.reason), MEND))
            .collect(),
        Err(error) => vec![Wrong::new(NAME, error.to_string(), MEND)],
    }
}

fn acts_for_all(client: &str) -> String {
    format!("ECONNECTOR_CLIENTS_FILE: {client} has no line `physicians` and may act for every physician")
}

fn anchors(name: &str, path: &std::path::Path) -> Result<Vec<Vec<u8>>, Wrong> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(name, path, &error))?;
    read_anchors(&bytes, None).map_err(|error| Wrong::new(name, format!("{}: {error}", path.display()), "Give a PEM file of certificates"))
}

fn trust_store(error: &AssemblyError, kms: &KmsPart) -> Wrong {
    const NAME: &str = "TRUSTSTORE_KMS_FILENAME";
    const GIVE: &str = "Give the KMS's trust store as PKCS#12 or PEM";
    let file = kms.trust_store.display();
    match error {
        AssemblyError::File { path, error, .. } => unreadable(NAME, path, error),
        AssemblyError::Alias { alias, known, .. } => Wrong::new(
            ALIASES,
            format!("the trust store has no entry \"{alias}\""),
            format!("It has: {}. Choose among these, or remove the three to take all", known.join(", ")),
        ),
        AssemblyError::Anchors {
            error: AnchorsError::Password,
            ..
        } if kms.trust_store_password.is_none() => Wrong::new(
            "TRUSTSTORE_KMS_PASSWORD",
            format!("is not set, and {NAME} has a password"),
            "Set it or TRUSTSTORE_KMS_PASSWORD_FILE, or give the trust store as PEM",
        ),
        AssemblyError::Anchors {
            error: AnchorsError::Password,
            ..
        } => Wrong::new(
            "TRUSTSTORE_KMS_PASSWORD",
            "does not open the trust store",
            "Correct it, or give the trust store as PEM",
        ),
        AssemblyError::Anchors {
            error: AnchorsError::JavaKeystore,
            ..
        } => Wrong::new(
            NAME,
            format!("{file} is a Java keystore (JKS)"),
            format!("{FROM_JAVA}, or give PEM"),
        ),
        AssemblyError::Anchors { error, .. } => Wrong::new(NAME, format!("{file}: {error}"), GIVE),
        error => Wrong::new(NAME, error.to_string(), GIVE),
    }
}
