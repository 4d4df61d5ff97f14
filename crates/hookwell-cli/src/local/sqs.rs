//! stub
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::all,
    clippy::pedantic
)]
use std::path::Path;
#[derive(Clone)]
pub struct Sqs;
impl Sqs {
    pub fn open(_path: Option<&Path>) -> anyhow::Result<Self> {
        Ok(Self)
    }
    pub async fn serve(
        self,
        _l: tokio::net::TcpListener,
        s: impl std::future::Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        s.await;
        Ok(())
    }
}
