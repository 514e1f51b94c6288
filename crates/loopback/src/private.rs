//! Files that their owner alone may read, and keys.

use std::fs::Metadata;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use econnector_base::Secret;
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// What a key is known by; equal lengths make the comparison take equal time.
#[derive(Clone, Copy)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub(crate) fn of(key: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
        Self(bytes)
    }

    /// From 64 hexadecimal digits.
    pub(crate) fn read(hex: &str) -> Option<Self> {
        let digits: Option<Vec<u8>> = hex.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
        let digits = digits.filter(|digits| digits.len() == 64)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = pair.iter().fold(0, |byte, digit| (byte << 4) | digit);
        }
        Some(Self(bytes))
    }

    pub(crate) fn hex(&self) -> String {
        hex(&self.0)
    }

    /// That whoever answers at this port knows the key of a web application. The port is in it: a page tries one after the other, and
    /// whoever took one before this program could fetch the answer here and give it as his own.
    pub(crate) fn proof(&self, challenge: &str, port: u16) -> String {
        authenticated(&self.0, &format!("{challenge} {port}"))
    }

    /// Whether this is the key's. Takes the same time whatever the key.
    pub(crate) fn fits(&self, key: &str) -> bool {
        self.0.ct_eq(&Self::of(key).0).into()
    }
}

/// That whoever answers a challenge knows the key: HMAC-SHA256 (RFC 2104) of the challenge, in hexadecimal digits.
pub(crate) fn proof(key: &Secret, challenge: &str) -> String {
    authenticated(key.reveal().as_bytes(), challenge)
}

fn authenticated(key: &[u8], message: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hex(hmac::sign(&key, message.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 256 bits from the operating system, as 43 characters that every header takes.
pub(crate) fn fresh_key() -> io::Result<Secret> {
    let mut bytes = Zeroizing::new([0; 32]);
    SystemRandom::new()
        .fill(bytes.as_mut_slice())
        .map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

/// Makes a folder that its owner alone may enter, if there is none.
pub(crate) fn folder(place: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(place)
}

/// Writes a file in place of an earlier one, wholly or not at all, readable by its owner alone. Waits for the disk.
pub(crate) fn write(place: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    folder(place)?;
    let mut fresh = tempfile::NamedTempFile::new_in(place)?;
    fresh.write_all(content)?;
    fresh.as_file().sync_all()?;
    fresh.persist(place.join(name)).map_err(|failed| failed.error)?;
    Ok(())
}

/// Reads a file of at most `limit` bytes; none when there is none.
pub(crate) fn read(file: &Path, limit: u64) -> io::Result<Option<(Metadata, Zeroizing<Vec<u8>>)>> {
    let open = match std::fs::File::open(file) {
        Ok(open) => open,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = open.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let mut content = Zeroizing::new(Vec::with_capacity(
        usize::try_from(metadata.len().min(limit)).unwrap_or_default() + 1,
    ));
    open.take(limit + 1).read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|length| length > limit) {
        return Err(io::Error::other("too large"));
    }
    Ok(Some((metadata, content)))
}

/// Whether the file belongs to another user. Elsewhere than on Unix the user's folder itself is closed to others.
pub(crate) fn foreign(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        metadata.uid() != rustix::process::geteuid().as_raw()
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        false
    }
}

/// The rights that others than the owner have, as Unix writes them (`0o044`).
pub(crate) fn others_rights(metadata: &Metadata) -> u32 {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        metadata.permissions().mode() & 0o077
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_long_and_each_is_its_own() {
        let (one, other) = (fresh_key().unwrap(), fresh_key().unwrap());
        assert_eq!(one.reveal().len(), 43);
        assert_ne!(one.reveal(), other.reveal());
        let known = Digest::of(one.reveal());
        assert!(known.fits(one.reveal()) && !known.fits(other.reveal()) && !known.fits(""));
        assert!(Digest::read(&known.hex()).unwrap().fits(one.reveal()));
        assert!(Digest::read(&known.hex().to_uppercase()).unwrap().fits(one.reveal()));
        for wrong in ["", "00", &known.hex().replace('a', "g"), &format!("{}0", known.hex())] {
            assert!(
                Digest::read(wrong).is_none_or(|read| wrong == known.hex() && read.fits(one.reveal())),
                "{wrong}"
            );
        }
        // RFC 4231, test case 2.
        assert_eq!(
            proof(&Secret::new("Jefe"), "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        // By Python's hashlib and hmac.
        assert_eq!(
            Digest::of("Jefe").proof("5fbc9b2e-challenge", 17943),
            "0549c1ea159180e078a8190f61d7d8bc18538d993f245fb0b34425111e78908a"
        );
        // The reference value of SHA-256 of nothing (FIPS 180-4 test vectors).
        assert_eq!(
            Digest::of("").hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
