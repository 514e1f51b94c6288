//! What every exchange with the authorities has in common: pages are set and signed, a message leaves once, and what comes back is
//! believed or is not.

use std::sync::Arc;
use std::time::Duration;

use econnector_base::{Explain as _, Fault};
use econnector_documents::{Content, Document, DocumentFacts, Work};
use econnector_forms::{Answer, AnswerError, Checked, ForeignMessage, Pack, Severity, Volet, WireMessage};
use econnector_identity::{Physician, Principal};
use econnector_journal::{Entry, Settlement, State, Who};
use econnector_mysecu::{BusinessMessage, ExchangeAnswer, MySecuError, Space};
use time::Date;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::acting::{Acting, without_token_at_mysecu};
use crate::error::{Cause, Mismatch, Sent};
use crate::memory::{Fingerprint, Leaf, Signing, Waiting};
use crate::observe::{Outcome, Stopwatch, Watched};
use crate::{Action, Caller, Connector, Contestation, Error, Issued, JournalLine, Receipt, ReceiptAnomaly, Simulated};

/// The authority's code for a document that it has under this id already. Our reading, docs/wire.md.
const DEPOSITED_BEFORE: &str = "DOUBLON";

/// What somebody is about to do, alone with a document and another that it concerns.
pub(crate) struct Task {
    /// What is told of it to the observer; nothing of what stays in this program.
    pub(crate) action: Option<Action>,
    pub(crate) id: Uuid,
    pub(crate) other: Option<Uuid>,
}

impl Action {
    /// Its name in metrics and in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Sign => "sign",
            Self::Simulate => "simulate",
            Self::Pay => "pay",
            Self::Contest => "contest",
            Self::Cancel => "cancel",
            Self::Verify => "verify",
        }
    }
}

/// What the log may say of an outcome: never about whom.
#[derive(Default)]
pub(crate) struct Noted {
    state: Option<&'static str>,
    /// Of the problem, where there is one.
    code: Option<&'static str>,
    correlation_id: Option<String>,
    reference: Option<String>,
}

impl Noted {
    fn problem(error: &Error) -> Self {
        Self {
            code: Some(error.code()),
            correlation_id: error.correlation_id(),
            ..Self::default()
        }
    }
}

impl From<&Issued> for Noted {
    fn from(issued: &Issued) -> Self {
        let (receipt, problem) = (issued.receipt.as_ref(), issued.problem.as_ref().map(Self::problem));
        let problem = problem.unwrap_or_default();
        Self {
            state: Some(issued.state.as_str()),
            correlation_id: receipt
                .and_then(|receipt| receipt.correlation_id.clone())
                .or(problem.correlation_id),
            reference: receipt.map(|receipt| receipt.reference.clone()),
            code: problem.code,
        }
    }
}

impl From<&Simulated> for Noted {
    fn from(simulated: &Simulated) -> Self {
        Self {
            state: Some(State::Simulated.as_str()),
            correlation_id: simulated.correlation_id.clone(),
            ..Self::default()
        }
    }
}

impl From<&Contestation> for Noted {
    fn from(contestation: &Contestation) -> Self {
        Self {
            state: Some(State::Contested.as_str()),
            correlation_id: contestation.correlation_id.clone(),
            reference: Some(contestation.reference.clone()),
            ..Self::default()
        }
    }
}

impl From<&JournalLine> for Noted {
    fn from(JournalLine { entry, .. }: &JournalLine) -> Self {
        let cancellation = entry.cancellation.as_ref();
        Self {
            state: Some(entry.state.as_str()),
            correlation_id: cancellation.and_then(|cancellation| cancellation.correlation_id.clone()),
            reference: entry.reference.clone(),
            ..Self::default()
        }
    }
}

/// Work on a document whose end stands in the log, also when it is cut off: by its id whoever asks mySecu finds it.
struct Logged {
    document: Uuid,
    action: &'static str,
    ended: bool,
}

impl Logged {
    fn begin(document: Uuid, action: Action) -> Self {
        Self {
            document,
            action: action.as_str(),
            ended: false,
        }
    }

