//! Asking what the authority would pay, and then ordering the payment, or contesting what it said. Between the two a simulation is in
//! memory alone.

use std::sync::Arc;

use econnector_base::{Explain as _, Fault};
use econnector_forms::{Act, Checked, Contested, Lang, Pack, PaidAmounts, Severity, Simulation, WireContext, WireMessage, Workflow};
use econnector_identity::Principal;
use econnector_journal::{Entry, Settlement, State};
use uuid::Uuid;

use crate::acting::Acting;
use crate::error::{Cause, Sent};
use crate::memory::{Fingerprint, Leaf, Remembered, Waiting};
use crate::observe::Stopwatch;
use crate::present::may;
use crate::run::{About, Page, Run, Task, confirmed, document_space, own_space};
use crate::{Action, Caller, Connector, Error, Issued, PaymentView, Prospect, Receipt, ReceiptAnomaly, Values};

/// All amounts are in this currency.
const CURRENCY: &str = "EUR";
/// The authority's code for a simulation that is contested already: what was asked for is done. Our reading, docs/decisions/0009-simulations-in-memory.md.
const ALREADY_CONTESTED: &str = "DEJA_CONTESTE";
/// The authority's code for a simulation that is paid already. Our reading, as above.
const ALREADY_PAID: &str = "DEJA_VALIDE";
/// Our own remark on a payment that is not what was simulated.
const SHARE_DIFFERS: &str = "paid-share-differs";
/// Our own remark on a payment without an amount.
const AMOUNT_UNSAID: &str = "paid-amount-unsaid";

/// A form whose amounts the authority is asked for.
pub struct Simulate {
    /// The caller's id.
    pub id: Uuid,
    /// The form's kind; the one that is simulated when absent.
    pub kind: Option<String>,
    /// The values as typed.
    pub values: Values,
}

/// What the authority would pay.
pub struct Simulated {
    /// The caller's id.
    pub id: Uuid,
    /// The form's kind.
    pub kind: String,
    /// Shares and remarks.
    pub simulation: Simulation,
    /// Under which mySecu can find the call.
    pub correlation_id: Option<String>,
    /// The kind of form to use when this one is not paid.
    pub turns_into: Option<String>,
}

/// Remarks of the authority to contest.
pub struct Contest {
    /// The simulation.
    pub id: Uuid,
    /// Which, and why.
    pub anomalies: Vec<Contested>,
}

/// What the authority confirmed of a contestation.
pub struct Contestation {
    /// The simulation.
    pub id: Uuid,
    /// The authority's reference.
    pub reference: String,
    /// Under which mySecu can find the call.
    pub correlation_id: Option<String>,
}

/// A simulation that may be paid now.
pub(crate) struct Payable<'a> {
    pack: &'a Pack,
    pub(crate) waiting: Arc<Waiting>,
    checked: Checked,
    provider_code: String,
}

/// A simulation whose remarks may be contested now, and the message that says so.
pub(crate) struct Contestable<'a> {
    entry: Entry,
    pack: &'a Pack,
    pub(crate) waiting: Arc<Waiting>,
    wire: WireMessage,
    provider_code: String,
}

pub(crate) fn is_simulated(pack: &Pack) -> bool {
    pack.workflow() == Workflow::Simulate
}

impl Connector {
    /// Asks the authority what it would pay. Nothing is paid; the same id again simulates anew, unless it was paid.
    ///
    /// # Errors
    /// Any [`Error`]; none leaves anything paid. A line the authority does not accept is no error.
    pub async fn simulate(self: &Arc<Self>, caller: Caller, simulate: Simulate, lang: Lang) -> Result<Simulated, Error> {
        let task = Task {
            action: Some(Action::Simulate),
            id: simulate.id,
            other: None,
        };
        self.alone(task, async move |this, watch| {
            this.simulate_alone(&caller, simulate, lang, &watch).await
        })
        .await
    }

    /// Signs the patient's receipt and orders the payment of a simulation, once. Where somebody was asked, only of the very simulation
    /// that she `agreed` to, and of none that was asked for under the same id since.
    ///
    /// # Errors
    /// [`Error::SessionChanged`] when it would be done by or for somebody else than she who agreed; [`Error::UnknownSimulation`], [`Error::SimulationContested`], [`Error::NotPayable`]; [`Error::Lost`] of a contestation while one is
    /// open; any other [`Error`], of which only those
    /// whose code is `payment-outcome-unknown` leave it other than certainly not paid.
    pub async fn validate(self: &Arc<Self>, caller: Caller, id: Uuid, agreed: Option<Prospect>, lang: Lang) -> Result<Issued, Error> {
        let task = Task {
            action: Some(Action::Pay),
            id,
            other: None,
        };
        self.alone(task, async move |this, watch| {
            this.validate_alone(&caller, id, agreed.as_ref(), lang, &watch).await
        })
        .await
    }

