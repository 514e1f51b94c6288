//! Web applications find the program as the documentation says: its own script in a real browser, past somebody else at the first port.

use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, header};
use econnector_tests::{Background, Chromium, Practice, Site, project_file};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

/// The key that the practice gave to its web application.
const KEY: &str = "VGhlIGtleSB0aGF0IHRoZSBwcmFjdGljZSB3YXMgZ2l2";
const NAME: &str = "Quadflieg-Ætherström";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_passes_over_whoever_took_the_first_port_and_tells_him_nothing() {
    let script = format!(
        "{}
        const first = Number(location.hash.slice(1));
        const outcome = async (work) => {{
          try {{ return await work(); }} catch (error) {{ return error.message; }}
        }};
        const seen = [];
        for (const key of ['{KEY}', '{KEY}']) seen.push(await outcome(() => proven(key, first)));
        seen.push(await outcome(() => findDoor('the key of somebody else', first)));
        const door = await findDoor('{KEY}', first);
        const answer = await fetch(door + '/econnector/v1/forms/ecit/check', {{
          method: 'POST',
          headers: {{ 'X-EConnector-Key': '{KEY}', 'X-EConnector-Software': 'Praxisweb/1', 'Content-Type': 'application/json' }},
          body: JSON.stringify({{ values: {{ last_name: '{NAME}' }} }}),
        }});
        await tell({{ seen, door, checked: answer.status }});",
        documented()
    );
    let site = Site::serve(&script).await;
    let origin = format!("http://localhost:{}", site.port());
    let impostor = Impostor::listen(&origin).await;
    let digest: String = Sha256::digest(KEY).iter().map(|byte| format!("{byte:02x}")).collect();
    let program = Background::start(&format!(
        "port = {}\nsoftware = [\"Praxisweb\"]\n[[origins]]\norigin = \"{origin}\"\nkey_sha256 = \"{digest}\"\n",
        impostor.port
    ))
    .await;
    let door = program.connection()["url"].as_str().unwrap().to_owned();
    impostor.found.door.set(door.clone()).unwrap();

    let _browser = Chromium::open(&format!("{origin}/#{}", impostor.port), &[]);
    let told = site.told().await;
    let refused = format!("not eConnector: http://127.0.0.1:{}", impostor.port);
    assert_eq!(
        told,
        json!({ "seen": [&refused, &refused, "All promises were rejected"], "door": door, "checked": 200 })
    );

    let heard = impostor.found.heard.lock().unwrap();
    let asked: Vec<&Heard> = heard.iter().filter(|heard| heard.method == Method::GET).collect();
    assert!(asked.len() >= 4, "asked each time: {}", asked.len());
    for (at, one) in asked.iter().enumerate() {
        assert_eq!(one.challenge.len(), 64, "{}", one.text);
        assert!(asked[..at].iter().all(|earlier| earlier.challenge != one.challenge), "each is new");
        if at > 0 {
            // What he passed on is the true answer to the challenge of this page, and serves him nothing.
            assert_eq!(one.answered["link"]["proof"].as_str().map(str::len), Some(64), "{}", one.answered);
        }
    }
    for one in heard.iter() {
        for secret in [KEY, NAME, "Praxisweb", &digest] {
            assert!(!one.text.contains(secret), "{secret}: {}", one.text);
        }
    }
}

/// The script of the documentation, as a page takes it.
fn documented() -> String {
    let text = std::fs::read_to_string(project_file("docs/integration.md")).unwrap();
    let (_, section) = text.split_once("### Browser-based practice software").unwrap();
    let (_, script) = section.split_once("```js\n").unwrap();
    script.split_once("```").unwrap().0.to_owned()
}

/// Another user of the computer who took the first port. Every page may read what he says. First he makes a proof up; then he fetches it
/// from the true program, in the name of the very page.
struct Impostor {
    port: u16,
    found: Arc<Found>,
}

struct Found {
    origin: String,
    door: OnceLock<String>,
    heard: Mutex<Vec<Heard>>,
}

struct Heard {
    method: Method,
    challenge: String,
    /// All of the request.
    text: String,
    answered: Value,
}

impl Impostor {
    async fn listen(origin: &str) -> Self {
        let found = Arc::new(Found {
            origin: origin.to_owned(),
            door: OnceLock::new(),
            heard: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().fallback(answer).with_state(found.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { port, found }
    }
}

async fn answer(State(found): State<Arc<Found>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let challenge = parts
        .headers
        .get("x-econnector-challenge")
        .map(|said| said.to_str().unwrap().to_owned());
    let first = found.heard.lock().unwrap().iter().all(|heard| heard.method != Method::GET);
    let answered = match &challenge {
        Some(challenge) if !first => {
            let relayed = Practice::at(found.door.get().unwrap())
                .with("Origin", &found.origin)
                .with("X-EConnector-Challenge", challenge)
                .get("/econnector/status")
                .await;
            relayed.json()
        }
        _ => json!({ "usable": true, "link": { "key": "right", "proof": "0".repeat(64) } }),
    };
    found.heard.lock().unwrap().push(Heard {
        challenge: challenge.unwrap_or_default(),
        text: format!(
            "{} {} {:?} {}",
            parts.method,
            parts.uri,
            parts.headers,
            String::from_utf8_lossy(&body)
        ),
        method: parts.method,
        answered: answered.clone(),
    });
    Response::builder()
        .header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
        .header(header::ACCESS_CONTROL_ALLOW_METHODS, "*")
        .header(header::ACCESS_CONTROL_ALLOW_HEADERS, "*")
        .header("access-control-allow-private-network", "true")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(answered.to_string()))
        .unwrap()
}