    fn end(mut self, noted: Noted) {
        self.ended = true;
        let (document, action) = (self.document, self.action);
        let (state, code) = (noted.state, noted.code);
        let (correlation_id, reference) = (noted.correlation_id.as_deref(), noted.reference.as_deref());
        if code.is_some_and(|code| code.ends_with("-outcome-unknown")) {
            tracing::warn!(%document, action, state, code, correlation_id, reference, "ended");
        } else {
            tracing::info!(%document, action, state, code, correlation_id, reference, "ended");
        }
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        if !self.ended {
            tracing::warn!(document = %self.document, action = self.action, "cut off before its end: mySecu knows whether it arrived");
        }
    }
}

/// One piece of work, counted until it ends, however it ends.
pub(crate) struct UnderWay(Arc<Connector>);

impl UnderWay {
    pub(crate) fn begin(connector: &Arc<Connector>) -> Self {
        connector.under_way.send_modify(|tasks| *tasks += 1);
        Self(Arc::clone(connector))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|tasks| *tasks = tasks.saturating_sub(1));
    }
}

/// Somebody at work on one document of a form.
pub(crate) struct Run<'a> {
    pub(crate) by: Acting<'a>,
    pub(crate) pack: &'a Pack,
    pub(crate) id: Uuid,
    pub(crate) space: Space,
    /// The day on the pages, on the signature and in the message: one, also when the work goes on over midnight.
    pub(crate) day: Date,
}

/// What somebody begins to work on.
pub(crate) struct About<'a> {
    pub(crate) pack: &'a Pack,
    pub(crate) id: Uuid,
    pub(crate) provider_code: String,
    /// That of the check, where values were checked.
    pub(crate) day: Date,
}

/// What goes onto the pages.
pub(crate) struct Page {
    pub(crate) checked: Checked,
    /// For a form whose amounts the authority said.
    pub(crate) simulated: Option<Arc<Waiting>>,
}

/// Which volets are set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    All,
    /// Those beside the signed one, which is there already.
    Unsigned,
}

/// A volet on its way to whoever gets it.
pub(crate) enum Sheet {
    /// Set, under its name.
    Set(String, Document),
    /// Ready to be handed out.
    Exported(Leaf),
}

impl Sheet {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Set(name, _) => name,
            Self::Exported(leaf) => &leaf.name,
        }
    }

    fn into_leaf(self) -> Option<Leaf> {
        match self {
            Self::Exported(leaf) => Some(leaf),
            Self::Set(..) => None,
        }
    }
}

