/// Returns when the session or an administrator tells the program to end.
#[cfg(unix)]
pub(crate) async fn told() {
    use tokio::signal::unix::{SignalKind, signal};

    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        _ => std::future::pending().await,
    }
}

/// Returns when the console tells the program to end.
#[cfg(not(unix))]
pub(crate) async fn told() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
