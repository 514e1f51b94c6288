use econnector_loopback::Link;
use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager as _, RunEvent, UserAttentionType, WebviewUrl, WebviewWindowBuilder};

use crate::browser::SystemBrowser;
use crate::folders::Folders;
use crate::host::Ready;
use crate::words::language;
use crate::{door, downloads, ending, tray};

const LABEL: &str = "main";

/// Opens the window and runs until it is closed; in the background opens none, and runs until it is told to end.
pub(crate) fn run(folders: Folders, background: bool) -> Result<(), tauri::Error> {
    let app = tauri::Builder::default()
        .register_asynchronous_uri_scheme_protocol(door::SCHEME, |context, request, responder| {
            door::respond(&context.app_handle().state::<Ready>(), request, responder);
        })
        .setup(move |app| {
            let ready = Ready::start(tauri::async_runtime::handle().inner(), folders);
            app.manage(ready.clone());
            let handle = app.handle().clone();
            tauri::async_runtime::spawn(end_when_told(handle.clone()));
            tauri::async_runtime::spawn(attend_to_link(handle.clone(), ready));
            if background {
                in_dock(&handle, false);
                tauri::async_runtime::spawn(tray::put(handle));
            } else {
                open(&handle)?;
            }
            Ok(())
        })
        .build(tauri::generate_context!())?;
    app.run_return(move |app, event| match event {
        // Without a code: the last window was closed.
        RunEvent::ExitRequested { code: None, api, .. } if background => {
            in_dock(app, false);
            api.prevent_exit();
        }
        RunEvent::Exit => app.state::<Ready>().end(),
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => show(app),
        _ => {}
    });
    Ok(())
}

/// Somebody asked for the window: it is opened, or comes to the front.
pub(crate) fn show(app: &AppHandle) {
    let Some(window) = app.get_webview_window(LABEL) else {
        open_beside(app);
        return;
    };
    let shown = window.unminimize().and_then(|()| window.show()).and_then(|()| window.set_focus());
    if let Err(error) = shown {
        tracing::warn!(%error, "the window does not come to the front");
    }
}

/// There is a question: a window that can be seen stays where it is, and the focus with what is being typed.
fn ask(app: &AppHandle) {
    let Some(window) = app.get_webview_window(LABEL) else {
        open_beside(app);
        return;
    };
    let seen = window.is_visible().unwrap_or(true) && !window.is_minimized().unwrap_or(false);
    let asked = if seen {
        window.request_user_attention(Some(UserAttentionType::Informational))
    } else {
        window.unminimize().and_then(|()| window.show())
    };
    if let Err(error) = asked {
        tracing::warn!(%error, "the window does not ask for attention");
    }
}

async fn attend_to_link(app: AppHandle, ready: Ready) {
    let Some(link) = ready.link().await else { return };
    let asking = link.clone();
    link.on_attention(move || {
        if has_questions(&asking) {
            ask(&app);
        } else {
            show(&app);
        }
    });
}

fn has_questions(link: &Link) -> bool {
    !link.view(language()).waiting.is_empty()
}

async fn end_when_told(app: AppHandle) {
    ending::told().await;
    app.exit(0);
}

/// On a thread of its own: on Windows a window that is made inside of an event handler waits for itself.
fn open_beside(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn_blocking(move || {
        in_dock(&app, true);
        match open(&app) {
            Ok(()) | Err(tauri::Error::WebviewLabelAlreadyExists(_) | tauri::Error::WindowLabelAlreadyExists(_)) => {}
            Err(error) => tracing::error!(%error, "the window does not open"),
        }
    });
}

/// Nothing typed stays behind: no profile on disk, no autofill, no developer tools, no way out of the embedded page.
fn open(app: &AppHandle) -> Result<(), tauri::Error> {
    WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App("index.html".into()))
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
pub(crate) fn may_be_automated(folders: &Folders) -> bool {
    !asked_for_automation() || !folders.has_settings()
}

/// WebKitGTK has no private profile under automation, so a driven window is an ordinary one.
fn asked_for_automation() -> bool {
    ["TAURI_AUTOMATION", "TAURI_WEBVIEW_AUTOMATION"]
        .iter()
        .any(|name| std::env::var_os(name).is_some())
}

/// A program without a window has no place in the Dock.
#[cfg(target_os = "macos")]
fn in_dock(app: &AppHandle, shown: bool) {
    let policy = if shown {
        tauri::ActivationPolicy::Regular
    } else {
        tauri::ActivationPolicy::Accessory
    };
    if let Err(error) = app.set_activation_policy(policy) {
        tracing::warn!(%error, "the Dock");
    }
}

#[cfg(not(target_os = "macos"))]
fn in_dock(_: &AppHandle, _: bool) {}
