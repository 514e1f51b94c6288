//! The image: its file system assembled as the Dockerfile does it, the last stage built by buildah, and what comes out run as nobody, on
//! a root that cannot be written, beside the stand-ins. And the manifests, judged by Kubernetes' own schema.

mod hospital;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use econnector_tests::{judge, judge_fails, project_file, venv_program};
use hospital::{Hospital, Server, program};
use reqwest::StatusCode;
use serde_json::Value;
use uuid::Uuid;

const USER: &str = "65532";

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

    // What the hospital mounts: readable by the user the image runs as, and by nobody to write.
    let mounts = [parent(&hospital.text("ca.pem")), parent(hospital.field("ca_pem"))];
    for folder in &mounts {
        readable(folder);
    }
    // What every engine puts into its containers: here, this machine's own.
    for file in ["etc/hosts", "etc/resolv.conf"] {
        std::fs::write(root.join(file), "").unwrap();
    }
    let variables = hospital.variables();
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
        std::fs::create_dir_all(root.join(folder.strip_prefix("/").unwrap())).unwrap();
        command.arg("--ro-bind").args([folder, folder]);
    }
    for (name, value) in &variables {
        command.args(["--setenv", name, value]);
    }
    let inside = |arguments: &[&str]| {
        let mut inside = Command::new("bwrap");
        inside
            .args(command.get_args().collect::<Vec<_>>())
            .arg("/econnector-server")
            .args(arguments);
        inside
    };
    let checked = inside(&["--check"]).output().unwrap();
    assert!(
        checked.status.success(),
        "{}{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
    let server = Server::started(&hospital, inside(&[]), &variables).await;
    let note = hospital.note(Uuid::new_v4());
    let request = hospital.client(None).post(format!("{}/econnector/v1/documents", server.url));
    let answer = request.bearer_auth(hospital.token().await).json(&note).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED, "{}", answer.text().await.unwrap());

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
    assert!(inside(&["healthcheck"]).status().unwrap().success());
    drop(server);
    assert!(!inside(&["healthcheck"]).status().unwrap().success());
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
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (store, run) = (path("store"), path("run"));
    let here = ["--storage-driver", "vfs", "--root", &store, "--runroot", &run];
    let buildah = |arguments: &[&str]| judge("buildah", &[&here[..], arguments].concat());
    let (file, context) = (path("Dockerfile"), path("."));
    // No engine and no registry: nothing is run in the image, and it begins with nothing.
    let _ = buildah(&[
        "build",
        "--isolation",
        "chroot",
        "--format",
        "docker",
        "--pull-never",
        "-t",
        "econnector-server",
        "-f",
        &file,
        &context,
    ]);
    let said = buildah(&["inspect", "--type", "image", "econnector-server"]);
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
    let container = buildah(&["from", "--pull-never", "econnector-server"]);
    let mounted = buildah(&["mount", container.trim()]);
    let inside = Path::new(mounted.trim()).join("econnector-server");
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
    // Every file that it mounts, and where the steps put it.
    for secret in compose
        .split("file: ./")
        .skip(1)
        .map(|rest| rest.split_whitespace().next().unwrap())
    {
        assert!(
            book.contains(&format!("> {secret}\n")) || book.contains(&format!("> {secret} ")),
            "{secret}"
        );
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
