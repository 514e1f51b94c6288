//! The use cases: what the window, practice software and hospitals can ask for. Each is one route of `econnector-api`.
//!
//! This crate knows the traits `Identity`, `Signer` and `Deposit`, not how they reach the network; time and ids are passed in.

mod acting;
mod cancel;
mod document;
mod error;
mod foresee;
mod issue;
mod lock;
mod memory;
mod observe;
mod paper;
mod present;
mod printing;
mod problem;
mod profile;
mod run;
mod sign;
mod simulate;
mod status;
mod strangers;
mod verify;

use std::collections::BTreeMap;
use std::sync::Arc;

use econnector_base::{Clock, Ids, Patient, Secret};
use econnector_documents::{Content, Document, DocumentFacts, Typesetter};
use econnector_forms::{CheckContext, Checked, Definition, Environment, FormSummary, Lang, Outcome, Pack, Severity, Total};
use econnector_identity::{
    Actor, Authorized, Exchanges, Identity, IdentityError, Leaving, LoginRequest, Principal, SessionState, SessionView,
};
use econnector_journal::Journal;
use econnector_mysecu::Deposit;
use econnector_printing::Printers;
use econnector_profile::Profiles;
use econnector_signature::{Signer, TrustStore};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::memory::Waiting;
use crate::run::UnderWay;

pub use cancel::Cancel;
pub use document::{Issued, JournalLine, PaymentView, Progress, Receipt, ReceiptAnomaly, VoletCopy};
pub use error::{Cause, Error, Mismatch, RequestError, Sent};
pub use foresee::{Intent, MessageFacts, Prospect, Replaced};
pub use issue::Issue;
pub use lock::{LockRule, Unlock};
pub use observe::{Action, NoObserver, Observation, Observer};
pub use paper::Paper;
pub use printing::{Print, Printed};
pub use problem::{Problem, TextsError, problem_codes};
pub use sign::{Foreign, SignPdf};
pub use simulate::{Contest, Contestation, Simulate, Simulated};
pub use status::{Check, LeftOut, Status};

pub use econnector_signature::{Doubt, Verification};

/// Values as typed: field id to JSON value. They describe a patient, so they have no way into a log.
pub type Values = Patient<Map<String, Value>>;

/// What a connector is made of. The doors assemble it from their settings.
pub struct Parts {
    /// The forms, checked when loaded.
    pub packs: Vec<Pack>,
    /// Who acts for whom.
    pub identity: Arc<dyn Identity>,
    /// The remote signature service.
    pub signer: Arc<dyn Signer>,
    /// What a signature must chain to.
    pub trust: TrustStore,
    /// mySecu.
    pub deposit: Arc<dyn Deposit>,
    /// What was sent.
    pub journal: Journal,
    /// What practices typed about themselves.
    pub profiles: Profiles,
    /// The printers of this machine.
    pub printers: Arc<dyn Printers>,
    /// Packs that were found and cannot be used.
    pub left_out: Vec<LeftOut>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where new identifiers come from.
    pub ids: Arc<dyn Ids>,
    /// Training, integration or production.
    pub environment: Environment,
    /// Hears of every use case that came to an end.
    pub observer: Arc<dyn Observer>,
    /// When the window hides what it shows.
    pub lock: LockRule,
}

/// Who calls, as far as the door knows.
#[derive(Clone)]
pub enum Caller {
    /// The window, or practice software that uses the desktop's session.
    OwnSession,
    /// A caller with an AeS token of its own.
    Bearer {
        /// The token.
        token: Arc<Secret>,
        /// The eHealthID of the physician for whom it acts; when absent, her whom the token names, or the only one it lists.
        physician: Option<String>,
    },
    /// A program that this door trusts to act for a physician: it is her token that is asked for and used.
    Delegate {
        /// The program's name, as this installation gave it.
        client: String,
        /// The physician's eHealthID.
        ehealth_id: String,
    },
}

