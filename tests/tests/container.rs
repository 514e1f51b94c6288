//! The image: its file system assembled as the Dockerfile does it, the last stage built by buildah, and what comes out run as nobody, on
//! a root that cannot be written, beside the stand-ins. And the manifests, judged by Kubernetes' own schema.

mod hospital;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use econnector_tests::{judge, judge_fails, project_file, venv_program};
use hospital::{Hospital, Server, Variables, program};
use reqwest::StatusCode;
use serde_json::Value;
use uuid::Uuid;

const USER: &str = "65532";
const IMAGE: &str = "econnector-server";

/// What the first stage of the Dockerfile leaves, of the program built for the tests.
fn root_file_system(folder: &Path) -> PathBuf {
    let root = folder.join("rootfs");
    let script = project_file("installer/container/rootfs.sh");
    let said = judge(
        "sh",
        &[script.to_str().unwrap(), program().to_str().unwrap(), root.to_str().unwrap()],
    );
    assert_eq!(said, "");
    root
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_runs_as_nobody_on_a_root_that_cannot_be_written() {
    let hospital = Hospital::open().await;
    let root = root_file_system(&parent(&hospital.text("ca.pem")));
    // Nothing to log in with, and nothing but the program, its libraries, the authorities and names.
    let files = files_below(&root);
    let known = |file: &&String| {
        let library = file.starts_with("lib") && file.contains(".so");
        library
            || matches!(
                file.as_str(),
                "econnector-server" | "etc/ssl/certs/ca-certificates.crt" | "etc/passwd" | "etc/group" | "etc/nsswitch.conf"
            )
    };
    let unknown: Vec<&String> = files.iter().filter(|file| !known(file)).collect();
    assert!(unknown.is_empty() && files.len() < 15, "{unknown:?} in {files:?}");

    // What the hospital mounts: readable by the user the image runs as, and by nobody to write. Fonts as the official server wants them.
    let fonts = tempfile::tempdir().unwrap();
    std::fs::write(fonts.path().join("arial.ttf"), "no font").unwrap();
    let mounts = [
        parent(&hospital.text("ca.pem")),
        parent(hospital.field("ca_pem")),
        fonts.path().to_owned(),
    ];
    for folder in &mounts {
        readable(folder);
        std::fs::create_dir_all(root.join(folder.strip_prefix("/").unwrap())).unwrap();
    }
    // What every engine puts into its containers: here, this machine's own.
    for file in ["etc/hosts", "etc/resolv.conf"] {
        std::fs::write(root.join(file), "").unwrap();
    }
    let inside = |variables: &Variables, arguments: &[&str]| {
        let mut command = Command::new("bwrap");
        command.args([
            "--unshare-user",
            "--unshare-pid",
            "--unshare-ipc",
            "--unshare-uts",
            "--die-with-parent",
            "--as-pid-1",
        ]);
        command.args(["--uid", USER, "--gid", USER, "--cap-drop", "ALL", "--clearenv"]);
        command
            .arg("--ro-bind")
            .arg(&root)
            .arg("/")
            .args(["--proc", "/proc", "--dev", "/dev"]);
        command.args([
            "--ro-bind",
            "/etc/hosts",
            "/etc/hosts",
            "--ro-bind-try",
            "/etc/resolv.conf",
            "/etc/resolv.conf",
        ]);
        for folder in &mounts {
            command.arg("--ro-bind").args([folder, folder]);
        }
        for (name, value) in variables {
            command.args(["--setenv", name, value]);
        }
        command.arg("/econnector-server").args(arguments);
        command
    };
    // As a hospital leaves it: the image's authorities, and one more.
    let mut variables = hospital.variables();
    variables.remove("ECONNECTOR_CA_FILE_ONLY");
    variables.insert("INSTALL_MSFFONTS".to_owned(), "true".to_owned());
    let checked = inside(&variables, &["--check"]).output().unwrap();
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(
        checked.status.success() && said.contains("note: INSTALL_MSFFONTS changes nothing"),
        "{said}{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    let send = async |server: &Server| {
        let note = hospital.note(Uuid::new_v4());
        let request = hospital.client(None).post(format!("{}/econnector/v1/documents", server.url));
        let answer = request.bearer_auth(hospital.token().await).json(&note).send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    let server = Server::started(&hospital, inside(&variables, &[]), &variables).await;
    let (status, document) = send(&server).await;
    assert_eq!(status, StatusCode::CREATED, "{document}");

    let process = inside_of(server.child.id());
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!(line("CapEff:").trim_start_matches('0'), "", "no capability");
    assert!(line("Name:").starts_with("econnector-serv"));
    let mounted = std::fs::read_to_string(format!("/proc/{process}/mountinfo")).unwrap();
    let at_root = mounted.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap();
    assert!(
        at_root.split(' ').nth(5).unwrap().split(',').any(|option| option == "ro"),
        "{at_root}"
    );
    assert!(inside(&variables, &["healthcheck"]).status().unwrap().success());
    drop(server);
    assert!(!inside(&variables, &["healthcheck"]).status().unwrap().success());

    // And without one more: whom the image's own file names is believed, and nobody else.
    variables.remove("ECONNECTOR_CA_FILE");
    let server = Server::started(&hospital, inside(&variables, &[]), &variables).await;
    let (_, problem) = send(&server).await;
    assert_eq!(problem["code"], "net-tls-unknown-issuer", "{problem}");
    drop(server);
    let store = root.join("etc/ssl/certs/ca-certificates.crt");
    let authorities = [&store, Path::new(hospital.field("ca_pem"))].map(|file| std::fs::read_to_string(file).unwrap());
    std::fs::write(&store, authorities.join("\n")).unwrap();
    let server = Server::started(&hospital, inside(&variables, &[]), &variables).await;
    let (status, document) = send(&server).await;
    assert_eq!(status, StatusCode::CREATED, "{document}");
}

#[test]
fn what_the_image_is_built_from_lacks_no_file() {
    let folder = tempfile::tempdir().unwrap();
    // What reaches the first stage: `.dockerignore` is read by the program that will read it.
    std::fs::write(folder.path().join("Dockerfile"), "FROM scratch\nCOPY . /source/\n").unwrap();
    let source = built(folder.path(), &project_file("")).join("source");
    assert!(
        !source.join("target").exists() && !source.join(".git").exists(),
        "what is ignored stays out"
    );
    // Every package of the workspace is there, and the lock file fits. Nothing is compiled.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args([
            "tree",
            "--locked",
            "--offline",
            "-p",
            "econnector-server",
            "--edges",
            "normal,build",
        ])
        .current_dir(&source)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&tree.stdout);
    assert!(
        tree.status.success() && said.contains("econnector-documents v"),
        "{said}{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    // And every file that the compiler read, such as fonts, forms and texts, as it noted beside the program.
    let noted = std::fs::read_to_string(program().with_extension("d")).unwrap();
    let (_, files) = noted.split_once(": ").unwrap();
    let here = project_file("");
    let here = here.to_str().unwrap();
    let files: Vec<&str> = files
        .split_whitespace()
        .filter_map(|file| file.strip_prefix(here))
        .filter(|file| !file.starts_with("target/"))
        .collect();
    assert!(files.iter().any(|file| file.ends_with(".ttf")) && files.len() > 100, "{files:?}");
    for file in files {
        assert!(source.join(file).exists(), "{file} does not reach the image");
    }
}

