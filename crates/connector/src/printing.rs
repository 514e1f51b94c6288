use econnector_printing::{PrintError, Printer};
use uuid::Uuid;

use crate::{Caller, Connector, Error, RequestError};

/// Volets to print.
pub struct Print {
    /// The document.
    pub id: Uuid,
    /// Its volets, in the order they come out.
    pub volets: Vec<String>,
    /// The queue; that of the profile when absent, else the system's default.
    pub printer: Option<String>,
}

/// What a queue took.
#[derive(Debug)]
pub struct Printed {
    /// The queue.
    pub printer: String,
    /// The system's names of the jobs, one for each volet, in their order; fewer when a later volet was not taken.
    pub jobs: Vec<String>,
    /// Why the queue took no more.
    pub problem: Option<PrintError>,
}

impl Connector {
    /// The printers of this machine; none where there is no printing.
    ///
    /// # Errors
    /// [`Error::Printing`] when the system does not say.
    pub async fn printers(&self) -> Result<Vec<Printer>, Error> {
        match self.printers.list().await {
            Err(PrintError::Unavailable) => Ok(Vec::new()),
            listed => Ok(listed?),
        }
    }

    /// Hands volets to a queue. Nothing is printed unless every volet is there; what the queue has taken when it refuses a later volet
    /// comes out all the same, and is said.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`] when it is no longer in memory, [`Error::UnknownVolet`], [`Error::Printing`].
    pub async fn print(&self, caller: &Caller, print: Print) -> Result<Printed, Error> {
        let remembered = self.remembered(caller, print.id).await?;
        if print.volets.is_empty() {
            return Err(RequestError::Body.into());
        }
        let leaves = print
            .volets
            .iter()
            .map(|name| remembered.volets.iter().find(|leaf| leaf.name == *name));
        let leaves = leaves.collect::<Option<Vec<_>>>().ok_or(Error::UnknownVolet)?;
        let printer = match print.printer {
            Some(chosen) => chosen,
            None => self.usual_printer(caller).await?,
        };
        let mut printed = Printed {
            printer,
            jobs: Vec::new(),
            problem: None,
        };
        for leaf in leaves {
            match self.printers.print(&printed.printer, &leaf.pdf).await {
                Ok(job) => printed.jobs.push(job),
                Err(error) if printed.jobs.is_empty() => return Err(error.into()),
                Err(error) => {
                    printed.problem = Some(error);
                    break;
                }
            }
        }
        Ok(printed)
    }

    async fn usual_printer(&self, caller: &Caller) -> Result<String, Error> {
        if let Some(physician) = self.physician(caller).await?
            // A profile that cannot be read says so where it is edited; paper comes out of the system's own printer meanwhile.
            && let Ok(Some(profile)) = self.stored_profile(&physician.ehealth_id).await
            && let Some(printer) = profile.printer
        {
            return Ok(printer);
        }
        let mut printers = self.printers.list().await?;
        // Where there is only one, nobody has to say which.
        let only = (printers.len() == 1).then(|| printers.pop()).flatten();
        let default = printers.into_iter().find(|printer| printer.is_default).or(only);
        Ok(default.ok_or(PrintError::NoPrinter)?.name)
    }
}
