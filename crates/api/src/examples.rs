//! Examples of the OpenAPI document: requests from the forms' own example files, answers made of the very types that are answered, so
//! that neither can say what is not so. Nobody in them is a real person.

use econnector_base::Fault;
use econnector_connector::{Check, Checkup, FactView, FindingView, LockRule, PaymentView, Problem, Receipt, Status, TotalView};
use econnector_forms::{Definition, Environment, Lang, Pack, Severity, Workflow};
use econnector_loopback::{Action, Decision, LinkView, NewOrigin, OriginView, RefusedView, SoftwareView, WaitingKind, WaitingView};
use econnector_printing::Printer;
use econnector_profile::{BillingCode, Profile};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::openapi::content::Content;
use utoipa::openapi::{Components, Ref, RefOr};
use uuid::Uuid;

use crate::description::example;
use crate::dto::{
    ActorView, ApprovalView, ContestationView, DocumentView, EntryView, FormsView, JournalView, LineFacts, LoginsView, Notice,
    PhysicianView, PrintView, PrintersView, ProgressView, SessionDto, SessionState, SharesView, SignerView, SimulatedLineView,
    SimulationAnomaly, SimulationView, StateView, UsableView, VerificationView, VoletView,
};

const ID: Uuid = Uuid::from_u128(0x6f1d_6a4e_9d1f_4a2e_8f57_1c2f_3a4b_5c6d);
const OTHER: Uuid = Uuid::from_u128(0x2b7c_91e0_4f3d_4c58_9a10_77d2_0e6b_3f41);
const WHEN: OffsetDateTime = datetime!(2026-10-26 09:14:05 +1);
const REFERENCE: &str = "b2f7c0de-3a41-4d7a-9c1e-5f60718293a4";
const CORRELATION: &str = "Id-2f6a0c5e4b7d";
/// A PDF of one empty page would fill the document; this is the beginning of one.
const PDF: &str = "JVBERi0xLjcK";

/// Where examples come from.
pub(crate) struct Examples {
    packs: Vec<Pack>,
}

impl Examples {
    /// Those of the forms that come with the program: what stands in the document does not depend on an installation.
    pub(crate) fn embedded() -> Self {
        Self {
            packs: econnector_forms::embedded().unwrap_or_default(),
        }
    }

    /// One for each example of each form; the shortest of a form where one is enough.
    pub(crate) fn add_requests(&self, components: &mut Components) {
        for (nth, pack) in (0x1000_u128..).step_by(0x1000).zip(&self.packs) {
            for (nth, name) in (nth..).zip(pack.examples()) {
                let Some(values) = pack.example(name) else { continue };
                let summary = format!("{}: {}", pack.kind(), name.replace('-', " "));
                let id = Uuid::from_u128(0x6f1d_6a4e_9d1f_4a2e_8f57_0000_0000_0000 + nth);
                let document = json!({ "id": id, "kind": pack.kind(), "values": values });
                let mut add = |wrapped: &str, value| {
                    let key = format!("{wrapped}-{}-{name}", pack.kind());
                    components.examples.insert(key, RefOr::T(example(&summary, value)));
                };
                add("document", document);
                if shortest(pack) == Some(name) {
                    add("values", json!({ "values": values }));
                }
            }
        }
    }

    /// The examples of one body.
    pub(crate) fn add_to_request(&self, path: &str, method: &str, media: &str, content: &mut Content) {
        let of = |wrapped: &str, fits: fn(&Pack) -> bool, all: bool| {
            let mut names = Vec::new();
            for pack in self.packs.iter().filter(|pack| fits(pack)) {
                let chosen = pack.examples().filter(|name| all || shortest(pack) == Some(name));
                names.extend(chosen.map(|name| format!("{wrapped}-{}-{name}", pack.kind())));
            }
            names
        };
        let names = match (path, media) {
            ("/econnector/v1/documents", "application/json") => of("document", |pack| pack.workflow() == Workflow::Deposit, true),
            ("/econnector/v1/paper", _) => of("document", Pack::allows_paper, false),
            ("/econnector/v1/pid/simulations", _) => of("document", |pack| pack.workflow() == Workflow::Simulate, true),
            (path, _) if path.ends_with("/check") || path.ends_with("/preview") => of("values", |_| true, false),
            _ => Vec::new(),
        };
        for name in names {
            let reference = Ref::new(format!("#/components/examples/{name}"));
            content.examples.insert(name, RefOr::Ref(reference));
        }
        if content.examples.is_empty() && content.example.is_none() {
            content.example = self.request(path, method, media);
        }
    }

