//! Embeds the window's files and the icons.

fn main() {
    tauri_build::build();
}
