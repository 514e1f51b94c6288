use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use econnector_base::{Explain as _, Fault, Secret};
use econnector_documents::{Content, DocumentFacts};
use econnector_forms::{Anomaly, Checked, Lang, Pack, Severity, WireContext};
use econnector_identity::{Authorized, Physician, Principal, SessionState};
use econnector_journal::{Entry, Journal, Settlement, State, Who};
use econnector_mysecu::{BusinessMessage, Space};
use econnector_signature::{Algorithm, Expected, FieldOptions, Probe, SignatureError, SignedPdf, Signer, SignerCertificate};
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::memory::{Leaf, Remembered};
use crate::{Caller, Connector, Error, Values, view};

/// A document to check, sign and deposit.
pub struct Issue {
    /// The caller's id: the same id is never deposited twice.
    pub id: Uuid,
    /// The form's kind.
    pub kind: String,
    /// The values as typed.
    pub values: Values,
    /// The document that this one replaces.
    pub replaces: Option<Uuid>,
}

/// A settled document.
pub struct Issued {
    /// The caller's id.
    pub id: Uuid,
    /// The form's kind.
    pub kind: String,
    /// Deposited or unknown.
    pub state: State,
    /// mySecu's receipt.
    pub receipt: Option<Receipt>,
    /// The volets, while they are in memory.
    pub volets: Vec<VoletCopy>,
    /// The Correlation-ID of an earlier call, for an outcome that is not known.
    pub correlation_id: Option<String>,
    /// Whether this call settled it, or an earlier one did.
    pub fresh: bool,
}

/// How far a document has come.
pub struct Progress {
    /// The caller's id.
    pub id: Uuid,
    /// The form's kind.
    pub kind: String,
    /// The stage.
    pub state: State,
    /// mySecu's receipt, once there.
    pub receipt: Option<Receipt>,
    /// The volets, without content.
    pub volets: Vec<VoletCopy>,
    /// Stable code of the problem that ended it, and whose fault that was.
    pub problem: Option<(String, Fault)>,
}

/// What mySecu confirmed.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Receipt {
    /// mySecu's id of the document.
    pub reference: String,
    /// When its answer came.
    #[serde(with = "time::serde::rfc3339")]
    pub deposited_at: OffsetDateTime,
    /// Under which mySecu can find the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// What mySecu remarked.
    pub anomalies: Vec<ReceiptAnomaly>,
    /// The name in the signer's certificate; like all below, only while the document is in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// The time in the timestamp.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub signed_at: Option<OffsetDateTime>,
    /// Milliseconds spent in this program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_ms: Option<u64>,
    /// Milliseconds spent waiting for AeS, the KMS and mySecu.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_ms: Option<u64>,
}

/// One remark of mySecu, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ReceiptAnomaly {
    /// Whether it prevented the deposit.
    pub severity: Severity,
    /// mySecu's code.
    pub code: String,
    /// mySecu's sentence.
    pub message: String,
}

/// A volet as handed out.
pub struct VoletCopy {
    /// Its name in the pack.
    pub name: String,
    /// Whether it bears the signature.
    pub signed: bool,
    /// Number of pages.
    pub pages: usize,
    /// The PDF; empty in a [`Progress`].
    pub content: Zeroizing<Vec<u8>>,
}

impl Connector {
    /// Checks, sets, signs and deposits a document. Runs to its end even if the caller hangs up: a deposit cut in half by a closed
    /// connection would be a deposit nobody knows of.
    ///
    /// # Errors
    /// Any [`Error`]; only those whose code is `mysecu-outcome-unknown` leave the document other than certainly not deposited.
    pub async fn issue(self: &Arc<Self>, caller: Caller, issue: Issue, lang: Lang) -> Result<Issued, Error> {
        let (this, id) = (Arc::clone(self), issue.id);
        let work = tokio::spawn(async move {
            let _turn = this.memory.turn(id).await;
            this.issue_alone(&caller, issue, lang).await
        });
        match work.await {
            Ok(issued) => issued,
            Err(_) => {
                let _turn = self.memory.turn(id).await;
                Err(match self.settle_stale(id).await? {
                    Some(State::Unknown) => Error::OutcomeUnknown { correlation_id: None },
                    _ => Error::Interrupted,
                })
            }
        }
    }

