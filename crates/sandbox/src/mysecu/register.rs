//! What mySecu keeps between requests: documents, their cancellations and replacements, simulations and their payments.

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    Issued,
    reply::{Anomaly, passes},
};
use crate::control::Links;

/// Kinds of documents: one is cancelled by the model of its own kind only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Ecit,
    Mh,
    Test,
}

/// Documents by UUID, simulations by identifier. UUIDs are keys in lower case.
#[derive(Default)]
pub(crate) struct Register {
    documents: HashMap<String, Deposited>,
    /// UUID of a cancellation message → UUID of the document it cancelled.
    cancellations: HashMap<String, String>,
    /// UUID announced as a replacement → UUID of the document it replaces.
    announced: HashMap<String, String>,
    simulations: HashMap<String, Simulation>,
    /// `idMemoireHonoraire` → reference of the payment.
    payments: HashMap<String, String>,
}

struct Deposited {
    family: Family,
    ehealth_id: String,
    reference: String,
    /// Reference of its cancellation.
    cancelled: Option<String>,
}

/// What became of a document that was handed in.
pub(super) struct Filed {
    /// mySecu's reference; that of the first one if this is the second.
    pub(super) reference: String,
    pub(super) accepted: bool,
    pub(super) links: Links,
}

impl Filed {
    fn refused(reference: String) -> Self {
        Self {
            reference,
            accepted: false,
            links: Links::default(),
        }
    }
}

/// A cancellation: its own UUID, and those of the documents it names.
pub(super) struct Cancellation {
    pub(super) uuid: String,
    pub(super) cancelled: String,
    pub(super) replaced_by: Option<String>,
}

/// A simulation that was answered.
pub(super) struct Simulation {
    pub(super) ehealth_id: String,
    /// `idMemoireHonoraire`.
    pub(super) memoire: String,
    pub(super) statutory: i64,
    pub(super) payable: bool,
    /// Identifiers of its anomalies.
    pub(super) anomalies: Vec<String>,
    /// Reference of its contestation.
    pub(super) contested: Option<String>,
}

impl Register {
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes a document in unless something refuses it; a second one of the same UUID is refused under the first one's reference.
    pub(super) fn deposit(&mut self, uuid: &str, family: Family, sender: &Issued, anomalies: &mut Vec<Anomaly>) -> Filed {
        let key = key(uuid);
        if let Some(first) = self.documents.get(&key) {
            let reason = format!("Un document de cet UUID a déjà été déposé sous la référence {}", first.reference);
            anomalies.push(Anomaly::error("DOUBLON", reason));
            return Filed::refused(first.reference.clone());
        }
        if let Some(payment) = self.payments.get(&key) {
            let reason = format!("Un mémoire de cet UUID a déjà été payé par PID sous la référence {payment}");
            anomalies.push(Anomaly::error("DOUBLON", reason));
            return Filed::refused(payment.clone());
        }
        let reference = Uuid::new_v4().to_string();
        if !passes(anomalies) {
            return Filed::refused(reference);
        }
        let links = Links {
            replaces: self.announced.get(&key).filter(|old| self.is_of(old, sender)).cloned(),
            ..Links::default()
        };
        self.documents.insert(
            key,
            Deposited {
                family,
                ehealth_id: sender.ehealth_id.clone(),
                reference: reference.clone(),
                cancelled: None,
            },
        );
        Filed {
            reference,
            accepted: true,
            links,
        }
    }

    fn is_of(&self, uuid: &str, physician: &Issued) -> bool {
        self.documents
            .get(uuid)
            .is_some_and(|document| document.ehealth_id == physician.ehealth_id)
    }

