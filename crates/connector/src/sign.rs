//! Documents made elsewhere: a PDF that is signed as it is, alone or with the message for the authority that its maker wrote.

use std::sync::Arc;

use econnector_base::Explain as _;
use econnector_forms::{ForeignMessage, Pack};
use econnector_identity::Principal;
use econnector_journal::{Entry, Settlement, State};
use econnector_signature::check_pdf;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::acting::Acting;
use crate::error::Sent;
use crate::issue::word_was_given;
use crate::memory::{Binding, Fingerprint, Leaf, Remembered};
use crate::observe::Stopwatch;
use crate::present::herself;
use crate::run::{About, Run, Signature, Task, foreign_space};
use crate::{Action, Caller, Connector, Error, Issued, Prospect, Receipt};

/// The kind of a PDF that belongs to no form.
pub(crate) const PDF_KIND: &str = "pdf";
/// The name of its only page sequence, beside the volets of forms.
const DOCUMENT: &str = "document";
/// The largest PDF that is taken from elsewhere, in bytes.
const LARGEST: usize = 10 * 1024 * 1024;

/// A PDF made elsewhere to sign.
pub struct SignPdf {
    /// The caller's id: the same id is never signed or deposited twice.
    pub id: Uuid,
    /// The PDF: not encrypted, not signed, 10 MiB at most.
    pub pdf: Arc<Zeroizing<Vec<u8>>>,
    /// The message it is deposited with; only signed when absent.
    pub deposit: Option<Foreign>,
}

/// A message for the authority that somebody else wrote.
pub struct Foreign {
    /// The kind of form it is one of.
    pub kind: String,
    /// The XML, with or without a PDF in it: the signed one takes its place.
    pub xml: Zeroizing<String>,
}

/// A document made elsewhere, fit to be signed.
pub(crate) struct Fit<'a> {
    pages: usize,
    /// The form and its message, when it is to be deposited.
    pub(crate) deposit: Option<(&'a Pack, ForeignMessage)>,
}

impl Connector {
    /// Signs a PDF made elsewhere and, with a message for the authority, deposits it. Runs to its end even if the caller hangs up. The
    /// PDF is signed as it is; whether it says what the message says is its maker's to answer for. `agreed` is what somebody said yes to,
    /// where she was asked: nobody else's, and in no other name, is anything signed then.
    ///
    /// # Errors
    /// [`Error::Signature`] for a PDF that cannot be signed, [`Error::Foreign`] for a message that does not keep to the form's schema,
    /// [`Error::IdMismatch`], [`Error::PhysicianMismatch`], [`Error::PhysicianOnly`]: all before anything is signed. Any other [`Error`]; only those whose code is
    /// `mysecu-outcome-unknown` leave the document other than certainly not deposited.
    pub async fn sign(self: &Arc<Self>, caller: Caller, sign: SignPdf, agreed: Option<Prospect>) -> Result<Issued, Error> {
        let action = if sign.deposit.is_some() { Action::Deposit } else { Action::Sign };
        let task = Task {
            action: Some(action),
            id: sign.id,
            other: None,
        };
        self.alone(task, async move |this, watch| {
            this.sign_alone(&caller, sign, agreed.as_ref(), &watch).await
        })
        .await
    }

    async fn sign_alone(
        self: &Arc<Self>,
        caller: &Caller,
        sign: SignPdf,
        agreed: Option<&Prospect>,
        watch: &Stopwatch,
    ) -> Result<Issued, Error> {
        let era = self.memory.era(caller);
        let known = self.known_beforehand(caller, watch).await?;
        let (kind, fingerprint) = (sign.kind().to_owned(), self.fingerprint_of(&sign));
        let fit = self.fit(&sign, watch).await?;
        let authorized = match known {
            Some(known) => known,
            None => watch.waiting(self.authorized_as(caller, agreed)).await?,
        };
        let space = fit.space(&authorized.principal)?;
        let Fit { pages, deposit } = fit;
        let SignPdf { id, pdf, .. } = sign;
        if let Some(settled) = self.settled(id, &kind, fingerprint, &authorized.principal.physician).await? {
            return Ok(settled);
        }
        word_was_given(agreed)?;
        let binding = self.memory.bind(id, fingerprint);
        if binding == Binding::Other {
            return Err(Error::IdReused);
        }
        let release = || {
            if binding == Binding::New {
                self.memory.release(id);
            }
        };
        let by = Acting::begin(self, caller, authorized, watch);
        let physician_id = by.principal.physician.ehealth_id.clone();
        let remembered = |receipt: Option<Receipt>, leaf: Option<Leaf>| Remembered {
            kind: kind.clone(),
            physician_id,
            without_login: false,
            receipt,
            volets: leaf.into_iter().collect(),
        };
        let (state, outcome) = match (deposit, space) {
            (Some((pack, message)), Some(space)) => {
                let run = Run::begin(
                    by,
                    caller,
                    About {
                        pack,
                        id,
                        provider_code: space,
                        day: self.clock.today(),
                    },
                );
                self.begun(&run.entry(State::Signing, None), &release).await?;
                (State::Deposited, run.deposit_foreign(&pdf, pages, &message, fingerprint).await)
            }
            _ => {
                self.begun(&by.entry(id, PDF_KIND, State::Signing), &release).await?;
                let signed = by.sign_pdf(&pdf, PDF_KIND).await;
                let signed = signed.map(|(pdf, _)| (None, Leaf::signed(DOCUMENT, pages, pdf)));
                (State::Signed, signed.map_err(|error| (error, None)))
            }
        };
        match outcome {
            Ok((receipt, leaf)) => {
                let settlement = Settlement {
                    reference: receipt.as_ref().map(|receipt| receipt.reference.clone()),
                    correlation_id: receipt.as_ref().and_then(|receipt| receipt.correlation_id.clone()),
                    problem: None,
                };
                self.record(id, state, &settlement).await;
                let kept = self.memory.keep(id, era, remembered(receipt, Some(leaf)));
                Ok(kept.issued(id, state, true))
            }
            Err((error, leaf)) => {
                let open = error.leaves_open(Sent::Deposit);
                let settlement = Settlement {
                    reference: None,
                    correlation_id: error.correlation_id(),
                    problem: Some((error.code().to_owned(), error.fault())),
                };
                self.record(id, if open { State::Unknown } else { State::Failed }, &settlement)
                    .await;
                if open {
                    self.memory.keep(id, era, remembered(None, leaf));
                } else {
                    release();
                }
                Err(error)
            }
        }
    }

