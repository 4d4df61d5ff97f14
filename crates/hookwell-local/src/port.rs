//! Ports of this machine, out of reach for others.

use std::io::ErrorKind;
use std::net::Ipv4Addr;

use anyhow::Context as _;
use tokio::net::TcpListener;

/// Listens on a port of 127.0.0.1; any free one for 0.
///
/// # Errors
/// When the port is taken, or only an administrator may have it.
pub async fn bind(port: u16) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let is_taken = matches!(&listener, Err(why) if why.kind() == ErrorKind::AddrInUse);
    listener.with_context(|| {
        if is_taken {
            format!("port {port} is taken: choose another with --port, or stop what uses it")
        } else {
            format!("cannot listen on port {port}: choose another with --port")
        }
    })
}

/// Listens a little above another port, so that it is the same port every time; any free one when it is taken, and says
/// so, because somebody may have exported the usual address.
pub(crate) async fn near(port: u16, above: u16, what: &str) -> anyhow::Result<TcpListener> {
    let Some(near) = port.checked_add(above).filter(|_| port > 0) else {
        return bind(0).await;
    };
    if let Ok(listener) = bind(near).await {
        return Ok(listener);
    }
    let listener = bind(0).await?;
    let url = url(&listener)?;
    tracing::warn!("port {near} is taken: {what} at {url} this time");
    Ok(listener)
}

/// The URL of a listener.
///
/// # Errors
/// When the system does not say where it listens.
pub fn url(listener: &TcpListener) -> std::io::Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}