    /// Cancels a document, once; the second time is refused under the first time's reference.
    pub(super) fn cancel(&mut self, order: &Cancellation, family: Family, sender: &Issued, anomalies: &mut Vec<Anomaly>) -> Filed {
        let (own, target) = (key(&order.uuid), key(&order.cancelled));
        let replacement = order.replaced_by.as_deref().map(key);
        if self.documents.contains_key(&own) || self.cancellations.get(&own).is_some_and(|other| *other != target) {
            anomalies.push(Anomaly::error("DOUBLON", "Un message de cet UUID a déjà été reçu"));
        }
        if replacement.as_ref() == Some(&target) {
            anomalies.push(Anomaly::error("REMPLACANT", "Un document ne se remplace pas lui-même"));
        }
        if let Some(other) = replacement.as_ref().and_then(|uuid| self.documents.get(uuid))
            && (other.ehealth_id != sender.ehealth_id || other.family != family)
        {
            anomalies.push(Anomaly::error(
                "REMPLACANT",
                "Le document remplaçant est d'un autre médecin ou d'un autre genre",
            ));
        }
        let reference = Uuid::new_v4().to_string();
        let Some(document) = self.documents.get_mut(&target).filter(|document| document.family == family) else {
            anomalies.push(Anomaly::error("INCONNU", "Aucun document de cet UUID n'a été déposé"));
            return Filed::refused(reference);
        };
        if document.ehealth_id != sender.ehealth_id {
            anomalies.push(Anomaly::error("PRESTATAIRE", "Le document a été déposé par un autre médecin"));
            return Filed::refused(reference);
        }
        if let Some(first) = &document.cancelled {
            let reason = format!("Le document a déjà été annulé sous la référence {first}");
            anomalies.push(Anomaly::error("DEJA_ANNULE", reason));
            return Filed::refused(first.clone());
        }
        if !passes(anomalies) {
            return Filed::refused(reference);
        }
        document.cancelled = Some(reference.clone());
        if let Some(replacement) = &replacement {
            self.announced.insert(replacement.clone(), target.clone());
        }
        self.cancellations.insert(own, target.clone());
        Filed {
            reference,
            accepted: true,
            links: Links {
                cancels: Some(target),
                replaced_by: replacement,
                replaces: None,
            },
        }
    }

    /// Why no (other) simulation of this mémoire makes sense: it was deposited or paid already.
    pub(super) fn settled(&self, memoire: &str) -> Option<Anomaly> {
        let key = key(memoire);
        if self.payments.contains_key(&key) {
            Some(Anomaly::error("DEJA_PAYE", "Ce mémoire a déjà été payé par PID"))
        } else if self.documents.contains_key(&key) {
            Some(Anomaly::error("DOUBLON", "Un mémoire de cet UUID a déjà été déposé"))
        } else {
            None
        }
    }

    /// Keeps a simulation under its identifier.
    pub(super) fn keep(&mut self, identifier: String, simulation: Simulation) {
        self.simulations.insert(identifier, simulation);
    }

    /// A simulation, for the physician who asked for it.
    pub(super) fn simulation(&self, identifier: &str, sender: &Issued) -> Result<&Simulation, Anomaly> {
        match self.simulations.get(identifier) {
            None => Err(Anomaly::error("INCONNU", "Aucune simulation de cet identifiant")),
            Some(simulation) if simulation.ehealth_id != sender.ehealth_id => {
                Err(Anomaly::error("PRESTATAIRE", "La simulation est d'un autre médecin"))
            }
            Some(simulation) => Ok(simulation),
        }
    }

    pub(super) fn contest(&mut self, identifier: &str, reference: String) {
        if let Some(simulation) = self.simulations.get_mut(identifier) {
            simulation.contested = Some(reference);
        }
    }

    /// The reference under which a mémoire was paid.
    pub(super) fn payment(&self, memoire: &str) -> Option<&String> {
        self.payments.get(&key(memoire))
    }

    pub(super) fn pay(&mut self, memoire: &str, reference: String) {
        self.payments.insert(key(memoire), reference);
    }
}

fn key(uuid: &str) -> String {
    uuid.to_ascii_lowercase()
}
