//! Addresses that a request names, and whether they are the provider's.

/// The path of an `https` address on a host for which `is_host` says yes, without its first slash. The host is
/// everything up to there, so that neither a user name nor a longer domain can pass for it.
pub(crate) fn path_at(url: &str, is_host: impl Fn(&str) -> bool) -> Option<&str> {
    let (host, path) = url.strip_prefix("https://")?.split_once('/')?;
    is_host(host).then_some(path)
}

/// True for the name of a file and nothing more: no folder, no query, no escape.
pub(crate) fn is_file_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=128).contains(&text.len()) && text.bytes().all(plain)
}
