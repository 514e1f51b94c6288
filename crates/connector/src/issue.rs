use std::sync::Arc;
use std::time::{Duration, Instant};

use econnector_base::{Explain as _, Fault, Patient};
use econnector_documents::Content;
use econnector_forms::{Anomaly, Checked, Lang, Pack, Severity, WireContext};
use econnector_identity::{Authorized, Principal};
use econnector_journal::{Entry, Journal, Settlement, State, Who};
use econnector_mysecu::{BusinessMessage, Space};
use econnector_signature::{Expected, FieldOptions, SignedPdf};
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
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let turn = this.memory.turn(issue.id);
            let id = issue.id;
            let held = turn.lock().await;
            let issued = this.issue_alone(&caller, issue, lang).await;
            drop(held);
            this.memory.end_turn(id, turn);
            issued
        })
        .await
        .map_err(|_| Error::Interrupted)?
    }

    /// How far a document has come.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`], also for the document of another physician.
    pub async fn document(&self, caller: &Caller, id: Uuid) -> Result<Progress, Error> {
        let entry = self.journal.find(id).await?.ok_or(Error::UnknownDocument)?;
        self.may_see(caller, &entry.who.physician_id).await?;
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
        let leaf = remembered.volets.iter().find(|leaf| leaf.name == name).ok_or(Error::UnknownVolet)?;
        Ok((leaf.document.svg(page)?, leaf.document.pages()))
    }

    /// Forgets a document's values and pages; the journal's line stays.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`] for the document of another physician.
    pub async fn forget(&self, caller: &Caller, id: Uuid) -> Result<(), Error> {
        if let Some(remembered) = self.memory.find(id) {
            self.may_see(caller, &remembered.physician_id).await?;
            self.memory.forget(id);
        }
        Ok(())
    }

    async fn issue_alone(&self, caller: &Caller, issue: Issue, lang: Lang) -> Result<Issued, Error> {
        let started = Instant::now();
        let pack = self.pack(&issue.kind)?;
        let outcome = pack.check(&issue.values, &self.check_context());
        let Some(checked) = outcome.checked else {
            return Err(Error::Findings(
                outcome.findings.iter().map(|finding| view(pack, finding, lang)).collect(),
            ));
        };
        let Authorized { principal, token } = self.authorized(caller).await?;
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
                replaces: issue.replaces,
                problem: None,
            })
            .await?;
        if matches!(caller, Caller::OwnSession) {
            self.memory.note_space(&space);
        }
        let run = Run {
            connector: self,
            pack,
            checked: &checked,
            id: issue.id,
            authorized: Authorized {
                principal: principal.clone(),
                token,
            },
            space,
        };
        match run.to_the_end(started).await {
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
                    Remembered {
                        kind: issue.kind.clone(),
                        physician_id: principal.physician.ehealth_id,
                        values: Patient::new(issue.values),
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
                    self.memory.keep(
                        issue.id,
                        Remembered {
                            kind: issue.kind,
                            physician_id: principal.physician.ehealth_id,
                            values: Patient::new(issue.values),
                            receipt: None,
                            volets: leaves,
                        },
                    );
                }
                Err(error)
            }
        }
    }

    /// The recorded outcome, when the id has one.
    async fn settled(&self, issue: &Issue, principal: &Principal) -> Result<Option<Issued>, Error> {
        let Some(entry) = self.journal.find(issue.id).await? else {
            return Ok(None);
        };
        if entry.kind != issue.kind || entry.who.physician_id != principal.physician.ehealth_id {
            return Err(Error::IdReused);
        }
        if entry.state == State::Failed {
            return Ok(None);
        }
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
        if remembered.values.reveal() != &issue.values {
            return Err(Error::IdReused);
        }
        Ok(Some(remembered.issued(issue.id, entry.state, entry.correlation_id, false)))
    }

    async fn remembered(&self, caller: &Caller, id: Uuid) -> Result<Arc<Remembered>, Error> {
        let remembered = self.memory.find(id).ok_or(Error::UnknownDocument)?;
        self.may_see(caller, &remembered.physician_id).await?;
        Ok(remembered)
    }

    /// On the desktop the machine's user sees what was sent from it; elsewhere only the physician's own token does.
    async fn may_see(&self, caller: &Caller, physician_id: &str) -> Result<(), Error> {
        match caller {
            Caller::OwnSession => Ok(()),
            Caller::Bearer(_) if self.authorized(caller).await?.principal.physician.ehealth_id == physician_id => Ok(()),
            Caller::Bearer(_) => Err(Error::UnknownDocument),
        }
    }
}