/// The file system that buildah makes of a folder's Dockerfile and a context, while the folder is there.
fn built(folder: &Path, context: &Path) -> PathBuf {
    let _ = buildah(
        folder,
        &[
            "build",
            "--isolation",
            "chroot",
            "--format",
            "docker",
            "--pull-never",
            "-t",
            IMAGE,
            "-f",
            folder.join("Dockerfile").to_str().unwrap(),
            context.to_str().unwrap(),
        ],
    );
    let container = buildah(folder, &["from", "--pull-never", IMAGE]);
    let mounted = buildah(folder, &["mount", container.trim()]);
    PathBuf::from(mounted.trim())
}

/// No engine and no registry: its images lie in the folder.
fn buildah(folder: &Path, arguments: &[&str]) -> String {
    let (store, run) = (folder.join("store"), folder.join("run"));
    let here = [
        "--storage-driver",
        "vfs",
        "--root",
        store.to_str().unwrap(),
        "--runroot",
        run.to_str().unwrap(),
    ];
    judge("buildah", &[&here[..], arguments].concat())
}

#[test]
fn buildah_builds_the_last_stage_with_its_user_probe_and_ports() {
    let folder = tempfile::tempdir().unwrap();
    root_file_system(folder.path());
    let dockerfile = std::fs::read_to_string(project_file("installer/container/Dockerfile")).unwrap();
    let (first, last) = dockerfile.split_once("\nFROM scratch\n").unwrap();
    // The first stage needs a registry and a compiler; what it runs is run here.
    assert!(first.contains("installer/container/rootfs.sh") && first.contains("--locked"));
    assert!(last.contains("COPY --from=build /rootfs/ /"));
    let last = last.replace("COPY --from=build /rootfs/ /", "COPY rootfs/ /");
    std::fs::write(folder.path().join("Dockerfile"), format!("FROM scratch\n{last}")).unwrap();
    // Nothing is run in the image, and it begins with nothing.
    let mounted = built(folder.path(), folder.path());
    let said = buildah(folder.path(), &["inspect", "--type", "image", IMAGE]);
    let image: Value = serde_json::from_str(&said).unwrap();
    let config = &image["Docker"]["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/econnector-server"]));
    assert_eq!(
        config["Healthcheck"]["Test"],
        serde_json::json!(["CMD", "/econnector-server", "healthcheck"])
    );
    assert_eq!(config["StopSignal"], "SIGTERM");
    let ports: Vec<&String> = config["ExposedPorts"].as_object().unwrap().keys().collect();
    assert_eq!(ports, ["8081/tcp", "8443/tcp"]);
    assert!(
        config["Env"]
            .as_array()
            .unwrap()
            .contains(&"ECONNECTOR_MANAGEMENT_PORT=8081".into())
    );
    let inside = mounted.join("econnector-server");
    assert_eq!(inside.metadata().unwrap().permissions().mode() & 0o7777, 0o755);
}

