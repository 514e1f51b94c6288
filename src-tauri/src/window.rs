use tauri::webview::NewWindowResponse;
use tauri::{Manager as _, WebviewUrl, WebviewWindowBuilder};

use crate::browser::SystemBrowser;
use crate::host::{Folders, Ready};
use crate::{door, downloads};

/// Opens the window and runs until it is closed.
pub(crate) fn run() -> Result<(), tauri::Error> {
    tauri::Builder::default()
        .register_asynchronous_uri_scheme_protocol(door::SCHEME, |context, request, responder| {
            door::respond(&context.app_handle().state::<Ready>(), request, responder);
        })
        .setup(|app| {
            let folders = Folders {
                config: app.path().app_config_dir()?,
                data: app.path().app_local_data_dir()?,
            };
            if !may_be_automated(&folders) {
                return Err("automation of the window is for training mode only".into());
            }
            app.manage(Ready::start(tauri::async_runtime::handle().inner(), folders));
            open(app)?;
            Ok(())
        })
        .run(tauri::generate_context!())
}

/// Nothing typed stays behind: no profile on disk, no autofill, no developer tools, no way out of the embedded page.
fn open(app: &tauri::App) -> Result<(), tauri::Error> {
    WebviewWindowBuilder::new(app, "main", WebviewUrl::App("index.html".into()))
        .title("eConnector")
        .inner_size(1280.0, 800.0)
        .min_inner_size(640.0, 480.0)
        .incognito(!asked_for_automation())
        .general_autofill_enabled(false)
        .devtools(false)
        // Saving a volet is a navigation to a blob of the page's own, which becomes a download.
        .on_navigation(|url| matches!(url.scheme(), "tauri" | "blob") || (cfg!(windows) && url.host_str() == Some("tauri.localhost")))
        .on_new_window(|url, _| {
            use econnector_identity::Browser as _;
            SystemBrowser.open(url.as_str());
            NewWindowResponse::Deny
        })
        .on_download(|webview, event| downloads::place(&webview, event))
        .build()?;
    Ok(())
}

/// A driver could read what is typed: outside training mode the variables that let one in end the program instead.
fn may_be_automated(folders: &Folders) -> bool {
    !asked_for_automation() || !folders.config.join("settings.toml").exists()
}

/// WebKitGTK has no private profile under automation, so a driven window is an ordinary one.
fn asked_for_automation() -> bool {
    ["TAURI_AUTOMATION", "TAURI_WEBVIEW_AUTOMATION"]
        .iter()
        .any(|name| std::env::var_os(name).is_some())
}
