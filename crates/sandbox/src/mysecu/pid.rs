//! The PID: acts are priced, then paid once or contested.

use uuid::Uuid;

use super::{
    Fault, Issued,
    fields::Fields,
    matricule::{age, has_valid_check_digits},
    models::Case,
    ns,
    register::Simulation,
    reply::{Anomaly, Reply, amount, element, passes},
    tariff::{Quote, Tariff},
};
use crate::{control::Links, people::PEOPLE};

/// From this statutory share on, in cents, something is held back, so that an offset can be seen.
const OFFSET_FROM: i64 = 10_000;
const OFFSET: i64 = 1_000;

pub(super) fn simulate(case: Case<'_, '_>) -> Result<Reply, Fault> {
    let Case {
        root,
        sender,
        mut anomalies,
        mysecu,
    } = case;
    let uta = root.group("UTA")?;
    let memoire = uta.text("idMemoireHonoraire")?;
    let matricule = uta.text("matricule")?;
    if !has_valid_check_digits(&matricule) {
        anomalies.push(Anomaly::error("MATRICULE", "Matricule inconnu"));
    }
    anomalies.extend(wrong_biller(&uta.text("identifiantFacturier")?, sender));
    let mut register = mysecu.register();
    anomalies.extend(register.settled(&memoire));

    let mut lines: Vec<Line> = Vec::new();
    for fields in uta.group("Lignes")?.all("LigneUTA") {
        let line = Line::price(fields, &matricule, &mysecu.rules.tariff)?;
        if lines.iter().any(|other| other.id == line.id) {
            let twice = Anomaly::error("DOUBLON", "identifiantExternePrestation en double");
            anomalies.push(Anomaly {
                line: Some(line.id.clone()),
                ..twice
            });
        }
        anomalies.extend(line.remark());
        lines.push(line);
    }
    for anomaly in &mut anomalies {
        anomaly.id = Some(Uuid::new_v4().to_string());
    }

    let identifier = Uuid::new_v4().to_string();
    let sum = |part: fn(&Quote) -> i64| lines.iter().map(|line| part(&line.quote)).sum::<i64>();
    let statutory = sum(|quote| quote.statutory);
    let children = [
        element("idMemoireHonoraire", &memoire),
        element("identifiantReponseSimulation", &identifier),
        lines.iter().map(Line::xml).collect(),
        element("totalPartStatutaire", &amount(statutory)),
        element("totalParticipationPersonelle", &amount(sum(|quote| quote.personal))),
        element("sommeTotale", &amount(sum(Quote::total))),
    ];
    let payable = passes(&anomalies);
    let simulation = Simulation {
        ehealth_id: sender.ehealth_id.clone(),
        memoire,
        statutory,
        payable,
        anomalies: anomalies.iter().filter_map(|anomaly| anomaly.id.clone()).collect(),
        contested: None,
    };
    register.keep(identifier.clone(), simulation);
    Ok(reply("simulationMedecinRetour", &children, identifier, payable, anomalies))
}

pub(super) fn validate(case: Case<'_, '_>) -> Result<Reply, Fault> {
    let Case {
        root,
        sender,
        mut anomalies,
        mysecu,
    } = case;
    let identifier = root.text("identifiantReponseSimulation")?;
    let mut register = mysecu.register();
    let (mut reference, mut statutory) = (Uuid::new_v4().to_string(), 0);
    match register.simulation(&identifier, sender) {
        Err(objection) => anomalies.push(objection),
        Ok(simulation) => {
            let (memoire, due) = (simulation.memoire.clone(), simulation.statutory);
            if simulation.contested.is_some() {
                anomalies.push(Anomaly::error("CONTESTEE", "La simulation a été contestée"));
            } else if !simulation.payable {
                anomalies.push(Anomaly::error("NON_PAYABLE", "Une anomalie de la simulation empêche le paiement"));
            }
            if let Some(first) = register.payment(&memoire) {
                anomalies.push(Anomaly::error(
                    "DEJA_VALIDE",
                    format!("Ce mémoire a déjà été payé sous la référence {first}"),
                ));
                (reference, statutory) = (first.clone(), due);
            } else {
                anomalies.extend(register.settled(&memoire));
            }
            if passes(&anomalies) {
                register.pay(&memoire, reference.clone());
                statutory = due;
            }
        }
    }
    let offset = if statutory >= OFFSET_FROM { OFFSET } else { 0 };
    let children = [
        element("identifiantReponseSimulation", &identifier),
        element("UuidSecu", &reference),
        element("partStatutaire", &amount(statutory)),
        element("recouvrement", &amount(offset)),
        element("montantPaye", &amount(statutory - offset)),
        if offset > 0 {
            element("motif", "Recouvrement d'un trop-perçu antérieur")
        } else {
            String::new()
        },
    ];
    let accepted = passes(&anomalies);
    Ok(reply(
        "validationSimulationMedecinRetour",
        &children,
        reference,
        accepted,
        anomalies,
    ))
}