    /// Contests remarks of the authority on a simulation; where somebody was asked, as [`Connector::validate`]. Nothing is paid.
    ///
    /// # Errors
    /// [`Error::SessionChanged`], [`Error::UnknownSimulation`], [`Error::SimulationContested`], [`Error::SimulationOrdered`]; [`Error::Pack`] for a remark or a
    /// reason that is not known; [`Error::Refused`] by the authority; [`Error::Lost`]: contest again.
    pub async fn contest(self: &Arc<Self>, caller: Caller, contest: Contest, agreed: Option<Prospect>) -> Result<Contestation, Error> {
        let task = Task {
            action: Some(Action::Contest),
            id: contest.id,
            other: None,
        };
        self.alone(task, async move |this, watch| {
            this.contest_alone(&caller, contest, agreed.as_ref(), &watch).await
        })
        .await
    }

    async fn simulate_alone(
        self: &Arc<Self>,
        caller: &Caller,
        simulate: Simulate,
        lang: Lang,
        watch: &Stopwatch,
    ) -> Result<Simulated, Error> {
        let era = self.memory.era(caller);
        let known = self.known_beforehand(caller, watch).await?;
        let pack = self.simulated_pack(simulate.kind.as_deref())?;
        watch.about(pack.kind());
        let checked = self.checked(pack, &simulate.values, lang)?;
        let authorized = match known {
            Some(known) => known,
            None => watch.waiting(self.authorized(caller)).await?,
        };
        may(&authorized.principal, pack, Act::Simulate)?;
        let provider_code = document_space(&checked, &authorized.principal.physician)?;
        if let Some(entry) = self.settle_stale(simulate.id).await? {
            if entry.kind != pack.kind() || entry.who.physician_id != authorized.principal.physician.ehealth_id {
                return Err(Error::IdReused);
            }
            if matches!(entry.state, State::Deposited | State::Unknown) {
                return Err(Error::SimulationOrdered);
            }
        }
        let acting = Acting::begin(self, caller, authorized, watch);
        let run = Run::begin(
            acting,
            caller,
            About {
                pack,
                id: simulate.id,
                provider_code,
                day: checked.day(),
            },
        );
        let entry = run.entry(State::Checking, None);
        self.journal
            .begin(&entry, &[State::Failed, State::Simulated, State::Contested])
            .await?;
        // What was simulated before must not be paid while this is asked.
        self.memory.forget_simulation(simulate.id);
        let ids: Vec<Uuid> = (0..checked.rows()).map(|_| self.ids.next()).collect();
        let context = WireContext {
            id: simulate.id,
            issued: run.day,
            document: &[],
            ids: &ids,
        };
        let wire = pack.simulation(&checked, &context);
        let asked = match wire {
            Ok(wire) => run.ask(Sent::Simulation, wire, |xml| pack.read_simulation(xml, &ids)).await,
            Err(error) => Err(error.into()),
        };
        let own = simulate.id.to_string();
        let asked = asked.and_then(|(simulation, correlation_id)| {
            let for_another = |answered: &String| !answered.eq_ignore_ascii_case(&own);
            if simulation.document.as_ref().is_some_and(for_another) {
                return Err(Error::lost(Sent::Simulation, Cause::ForAnother { correlation_id }));
            }
            Ok((simulation, correlation_id))
        });
        let (simulation, correlation_id) = match asked {
            Ok(answered) => answered,
            Err(error) => {
                self.record(simulate.id, State::Failed, &failure(&error)).await;
                return Err(error);
            }
        };
        let settlement = Settlement {
            reference: Some(simulation.reference.clone()).filter(|reference| !reference.is_empty()),
            correlation_id: correlation_id.clone(),
            problem: None,
        };
        self.record(simulate.id, State::Simulated, &settlement).await;
        let waiting = Waiting::new(
            self.ids.next(),
            pack.kind().to_owned(),
            run.by.principal.physician.ehealth_id,
            &simulate.values,
            simulation.clone(),
            correlation_id.clone(),
        );
        self.memory.keep_simulation(simulate.id, era, Arc::new(waiting));
        Ok(Simulated {
            id: simulate.id,
            kind: pack.kind().to_owned(),
            simulation,
            correlation_id,
            turns_into: pack.turns_into().map(ToOwned::to_owned),
        })
    }

