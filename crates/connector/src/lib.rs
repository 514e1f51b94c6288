//! The use cases: what the window, practice software and hospitals can ask for. Each is one route of `econnector-api`.
//!
//! This crate knows the traits `Identity`, `Signer` and `Deposit`, not how they reach the network; time and ids are passed in.

mod error;
mod issue;
mod memory;
mod problem;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use econnector_base::{Clock, Patient, Secret};
use econnector_documents::{Content, Document, DocumentFacts, Typesetter};
use econnector_forms::{CheckContext, Definition, Environment, FormSummary, Lang, Pack};
use econnector_identity::{Authorized, Identity, SessionView};
use econnector_journal::{Entry, Journal};
use econnector_mysecu::Deposit;
use econnector_signature::{Signer, TrustStore};
use serde::Serialize;
use serde_json::{Map, Value};

pub use error::{Error, RequestError};
pub use issue::{Issue, Issued, Progress, Receipt, ReceiptAnomaly, VoletCopy};
pub use problem::{Problem, TextsError, problem_codes};
pub use status::{Check, Status};

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
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Training, integration or production.
    pub environment: Environment,
}

/// Who calls, as far as the door knows.
#[derive(Clone)]
pub enum Caller {
    /// The window, or practice software that uses the desktop's session.
    OwnSession,
    /// A caller with an AeS token of its own.
    Bearer(Arc<Secret>),
}

/// What the check found, in the caller's language.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Checkup {
    /// Everything wrong, errors and warnings.
    pub findings: Vec<FindingView>,
    /// What was read out of the values, such as the birth date in a matricule.
    pub facts: Vec<FactView>,
}

/// One thing wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FindingView {
    /// The field's id.
    pub field: String,
    /// Errors prevent sending, warnings do not.
    pub severity: econnector_forms::Severity,
    /// Stable code.
    pub code: String,
    /// What is wrong and how to mend it, in the caller's language.
    pub message: String,
}

/// Something read out of a field's value.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct FactView {
    /// The field's id.
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
    clock: Arc<dyn Clock>,
    environment: Environment,
    memory: memory::Memory,
    status: tokio::sync::Mutex<Option<status::Measured>>,
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
            clock: parts.clock,
            environment: parts.environment,
            memory: memory::Memory::default(),
            status: tokio::sync::Mutex::new(None),
        })
    }

    /// Training, integration or production.
    #[must_use]
    pub const fn environment(&self) -> Environment {
        self.environment
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
            findings: outcome.findings.iter().map(|finding| view(pack, finding, lang)).collect(),
            facts: outcome
                .facts
                .iter()
                .map(|fact| FactView {
                    field: fact.field.clone(),
                    text: pack.describe_fact(fact, lang),
                })
                .collect(),
        })
    }

    /// The page as it would be signed, from values that may still be incomplete; marked as a draft.
    ///
    /// # Errors
    /// [`Error::UnknownForm`], [`Error::UnknownVolet`], [`Error::Documents`]; [`Error::Identity`] for a token that is not valid.
    pub async fn preview(self: &Arc<Self>, caller: &Caller, kind: &str, volet: &str, values: Values) -> Result<Document, Error> {
        if let Caller::Bearer(_) = caller {
            self.authorized(caller).await?;
        }
        let pack = self.pack(kind)?;
        if !pack.volets().iter().any(|known| known.name == volet) {
            return Err(Error::UnknownVolet);
        }
        let (this, kind, volet) = (Arc::clone(self), kind.to_owned(), volet.to_owned());
        tokio::task::spawn_blocking(move || {
            let pack = this.pack(&kind)?;
            let draft = pack.draft(values.reveal());
            Ok(this
                .typesetter
                .render(pack, &volet, Content::Draft(&draft), &this.document_facts(uuid::Uuid::nil(), None))?)
        })
        .await
        .map_err(|_| Error::Interrupted)?
    }

    /// The newest journal lines: those of the caller's physician, or of this machine's user.
    ///
    /// # Errors
    /// [`Error::Identity`] for a token that is not valid, [`Error::Journal`].
    pub async fn journal(&self, caller: &Caller) -> Result<Vec<Entry>, Error> {
        let physician = match caller {
            Caller::OwnSession => None,
            Caller::Bearer(_) => Some(self.authorized(caller).await?.principal.physician.ehealth_id),
        };
        Ok(self.journal.list(physician.as_deref(), 500).await?)
    }

    /// Who is logged in on this machine.
    pub async fn session(&self) -> SessionView {
        self.identity.session().await
    }

    /// Starts a login in the system browser.
    ///
    /// # Errors
    /// [`Error::Identity`] when AeS cannot be reached or logins are not allowed here.
    pub async fn login(&self, lang: Lang) -> Result<SessionView, Error> {
        self.identity.start_login(lang.code()).await?;
        Ok(self.identity.session().await)
    }

    /// Ends the session here, at AeS and at mySecu, and forgets what was sent in it.
    ///
    /// # Errors
    /// [`Error::Identity`] when AeS could not be told; the local session is over all the same.
    pub async fn logout(self: &Arc<Self>) -> Result<(), Error> {
        let this = Arc::clone(self);
        let spaces = self.memory.forget_all();
        // A task of its own: a caller who hangs up must not keep the session alive at AeS.
        let outcome = tokio::spawn(async move {
            let leaving = Arc::clone(&this);
            tokio::spawn(async move {
                for space in spaces {
                    // mySecu's token ends by itself soon; a mySecu that does not answer keeps nobody logged in.
                    if let Err(error) = leaving.deposit.end(&space).await {
                        tracing::warn!(code = econnector_base::Explain::code(&error), "mySecu was not told of the logout");
                    }
                }
            });
            this.identity.logout().await
        });
        Ok(outcome.await.map_err(|_| Error::Interrupted)??)
    }

    async fn authorized(&self, caller: &Caller) -> Result<Authorized, Error> {
        Ok(match caller {
            Caller::OwnSession => {
                let authorized = self.identity.authorized().await?;
                self.memory.keep_only(&authorized.principal.physician.ehealth_id);
                authorized
            }
            Caller::Bearer(token) => self.identity.bearer(token.reveal()).await?,
        })
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
            training: self.environment == Environment::Training,
        }
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