/// A page to show before it is signed.
pub struct Preview {
    /// The form's kind.
    pub kind: String,
    /// The volet.
    pub volet: String,
    /// The values as typed so far.
    pub values: Values,
    /// A simulation in memory: its values and shares are shown in place of `values`.
    pub simulation: Option<uuid::Uuid>,
    /// Only this one of the simulations that were asked for under its id: [`Prospect::simulation`].
    pub mark: Option<uuid::Uuid>,
}

/// What the check found, in the caller's language.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Checkup {
    /// Everything wrong, errors and warnings.
    pub findings: Vec<FindingView>,
    /// What was read out of the values, such as the birth date in a matricule.
    pub facts: Vec<FactView>,
    /// What the form fills in by itself where nothing was typed: path of the field (`lines.0.amount`) to value.
    #[schema(value_type = Object)]
    pub filled: Map<String, Value>,
    /// The form's sums.
    pub totals: Vec<TotalView>,
}

/// One sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct TotalView {
    /// Its name in the form.
    pub name: String,
    /// Its name for people.
    pub label: String,
    /// In cents.
    pub cents: i64,
}

/// One thing wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FindingView {
    /// The field's id; in a row of lines its path, `lines.0.code`.
    pub field: String,
    /// Errors prevent sending, warnings do not.
    pub severity: Severity,
    /// Stable code.
    pub code: String,
    /// What is wrong and how to mend it, in the caller's language.
    pub message: String,
}

/// Something read out of a field's value.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct FactView {
    /// The field's id; in a row of lines its path, `lines.0.code`.
    pub field: String,
    /// The fact, in the caller's language.
    pub text: String,
}

/// The core: every use case, independent of how it is reached.
pub struct Connector {
    packs: BTreeMap<String, Pack>,
    typesetter: Typesetter,
    identity: Arc<dyn Identity>,
    signer: Arc<dyn Signer>,
    trust: TrustStore,
    deposit: Arc<dyn Deposit>,
    journal: Journal,
    profiles: Arc<Profiles>,
    printers: Arc<dyn Printers>,
    left_out: Vec<LeftOut>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    environment: Environment,
    observer: Arc<dyn Observer>,
    lock: LockRule,
    memory: memory::Memory,
    /// One for each core: more pages set at a time would only take memory and each other's turn.
    desks: Arc<tokio::sync::Semaphore>,
    strangers: strangers::Strangers,
    status: tokio::sync::Mutex<Option<status::Measured>>,
    /// How much is under way that goes on when nobody waits for it.
    under_way: watch::Sender<usize>,
}