    async fn validate_alone(
        self: &Arc<Self>,
        caller: &Caller,
        id: Uuid,
        agreed: Option<&Prospect>,
        lang: Lang,
        watch: &Stopwatch,
    ) -> Result<Issued, Error> {
        let era = self.memory.era(caller);
        let authorized = watch.waiting(self.authorized_as(caller, agreed)).await?;
        let physician_id = authorized.principal.physician.ehealth_id.clone();
        let entry = self.simulated_entry(id, &physician_id).await?;
        watch.about(&entry.kind);
        if is_ordered(&entry) {
            return Ok(self.settled_document(entry));
        }
        let Payable {
            pack,
            waiting,
            checked,
            provider_code,
        } = self.payable(&entry, &authorized.principal, lang)?;
        if agreed.is_some_and(|agreed| agreed.simulation != Some(waiting.mark)) {
            return Err(Error::UnknownSimulation);
        }
        let content = self.memory.fingerprint(&waiting.values()?);
        let acting = Acting::begin(self, caller, authorized, watch);
        let run = Run::begin(
            acting,
            caller,
            About {
                pack,
                id,
                provider_code,
                day: checked.day(),
            },
        );
        self.journal.begin(&run.entry(State::Signing, None), &[State::Simulated]).await?;
        let page = Page {
            checked,
            simulated: Some(Arc::clone(&waiting)),
        };
        match run.pay(page, content, &waiting, lang).await {
            Ok((receipt, volets)) => {
                let settlement = Settlement {
                    reference: Some(receipt.reference.clone()),
                    correlation_id: receipt.correlation_id.clone(),
                    problem: None,
                };
                self.record(id, State::Deposited, &settlement).await;
                self.memory.forget_simulation(id);
                let remembered = Remembered {
                    kind: waiting.kind.clone(),
                    physician_id,
                    without_login: false,
                    receipt: Some(receipt),
                    volets,
                };
                let kept = self.memory.keep(id, era, remembered);
                Ok(kept.issued(id, State::Deposited, true))
            }
            // The signed receipt goes with the answer: nobody is handed a receipt of what may not have been paid.
            Err(error) if error.leaves_open(Sent::Payment) => {
                self.record(id, State::Unknown, &failure(&error)).await;
                self.memory.forget_simulation(id);
                Err(error)
            }
            Err(error @ Error::Refused { .. }) => {
                self.record(id, State::Failed, &failure(&error)).await;
                self.memory.forget_simulation(id);
                Err(error)
            }
            Err(error) => {
                // The order certainly did not arrive: the simulation still waits.
                let settlement = Settlement {
                    reference: Some(waiting.simulation.reference.clone()),
                    ..failure(&error)
                };
                self.record(id, State::Simulated, &settlement).await;
                Err(error)
            }
        }
    }

    async fn contest_alone(
        self: &Arc<Self>,
        caller: &Caller,
        contest: Contest,
        agreed: Option<&Prospect>,
        watch: &Stopwatch,
    ) -> Result<Contestation, Error> {
        let authorized = watch.waiting(self.authorized_as(caller, agreed)).await?;
        let Contestable {
            entry,
            pack,
            waiting,
            wire,
            provider_code,
        } = self.contestable(&contest, &authorized.principal, watch).await?;
        if agreed.is_some_and(|agreed| agreed.simulation != Some(waiting.mark)) {
            return Err(Error::UnknownSimulation);
        }
        let acting = Acting::begin(self, caller, authorized, watch);
        let run = Run::begin(
            acting,
            caller,
            About {
                pack,
                id: contest.id,
                provider_code,
                day: self.clock.today(),
            },
        );
        let reference = Some(waiting.simulation.reference.clone());
        // From here on the journal says that it may be contested, whatever happens to this process: such a simulation is not paid.
        let noted = Settlement {
            reference: reference.clone(),
            correlation_id: entry.correlation_id.clone(),
            problem: Some((Sent::Contestation.code().to_owned(), Fault::Network)),
        };
        self.journal.settle(contest.id, State::Simulated, self.clock.now(), &noted).await?;
        let answered = run.ask(Sent::Contestation, wire, |xml| pack.read_contestation_answer(xml)).await;
        let names = [waiting.simulation.reference.as_str()];
        let outcome = answered
            .and_then(|(answer, correlation_id)| confirmed(Sent::Contestation, answer, &names, &[ALREADY_CONTESTED], correlation_id));
        let confirmed = match outcome {
            Ok(confirmed) => confirmed,
            Err(error) => {
                let answered = error.leaves_open(Sent::Contestation) || matches!(error, Error::Refused { .. });
                // A try that did not arrive leaves open what an earlier one left open.
                let left = if contestation_is_open(&entry) && !answered {
                    noted
                } else {
                    Settlement {
                        reference,
                        ..failure(&error)
                    }
                };
                self.record(contest.id, State::Simulated, &left).await;
                return Err(error);
            }
        };
        let settlement = Settlement {
            reference: Some(confirmed.reference.clone()),
            correlation_id: confirmed.correlation_id.clone(),
            problem: None,
        };
        self.record(contest.id, State::Contested, &settlement).await;
        self.memory.forget_simulation(contest.id);
        Ok(Contestation {
            id: contest.id,
            reference: confirmed.reference,
            correlation_id: confirmed.correlation_id,
        })
    }