/// One document on its way: from checked values to the receipt.
struct Run<'a> {
    connector: &'a Connector,
    pack: &'a Pack,
    checked: &'a Checked,
    id: Uuid,
    authorized: Authorized,
    space: Space,
}

impl Run<'_> {
    async fn to_the_end(&self, started: Instant) -> Result<(Receipt, Vec<Leaf>), (Error, Vec<Leaf>)> {
        let early = |error: Error| (error, Vec::new());
        let mut remote = Duration::ZERO;
        let (leaves, signed) = self.set_and_sign(&mut remote).await.map_err(early)?;
        let document = leaves
            .iter()
            .find(|leaf| leaf.signed)
            .map(|leaf| leaf.pdf.as_slice())
            .unwrap_or_default();
        let context = WireContext {
            id: self.id,
            issued: self.connector.clock.today(),
            document,
        };
        let wire = self.pack.wire(self.checked, &context).map_err(|error| early(error.into()))?;
        // From here on the journal says that a deposit may be under way, whatever happens to this process.
        self.connector
            .journal
            .advance(self.id, State::Depositing)
            .await
            .map_err(|error| early(error.into()))?;
        let sent = Instant::now();
        let answer = match self
            .connector
            .deposit
            .exchange(
                &self.space,
                &BusinessMessage {
                    model_uid: wire.model_uid,
                    xml: wire.xml,
                },
            )
            .await
        {
            Ok(answer) => answer,
            Err(error) => return Err((error.into(), leaves)),
        };
        remote += sent.elapsed();
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

    /// Sets every volet, then signs the one that is signed: a page that cannot be set must follow neither a signature nor a deposit.
    async fn set_and_sign(&self, remote: &mut Duration) -> Result<(Vec<Leaf>, SignedPdf), Error> {
        let facts = self
            .connector
            .document_facts(self.id, Some(self.authorized.principal.physician.name.clone()));
        let mut leaves = Vec::new();
        for volet in self.pack.volets() {
            let document = self
                .connector
                .typesetter
                .render(self.pack, &volet.name, Content::Checked(self.checked), &facts)?;
            let pdf = Zeroizing::new(document.pdf()?);
            leaves.push(Leaf {
                name: volet.name.clone(),
                signed: volet.signed,
                pdf,
                document,
            });
        }
        let leaf = leaves.iter_mut().find(|leaf| leaf.signed).ok_or(Error::Interrupted)?;
        let asked = Instant::now();
        let signature = self.sign(&leaf.pdf).await?;
        *remote += asked.elapsed();
        leaf.pdf = Zeroizing::new(signature.bytes.clone());
        Ok((leaves, signature))
    }

    async fn sign(&self, pdf: &[u8]) -> Result<SignedPdf, Error> {
        let expected = Expected {
            ehealth_id: &self.authorized.principal.physician.ehealth_id,
        };
        let field = FieldOptions {
            name: format!("Signature-{}", self.pack.kind()),
            ..FieldOptions::default()
        };
        let connector = self.connector;
        Ok(econnector_signature::sign_pdf(
            pdf,
            connector.signer.as_ref(),
            &self.authorized.token,
            &expected,
            &connector.trust,
            connector.clock.now(),
            &field,
        )
        .await?)
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