    /// The example of a body that is no form's.
    fn request(&self, path: &str, method: &str, media: &str) -> Option<Value> {
        let route = path.strip_prefix("/econnector/v1/")?;
        let kind = self.kind(Workflow::Deposit);
        let xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- the XML of the authority for this form, without the PDF -->";
        Some(match (method, route, media) {
            ("post", "documents", "multipart/form-data") => json!({ "id": ID, "kind": kind, "xml": xml, "pdf": "(the PDF)" }),
            ("post", "signatures", "multipart/form-data") => json!({ "id": ID, "pdf": "(the PDF)" }),
            ("post", "signatures", _) => json!({ "id": ID, "content": PDF }),
            ("post", "verifications", "application/json") => json!({ "content": PDF }),
            ("post", "documents/{id}/cancellation", _) => json!({ "reason": "Erreur de date" }),
            ("post", "documents/{id}/print", _) => json!({ "volets": [self.volet()] }),
            ("post", "pid/simulations/{id}/validation", _) => json!({}),
            ("post", "pid/simulations/{id}/contestation", _) => json!({ "anomalies": [{ "id": "A-1", "code": "1" }] }),
            ("post", "session/login", _) => json!({ "other_account": false }),
            ("put", "session/physician", _) => json!({ "ehealth_id": "1900000002" }),
            ("put", "profile", _) => serde_json::to_value(profile()).ok()?,
            ("put", "link/software/{name}", _) => json!({ "decision": "allowed", "trusted_today": false }),
            ("post", "link/origins", _) => json!({ "origin": "https://cabinet.example.lu" }),
            ("post", "link/approvals/{id}", _) => json!({ "answer": "once" }),
            _ => return None,
        })
    }

    /// The example of an answer, by the name of its schema; of the only one that has none, by its path.
    pub(crate) fn of_answer(&self, path: &str, content: &Content) -> Option<Value> {
        if path.ends_with("/schema") {
            return self.schema();
        }
        let Some(RefOr::Ref(schema)) = &content.schema else { return None };
        let name = schema.ref_location.rsplit('/').next()?;
        let value = match name {
            "UsableView" => serde_json::to_value(UsableView {
                status: status(),
                link: None,
            }),
            "Status" => serde_json::to_value(status()),
            "SessionDto" => serde_json::to_value(session()),
            "FormsView" => serde_json::to_value(FormsView {
                forms: self.packs.iter().map(|pack| pack.summary(Lang::En)).collect(),
            }),
            "Definition" => serde_json::to_value(self.definition()?),
            "Checkup" => serde_json::to_value(checkup()),
            "DocumentView" => serde_json::to_value(self.document()),
            "ProgressView" => serde_json::to_value(self.progress()),
            "EntryView" => serde_json::to_value(self.entry()),
            "JournalView" => serde_json::to_value(JournalView {
                entries: vec![self.entry()],
            }),
            "SimulationView" => serde_json::to_value(self.simulation()),
            "ContestationView" => serde_json::to_value(ContestationView {
                id: ID,
                state: StateView::Contested,
                reference: REFERENCE.to_owned(),
                correlation_id: Some(CORRELATION.to_owned()),
            }),
            "VerificationView" => serde_json::to_value(verification()),
            "Profile" => serde_json::to_value(profile()),
            "PrintersView" => serde_json::to_value(PrintersView { printers: vec![printer()] }),
            "PrintView" => serde_json::to_value(PrintView {
                printer: printer().name,
                job: "accueil-17".to_owned(),
                jobs: vec!["accueil-17".to_owned()],
                problem: None,
            }),
            "LinkView" => serde_json::to_value(self.link()),
            "NewOrigin" => serde_json::to_value(NewOrigin {
                origin: "https://cabinet.example.lu".to_owned(),
                key: "hT2vQm8x0dPZ4rKcW1nUyE7sLb5gJfA9iVoXk3tR6wI".to_owned(),
            }),
            "ApprovalView" => serde_json::to_value(self.approval()),
            _ => return None,
        };
        value.ok()
    }

    /// The beginning of a form's definition: the whole of one is long.
    fn definition(&self) -> Option<Definition> {
        let pack = self.packs.first()?;
        let mut definition = pack.definition(Lang::En, WHEN.date());
        definition.sections.truncate(2);
        for field in definition.sections.iter_mut().flat_map(|section| &mut section.fields) {
            if let Some(options) = &mut field.options {
                options.truncate(2);
            }
        }
        Some(definition)
    }