fn leaf(name: &str, signed: bool, document: &Document) -> Result<Leaf, Error> {
    Ok(Leaf {
        name: name.to_owned(),
        signed,
        own: true,
        pages: document.pages(),
        pdf: Arc::new(document.pdf()?.into()),
    })
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
    pub(crate) async fn alone<T, F, W>(self: &Arc<Self>, task: Task, work: F) -> Result<T, Error>
    where
        T: Outcome + Send + 'static,
        for<'t> Noted: From<&'t T>,
        F: FnOnce(Arc<Self>, Arc<Stopwatch>) -> W + Send + 'static,
        W: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let (this, id) = (Arc::clone(self), task.id);
        let counted = UnderWay::begin(&this);
        let work = async move {
            let _counted = counted;
            let _turns = this.memory.turns(task.id, task.other).await;
            let watch = Arc::new(Stopwatch::start());
            let watched = task.action.map(|action| Watched::begin(&this.observer, action, &watch));
            let logged = task.action.map(|action| Logged::begin(task.id, action));
            let outcome = work(this, watch).await;
            if let Some(logged) = logged {
                logged.end(match &outcome {
                    Ok(done) => Noted::from(done),
                    Err(error) => Noted::problem(error),
                });
            }
            if let Some(watched) = watched {
                watched.end(&outcome);
            }
            outcome
        };
        // What it logs bears the id of the request also when the caller is gone.
        match tokio::spawn(work.in_current_span()).await {
            Ok(done) => done,
            Err(_) => {
                let _turn = self.memory.turn(id).await;
                let left = self.settle_stale(id).await?;
                if left.as_ref().is_none_or(|entry| entry.state == State::Failed) {
                    self.memory.release(id);
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

    /// Sets and exports every volet; with a reference only those that were not signed.
    pub(crate) async fn set_pages(self: &Arc<Self>, kind: &str, page: Page, facts: DocumentFacts) -> Result<(Page, Vec<Leaf>), Error> {
        let wanted = if facts.reference.is_none() { Wanted::All } else { Wanted::Unsigned };
        let (page, sheets) = self.set_sheets(kind, page, facts, wanted, |_| true).await?;
        Ok((page, sheets.into_iter().filter_map(Sheet::into_leaf).collect()))
    }

    /// Sets the volets that are wanted, and exports those of them that are needed by now.
    async fn set_sheets(
        self: &Arc<Self>,
        kind: &str,
        page: Page,
        facts: DocumentFacts,
        wanted: Wanted,
        exported: fn(&Volet) -> bool,
    ) -> Result<(Page, Vec<Sheet>), Error> {
        let kind = kind.to_owned();
        self.beside(move |this| {
            // The volets of a document have much in common.
            let _work = Work::begin();
            let pack = this.pack(&kind)?;
            let content = match &page.simulated {
                Some(waiting) => Content::Simulated(&page.checked, &waiting.simulation),
                None => Content::Checked(&page.checked),
            };
            let mut sheets = Vec::new();
            for volet in pack.volets().iter().filter(|volet| !volet.signed || wanted == Wanted::All) {
                let document = this.typesetter.render(pack, &volet.name, content, &facts)?;
                sheets.push(if exported(volet) {
                    Sheet::Exported(leaf(&volet.name, volet.signed && !facts.paper, &document)?)
                } else {
                    Sheet::Set(volet.name.clone(), document)
                });
            }
            Ok((page, sheets))
        })
        .await
    }

    /// Exports what was only set. A deposit that has happened is not undone by a page that cannot be exported: it is left out.
    pub(crate) async fn export(self: &Arc<Self>, sheets: Vec<Sheet>) -> Vec<Leaf> {
        if sheets.iter().all(|sheet| matches!(sheet, Sheet::Exported(_))) {
            return sheets.into_iter().filter_map(Sheet::into_leaf).collect();
        }
        let exported = self.beside(move |_| {
            let _work = Work::begin();
            let export = |sheet| match sheet {
                Sheet::Exported(leaf) => Some(leaf),
                Sheet::Set(name, document) => leaf(&name, false, &document)
                    .inspect_err(|error| tracing::error!(code = error.code(), "a page cannot be exported"))
                    .ok(),
            };
            Ok(sheets.into_iter().filter_map(export).collect())
        });
        exported.await.unwrap_or_default()
    }

    /// Does heavy work beside the threads that answer others; as much at a time as there are cores.
    pub(crate) async fn beside<T, F>(self: &Arc<Self>, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Arc<Self>) -> Result<T, Error> + Send + 'static,
    {
        let desk = Arc::clone(&self.desks).acquire_owned().await.map_err(|_| Error::Interrupted)?;
        let (this, request) = (Arc::clone(self), tracing::Span::current());
        let done = tokio::task::spawn_blocking(move || {
            // Taken as long as the work goes on, even if nobody waits for it any more.
            let _desk = desk;
            request.in_scope(|| work(&this))
        });
        done.await.map_err(|_| Error::Interrupted)?
    }
}

impl<'a> Run<'a> {
    /// Somebody who may act for the physician named in the values.
    pub(crate) fn begin(by: Acting<'a>, caller: &Caller, about: About<'a>) -> Self {
        let About {
            pack,
            id,
            provider_code,
            day,
        } = about;
        let space = Space {
            code: provider_code,
            holder: by.principal.in_whose_name(),
            token: by.access_token(),
        };
        if matches!(caller, Caller::OwnSession) {
            by.connector.memory.note_space(&space);
        }
        Self { by, pack, id, space, day }
    }

    /// The journal's line of this work.
    pub(crate) fn entry(&self, state: State, replaces: Option<Uuid>) -> Entry {
        Entry {
            provider_code: Some(self.space.code.clone()),
            replaces,
            ..self.by.entry(self.id, self.pack.kind(), state)
        }
    }

    /// Sets the pages in the physician's name.
    pub(crate) async fn set(&self, page: Page, reference: Option<String>) -> Result<(Page, Vec<Leaf>), Error> {
        let facts = DocumentFacts { reference, ..self.facts() };
        self.by.connector.set_pages(self.pack.kind(), page, facts).await
    }

    fn facts(&self) -> DocumentFacts {
        let physician = &self.by.principal.physician;
        DocumentFacts {
            day: self.day,
            ..self.by.connector.document_facts(self.id, Some(physician.name.clone()))
        }
    }

    /// Sets the pages before a deposit, with the one that is signed; a signature of an earlier try that was not sent serves again. What
    /// will be set again with its reference is not exported yet.
    pub(crate) async fn set_and_sign(&self, page: Page, content: Fingerprint) -> Result<(Page, Vec<Sheet>, Signature), Error> {
        let connector = self.by.connector;
        let facts = self.facts();
        let kind = self.pack.kind();
        if let Some(signature) = self.unsent(content) {
            let (page, mut sheets) = connector.set_sheets(kind, page, facts, Wanted::Unsigned, |_| false).await?;
            let place = self.pack.volets().iter().position(|volet| volet.signed).unwrap_or_default();
            sheets.insert(place.min(sheets.len()), Sheet::Exported(signature.leaf.clone()));
            return Ok((page, sheets, signature));
        }
        // Every page is set before anything leaves: one that cannot be set must follow neither a signature nor a deposit.
        let (page, mut sheets) = connector.set_sheets(kind, page, facts, Wanted::All, |volet| volet.signed).await?;
        let exported = sheets.iter_mut().filter_map(|sheet| match sheet {
            Sheet::Exported(leaf) => Some(leaf),
            Sheet::Set(..) => None,
        });
        let signature = self.sign_leaf(exported, content).await?;
        Ok((page, sheets, signature))
    }

    /// The same for pages that bear no reference afterwards.
    pub(crate) async fn set_all_and_sign(&self, page: Page, content: Fingerprint) -> Result<(Vec<Leaf>, Signature), Error> {
        let (_, sheets, signature) = self.set_and_sign(page, content).await?;
        Ok((self.by.connector.export(sheets).await, signature))
    }

    /// Signs the volet that is to be signed, in its place. Until it is sent the signature is kept: whatever comes between, nobody has to
    /// sign the same twice.
    async fn sign_leaf<'l>(&self, leaves: impl IntoIterator<Item = &'l mut Leaf>, content: Fingerprint) -> Result<Signature, Error> {
        let leaf = leaves.into_iter().find(|leaf| leaf.signed).ok_or(Error::Interrupted)?;
        let (pdf, by) = self.by.sign_pdf(&leaf.pdf, self.pack.kind()).await?;
        leaf.pdf = Arc::new(pdf);
        let signature = Signature { leaf: leaf.clone(), by };
        self.keep_unsent(content, &signature);
        Ok(signature)
    }

    /// The signature of an earlier try, when it certainly was not sent.
    pub(crate) fn unsent(&self, content: Fingerprint) -> Option<Signature> {
        let connector = self.by.connector;
        let unsent = connector.memory.unsent(self.id, &self.signing(content), connector.clock.now())?;
        Some(Signature {
            leaf: unsent.leaf.clone(),
            by: unsent.signed.clone(),
        })
    }

    /// Keeps a signature until it is sent.
    pub(crate) fn keep_unsent(&self, content: Fingerprint, signature: &Signature) {
        let (connector, Signature { leaf, by }) = (self.by.connector, signature.clone());
        let unsent = (self.signing(content), leaf, by);
        connector.memory.keep_unsent(self.id, self.by.era, connector.clock.now(), unsent);
    }

    fn signing(&self, content: Fingerprint) -> Signing {
        Signing {
            content,
            physician_id: self.by.principal.physician.ehealth_id.clone(),
            in_whose_name: self.by.principal.in_whose_name(),
            day: self.day,
        }
    }

    /// Sends a deposit, once. From here on the journal says that it may be under way, whatever happens to this process.
    pub(crate) async fn deposit_message(&self, wire: WireMessage, rows: usize) -> Result<Confirmed, Error> {
        self.by.connector.journal.advance(self.id, State::Depositing).await?;
        let answered = self.ask(Sent::Deposit, wire, |xml| self.pack.read_answer(xml, rows)).await;
        let confirmed =
            answered.and_then(|(answer, correlation_id)| confirmed(Sent::Deposit, answer, &[&self.id.to_string()], &[], correlation_id));
        confirmed.map_err(|error| match error {
            Error::Refused {
                anomalies, correlation_id, ..
            } if anomalies.iter().any(|anomaly| anomaly.code == DEPOSITED_BEFORE) => {
                Error::lost(Sent::Deposit, Cause::Before { anomalies, correlation_id })
            }
            error => error,
        })
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
        // A mySecu token that is in use asks the session for nothing.
        self.by.unchanged().await?;
        let answer = match self.exchange(&message).await {
            Ok(answer) => answer,
            Err(error) if error.maybe_deposited() => return Err(Error::lost(what, Cause::Exchange(Box::new(error)))),
            Err(error) => return Err(without_token_at_mysecu(error)),
        };
        let correlation_id = answer.correlation_id;
        match read(&answer.xml) {
            Ok(read) => Ok((read, correlation_id)),
            Err(error) => Err(Error::lost(what, Cause::Unreadable { error, correlation_id })),
        }
    }

    /// Sends it. When mySecu refused the token, and so did nothing yet: once more with another, where there is one.
    async fn exchange(&self, message: &BusinessMessage) -> Result<ExchangeAnswer, MySecuError> {
        let (watch, deposit) = (self.by.watch, &self.by.connector.deposit);
        let refused = match watch.waiting(deposit.exchange(&self.space, message)).await {
            Err(refused @ MySecuError::TokenRefused(_)) => refused,
            answered => return answered,
        };
        if self.by.has_another_token().await? {
            watch.waiting(deposit.exchange(&self.space, message)).await
        } else {
            Err(refused)
        }
    }

    /// The receipt of what was signed and confirmed.
    pub(crate) fn receipt(&self, confirmed: Confirmed, signed: SignedBy) -> Receipt {
        let (own, remote) = self.by.watch.read();
        Receipt {
            reference: confirmed.reference,
            deposited_at: self.by.connector.clock.now(),
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

/// A signed page, and who signed it.
#[derive(Clone)]
pub(crate) struct Signature {
    pub(crate) leaf: Leaf,
    pub(crate) by: SignedBy,
}

/// In whose name the KMS signed, and when.
#[derive(Clone)]
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

/// The provider code of a document, which must name the physician it is made for.
pub(crate) fn document_space(checked: &Checked, physician: &Physician) -> Result<String, Error> {
    if checked.ehealth_id().is_some_and(|named| named != physician.ehealth_id) {
        return Err(Error::PhysicianMismatch(Mismatch::EHealthId));
    }
    own_space(checked.provider_code(), physician)
}

/// A provider code in whose mySecu space this physician may act; her first when none is named.
pub(crate) fn own_space(named: Option<&str>, physician: &Physician) -> Result<String, Error> {
    let own = &physician.provider_codes;
    let code = named
        .map(ToOwned::to_owned)
        .or_else(|| own.first().cloned())
        .ok_or(Error::PhysicianMismatch(Mismatch::Unnamed))?;
    if !own.is_empty() && !own.contains(&code) {
        return Err(Error::PhysicianMismatch(Mismatch::ProviderCode));
    }
    Ok(code)
}

/// The provider code in a message made elsewhere in whose mySecu space its physician may act: she must be named by it.
pub(crate) fn foreign_space(message: &ForeignMessage, physician: &Physician) -> Result<String, Error> {
    if message.ehealth_id().is_some_and(|named| named != physician.ehealth_id) {
        return Err(Error::PhysicianMismatch(Mismatch::EHealthId));
    }
    // A token may name no codes. Then a code alone says nothing of whose message it is.
    if message.ehealth_id().is_none() && physician.provider_codes.is_empty() {
        return Err(Error::PhysicianMismatch(Mismatch::Unnamed));
    }
    let may_act = |code: &&String| own_space(Some(code), physician).is_ok();
    message
        .provider_codes()
        .iter()
        .find(may_act)
        .cloned()
        .ok_or(Error::PhysicianMismatch(Mismatch::ProviderCode))
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
