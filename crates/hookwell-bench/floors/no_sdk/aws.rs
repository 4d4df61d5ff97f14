//! Signed calls ("Signature Version 4", IAM user guide).

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use hookwell_sandbox::http::Message;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use sha2::{Digest as _, Sha256};

use crate::connection::Connection;

/// Credentials that sign requests, and the region that they are for.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) key: String,
    pub(crate) secret: String,
    pub(crate) token: String,
    pub(crate) region: String,
}

type Stream = Connection<StreamOwned<ClientConnection, TcpStream>>;

/// A service and the connection to it.
pub(crate) struct Service {
    name: &'static str,
    target: &'static str,
    host: String,
    credentials: Arc<Credentials>,
    opening: Option<JoinHandle<io::Result<Stream>>>,
    stream: Option<Stream>,
}

impl Service {
    /// A service, to which a connection is opened at once on a thread of its own.
    pub(crate) fn new(
        name: &'static str,
        target: &'static str,
        host: String,
        tls: Arc<ClientConfig>,
        credentials: Arc<Credentials>,
    ) -> Self {
        let address = host.clone();
        Self {
            name,
            target,
            host,
            credentials,
            opening: Some(std::thread::spawn(move || open(&address, tls))),
            stream: None,
        }
    }

    /// Sends the request of an operation.
    pub(crate) fn send(&mut self, operation: &str, body: &str) -> io::Result<()> {
        let request = self.signed(operation, body);
        if let Some(opening) = self.opening.take() {
            let opened = opening
                .join()
                .map_err(|_| io::Error::other("no connection"))?;
            self.stream = Some(opened?);
        }
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        stream.send(&request)
    }

    /// Waits for the answer to the request that was sent.
    pub(crate) fn receive(&mut self) -> io::Result<()> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        match stream.receive()?.status() {
            200 => Ok(()),
            status => Err(io::Error::other(format!("{}: {status}", self.name))),
        }
    }

    fn signed(&self, operation: &str, body: &str) -> Message {
        let Credentials {
            key,
            secret,
            token,
            region,
        } = &*self.credentials;
        let (name, host) = (self.name, &self.host);
        let (date, time) = now();
        let target = format!("{}.{operation}", self.target);
        let names = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target";
        let content_type = "application/x-amz-json-1.0";
        let canonical = format!(
            "POST\n/\n\ncontent-type:{content_type}\nhost:{host}\nx-amz-date:{date}T{time}Z\nx-amz-security-token:{token}\nx-amz-target:{target}\n\n{names}\n{}",
            hex::encode(Sha256::digest(body))
        );
        let scope = format!("{date}/{region}/{name}/aws4_request");
        let digest = hex::encode(Sha256::digest(canonical));
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}T{time}Z\n{scope}\n{digest}");
        let mut signing = format!("AWS4{secret}").into_bytes();
        for part in [&*date, &**region, name, "aws4_request"] {
            signing = mac(&signing, part);
        }
        let signature = hex::encode(mac(&signing, &to_sign));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"
        );
        let headers = [
            ("host", host.clone()),
            ("content-type", content_type.to_owned()),
            ("x-amz-date", format!("{date}T{time}Z")),
            ("x-amz-security-token", token.clone()),
            ("x-amz-target", target),
            ("authorization", authorization),
        ];
        Message {
            start: "POST / HTTP/1.1".to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
            body: body.as_bytes().to_vec(),
        }
    }
}

fn open(host: &str, tls: Arc<ClientConfig>) -> io::Result<Stream> {
    let socket = TcpStream::connect(host)?;
    socket.set_nodelay(true)?;
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, _)| name)
        .to_owned();
    let name = ServerName::try_from(name).map_err(io::Error::other)?;
    let mut connection = ClientConnection::new(tls, name).map_err(io::Error::other)?;
    let mut socket = socket;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    Ok(Connection::new(StreamOwned::new(connection, socket)))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key).map_or_else(
        |_| Vec::new(), // any length is a key
        |mac| mac.chain_update(text).finalize().into_bytes().to_vec(),
    )
}

/// The date and the time of day as a signature has them.
fn now() -> (String, String) {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's `civil_from_days`, for dates after 1970.
    let days = days.saturating_add(719_468);
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest % 3_600 / 60, rest % 60);
    (
        format!("{year:04}{month:02}{day:02}"),
        format!("{hour:02}{minute:02}{second:02}"),
    )
}
