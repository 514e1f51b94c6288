//! The MH deposit: totals, line numbers, senders, codes.

use super::{
    Fault, Issued,
    fields::Fields,
    matricule::has_valid_check_digits,
    models::Case,
    pdf,
    register::Family,
    reply::{Anomaly, Reply, amount},
    tariff::Tariff,
};

/// An unknown code that begins so is refused; any other one only warns, for physicians may know newer codes than we.
const REFUSED_PREFIX: char = 'Z';

pub(super) fn deposit(case: Case<'_, '_>) -> Result<Reply, Fault> {
    let Case {
        root,
        sender,
        mut anomalies,
        mysecu,
    } = case;
    let head = root.group("entete")?;
    let uuid = head.text("UUID")?;
    let lines = root.all("prestation");
    let document = root.optional("document").map(|content| pdf::signed(&content)).transpose()?;
    if document.is_none() {
        anomalies.push(Anomaly::error("DOCUMENT", "Le mémoire signé manque"));
    }
    anomalies.extend(wrong_sender(head, &lines, sender)?);
    if head
        .group("patient")?
        .optional("matricule")
        .is_some_and(|matricule| !has_valid_check_digits(&matricule))
    {
        anomalies.push(Anomaly::error("MATRICULE", "Matricule inconnu"));
    }
    for (index, line) in lines.iter().enumerate() {
        anomalies.extend(review_line(*line, index + 1, &mysecu.rules.tariff)?);
    }
    anomalies.extend(review_totals(&lines, root.group("paiement")?)?);
    let filed = mysecu.register().deposit(&uuid, Family::Mh, sender, &mut anomalies);
    Ok(Reply {
        document_pdf: document,
        ..Reply::acknowledgement("memoireHonorairesRetour", &uuid, filed, anomalies)
    })
}

/// The money may go to an association or a hospital; then at least one act is the physician's.
fn wrong_sender(head: Fields<'_, '_>, lines: &[Fields<'_, '_>], sender: &Issued) -> Result<Option<Anomaly>, Fault> {
    let biller = head.group("facturier")?.text("codePrestataire")?;
    let executes = |line: &Fields<'_, '_>| line.optional("codeExecutant").as_deref() == Some(sender.provider_code.as_str());
    let own = biller == sender.provider_code || lines.iter().any(executes);
    Ok((!own).then(|| Anomaly::error("PRESTATAIRE", "Ni le facturier ni un exécutant n'est le médecin de l'espace")))
}

fn review_line(line: Fields<'_, '_>, number: usize, tariff: &Tariff) -> Result<Vec<Anomaly>, Fault> {
    let mut anomalies = Vec::new();
    if usize::try_from(line.number("numeroLigne")?) != Ok(number) {
        let reason = format!("Ligne {number} : les lignes se numérotent à partir de 1, dans l'ordre");
        anomalies.push(Anomaly::error("NUMEROTATION", reason));
    }
    let period = line.group("periode")?;
    if period
        .optional_date("dateFin")?
        .is_some_and(|end| period.date("dateDebut").is_ok_and(|start| end < start))
    {
        anomalies.push(Anomaly::error("PERIODE", format!("Ligne {number} : la fin précède le début")));
    }
    let code = line.group("acte")?.text("codeActe")?;
    if !tariff.knows(&code) {
        let reason = format!("Ligne {number} : le code d'acte est inconnu");
        anomalies.push(if code.is_empty() || code.starts_with(REFUSED_PREFIX) {
            Anomaly::error("ACTE_INCONNU", reason)
        } else {
            Anomaly::warning("ACTE_INCONNU", reason)
        });
    }
    Ok(anomalies)
}

fn review_totals(lines: &[Fields<'_, '_>], payment: Fields<'_, '_>) -> Result<Vec<Anomaly>, Fault> {
    let mut anomalies = Vec::new();
    let mut sum = 0_i64;
    for line in lines {
        sum = sum.saturating_add(line.cents("montantBrut")?);
    }
    let subtotal = payment.cents("sousTotal")?;
    if subtotal != sum {
        let reason = format!("sousTotal : {} au lieu de {}", amount(subtotal), amount(sum));
        anomalies.push(Anomaly::error("TOTAL", reason));
    }
    let due = subtotal
        .saturating_add(payment.cents_or_zero("report")?)
        .saturating_sub(payment.cents_or_zero("acompteADeduire")?);
    let to_pay = payment.cents("aPayer")?;
    if to_pay != due {
        let reason = format!("aPayer : {} au lieu de {}", amount(to_pay), amount(due));
        anomalies.push(Anomaly::error("TOTAL", reason));
    }
    if payment.text("devise")? != "EUR" {
        anomalies.push(Anomaly::error("DEVISE", "La devise est EUR"));
    }
    Ok(anomalies)
}
