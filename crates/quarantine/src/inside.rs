//! Inside the process of its own.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use econnector_documents::{DocumentError, draw};
use econnector_signature::check_pdf;
use zeroize::Zeroizing;

/// The first argument of the process that opens a stranger's PDF. Not for people.
pub const WORD: &str = "open-pdf";
/// The exit code of a process that could not give up what it does not need.
pub(crate) const NOT_CONFINED: i32 = 70;
/// Larger PDFs are not read, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;
/// The stack that drawing gets, in bytes: forms inside forms take more than a usual one.
const LARGE_STACK: usize = 16 * 1024 * 1024;
/// The stack for weighing: see `SMALL_STACK`.
const SMALL_STACK: usize = 1024 * 1024;
/// In bytes; a page that is one picture in colour at 300 dpi takes 90 MB.
#[cfg(unix)]
const MOST_MEMORY: u64 = 256 * 1024 * 1024;
/// In seconds of one processor.
#[cfg(unix)]
const MOST_WORK: u64 = 5;

static ENTERED: AtomicBool = AtomicBool::new(false);

/// The first thing in a program's `main`. In the process that was started to open a stranger's PDF it does that and returns how to end; in
/// any other it notes that this program can be started so. A program that never asks opens them in its own process, which is for tests.
#[must_use]
pub fn enter() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_none_or(|word| word != WORD) {
        ENTERED.store(true, Ordering::SeqCst);
        return None;
    }
    // What it would say of itself could quote the PDF.
    std::panic::set_hook(Box::new(|_| {}));
    let Some(job) = Job::of(words) else {
        return Some(ExitCode::FAILURE);
    };
    if confine().is_err() {
        return Some(u8::try_from(NOT_CONFINED).map_or(ExitCode::FAILURE, ExitCode::from));
    }
    Some(work(job).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}

pub(crate) fn entered() -> bool {
    ENTERED.load(Ordering::SeqCst)
}

/// What is to be done with a PDF.
#[derive(Clone, Copy)]
pub(crate) enum Job {
    /// Draw a page.
    Draw(usize),
    /// Open it as for signing or verifying.
    Weigh,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Page { svg: String, pages: usize },
    NoPage { pages: usize },
    Unreadable(String),
    Weighed,
}

impl Job {
    pub(crate) fn words(self) -> Vec<String> {
        match self {
            Self::Draw(page) => vec!["draw".to_owned(), page.to_string()],
            Self::Weigh => vec!["weigh".to_owned()],
        }
    }

    fn of(words: impl Iterator<Item = OsString>) -> Option<Self> {
        let words: Vec<String> = words.map(OsString::into_string).collect::<Result<_, _>>().ok()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["draw", page] => Some(Self::Draw(page.parse().ok()?)),
            ["weigh"] => Some(Self::Weigh),
            _ => None,
        }
    }

    pub(crate) fn done(self, pdf: Arc<Zeroizing<Vec<u8>>>) -> Answer {
        match self {
            Self::Draw(page) => match draw(pdf, page) {
                Ok((svg, pages)) => Answer::Page { svg, pages },
                Err(DocumentError::NoSuchPage { pages, .. }) => Answer::NoPage { pages },
                Err(DocumentError::Unreadable(why)) => Answer::Unreadable(why.into_owned()),
                Err(_) => Answer::Unreadable(String::new()),
            },
            Self::Weigh => {
                // Whatever it says of the PDF: it came to an end.
                let _ = check_pdf(&pdf, pdf.len());
                Answer::Weighed
            }
        }
    }

    const fn stack(self) -> usize {
        match self {
            Self::Draw(_) => LARGE_STACK,
            Self::Weigh => SMALL_STACK,
        }
    }
}

impl Answer {
    fn write(&self, mut out: impl io::Write) -> io::Result<()> {
        match self {
            Self::Page { svg, pages } => {
                writeln!(out, "page {pages}")?;
                out.write_all(svg.as_bytes())?;
            }
            Self::NoPage { pages } => writeln!(out, "no-page {pages}")?,
            Self::Unreadable(why) => writeln!(out, "unreadable {why}")?,
            Self::Weighed => writeln!(out, "weighed")?,
        }
        out.flush()
    }

    /// What [`Answer::write`] wrote. Whoever writes has read a hostile file.
    pub(crate) fn read(said: Vec<u8>) -> Option<Self> {
        let mut said = String::from_utf8(said).ok()?;
        let page = said.split_off(said.find('\n')? + 1);
        let (word, rest) = said.trim_end().split_once(' ').unwrap_or((said.trim_end(), ""));
        match word {
            "page" => Some(Self::Page {
                svg: page,
                pages: rest.parse().ok()?,
            }),
            "no-page" => Some(Self::NoPage { pages: rest.parse().ok()? }),
            "unreadable" => Some(Self::Unreadable(
                rest.chars()
                    .filter(|letter| letter.is_ascii_alphanumeric() || *letter == ' ')
                    .take(100)
                    .collect(),
            )),
            "weighed" => Some(Self::Weighed),
            _ => None,
        }
    }
}

fn work(job: Job) -> Option<()> {
    let mut pdf = Zeroizing::new(Vec::new());
    io::stdin().lock().take(LARGEST + 1).read_to_end(&mut pdf).ok()?;
    if pdf.len() as u64 > LARGEST {
        return None;
    }
    let thread = thread::Builder::new()
        .stack_size(job.stack())
        .spawn(move || job.done(Arc::new(pdf)));
    let answer = thread.ok()?.join().ok()?;
    answer.write(io::stdout().lock()).ok()
}

/// Gives up what drawing a page does not need.
#[cfg(unix)]
fn confine() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    // When the machine runs out of memory, this is the process to end.
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    econnector_base::no_crash_dumps();
    let limits = [
        (Resource::Data, MOST_MEMORY),
        (Resource::Cpu, MOST_WORK),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        // Standard input, output and error are open already.
        (Resource::Nofile, 3),
    ];
    for (resource, most) in limits {
        let most = getrlimit(resource).maximum.map_or(most, |now| now.min(most));
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)?;
    }
    Ok(())
}

/// There it is the time that is limited, by whoever started this process.
#[cfg(not(unix))]
fn confine() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let page = Answer::Page {
            svg: "<svg>\n</svg>".to_owned(),
            pages: 3,
        };
        for answer in [
            page,
            Answer::NoPage { pages: 2 },
            Answer::Unreadable("it is no PDF".to_owned()),
            Answer::Weighed,
        ] {
            let mut said = Vec::new();
            answer.write(&mut said).unwrap();
            assert_eq!(Answer::read(said), Some(answer));
        }
    }

    #[test]
    fn what_is_no_answer_is_not_taken_for_one() {
        for said in ["", "weighed", "page\n<svg/>", "page -1\n", "page 1", "else 1\n", "no-page x\n"] {
            assert_eq!(Answer::read(said.into()), None, "{said:?}");
        }
        assert_eq!(Answer::read(vec![0xFF, b'\n']), None);
        let words = Answer::read(b"unreadable <b>x</b>\t\n".to_vec());
        assert_eq!(words, Some(Answer::Unreadable("bxb".to_owned())));
    }
}
