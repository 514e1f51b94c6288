//! A closed loop: each caller sends its next document when the last is answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use serde::Serialize;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::BenchError;
use crate::answer::{Issued, Problem, Times};
use crate::figures::{Percentiles, rounded};
use crate::form::Form;
use crate::process::{Memory, Process};
use crate::programs::{Programs, ProgramsError};
use crate::tokens::Tokens;

/// Of how many answers one is taken apart, signature included.
const SAMPLE: usize = 200;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Where documents are sent.
pub(crate) struct Target {
    client: reqwest::Client,
    documents: String,
    forms: String,
    signatures: String,
    metrics: String,
    tokens: Tokens,
    answered: AtomicUsize,
    /// One signed volet, for other people's judges.
    sample: Mutex<Option<Vec<u8>>>,
}

/// One answer, or why it is none.
struct Sample {
    /// Milliseconds from the first byte sent to the last received.
    latency: f64,
    outcome: Result<Times, String>,
}

/// What one round of documents took.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Round {
    pub(crate) kind: &'static str,
    /// None where documents arrive by the clock.
    pub(crate) callers: usize,
    pub(crate) documents: usize,
    pub(crate) seconds: f64,
    pub(crate) per_minute: f64,
    /// Seen by the caller.
    pub(crate) latency_ms: Percentiles,
    /// Of it, spent in the server.
    pub(crate) own_ms: Percentiles,
    /// Of it, spent waiting for AeS, the KMS and mySecu.
    pub(crate) remote_ms: Percentiles,
    /// Answers that are not what they must be, by what they are.
    pub(crate) errors: BTreeMap<String, usize>,
    /// Milliseconds of processor time for one document.
    pub(crate) cpu_ms: CpuShares,
    /// The server's memory at the end, and its peak in this round.
    pub(crate) memory: Memory,
    /// The mean of what it held during the round.
    pub(crate) mean_rss_mb: f64,
    pub(crate) sandbox_rss_mb: f64,
}

/// Who used the processor.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct CpuShares {
    pub(crate) server: f64,
    pub(crate) sandbox: f64,
    pub(crate) generator: f64,
}

/// Rounds against one target.
pub(crate) struct Load {
    target: Arc<Target>,
    server: Process,
    sandbox: Process,
}

impl Load {
    pub(crate) const fn new(target: Arc<Target>, server: Process, sandbox: Process) -> Self {
        Self { target, server, sandbox }
    }

    /// `documents` by `callers`: each sends its next when the last is answered.
    pub(crate) async fn round(&self, form: &Arc<Form>, callers: usize, documents: usize) -> Result<Round, BenchError> {
        let left = Arc::new(AtomicUsize::new(documents));
        let work = || {
            let (target, form, left) = (Arc::clone(&self.target), Arc::clone(form), Arc::clone(&left));
            async move {
                let mut samples = Vec::new();
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                    .is_ok()
                {
                    samples.push(target.issue(&form, Instant::now()).await);
                }
                samples
            }
        };
        let mut under_way: JoinSet<_> = (0..callers).map(|_| work()).collect();
        self.measured(form.kind, callers, async move {
            let mut samples = Vec::with_capacity(documents);
            while let Some(done) = under_way.join_next().await {
                samples.extend(done.unwrap_or_default());
            }
            samples
        })
        .await
    }

    /// `documents` that arrive evenly, `per_minute` of them, whether or not those before are answered. A document's time counts from
    /// when it was due.
    pub(crate) async fn arriving(&self, form: &Arc<Form>, per_minute: usize, documents: usize) -> Result<Round, BenchError> {
        let apart = Duration::from_secs_f64(60.0 / per_minute as f64);
        let work = async {
            let mut under_way = JoinSet::new();
            let mut due = tokio::time::Instant::now();
            for _ in 0..documents {
                tokio::time::sleep_until(due).await;
                let (target, form, at) = (Arc::clone(&self.target), Arc::clone(form), due.into_std());
                under_way.spawn(async move { target.issue(&form, at).await });
                due += apart;
            }
            let mut samples = Vec::with_capacity(documents);
            while let Some(done) = under_way.join_next().await {
                samples.extend(done);
            }
            samples
        };
        self.measured(form.kind, 0, work).await
    }