    fn simulated_pack(&self, kind: Option<&str>) -> Result<&Pack, Error> {
        match kind {
            Some(kind) => {
                let pack = self.pack(kind)?;
                if is_simulated(pack) { Ok(pack) } else { Err(Error::OtherWorkflow) }
            }
            None => self.packs.values().find(|pack| is_simulated(pack)).ok_or(Error::UnknownForm),
        }
    }

    /// A simulation that may be paid; an error when it may not.
    pub(crate) fn payable(&self, entry: &Entry, principal: &Principal, lang: Lang) -> Result<Payable<'_>, Error> {
        if entry.state == State::Contested {
            return Err(Error::SimulationContested);
        }
        if contestation_is_open(entry) {
            let correlation_id = entry.correlation_id.clone();
            return Err(Error::lost(Sent::Contestation, Cause::Earlier { correlation_id }));
        }
        let waiting = self.memory.simulation(entry.id).ok_or(Error::UnknownSimulation)?;
        if !waiting.simulation.is_payable() {
            return Err(Error::NotPayable {
                anomalies: waiting.simulation.anomalies.iter().cloned().map(ReceiptAnomaly::from).collect(),
                correlation_id: waiting.correlation_id.clone(),
            });
        }
        let pack = self.pack(&waiting.kind)?;
        may(principal, pack, Act::Pay)?;
        // The day may have changed since, and with it what may be sent.
        let checked = self.checked(pack, &waiting.values()?, lang)?;
        Ok(Payable {
            provider_code: document_space(&checked, &principal.physician)?,
            pack,
            waiting,
            checked,
        })
    }

    /// A simulation with remarks that may be contested so; an error when they may not.
    pub(crate) async fn contestable(&self, contest: &Contest, principal: &Principal, watch: &Stopwatch) -> Result<Contestable<'_>, Error> {
        let entry = self.simulated_entry(contest.id, &principal.physician.ehealth_id).await?;
        watch.about(&entry.kind);
        match entry.state {
            _ if is_ordered(&entry) => return Err(Error::SimulationOrdered),
            State::Contested => return Err(Error::SimulationContested),
            _ => {}
        }
        may(principal, self.pack(&entry.kind)?, Act::Contest)?;
        let waiting = self.memory.simulation(contest.id).ok_or(Error::UnknownSimulation)?;
        let pack = self.pack(&waiting.kind)?;
        Ok(Contestable {
            wire: pack.contestation(contest.id, &waiting.simulation, &contest.anomalies)?,
            provider_code: own_space(entry.provider_code.as_deref(), &principal.physician)?,
            entry,
            pack,
            waiting,
        })
    }

    /// The journal's line of this physician's simulation.
    pub(crate) async fn simulated_entry(&self, id: Uuid, physician_id: &str) -> Result<Entry, Error> {
        let own = |entry: &Entry| entry.who.physician_id == physician_id && self.pack(&entry.kind).is_ok_and(is_simulated);
        self.settle_stale(id).await?.filter(own).ok_or(Error::UnknownSimulation)
    }
}

