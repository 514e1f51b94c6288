use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager as _, RunEvent, UserAttentionType, WebviewUrl, WebviewWindow, WebviewWindowBuilder};

use crate::browser::SystemBrowser;
use crate::closing::{Heard, Step, Way};
use crate::folders::Folders;
use crate::host::{self, Ready};
use crate::page::Page;
use crate::running::{self, Ownership, Wish};
use crate::{door, downloads, ending, tray};

const LABEL: &str = "main";

/// How often it is looked whether the program was started once more.
const LOOK: Duration = Duration::from_millis(500);

/// How the program was started.
#[derive(Clone, Copy)]
pub(crate) struct Start {
    /// Without a window, until there is something to ask.
    pub(crate) background: bool,
    /// With the login, when nobody is logged in.
    pub(crate) login: bool,
    /// What of this user's it may call its own.
    pub(crate) ownership: Ownership,
}

/// The page knows whether somebody is logged in, and in which language the login page is to come.
const TELL_TO_LOG_IN: &str = "window.dispatchEvent(new Event('econnector:login'))";

/// The page alone knows how many forms are typed and not sent, and says it in its own language.
const TELL_TO_ASK: &str = "window.dispatchEvent(new CustomEvent('econnector:closing', { detail: 'ask' }))";
/// As when the window locks: nothing of what is typed can be seen, and nothing of it is lost.
const TELL_TO_LOCK: &str = "window.dispatchEvent(new CustomEvent('econnector:closing', { detail: 'lock' }))";

/// Whether the window was closed in the background, where it is kept without a page.
#[derive(Default)]
struct Away(AtomicBool);

/// How a window opens.
#[derive(Clone, Copy)]
struct Opening {
    /// With the keyboard's focus; without it whoever types in another window goes on typing there.
    focused: bool,
    login: bool,
}

