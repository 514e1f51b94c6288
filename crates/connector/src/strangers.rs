//! PDFs that somebody else made: opened where they can do no harm before they are opened here.

use std::sync::Arc;

use econnector_quarantine::Quarantine;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::{Connector, Error};

/// What it takes to open them.
pub(crate) struct Strangers {
    quarantine: Quarantine,
    /// One at a time is open in this process: each may take as much memory as all of ours.
    one: Arc<Semaphore>,
}

impl Default for Strangers {
    fn default() -> Self {
        Self {
            quarantine: Quarantine::default(),
            one: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Connector {
    /// One page of a PDF that somebody else made as SVG, and the number of pages. Pages count from 1.
    ///
    /// # Errors
    /// [`Error::Quarantine`].
    pub async fn drawn(&self, pdf: Arc<Zeroizing<Vec<u8>>>, page: usize) -> Result<(String, usize), Error> {
        Ok(self.strangers.quarantine.draw(pdf, page).await?)
    }

    /// Looks into a PDF that somebody else made, once it is known that looking does no harm.
    pub(crate) async fn opened<T, F>(self: &Arc<Self>, pdf: Arc<Zeroizing<Vec<u8>>>, look: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Arc<Self>, &[u8]) -> Result<T, Error> + Send + 'static,
    {
        self.strangers.quarantine.weigh(Arc::clone(&pdf)).await?;
        let alone = Arc::clone(&self.strangers.one)
            .acquire_owned()
            .await
            .map_err(|_| Error::Interrupted)?;
        self.beside(move |this| {
            let _alone = alone;
            look(this, &pdf)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use econnector_base::Fault;
    use econnector_forms::Lang;
    use econnector_quarantine::QuarantineError;

    use crate::{Error, Problem};

    #[test]
    fn who_comes_when_others_are_at_work_is_told_to_come_back_and_not_to_mend_the_pdf() {
        for (error, status, code, fault) in [
            (QuarantineError::Busy, 503, "pdf-busy", Fault::Us),
            (QuarantineError::Late, 503, "pdf-busy", Fault::Us),
            (QuarantineError::Unfit, 422, "pdf-unusable", Fault::You),
        ] {
            let problem = Problem::of(&Error::from(error), Lang::Fr);
            assert_eq!((problem.status, problem.code.as_str(), problem.fault), (status, code, fault));
            assert!(!problem.title.is_empty() && !problem.next.is_empty());
        }
    }
}
