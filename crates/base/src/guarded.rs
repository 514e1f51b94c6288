use serde::Deserialize;
use zeroize::Zeroizing;

/// A credential: token, password, key. No `Debug`, no `Display`, no `Serialize`; wiped when dropped.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the value over; the caller keeps no copy.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value itself, at the one place that sends or stores it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Something that may name or describe a patient. No `Debug`, no `Display`: it cannot reach a log or a panic message by accident.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Patient<T>(T);

impl<T> Patient<T> {
    /// Marks a value as the patient's.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, at the place that renders, sends or shows it.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}
