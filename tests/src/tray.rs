use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use zbus::message::Header;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, Proxy};

use crate::patiently;

/// How long a program may take to show its icon: it looks for a tray every few seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The tray of a desktop (StatusNotifierItem and com.canonical.dbusmenu): icons come to it, and somebody clicks their menus.
pub struct Tray {
    bus: Connection,
    icons: Arc<Mutex<Vec<String>>>,
}

/// One entry of a menu, with its state.
#[derive(Debug)]
pub struct MenuEntry {
    id: i32,
    /// What it says.
    pub label: String,
    /// Whether it is ticked.
    pub ticked: bool,
}

/// A layout of dbusmenu: number, properties, children.
type Layout = (i32, std::collections::HashMap<String, OwnedValue>, Vec<OwnedValue>);

impl Tray {
    /// On the session bus of the program that lives in this home.
    ///
    /// # Panics
    /// When there is no bus, or another tray on it.
    pub async fn on_bus_of(home: &Path) -> Self {
        let address = patiently(|| {
            std::fs::read_to_string(home.join("state/bus"))
                .ok()
                .filter(|address| !address.is_empty())
        })
        .await;
        let icons = Arc::new(Mutex::new(Vec::new()));
        let bus = zbus::connection::Builder::address(address.as_str())
            .unwrap()
            .serve_at("/StatusNotifierWatcher", Watcher { icons: icons.clone() })
            .unwrap()
            .name("org.kde.StatusNotifierWatcher")
            .unwrap()
            .build()
            .await
            .unwrap();
        Self { bus, icons }
    }

    /// The menu of the one icon that came.
    ///
    /// # Panics
    /// When none comes.
    pub async fn menu(&self) -> Vec<MenuEntry> {
        let menu = self.proxy_of_menu().await;
        let (_, (_, _, children)): (u32, Layout) = menu.call("GetLayout", &(0i32, -1i32, Vec::<String>::new())).await.unwrap();
        children.into_iter().filter_map(read).collect()
    }

    /// Clicks the entry that says so.
    ///
    /// # Panics
    /// When there is none.
    pub async fn click(&self, label: &str) {
        let entries = self.menu().await;
        let entry = entries.iter().find(|entry| entry.label == label);
        let id = entry.unwrap_or_else(|| panic!("{label} in {entries:?}")).id;
        let menu = self.proxy_of_menu().await;
        // A program that is told to quit may be gone before it answers.
        let event = (id, "clicked", Value::from(0i32), 0u32);
        menu.call_noreply("Event", &event).await.unwrap();
    }

    async fn proxy_of_menu(&self) -> Proxy<'static> {
        let until = Instant::now() + PATIENCE;
        let icon = loop {
            let first = self.icons.lock().unwrap().first().cloned();
            if let Some(icon) = first {
                break icon;
            }
            assert!(Instant::now() < until, "no icon comes");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let item = Proxy::new(&self.bus, icon.clone(), "/StatusNotifierItem", "org.kde.StatusNotifierItem")
            .await
            .unwrap();
        let place: OwnedObjectPath = item.get_property("Menu").await.unwrap();
        Proxy::new(&self.bus, icon, place, "com.canonical.dbusmenu").await.unwrap()
    }
}

fn read(entry: OwnedValue) -> Option<MenuEntry> {
    let (id, properties, _): Layout = entry.try_into().ok()?;
    let label = properties.get("label").and_then(|label| label.downcast_ref::<String>().ok())?;
    let ticked = properties
        .get("toggle-state")
        .is_some_and(|state| state.downcast_ref::<i32>().is_ok_and(|state| state == 1));
    Some(MenuEntry { id, label, ticked })
}

struct Watcher {
    icons: Arc<Mutex<Vec<String>>>,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, service: &str, #[zbus(header)] header: Header<'_>) {
        // An item names itself, or only where it stands on its connection.
        let icon = if service.starts_with('/') {
            header.sender().map(ToString::to_string)
        } else {
            Some(service.to_owned())
        };
        self.icons.lock().unwrap().extend(icon);
    }

    fn register_status_notifier_host(&self, _service: &str) {}

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        self.icons.lock().unwrap().clone()
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}