#[test]
fn kubernetes_schema_takes_the_manifests_and_a_wrong_one_not() {
    let folder = project_file("installer/kubernetes");
    let validate = venv_program("kubernetes-validate");
    let base = folder.join("base");
    let listed = std::fs::read_to_string(base.join("kustomization.yaml")).unwrap();
    let mut manifests = vec![
        folder.join("overlays/hospital/namespace.yaml"),
        folder.join("overlays/hospital/settings.yaml"),
    ];
    for entry in std::fs::read_dir(&base).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name != "kustomization.yaml" {
            assert!(listed.contains(&format!("- {name}")), "{name} is in no kustomization");
            manifests.push(entry.path());
        }
    }
    assert_eq!(listed.matches("  - ").count(), manifests.len() - 2);
    for manifest in &manifests {
        let said = judge(&validate, &["--strict", manifest.to_str().unwrap()]);
        assert!(said.contains("passed"), "{said}");
    }
    let deployment = std::fs::read_to_string(base.join("deployment.yaml")).unwrap();
    let wrong = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(wrong.path(), deployment.replace("readinessProbe:", "readynessProbe:")).unwrap();
    let _ = judge_fails(&validate, &["--strict", wrong.path().to_str().unwrap()]);
    // The manifests ask for what the program has.
    for path in ["/econnector/health/live", "/econnector/health/ready"] {
        assert!(deployment.contains(path));
    }
    for must in [
        "readOnlyRootFilesystem: true",
        "runAsNonRoot: true",
        "drop: [\"ALL\"]",
        "replicas: 2",
        "maxUnavailable: 0",
    ] {
        assert!(deployment.contains(must), "{must}");
    }
    assert!(
        std::fs::read_to_string(base.join("service.yaml"))
            .unwrap()
            .contains("sessionAffinity: ClientIP")
    );
}

