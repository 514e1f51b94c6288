//! The cancellation of a document, the same for every kind: accepted once, from the physician who deposited it.

use super::{
    Fault,
    models::Case,
    register::{Cancellation, Family},
    reply::{Anomaly, Reply},
};

/// `TypeAnnulation` of a cancellation that announces a new document.
const WITH_NEW_DEPOSIT: &str = "2";

pub(super) fn answer(case: Case<'_, '_>, family: Family) -> Result<Reply, Fault> {
    let Case {
        root,
        sender,
        mut anomalies,
        mysecu,
    } = case;
    let order = Cancellation {
        uuid: root.text("UUIDPrestataire")?,
        cancelled: root.text("UUIDDocumentAnnule")?,
        replaced_by: root.optional("UUIDDocumentRemplacant"),
    };
    let announces = root.text("TypeAnnulation")? == WITH_NEW_DEPOSIT;
    if announces && order.replaced_by.is_none() {
        anomalies.push(Anomaly::error(
            "REMPLACANT",
            "L'annulation avec nouveau dépôt ne nomme aucun document remplaçant",
        ));
    }
    if !announces && order.replaced_by.is_some() {
        anomalies.push(Anomaly::error(
            "REMPLACANT",
            "L'annulation simple ne nomme aucun document remplaçant",
        ));
    }
    let filed = mysecu.register().cancel(&order, family, sender, &mut anomalies);
    let answer = format!("{}Retour", root.name().0);
    Ok(Reply::acknowledgement(answer, &order.uuid, filed, anomalies))
}