/// Opens the window and runs until it is closed; in the background opens none, and runs until it is told to end.
pub(crate) fn run(folders: Folders, start: Start) -> Result<(), tauri::Error> {
    let Start {
        background,
        login,
        ownership,
    } = start;
    let page = Page::default();
    let asked = page.clone();
    let app = tauri::Builder::default()
        .register_asynchronous_uri_scheme_protocol(door::SCHEME, move |context, request, responder| {
            door::respond(&context.app_handle().state::<Ready>(), &asked, request, responder);
        })
        .setup(move |app| {
            let data = folders.data.clone();
            let ready = Ready::start(tauri::async_runtime::handle().inner(), folders, ownership);
            app.manage(ready.clone());
            app.manage(page);
            app.manage(Away::default());
            let handle = app.handle().clone();
            tauri::async_runtime::spawn(end_when_told(handle.clone()));
            tauri::async_runtime::spawn(attend_to_link(handle.clone(), ready.clone()));
            if ownership != Ownership::Elsewhere {
                tauri::async_runtime::spawn(attend_to_starts(handle.clone(), data));
            }
            if background {
                in_dock(&handle, false);
                tauri::async_runtime::spawn(tray::put(handle.clone()));
                tauri::async_runtime::spawn(show_what_is_wrong(handle, ready));
            } else {
                open(&handle, Opening { focused: true, login })?;
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
        RunEvent::WindowEvent {
            event: tauri::WindowEvent::CloseRequested { api, .. },
            ..
        } => {
            api.prevent_close();
            close(app, if background { Way::PutAway } else { Way::Close });
        }
        RunEvent::Exit => app.state::<Ready>().end(),
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => show(app),
        #[cfg(target_os = "macos")]
        RunEvent::Opened { urls } => {
            for url in urls {
                match crate::command::Command::of(&[url.as_str()]) {
                    Ok(crate::command::Command::Window(wish)) => attend_to(app, wish),
                    _ => tracing::warn!("a link that asks for nothing known is left alone"),
                }
            }
        }
        _ => {}
    });
    Ok(())
}

/// Somebody wants the program that runs in the background to end.
pub(crate) fn quit(app: &AppHandle) {
    close(app, Way::Quit);
}

/// Whatever is typed and not sent is lost by nobody's mistake: the page asks first. In the background nothing is asked, since nothing has to be
/// lost: the window is hidden with its page, locked, and comes back as it was.
fn close(app: &AppHandle, way: Way) {
    match app.state::<Page>().closing().wanted(way, Instant::now()) {
        Step::Leave => leave(app, way),
        Step::Stay => {}
        Step::Tell => {
            let Some(window) = app.get_webview_window(LABEL) else {
                return leave(app, way);
            };
            // Where this fails the page does not answer either.
            if let Err(error) = window.eval(if way == Way::PutAway { TELL_TO_LOCK } else { TELL_TO_ASK }) {
                tracing::warn!(%error, "the page was not told of the closing");
            }
            tauri::async_runtime::spawn(attend_to_closing(app.clone(), way));
        }
    }
}

async fn attend_to_closing(app: AppHandle, way: Way) {
    let page = app.state::<Page>().inner().clone();
    let heard = page.closing().heard().await;
    let Some((heard, window)) = heard.zip(app.get_webview_window(LABEL)) else {
        tracing::warn!("the page does not answer and is closed with what was typed in it");
        return leave(&app, way);
    };
    let done = match (heard, way) {
        // Whoever passes by a locked window destroys nothing of what it keeps.
        (Heard::Locked, Way::Close) => window.minimize(),
        (Heard::Locked, Way::PutAway) => window.hide().map(|()| in_dock(&app, false)),
        (Heard::Locked, Way::Quit) | (Heard::Asked, _) => bring_back(&window).and_then(|()| window.set_focus()),
    };
    if let Err(error) = done {
        tracing::warn!(%error, "the window that is to be closed stays as it is");
    }
    if heard == Heard::Asked && page.closing().is_discarded().await {
        leave(&app, way);
    }
}

fn leave(app: &AppHandle, way: Way) {
    match way {
        Way::Close | Way::Quit => app.exit(0),
        Way::PutAway => put_away(app),
    }
}

/// Somebody asked for the window: it is opened, or comes to the front.
pub(crate) fn show(app: &AppHandle) {
    attend_to(app, Wish::Window);
}

fn attend_to(app: &AppHandle, wish: Wish) {
    let login = wish == Wish::Login;
    let Some(window) = app.get_webview_window(LABEL) else {
        open_beside(app, Opening { focused: true, login });
        return;
    };
    if login {
        app.state::<Page>().want_login();
        // A page that is not there yet asks by itself.
        if let Err(error) = window.eval(TELL_TO_LOG_IN) {
            tracing::warn!(%error, "the page was not told of the login");
        }
    }
    let shown = bring_back(&window).and_then(|()| window.set_focus());
    if let Err(error) = shown {
        tracing::warn!(%error, "the window does not come to the front");
    }
}

/// There is a question: a window that can be seen stays where it is, and the focus with what is being typed, here or elsewhere.
fn ask(app: &AppHandle) {
    let Some(window) = app.get_webview_window(LABEL) else {
        let quietly = Opening {
            focused: false,
            login: false,
        };
        open_beside(app, quietly);
        return;
    };
    let seen = window.is_visible().unwrap_or(true) && !window.is_minimized().unwrap_or(false);
    let asked = if seen {
        window.request_user_attention(Some(UserAttentionType::Informational))
    } else {
        // Whoever types elsewhere goes on there: a window that is shown takes the keyboard with many window managers.
        let shown = window.set_focusable(false).and_then(|()| bring_back(&window));
        shown.and_then(|()| window.set_focusable(true))
    };
    if let Err(error) = asked {
        tracing::warn!(%error, "the window does not ask for attention");
    }
}

/// Closed in the background: nothing of what was typed is left, its process ends. The window itself is kept, since on WebKitGTK each further one
/// of this kind costs a network process that never ends (tauri issue 14626), and gets no page (the shell tells the first alone of the schemes).
#[cfg(target_os = "linux")]
fn put_away(app: &AppHandle) {
    use webkit2gtk::WebViewExt as _;
    let Some(window) = app.get_webview_window(LABEL) else {
        return;
    };
    app.state::<Away>().0.store(true, Ordering::SeqCst);
    app.state::<Page>().closing().note_unsent(false);
    let away = window
        .hide()
        .and_then(|()| window.with_webview(|webview| webview.inner().terminate_web_process()));
    if let Err(error) = away {
        tracing::error!(%error, "the window does not close");
    }
}

#[cfg(not(target_os = "linux"))]
fn put_away(app: &AppHandle) {
    app.state::<Page>().closing().note_unsent(false);
    if let Some(Err(error)) = app.get_webview_window(LABEL).map(|window| window.destroy()) {
        tracing::error!(%error, "the window does not close");
    }
}

/// What was minimized or closed can be seen again, with a page.
fn bring_back(window: &WebviewWindow) -> Result<(), tauri::Error> {
    if window.state::<Away>().0.swap(false, Ordering::SeqCst) {
        window.reload()?;
    }
    in_dock(window.app_handle(), true);
    window.unminimize()?;
    window.show()
}

async fn attend_to_link(app: AppHandle, ready: Ready) {
    if let Some(link) = ready.link().await {
        link.on_attention(move || ask(&app));
    }
}

async fn attend_to_starts(app: AppHandle, data: PathBuf) {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Some(wish) = running::handed_over(&data) {
            attend_to(&app, wish);
        }
    }
}

/// Without a core there is nothing to serve anybody with, and in the background nobody would see it.
async fn show_what_is_wrong(app: AppHandle, ready: Ready) {
    if let Some(Err(_)) = ready.router().await {
        show(&app);
    }
}

async fn end_when_told(app: AppHandle) {
    ending::told().await;
    app.exit(0);
}

/// On a thread of its own: on Windows a window that is made inside of an event handler waits for itself.
fn open_beside(app: &AppHandle, opening: Opening) {
    let app = app.clone();
    tauri::async_runtime::spawn_blocking(move || {
        in_dock(&app, true);
        match open(&app, opening) {
            Ok(()) | Err(tauri::Error::WebviewLabelAlreadyExists(_) | tauri::Error::WindowLabelAlreadyExists(_)) => {}
            Err(error) => tracing::error!(%error, "the window does not open"),
        }
    });
}

/// Nothing typed stays behind: no profile on disk, no autofill, no developer tools, no way out of the embedded page.
fn open(app: &AppHandle, opening: Opening) -> Result<(), tauri::Error> {
    if opening.login {
        app.state::<Page>().want_login();
    }
    WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App("index.html".into()))
        .title("eConnector")
        .inner_size(1280.0, 800.0)
        .min_inner_size(640.0, 480.0)
        .incognito(!asked_for_automation())
        .general_autofill_enabled(false)
        .devtools(false)
        .focused(opening.focused)
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

/// A driver could read what is typed: where patients are real, the variables that let one in end the program instead.
pub(crate) fn may_be_automated(folders: &Folders) -> bool {
    !asked_for_automation() || host::is_for_training(folders)
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
