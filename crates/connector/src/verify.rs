use std::sync::Arc;

use econnector_signature::{Verification, verify};
use zeroize::Zeroizing;

use crate::observe::{Stopwatch, Watched};
use crate::sign::PDF_KIND;
use crate::{Action, Caller, Connector, Error};

impl Connector {
    /// What a signed PDF is worth: by whom it is signed and when, whether it is as it was signed, and whether all that leads to the
    /// trust store. Whoever stands at the desk needs no login for it.
    ///
    /// # Errors
    /// [`Error::Signature`] for what is no PDF or is not signed; [`Error::Quarantine`] for what cannot be opened without harm;
    /// [`Error::Identity`] for a caller whose token is not valid.
    pub async fn verify(self: &Arc<Self>, caller: &Caller, pdf: Zeroizing<Vec<u8>>) -> Result<Verification, Error> {
        let watch = Arc::new(Stopwatch::start());
        watch.about(PDF_KIND);
        let watched = Watched::begin(&self.observer, Action::Verify, &watch);
        let outcome = match self.known_beforehand(caller, &watch).await {
            Ok(_) => self.judge(pdf).await,
            Err(error) => Err(error),
        };
        watched.end(&outcome);
        outcome
    }

    async fn judge(self: &Arc<Self>, pdf: Zeroizing<Vec<u8>>) -> Result<Verification, Error> {
        self.opened(Arc::new(pdf), |this, pdf| Ok(verify(pdf, &this.trust, this.clock.now())?))
            .await
    }
}
