//! The eCIT deposit: what a clerk's program would object to.

use time::{Date, Duration};

use super::{
    Fault, Issued,
    fields::Fields,
    matricule::{age, has_valid_check_digits},
    models::Case,
    pdf,
    register::Family,
    reply::{Anomaly, Reply},
};

pub(super) fn deposit(case: Case<'_, '_>) -> Result<Reply, Fault> {
    let Case {
        root,
        sender,
        mut anomalies,
        mysecu,
    } = case;
    let document = pdf::signed(&root.text("document")?)?;
    let head = root.group("entete")?;
    let uuid = head.text("UUID")?;
    anomalies.extend(wrong_sender(head.group("medecin")?, sender)?);
    let insured = root.group("patient")?.text("matricule")?;
    if !has_valid_check_digits(&insured) {
        anomalies.push(Anomaly::error("MATRICULE", "Matricule inconnu"));
    }
    anomalies.extend(review(root.group("incapacite")?, &insured)?);
    let filed = mysecu.register().deposit(&uuid, Family::Ecit, sender, &mut anomalies);
    Ok(Reply {
        document_pdf: Some(document),
        ..Reply::acknowledgement("certificatIncapaciteTravailRetour", &uuid, filed, anomalies)
    })
}

fn wrong_sender(physician: Fields<'_, '_>, sender: &Issued) -> Result<Option<Anomaly>, Fault> {
    let own = physician.text("codePrestataire")? == sender.provider_code && physician.text("identifiantESante")? == sender.ehealth_id;
    Ok((!own).then(|| Anomaly::error("PRESTATAIRE", "Le médecin du certificat n'est pas celui de l'espace")))
}

fn review(incapacity: Fields<'_, '_>, insured: &str) -> Result<Vec<Anomaly>, Fault> {
    let mut anomalies = Vec::new();
    let kind = incapacity.text("type")?;
    let (first_day, last_day, finding) = (
        incapacity.date("dateDebut")?,
        incapacity.date("dateFin")?,
        incapacity.date("dateConstatation")?,
    );
    if last_day < first_day {
        anomalies.push(Anomaly::error("PERIODE", "La fin de l'incapacité précède son début"));
    }
    if kind != "MATERNITE" && finding > first_day + Duration::days(2) {
        anomalies.push(Anomaly::warning(
            "CONSTATATION_TARDIVE",
            "Constatation après le 3e jour d'incapacité",
        ));
    }
    match (kind == "CRF", incapacity.find("enfant")) {
        (true, Some(child)) => anomalies.extend(review_child(child, insured, first_day, last_day)?),
        (true, None) => anomalies.push(Anomaly::error("ENFANT", "Le congé pour raisons familiales ne nomme aucun enfant")),
        (false, Some(_)) => anomalies.push(Anomaly::error("ENFANT", "Seul le congé pour raisons familiales nomme un enfant")),
        (false, None) => {}
    }
    match (kind == "MATERNITE", incapacity.optional_date("datePresumeeAccouchement")?) {
        (true, Some(expected)) if finding < expected - Duration::weeks(12) => {
            let reason = "Le certificat est établi plus de 12 semaines avant la date présumée de l'accouchement";
            anomalies.push(Anomaly::error("MATERNITE_TROP_TOT", reason));
        }
        (true, None) => anomalies.push(Anomaly::error("ACCOUCHEMENT", "La date présumée de l'accouchement manque")),
        (false, Some(_)) => anomalies.push(Anomaly::error(
            "ACCOUCHEMENT",
            "Seul le certificat de maternité porte une date présumée d'accouchement",
        )),
        (true, Some(_)) | (false, None) => {}
    }
    Ok(anomalies)
}

/// Days per child and age band: luxembourg.md §3.
fn review_child(child: Fields<'_, '_>, insured: &str, first_day: Date, last_day: Date) -> Result<Vec<Anomaly>, Fault> {
    let mut anomalies = Vec::new();
    let matricule = child.text("matricule")?;
    if !has_valid_check_digits(&matricule) {
        anomalies.push(Anomaly::error("MATRICULE", "Matricule de l'enfant inconnu"));
    }
    if matricule == insured {
        anomalies.push(Anomaly::error("ENFANT", "L'enfant et l'assuré sont la même personne"));
    }
    let days = match age(&matricule, first_day) {
        Some(..4) => 12,
        Some(4..13) => 18,
        Some(13..18) if child.is_true("hospitalise") => 5,
        _ => 0,
    };
    if (last_day - first_day).whole_days() + 1 > days {
        let reason = format!("L'âge de l'enfant donne droit à {days} jours au plus");
        anomalies.push(Anomaly::warning("JOURS_CRF", reason));
    }
    Ok(anomalies)
}
