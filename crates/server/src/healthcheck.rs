//! `econnector-server healthcheck`: asks the instance on this machine whether it is ready. For containers, which have no curl.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};
use time::OffsetDateTime;

use crate::environment::ServerSettings;
use crate::health::READY;

const PATIENCE: Duration = Duration::from_secs(3);

/// Whether it is ready, and else why not.
///
/// # Errors
/// No answer, or one that does not say "ready".
pub(crate) fn ask(settings: &ServerSettings) -> Result<(), String> {
    let (address, port) = match settings.management_port {
        Some(port) => (settings.management_address, port),
        None => (settings.bind, settings.port),
    };
    let local = match address {
        address if !address.is_unspecified() => address,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    let answer = asked(settings, SocketAddr::new(local, port)).map_err(|error| format!("no answer: {error}"))?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    if status == "200" {
        return Ok(());
    }
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Err(format!("not ready ({status}): {body}"))
}

fn asked(settings: &ServerSettings, address: SocketAddr) -> io::Result<String> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    if settings.management_port.is_some() {
        return conversation(stream);
    }
    let opened = settings.tls.open(OffsetDateTime::now_utc()).map_err(|wrong| {
        let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        io::Error::other(wrong.join("; "))
    })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = ThisOne {
        certificate: opened.certificate,
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        // "dangerous" for rustls is any verifier that is handed in; this one is stricter than a chain of authorities.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let name = ServerName::IpAddress(address.ip().into());
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    conversation(StreamOwned::new(connection, stream))
}

fn conversation(mut stream: impl io::Read + Write) -> io::Result<String> {
    write!(stream, "GET {READY} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut part = [0; 1024];
    // Some close without a TLS farewell: what was read before counts.
    while answer.len() < 64 * 1024 {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(read) => answer.extend(part.iter().take(read)),
            Err(_) if !answer.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Believes the certificate of SAAS_KEYSTORE and no other, whatever name it is made out for.
#[derive(Debug)]
struct ThisOne {
    certificate: Vec<u8>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ThisOne {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if end_entity.as_ref() == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::General(
                "another certificate is served than that of SAAS_KEYSTORE".to_owned(),
            ))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
