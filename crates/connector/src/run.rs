//! What every exchange with the authorities has in common: somebody acts, pages are set and signed, a message leaves once, and
//! what comes back is believed or is not.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use econnector_base::{Fault, Secret};
use econnector_documents::{Content, DocumentFacts};
use econnector_forms::{Answer, AnswerError, Checked, Pack, Severity, WireMessage};
use econnector_identity::{Authorized, Physician, Principal};
use econnector_journal::{Entry, Settlement, State, Who};
use econnector_mysecu::{BusinessMessage, Space};
use econnector_signature::{Algorithm, Expected, FieldOptions, Probe, SignatureError, SignedPdf, Signer, SignerCertificate};
use uuid::Uuid;

use crate::error::{Cause, Sent};
use crate::memory::{Leaf, Waiting};
use crate::{Caller, Connector, Error, Receipt, ReceiptAnomaly};

/// Somebody at work on one document.
pub(crate) struct Run<'a> {
    pub(crate) connector: &'a Arc<Connector>,
    pub(crate) pack: &'a Pack,
    pub(crate) id: Uuid,
    pub(crate) principal: Principal,
    pub(crate) token: Arc<Secret>,
    pub(crate) space: Space,
    pub(crate) watch: Stopwatch,
}

/// What goes onto the pages.
pub(crate) struct Page {
    pub(crate) checked: Checked,
    /// For a form whose amounts the authority said.
    pub(crate) simulated: Option<Arc<Waiting>>,
}

/// Tells our own time from that spent waiting for others.
pub(crate) struct Stopwatch {
    started: Instant,
    remote: Mutex<Duration>,
}

/// What the authority confirmed.
pub(crate) struct Confirmed {
    pub(crate) reference: String,
    pub(crate) anomalies: Vec<ReceiptAnomaly>,
    pub(crate) correlation_id: Option<String>,
}

impl Connector {
    /// Works on a document, and on another that it concerns, while nobody else does. Runs to its end even if the caller hangs up: a
    /// deposit cut in half by a closed connection would be a deposit nobody knows of.
    pub(crate) async fn alone<T, W>(self: &Arc<Self>, id: Uuid, other: Option<Uuid>, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let this = Arc::clone(self);
        let done = tokio::spawn(async move {
            let _turns = this.memory.turns(id, other).await;
            work.await
        });
        match done.await {
            Ok(done) => done,
            Err(_) => {
                let _turn = self.memory.turn(id).await;
                let left = self.settle_stale(id).await?;
                if left.as_ref().is_none_or(|entry| entry.state == State::Failed) {
                    self.memory.release_values(id);
                }
                Err(left
                    .filter(|entry| entry.state == State::Unknown)
                    .map_or(Error::Interrupted, |entry| self.outcome_unknown(&entry)))
            }
        }
    }

    /// Whoever has the turn is alone with the document: a line that is still under way was left by a try that ended without a word.
    /// Returns the line as it is then.
    pub(crate) async fn settle_stale(&self, id: Uuid) -> Result<Option<Entry>, Error> {
        let Some(entry) = self.journal.find(id).await? else {
            return Ok(None);
        };
        let state = match entry.state {
            State::Depositing => State::Unknown,
            State::Checking | State::Signing => State::Failed,
            _ => return Ok(Some(entry)),
        };
        let settlement = Settlement {
            problem: Some(("interrupted".to_owned(), Fault::Us)),
            ..Settlement::default()
        };
        self.journal.settle(id, state, self.clock.now(), &settlement).await?;
        Ok(self.journal.find(id).await?)
    }

    /// Notes an outcome. What happened has happened: a journal that fails now must not turn a receipt into an error.
    pub(crate) async fn record(&self, id: Uuid, state: State, settlement: &Settlement) {
        if let Err(error) = self.journal.settle(id, state, self.clock.now(), settlement).await {
            tracing::error!(%id, state = state.as_str(), %error, "the journal did not take an outcome");
        }
    }

    /// Sets every volet; with a reference only those that were not signed. Beside the threads that answer others.
    pub(crate) async fn set_pages(self: &Arc<Self>, kind: &str, page: Page, facts: DocumentFacts) -> Result<(Page, Vec<Leaf>), Error> {
        let (this, kind) = (Arc::clone(self), kind.to_owned());
        tokio::task::spawn_blocking(move || {
            let pack = this.pack(&kind)?;
            let content = match &page.simulated {
                Some(waiting) => Content::Simulated(&page.checked, &waiting.simulation),
                None => Content::Checked(&page.checked),
            };
            let mut leaves = Vec::new();
            for volet in pack.volets().iter().filter(|volet| !volet.signed || facts.reference.is_none()) {
                let document = this.typesetter.render(pack, &volet.name, content, &facts)?;
                leaves.push(Leaf {
                    name: volet.name.clone(),
                    signed: volet.signed && !facts.paper,
                    pdf: document.pdf()?.into(),
                    document,
                });
            }
            Ok((page, leaves))
        })
        .await
        .map_err(|_| Error::Interrupted)?
    }
}

