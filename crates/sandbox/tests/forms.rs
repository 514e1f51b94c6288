//! The models of mySecu: what each takes, what it objects to, what it remembers.
#![allow(clippy::unwrap_used, clippy::string_slice, clippy::indexing_slicing)]

mod support;

use econnector_sandbox::{Ready, Sandbox};
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{
    ECIT_CANCELLATION, ECIT_DEPOSIT, MH_CANCELLATION, MH_DEPOSIT, PID_CONTESTATION, PID_SIMULATION, PID_VALIDATION, Practice, Said,
    between, control, deposit, example, fault_code, fresh, once, run, sandbox, weber,
};
use uuid::Uuid;

/// Dr Weber at her desk, with a security token.
struct Desk {
    sandbox: Sandbox,
    practice: Practice,
    bst: String,
}

impl Desk {
    async fn open() -> Self {
        let sandbox = sandbox().await;
        let practice = weber(sandbox.ready());
        let bst = practice.bst(sandbox.ready()).await;
        Self { sandbox, practice, bst }
    }

    fn ready(&self) -> &Ready {
        self.sandbox.ready()
    }

    async fn send(&self, model: &str, content: &str) -> Said {
        let said = self.practice.send(self.ready(), &self.bst, model, content).await;
        if !model.starts_with("TEST_") {
            has_the_agreed_shape(&said);
        }
        said
    }

    /// The same, as Dr Muller.
    async fn send_as_another(&self, model: &str, content: &str) -> Said {
        let bst = self.practice.bst_of(self.ready(), "dr.muller", "muller", "90000102").await;
        self.practice.send(self.ready(), &bst, model, content).await
    }

    async fn refuses(&self, model: &str, content: &str, message: &str) {
        let answer = self.practice.exchange(self.ready(), &self.bst, &deposit(model, content)).await;
        assert_eq!(fault_code(&answer), ("soapenv:Client", "DOCUMENT_INVALIDE"), "{content}");
        assert_eq!(between(&answer.1, "<err:message>", "<"), message);
    }

    /// The last exchange in the control record.
    async fn recorded(&self) -> Value {
        control(self.ready(), "/mysecu/exchanges")
            .await
            .as_array()
            .unwrap()
            .last()
            .unwrap()
            .clone()
    }

    /// Deposits an example and gives back the UUID it was deposited under.
    async fn deposited(&self, model: &str, file: &str) -> String {
        let document = fresh(file);
        let said = self.send(model, &document).await;
        assert_eq!(said.anomalies, [""; 0], "{}", said.text);
        between(&document, "<UUID>", "<").to_owned()
    }
}

/// xmllint's verdict on an answer.
fn has_the_agreed_shape(said: &Said) {
    let (_, rest) = said.text.split_once("generic/sync\">").unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), rest.split_once("</syn:ResponseInfo>").unwrap().0).unwrap();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/answers.xsd");
    let (valid, complaint) = run("xmllint", &["--noout", "--schema", schema, file.path().to_str().unwrap()]);
    assert!(valid, "{complaint}{}", said.text);
}

