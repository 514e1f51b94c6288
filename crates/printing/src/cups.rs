//! CUPS by its own commands: they are wherever it is, and speak to local and remote servers alike.

use std::ffi::OsString;
use std::process::{Output, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::{PrintError, Printer, Printers};

/// What every job is called in the queue: whoever walks past the printer reads it.
const TITLE: &str = "eConnector";
/// How long the system may take to list its queues.
const LIST_LIMIT: Duration = Duration::from_secs(5);
/// How long it may take to accept a job; a remote queue over a slow line is slow.
const PRINT_LIMIT: Duration = Duration::from_secs(30);

/// `lpstat` and `lp`.
#[derive(Clone, Debug)]
pub struct Cups {
    lpstat: OsString,
    lp: OsString,
}

impl Default for Cups {
    fn default() -> Self {
        Self {
            lpstat: "lpstat".into(),
            lp: "lp".into(),
        }
    }
}

#[async_trait]
impl Printers for Cups {
    async fn list(&self) -> Result<Vec<Printer>, PrintError> {
        let queues = run(command(&self.lpstat, &["-l", "-p"]), &[], LIST_LIMIT).await?;
        // Without a single queue `lpstat` ends with an error: "No destinations added." So it does without a print service.
        if !queues.status.success() && !self.serves().await? {
            return Err(PrintError::Unavailable);
        }
        let default = run(command(&self.lpstat, &["-d"]), &[], LIST_LIMIT).await?;
        Ok(queues_of(&text(&queues), default_of(&text(&default)).as_deref()))
    }

    async fn print(&self, printer: &str, pdf: &[u8]) -> Result<String, PrintError> {
        if self.list().await?.iter().all(|known| known.name != printer) {
            return Err(PrintError::UnknownPrinter);
        }
        let said = run(command(&self.lp, &["-d", printer, "-t", TITLE, "-"]), pdf, PRINT_LIMIT).await?;
        if !said.status.success() {
            return Err(PrintError::Failed("the queue refused the job"));
        }
        job_of(&text(&said)).ok_or(PrintError::Failed("the system did not name the job"))
    }
}

impl Cups {
    /// Whether the print service itself runs.
    async fn serves(&self) -> Result<bool, PrintError> {
        let said = run(command(&self.lpstat, &["-r"]), &[], LIST_LIMIT).await?;
        Ok(text(&said).contains("scheduler is running"))
    }
}

fn command(program: &OsString, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    // The words of the answers, whatever the user's language.
    command.args(arguments).env("LC_ALL", "C").env_remove("LANGUAGE");
    command
}

async fn run(mut command: Command, input: &[u8], limit: Duration) -> Result<Output, PrintError> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => PrintError::Unavailable,
            _ => PrintError::Failed("the system's print command does not start"),
        })?;
    let stdin = child.stdin.take();
    let work = async {
        if let Some(mut stdin) = stdin {
            // A program that ends without reading has its reason in its status.
            let _ = stdin.write_all(input).await;
            drop(stdin);
        }
        child.wait_with_output().await
    };
    tokio::time::timeout(limit, work)
        .await
        .map_err(|_| PrintError::Failed("the system's print service does not answer"))?
        .map_err(|_| PrintError::Failed("the system's print command was interrupted"))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `printer NAME is idle. …` (or `now printing …`, `disabled …`), then indented lines, one of them `Description: …`.
fn queues_of(said: &str, default: Option<&str>) -> Vec<Printer> {
    let mut printers: Vec<Printer> = Vec::new();
    for line in said.lines() {
        if let Some(name) = line.strip_prefix("printer ").and_then(|rest| rest.split_whitespace().next()) {
            printers.push(Printer {
                name: name.to_owned(),
                description: None,
                is_default: default == Some(name),
            });
        } else if let Some(description) = line.trim_start().strip_prefix("Description:")
            && let Some(printer) = printers.last_mut()
        {
            let description = description.trim();
            printer.description = (!description.is_empty() && description != printer.name).then(|| description.to_owned());
        }
    }
    printers
}

