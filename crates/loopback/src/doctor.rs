//! Why the link does not work, found from outside: what the files say, who answers where, and what a caller's surroundings do.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use econnector_forms::Lang;
use serde::{Deserialize, Serialize};

use crate::call::{self, Saying};
use crate::connection::{self, Connection};
use crate::guard::STATUS;
use crate::kept::{self, Kept};
use crate::private;
use crate::view::{KeyFact, LinkFacts};

/// The status asks three services before it answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// All that was found, most basic first.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether nothing is wrong.
    ok: bool,
    /// The data folder that was looked at.
    folder: String,
    /// One by one.
    findings: Vec<Finding>,
}

/// One thing that was found.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// Stable code.
    pub code: String,
    /// How grave it is.
    pub level: Level,
    /// What was found.
    pub title: String,
    /// What it means.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub next: String,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Well,
    /// May explain why something does not work.
    Notice,
    /// Must be mended.
    Wrong,
}

/// What is wrong with the installation's own files, which stand elsewhere than in the data folder.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// The settings cannot be used, and the program does not start with them.
    SettingsBroken {
        /// The file.
        file: PathBuf,
        /// Why: line and key, never a value.
        reason: String,
    },
    /// What the installation decided about the link cannot be read, and might have been that it stays shut.
    RulesBroken {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The installation decided that nothing listens.
    LinkOff {
        /// Where it says so.
        file: PathBuf,
    },
}

/// Looks at a data folder and at whoever answers for it, in a language; what is wrong elsewhere comes first.
pub async fn examine(folder: &Path, troubles: &[Trouble], lang: Lang) -> Report {
    examine_in(folder, troubles, lang, &|name| std::env::var(name).ok()).await
}