    /// How far a document has come.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`], also for the document of another physician.
    pub async fn document(&self, caller: &Caller, id: Uuid) -> Result<Progress, Error> {
        let viewer = self.viewer(caller).await?;
        let entry = self.journal.find(id).await?.ok_or(Error::UnknownDocument)?;
        // The window that has just lost its session still has to learn what became of its document.
        if viewer.is_some_and(|viewer| viewer != entry.who.physician_id) {
            return Err(Error::UnknownDocument);
        }
        let remembered = self.memory.find(id);
        Ok(Progress {
            id,
            state: entry.state,
            receipt: remembered
                .as_ref()
                .and_then(|known| known.receipt.clone())
                .or_else(|| recorded_receipt(&entry)),
            kind: entry.kind,
            volets: remembered
                .iter()
                .flat_map(|known| &known.volets)
                .map(|leaf| leaf.copy(false))
                .collect(),
            problem: entry.problem,
        })
    }

    /// One volet's PDF.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`] when it is no longer in memory, [`Error::UnknownVolet`].
    pub async fn volet(&self, caller: &Caller, id: Uuid, name: &str) -> Result<VoletCopy, Error> {
        let remembered = self.remembered(caller, id).await?;
        remembered
            .volets
            .iter()
            .find(|leaf| leaf.name == name)
            .map(|leaf| leaf.copy(true))
            .ok_or(Error::UnknownVolet)
    }

    /// One page of a volet as SVG, and the number of pages.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`] when it is no longer in memory, [`Error::UnknownVolet`].
    pub async fn volet_page(&self, caller: &Caller, id: Uuid, name: &str, page: usize) -> Result<(String, usize), Error> {
        let remembered = self.remembered(caller, id).await?;
        let name = name.to_owned();
        tokio::task::spawn_blocking(move || {
            let leaf = remembered.volets.iter().find(|leaf| leaf.name == name).ok_or(Error::UnknownVolet)?;
            Ok((leaf.document.svg(page)?, leaf.document.pages()))
        })
        .await
        .map_err(|_| Error::Interrupted)?
    }

    /// Forgets a document's values and pages; the journal's line stays.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`] for the document of another physician.
    pub async fn forget(&self, caller: &Caller, id: Uuid) -> Result<(), Error> {
        let viewer = self.viewer(caller).await?;
        if let Some(remembered) = self.memory.find(id) {
            if viewer.is_some_and(|viewer| viewer != remembered.physician_id) {
                return Err(Error::UnknownDocument);
            }
            self.memory.forget(id);
        }
        Ok(())
    }

    async fn issue_alone(self: &Arc<Self>, caller: &Caller, issue: Issue, lang: Lang) -> Result<Issued, Error> {
        let (started, era) = (Instant::now(), self.memory.era());
        let asked = Instant::now();
        // A stranger learns nothing, not even what is wrong with the values; the physician reads her findings without a login.
        let known = match caller {
            Caller::Bearer(_) => Some(self.authorized(caller).await?),
            Caller::OwnSession => None,
        };
        let mut remote = asked.elapsed();
        if issue.replaces.is_some() {
            return Err(Error::ReplacementUnavailable);
        }
        let pack = self.pack(&issue.kind)?;
        let outcome = pack.check(issue.values.reveal(), &self.check_context());
        let Some(checked) = outcome.checked else {
            return Err(Error::Findings(
                outcome.findings.iter().map(|finding| view(pack, finding, lang)).collect(),
            ));
        };
        let asked = Instant::now();
        let Authorized { principal, token } = match known {
            Some(known) => known,
            None => self.authorized(caller).await?,
        };
        remote += asked.elapsed();
        let space = Space {
            code: document_space(&checked, &principal)?,
            holder: format!("{} {}", principal.actor.id, principal.physician.ehealth_id),
            token: Arc::clone(&token),
        };
        if let Some(settled) = self.settled(&issue, &principal).await? {
            return Ok(settled);
        }
        self.journal
            .begin(&Entry {
                id: issue.id,
                kind: issue.kind.clone(),
                state: State::Signing,
                created_at: self.clock.now(),
                finished_at: None,
                who: Who {
                    actor_id: principal.actor.id.clone(),
                    actor_name: principal.actor.name.clone(),
                    physician_id: principal.physician.ehealth_id.clone(),
                    physician_name: principal.physician.name.clone(),
                },
                reference: None,
                correlation_id: None,
                replaces: None,
                problem: None,
            })
            .await?;
        if matches!(caller, Caller::OwnSession) {
            self.memory.note_space(&space);
        }
        let run = Run {
            connector: self,
            pack,
            id: issue.id,
            physician: &principal.physician,
            token,
            space,
            remote: Mutex::new(remote),
        };
        match run.to_the_end(checked, started).await {
            Ok((receipt, volets)) => {
                let settlement = Settlement {
                    reference: Some(receipt.reference.clone()),
                    correlation_id: receipt.correlation_id.clone(),
                    problem: None,
                };
                // mySecu has the document: a journal that fails now must not turn the receipt into an error.
                record(&self.journal, issue.id, State::Deposited, self.clock.now(), &settlement).await;
                let remembered = self.memory.keep(
                    issue.id,
                    era,
                    Remembered {
                        kind: issue.kind,
                        physician_id: principal.physician.ehealth_id,
                        receipt: Some(receipt),
                        volets,
                    },
                );
                Ok(remembered.issued(issue.id, State::Deposited, None, true))
            }
            Err((error, leaves)) => {
                let state = if outcome_is_open(&error) { State::Unknown } else { State::Failed };
                let settlement = Settlement {
                    reference: None,
                    correlation_id: error.correlation_id(),
                    problem: Some((error.code().to_owned(), error.fault())),
                };
                record(&self.journal, issue.id, state, self.clock.now(), &settlement).await;
                if state == State::Unknown {
                    let physician_id = principal.physician.ehealth_id;
                    self.memory.keep(
                        issue.id,
                        era,
                        Remembered {
                            kind: issue.kind,
                            physician_id,
                            receipt: None,
                            volets: leaves,
                        },
                    );
                } else {
                    self.memory.release_values(issue.id);
                }
                Err(error)
            }
        }
    }