    /// What a document made elsewhere is told apart by.
    pub(crate) fn fingerprint_of(&self, sign: &SignPdf) -> Fingerprint {
        let xml = sign.deposit.as_ref().map(|foreign| foreign.xml.as_str());
        self.memory.fingerprint_of_foreign(&sign.pdf, xml)
    }

    /// Everything that can be wrong with the document itself, found before anybody is asked to sign. Beside the threads that answer
    /// others: what comes from elsewhere may be large.
    pub(crate) async fn fit(self: &Arc<Self>, sign: &SignPdf, watch: &Stopwatch) -> Result<Fit<'_>, Error> {
        let pack = match &sign.deposit {
            Some(foreign) => Some(self.pack(&foreign.kind)?),
            None => None,
        };
        watch.about(sign.kind());
        if pack.is_some_and(|pack| !pack.is_deposited()) {
            return Err(Error::OtherWorkflow);
        }
        let (id, kind) = (sign.id, sign.kind().to_owned());
        let xml = sign.deposit.as_ref().map(|foreign| foreign.xml.clone());
        let looked_at = self.opened(Arc::clone(&sign.pdf), move |this, pdf| {
            let message = match xml {
                Some(xml) => Some(this.pack(&kind)?.read_foreign(&xml)?),
                None => None,
            };
            if message.as_ref().is_some_and(|message| message.id() != id) {
                return Err(Error::IdMismatch);
            }
            Ok((check_pdf(pdf, LARGEST)?, message))
        });
        let (pages, message) = looked_at.await?;
        Ok(Fit {
            pages,
            deposit: pack.zip(message),
        })
    }

    /// Begins the journal's line; what fails here has bound nothing.
    async fn begun(&self, entry: &Entry, release: &(impl Fn() + Sync)) -> Result<(), Error> {
        let begun = self.journal.begin(entry, &[State::Failed, State::Paper]).await;
        Ok(begun.inspect_err(|_| release())?)
    }
}

impl SignPdf {
    /// The kind of form that it is one of.
    pub(crate) fn kind(&self) -> &str {
        self.deposit.as_ref().map_or(PDF_KIND, |foreign| foreign.kind.as_str())
    }
}

impl Fit<'_> {
    /// The provider code in whose space it is deposited, if it is: its physician's, who must be the one somebody acts for. A page that no
    /// form made is covered by no mandate, whatever message comes with it.
    pub(crate) fn space(&self, principal: &Principal) -> Result<Option<String>, Error> {
        herself(principal.mandate, &principal.physician)?;
        let deposit = self.deposit.as_ref();
        deposit.map(|(_, message)| foreign_space(message, &principal.physician)).transpose()
    }
}

impl Run<'_> {
    async fn deposit_foreign(
        &self,
        pdf: &[u8],
        pages: usize,
        message: &ForeignMessage,
        content: Fingerprint,
    ) -> Result<(Option<Receipt>, Leaf), (Error, Option<Leaf>)> {
        let signature = match self.unsent(content) {
            Some(signature) => signature,
            None => {
                let signed = self.by.sign_pdf(pdf, self.pack.kind()).await;
                let (signed_pdf, by) = signed.map_err(|error| (error, None))?;
                let name = self.pack.volets().iter().find(|volet| volet.signed);
                let leaf = Leaf::signed(name.map_or(DOCUMENT, |volet| &volet.name), pages, signed_pdf);
                let signature = Signature { leaf, by };
                self.keep_unsent(content, &signature);
                signature
            }
        };
        let Signature { leaf, by } = signature;
        let wire = self.pack.foreign_wire(message, &leaf.pdf).map_err(|error| (error.into(), None))?;
        match self.deposit_message(wire, message.lines()).await {
            Ok(confirmed) => Ok((Some(self.receipt(confirmed, by)), leaf)),
            Err(error) => Err((self.by.after_signing(error), Some(leaf))),
        }
    }
}