/// `system default destination: NAME`, or `no system default destination`.
fn default_of(said: &str) -> Option<String> {
    let (_, name) = said.lines().find_map(|line| line.split_once("default destination:"))?;
    // An instance of a queue is written `NAME/instance`.
    let name = name.trim().split('/').next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// `request id is PDF-12 (1 file(s))`.
fn job_of(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("request id is ")?;
    rest.split_whitespace().next().map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    fn script(folder: &Path, name: &str, body: &str) -> OsString {
        let file = folder.join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
        file.into_os_string()
    }

    /// Stand-ins for the two commands: `lp` keeps what it was told and given.
    fn cups(folder: &Path, lp: &str) -> Cups {
        let lpstat = "case \"$1\" in -d) echo 'system default destination: Salle_1';; *) printf 'printer Accueil is idle.  enabled since today\\n\\tDescription: Bureau, bas\\nprinter Salle_1 disabled since today\\n\\tDescription: Salle_1\\n';; esac";
        Cups {
            lpstat: script(folder, "lpstat", lpstat),
            lp: script(folder, "lp", lp),
        }
    }

    #[tokio::test]
    async fn the_document_goes_through_the_pipe_and_the_title_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let keep = folder.path().display();
        let cups = cups(
            folder.path(),
            &format!("echo \"$@\" > {keep}/arguments; cat > {keep}/document; echo 'request id is Accueil-12 (0 file(s))'"),
        );
        let pdf = vec![b'%'; 300_000];
        assert_eq!(cups.print("Accueil", &pdf).await.unwrap(), "Accueil-12");
        assert_eq!(std::fs::read(folder.path().join("document")).unwrap(), pdf);
        let arguments = std::fs::read_to_string(folder.path().join("arguments")).unwrap();
        assert_eq!(arguments.trim(), "-d Accueil -t eConnector -");
    }

    #[tokio::test]
    async fn queues_are_listed_with_what_their_owner_calls_them() {
        let folder = tempfile::tempdir().unwrap();
        let listed = cups(folder.path(), "exit 1").list().await.unwrap();
        let expected = [("Accueil", Some("Bureau, bas"), false), ("Salle_1", None, true)];
        let found: Vec<_> = listed
            .iter()
            .map(|printer| (printer.name.as_str(), printer.description.as_deref(), printer.is_default))
            .collect();
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn what_cannot_be_printed_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let refusing = cups(folder.path(), "cat > /dev/null; exit 1");
        assert!(matches!(refusing.print("Accueil", b"%PDF").await, Err(PrintError::Failed(_))));
        // A name that is no queue never reaches a command line.
        assert!(matches!(refusing.print("-o", b"%PDF").await, Err(PrintError::UnknownPrinter)));
        let absent = Cups {
            lpstat: folder.path().join("none").into_os_string(),
            lp: folder.path().join("none").into_os_string(),
        };
        assert!(matches!(absent.list().await, Err(PrintError::Unavailable)));
        assert!(matches!(absent.print("Accueil", b"%PDF").await, Err(PrintError::Unavailable)));
        let half = Cups { lp: absent.lp, ..refusing };
        assert!(matches!(half.print("Accueil", b"%PDF").await, Err(PrintError::Unavailable)));
    }

    #[tokio::test]
    async fn a_service_that_does_not_run_is_none_and_one_without_queues_has_none() {
        for (word, runs) in [("scheduler is running", true), ("scheduler is not running", false)] {
            let folder = tempfile::tempdir().unwrap();
            let cups = Cups {
                lpstat: script(
                    folder.path(),
                    "lpstat",
                    &format!("case \"$1\" in -r) echo '{word}';; -d) exit 0;; *) exit 1;; esac"),
                ),
                lp: script(folder.path(), "lp", "exit 1"),
            };
            match cups.list().await {
                Ok(queues) => assert!(runs && queues.is_empty()),
                Err(error) => assert!(!runs && matches!(error, PrintError::Unavailable)),
            }
        }
    }

    #[test]
    fn a_system_without_a_default_has_none() {
        assert_eq!(default_of("no system default destination\n"), None);
        assert_eq!(default_of("system default destination: PDF/draft\n").as_deref(), Some("PDF"));
    }
}
