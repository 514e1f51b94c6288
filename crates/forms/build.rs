//! Rebuilds the crate when a pack changes: `include_dir!` alone does not see files added or removed.

fn main() {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    #[allow(clippy::print_stdout)]
    {
        println!("cargo::rerun-if-changed={root}/../../forms");
    }
}