impl Run<'_> {
    async fn pay(&self, page: Page, content: Fingerprint, waiting: &Waiting, lang: Lang) -> Result<(Receipt, Vec<Leaf>), Error> {
        // The patient's receipt is signed before the order leaves: a payment without a receipt could not be mended.
        let (leaves, signature) = self.set_all_and_sign(page, content).await?;
        let simulation = &waiting.simulation;
        let wire = self.pack.validation(self.id, simulation)?;
        self.by.connector.journal.advance(self.id, State::Depositing).await?;
        let ordered = self.ask(Sent::Payment, wire, |xml| self.pack.read_payment(xml)).await;
        let (payment, correlation_id) = ordered.map_err(|error| self.by.after_signing(error))?;
        // Whoever only says that it was paid before may name no amounts; nothing was paid then is not what that means.
        let paid_before = payment.answer.anomalies.iter().any(|anomaly| anomaly.code == ALREADY_PAID);
        let unsaid = |amounts: &PaidAmounts| paid_before && amounts.statutory == 0 && amounts.paid == 0;
        let amounts = payment.amounts.filter(|amounts| !unsaid(amounts));
        let names = [simulation.reference.as_str()];
        let mut confirmed = confirmed(Sent::Payment, payment.answer, &names, &[ALREADY_PAID], correlation_id)?;
        let remark = match amounts {
            None => Some(amount_unsaid(lang)),
            Some(amounts) if amounts.statutory != simulation.statutory => {
                Some(share_differs(amounts.statutory, simulation.statutory, lang))
            }
            Some(_) => None,
        };
        confirmed.anomalies.extend(remark);
        let reason = payment.reason;
        let view = amounts.map(|amounts| PaymentView {
            statutory: amounts.statutory,
            offset: amounts.offset,
            paid: amounts.paid,
            currency: CURRENCY.to_owned(),
            reason,
        });
        let receipt = Receipt {
            payment: view,
            ..self.receipt(confirmed, signature.by)
        };
        Ok((receipt, leaves))
    }
}

/// Whether the payment was ordered, or may have been.
pub(crate) const fn is_ordered(entry: &Entry) -> bool {
    matches!(entry.state, State::Deposited | State::Unknown)
}

/// Whether a contestation left and nobody knows whether it arrived. Simulating anew ends that.
fn contestation_is_open(entry: &Entry) -> bool {
    let open = |(code, _): &(String, Fault)| code == Sent::Contestation.code();
    entry.state == State::Simulated && entry.problem.as_ref().is_some_and(open)
}

/// The receipt that the patient gets shows what was simulated: the physician has to know when something else was paid.
fn share_differs(paid: i64, simulated: i64, lang: Lang) -> ReceiptAnomaly {
    let (paid, simulated) = (euros(paid, lang), euros(simulated, lang));
    let message = match lang {
        Lang::Fr => format!(
            "La part statutaire est de {paid} ; {simulated} étaient simulés, et la quittance le dit. Vérifiez et informez le patient."
        ),
        Lang::De => format!(
            "Der Kassenanteil beträgt {paid}; simuliert waren {simulated}, und so steht es auf der Quittung. Prüfen Sie es und informieren Sie den Patienten."
        ),
        Lang::En => {
            format!("The statutory share is {paid}; {simulated} was simulated, and the receipt says so. Check it and tell the patient.")
        }
        Lang::Lb => format!(
            "De Keessenundeel ass {paid}; simuléiert waren {simulated}, an dat steet op der Quittung. Kuckt et no a sot et dem Patient."
        ),
    };
    own_remark(SHARE_DIFFERS, message)
}

/// The payment stands, and nobody said how much it is.
fn amount_unsaid(lang: Lang) -> ReceiptAnomaly {
    let message = match lang {
        Lang::Fr => "L’organisme confirme le paiement sans en dire le montant lisiblement. Vérifiez-le dans mySecu.",
        Lang::De => "Die Behörde bestätigt die Zahlung, ohne den Betrag lesbar zu nennen. Prüfen Sie ihn in mySecu.",
        Lang::En => "The authority confirms the payment without a readable amount. Check it in mySecu.",
        Lang::Lb => "D’Autoritéit confirméiert d’Bezuelung, ouni de Montant liesbar ze soen. Kuckt en an mySecu no.",
    };
    own_remark(AMOUNT_UNSAID, message.to_owned())
}

fn own_remark(code: &str, message: String) -> ReceiptAnomaly {
    ReceiptAnomaly {
        severity: Severity::Warning,
        code: code.to_owned(),
        message,
        line: None,
    }
}

fn euros(cents: i64, lang: Lang) -> String {
    let (whole, rest) = (cents / 100, cents % 100);
    match lang {
        Lang::En => format!("€{whole}.{rest:02}"),
        _ => format!("{whole},{rest:02}\u{a0}€"),
    }
}

fn failure(error: &Error) -> Settlement {
    Settlement {
        reference: None,
        correlation_id: error.correlation_id(),
        problem: Some((error.code().to_owned(), error.fault())),
    }
}