    async fn measured(&self, kind: &'static str, callers: usize, work: impl Future<Output = Vec<Sample>>) -> Result<Round, BenchError> {
        let parties = [self.server, self.sandbox, Process::this()];
        self.server.forget_peak();
        let before = used(&parties)?;
        let started = Instant::now();
        let mut looked = Vec::new();
        let samples = {
            tokio::pin!(work);
            let mut look = tokio::time::interval(LOOK);
            loop {
                tokio::select! {
                    samples = &mut work => break samples,
                    _ = look.tick() => looked.push(self.server.now()?.rss_mb),
                }
            }
        };
        let seconds = started.elapsed().as_secs_f64();
        let spent = [before, used(&parties)?];
        let (memory, sandbox) = (self.server.now()?, self.sandbox.now()?);
        let documents = samples.len();
        let for_one = |party: usize| {
            let [before, after] = spent.map(|at| at.get(party).copied().unwrap_or_default());
            in_milliseconds_for_one(after - before, documents)
        };
        let cpu_ms = CpuShares {
            server: for_one(0),
            sandbox: for_one(1),
            generator: for_one(2),
        };
        let mut round = Round {
            kind,
            callers,
            cpu_ms,
            memory,
            sandbox_rss_mb: sandbox.rss_mb,
            ..Round::of(samples, seconds)
        };
        round.mean_rss_mb = mean(&looked);
        Ok(round)
    }
}

fn used(parties: &[Process; 3]) -> Result<[f64; 3], BenchError> {
    let mut used = [0.0; 3];
    for (used, process) in used.iter_mut().zip(parties) {
        *used = process.cpu()?.as_secs_f64();
    }
    Ok(used)
}

fn in_milliseconds_for_one(seconds: f64, documents: usize) -> f64 {
    rounded(seconds * 1000.0 / documents.max(1) as f64)
}

fn mean(looked: &[f64]) -> f64 {
    rounded(looked.iter().sum::<f64>() / looked.len().max(1) as f64)
}

impl Target {
    pub(crate) fn new(programs: &Programs, tokens: Tokens) -> Result<Self, ProgramsError> {
        let url = |path: &str| format!("{}/econnector/v1/{path}", programs.ready.api);
        Ok(Self {
            client: programs.client.clone(),
            documents: url("documents"),
            forms: url("forms"),
            signatures: url("signatures"),
            metrics: format!("{}/metrics", programs.ready.management),
            tokens,
            answered: AtomicUsize::default(),
            sample: Mutex::default(),
        })
    }

    /// A signed volet that came in this run.
    pub(crate) async fn sample(&self) -> Option<Vec<u8>> {
        self.sample.lock().await.clone()
    }

    /// Issues one document; its time counts from `due`.
    async fn issue(&self, form: &Form, due: Instant) -> Sample {
        let id = Uuid::new_v4();
        let name = id.to_string();
        let body = json!({ "id": name, "kind": form.kind, "values": form.values(id) });
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let token = match self.tokens.token().await {
            Ok(token) => token,
            Err(error) => {
                return Sample {
                    latency: 0.0,
                    outcome: Err(error.to_string()),
                };
            }
        };
        let answer = self.post(&self.documents, &token, body).await;
        let latency = due.elapsed().as_secs_f64() * 1000.0;
        let outcome = match answer {
            Ok((StatusCode::CREATED, bytes)) => self.judged(&bytes, &name, form).await,
            Ok((status, bytes)) => Err(refusal(status, &bytes)),
            Err(error) => Err(no_answer(&error)),
        };
        Sample { latency, outcome }
    }

    async fn judged(&self, bytes: &[u8], id: &str, form: &Form) -> Result<Times, String> {
        let issued: Issued<'_> = serde_json::from_slice(bytes).map_err(|_| "not the agreed JSON".to_owned())?;
        let times = issued.judge(id, form)?;
        if self.answered.fetch_add(1, Ordering::Relaxed).is_multiple_of(SAMPLE) {
            let pdf = issued.signed_pdf()?;
            if form.kind == "ecit" {
                self.sample.lock().await.get_or_insert(pdf);
            }
        }
        Ok(times)
    }

    /// One page by itself, unsigned; how long the caller waited.
    pub(crate) async fn page(&self, form: &Form) -> Result<(Vec<u8>, Duration), BenchError> {
        let volet = form.volets.first().map_or("", |(name, _)| *name);
        let url = format!("{}/{}/preview?volet={volet}", self.forms, form.kind);
        let body = serde_json::to_vec(&json!({ "values": form.values(Uuid::new_v4()) }))?;
        let token = self.tokens.token().await?;
        let started = Instant::now();
        let (status, bytes) = self.post(&url, &token, body).await?;
        accepted("the preview", status, bytes, StatusCode::OK).map(|pdf| (pdf, started.elapsed()))
    }

