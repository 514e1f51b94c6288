//! The icon beside the clock: how a program without a window is opened and ended.

use std::time::Duration;

use tauri::menu::{CheckMenuItem, Menu, MenuItem, PredefinedMenuItem};
use tauri::tray::TrayIconBuilder;
use tauri::{AppHandle, Wry};

use crate::words::{language, words};
use crate::{autostart, window};

const OPEN: &str = "open";
const AUTOSTART: &str = "autostart";
const QUIT: &str = "quit";

/// A session starts its programs before or after its tray, so it is looked for during two minutes.
const LOOKS: u32 = 24;
const PAUSE: Duration = Duration::from_secs(5);

/// Puts the icon where there is a tray; without one the program runs as well.
pub(crate) async fn put(app: AppHandle) {
    for _ in 0..LOOKS {
        let (tell, told) = tokio::sync::oneshot::channel();
        let main = app.clone();
        // Menus belong to the main thread.
        let posted = app.run_on_main_thread(move || {
            let _ = tell.send(make(&main));
        });
        match (posted, told.await) {
            (Ok(()), Ok(Ok(()))) => return,
            (Ok(()), Ok(Err(error))) => tracing::debug!(%error, "no tray"),
            _ => return,
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::info!("there is no tray; starting the program again opens its window");
}

fn make(app: &AppHandle) -> Result<(), tauri::Error> {
    let say = words(language());
    let starts = CheckMenuItem::with_id(app, AUTOSTART, say.autostart, true, autostart::is_on(), None::<&str>)?;
    let menu = Menu::with_items(
        app,
        &[
            &MenuItem::with_id(app, OPEN, say.open, true, None::<&str>)?,
            &starts,
            &PredefinedMenuItem::separator(app)?,
            &MenuItem::with_id(app, QUIT, say.quit, true, None::<&str>)?,
        ],
    )?;
    let mut tray = TrayIconBuilder::with_id("main")
        .menu(&menu)
        .tooltip("eConnector")
        .on_menu_event(move |app, event| match event.id().as_ref() {
            OPEN => window::show(app),
            AUTOSTART => toggle(&starts),
            QUIT => window::quit(app),
            _ => {}
        });
    if let Some(icon) = app.default_window_icon() {
        tray = tray.icon(icon.clone());
    }
    tray.build(app)?;
    Ok(())
}

/// The tick shows what is, also when the change failed.
fn toggle(starts: &CheckMenuItem<Wry>) {
    if let Err((place, error)) = autostart::set(!autostart::is_on()) {
        tracing::error!(place, %error, "autostart");
    }
    if let Err(error) = starts.set_checked(autostart::is_on()) {
        tracing::warn!(%error, "tray");
    }
}