    /// The recorded outcome, when the id has one.
    async fn settled(&self, issue: &Issue, principal: &Principal) -> Result<Option<Issued>, Error> {
        self.settle_stale(issue.id).await?;
        let entry = self.journal.find(issue.id).await?;
        let foreign = entry
            .as_ref()
            .is_some_and(|entry| entry.kind != issue.kind || entry.who.physician_id != principal.physician.ehealth_id);
        if foreign || !self.memory.same_values(issue.id, &issue.values) {
            return Err(Error::IdReused);
        }
        let Some(entry) = entry.filter(|entry| entry.state != State::Failed) else {
            return Ok(None);
        };
        let Some(remembered) = self.memory.find(issue.id) else {
            let receipt = recorded_receipt(&entry);
            return Ok(Some(Issued {
                id: issue.id,
                kind: entry.kind,
                state: entry.state,
                receipt,
                volets: Vec::new(),
                correlation_id: entry.correlation_id,
                fresh: false,
            }));
        };
        Ok(Some(remembered.issued(issue.id, entry.state, entry.correlation_id, false)))
    }

    /// Whoever has the turn is alone with the document: a line that is still under way was left by a try that ended without a word.
    async fn settle_stale(&self, id: Uuid) -> Result<Option<State>, Error> {
        let state = match self.journal.find(id).await?.map(|entry| entry.state) {
            Some(State::Depositing) => State::Unknown,
            Some(State::Checking | State::Signing) => State::Failed,
            _ => return Ok(None),
        };
        let settlement = Settlement {
            problem: Some(("interrupted".to_owned(), Fault::Us)),
            ..Settlement::default()
        };
        self.journal.settle(id, state, self.clock.now(), &settlement).await?;
        Ok(Some(state))
    }

    async fn remembered(&self, caller: &Caller, id: Uuid) -> Result<Arc<Remembered>, Error> {
        // Pages name a patient: nobody sees them without being somebody.
        let viewer = self
            .viewer(caller)
            .await?
            .ok_or(econnector_identity::IdentityError::LoginRequired)?;
        self.memory
            .find(id)
            .filter(|found| found.physician_id == viewer)
            .ok_or(Error::UnknownDocument)
    }

    /// The physician on whose behalf somebody looks; on the desktop there may be none.
    async fn viewer(&self, caller: &Caller) -> Result<Option<String>, Error> {
        Ok(match caller {
            Caller::OwnSession => match self.identity.session().await.state {
                SessionState::LoggedIn { physician, .. } => physician.map(|physician| physician.ehealth_id),
                _ => None,
            },
            Caller::Bearer(_) => Some(self.authorized(caller).await?.principal.physician.ehealth_id),
        })
    }
}

