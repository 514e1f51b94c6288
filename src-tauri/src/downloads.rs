use tauri::Manager as _;
use tauri::webview::DownloadEvent;

/// Saving a volet is the physician's explicit click on it: the file goes to her downloads folder, under a name that is free.
pub(crate) fn place(webview: &tauri::Webview, event: DownloadEvent<'_>) -> bool {
    let DownloadEvent::Requested { url, destination } = event else {
        return true;
    };
    if url.scheme() != "blob" {
        return false;
    }
    let Ok(folder) = webview.path().download_dir().or_else(|_| webview.path().home_dir()) else {
        return false;
    };
    let wanted = destination
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("document.pdf")
        .to_owned();
    let (stem, extension) = wanted.rsplit_once('.').unwrap_or((&wanted, "pdf"));
    let free = (1..1000)
        .map(|n| {
            if n == 1 {
                format!("{stem}.{extension}")
            } else {
                format!("{stem} ({n}).{extension}")
            }
        })
        .find(|name| !folder.join(name).exists());
    let Some(name) = free else { return false };
    if std::fs::create_dir_all(&folder).is_err() {
        return false;
    }
    *destination = folder.join(name);
    true
}