    /// The same of its schema.
    fn schema(&self) -> Option<Value> {
        let mut schema = self.packs.first()?.json_schema();
        let shown = self.definition()?.sections;
        let shown = |id: &str| shown.iter().flat_map(|section| &section.fields).any(|field| field.id == id);
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.retain(|id, _| shown(id));
        }
        if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|id| id.as_str().is_some_and(shown));
        }
        Some(schema)
    }

    fn volet_view(&self, content: Option<&str>) -> VoletView {
        VoletView {
            name: self.volet(),
            title: "Page for the insurance".to_owned(),
            media_type: "application/pdf",
            signed: true,
            pages: 1,
            content: content.map(ToOwned::to_owned),
        }
    }

    fn document(&self) -> DocumentView {
        DocumentView {
            id: ID,
            kind: self.kind(Workflow::Deposit),
            state: StateView::Deposited,
            receipt: Some(receipt()),
            volets: vec![self.volet_view(Some(PDF))],
            problem: None,
        }
    }

    fn progress(&self) -> ProgressView {
        ProgressView {
            id: ID,
            kind: self.kind(Workflow::Deposit),
            state: StateView::Unknown,
            receipt: None,
            volets: vec![self.volet_view(None)],
            problem: Some(Problem::of_code("mysecu-outcome-unknown", Fault::Network, Lang::En)),
        }
    }

    fn entry(&self) -> EntryView {
        EntryView {
            id: ID,
            kind: self.kind(Workflow::Deposit),
            state: StateView::Deposited,
            created_at: WHEN - time::Duration::seconds(2),
            finished_at: Some(WHEN),
            actor: "Dr Anne Weber".to_owned(),
            physician: "Dr Anne Weber".to_owned(),
            reference: Some(REFERENCE.to_owned()),
            correlation_id: Some(CORRELATION.to_owned()),
            replaces: None,
            replaced_by: None,
            cancelled_at: None,
            cancellation_correlation_id: None,
            cancellable: true,
            has_pages: true,
            problem_code: None,
        }
    }

    fn simulation(&self) -> SimulationView {
        SimulationView {
            id: ID,
            kind: self.kind(Workflow::Simulate),
            state: StateView::Simulated,
            payable: true,
            reference: REFERENCE.to_owned(),
            currency: "EUR",
            lines: vec![SimulatedLineView {
                line: 0,
                accepted: true,
                statutory: 4611,
                personal: 629,
                total: 5240,
            }],
            totals: SharesView {
                statutory: 4611,
                personal: 629,
                total: 5240,
            },
            anomalies: vec![SimulationAnomaly {
                id: Some("A-1".to_owned()),
                severity: Severity::Warning,
                code: "AVERTISSEMENT".to_owned(),
                message: "Remarque de l'autorité".to_owned(),
                line: Some(0),
            }],
            correlation_id: Some(CORRELATION.to_owned()),
            turns_into: None,
        }
    }

    fn link(&self) -> LinkView {
        LinkView {
            revision: 12,
            enabled: true,
            listening: true,
            addresses: vec!["http://127.0.0.1:17943".to_owned(), "http://[::1]:17943".to_owned()],
            connection_file: "connection.json".to_owned(),
            environment: "training".to_owned(),
            problem: None,
            software: vec![SoftwareView {
                name: "Cabinet".to_owned(),
                decision: Decision::Allowed,
                trusted_until: None,
                origins: Vec::new(),
                first_seen: Some(WHEN - time::Duration::days(3)),
                last_seen: Some(WHEN),
            }],
            origins: vec![OriginView {
                origin: "https://cabinet.example.lu".to_owned(),
                preset: false,
                added_at: Some(WHEN - time::Duration::days(3)),
            }],
            refused: vec![RefusedView {
                at: WHEN,
                times: 1,
                reason: "link-key-wrong".to_owned(),
                title: "The key is wrong".to_owned(),
                next: "Read the connection file again.".to_owned(),
                method: "GET".to_owned(),
                path: "/econnector/v1/forms".to_owned(),
                origin: None,
                host: None,
                software: Some("Cabinet".to_owned()),
            }],
            waiting: vec![WaitingView {
                id: OTHER,
                kind: WaitingKind::Approval,
                software: "Cabinet".to_owned(),
                origin: None,
                wants: None,
                action: Some(Action::Sign),
                form: Some(self.kind(Workflow::Deposit)),
                document: Some(ID),
                since: WHEN,
            }],
        }
    }

    fn approval(&self) -> ApprovalView {
        ApprovalView {
            id: OTHER,
            software: "Cabinet".to_owned(),
            action: Action::Cancel,
            physician_name: "Dr Anne Weber".to_owned(),
            form: None,
            document: ID,
            reason: Some("Erreur de date".to_owned()),
            message: None,
            replaces: None,
            replaced_by: None,
            remarks: Vec::new(),
            since: WHEN,
            line: Some(LineFacts {
                kind: self.kind(Workflow::Deposit),
                created_at: WHEN,
                reference: Some(REFERENCE.to_owned()),
            }),
        }
    }

    /// The first kind of form that is dealt with so.
    fn kind(&self, workflow: Workflow) -> String {
        let found = self.packs.iter().find(|pack| pack.workflow() == workflow);
        found.map(|pack| pack.kind().to_owned()).unwrap_or_default()
    }

    /// Its first volet.
    fn volet(&self) -> String {
        let first = self.packs.first().and_then(|pack| pack.volets().first());
        first.map(|volet| volet.name.clone()).unwrap_or_default()
    }
}