impl<'a> Run<'a> {
    /// Somebody who may act for the physician named in the values.
    pub(crate) fn begin(
        connector: &'a Arc<Connector>,
        caller: &Caller,
        pack: &'a Pack,
        id: Uuid,
        authorized: Authorized,
        provider_code: String,
        watch: Stopwatch,
    ) -> Self {
        let Authorized { principal, token } = authorized;
        let space = Space {
            code: provider_code,
            holder: format!("{} {}", principal.actor.id, principal.physician.ehealth_id),
            token: Arc::clone(&token),
        };
        if matches!(caller, Caller::OwnSession) {
            connector.memory.note_space(&space);
        }
        Self {
            connector,
            pack,
            id,
            principal,
            token,
            space,
            watch,
        }
    }

    /// The journal's line of this work.
    pub(crate) fn entry(&self, state: State, replaces: Option<Uuid>) -> Entry {
        Entry {
            id: self.id,
            kind: self.pack.kind().to_owned(),
            state,
            created_at: self.connector.clock.now(),
            finished_at: None,
            who: who(&self.principal),
            provider_code: Some(self.space.code.clone()),
            reference: None,
            correlation_id: None,
            replaces,
            replaced_by: None,
            cancellation: None,
            problem: None,
        }
    }

    /// Sets the pages in the physician's name.
    pub(crate) async fn set(&self, page: Page, reference: Option<String>) -> Result<(Page, Vec<Leaf>), Error> {
        let facts = DocumentFacts {
            reference,
            ..self.connector.document_facts(self.id, Some(self.principal.physician.name.clone()))
        };
        self.connector.set_pages(self.pack.kind(), page, facts).await
    }

    /// Signs the volet that is to be signed, in its place.
    pub(crate) async fn sign_leaf<'l>(&self, leaves: &'l mut [Leaf]) -> Result<(SignedBy, &'l [u8]), Error> {
        let leaf = leaves.iter_mut().find(|leaf| leaf.signed).ok_or(Error::Interrupted)?;
        let SignedPdf {
            bytes,
            signer_name,
            timestamp,
            ..
        } = self.sign_pdf(&leaf.pdf).await?;
        leaf.pdf = bytes;
        Ok((
            SignedBy {
                name: signer_name,
                at: timestamp,
            },
            &leaf.pdf,
        ))
    }

    async fn sign_pdf(&self, pdf: &[u8]) -> Result<SignedPdf, Error> {
        let connector = self.connector;
        let expected = Expected {
            ehealth_id: &self.principal.physician.ehealth_id,
        };
        let field = FieldOptions {
            name: format!("Signature-{}", self.pack.kind()),
            ..FieldOptions::default()
        };
        Ok(econnector_signature::sign_pdf(pdf, self, &self.token, &expected, &connector.trust, connector.clock.now(), &field).await?)
    }

    /// Sends a message, once, and reads the answer. [`Error::Lost`] when it may have been processed and no answer can be believed;
    /// any other error means that it certainly was not.
    pub(crate) async fn ask<T>(
        &self,
        what: Sent,
        wire: WireMessage,
        read: impl FnOnce(&str) -> Result<T, AnswerError>,
    ) -> Result<(T, Option<String>), Error> {
        let message = BusinessMessage {
            model_uid: wire.model_uid,
            xml: wire.xml,
        };
        let answer = match self.watch.waiting(self.connector.deposit.exchange(&self.space, &message)).await {
            Ok(answer) => answer,
            Err(error) if error.maybe_deposited() => return Err(Error::lost(what, Cause::Exchange(Box::new(error)))),
            Err(error) => return Err(error.into()),
        };
        let correlation_id = answer.correlation_id;
        match read(&answer.xml) {
            Ok(read) => Ok((read, correlation_id)),
            Err(error) => Err(Error::lost(what, Cause::Unreadable { error, correlation_id })),
        }
    }

    /// The receipt of what was signed and confirmed.
    pub(crate) fn receipt(&self, confirmed: Confirmed, signed: SignedBy) -> Receipt {
        let (own, remote) = self.watch.read();
        Receipt {
            reference: confirmed.reference,
            deposited_at: self.connector.clock.now(),
            correlation_id: confirmed.correlation_id,
            anomalies: confirmed.anomalies,
            signed_by: Some(signed.name),
            signed_at: Some(signed.at),
            own_ms: Some(millis(own)),
            remote_ms: Some(millis(remote)),
            payment: None,
        }
    }
}

