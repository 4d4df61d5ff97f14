//! A stand-in for S3 on one machine: objects are files in a folder.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::middleware::from_fn;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, StatusCode, Uri};
use md5::{Digest as _, Md5};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::guard;

/// The largest object taken, in bytes: more than anything that ingest stores.
const MAX_OBJECT: usize = 16 * 1024 * 1024;

/// A folder of objects.
#[derive(Debug)]
pub(crate) struct Objects {
    folder: PathBuf,
    /// A temporary folder, where none was named: deleted when this is dropped.
    _made_up: Option<TempDir>,
}

impl Objects {
    /// Opens the folder, or makes a temporary one that is deleted with this.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub(crate) fn open(folder: Option<PathBuf>) -> Result<Self> {
        let Some(folder) = folder else {
            let made_up = tempfile::tempdir().context("cannot make a folder for the bucket")?;
            return Ok(Self {
                folder: made_up.path().to_owned(),
                _made_up: Some(made_up),
            });
        };
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self {
            folder,
            _made_up: None,
        })
    }

    /// Answers `PUT` and `GET` of `/BUCKET/NAME`, and lists of `/BUCKET/`, by the programs of this machine, signed or not, until `stop` resolves.
    ///
    /// # Errors
    /// When the listener fails.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let router = Router::new()
            .fallback_service(get(read).put(write).with_state(Arc::new(self)))
            .layer(DefaultBodyLimit::max(MAX_OBJECT))
            .layer(from_fn(guard::local_only));
        axum::serve(listener, router)
            .with_graceful_shutdown(stop)
            .await
    }

    /// The file of an object; none where the name could lead out of the folder.
    fn file(&self, uri: &Uri) -> Option<PathBuf> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name = uri.path().strip_prefix('/')?;
        let is_plain =
            |part: &str| !part.starts_with('.') && !part.is_empty() && part.chars().all(plain);
        name.split('/')
            .all(is_plain)
            .then(|| self.folder.join(name))
    }
}

async fn read(State(objects): State<Arc<Objects>>, uri: Uri) -> Response {
    if let Some(query) = uri.query() {
        return list(&objects, &uri, query);
    }
    let Some(file) = objects.file(&uri) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match std::fs::read(file) {
        Ok(bytes) => (tag(&bytes), bytes).into_response(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let body = "<Error><Code>NoSuchKey</Code></Error>";
            (StatusCode::NOT_FOUND, body).into_response()
        }
        Err(error) => status(&error).into_response(),
    }
}

/// Answers "ListObjectsV2", all names at once.
fn list(objects: &Objects, uri: &Uri, query: &str) -> Response {
    let mut query = form_urlencoded::parse(query.as_bytes());
    let prefix = query.find(|(name, _)| name == "prefix");
    let prefix = prefix.map(|(_, prefix)| prefix).unwrap_or_default();
    let bucket = uri.path().trim_end_matches('/');
    let Some(folder) = bucket.parse().ok().and_then(|uri| objects.file(&uri)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let mut names = Vec::new();
    if let Err(error) = names_below(&folder, "", &mut names) {
        return status(&error).into_response();
    }
    names.retain(|name| name.starts_with(&*prefix));
    names.sort();
    let keys = names.iter();
    let keys = keys.map(|name| format!("<Contents><Key>{name}</Key></Contents>"));
    let keys: String = keys.collect();
    let body =
        format!("<ListBucketResult><IsTruncated>false</IsTruncated>{keys}</ListBucketResult>");
    ([(CONTENT_TYPE, "application/xml")], body).into_response()
}

/// Names of the objects in a folder; none where it is not there.
fn names_below(folder: &Path, before: &str, names: &mut Vec<String>) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = format!("{before}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            names_below(&entry.path(), &format!("{name}/"), names)?;
        } else if !entry.file_name().to_string_lossy().starts_with('.') {
            // An object that is just being written begins with a dot.
            names.push(name);
        }
    }
    Ok(())
}

async fn write(
    State(objects): State<Arc<Objects>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(file) = objects.file(&uri) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let only_new = headers.get(IF_NONE_MATCH).is_some_and(|it| it == "*");
    match put(&file, &body, only_new) {
        Ok(()) => tag(&body).into_response(),
        Err(error) if only_new && error.kind() == io::ErrorKind::AlreadyExists => {
            let body = "<Error><Code>PreconditionFailed</Code></Error>";
            (StatusCode::PRECONDITION_FAILED, body).into_response()
        }
        Err(error) => status(&error).into_response(),
    }
}

/// The entity tag of an object: the MD5 of its bytes, in quotes ("Common response headers").
fn tag(bytes: &[u8]) -> [(HeaderName, String); 1] {
    [(ETAG, format!("\"{}\"", hex::encode(Md5::digest(bytes))))]
}

/// As S3 does it: an object is there whole or not at all, and with `only_new` an earlier one stays.
fn put(file: &Path, bytes: &[u8], only_new: bool) -> io::Result<()> {
    let folder = file.parent().unwrap_or(file);
    std::fs::create_dir_all(folder)?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    io::Write::write_all(&mut new, bytes)?;
    if only_new {
        new.persist_noclobber(file)?;
    } else {
        new.persist(file)?;
    }
    Ok(())
}

fn status(error: &io::Error) -> StatusCode {
    match error.kind() {
        io::ErrorKind::NotFound => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