fn shortest(pack: &Pack) -> Option<&str> {
    pack.examples()
        .min_by_key(|name| pack.example(name).map_or(usize::MAX, serde_json::Map::len))
}

fn status() -> Status {
    let check = |name: &str, label: &str, detail: &str, latency_ms| Check {
        name: name.to_owned(),
        label: label.to_owned(),
        ok: true,
        detail: detail.to_owned(),
        latency_ms,
        expires: None,
        clock_skew_ms: None,
    };
    Status {
        usable: true,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        environment: Environment::Training,
        checks: vec![
            check("aes", "eSanté login", "Reachable", Some(41)),
            check("trust_store", "Trust store", "3 anchors", None),
        ],
    }
}

fn session() -> SessionDto {
    SessionDto {
        state: SessionState::LoggedIn,
        logins: LoginsView::Both,
        environment: Environment::Training,
        login_url: None,
        actor: Some(ActorView {
            id: "anne.weber".to_owned(),
            name: "Dr Anne Weber".to_owned(),
        }),
        physician: Some(PhysicianView {
            ehealth_id: "1900000001".to_owned(),
            name: "Dr Anne Weber".to_owned(),
            provider_codes: vec!["90000101".to_owned()],
        }),
        mandate: false,
        acts_for: Vec::new(),
        since: Some(WHEN - time::Duration::minutes(90)),
        until: Some(WHEN + time::Duration::minutes(30)),
        remembered: false,
        clock_skew_seconds: Some(0),
        lock: LockRule::default(),
        notices: Vec::new(),
        problem: None,
    }
}

fn checkup() -> Checkup {
    Checkup {
        findings: vec![FindingView {
            field: "last_day".to_owned(),
            severity: Severity::Error,
            code: "period-reversed".to_owned(),
            message: "The last day is before the first day. Change one of them.".to_owned(),
        }],
        facts: vec![FactView {
            field: "matricule".to_owned(),
            text: "Born on 30 December 1988".to_owned(),
        }],
        filled: serde_json::Map::new(),
        totals: vec![TotalView {
            name: "subtotal".to_owned(),
            label: "Subtotal".to_owned(),
            cents: 10480,
        }],
    }
}

fn receipt() -> Receipt {
    Receipt {
        reference: REFERENCE.to_owned(),
        deposited_at: WHEN,
        correlation_id: Some(CORRELATION.to_owned()),
        anomalies: Vec::new(),
        signed_by: Some("Dr Anne Weber".to_owned()),
        signed_at: Some(WHEN - time::Duration::seconds(1)),
        own_ms: Some(74),
        remote_ms: Some(910),
        payment: None::<PaymentView>,
    }
}

fn verification() -> VerificationView {
    VerificationView {
        valid: true,
        intact: true,
        complete: true,
        trusted: true,
        signer: SignerView {
            name: "Dr Anne Weber".to_owned(),
            ehealth_id: Some("1900000001".to_owned()),
        },
        signed_at: Some(WHEN),
        doubts: Vec::<Notice>::new(),
    }
}

fn profile() -> Profile {
    Profile {
        title: "Dr".to_owned(),
        last_name: "Weber".to_owned(),
        first_name: "Anne".to_owned(),
        number: "12".to_owned(),
        street: "rue des Tilleuls".to_owned(),
        postal_code: "L-2345".to_owned(),
        locality: "Luxembourg".to_owned(),
        country: "LU".to_owned(),
        phone: "+352 27 00 00 12".to_owned(),
        billing_codes: vec![BillingCode {
            code: "90000101".to_owned(),
            label: "Cabinet".to_owned(),
        }],
        ..Profile::default()
    }
}

fn printer() -> Printer {
    Printer {
        name: "accueil".to_owned(),
        description: Some("Accueil".to_owned()),
        is_default: true,
    }
}
