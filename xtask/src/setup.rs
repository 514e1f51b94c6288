//! Installs what a command needs: apt packages, npm packages, Python programs in a virtual environment of the project.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::process::{Outcome, has, npm, root, run};

/// To build and open the window.
const TO_BUILD: &[&str] = &[
    "build-essential",
    "pkg-config",
    "libwebkit2gtk-4.1-dev",
    "libayatana-appindicator3-dev",
    "librsvg2-dev",
    "xdg-utils",
    "ca-certificates",
];

/// Other people's programs, as judges and drivers.
const TO_TEST: &[&str] = &[
    "python3-venv",
    "xvfb",
    "xauth",
    "webkit2gtk-driver",
    "gnome-keyring",
    "libsecret-tools",
    "dbus",
    "dbus-x11",
    "xdotool",
    "x11-utils",
    "openssl",
    "poppler-utils",
    "qpdf",
    "dmtx-utils",
    "xmlsec1",
    "libxml2-utils",
    "cups-daemon",
    "cups-client",
    "chromium",
    "chromium-driver",
    "libnss3-tools",
    "prometheus",
    "squid-openssl",
    "buildah",
    "bubblewrap",
    "curl",
    "mono-mcs",
    "mono-runtime",
    "ca-certificates-mono",
    "libmono-system-net-http4.0-cil",
    "libmono-system-runtime-serialization4.0-cil",
    "libmono-system-xml-linq4.0-cil",
];

pub(crate) fn to_build() -> Outcome {
    system(TO_BUILD, "the desktop")?;
    node()?;
    npm_packages("ui")
}

/// The stand-ins and the server have no window.
pub(crate) fn to_build_server() -> Outcome {
    system(&["build-essential", "pkg-config", "ca-certificates"], "the sandbox")
}

pub(crate) fn to_test() -> Outcome {
    to_build()?;
    system(TO_TEST, "the tests")?;
    peers()?;
    python("tests/peers/requirements.txt")?;
    python("installer/kubernetes/requirements.txt")
}

/// What the server is compared with: a Java runtime for JasperReports, which a Python package brings along.
pub(crate) fn to_bench() -> Outcome {
    to_build_server()?;
    system(&["python3-venv", "default-jre-headless"], "the benchmark")?;
    python("bench/peer/requirements.txt")
}

/// Other people's JavaScript programs.
pub(crate) fn peers() -> Outcome {
    npm_packages("tests/peers")
}

/// The project's Python environment.
pub(crate) fn venv() -> PathBuf {
    root().join(".venv")
}

/// Python programs, pinned in a requirements file.
pub(crate) fn python(requirements: &str) -> Outcome {
    let venv = venv();
    let wanted = fs::read_to_string(root().join(requirements)).map_err(|error| format!("{requirements}: {error}"))?;
    let stamp = venv.join(format!("{}.installed", requirements.replace('/', "-")));
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if !venv.join("bin/python").exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    run(Command::new(venv.join("bin/python")).current_dir(root()).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        requirements,
    ]))?;
    fs::write(stamp, wanted).map_err(|error| error.to_string())
}

fn node() -> Outcome {
    let version = Command::new("node")
        .arg("--version")
        .output()
        .ok()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let major = version
        .as_deref()
        .and_then(|version| version.trim().trim_start_matches('v').split('.').next())
        .and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(20..) if has(if cfg!(windows) { "npm.cmd" } else { "npm" }) => Ok(()),
        Some(20..) => Err("npm is missing beside node".to_owned()),
        Some(major) => Err(format!(
            "node {major} is too old: the window is built with node 20 or newer, with npm"
        )),
        None => Err("node 20 or newer, with npm, is needed to build the window: https://nodejs.org or your system's packages".to_owned()),
    }
}

fn npm_packages(folder: &str) -> Outcome {
    let lock = fs::read_to_string(root().join(folder).join("package-lock.json"))
        .map_err(|error| format!("{folder}/package-lock.json: {error}"))?;
    let stamp = root().join(folder).join("node_modules/.installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    run(npm(folder).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]))?;
    fs::write(stamp, lock).map_err(|error| error.to_string())
}

/// Installs Debian packages that are missing; elsewhere says what to install by hand.
fn system(packages: &[&str], purpose: &str) -> Outcome {
    if cfg!(target_os = "macos") {
        eprintln!("macOS: {purpose} needs Xcode's command line tools (xcode-select --install); the window tests have no driver there");
        return Ok(());
    }
    if cfg!(windows) {
        eprintln!("Windows: {purpose} needs the Visual Studio build tools and the WebView2 runtime");
        return Ok(());
    }
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("install by hand, for {purpose}: {}", missing.join(" "));
    if !has("apt-get") {
        return Err(format!("this is no Debian; {by_hand}"));
    }
    eprintln!("installing for {purpose}: {}", missing.join(" "));
    run(&mut apt(&["update", "-qq"])?).map_err(|error| format!("{error}\n{by_hand}"))?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(&missing);
    run(&mut apt(&arguments)?).map_err(|error| format!("{error}\n{by_hand}"))
}

fn installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f=${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| output.stdout == b"installed")
}

fn apt(arguments: &[&str]) -> Outcome<Command> {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    let mut command = if root {
        Command::new("apt-get")
    } else if has("sudo") {
        let mut sudo = Command::new("sudo");
        sudo.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        sudo
    } else {
        return Err("packages are missing and neither root nor sudo is at hand".to_owned());
    };
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(arguments)
        .stdout(Stdio::null());
    Ok(command)
}