impl Report {
    /// Whether nothing is wrong. Notices do not count.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.ok
    }

    /// What was found.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let mark = match finding.level {
                Level::Well => "✓",
                Level::Notice => "!",
                Level::Wrong => "✗",
            };
            writeln!(out, "{mark} {}", plain(&finding.title))?;
            for line in [&finding.detail, &finding.next].into_iter().filter(|line| !line.is_empty()) {
                writeln!(out, "    {}", plain(line))?;
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct StatusAnswer {
    version: String,
    #[serde(default)]
    checks: Vec<CheckAnswer>,
    link: Option<LinkFacts>,
}

#[derive(Deserialize)]
struct CheckAnswer {
    label: String,
    ok: bool,
    detail: String,
}

struct Examination {
    lang: Lang,
    findings: Vec<Finding>,
}

async fn examine_in(folder: &Path, troubles: &[Trouble], lang: Lang, variable: &dyn Fn(&str) -> Option<String>) -> Report {
    let mut examination = Examination {
        lang,
        findings: Vec::new(),
    };
    for trouble in troubles {
        examination.trouble(trouble);
    }
    if let Some(connection) = examination.file(folder) {
        examination.process(folder, &connection);
        let answers = examination.addresses(&connection).await;
        if let Some(status) = answers {
            examination.status(&connection, status);
        }
        examination.localhost(&connection).await;
        examination.proxies(&connection, variable);
    }
    if let Err(error) = Kept::read(folder) {
        let file = kept::place(folder).display().to_string();
        examination.add(
            "decisions-unusable",
            Level::Wrong,
            &[("file", &file), ("reason", &error.to_string())],
        );
    }
    Report {
        ok: examination.findings.iter().all(|finding| finding.level != Level::Wrong),
        folder: folder.display().to_string(),
        findings: examination.findings,
    }
}

impl Examination {
    fn add(&mut self, code: &'static str, level: Level, values: &[(&str, &str)]) {
        let filled = |text: &str| {
            values
                .iter()
                .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
        };
        let text = texts(self.lang).and_then(|texts| texts.get(code));
        self.findings.push(Finding {
            code: code.to_owned(),
            level,
            title: text.map(|text| filled(&text.title)).unwrap_or_default(),
            detail: text.map(|text| filled(&text.detail)).unwrap_or_default(),
            next: text.map(|text| filled(&text.next)).unwrap_or_default(),
        });
    }

    fn trouble(&mut self, trouble: &Trouble) {
        let (code, file, reason) = match trouble {
            Trouble::SettingsBroken { file, reason } => ("settings-broken", file, reason.as_str()),
            Trouble::RulesBroken { file, reason } => ("rules-broken", file, reason.as_str()),
            Trouble::LinkOff { file } => ("link-switched-off", file, ""),
        };
        let file = file.display().to_string();
        self.add(code, Level::Wrong, &[("file", &file), ("reason", reason)]);
    }

    /// The connection file: there, ours, closed to others, and readable.
    fn file(&mut self, folder: &Path) -> Option<Connection> {
        let file = connection::place(folder).display().to_string();
        let (metadata, connection) = match Connection::read(folder) {
            Ok(Some(found)) => found,
            Ok(None) => {
                // Somebody holds the folder and wrote nothing: the link could not be opened.
                let code = if connection::held(folder) == Some(true) {
                    "file-missing-running"
                } else {
                    "file-missing"
                };
                self.add(code, Level::Wrong, &[("file", &file)]);
                return None;
            }
            Err(error) => {
                self.add("file-unreadable", Level::Wrong, &[("file", &file), ("reason", &error.to_string())]);
                return None;
            }
        };
        if private::foreign(&metadata) {
            self.add("file-foreign", Level::Wrong, &[("file", &file)]);
            return None;
        }
        let rights = private::others_rights(&metadata);
        if rights != 0 {
            self.add("file-open", Level::Wrong, &[("file", &file), ("rights", &format!("{rights:03o}"))]);
        }
        let Some(connection) = connection else {
            self.add("file-garbage", Level::Wrong, &[("file", &file)]);
            return None;
        };
        let values = [
            ("file", file.as_str()),
            ("version", connection.version.as_str()),
            ("environment", connection.environment.as_str()),
            ("started", &clock_time(connection.started_at)),
        ];
        self.add("file-found", Level::Well, &values);
        Some(connection)
    }

    fn process(&mut self, folder: &Path, connection: &Connection) {
        let pid = connection.pid.to_string();
        match connection::held(folder) {
            Some(true) => self.add("process-alive", Level::Well, &[("pid", &pid)]),
            Some(false) => self.add("process-dead", Level::Wrong, &[("pid", &pid)]),
            // The file system keeps no locks; who answers is asked next.
            None => {}
        }
    }

    /// Asks each address who it is. The key is told to whoever has proved to know it, and to nobody else.
    async fn addresses(&mut self, connection: &Connection) -> Option<StatusAnswer> {
        let mut told = None;
        let sockets = connection.sockets();
        if sockets.is_empty() {
            self.add("address-none", Level::Wrong, &[]);
        }
        for address in &sockets {
            let shown = format!("http://{address}");
            let values = [("address", shown.as_str())];
            let outcome = match private::fresh_key() {
                Ok(challenge) => self.ask(*address, Saying::Challenge(challenge.reveal())).await.map(|status| {
                    let proof = private::proof(&connection.key, challenge.reveal());
                    status.map(|status| status.link.is_some_and(|link| link.proof == Some(proof)))
                }),
                Err(error) => Err(error.to_string()),
            };
            let outcome = match outcome {
                Ok(Some(true)) => self.ask(*address, Saying::Key(&connection.key)).await,
                Ok(Some(false)) => {
                    self.add("address-key-wrong", Level::Wrong, &values);
                    continue;
                }
                Ok(None) => {
                    self.add("address-stranger", Level::Wrong, &values);
                    continue;
                }
                Err(reason) => Err(reason),
            };
            match outcome {
                Ok(Some(status)) if status.link.as_ref().is_some_and(|link| link.key == KeyFact::Right) => {
                    self.add("address-answers", Level::Well, &values);
                    told = Some(status);
                }
                Ok(_) => self.add("address-key-wrong", Level::Wrong, &values),
                Err(reason) => self.add("address-silent", Level::Wrong, &[("address", &shown), ("reason", &reason)]),
            }
        }
        if !sockets.is_empty() && sockets.iter().all(SocketAddr::is_ipv4) {
            self.add("address-no-ipv6", Level::Notice, &[]);
        }
        told
    }

    /// The status of whoever listens there; none when it is not the status of an eConnector.
    async fn ask(&self, address: SocketAddr, saying: Saying<'_>) -> Result<Option<StatusAnswer>, String> {
        let (_, body) = call::call(address, STATUS, saying, self.lang.code(), PATIENCE)
            .await
            .map_err(|error| error.to_string())?;
        let status: Option<StatusAnswer> = serde_json::from_slice(&body).ok();
        Ok(status.filter(|status| status.link.is_some()))
    }

    fn status(&mut self, connection: &Connection, status: StatusAnswer) {
        if status.version != connection.version {
            let values = [("file", connection.version.as_str()), ("running", status.version.as_str())];
            self.add("version-file", Level::Notice, &values);
        }
        let this = env!("CARGO_PKG_VERSION");
        if status.version != this {
            self.add("version-differs", Level::Notice, &[("running", &status.version), ("this", this)]);
        }
        let failing: Vec<&CheckAnswer> = status.checks.iter().filter(|check| !check.ok).collect();
        for check in &failing {
            self.add(
                "service-failing",
                Level::Wrong,
                &[("name", &check.label), ("detail", &check.detail)],
            );
        }
        if failing.is_empty() {
            self.add("services-well", Level::Well, &[]);
        }
        let refused = status.link.map(|link| link.refused).unwrap_or_default();
        if refused.is_empty() {
            self.add("refused-none", Level::Well, &[]);
        }
        for refusal in refused {
            let at = clock_time(refusal.at);
            let who = [refusal.software.as_deref(), refusal.origin.as_deref(), refusal.host.as_deref()];
            let who: Vec<&str> = who.into_iter().flatten().collect();
            self.findings.push(Finding {
                code: refusal.reason,
                level: Level::Notice,
                title: refusal.title,
                detail: format!(
                    "{} {} · {at} · ×{} {}",
                    refusal.method,
                    refusal.path,
                    refusal.times,
                    who.join(" · ")
                )
                .trim_end()
                .to_owned(),
                next: refusal.next,
            });
        }
    }

    /// Software that calls `localhost` must arrive at one of the addresses.
    async fn localhost(&mut self, connection: &Connection) {
        let sockets = connection.sockets();
        let Some(port) = sockets.first().map(SocketAddr::port) else {
            return;
        };
        let found: Vec<SocketAddr> = tokio::net::lookup_host(("localhost", port))
            .await
            .map(Iterator::collect)
            .unwrap_or_default();
        if !found.iter().any(|address| sockets.contains(address)) {
            let shown: Vec<String> = found.iter().map(|address| address.ip().to_string()).collect();
            self.add("localhost-elsewhere", Level::Notice, &[("addresses", &shown.join(", "))]);
        }
    }

    /// A proxy cannot reach this computer's own loopback; software that asks one gets the proxy's error.
    fn proxies(&mut self, connection: &Connection, variable: &dyn Fn(&str) -> Option<String>) {
        let set = |name: &&str| variable(name).is_some_and(|value| !value.trim().is_empty());
        let proxies: Vec<&str> = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
            .into_iter()
            .filter(set)
            .collect();
        let mut wanted = vec!["localhost", "127.0.0.1"];
        if connection.sockets().iter().any(SocketAddr::is_ipv6) {
            wanted.push("::1");
        }
        let exceptions: Vec<String> = ["no_proxy", "NO_PROXY"]
            .into_iter()
            .filter_map(variable)
            .flat_map(|list| list.split(',').map(|host| host.trim().to_ascii_lowercase()).collect::<Vec<_>>())
            .collect();
        let excepted = |host: &&str| {
            exceptions.iter().any(|known| match known.as_str() {
                "*" => true,
                "127.0.0.0/8" => *host == "127.0.0.1",
                known => known.trim_start_matches('.').trim_matches(['[', ']']) == *host,
            })
        };
        let missing: Vec<&str> = wanted.into_iter().filter(|host| !excepted(host)).collect();
        if !proxies.is_empty() && !missing.is_empty() {
            let values = [("variables", proxies.join(", ")), ("missing", missing.join(","))];
            let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
            self.add("proxy-catches", Level::Notice, &values);
        }
    }
}

/// What others wrote may hold characters that command a terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

fn clock_time(at: time::OffsetDateTime) -> String {
    at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    title: String,
    detail: String,
    next: String,
}

fn texts(lang: Lang) -> Option<&'static BTreeMap<String, Text>> {
    static TEXTS: OnceLock<[Option<BTreeMap<String, Text>>; 4]> = OnceLock::new();
    let all = TEXTS.get_or_init(|| {
        [
            include_str!("../texts/doctor.fr.json"),
            include_str!("../texts/doctor.de.json"),
            include_str!("../texts/doctor.en.json"),
            include_str!("../texts/doctor.lb.json"),
        ]
        .map(|text| serde_json::from_str(text).ok())
    });
    let index = Lang::ALL.iter().position(|known| *known == lang)?;
    all.get(index).and_then(Option::as_ref)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn placeholders(text: &Text) -> BTreeSet<String> {
        let all = format!("{}{}{}", text.title, text.detail, text.next);
        all.split('{')
            .skip(1)
            .filter_map(|part| part.split_once('}'))
            .map(|(name, _)| name.to_owned())
            .collect()
    }

    #[test]
    fn four_languages_say_the_same() {
        let french = texts(Lang::Fr).unwrap();
        for lang in Lang::ALL {
            let other = texts(lang).unwrap();
            assert_eq!(french.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>(), "{lang:?}");
            for (code, text) in french {
                let translated = &other[code];
                assert_eq!(placeholders(text), placeholders(translated), "{lang:?} {code}");
                assert_eq!(text.next.is_empty(), translated.next.is_empty(), "{lang:?} {code}");
            }
        }
        let source = include_str!("doctor.rs");
        for code in french.keys() {
            assert!(source.contains(&format!("\"{code}\"")), "nobody finds {code}");
        }
    }

    fn connection(addresses: &str) -> Connection {
        let text = format!(
            r#"{{"url":"x","addresses":{addresses},"key":"k","pid":1,"version":"1","environment":"training","started_at":"2026-03-02T10:00:00Z"}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_proxy_is_named_unless_loopback_is_excepted() {
        let both = connection(r#"["http://127.0.0.1:1","http://[::1]:1"]"#);
        let v4 = connection(r#"["http://127.0.0.1:1"]"#);
        for (variables, of, missing) in [
            (vec![], &both, None),
            (vec![("http_proxy", "")], &both, None),
            (vec![("https_proxy", "http://proxy:3128")], &both, None),
            (vec![("http_proxy", "http://proxy:3128")], &both, Some("localhost,127.0.0.1,::1")),
            (vec![("ALL_PROXY", "socks5://proxy")], &v4, Some("localhost,127.0.0.1")),
            (vec![("HTTP_PROXY", "p"), ("NO_PROXY", "*")], &both, None),
            (vec![("HTTP_PROXY", "p"), ("no_proxy", "LOCALHOST, 127.0.0.1,[::1]")], &both, None),
            (vec![("HTTP_PROXY", "p"), ("NO_PROXY", "localhost,127.0.0.0/8")], &v4, None),
            (
                vec![("HTTP_PROXY", "p"), ("NO_PROXY", ".localhost,intern.example")],
                &v4,
                Some("127.0.0.1"),
            ),
        ] {
            let mut examination = Examination {
                lang: Lang::En,
                findings: Vec::new(),
            };
            examination.proxies(of, &|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            });
            match missing {
                None => assert!(examination.findings.is_empty(), "{variables:?}"),
                Some(missing) => {
                    let finding = examination.findings.first().unwrap();
                    assert_eq!((finding.code.as_str(), finding.level), ("proxy-catches", Level::Notice));
                    assert!(finding.next.contains(&format!("Add {missing} to NO_PROXY")), "{}", finding.next);
                }
            }
        }
    }

    #[test]
    fn an_address_elsewhere_gets_no_key() {
        for (addresses, kept) in [
            (r#"["http://127.0.0.1:5","http://[::1]:5"]"#, 2),
            (r#"["http://192.0.2.1:5"]"#, 0),
            (r#"["https://127.0.0.1:5","http://localhost:5","http://127.0.0.1:5/x"]"#, 0),
        ] {
            assert_eq!(connection(addresses).sockets().len(), kept, "{addresses}");
        }
    }

    #[test]
    fn a_terminal_is_not_commanded() {
        let report = Report {
            ok: false,
            folder: String::new(),
            findings: vec![Finding {
                code: "x".into(),
                level: Level::Wrong,
                title: "a\u{1b}[2Jb".into(),
                detail: String::new(),
                next: "c\nd".into(),
            }],
        };
        assert_eq!(report.to_string(), "✗ a[2Jb\n    cd\n");
    }
}
