use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

/// How long a page may take until it tells what it found.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody's web site on this computer: one page, and what it tells.
pub struct Site {
    port: u16,
    told: Mutex<mpsc::UnboundedReceiver<Value>>,
    end: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl Site {
    /// Serves this page at every address; its script calls `tell(value)` with what it found.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn serve(script: &str) -> Self {
        let page = Arc::new(format!(
            "<!doctype html><meta charset=utf-8><title>A page</title><body><script type=module>
            const tell = (value) => fetch('/told', {{ method: 'POST', body: JSON.stringify(value) }});
            {script}
            </script>"
        ));
        let (tell, told) = mpsc::unbounded_channel();
        // Each answer closes its connection, so that the port is free as soon as the site has ended.
        let router = Router::new()
            .route(
                "/told",
                post(move |body: String| {
                    let _ = tell.send(serde_json::from_str(&body).unwrap_or_default());
                    async { [(CONNECTION, "close")] }
                }),
            )
            .fallback(get(move || {
                let page = page.as_ref().clone();
                async { ([(CONNECTION, "close"), (CONTENT_TYPE, "text/html")], page) }
            }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (end, ended) = oneshot::channel();
        let server = tokio::spawn(async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(async { drop(ended.await) })
                .await
                .unwrap();
        });
        Self {
            port,
            told: Mutex::new(told),
            end: Some(end),
            server: Some(server),
        }
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What the page tells next.
    ///
    /// # Panics
    /// When it tells nothing.
    pub async fn told(&self) -> Value {
        tokio::time::timeout(PATIENCE, async { self.told.lock().await.recv().await })
            .await
            .ok()
            .flatten()
            .expect("the page tells nothing")
    }

    /// Ends it; the page stays in the browser.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn end(&mut self) {
        drop(self.end.take());
        if let Some(server) = self.server.take() {
            server.await.unwrap();
        }
    }
}