/// One document on its way: from checked values to the receipt.
struct Run<'a> {
    connector: &'a Arc<Connector>,
    pack: &'a Pack,
    id: Uuid,
    physician: &'a Physician,
    token: Arc<Secret>,
    space: Space,
    /// Time spent waiting for others so far.
    remote: Mutex<Duration>,
}

impl Run<'_> {
    async fn to_the_end(&self, checked: Checked, started: Instant) -> Result<(Receipt, Vec<Leaf>), (Error, Vec<Leaf>)> {
        let early = |error: Error| (error, Vec::new());
        // Every page is set before anything leaves: one that cannot be set must follow neither a signature nor a deposit.
        let (checked, mut leaves) = self.set(checked, None).await.map_err(early)?;
        let leaf = leaves
            .iter_mut()
            .find(|leaf| leaf.signed)
            .ok_or_else(|| early(Error::Interrupted))?;
        let signed = self.sign(&leaf.pdf).await.map_err(early)?;
        leaf.pdf = signed.bytes;
        let context = WireContext {
            id: self.id,
            issued: self.connector.clock.today(),
            document: &leaf.pdf,
        };
        let wire = self.pack.wire(&checked, &context).map_err(|error| early(error.into()))?;
        // From here on the journal says that a deposit may be under way, whatever happens to this process.
        self.connector
            .journal
            .advance(self.id, State::Depositing)
            .await
            .map_err(|error| early(error.into()))?;
        let message = BusinessMessage {
            model_uid: wire.model_uid,
            xml: wire.xml,
        };
        let answer = match self.waiting(self.connector.deposit.exchange(&self.space, &message)).await {
            Ok(answer) => answer,
            Err(error) => return Err((error.into(), leaves)),
        };
        let correlation_id = answer.correlation_id;
        let read = match self.pack.read_answer(&answer.xml) {
            Ok(read) => read,
            Err(error) => return Err((Error::AnswerUnreadable { error, correlation_id }, leaves)),
        };
        if read
            .document
            .as_ref()
            .is_some_and(|answered| !answered.eq_ignore_ascii_case(&self.id.to_string()))
        {
            return Err((Error::AnswerForAnother { correlation_id }, leaves));
        }
        let refused = read.is_refused();
        let anomalies: Vec<ReceiptAnomaly> = read.anomalies.into_iter().map(ReceiptAnomaly::from).collect();
        let Some(reference) = read.reference.filter(|_| !refused) else {
            return Err((Error::Refused { anomalies, correlation_id }, leaves));
        };
        // What is handed over names the deposit. If that cannot be set any more, the pages of before say all that matters.
        if let Ok((_, with_reference)) = self.set(checked, Some(reference.clone())).await {
            for new in with_reference {
                if let Some(leaf) = leaves.iter_mut().find(|leaf| leaf.name == new.name) {
                    *leaf = new;
                }
            }
        }
        let remote = *self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        let receipt = Receipt {
            reference,
            deposited_at: self.connector.clock.now(),
            correlation_id,
            anomalies,
            signed_by: Some(signed.signer_name),
            signed_at: Some(signed.timestamp),
            own_ms: Some(millis(started.elapsed().saturating_sub(remote))),
            remote_ms: Some(millis(remote)),
        };
        Ok((receipt, leaves))
    }

    /// Sets every volet, or with the deposit's reference those that were not signed; beside the threads that answer others.
    async fn set(&self, checked: Checked, reference: Option<String>) -> Result<(Checked, Vec<Leaf>), Error> {
        let (connector, kind) = (Arc::clone(self.connector), self.pack.kind().to_owned());
        let facts = DocumentFacts {
            reference,
            ..connector.document_facts(self.id, Some(self.physician.name.clone()))
        };
        tokio::task::spawn_blocking(move || {
            let pack = connector.pack(&kind)?;
            let mut leaves = Vec::new();
            for volet in pack.volets().iter().filter(|volet| !volet.signed || facts.reference.is_none()) {
                let document = connector.typesetter.render(pack, &volet.name, Content::Checked(&checked), &facts)?;
                leaves.push(Leaf {
                    name: volet.name.clone(),
                    signed: volet.signed,
                    pdf: document.pdf()?.into(),
                    document,
                });
            }
            Ok((checked, leaves))
        })
        .await
        .map_err(|_| Error::Interrupted)?
    }

    async fn sign(&self, pdf: &[u8]) -> Result<SignedPdf, Error> {
        let connector = self.connector;
        let expected = Expected {
            ehealth_id: &self.physician.ehealth_id,
        };
        let field = FieldOptions {
            name: format!("Signature-{}", self.pack.kind()),
            ..FieldOptions::default()
        };
        Ok(econnector_signature::sign_pdf(pdf, self, &self.token, &expected, &connector.trust, connector.clock.now(), &field).await?)
    }

    /// Counts what is spent waiting for somebody else.
    async fn waiting<T>(&self, answer: impl Future<Output = T>) -> T {
        let asked = Instant::now();
        let answer = answer.await;
        *self.remote.lock().unwrap_or_else(PoisonError::into_inner) += asked.elapsed();
        answer
    }
}