/// An example with one thing changed.
fn changed(file: &str, from: &str, to: &str) -> String {
    let text = fresh(file);
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

fn cancellation(file: &str, of: &str) -> String {
    let text = fresh(file);
    let old = between(&text, "<cns:UUIDDocumentAnnule>", "<").to_owned();
    text.replace(&old, of)
}

#[tokio::test]
async fn a_fee_note_is_deposited_once_and_recorded_with_its_pdf() {
    let desk = Desk::open().await;
    for file in ["mh.xml", "mh-hospital.xml"] {
        let document = fresh(file);
        let said = desk.send(MH_DEPOSIT, &document).await;
        assert_eq!(said.anomalies, [""; 0], "{}", said.text);
        assert!(said.text.contains("<cns:memoireHonorairesRetour "));
        assert_eq!(said.value("UuidPrestataire"), between(&document, "<UUID>", "<"));
        let recorded = desk.recorded().await;
        assert_eq!(recorded["model_uid"], MH_DEPOSIT);
        assert_eq!(recorded["outcome"], "accepted");
        assert_eq!(recorded["reference"], said.value("UuidSecu"));
        assert_eq!(recorded["document_pdf"].as_str().unwrap(), between(&document, "<document>", "<"));
        assert!(recorded["envelope"].as_str().unwrap().contains(&document));

        let again = desk.send(MH_DEPOSIT, &document).await;
        assert_eq!(again.anomalies, ["E DOUBLON"]);
        assert_eq!(again.value("UuidSecu"), said.value("UuidSecu"));
        let shouted = document.replacen(
            between(&document, "<UUID>", "<"),
            &between(&document, "<UUID>", "<").to_uppercase(),
            1,
        );
        assert_eq!(
            desk.send(MH_DEPOSIT, &shouted).await.anomalies,
            ["E DOUBLON"],
            "the same UUID in capitals"
        );
        assert_eq!(desk.recorded().await["outcome"], "refused");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_fee_note_is_said_by_its_line() {
    let desk = Desk::open().await;
    for (file, from, to, anomalies, reason) in [
        (
            "mh.xml",
            "<sousTotal>52.40",
            "<sousTotal>52.41",
            vec!["E TOTAL", "E TOTAL"],
            "sousTotal : 52.41 au lieu de 52.40",
        ),
        (
            "mh-hospital.xml",
            "<aPayer>80.50",
            "<aPayer>101.00",
            vec!["E TOTAL"],
            "aPayer : 101.00 au lieu de 80.50",
        ),
        (
            "mh-hospital.xml",
            "<report>10.00</report>",
            "",
            vec!["E TOTAL"],
            "aPayer : 80.50 au lieu de 70.50",
        ),
        ("mh.xml", ">EUR<", ">CHF<", vec!["E DEVISE"], "La devise est EUR"),
        ("mh.xml", "1988123048083", "1988123048084", vec!["E MATRICULE"], "Matricule inconnu"),
        (
            "mh-hospital.xml",
            "<numeroLigne>2<",
            "<numeroLigne>3<",
            vec!["E NUMEROTATION"],
            "Ligne 2 : les lignes se numérotent à partir de 1, dans l'ordre",
        ),
        (
            "mh-hospital.xml",
            "<dateFin>2026-10-22",
            "<dateFin>2026-10-20",
            vec!["E PERIODE"],
            "Ligne 1 : la fin précède le début",
        ),
        (
            "mh-hospital.xml",
            "<codeActe>CP1",
            "<codeActe>ZZ9",
            vec!["E ACTE_INCONNU"],
            "Ligne 2 : le code d'acte est inconnu",
        ),
        (
            "mh-hospital.xml",
            "<codeActe>CP1",
            "<codeActe>X12",
            vec!["W ACTE_INCONNU"],
            "Ligne 2 : le code d'acte est inconnu",
        ),
        (
            "mh-hospital.xml",
            "<codeActe>CP1",
            "<codeActe>",
            vec!["E ACTE_INCONNU"],
            "Ligne 2 : le code d'acte est inconnu",
        ),
        (
            "mh.xml",
            "<codePrestataire>90000101",
            "<codePrestataire>90000102",
            vec!["E PRESTATAIRE"],
            "Ni le facturier ni un exécutant n'est le médecin de l'espace",
        ),
    ] {
        let said = desk.send(MH_DEPOSIT, &changed(file, from, to)).await;
        assert_eq!(said.anomalies, anomalies, "{from} → {to}");
        assert_eq!(said.value("motif"), reason.replace('\'', "&apos;"));
        let expected = if anomalies[0].starts_with('E') { "refused" } else { "accepted" };
        assert_eq!(desk.recorded().await["outcome"], expected);
    }
    let text = fresh("mh.xml");
    let unsigned = text.replacen(&format!("<document>{}</document>", between(&text, "<document>", "<")), "", 1);
    assert_eq!(desk.send(MH_DEPOSIT, &unsigned).await.anomalies, ["E DOCUMENT"]);
}

#[tokio::test]
async fn structure_is_refused_before_anything_else_is_looked_at() {
    let desk = Desk::open().await;
    for (model, file, from, to, message) in [
        (
            MH_DEPOSIT,
            "mh.xml",
            "<montantBrut>52.40",
            "<montantBrut>52.4",
            "montantBrut : valeur invalide",
        ),
        (
            MH_DEPOSIT,
            "mh.xml",
            "<libre/>\n<footer/>",
            "<footer/>\n<libre/>",
            "libre : absent ou mal placé",
        ),
        (
            MH_DEPOSIT,
            "mh.xml",
            "<devise>",
            "<monnaie>EUR</monnaie><devise>",
            "devise : absent ou mal placé",
        ),
        (MH_DEPOSIT, "mh.xml", "<document>", "<document>!", "document : valeur invalide"),
        (
            MH_DEPOSIT,
            "mh.xml",
            "<document>",
            "<document>AAAA",
            "document : n&apos;est pas un PDF signé",
        ),
        (
            MH_DEPOSIT,
            "mh.xml",
            "<montantBrut>",
            "<montantBrut>99999999999999999999",
            "montantBrut : montant invalide",
        ),
        (
            ECIT_DEPOSIT,
            "ecit.xml",
            "<document>",
            "<document>AAAA",
            "document : n&apos;est pas un PDF signé",
        ),
        (
            ECIT_DEPOSIT,
            "ecit.xml",
            "<matricule>",
            "<matricule xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"string\">",
            "matricule : attribut interdit",
        ),
        (
            PID_SIMULATION,
            "pid-simulation.xml",
            "</com:nombre>",
            "</com:nombre><com:montant>52.40</com:montant>",
            "montant : élément inattendu",
        ),
        (
            PID_SIMULATION,
            "pid-simulation.xml",
            "</cns:acte>",
            "</cns:acte><cns:montantBrut>52.40</cns:montantBrut>",
            "lieuDePrestation : absent ou mal placé",
        ),
        (
            MH_CANCELLATION,
            "mh-cancellation.xml",
            "<cns:TypeAnnulation>1",
            "<cns:TypeAnnulation>3",
            "TypeAnnulation : valeur invalide",
        ),
        (
            MH_CANCELLATION,
            "ecit-cancellation.xml",
            "annulation",
            "annulation",
            "annulationCertificatIncapaciteTravail : élément inattendu",
        ),
    ] {
        desk.refuses(model, &changed(file, from, to), message).await;
    }
    // What the document leans on may stand on the envelope: its namespaces.
    let inherited = fresh("mh.xml").replacen(" xmlns:cns=\"http://www.secu.lu/ciss/cns\"", "", 1);
    let body = deposit(MH_DEPOSIT, &inherited).replacen(" modelUID", " xmlns:cns=\"http://www.secu.lu/ciss/cns\" modelUID", 1);
    let (status, answer) = desk.practice.exchange(desk.ready(), &desk.bst, &body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(!answer.contains("anomalies"));
}

#[tokio::test]
async fn a_document_is_cancelled_once_by_its_physician() {
    let desk = Desk::open().await;
    for (deposit_model, file, model, order) in [
        (MH_DEPOSIT, "mh.xml", MH_CANCELLATION, "mh-cancellation.xml"),
        (ECIT_DEPOSIT, "ecit.xml", ECIT_CANCELLATION, "ecit-cancellation.xml"),
    ] {
        let uuid = desk.deposited(deposit_model, file).await;
        let unknown = cancellation(order, &Uuid::new_v4().to_string());
        assert_eq!(desk.send(model, &unknown).await.anomalies, ["E INCONNU"]);
        let cancelling = cancellation(order, &uuid);
        assert_eq!(desk.send_as_another(model, &cancelling).await.anomalies, ["E PRESTATAIRE"]);
        let of_the_deposit = cancelling.replace(between(&cancelling, "<cns:UUIDPrestataire>", "<"), &uuid);
        assert_eq!(
            desk.send(model, &of_the_deposit).await.anomalies,
            ["E DOUBLON"],
            "a message has a UUID of its own"
        );

        once(desk.ready(), "mysecu", "anomaly").await;
        assert_eq!(
            desk.send(model, &cancelling).await.anomalies,
            ["E SIMULEE"],
            "and nothing was cancelled"
        );
        let said = desk.send(model, &cancelling).await;
        assert_eq!(said.anomalies, [""; 0], "{}", said.text);
        assert_eq!(said.value("UuidPrestataire"), between(&cancelling, "<cns:UUIDPrestataire>", "<"));
        let recorded = desk.recorded().await;
        assert_eq!(
            (&recorded["model_uid"], &recorded["outcome"], &recorded["cancels"]),
            (&json!(model), &json!("accepted"), &json!(uuid))
        );
        assert!(recorded.get("replaced_by").is_none() && recorded.get("document_pdf").is_none());

        for again in [&cancelling, &cancellation(order, &uuid)] {
            let again = desk.send(model, again).await;
            assert_eq!(again.anomalies, ["E DEJA_ANNULE"]);
            assert_eq!(again.value("UuidSecu"), said.value("UuidSecu"));
        }
        let other = desk.deposited(deposit_model, file).await;
        let reused = cancelling.replace(&uuid, &other);
        assert_eq!(desk.send(model, &reused).await.anomalies, ["E DOUBLON"]);
    }
    let certificate = desk.deposited(ECIT_DEPOSIT, "ecit.xml").await;
    let wrong_kind = cancellation("mh-cancellation.xml", &certificate);
    assert_eq!(desk.send(MH_CANCELLATION, &wrong_kind).await.anomalies, ["E INCONNU"]);
}

#[tokio::test]
async fn a_replacement_is_named_and_the_link_is_kept() {
    let desk = Desk::open().await;
    let uuid = desk.deposited(MH_DEPOSIT, "mh.xml").await;
    let order = cancellation("mh-replacement.xml", &uuid);
    let named = between(&order, "<cns:UUIDDocumentRemplacant>", "<").to_owned();
    let element = format!("<cns:UUIDDocumentRemplacant>{named}</cns:UUIDDocumentRemplacant>\n");

    for wrong in [
        order.replace(&element, ""),
        order.replace("<cns:TypeAnnulation>2", "<cns:TypeAnnulation>1"),
        order.replace(&named, &uuid),
        order.replace(&named, &desk.deposited(ECIT_DEPOSIT, "ecit.xml").await),
    ] {
        assert_eq!(desk.send(MH_CANCELLATION, &wrong).await.anomalies, ["E REMPLACANT"], "{wrong}");
    }
    assert_eq!(desk.send(MH_CANCELLATION, &order).await.anomalies, [""; 0]);
    let recorded = desk.recorded().await;
    assert_eq!((&recorded["cancels"], &recorded["replaced_by"]), (&json!(uuid), &json!(named)));

    let replacement = example("mh.xml").replace("0f0f3b3c-53a4-4f2e-9d8e-2f6b7c1d0b01", &named);
    assert_eq!(desk.send(MH_DEPOSIT, &replacement).await.anomalies, [""; 0]);
    assert_eq!(desk.recorded().await["replaces"], uuid);
    // The replacement may be there first.
    let (old, new) = (
        desk.deposited(MH_DEPOSIT, "mh.xml").await,
        desk.deposited(MH_DEPOSIT, "mh.xml").await,
    );
    let order = cancellation("mh-replacement.xml", &old).replace(&named, &new);
    assert_eq!(desk.send(MH_CANCELLATION, &order).await.anomalies, [""; 0]);
}

#[tokio::test]
async fn certificates_of_every_kind_are_reviewed() {
    let desk = Desk::open().await;
    for file in ["ecit.xml", "ecit-crf.xml", "ecit-maternity.xml"] {
        desk.deposited(ECIT_DEPOSIT, file).await;
    }
    let child = {
        let text = example("ecit-crf.xml");
        format!("<enfant>{}</enfant>", between(&text, "<enfant>", "</enfant>"))
    };
    let expected = "<datePresumeeAccouchement>2027-01-20</datePresumeeAccouchement>";
    let with_child = format!("<sorties>true</sorties>{child}");
    for (file, from, to, anomaly) in [
        ("ecit-crf.xml", child.as_str(), "", "E ENFANT"),
        ("ecit.xml", "<type>MALADIE", "<type>CRF", "E ENFANT"),
        ("ecit-crf.xml", "<type>CRF", "<type>MALADIE", "E ENFANT"),
        ("ecit-crf.xml", "2024022912336", "2024022912337", "E MATRICULE"),
        ("ecit-crf.xml", "<dateFin>2026-10-28", "<dateFin>2026-11-07", "W JOURS_CRF"),
        ("ecit-crf.xml", "2024022912336", "1985061501293", "W JOURS_CRF"),
        ("ecit-maternity.xml", expected, "", "E ACCOUCHEMENT"),
        ("ecit-maternity.xml", "<type>MATERNITE", "<type>MALADIE", "E ACCOUCHEMENT"),
        (
            "ecit-maternity.xml",
            "<dateConstatation>2026-10-29",
            "<dateConstatation>2026-10-27",
            "E MATERNITE_TROP_TOT",
        ),
        ("ecit-maternity.xml", "<dateFin>2027-04-14", "<dateFin>2026-11-24", "E PERIODE"),
    ] {
        let said = desk.send(ECIT_DEPOSIT, &changed(file, from, to)).await;
        assert_eq!(said.anomalies, [anomaly], "{from} → {to}");
    }
    let text = fresh("ecit-crf.xml").replace("2024022912336", "1988123048083");
    assert_eq!(
        desk.send(ECIT_DEPOSIT, &text).await.anomalies,
        ["E ENFANT", "W JOURS_CRF"],
        "one's own child"
    );
    let out_of_order = fresh("ecit.xml").replace("<sorties>true</sorties>", &with_child);
    desk.refuses(ECIT_DEPOSIT, &out_of_order, "accident : élément inattendu").await;
}

/// A simulation of one act.
fn of_one(code: &str, times: u32) -> String {
    let text = fresh("pid-simulation.xml");
    let second = text.rfind("<cns:LigneUTA>").unwrap();
    let end = text.find("</cns:Lignes>").unwrap();
    let text = format!("{}{}", &text[..second], &text[end..]);
    text.replace(">C1<", &format!(">{code}<"))
        .replace("<com:nombre>1<", &format!("<com:nombre>{times}<"))
}

fn validation(of: &Said) -> String {
    example("pid-validation.xml").replace("c2f3f5a0-6a3e-4d5e-8f21-90b3a1c20001", of.value("identifiantReponseSimulation"))
}

fn contestation(of: &Said, anomalies: &[&str]) -> String {
    let items: String = anomalies
        .iter()
        .map(|id| {
            format!(
                "<cns:contestationAnomalie><cns:identifiantAnomalie>{id}</cns:identifiantAnomalie><cns:codeContestation>1</cns:codeContestation></cns:contestationAnomalie>"
            )
        })
        .collect();
    format!(
        "<cns:contestationSimulationMedecin xmlns:cns=\"http://www.secu.lu/ciss/cns\"><cns:identifiantReponseSimulation>{}</cns:identifiantReponseSimulation>{items}</cns:contestationSimulationMedecin>",
        of.value("identifiantReponseSimulation")
    )
}

#[tokio::test]
async fn a_simulation_is_priced_then_paid_once() {
    let desk = Desk::open().await;
    let simulation = fresh("pid-simulation.xml");
    let said = desk.send(PID_SIMULATION, &simulation).await;
    assert_eq!(said.anomalies, [""; 0], "{}", said.text);
    assert!(said.text.contains("<cns:simulationMedecinRetour "));
    assert_eq!(
        said.value("idMemoireHonoraire"),
        between(&simulation, "<cns:idMemoireHonoraire>", "<")
    );
    assert_eq!(said.values("accepte"), ["true", "true"]);
    assert_eq!(
        said.values("identifiantExternePrestation"),
        ["7a1e0e0a-9f2d-4c7b-8a55-6d1f3c2e0001", "7a1e0e0a-9f2d-4c7b-8a55-6d1f3c2e0002"]
    );
    assert_eq!(said.values("partStatutaire"), ["46.11", "17.25"]);
    assert_eq!(said.values("participationPersonelle"), ["6.29", "2.35"]);
    assert_eq!(said.values("montantTotal"), ["52.40", "19.60"]);
    assert_eq!(
        (
            said.value("totalPartStatutaire"),
            said.value("totalParticipationPersonelle"),
            said.value("sommeTotale")
        ),
        ("63.36", "8.64", "72.00")
    );
    let recorded = desk.recorded().await;
    assert_eq!(
        (&recorded["outcome"], &recorded["reference"], &recorded["model_uid"]),
        (
            &json!("accepted"),
            &json!(said.value("identifiantReponseSimulation")),
            &json!(PID_SIMULATION)
        )
    );

    let again = desk.send(PID_SIMULATION, &simulation).await;
    assert_ne!(
        again.value("identifiantReponseSimulation"),
        said.value("identifiantReponseSimulation")
    );
    assert_eq!(
        desk.send_as_another(PID_VALIDATION, &validation(&said)).await.anomalies,
        ["E PRESTATAIRE"]
    );
    let paid = desk.send(PID_VALIDATION, &validation(&said)).await;
    assert_eq!(paid.anomalies, [""; 0], "{}", paid.text);
    assert_eq!(
        (paid.value("partStatutaire"), paid.value("recouvrement"), paid.value("montantPaye")),
        ("63.36", "0.00", "63.36")
    );
    assert!(!paid.text.contains("motif"));
    assert_eq!(desk.recorded().await["reference"], paid.value("UuidSecu"));
    for second in [&said, &again] {
        let second = desk.send(PID_VALIDATION, &validation(second)).await;
        assert_eq!(second.anomalies, ["E DEJA_VALIDE"]);
        assert_eq!(second.value("UuidSecu"), paid.value("UuidSecu"));
    }
    assert_eq!(desk.send(PID_SIMULATION, &simulation).await.anomalies, ["E DEJA_PAYE"]);
    let memoire = example("mh.xml").replace("0f0f3b3c-53a4-4f2e-9d8e-2f6b7c1d0b01", said.value("idMemoireHonoraire"));
    assert_eq!(desk.send(MH_DEPOSIT, &memoire).await.anomalies, ["E DOUBLON"], "paid twice");
    let unknown = example("pid-validation.xml");
    let said = desk.send(PID_VALIDATION, &unknown).await;
    assert_eq!(
        (said.anomalies.as_slice(), said.value("montantPaye")),
        (["E INCONNU".to_owned()].as_slice(), "0.00")
    );
}

#[tokio::test]
async fn shares_depend_on_age_and_day_and_much_money_is_offset() {
    let desk = Desk::open().await;
    let minor = of_one("C1", 1).replace("1988123048083", "2024022912336");
    let said = desk.send(PID_SIMULATION, &minor).await;
    assert_eq!(
        (said.value("partStatutaire"), said.value("participationPersonelle")),
        ("52.40", "0.00")
    );
    let last_year = of_one("C1", 1).replace("dateDebutPrestation>2026-10-26", "dateDebutPrestation>2025-10-26");
    assert_eq!(desk.send(PID_SIMULATION, &last_year).await.value("montantTotal"), "51.10");
    let before = of_one("C1", 1).replace("dateDebutPrestation>2026-10-26", "dateDebutPrestation>2024-10-26");
    assert_eq!(desk.send(PID_SIMULATION, &before).await.anomalies, ["E TARIF_ABSENT"]);

    let said = desk.send(PID_SIMULATION, &of_one("C1", 3)).await;
    assert_eq!(said.value("totalPartStatutaire"), "138.34");
    let paid = desk.send(PID_VALIDATION, &validation(&said)).await;
    assert_eq!(
        (paid.value("recouvrement"), paid.value("montantPaye"), paid.value("motif")),
        ("10.00", "128.34", "Recouvrement d&apos;un trop-perçu antérieur")
    );
}

#[tokio::test]
async fn what_a_pid_cannot_pay_is_said_on_its_line() {
    let desk = Desk::open().await;
    for (code, anomaly, total) in [
        ("P50", "E ACTE_NON_ELIGIBLE", "120.00"),
        ("CP1", "E ACTE_NON_ELIGIBLE", "25.00"),
        ("CP8", "E ACTE_NON_ELIGIBLE", "60.00"),
        ("Q1", "E ACTE_INCONNU", "0.00"),
    ] {
        let simulation = fresh("pid-simulation.xml")
            .replace(">F11<", &format!(">{code}<"))
            .replace("nombre>2<", "nombre>1<");
        let said = desk.send(PID_SIMULATION, &simulation).await;
        assert_eq!(said.anomalies, [anomaly]);
        assert_eq!(said.values("accepte"), ["true", "false"]);
        assert_eq!(said.values("partStatutaire"), ["46.11", "0.00"]);
        assert_eq!(said.values("participationPersonelle")[1], total);
        let anomalies = between(&said.text, "<cns:anomalies>", "</cns:anomalies>");
        assert!(anomalies.starts_with("<cns:identifiantAnomalie>"));
        assert!(
            anomalies
                .ends_with("<cns:identifiantExternePrestation>7a1e0e0a-9f2d-4c7b-8a55-6d1f3c2e0002</cns:identifiantExternePrestation>")
        );
        assert_eq!(desk.recorded().await["outcome"], "refused");
        let refused = desk.send(PID_VALIDATION, &validation(&said)).await;
        assert_eq!(refused.anomalies, ["E NON_PAYABLE"]);
        assert_eq!(refused.value("montantPaye"), "0.00");
    }
    let twice = fresh("pid-simulation.xml").replace("3c2e0002<", "3c2e0001<");
    assert_eq!(desk.send(PID_SIMULATION, &twice).await.anomalies, ["E DOUBLON"]);
    for (from, to, anomaly) in [
        (
            "<cns:identifiantFacturier>90000101",
            "<cns:identifiantFacturier>90000102",
            Some("E PRESTATAIRE"),
        ),
        ("<cns:identifiantFacturier>90000101", "<cns:identifiantFacturier>10000050", None),
        ("1988123048083", "1988123048084", Some("E MATRICULE")),
    ] {
        let said = desk.send(PID_SIMULATION, &changed("pid-simulation.xml", from, to)).await;
        assert_eq!(said.anomalies.first().map(String::as_str), anomaly);
        assert_eq!(said.values("accepte"), ["true", "true"]);
    }
    let deposited = desk.deposited(MH_DEPOSIT, "mh.xml").await;
    let simulation = fresh("pid-simulation.xml");
    let known = simulation.replace(between(&simulation, "<cns:idMemoireHonoraire>", "<"), &deposited);
    assert_eq!(desk.send(PID_SIMULATION, &known).await.anomalies, ["E DOUBLON"]);
}

#[tokio::test]
async fn an_anomaly_of_a_simulation_is_contested_once() {
    let desk = Desk::open().await;
    let said = desk.send(PID_SIMULATION, &of_one("V2", 1)).await;
    assert_eq!(said.anomalies, ["W ACTE_A_VERIFIER"]);
    assert_eq!(said.values("accepte"), ["true"], "a warning does not stop the payment");
    let id = said.value("identifiantAnomalie");

    let stranger = desk.send(PID_SIMULATION, &of_one("V2", 1)).await;
    for (order, anomaly) in [
        (contestation(&said, &[stranger.value("identifiantAnomalie")]), "E ANOMALIE_INCONNUE"),
        (contestation(&said, &[id, id]), "E DOUBLON"),
        (example("pid-contestation.xml"), "E INCONNU"),
    ] {
        assert_eq!(desk.send(PID_CONTESTATION, &order).await.anomalies, [anomaly]);
    }
    let order = contestation(&said, &[id]);
    assert_eq!(desk.send_as_another(PID_CONTESTATION, &order).await.anomalies, ["E PRESTATAIRE"]);
    let contested = desk.send(PID_CONTESTATION, &order).await;
    assert_eq!(contested.anomalies, [""; 0], "{}", contested.text);
    assert!(contested.text.contains("<cns:contestationSimulationMedecinRetour "));
    assert_eq!(
        contested.value("identifiantReponseSimulation"),
        said.value("identifiantReponseSimulation")
    );
    let again = desk.send(PID_CONTESTATION, &order).await;
    assert_eq!(again.anomalies, ["E DEJA_CONTESTE"]);
    assert_eq!(again.value("UuidSecu"), contested.value("UuidSecu"));
    assert_eq!(desk.send(PID_VALIDATION, &validation(&said)).await.anomalies, ["E CONTESTEE"]);

    assert_eq!(desk.send(PID_VALIDATION, &validation(&stranger)).await.anomalies, [""; 0]);
    let late = contestation(&stranger, &[stranger.value("identifiantAnomalie")]);
    assert_eq!(desk.send(PID_CONTESTATION, &late).await.anomalies, ["E DEJA_VALIDE"]);

    let refused = desk.send(PID_SIMULATION, &of_one("P50", 1)).await;
    let order = contestation(&refused, &[refused.value("identifiantAnomalie")]);
    assert_eq!(
        desk.send(PID_CONTESTATION, &order).await.anomalies,
        [""; 0],
        "what is refused can be contested too"
    );
}

#[tokio::test]
async fn other_people_s_forms_are_taken_by_their_shape() {
    let desk = Desk::open().await;
    let form = fresh("test-form.xml");
    let said = desk.send("TEST_ATTESTATION-V1", &form).await;
    assert_eq!(said.anomalies, [""; 0], "{}", said.text);
    assert!(
        said.text.contains("<cns:attestationRetour xmlns:cns=\"urn:example:formulaire\">"),
        "{}",
        said.text
    );
    assert_eq!(said.value("UuidPrestataire"), between(&form, "<f:UUID>", "<"));
    assert_eq!(
        desk.recorded().await["document_pdf"].as_str().unwrap(),
        between(&form, "<f:document>", "<")
    );
    assert_eq!(desk.send("TEST_ATTESTATION-V1", &form).await.anomalies, ["E DOUBLON"]);
    for (from, to, message) in [
        ("f:UUID", "f:ID", "UUID : absent"),
        ("<f:UUID>", "<f:UUID>x", "UUID : valeur invalide"),
        ("f:document", "f:fichier", "document : absent"),
        ("<f:document>", "<f:document>AAAA", "document : n&apos;est pas un PDF signé"),
    ] {
        desk.refuses("TEST_X", &fresh("test-form.xml").replace(from, to), message).await;
    }
    let answer = desk.practice.exchange(desk.ready(), &desk.bst, &deposit("TESTS", &form)).await;
    assert_eq!(fault_code(&answer), ("soapenv:Client", "MODELE_INCONNU"));
}

#[tokio::test]
async fn faults_strike_every_model() {
    let desk = Desk::open().await;
    let deposited = desk.deposited(MH_DEPOSIT, "mh.xml").await;
    let contents = |simulation: &Said| {
        [
            (MH_DEPOSIT, fresh("mh.xml")),
            (MH_CANCELLATION, cancellation("mh-cancellation.xml", &deposited)),
            (PID_SIMULATION, fresh("pid-simulation.xml")),
            (PID_VALIDATION, validation(simulation)),
            (PID_CONTESTATION, contestation(simulation, &["x"])),
            ("TEST_X", fresh("test-form.xml")),
        ]
    };
    let simulation = desk.send(PID_SIMULATION, &fresh("pid-simulation.xml")).await;
    for (model, content) in contents(&simulation) {
        once(desk.ready(), "mysecu", "anomaly").await;
        let said = desk.send(model, &content).await;
        assert_eq!(said.anomalies.first().map(String::as_str), Some("E SIMULEE"), "{model}");
        once(desk.ready(), "mysecu", "tampered").await;
        let original = desk.send(model, &content).await;
        let recorded = desk.recorded().await;
        assert!(
            recorded["reference"].is_string() && !original.text.contains(recorded["reference"].as_str().unwrap()),
            "{model}"
        );
        once(desk.ready(), "mysecu", "fault").await;
        let answer = desk.practice.exchange(desk.ready(), &desk.bst, &deposit(model, &content)).await;
        assert_eq!(fault_code(&answer), ("soapenv:Server", "ERREUR_INTERNE"));
    }
}

#[tokio::test]
async fn hostile_documents_are_refused_and_forgotten() {
    let desk = Desk::open().await;
    let lines = "<cns:LigneUTA/>".repeat(50_000);
    let many = fresh("pid-simulation.xml").replace("</cns:Lignes>", &format!("{lines}</cns:Lignes>"));
    desk.refuses(PID_SIMULATION, &many, "document : trop d&apos;éléments").await;
    let deep = fresh("mh.xml").replace("<libre/>", &format!("<libre>{}{}</libre>", "<a>".repeat(100), "</a>".repeat(100)));
    let answer = desk.practice.exchange(desk.ready(), &desk.bst, &deposit(MH_DEPOSIT, &deep)).await;
    assert_eq!(fault_code(&answer), ("soapenv:Client", "XML_INVALIDE"));
    for (from, to) in [
        ("<nombre>1<", "<nombre>99999999999999999999<"),
        ("<numeroLigne>1<", "<numeroLigne>-99999999999999999999<"),
        ("2026-10-26</dateDebut>", "9999-99-99</dateDebut>"),
        ("<nom>Weber", "<nom><![CDATA[<x>]]><x/>"),
    ] {
        let answer = desk
            .practice
            .exchange(desk.ready(), &desk.bst, &deposit(MH_DEPOSIT, &changed("mh.xml", from, to)))
            .await;
        let (code, _) = fault_code(&answer);
        assert_eq!(code, "soapenv:Client", "{to}");
    }
    let good = desk.practice.envelope(&desk.bst, &deposit(MH_DEPOSIT, &fresh("mh.xml")));
    for to in ["<nom>&#0;", "<nom>&weber;", "<nom a='1' a='2'>", "<x:nom>", "<nom>\u{1}"] {
        let spoiled = good.replacen("<nom>", to, 1);
        let path = "/ws/soap/espinst/syncexchange";
        let answer = desk.practice.post(desk.ready(), path, "\"exchange\"", spoiled).await;
        assert_eq!(fault_code(&answer), ("soapenv:Client", "XML_INVALIDE"), "{to}");
    }
    let marked_up = fresh("mh.xml").replace("rue du Patient", "&lt;/cns:anomalies&gt;&amp;\"'<![CDATA[<rue>]]>");
    assert_eq!(desk.send(MH_DEPOSIT, &marked_up).await.anomalies, [""; 0]);

    let uuid = desk.deposited(MH_DEPOSIT, "mh.xml").await;
    let reset = support::client(desk.ready()).post(format!("{}/reset", desk.ready().control));
    assert_eq!(reset.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let order = cancellation("mh-cancellation.xml", &uuid);
    assert_eq!(desk.send(MH_CANCELLATION, &order).await.anomalies, ["E INCONNU"]);
}
