use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The user that it takes, where it asks for one.
pub const PROXY_USER: &str = "praxis";
/// And the password.
pub const PROXY_PASSWORD: &str = "fictitious";

/// Somebody else's proxy, as many practices have one: it alone knows where a name leads, may ask for a password, and may open what is
/// encrypted, under an authority of its own.
pub struct Squid {
    program: Child,
    port: u16,
    folder: TempDir,
}

/// What kind of proxy it is.
#[derive(Clone, Copy, Default)]
pub struct SquidOptions<'a> {
    /// Asks for [`PROXY_USER`] and [`PROXY_PASSWORD`].
    pub password: bool,
    /// Opens what is encrypted; trusts this authority (PEM) for what lies behind.
    pub opens: Option<&'a Path>,
}

impl Squid {
    /// Starts one for which this name is this computer.
    ///
    /// # Panics
    /// When it is missing or does not come up.
    pub async fn start(name: &str, options: SquidOptions<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = |file: &str| folder.path().join(file);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(place("hosts"), format!("127.0.0.1 {name}\n")).unwrap();
        let port = free_port();
        let mut listen = format!("http_port 127.0.0.1:{port}");
        let mut more = String::new();
        if options.password {
            let hash = ran("openssl", &["passwd", "-apr1", PROXY_PASSWORD]);
            let hash = String::from_utf8(hash.stdout).unwrap();
            fs::write(place("passwords"), format!("{PROXY_USER}:{hash}")).unwrap();
            more += &format!(
                "auth_param basic program /usr/lib/squid/basic_ncsa_auth {}\nauth_param basic children 1\nauth_param basic realm practice\n\
                 acl known proxy_auth REQUIRED\nhttp_access deny !known\n",
                place("passwords").display()
            );
        }
        if let Some(behind) = options.opens {
            let (certificate, key) = (place("authority.pem"), place("authority.key"));
            let subject = ["-subj", "/O=Fictitious practice/CN=Inspection", "-days", "2"];
            let made = [
                &[
                    "req",
                    "-x509",
                    "-newkey",
                    "rsa:2048",
                    "-nodes",
                    "-keyout",
                    text(&key),
                    "-out",
                    text(&certificate),
                ][..],
                &subject,
            ];
            ran("openssl", &made.concat());
            fs::copy(behind, place("behind.pem")).unwrap();
            ran(
                "/usr/lib/squid/security_file_certgen",
                &["-c", "-s", text(&place("made")), "-M", "4MB"],
            );
            listen += &format!(
                " ssl-bump tls-cert={} tls-key={} generate-host-certificates=on dynamic_cert_mem_cache_size=1MB",
                certificate.display(),
                key.display()
            );
            more += &format!(
                "sslcrtd_program /usr/lib/squid/security_file_certgen -s {} -M 4MB\nsslcrtd_children 1\nssl_bump bump all\n\
                 tls_outgoing_options cafile={}\n",
                place("made").display(),
                place("behind.pem").display()
            );
        }
        let settings = format!(
            "{listen}\nvisible_hostname proxy.practice.example\nhosts_file {}\npid_filename none\naccess_log stdio:{}\ncache_log {}\n\
             cache deny all\ncache_mem 8 MB\nnetdb_filename none\nshutdown_lifetime 1 second\n{more}http_access allow all\n",
            place("hosts").display(),
            place("access.log").display(),
            place("cache.log").display(),
        );
        fs::write(place("squid.conf"), settings).unwrap();
        // Started by the administrator it works as another user.
        if ran("id", &["-u"]).stdout.trim_ascii() == b"0" {
            ran("chown", &["-R", "proxy:proxy", text(folder.path())]);
        }
        let said = fs::File::create(place("said")).unwrap();
        let program = Command::new("squid")
            .args(["-N", "-f", text(&place("squid.conf"))])
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .unwrap_or_else(|error| panic!("squid: {error}: `cargo xtask test` installs it"));
        let squid = Self { program, port, folder };
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "squid does not come up: {}", squid.said());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        squid
    }

    /// Its address, with user and password where it asks for them.
    #[must_use]
    pub fn url(&self, password: bool) -> String {
        if password {
            format!("http://{PROXY_USER}:{PROXY_PASSWORD}@127.0.0.1:{}", self.port)
        } else {
            format!("http://127.0.0.1:{}", self.port)
        }
    }

    /// The authority under which it opens what is encrypted (PEM).
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// What went through it, a line each.
    #[must_use]
    pub fn passed(&self) -> String {
        fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default()
    }

    fn said(&self) -> String {
        let read = |file: &str| fs::read_to_string(self.folder.path().join(file)).unwrap_or_default();
        format!("{}{}", read("said"), read("cache.log"))
    }
}

impl Drop for Squid {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn ran(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}: `cargo xtask test` installs it"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