/// The signer, with its time counted.
#[async_trait]
impl Signer for Run<'_> {
    async fn certificate(&self, token: &Secret) -> Result<SignerCertificate, SignatureError> {
        self.waiting(self.connector.signer.certificate(token)).await
    }

    async fn sign(&self, token: &Secret, data: &[u8], algorithm: Algorithm) -> Result<Vec<u8>, SignatureError> {
        self.waiting(self.connector.signer.sign(token, data, algorithm)).await
    }

    async fn timestamp(&self, token: &Secret, query: &[u8]) -> Result<Vec<u8>, SignatureError> {
        self.waiting(self.connector.signer.timestamp(token, query)).await
    }

    async fn probe(&self) -> Result<Probe, SignatureError> {
        self.connector.signer.probe().await
    }
}

impl Leaf {
    fn copy(&self, with_content: bool) -> VoletCopy {
        VoletCopy {
            name: self.name.clone(),
            signed: self.signed,
            pages: self.document.pages(),
            content: if with_content { self.pdf.clone() } else { Zeroizing::default() },
        }
    }
}

impl Remembered {
    fn issued(&self, id: Uuid, state: State, correlation_id: Option<String>, fresh: bool) -> Issued {
        Issued {
            id,
            kind: self.kind.clone(),
            state,
            receipt: self.receipt.clone(),
            volets: self.volets.iter().map(|leaf| leaf.copy(true)).collect(),
            correlation_id,
            fresh,
        }
    }
}

impl From<Anomaly> for ReceiptAnomaly {
    fn from(anomaly: Anomaly) -> Self {
        Self {
            severity: anomaly.severity,
            code: anomaly.code,
            message: anomaly.message,
        }
    }
}

/// The mySecu space of the document, which must be the logged-in physician's own.
fn document_space(checked: &Checked, principal: &Principal) -> Result<String, Error> {
    let physician = &principal.physician;
    if checked.ehealth_id().is_some_and(|named| named != physician.ehealth_id) {
        return Err(Error::PhysicianMismatch);
    }
    let code = checked
        .provider_code()
        .map(ToOwned::to_owned)
        .or_else(|| physician.provider_codes.first().cloned())
        .ok_or(Error::PhysicianMismatch)?;
    if !physician.provider_codes.is_empty() && !physician.provider_codes.contains(&code) {
        return Err(Error::PhysicianMismatch);
    }
    Ok(code)
}

/// What the journal still knows of a receipt when the pages are gone.
fn recorded_receipt(entry: &Entry) -> Option<Receipt> {
    Some(Receipt {
        reference: entry.reference.clone()?,
        deposited_at: entry.finished_at?,
        correlation_id: entry.correlation_id.clone(),
        anomalies: Vec::new(),
        signed_by: None,
        signed_at: None,
        own_ms: None,
        remote_ms: None,
    })
}

/// Whether mySecu may have the document although no good answer came.
fn outcome_is_open(error: &Error) -> bool {
    match error {
        Error::Deposit(error) => error.maybe_deposited(),
        Error::AnswerUnreadable { .. } | Error::AnswerForAnother { .. } => true,
        _ => false,
    }
}

async fn record(journal: &Journal, id: Uuid, state: State, at: OffsetDateTime, settlement: &Settlement) {
    if let Err(error) = journal.settle(id, state, at, settlement).await {
        tracing::error!(%id, state = state.as_str(), %error, "the journal did not take an outcome");
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