/// What the book says about taking settings out of the base.
const TAKEN_OUT: [&str; 2] = ["ECONNECTOR_CLIENTS_FILE", "ECONNECTOR_CLIENT_SECRET_FILE"];

#[test]
fn an_overlay_takes_out_what_the_base_sets_as_the_book_says() {
    let base = std::fs::read_to_string(project_file("installer/kubernetes/base/configmap.yaml")).unwrap();
    let book = std::fs::read_to_string(project_file("docs/hospital.md")).unwrap();
    for name in TAKEN_OUT {
        assert!(base.contains(&format!("\n  {name}: ")), "the base does not set {name}");
        assert!(
            book.contains(&format!("`{name}: null`")),
            "docs/hospital.md does not say how to take out {name}"
        );
    }
    if Command::new("kubectl").arg("version").arg("--client").output().is_err() {
        eprintln!("kubectl is not on this machine: the overlay is not put together");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp")
        .arg("-r")
        .arg(project_file("installer/kubernetes"))
        .arg(folder.path())
        .status();
    assert!(copied.unwrap().success());
    let overlay = folder.path().join("kubernetes/overlays/hospital");
    let put_together = || judge("kubectl", &["kustomize", overlay.to_str().unwrap()]);
    let plain = put_together();
    for part in [
        "ECONNECTOR_CLIENTS_FILE: ",
        // Whoever fills in nothing has accepted nothing, and sends no real document.
        "ACCEPT_LICENSE: \"no\"",
        "SPRING_PROFILES_ACTIVE: docker-integration",
        "image: registry.hospital.example/",
        "namespace: econnector",
    ] {
        assert!(plain.contains(part), "{part}: {plain}");
    }
    let file = folder.path().join("plain.yaml");
    std::fs::write(&file, &plain).unwrap();
    let said = judge(venv_program("kubernetes-validate"), &["--strict", file.to_str().unwrap()]);
    assert_eq!(said.matches(" passed ").count(), plain.matches("\nkind: ").count(), "{said}");

    // What stands there in comments, and what the book says.
    let settings = overlay.join("settings.yaml");
    let nulls = TAKEN_OUT.map(|name| format!("  {name}: null\n")).concat();
    std::fs::write(&settings, std::fs::read_to_string(&settings).unwrap() + &nulls).unwrap();
    let kustomization = overlay.join("kustomization.yaml");
    let text = std::fs::read_to_string(&kustomization).unwrap();
    let (before, components) = text.split_once("# components:").unwrap();
    std::fs::write(&kustomization, format!("{before}components:{}", components.replace("\n#", "\n"))).unwrap();
    let changed = put_together();
    for name in TAKEN_OUT {
        assert!(!changed.contains(name), "{name}: {changed}");
    }
    assert!(
        changed.contains("SAAS_KEYSTORE: ") && changed.contains("\nkind: ServiceMonitor\n"),
        "{changed}"
    );
}

#[test]
fn the_book_says_what_the_compose_file_asks_for() {
    let read = |file: &str| std::fs::read_to_string(project_file(file)).unwrap();
    let compose = read("installer/container/compose.yaml");
    let (book, example) = (read("docs/hospital.md"), read("installer/container/env.example"));
    let asked: Vec<&str> = compose
        .split("${")
        .skip(1)
        .map(|rest| rest.split(['}', ':']).next().unwrap())
        .collect();
    assert!(asked.len() >= 4, "{asked:?}");
    for name in &asked {
        assert!(book.contains(&format!("| `{name}` |")), "{name} in docs/hospital.md");
        assert!(
            example.lines().any(|line| line.starts_with(&format!("{name}="))),
            "{name} in env.example"
        );
    }
    let given = example.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
    for name in given.filter(|name| !name.starts_with('#')) {
        assert!(asked.contains(&name), "compose.yaml does not ask for {name}");
    }
    // What it mounts are whole folders, so that a file put in another's place is seen; and the steps put there what it reads.
    for folder in ["files", "secrets"] {
        assert!(compose.contains(&format!("- ./{folder}:/run/{folder}:ro\n")), "{folder}");
    }
    assert!(!compose.contains("secrets:\n"), "a secret mounted alone");
    let secrets: Vec<&str> = compose
        .split(": /run/secrets/")
        .skip(1)
        .map(|rest| rest.split_whitespace().next().unwrap())
        .collect();
    assert!(secrets.len() >= 4, "{secrets:?}");
    for secret in &secrets {
        assert!(made_in_step_4(&book, secret), "{secret}");
    }
    for file in compose
        .split("/run/files/")
        .skip(1)
        .map(|rest| rest.split_whitespace().next().unwrap())
    {
        assert!(book.contains(file), "{file}");
    }
    // Both give what is under way the time that it has by default, and the book says so.
    let deployment = read("installer/kubernetes/base/deployment.yaml");
    assert!(compose.contains("stop_grace_period: 105s") && deployment.contains("terminationGracePeriodSeconds: 105"));
    assert!(book.contains("terminationGracePeriodSeconds: 105"));
    for line in ["| `ECONNECTOR_DRAIN_DELAY_SECONDS` |", "| `ECONNECTOR_DRAIN_SECONDS` |"] {
        let line = book.lines().find(|told| told.starts_with(line)).unwrap();
        assert!(line.ends_with("| 5 |") || line.ends_with("| 90 |"), "{line}");
    }
}

/// Whether the book's fourth step writes this secret.
fn made_in_step_4(book: &str, secret: &str) -> bool {
    [" ", "\n"].iter().any(|end| book.contains(&format!("> secrets/{secret}{end}")))
}

#[test]
fn the_books_commands_for_kubernetes_give_what_the_manifests_read_of_what_step_4_made() {
    let read = |file: &str| std::fs::read_to_string(project_file(file)).unwrap();
    let book = read("docs/hospital.md");
    let (_, section) = book.split_once("\n## Kubernetes\n").unwrap();
    let given: std::collections::BTreeMap<&str, &str> = section
        .split("--from-file=")
        .skip(1)
        .map(|rest| rest.split([' ', '\n', '`']).next().unwrap())
        .map(|given| given.split_once('=').unwrap_or_else(|| (given.rsplit('/').next().unwrap(), given)))
        .collect();
    let settings = read("installer/kubernetes/base/configmap.yaml") + &read("installer/kubernetes/overlays/hospital/settings.yaml");
    let asked = |folder: &str| -> Vec<String> {
        let before = format!(": {folder}");
        let named = settings.split(&before).skip(1).map(|rest| rest.split_whitespace().next().unwrap());
        named.map(ToOwned::to_owned).collect()
    };
    let (files, passwords) = (asked("/run/files/"), asked("/run/passwords/"));
    assert!(files.len() >= 5 && passwords.len() >= 4, "{files:?} {passwords:?}");
    for file in &files {
        assert_eq!(given.get(file.as_str()), Some(&format!("$F/{file}").as_str()), "{file}");
    }
    for password in &passwords {
        let secret = given.get(password.as_str()).and_then(|file| file.strip_prefix("$S/"));
        assert!(secret.is_some_and(|secret| made_in_step_4(&book, secret)), "{password}: {secret:?}");
    }
    assert_eq!(given.len(), files.len() + passwords.len(), "{given:?}");
}

fn files_below(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files
}

fn parent(file: &str) -> PathBuf {
    Path::new(file).parent().unwrap().to_owned()
}

/// As a mounted secret is: readable by the group of the container.
fn readable(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            std::fs::set_permissions(entry.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        }
    }
}

/// The program itself, below the one that made its surroundings.
fn inside_of(outer: u32) -> u32 {
    let children = std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).unwrap();
    match children.split_whitespace().next() {
        Some(child) => inside_of(child.parse().unwrap()),
        None => outer,
    }
}