pub(super) fn contest(case: Case<'_, '_>) -> Result<Reply, Fault> {
    let Case {
        root,
        sender,
        mut anomalies,
        mysecu,
    } = case;
    let identifier = root.text("identifiantReponseSimulation")?;
    let mut contested: Vec<String> = Vec::new();
    for item in root.all("contestationAnomalie") {
        contested.push(item.text("identifiantAnomalie")?);
    }
    let mut register = mysecu.register();
    let mut reference = Uuid::new_v4().to_string();
    match register.simulation(&identifier, sender) {
        Err(objection) => anomalies.push(objection),
        Ok(simulation) => {
            if register.payment(&simulation.memoire).is_some() {
                anomalies.push(Anomaly::error("DEJA_VALIDE", "Ce mémoire a déjà été payé"));
            }
            for (index, id) in contested.iter().enumerate() {
                if !simulation.anomalies.contains(id) {
                    anomalies.push(Anomaly::error(
                        "ANOMALIE_INCONNUE",
                        "Cette simulation n'a pas d'anomalie de cet identifiant",
                    ));
                } else if contested.iter().take(index).any(|other| other == id) {
                    anomalies.push(Anomaly::error("DOUBLON", "Une anomalie est contestée deux fois"));
                }
            }
            if let Some(first) = &simulation.contested {
                let reason = format!("La simulation a déjà été contestée sous la référence {first}");
                anomalies.push(Anomaly::error("DEJA_CONTESTE", reason));
                reference.clone_from(first);
            }
        }
    }
    if passes(&anomalies) {
        register.contest(&identifier, reference.clone());
    }
    let children = [
        element("identifiantReponseSimulation", &identifier),
        element("UuidSecu", &reference),
    ];
    let accepted = passes(&anomalies);
    Ok(reply(
        "contestationSimulationMedecinRetour",
        &children,
        reference,
        accepted,
        anomalies,
    ))
}

/// The money may go to an association or a hospital, but not to another physician.
fn wrong_biller(biller: &str, sender: &Issued) -> Option<Anomaly> {
    let of_another = biller != sender.provider_code && PEOPLE.iter().any(|person| person.provider_codes.contains(&biller));
    of_another.then(|| Anomaly::error("PRESTATAIRE", "Le facturier est un autre médecin que celui de l'espace"))
}

fn reply(root: &str, children: &[String], reference: String, accepted: bool, anomalies: Vec<Anomaly>) -> Reply {
    Reply {
        namespace: ns::CNS.to_owned(),
        root: root.to_owned(),
        children: children.concat(),
        anomalies,
        accepted,
        reference,
        document_pdf: None,
        links: Links::default(),
    }
}

/// A line of the simulation and what it comes to.
struct Line {
    /// `identifiantExternePrestation`.
    id: String,
    quote: Quote,
}

impl Line {
    fn price(line: Fields<'_, '_>, matricule: &str, tariff: &Tariff) -> Result<Self, Fault> {
        let act = line.group("acte")?;
        let minor = age(matricule, line.date("dateDebutPrestation")?).is_some_and(|years| years < 18);
        let day = line.text("dateDebutPrestation")?;
        Ok(Self {
            id: line.text("identifiantExternePrestation")?,
            quote: tariff.quote(&act.text("codeActe")?, &day, act.number("nombre")?, minor),
        })
    }

    fn remark(&self) -> Option<Anomaly> {
        let remark = self.quote.remark.clone()?;
        Some(Anomaly {
            line: Some(self.id.clone()),
            ..remark
        })
    }

    fn xml(&self) -> String {
        let accepted = if self.quote.is_accepted() { "true" } else { "false" };
        format!(
            "<cns:ligne>{}{}{}{}{}</cns:ligne>",
            element("identifiantExternePrestation", &self.id),
            element("accepte", accepted),
            element("partStatutaire", &amount(self.quote.statutory)),
            element("participationPersonelle", &amount(self.quote.personal)),
            element("montantTotal", &amount(self.quote.total())),
        )
    }
}
