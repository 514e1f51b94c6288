//! What hostile PDFs do to the process that opens them, and do not do to the one that asks. The `main` of this program begins as those of
//! the product do, so it is this program that is started again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking; this one is its own harness and says so on standard output"
)]

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use econnector_base::{Explain as _, Fault};
use econnector_documents::{DocumentError, draw};
use econnector_quarantine::{Quarantine, QuarantineError};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use zeroize::Zeroizing;

const GOOD: [(&[u8], usize); 3] = [
    (include_bytes!("../../signature/tests/suite/elsewhere/reportlab.pdf"), 2),
    (include_bytes!("../../signature/tests/suite/elsewhere/chromium.pdf"), 1),
    (include_bytes!("../../signature/tests/suite/elsewhere/object-streams.pdf"), 1),
];

fn main() -> ExitCode {
    if let Some(code) = econnector_quarantine::enter() {
        return code;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    std::panic::set_hook(Box::new(|panicked| println!("---- {panicked}")));
    let mut tally = Tally {
        runtime,
        passed: 0,
        failed: 0,
    };
    tally.test("pages_are_those_drawn_here", pages_are_those_drawn_here());
    tally.test("what_is_wrong_is_said_as_it_is_here", what_is_wrong_is_said_as_it_is_here());
    tally.test("changed_files_break_nothing", changed_files_break_nothing());
    tally.test("what_ends_a_process_ends_another", what_ends_a_process_ends_another());
    tally.test("what_takes_all_memory_gets_none", what_takes_all_memory_gets_none());
    tally.test("a_bomb_for_whoever_signs_is_none", a_bomb_for_whoever_signs_is_none());
    tally.test("who_never_ends_holds_nobody_up_for_long", who_never_ends_holds_nobody_up_for_long());
    #[cfg(target_os = "linux")]
    tally.test("the_process_can_do_nothing_else", async { the_process_can_do_nothing_else() });
    // After all of the above.
    #[cfg(target_os = "linux")]
    tally.test("this_process_took_no_more_than_one_that_made_the_files", async {
        assert!(peak_megabytes() < 400, "{} MB", peak_megabytes());
    });
    let Tally { passed, failed, .. } = tally;
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {passed} passed; {failed} failed\n");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs and counts in the words of the usual harness, so that these tests are counted with all others.
struct Tally {
    runtime: tokio::runtime::Runtime,
    passed: u32,
    failed: u32,
}

impl Tally {
    fn test(&mut self, name: &str, test: impl Future<Output = ()> + Send + 'static) {
        if self.runtime.block_on(self.runtime.spawn(test)).is_ok() {
            self.passed += 1;
            println!("test {name} ... ok");
        } else {
            self.failed += 1;
            println!("test {name} ... FAILED");
        }
    }
}

fn shared(pdf: &[u8]) -> Arc<Zeroizing<Vec<u8>>> {
    Arc::new(Zeroizing::new(pdf.to_vec()))
}

async fn drawn(pdf: &[u8]) -> Result<(String, usize), QuarantineError> {
    Quarantine::default().draw(shared(pdf), 1).await
}

async fn weighed(pdf: &[u8]) -> Result<(), QuarantineError> {
    Quarantine::default().weigh(shared(pdf)).await
}

async fn pages_are_those_drawn_here() {
    let quarantine = Quarantine::default();
    for (pdf, pages) in GOOD {
        for page in 1..=pages {
            let here = draw(shared(pdf), page).unwrap();
            assert_eq!(quarantine.draw(shared(pdf), page).await.unwrap(), here);
        }
        quarantine.weigh(shared(pdf)).await.unwrap();
        for beyond in [0, pages + 1, usize::MAX] {
            let refused = quarantine.draw(shared(pdf), beyond).await.unwrap_err();
            let QuarantineError::Document(DocumentError::NoSuchPage { page, pages: count }) = refused else {
                panic!("{refused:?}");
            };
            assert_eq!((page, count), (beyond, pages));
        }
    }
}

async fn what_is_wrong_is_said_as_it_is_here() {
    for odd in [b"".as_slice(), b"%PDF-1.7", b"<svg/>", &[0; 1000]] {
        let here = draw(shared(odd), 1).unwrap_err();
        let beyond = drawn(odd).await.unwrap_err();
        assert_eq!((beyond.code(), beyond.fault()), ("pdf-unusable", Fault::You));
        assert_eq!(beyond.to_string(), here.to_string());
        // What it is worth is for others to say.
        weighed(odd).await.unwrap();
    }
}

async fn changed_files_break_nothing() {
    for (pdf, _) in GOOD {
        for at in (0..pdf.len()).step_by(pdf.len() / 6) {
            let mut changed = pdf.to_vec();
            changed[at] ^= 0x15;
            for file in [&changed, &pdf[..at]] {
                for outcome in [drawn(file).await.map(|_| ()), weighed(file).await] {
                    assert!(
                        outcome.as_ref().err().is_none_or(|error| error.fault() == Fault::You),
                        "{at}: {outcome:?}"
                    );
                }
            }
        }
    }
}

/// Deep brackets and long chains use up the stack, which ends a process at once.
async fn what_ends_a_process_ends_another() {
    for (open, close) in [("[", "]"), ("<</A", ">>")] {
        let nested = format!("{}{} m", open.repeat(400_000), close.repeat(400_000));
        unfit(drawn(&page(nested.as_bytes(), "")).await.map(|_| ()));
        // The same, small because compressed.
        let small = page(&compressed(nested.as_bytes()), "/Filter/FlateDecode");
        assert!(small.len() < 20_000, "{}", small.len());
        unfit(drawn(&small).await.map(|_| ()));
    }
    // Streams, each of which is as long as the next one says.
    let mut objects = String::new();
    for number in 5..40_000 {
        objects.push_str(&format!("{number} 0 obj<</Length {} 0 R>>stream\nendstream endobj\n", number + 1));
    }
    unfit(weighed(&with_table(&objects)).await);
}

async fn what_takes_all_memory_gets_none() {
    let zeros = compressed_zeros(800);
    assert!(zeros.len() < 1_000_000, "{}", zeros.len());
    ended(drawn(&page(&zeros, "/Filter/FlateDecode")).await.map(|_| ()));
    let twice = page(&compressed(&zeros), "/Filter[/FlateDecode/FlateDecode]");
    assert!(twice.len() < 20_000, "{}", twice.len());
    ended(drawn(&twice).await.map(|_| ()));
}

/// For whom signs and verifies, an object takes a hundred times the memory of its text.
async fn a_bomb_for_whoever_signs_is_none() {
    // Ten megabytes of the shortest objects there are.
    let plain = format!("5 0 obj[{}]endobj\n", "[0]".repeat(3_400_000));
    ended(weighed(&with_table(&plain)).await);
    // Objects that each begin in a remark of the one before, and all have the same long end.
    let begun: String = (5..3000).map(|number| format!("{number} 0 obj[% ")).collect();
    let shared = format!("{begun}\n{}]endobj\n", "0 ".repeat(200_000));
    ended(weighed(&with_table(&shared)).await);
    // Sixty-four kilobytes that hold sixty megabytes of objects: those who sign stop reading in time, and say so themselves.
    let mut stream = ZlibEncoder::new(Vec::new(), Compression::best());
    stream.write_all(b"5 0 [").unwrap();
    for _ in 0..60 {
        stream.write_all(&b"0 ".repeat(512 * 1024)).unwrap();
    }
    let content = stream.finish().unwrap();
    let mut objects = format!(
        "6 0 obj<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length {}>>stream\n",
        content.len()
    )
    .into_bytes();
    objects.extend_from_slice(&content);
    objects.extend_from_slice(b"\nendstream endobj\n");
    let bomb = table(objects);
    assert!(bomb.len() < 80_000, "{}", bomb.len());
    weighed(&bomb).await.unwrap();
    assert!(econnector_signature::check_pdf(&bomb, bomb.len()).is_err());
}

/// Forms, each of which shows the next one twice. Two are at work, the third is told to come back, and then all is as before.
async fn who_never_ends_holds_nobody_up_for_long() {
    let mut forms = String::new();
    for number in 5..45 {
        forms.push_str(&format!(
            "{number} 0 obj<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X {} 0 R>>>>/Length 11>>stream\n\
             /X Do /X Do\nendstream endobj\n",
            number + 1
        ));
    }
    // The last one draws nothing, at length: it must be time that ends this, for memory would on a fast machine end it sooner than others wait.
    let nothing = "q Q ".repeat(1000);
    forms.push_str(&format!(
        "45 0 obj<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Length {}>>stream\n{nothing}\nendstream endobj\n",
        nothing.len()
    ));
    let pdf = shared(&with_objects(b"/X Do", "/Resources<</XObject<</X 5 0 R>>>>", forms.as_bytes()));
    let quarantine = Quarantine::default();
    let started = Instant::now();
    let endless: Vec<_> = (0..2)
        .map(|_| {
            let (quarantine, pdf) = (quarantine.clone(), Arc::clone(&pdf));
            tokio::spawn(async move { quarantine.draw(pdf, 1).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let busy = quarantine.draw(shared(GOOD[0].0), 1).await.unwrap_err();
    assert!(matches!(busy, QuarantineError::Busy), "{busy:?}");
    assert_eq!((busy.code(), busy.fault()), ("pdf-busy", Fault::Us));
    for endless in endless {
        let error = endless.await.unwrap().unwrap_err();
        ended(Err(error));
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    quarantine.draw(shared(GOOD[0].0), 1).await.unwrap();

    // Whoever does not wait for the end takes no place either.
    for _ in 0..8 {
        let left = tokio::time::timeout(Duration::from_millis(50), quarantine.draw(Arc::clone(&pdf), 1)).await;
        assert!(left.is_err());
    }
    quarantine.draw(shared(GOOD[0].0), 1).await.unwrap();
}

#[cfg(target_os = "linux")]
fn the_process_can_do_nothing_else() {
    use std::process::{Command, Stdio};
    let mut child = Command::new("/proc/self/exe")
        .args([econnector_quarantine::WORD, "draw", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let limits = format!("/proc/{}/limits", child.id());
    let until = Instant::now() + Duration::from_secs(10);
    let said = loop {
        let said = std::fs::read_to_string(&limits).unwrap();
        if said.lines().any(|line| words(line) == ["Max", "open", "files", "3", "3", "files"]) {
            break said;
        }
        assert!(Instant::now() < until, "{said}");
        std::thread::sleep(Duration::from_millis(20));
    };
    for expected in [
        vec!["Max", "data", "size", "268435456", "268435456", "bytes"],
        vec!["Max", "cpu", "time", "5", "5", "seconds"],
        vec!["Max", "core", "file", "size", "0", "0", "bytes"],
        vec!["Max", "file", "size", "0", "0", "bytes"],
    ] {
        assert!(said.lines().any(|line| words(line) == expected), "{expected:?} in {said}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[cfg(target_os = "linux")]
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[cfg(target_os = "linux")]
fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
}

/// It was ended: by its own limits, or on a machine with much else to do by the clock.
#[track_caller]
fn ended(outcome: Result<(), QuarantineError>) {
    let error = outcome.unwrap_err();
    assert!(matches!(error, QuarantineError::Unfit | QuarantineError::Late), "{error:?}");
}

#[track_caller]
fn unfit(outcome: Result<(), QuarantineError>) {
    let error = outcome.unwrap_err();
    assert!(matches!(error, QuarantineError::Unfit), "{error:?}");
    assert_eq!((error.code(), error.fault()), ("pdf-unusable", Fault::You));
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn compressed_zeros(megabytes: usize) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..megabytes {
        encoder.write_all(&zeros).unwrap();
    }
    encoder.finish().unwrap()
}

/// One page with this content; `filter` is what its stream says of its compression.
fn page(content: &[u8], filter: &str) -> Vec<u8> {
    let mut objects = format!("4 0 obj<</Length {}{filter}>>stream\n", content.len()).into_bytes();
    objects.extend_from_slice(content);
    objects.extend_from_slice(b"\nendstream endobj\n");
    table_of(objects, "")
}

fn with_objects(content: &[u8], page: &str, others: &[u8]) -> Vec<u8> {
    let mut objects = format!("4 0 obj<</Length {}>>stream\n", content.len()).into_bytes();
    objects.extend_from_slice(content);
    objects.extend_from_slice(b"\nendstream endobj\n");
    objects.extend_from_slice(others);
    table_of(objects, page)
}

fn with_table(objects: &str) -> Vec<u8> {
    table(objects.as_bytes().to_vec())
}

fn table(objects: Vec<u8>) -> Vec<u8> {
    table_of([b"4 0 obj<</Length 0>>stream\n\nendstream endobj\n".to_vec(), objects].concat(), "")
}

/// A whole file, with a table of all objects.
fn table_of(objects: Vec<u8>, page: &str) -> Vec<u8> {
    let mut pdf = format!(
        "%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
         3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R{page}>>endobj\n"
    )
    .into_bytes();
    pdf.extend_from_slice(&objects);
    let mut places = std::collections::BTreeMap::new();
    for at in 0..pdf.len() {
        if pdf[at..].starts_with(b" 0 obj") {
            let digits = pdf[..at].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
            let number: u32 = String::from_utf8_lossy(&pdf[at - digits..at]).parse().unwrap();
            places.insert(number, at - digits);
        }
    }
    let start = pdf.len();
    let last = places.keys().next_back().unwrap() + 1;
    pdf.extend_from_slice(format!("xref\n0 {last}\n").as_bytes());
    for number in 0..last {
        match places.get(&number) {
            Some(place) => pdf.extend_from_slice(format!("{place:010} 00000 n \n").as_bytes()),
            None => pdf.extend_from_slice(b"0000000000 65535 f \n"),
        }
    }
    pdf.extend_from_slice(format!("trailer<</Root 1 0 R/Size {last}>>\nstartxref\n{start}\n%%EOF\n").as_bytes());
    pdf
}