impl Connector {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            packs: parts.packs.into_iter().map(|pack| (pack.kind().to_owned(), pack)).collect(),
            typesetter: Typesetter::new(),
            identity: parts.identity,
            signer: parts.signer,
            trust: parts.trust,
            deposit: parts.deposit,
            journal: parts.journal,
            profiles: Arc::new(parts.profiles),
            printers: parts.printers,
            left_out: parts.left_out,
            clock: parts.clock,
            ids: parts.ids,
            environment: parts.environment,
            observer: parts.observer,
            lock: parts.lock,
            memory: memory::Memory::default(),
            desks: Arc::new(tokio::sync::Semaphore::new(
                std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2)),
            )),
            strangers: strangers::Strangers::default(),
            status: tokio::sync::Mutex::new(None),
            under_way: watch::Sender::new(0),
        })
    }

    /// Training, integration or production.
    #[must_use]
    pub const fn environment(&self) -> Environment {
        self.environment
    }

    /// When the window hides what it shows.
    #[must_use]
    pub const fn lock(&self) -> LockRule {
        self.lock
    }

    /// Waits until nothing is under way that goes on when its caller hangs up: a program that ends earlier leaves documents of which
    /// nobody knows whether they were deposited.
    pub async fn idle(&self) {
        // The sender lives as long as this does: it cannot fail.
        let _ = self.under_way.subscribe().wait_for(|tasks| *tasks == 0).await;
    }

    /// Whether a token is one of AeS' for this service, and alive; for whom its bearer acts is not asked.
    ///
    /// # Errors
    /// [`Error::Identity`] for a token that is not accepted.
    pub async fn knows(&self, token: &Secret) -> Result<(), Error> {
        match self.identity.bearer(token.reveal(), None).await {
            Ok(_) | Err(IdentityError::NoPhysician | IdentityError::PhysicianNotChosen) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How the tokens for [`Caller::Delegate`] were come by since the start.
    #[must_use]
    pub fn exchanges(&self) -> Exchanges {
        self.identity.exchanges()
    }

    /// The kinds of form there are, in the order of their packs.
    #[must_use]
    pub fn forms(&self, lang: Lang) -> Vec<FormSummary> {
        self.packs.values().map(|pack| pack.summary(lang)).collect()
    }

    /// One form's definition with its texts.
    ///
    /// # Errors
    /// [`Error::UnknownForm`].
    pub fn form(&self, kind: &str, lang: Lang) -> Result<Definition, Error> {
        Ok(self.pack(kind)?.definition(lang, self.clock.today()))
    }

    /// What stands beside a field or total of a form; its name where there is none.
    #[must_use]
    pub fn label(&self, kind: &str, name: &str, lang: Lang) -> String {
        self.pack(kind).map_or_else(|_| name.to_owned(), |pack| pack.label_of(name, lang))
    }

    /// The JSON Schema of one form's values.
    ///
    /// # Errors
    /// [`Error::UnknownForm`].
    pub fn schema(&self, kind: &str) -> Result<Value, Error> {
        Ok(self.pack(kind)?.json_schema())
    }

    /// Everything wrong with the values, at once.
    ///
    /// # Errors
    /// [`Error::UnknownForm`].
    pub fn check(&self, kind: &str, values: &Values, lang: Lang) -> Result<Checkup, Error> {
        let pack = self.pack(kind)?;
        let outcome = pack.check(values.reveal(), &self.check_context());
        Ok(Checkup {
            findings: self.findings(pack, values, &outcome, lang),
            facts: outcome
                .facts
                .iter()
                .map(|fact| FactView {
                    field: fact.field.clone(),
                    text: pack.describe_fact(fact, lang),
                })
                .collect(),
            totals: self.totals(pack, outcome.totals, lang),
            filled: outcome.filled,
        })
    }

    fn totals(&self, pack: &Pack, totals: Vec<Total>, lang: Lang) -> Vec<TotalView> {
        if totals.is_empty() {
            return Vec::new();
        }
        let labels = pack.definition(lang, self.clock.today()).totals;
        let label = |name: &str| labels.iter().find(|total| total.name == name).map(|total| total.label.clone());
        totals
            .into_iter()
            .map(|total| TotalView {
                label: label(&total.name).unwrap_or_default(),
                name: total.name,
                cents: total.cents,
            })
            .collect()
    }

    /// The values without an error, or everything that is wrong with them.
    fn checked(&self, pack: &Pack, values: &Values, lang: Lang) -> Result<Checked, Error> {
        let outcome = pack.check(values.reveal(), &self.check_context());
        let findings = self.findings(pack, values, &outcome, lang);
        let wrong = findings.iter().any(|finding| finding.severity == Severity::Error);
        outcome.checked.filter(|_| !wrong).ok_or(Error::Findings(findings))
    }

    /// What the form finds, and the characters that no page can show: those are told while they are typed, not when it is sent.
    fn findings(&self, pack: &Pack, values: &Values, outcome: &Outcome, lang: Lang) -> Vec<FindingView> {
        let mut findings: Vec<FindingView> = outcome.findings.iter().map(|finding| view(pack, finding, lang)).collect();
        let unprintable = match &outcome.checked {
            Some(checked) => self.typesetter.unprintable(checked.values()),
            None => self.typesetter.unprintable(pack.draft(values.reveal()).values()),
        };
        for (field, character) in unprintable {
            let wrong_already = |finding: &FindingView| finding.field == field && finding.severity == Severity::Error;
            if !findings.iter().any(wrong_already) {
                findings.push(unprintable_character(field, character, lang));
            }
        }
        findings
    }

    /// The page as it would be signed, marked as a draft: from values that may still be incomplete, or from those of a simulation with
    /// what the authority would pay.
    ///
    /// # Errors
    /// [`Error::UnknownForm`], [`Error::UnknownVolet`], [`Error::Documents`]; [`Error::Identity`] for a token that is not valid;
    /// [`Error::UnknownSimulation`] when the one that was marked is not there any more.
    pub async fn preview(self: &Arc<Self>, caller: &Caller, preview: Preview) -> Result<Document, Error> {
        let Preview {
            kind,
            volet,
            values,
            simulation,
            mark,
        } = preview;
        // An own session is asked for only where it matters: right after the start that may take seconds.
        let viewer = match (caller, simulation) {
            (Caller::OwnSession, None) => None,
            _ => self.viewer(caller).await?,
        };
        let pack = self.pack(&kind)?;
        if !pack.volets().iter().any(|known| known.name == volet) {
            return Err(Error::UnknownVolet);
        }
        let own = |waiting: &Arc<Waiting>| waiting.kind == kind && viewer.is_some_and(|viewer| viewer == waiting.physician_id);
        let waiting = simulation.and_then(|id| self.memory.simulation(id)).filter(own);
        if mark.is_some_and(|mark| waiting.as_ref().is_none_or(|waiting| waiting.mark != mark)) {
            return Err(Error::UnknownSimulation);
        }
        self.beside(move |this| {
            let pack = this.pack(&kind)?;
            let facts = DocumentFacts {
                preview: true,
                ..this.document_facts(uuid::Uuid::nil(), None)
            };
            if let Some(waiting) = waiting
                && let Some(checked) = pack.check(waiting.values()?.reveal(), &this.check_context()).checked
            {
                let content = Content::Simulated(&checked, &waiting.simulation);
                return Ok(this.typesetter.render(pack, &volet, content, &facts)?);
            }
            let draft = pack.draft(values.reveal());
            Ok(this.typesetter.render(pack, &volet, Content::Draft(&draft), &facts)?)
        })
        .await
    }

    /// Who is logged in on this machine.
    pub async fn session(&self) -> SessionView {
        self.identity.session().await
    }

    /// Starts a login in the system browser; with `other_account` AeS asks who it is, whoever was there before.
    ///
    /// # Errors
    /// [`Error::Identity`] when AeS cannot be reached or logins are not allowed here.
    pub async fn login(&self, lang: Lang, other_account: bool) -> Result<SessionView, Error> {
        let request = LoginRequest {
            language: lang.code().to_owned(),
            other_account,
        };
        self.identity.start_login(request).await?;
        Ok(self.identity.session().await)
    }

    /// Says for which of her physicians the logged-in person works from now on. What was done for another is not shown meanwhile.
    ///
    /// # Errors
    /// [`Error::Identity`] without a login, or for a physician who does not let her.
    pub async fn choose(&self, ehealth_id: &str) -> Result<SessionView, Error> {
        self.identity.choose(ehealth_id).await?;
        let view = self.identity.session().await;
        if let SessionState::LoggedIn { actor, .. } = &view.standing {
            self.memory.keep_for(&actor.id, ehealth_id);
        }
        Ok(view)
    }

    /// Ends the session here, at AeS and at mySecu, and forgets what was sent in it; gives up a login while one is under way, and then a
    /// session that stood before goes on.
    ///
    /// # Errors
    /// [`Error::Identity`] when AeS could not be told; the local session is over all the same.
    pub async fn logout(self: &Arc<Self>) -> Result<(), Error> {
        let this = Arc::clone(self);
        // A task of its own: a caller who hangs up must not leave half a logout behind.
        let outcome = tokio::spawn(async move {
            let leaving = this.identity.logout().await;
            if matches!(leaving, Leaving::Ended(_)) {
                let spaces = this.memory.forget_session();
                // The program does not end meanwhile.
                let counted = UnderWay::begin(&this);
                tokio::spawn(async move {
                    let _counted = counted;
                    for space in spaces {
                        // mySecu's token ends by itself soon; a mySecu that does not answer keeps nobody logged in.
                        if let Err(error) = this.deposit.end(&space).await {
                            tracing::warn!(code = econnector_base::Explain::code(&error), "mySecu was not told of the logout");
                        }
                    }
                });
            }
            leaving.done().await
        });
        Ok(outcome.await.map_err(|_| Error::Interrupted)??)
    }

    async fn authorized(&self, caller: &Caller) -> Result<Authorized, Error> {
        Ok(match caller {
            Caller::OwnSession => {
                let authorized = self.identity.authorized().await?;
                let Principal { actor, physician, .. } = &authorized.principal;
                self.memory.keep_for(&actor.id, &physician.ehealth_id);
                authorized
            }
            Caller::Bearer { token, physician } => self.identity.bearer(token.reveal(), physician.as_deref()).await?,
            Caller::Delegate { client, ehealth_id } => {
                let mut authorized = self.identity.on_behalf_of(ehealth_id).await?;
                // AeS knows the installation that asked; which program in it acts, only this door does.
                authorized.principal.actor = Actor {
                    id: format!("{}/{client}", authorized.principal.actor.id),
                    name: client.clone(),
                };
                authorized
            }
        })
    }

    /// The same for what somebody said yes to: she must be the one who acts, and for the same physician.
    async fn authorized_as(&self, caller: &Caller, agreed: Option<&Prospect>) -> Result<Authorized, Error> {
        let authorized = self.authorized(caller).await?;
        let same = agreed.is_none_or(|agreed| agreed.in_whose_name() == authorized.principal.in_whose_name());
        if same { Ok(authorized) } else { Err(Error::SessionChanged) }
    }

    fn pack(&self, kind: &str) -> Result<&Pack, Error> {
        self.packs.get(kind).ok_or(Error::UnknownForm)
    }

    fn check_context(&self) -> CheckContext {
        CheckContext {
            today: self.clock.today(),
            environment: self.environment,
        }
    }

    fn document_facts(&self, id: uuid::Uuid, signed_by: Option<String>) -> DocumentFacts {
        DocumentFacts {
            id,
            issued: self.clock.now(),
            day: self.clock.today(),
            signed_by,
            reference: None,
            paper: false,
            preview: false,
            training: self.environment == Environment::Training,
        }
    }
}

fn unprintable_character(field: String, character: char, lang: Lang) -> FindingView {
    let message = match lang {
        Lang::Fr => format!("Le signe « {character} » ne peut pas être imprimé. Remplacez-le, par exemple par des lettres latines."),
        Lang::De => format!("Das Zeichen «{character}» kann nicht gedruckt werden. Ersetzen Sie es, etwa durch lateinische Buchstaben."),
        Lang::En => format!("The character “{character}” cannot be printed. Replace it, for instance by Latin letters."),
        Lang::Lb => format!("D’Zeechen « {character} » kann net gedréckt ginn. Ersetzt et, zum Beispill duerch laténgesch Buschtawen."),
    };
    FindingView {
        field,
        severity: Severity::Error,
        code: "character-unprintable".to_owned(),
        message,
    }
}

fn view(pack: &Pack, finding: &econnector_forms::Finding, lang: Lang) -> FindingView {
    FindingView {
        field: finding.field.clone(),
        severity: finding.severity,
        code: finding.code.clone(),
        message: pack.describe(finding, lang),
    }
}
