//! Connections that wait for their answers.

use std::io::{self, Read, Write};
use std::sync::Arc;

use hookwell_sandbox::http::Message;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// A connection, over TLS or not.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    stream: S,
    received: Vec<u8>,
    part: Vec<u8>,
}

impl<S: Read + Write> Connection<S> {
    /// A connection over a stream.
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            received: Vec::new(),
            part: vec![0; 16 * 1024],
        }
    }

    /// Sends a request.
    pub(crate) fn send(&mut self, request: &Message) -> io::Result<()> {
        self.stream.write_all(&request.bytes())?;
        self.stream.flush()
    }

    /// Waits for the answer to the request that was sent first.
    pub(crate) fn receive(&mut self) -> io::Result<Message> {
        loop {
            if let Some(answer) = Message::take(&mut self.received)? {
                return Ok(answer);
            }
            let read = self.stream.read(&mut self.part)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let part = self.part.get(..read).unwrap_or_default();
            self.received.extend_from_slice(part);
        }
    }
}

/// TLS that trusts the certificates of a file.
pub(crate) fn tls_config(bundle: &str) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let all = CertificateDer::pem_file_iter(bundle).map_err(io::Error::other)?;
    roots.add_parsable_certificates(all.filter_map(Result::ok));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