/// In whose name the KMS signed, and when.
pub(crate) struct SignedBy {
    pub(crate) name: String,
    pub(crate) at: time::OffsetDateTime,
}

/// Whether an answer is one to this message, and confirms it. A refusal by a code of `done` says that what was asked for has been done
/// before: then it is no error, and where the authority gives no reference the first name of what was sent is the one it is known by.
pub(crate) fn confirmed(
    what: Sent,
    answer: Answer,
    sent: &[&str],
    done: &[&str],
    correlation_id: Option<String>,
) -> Result<Confirmed, Error> {
    let for_another = |answered: &String| sent.iter().all(|name| !answered.eq_ignore_ascii_case(name));
    if answer.document.as_ref().is_some_and(for_another) {
        return Err(Error::lost(what, Cause::ForAnother { correlation_id }));
    }
    let says_done = |code: &str| done.contains(&code);
    let done_before = answer.anomalies.iter().any(|anomaly| says_done(&anomaly.code));
    let refused = answer.is_refused() && !done_before;
    let mut anomalies: Vec<ReceiptAnomaly> = answer.anomalies.into_iter().map(ReceiptAnomaly::from).collect();
    for anomaly in anomalies.iter_mut().filter(|anomaly| says_done(&anomaly.code)) {
        anomaly.severity = Severity::Warning;
    }
    let own_name = sent.first().filter(|_| done_before).map(|name| (*name).to_owned());
    match answer.reference.or(own_name).filter(|_| !refused) {
        Some(reference) => Ok(Confirmed {
            reference,
            anomalies,
            correlation_id,
        }),
        None => Err(Error::Refused {
            what,
            anomalies,
            correlation_id,
        }),
    }
}

/// The signer, with its time counted.
#[async_trait]
impl Signer for Run<'_> {
    async fn certificate(&self, token: &Secret) -> Result<SignerCertificate, SignatureError> {
        self.watch.waiting(self.connector.signer.certificate(token)).await
    }

    async fn sign(&self, token: &Secret, data: &[u8], algorithm: Algorithm) -> Result<Vec<u8>, SignatureError> {
        self.watch.waiting(self.connector.signer.sign(token, data, algorithm)).await
    }

    async fn timestamp(&self, token: &Secret, query: &[u8]) -> Result<Vec<u8>, SignatureError> {
        self.watch.waiting(self.connector.signer.timestamp(token, query)).await
    }

    async fn probe(&self) -> Result<Probe, SignatureError> {
        self.connector.signer.probe().await
    }
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            remote: Mutex::default(),
        }
    }

    /// Counts what is spent waiting for somebody else.
    pub(crate) async fn waiting<T>(&self, answer: impl Future<Output = T>) -> T {
        let asked = Instant::now();
        let answer = answer.await;
        *self.remote.lock().unwrap_or_else(PoisonError::into_inner) += asked.elapsed();
        answer
    }

    /// Our own time and that of others so far.
    fn read(&self) -> (Duration, Duration) {
        let remote = *self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        (self.started.elapsed().saturating_sub(remote), remote)
    }
}

/// The provider code of a document, which must name the physician it is made for.
pub(crate) fn document_space(checked: &Checked, physician: &Physician) -> Result<String, Error> {
    if checked.ehealth_id().is_some_and(|named| named != physician.ehealth_id) {
        return Err(Error::PhysicianMismatch);
    }
    own_space(checked.provider_code(), physician)
}

/// A provider code in whose mySecu space this physician may act; her first when none is named.
pub(crate) fn own_space(named: Option<&str>, physician: &Physician) -> Result<String, Error> {
    let own = &physician.provider_codes;
    let code = named
        .map(ToOwned::to_owned)
        .or_else(|| own.first().cloned())
        .ok_or(Error::PhysicianMismatch)?;
    if !own.is_empty() && !own.contains(&code) {
        return Err(Error::PhysicianMismatch);
    }
    Ok(code)
}

pub(crate) fn who(principal: &Principal) -> Who {
    Who {
        actor_id: principal.actor.id.clone(),
        actor_name: principal.actor.name.clone(),
        physician_id: principal.physician.ehealth_id.clone(),
        physician_name: principal.physician.name.clone(),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
