use std::path::PathBuf;

/// The program's name for its folders; `tauri.conf.json` says the same.
const IDENTIFIER: &str = "lu.econnector.desktop";

/// Folders of this user. Found without the shell, because the doctor has none.
#[derive(Clone)]
pub(crate) struct Folders {
    /// Settings, what the installation decided about the link, further forms.
    pub(crate) config: PathBuf,
    /// Journal, profiles, connection file.
    pub(crate) data: PathBuf,
}

impl Folders {
    /// `None` for a user without a home.
    pub(crate) fn of_this_user() -> Option<Self> {
        Some(Self {
            config: dirs::config_dir()?.join(IDENTIFIER),
            data: dirs::data_local_dir()?.join(IDENTIFIER),
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_shell_has_the_same_name_for_them() {
        let shell: serde_json::Value = serde_json::from_str(include_str!("../tauri.conf.json")).unwrap();
        assert_eq!(shell["identifier"], super::IDENTIFIER);
    }
}
