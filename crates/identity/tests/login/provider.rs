//! The certified npm `oidc-provider` of tests/peers, shaped like Keycloak, as a process of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};

/// The provider's process; it ends with its standard input.
pub struct Provider {
    process: Child,
    orders: Mutex<Option<ChildStdin>>,
    /// As it writes it.
    pub issuer: String,
    /// The authority of its certificate.
    pub ca_pem: Vec<u8>,
    said: Arc<Mutex<Vec<String>>>,
    _pki: tempfile::TempDir,
}

impl Provider {
    /// Starts it with these settings (environment variables, see the program's head) and waits until it answers.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let pki = tempfile::tempdir().unwrap();
        let ca_pem = certify(pki.path());
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|folder| folder.join("tests/peers"));
        let folder = folder.into_iter().find(|folder| folder.is_dir()).unwrap();
        assert!(
            folder.join("node_modules").is_dir(),
            "run `npm ci` in tests/peers (cargo xtask test does)"
        );
        let mut process = Command::new("node")
            .arg("oidc-provider.mjs")
            .current_dir(folder)
            .env("PKI", pki.path())
            .envs(settings.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (lines, heard) = (BufReader::new(process.stdout.take().unwrap()).lines(), said.clone());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                heard.lock().unwrap().push(line);
            }
        });
        let mut provider = Self {
            orders: Mutex::new(process.stdin.take()),
            process,
            issuer: String::new(),
            ca_pem,
            said,
            _pki: pki,
        };
        provider.issuer = provider.hear("ready ", 0);
        provider
    }

    /// Gives it an order, and waits until it is carried out: `lose`, `rotate`, `retire`.
    pub fn order(&self, order: &str) {
        let done = format!("done {order}");
        let mut orders = self.orders.lock().unwrap();
        let before = self.said_so_far(&done);
        writeln!(orders.as_mut().unwrap(), "{order}").unwrap();
        self.hear(&done, before);
    }

    /// How many lines it has said that begin so.
    pub fn count(&self, start: &str) -> usize {
        // What it says takes another way than its answers, and may be slower.
        self.order("pause");
        self.said_so_far(start)
    }

    fn said_so_far(&self, start: &str) -> usize {
        self.said.lock().unwrap().iter().filter(|line| line.starts_with(start)).count()
    }

    /// Waits for a line that begins so, after so many others, and returns the rest of it.
    fn hear(&self, start: &str, after: usize) -> String {
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            let said = self.said.lock().unwrap();
            if let Some(rest) = said.iter().filter_map(|line| line.strip_prefix(start)).nth(after) {
                return rest.to_owned();
            }
            drop(said);
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the provider does not say {start:?}: {:?}", self.said.lock().unwrap());
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.orders.lock().unwrap().take());
        let _ = self.process.wait();
    }
}

/// An authority, and what it issued for `localhost`; returns the authority's certificate.
fn certify(folder: &Path) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Test AeS CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    std::fs::write(folder.join("server.crt"), certificate.pem()).unwrap();
    std::fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
    authority.pem().into_bytes()
}