    /// What a form's rules say of its values; how long the caller waited.
    pub(crate) async fn check(&self, form: &Form) -> Result<Duration, BenchError> {
        let url = format!("{}/{}/check", self.forms, form.kind);
        let body = serde_json::to_vec(&json!({ "values": form.values(Uuid::new_v4()) }))?;
        let token = self.tokens.token().await?;
        let started = Instant::now();
        let (status, bytes) = self.post(&url, &token, body).await?;
        accepted("the check", status, bytes, StatusCode::OK).map(|_| started.elapsed())
    }

    /// A signature on a page made elsewhere, without a deposit; how long the caller waited.
    pub(crate) async fn signature(&self, pdf: &[u8]) -> Result<Duration, BenchError> {
        let body = json!({ "id": Uuid::new_v4(), "content": STANDARD.encode(pdf) });
        let body = serde_json::to_vec(&body)?;
        let token = self.tokens.token().await?;
        let started = Instant::now();
        let (status, bytes) = self.post(&self.signatures, &token, body).await?;
        accepted("the signature", status, bytes, StatusCode::CREATED).map(|_| started.elapsed())
    }

    /// Seconds of its own the server has spent on signatures alone, as it tells Prometheus; an answer without receipt does not name them.
    pub(crate) async fn spent_signing(&self) -> Result<f64, BenchError> {
        let text = self.client.get(&self.metrics).send().await?.text().await?;
        let signing = text
            .lines()
            .filter(|line| line.starts_with("econnector_own_seconds_sum{") && line.contains("action=\"sign\""))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        Ok(signing.sum())
    }

    async fn post(&self, url: &str, token: &str, body: Vec<u8>) -> Result<(StatusCode, Vec<u8>), reqwest::Error> {
        let request = self.client.post(url).bearer_auth(token);
        let answer = request.header("content-type", "application/json").body(body).send().await?;
        Ok((answer.status(), answer.bytes().await?.into()))
    }
}

fn accepted(what: &'static str, status: StatusCode, bytes: Vec<u8>, expected: StatusCode) -> Result<Vec<u8>, BenchError> {
    if status == expected {
        return Ok(bytes);
    }
    Err(BenchError::Refused {
        what,
        status: status.as_u16(),
        problem: serde_json::from_slice(&bytes).unwrap_or_default(),
    })
}

fn refusal(status: StatusCode, bytes: &[u8]) -> String {
    let problem: Problem = serde_json::from_slice(bytes).unwrap_or_default();
    format!("{} {}", status.as_u16(), problem.code)
}

fn no_answer(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the line was cut"
    };
    what.to_owned()
}

impl Round {
    /// What the answers say; who used what is filled in by whoever looked.
    fn of(samples: Vec<Sample>, seconds: f64) -> Self {
        let documents = samples.len();
        let mut errors = BTreeMap::new();
        let (mut latency, mut own, mut remote) = (Vec::new(), Vec::new(), Vec::new());
        for sample in samples {
            match sample.outcome {
                Ok(times) => {
                    latency.push(sample.latency);
                    own.push(times.own);
                    remote.push(times.remote);
                }
                Err(what) => *errors.entry(what).or_insert(0) += 1,
            }
        }
        Self {
            documents,
            seconds: rounded(seconds),
            per_minute: rounded(latency.len() as f64 * 60.0 / seconds),
            latency_ms: Percentiles::of(&mut latency),
            own_ms: Percentiles::of(&mut own),
            remote_ms: Percentiles::of(&mut remote),
            errors,
            ..Self::default()
        }
    }

    /// Answers that are not what they must be.
    pub(crate) fn wrong(&self) -> usize {
        self.errors.values().sum()
    }

    /// In one line.
    pub(crate) fn line(&self) -> String {
        format!(
            "{:.0}/min, p95 {:.0} ms, own p95 {:.0} ms, {:.1} MB, {} errors",
            self.per_minute,
            self.latency_ms.p95,
            self.own_ms.p95,
            self.memory.rss_mb,
            self.wrong()
        )
    }
}
