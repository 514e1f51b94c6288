use serde::{Deserialize, Serialize};

/// When the window hides what it shows, and what shows it again. The installation's rule: whoever works there may only be stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LockRule {
    /// Minutes without a key or a pointer; never by itself when absent.
    pub after_minutes: Option<u32>,
    /// What opens it.
    pub unlock: Unlock,
}

impl Default for LockRule {
    fn default() -> Self {
        Self {
            after_minutes: Some(10),
            unlock: Unlock::Key,
        }
    }
}

/// What opens a locked window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unlock {
    /// A button or a key: who sits there is known.
    #[default]
    Key,
    /// A login of the same person.
    Login,
}
